//! A node's file in the folder of its cluster, and the files of the others.
//!
//! The file is locked as long as the node lives: the operating system drops the lock when the
//! process ends, however it ends, so a file whose lock can be had is stale and is cleaned up by
//! whoever notices.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use fly_rpc_transport::{NodeId, Region};

use super::directory::LocalDirectory;
use crate::start_error::StartError;

/// A node of this machine, as its file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalNode {
    pub(crate) node: NodeId,
    pub(crate) region: Region,
    pub(crate) address: SocketAddr,
    pub(crate) incarnation: u64,
}

/// This node's file. It is removed with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    this: LocalNode,
    /// Open for its lock.
    _file: File,
}

impl Announcement {
    /// Writes the file of `this` node.
    pub(crate) fn new(
        directory: LocalDirectory,
        cluster: &str,
        this: LocalNode,
    ) -> Result<Self, StartError> {
        let folder = directory.cluster(cluster)?;
        let file = announce(&folder, &this)
            .or_else(|error| match error.kind() {
                // The last node of the cluster left, and took the folder with it, in this very moment.
                io::ErrorKind::NotFound => {
                    directory.cluster(cluster).ok();
                    announce(&folder, &this)
                }
                _ => Err(error),
            })
            .map_err(|error| StartError::RuntimeDirectory {
                path: folder.clone(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            shared: Arc::new(Shared {
                folder,
                this,
                _file: file,
            }),
        })
    }

    /// The other nodes that live. Stale files are removed on the way.
    pub(crate) fn others(&self) -> Result<Vec<LocalNode>, StartError> {
        let mut others = nodes(&self.shared.folder)?;
        others.retain(|other| other.node != self.shared.this.node);
        Ok(others)
    }
}

/// The nodes of a folder that live. Stale files are removed on the way.
pub(crate) fn nodes(folder: &Path) -> Result<Vec<LocalNode>, StartError> {
    let files = fs::read_dir(folder).map_err(|error| StartError::RuntimeDirectory {
        path: folder.to_owned(),
        reason: error.to_string(),
    })?;
    let files = files.flatten();
    Ok(files.filter_map(|file| living(&file.path())).collect())
}

impl Drop for Shared {
    fn drop(&mut self) {
        let path = path(&self.folder, &self.this.node);
        // A successor with the same id may have put its own file there.
        if fs::read_to_string(&path).is_ok_and(|text| parse(&text).as_ref() == Some(&self.this)) {
            let _ = fs::remove_file(path);
        }
        // Fails, as it should, while another node's file is in it.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Written and locked under another name first: nobody sees a file that is not locked yet.
fn announce(folder: &Path, this: &LocalNode) -> io::Result<File> {
    let draft = folder.join(format!(
        ".draft-{}-{:x}",
        std::process::id(),
        rand::random::<u64>()
    ));
    let write = || {
        let mut file = File::create_new(&draft)?;
        file.lock()?;
        write!(
            file,
            "node={}\nregion={}\naddress={}\nincarnation={}\n",
            this.node, this.region, this.address, this.incarnation
        )?;
        fs::rename(&draft, path(folder, &this.node))?;
        Ok(file)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    })
}

fn path(folder: &Path, node: &NodeId) -> PathBuf {
    folder.join(format!("{node}{SUFFIX}"))
}

/// The node of a file, if it lives.
fn living(path: &Path) -> Option<LocalNode> {
    if !path.file_name()?.to_str()?.ends_with(SUFFIX) {
        return None;
    }
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => parse(&fs::read_to_string(path).ok()?),
        // Not a judgement about the node: a file system without locks shows every node as living.
        Err(TryLockError::Error(_)) => parse(&fs::read_to_string(path).ok()?),
        Ok(()) => {
            if is_still(&file, path) {
                let _ = fs::remove_file(path);
            }
            None
        }
    }
}

/// True if `path` still leads to the open file, and not to one that a new node has put there since.
#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    matches!((file.metadata(), fs::symlink_metadata(path)), (Ok(ours), Ok(there)) if (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn is_still(_file: &File, _path: &Path) -> bool {
    true
}

/// Unknown lines are skipped: a newer build may say more.
fn parse(text: &str) -> Option<LocalNode> {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    Some(LocalNode {
        node: field("node")?.parse().ok()?,
        region: field("region")?.parse().ok()?,
        address: field("address")?.parse().ok()?,
        incarnation: field("incarnation")?.parse().ok()?,
    })
}

const SUFFIX: &str = ".node";

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, port: u16) -> LocalNode {
        LocalNode {
            node: id.into(),
            region: "syd".into(),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            incarnation: 7,
        }
    }

    fn directory() -> (LocalDirectory, PathBuf) {
        let path = std::env::temp_dir().join(format!(
            "fly-rpc-test-{}-{:x}",
            std::process::id(),
            rand::random::<u64>()
        ));
        (
            LocalDirectory::at(path.clone()).expect("a fresh directory"),
            path,
        )
    }

    #[test]
    fn nodes_see_each_other_until_they_are_gone() {
        let (directory, path) = directory();
        let a = Announcement::new(directory.clone(), "c", node("a", 1)).expect("announced");
        let b = Announcement::new(directory.clone(), "c", node("b", 2)).expect("announced");
        let elsewhere = Announcement::new(directory, "other", node("x", 3)).expect("announced");
        assert_eq!(a.others().expect("readable"), [node("b", 2)]);
        drop(b);
        assert_eq!(a.others().expect("readable"), []);
        assert_eq!(elsewhere.others().expect("readable"), []);
        fs::remove_dir_all(path).expect("ours");
    }

    #[test]
    fn a_file_whose_writer_died_is_cleaned_up() {
        let (directory, path) = directory();
        let a = Announcement::new(directory.clone(), "c", node("a", 1)).expect("announced");
        let folder = directory.cluster("c").expect("there");
        fs::write(
            folder.join("dead.node"),
            "node=dead\nregion=syd\naddress=127.0.0.1:9\nincarnation=1\n",
        )
        .expect("writable");
        fs::write(folder.join("notes.txt"), "not a node").expect("writable");
        assert_eq!(a.others().expect("readable"), []);
        assert!(!folder.join("dead.node").exists());
        assert!(folder.join("notes.txt").exists());
        fs::remove_dir_all(path).expect("ours");
    }

    #[test]
    fn a_restarted_node_takes_its_place_and_the_old_one_leaves_it_alone() {
        let (directory, path) = directory();
        let watcher = Announcement::new(directory.clone(), "c", node("w", 1)).expect("announced");
        let old = Announcement::new(directory.clone(), "c", node("a", 2)).expect("announced");
        let new = Announcement::new(directory, "c", node("a", 3)).expect("announced");
        drop(old);
        assert_eq!(watcher.others().expect("readable"), [node("a", 3)]);
        drop(new);
        fs::remove_dir_all(path).expect("ours");
    }
}
