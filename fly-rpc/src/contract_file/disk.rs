//! Reading and replacing the file.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    process,
};

/// What the file has; `None` if it is not there.
///
/// # Errors
/// A sentence about what is there instead, or keeps it from being read.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err("this is a directory; name a file in it".to_owned()),
        // A pipe would be waited for.
        Ok(found) if !found.is_file() => {
            Err("this is no ordinary file; name another one".to_owned())
        }
        Ok(_) => fs::read(path)
            .map(Some)
            .map_err(|error| format!("it cannot be read ({error}); give this user the right to")),
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(_) => Err(
                "this is a symbolic link that leads nowhere; remove it, or make its file"
                    .to_owned(),
            ),
            Err(_) => Ok(None),
        },
        Err(error) => Err(format!("it cannot be looked at ({error})")),
    }
}

/// Puts the text in the place of the file, at once: whoever reads at the same time sees the old one or the new one.
///
/// # Errors
/// A sentence about what keeps it from being written. The file is as it was.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), String> {
    // The file itself, not the link that leads to it.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let permissions = fs::metadata(&path).map(|found| found.permissions()).ok();
    if permissions.as_ref().is_some_and(fs::Permissions::readonly) {
        return Err("it is read-only; make it writable, or run the test where it is".to_owned());
    }
    let (fresh, written) = fresh(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            "its directory is not there; make it, or name another file".to_owned()
        }
        _ => format!("no file can be made beside it ({error}); give this user the right to"),
    })?;
    let replaced = fill(written, text)
        .and_then(|()| permissions.map_or(Ok(()), |same| fs::set_permissions(&fresh, same)))
        .and_then(|()| fs::rename(&fresh, &path));
    replaced.map_err(|error| {
        // What cannot be removed either is named, so that somebody can.
        let left = match fs::remove_file(&fresh) {
            Ok(()) => String::new(),
            Err(_) => format!("; {} may be removed", fresh.display()),
        };
        format!("it cannot be written ({error}){left}")
    })
}

/// A new file beside this one, which nobody else writes to: other processes and threads may be about to do the same.
fn fresh(path: &Path) -> io::Result<(PathBuf, fs::File)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut last = io::Error::from(ErrorKind::AlreadyExists);
    for number in 0..MOST_TRIES {
        let fresh = path.with_file_name(format!(".{name}.{}-{number}", process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&fresh) {
            Ok(file) => return Ok((fresh, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn fill(mut file: fs::File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Threads that write at the same time, and what processes of the same number left behind when they were killed.
const MOST_TRIES: usize = 100;
