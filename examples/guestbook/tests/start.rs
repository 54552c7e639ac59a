//! What a process says that cannot start: one sentence with the cure, and an exit code that tells a bad setting.

use std::{net::TcpListener, process::Command};

/// Runs the program in development mode, and returns its exit code and what it said at the end.
fn run(settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_guestbook"));
    command
        .env_clear()
        .current_dir(&directory)
        .env("XDG_RUNTIME_DIR", directory.path())
        .env("HTTP_ADDRESS", "127.0.0.1:0")
        .env("METRICS_ADDRESS", "127.0.0.1:0")
        .envs(settings.iter().copied());
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    (output.status.code(), said)
}

#[test]
fn a_port_that_is_taken_is_named_with_the_variable_that_moves_it() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("bound").to_string();
    for variable in ["METRICS_ADDRESS", "HTTP_ADDRESS"] {
        let (code, said) = run(&[(variable, &address)]);
        assert_eq!(code, Some(2), "{said}");
        assert_eq!(
            said,
            format!(
                "guestbook: {address} is taken by another process: give {variable} another port, or stop that process"
            )
        );
    }
}

#[test]
fn a_process_of_the_primary_region_without_its_volume_does_not_start() {
    let (code, said) = run(&[("DATABASE", "/nowhere/guestbook.db")]);
    assert_eq!(code, Some(1), "{said}");
    let last = said.lines().last().expect("it says why");
    assert!(last.contains("/nowhere/guestbook.db"), "{last}");
}
