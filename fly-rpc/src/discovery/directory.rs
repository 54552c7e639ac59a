//! The runtime directory: private to its user, it holds a random secret and a folder for each
//! cluster.
//!
//! Whoever can read it can join, so nothing about it is taken on trust: it must be a real
//! directory, ours, with mode 0700, and the secret in it a file with mode 0600.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use fly_rpc_transport::ClusterSecret;

use crate::start_error::StartError;

/// The directory, found to be private.
#[derive(Clone, Debug)]
pub(crate) struct LocalDirectory {
    path: PathBuf,
}

impl LocalDirectory {
    /// Finds or makes it: `$XDG_RUNTIME_DIR/fly-rpc` if there is such a place, else `fly-rpc-<user>` among the temporary
    /// files.
    pub(crate) fn open() -> Result<Self, StartError> {
        Self::at(Self::place())
    }

    /// Where it is, or would be.
    pub(crate) fn place() -> PathBuf {
        match env::var_os("XDG_RUNTIME_DIR").filter(|path| Path::new(path).is_dir()) {
            Some(path) => PathBuf::from(path).join("fly-rpc"),
            None => env::temp_dir().join(format!("fly-rpc-{}", user())),
        }
    }

    /// Uses the directory at `path`, which is made if it is not there.
    pub(crate) fn at(path: PathBuf) -> Result<Self, StartError> {
        make_private_directory(&path).map_err(|error| refuse(&path, &error))?;
        check_private(&path)?;
        Ok(Self { path })
    }

    /// The secret of this directory; made by whoever comes first.
    pub(crate) fn secret(&self) -> Result<ClusterSecret, StartError> {
        let path = self.path.join("secret");
        if !path.exists() {
            self.make_secret(&path)
                .map_err(|error| refuse(&path, &error))?;
        }
        check_mode(&path)?;
        let text = fs::read_to_string(&path).map_err(|error| refuse(&path, &error))?;
        text.parse().map_err(
            |error: fly_rpc_transport::SecretError| StartError::RuntimeDirectory {
                path,
                reason: error.to_string(),
            },
        )
    }

    /// The folder of a cluster; made if it is not there.
    pub(crate) fn cluster(&self, cluster: &str) -> Result<PathBuf, StartError> {
        let path = self.path.join(file_name(cluster));
        make_private_directory(&path).map_err(|error| refuse(&path, &error))?;
        Ok(path)
    }

    /// The folder of a cluster, whether it is there or not.
    pub(crate) fn folder(&self, cluster: &str) -> PathBuf {
        self.path.join(file_name(cluster))
    }

    /// Written aside and then linked: a second process that does the same at the same time finds
    /// the first one's whole secret, never half of one.
    fn make_secret(&self, path: &Path) -> io::Result<()> {
        let draft = self.path.join(format!(
            ".secret-{}-{:x}",
            std::process::id(),
            rand::random::<u64>()
        ));
        let written = write_private(&draft, ClusterSecret::generate().reveal().as_bytes());
        let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            outcome => outcome,
        });
        // It is of no use any more, whatever came of it.
        let _ = fs::remove_file(&draft);
        linked
    }
}

/// The cluster of a folder; `None` if that is no cluster's, or its name was too long to be kept.
#[cfg(any(test, feature = "cli"))]
pub(super) fn cluster_of(folder: &str) -> Option<String> {
    let mut rest = folder.strip_prefix(PREFIX)?;
    let mut name = Vec::new();
    while let Some((letter, others)) = rest.split_at_checked(1) {
        rest = others;
        if letter == "%" {
            let (digits, others) = rest.split_at_checked(2)?;
            name.push(u8::from_str_radix(digits, 16).ok()?);
            rest = others;
        } else {
            name.extend(letter.bytes());
        }
    }
    let name = String::from_utf8(name).ok()?;
    let is_digest = name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    (file_name(&name) == folder && !is_digest).then_some(name)
}

/// A file name for any cluster name: what is not plain is escaped, so that two names are never one
/// file.
fn file_name(cluster: &str) -> String {
    let mut name = String::from(PREFIX);
    for byte in cluster.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                name.push(char::from(byte))
            }
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    // Names of 255 escaped bytes would be too long for a file system.
    if name.len() <= FILE_NAME {
        name
    } else {
        format!("{PREFIX}{}", digest(cluster))
    }
}

fn digest(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text.as_bytes())
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn refuse(path: &Path, error: &io::Error) -> StartError {
    StartError::RuntimeDirectory {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(unix)]
fn make_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    }
}

#[cfg(not(unix))]
fn make_private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// A real directory, ours, and nobody else's business.
#[cfg(unix)]
fn check_private(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(path).map_err(|error| refuse(path, &error))?;
    let odd = |reason: &str| {
        Err(StartError::RuntimeDirectory {
            path: path.to_owned(),
            reason: reason.to_owned(),
        })
    };
    if !metadata.is_dir() {
        return odd("it is not a directory");
    }
    if metadata.mode() & 0o077 != 0 {
        return odd("others may enter it: its mode is not 0700");
    }
    // Who we are shows in what we make.
    let probe = path.join(format!(
        ".probe-{}-{:x}",
        std::process::id(),
        rand::random::<u64>()
    ));
    write_private(&probe, b"").map_err(|error| refuse(path, &error))?;
    let owner = fs::symlink_metadata(&probe).map(|metadata| metadata.uid());
    let _ = fs::remove_file(&probe);
    if owner.map_err(|error| refuse(path, &error))? == metadata.uid() {
        Ok(())
    } else {
        odd("it belongs to another user")
    }
}

#[cfg(not(unix))]
fn check_private(_path: &Path) -> Result<(), StartError> {
    Ok(())
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(path).map_err(|error| refuse(path, &error))?;
    if metadata.is_file() && metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(StartError::RuntimeDirectory {
        path: path.to_owned(),
        reason: "others may read it: its mode is not 0600".to_owned(),
    })
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> Result<(), StartError> {
    Ok(())
}

pub(super) fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(contents)
}

/// A name for this user that others do not have: the numeric id where the system shows it.
fn user() -> String {
    #[cfg(target_os = "linux")]
    if let Ok(metadata) = fs::metadata("/proc/self") {
        use std::os::unix::fs::MetadataExt;
        return metadata.uid().to_string();
    }
    env::var("USER")
        .or_else(|_| env::var("USERNAME"))
        .map_or_else(|_| "user".to_owned(), |user| digest(&user))
}

const PREFIX: &str = "cluster-";
/// Bytes of a file name that every file system takes.
const FILE_NAME: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cluster_names_are_never_one_folder() {
        let names = [
            "a",
            "A",
            "a/b",
            "a%2fb",
            "..",
            ".",
            "a b",
            "ü",
            &"x".repeat(255),
            &"x".repeat(254),
        ];
        let mut files: Vec<String> = names.iter().map(|name| file_name(name)).collect();
        assert!(
            files
                .iter()
                .all(|file| !file.contains('/') && file.len() <= 255)
        );
        for (name, file) in names.iter().zip(&files) {
            let is_kept = file_name(name).len() <= FILE_NAME && name.len() < 100;
            assert_eq!(cluster_of(file).as_deref(), is_kept.then_some(*name));
        }
        files.sort();
        files.dedup();
        assert_eq!(files.len(), names.len());
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_others_may_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let path = env::temp_dir().join(format!(
            "fly-rpc-test-{}-{:x}",
            std::process::id(),
            rand::random::<u64>()
        ));
        LocalDirectory::at(path.clone()).expect("a fresh directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        let error = LocalDirectory::at(path.clone())
            .expect_err("open to others")
            .to_string();
        fs::remove_dir_all(&path).expect("ours");
        assert!(error.contains("0700"), "{error}");
    }

    #[test]
    fn everyone_reads_the_same_secret() {
        let path = env::temp_dir().join(format!(
            "fly-rpc-test-{}-{:x}",
            std::process::id(),
            rand::random::<u64>()
        ));
        let directory = LocalDirectory::at(path.clone()).expect("a fresh directory");
        let secrets: Vec<String> = std::thread::scope(|scope| {
            let readers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| directory.secret().expect("a secret").reveal().to_string()))
                .collect();
            readers
                .into_iter()
                .map(|reader| reader.join().expect("no panic"))
                .collect()
        });
        fs::remove_dir_all(&path).expect("ours");
        assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
