//! The machine under the figures, as far as it says what it is, and the versions of what ran on it.

use std::{fs, process::Command, thread};

/// Processor, cores, memory, kernel, compiler, and the peers' versions, as a list.
pub(crate) fn description() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let model = field(&cpuinfo, "model name").unwrap_or("an unknown processor");
    let memory = field(&meminfo, "MemTotal").unwrap_or("unknown");
    let kernel = kernel.trim();
    let rustc = said("rustc", &["--version"]);
    let erlang = said("erl", &["-noshell", "-eval", RELEASE]);
    let versions = CRATES.map(|name| format!("{name} {}", locked(LOCK, name)));
    let versions = versions.join(", ");
    format!(
        "- {model}, {cores} cores, {memory} of memory, kernel {kernel}\n\
         - {rustc}\n\
         - {versions}; Erlang/OTP {erlang}\n"
    )
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

/// What a program says of itself.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match said {
        Ok(said) if !said.is_empty() => said,
        _ => format!("no `{program}`"),
    }
}

/// The version of a crate that this program was built with.
fn locked<'a>(lock: &'a str, name: &str) -> &'a str {
    let begin = format!("name = \"{name}\"\nversion = \"");
    let version = lock.split_once(&begin).map(|(_, rest)| rest);
    let version = version.and_then(|rest| rest.split_once('"'));
    version.map_or("unknown", |(version, _)| version)
}

/// Whose version matters.
const CRATES: [&str; 7] = [
    "fly-rpc", "tarpc", "tonic", "irpc", "quinn", "rustls", "tokio",
];
const LOCK: &str = include_str!("../../Cargo.lock");
/// Prints the release of Erlang.
const RELEASE: &str = r#"io:format("~s", [erlang:system_info(otp_release)]), halt()."#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name() {
        let text = "processor\t: 0\nmodel name\t: A Fine One\n";
        assert_eq!(field(text, "model name"), Some("A Fine One"));
        assert_eq!(field(text, "flags"), None);
    }

    #[test]
    fn the_version_of_everything_that_is_named_is_known() {
        for name in CRATES {
            assert_ne!(locked(LOCK, name), "unknown", "{name}");
        }
    }
}
