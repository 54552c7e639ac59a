//! The clusters of development mode that run on this machine, for who does not know their names.

use std::{collections::BTreeMap, fs, io};

use super::{
    announcement::{LocalNode, nodes},
    directory::{LocalDirectory, cluster_of},
};
use crate::start_error::StartError;

/// The nodes that live, by the name of their cluster. Nothing is made that is not there.
///
/// # Errors
/// A directory that cannot be read, or is not this user's alone.
pub(crate) fn clusters() -> Result<BTreeMap<String, Vec<LocalNode>>, StartError> {
    let place = LocalDirectory::place();
    let folders = match fs::read_dir(&place) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => {
            return Err(StartError::RuntimeDirectory {
                path: place,
                reason: error.to_string(),
            });
        }
    };
    LocalDirectory::open()?;
    let mut clusters = BTreeMap::new();
    for folder in folders.flatten() {
        let Some(name) = folder.file_name().to_str().and_then(cluster_of) else {
            continue;
        };
        // A folder that goes in this moment has nobody in it.
        let nodes = nodes(&folder.path()).unwrap_or_default();
        if !nodes.is_empty() {
            clusters.insert(name, nodes);
        }
    }
    Ok(clusters)
}
