//! What may stand where the file should be, and who else may be writing it.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use super::{
    super::{Asserting, disk, record},
    Desk, SHOP, function, two,
};

fn refusal(path: &Path) -> String {
    let functions = [function("f@1() -> ()")];
    let refusal = record(path, SHOP, &functions, |_| None).expect_err("it is refused");
    refusal.to_string()
}

#[test]
fn a_directory_is_no_file() {
    let desk = Desk::new();
    fs::create_dir(desk.path()).expect("made");
    let refusal = refusal(&desk.path());
    assert!(
        refusal.ends_with("fly-rpc.contracts: this is a directory; name a file in it"),
        "{refusal}"
    );
}

#[test]
fn a_file_in_no_directory_cannot_be_made() {
    let desk = Desk::new();
    let refusal = refusal(&desk.path().join("in/it"));
    assert!(
        refusal.contains("its directory is not there; make it, or name another file"),
        "{refusal}"
    );
    desk.put("x");
    let refusal = self::refusal(&desk.path().join("in"));
    assert!(refusal.contains("in: "), "{refusal}");
}

#[test]
fn a_read_only_file_stays_as_it_is_and_can_be_compared() {
    let (desk, functions) = two();
    let mut permissions = fs::metadata(desk.path()).expect("a file").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(desk.path(), permissions).expect("read-only");
    assert_eq!(desk.run(&functions).expect("the same"), []);
    let refusal = desk.refused(&functions[..1], &[]);
    assert!(
        refusal.contains("it is read-only; make it writable"),
        "{refusal}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_the_rights_of_its_file_are_kept() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let (desk, functions) = two();
    let real = desk.directory.path().join("real");
    fs::rename(desk.path(), &real).expect("moved");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("rights");
    symlink("real", desk.path()).expect("a link");
    desk.run(&functions[..1]).expect("written");
    assert!(
        fs::symlink_metadata(desk.path())
            .expect("a link")
            .is_symlink()
    );
    assert!(
        fs::read_to_string(&real)
            .expect("a file")
            .contains("retired: yes")
    );
    let rights = fs::metadata(&real).expect("a file").permissions();
    assert_eq!(rights.mode() & 0o777, 0o640);

    fs::remove_file(real).expect("gone");
    let refusal = refusal(&desk.path());
    assert!(
        refusal.contains("a symbolic link that leads nowhere"),
        "{refusal}"
    );
}

#[cfg(unix)]
#[test]
fn what_would_be_waited_for_is_no_file() {
    assert!(refusal(Path::new("/dev/null")).contains("no ordinary file"));
}

#[test]
fn a_file_that_is_empty_is_filled() {
    let desk = Desk::new();
    desk.put(" \r\n\n");
    let functions = [function("f@1() -> ()")];
    assert!(
        desk.refused(&functions, &[("CI", "1")])
            .contains("fly-rpc.contracts is not there")
    );
    desk.run(&functions).expect("written");
    assert!(desk.text().contains("\n\nf@1() -> ()\n"));
}

#[test]
fn who_writes_at_the_same_time_leaves_a_whole_file_and_nothing_else() {
    let desk = Desk::new();
    let functions: Vec<_> = (1..200)
        .map(|version| function(&format!("f@{version}() -> ()")))
        .collect();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| desk.run(&functions).expect("written, or the same"));
        }
    });
    assert_eq!(desk.run(&functions).expect("the same"), []);
    assert_eq!(
        fs::read_dir(desk.directory.path())
            .expect("a directory")
            .count(),
        1
    );
}

#[test]
fn what_a_killed_process_left_is_not_in_the_way() {
    let desk = Desk::new();
    let left = format!(".fly-rpc.contracts.{}-0", std::process::id());
    fs::write(desk.directory.path().join(&left), "half a fi").expect("written");
    disk::replace(&desk.path(), "whole").expect("replaced");
    assert_eq!(desk.text(), "whole");
    assert!(
        desk.directory.path().join(left).exists(),
        "whoever it belongs to may be at work"
    );
}

#[test]
fn a_path_belongs_to_the_package_and_an_absolute_one_to_nobody() {
    let desk = Desk::new();
    let place = |directory, path: &str, moved: Option<&str>| {
        let asserting = Asserting { directory, ..SHOP };
        asserting.path(Path::new(path), |_| moved.map(str::to_owned))
    };
    let built: &'static str = desk.directory.path().display().to_string().leak();
    assert_eq!(
        place(built, "a/b", Some("/moved")),
        Path::new(built).join("a/b")
    );
    assert_eq!(place(built, "/a/b", None), PathBuf::from("/a/b"));
    // Built on another machine.
    assert_eq!(
        place("/nowhere", "b", Some("/moved")),
        PathBuf::from("/moved/b")
    );
    assert_eq!(place("/nowhere", "b", None), PathBuf::from("/nowhere/b"));
}
