//! The runtime directory as a source: the other nodes of this user on this machine.

use std::{path::PathBuf, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    Announcement, Discovery, DiscoveryError, LocalNode, Next, announcement::nodes,
    sighting::Sighting,
};
use crate::start_error::StartError;

/// Looks at the folder of a cluster.
#[derive(Debug)]
pub(crate) struct LocalNodes {
    place: Place,
    due: Instant,
}

#[derive(Clone, Debug)]
enum Place {
    /// That of a node, which is not meant.
    Beside(Announcement),
    /// That of no node here. It may come and go.
    Folder(PathBuf),
}

impl Place {
    fn look(&self) -> Result<Vec<LocalNode>, StartError> {
        match self {
            Self::Beside(announcement) => announcement.others(),
            Self::Folder(folder) if folder.is_dir() => nodes(folder),
            Self::Folder(_) => Ok(Vec::new()),
        }
    }
}

impl LocalNodes {
    pub(crate) fn new(announcement: Announcement) -> Self {
        Self::at(Place::Beside(announcement))
    }

    /// Those of a folder, for who is none of them.
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self::at(Place::Folder(folder))
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            due: Instant::now(),
        }
    }
}

impl Discovery for LocalNodes {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async {
            sleep_until(self.due).await;
            let place = self.place.clone();
            // File systems block.
            let look = tokio::task::spawn_blocking(move || place.look()).await;
            self.due = Instant::now() + LOOK;
            let others = look
                .map_err(DiscoveryError::new)?
                .map_err(DiscoveryError::new)?;
            Ok(others.into_iter().map(sighting).collect())
        })
    }

    fn name(&self) -> String {
        "the runtime directory".to_owned()
    }
}

fn sighting(other: LocalNode) -> Sighting {
    Sighting::new(other.address)
        .node(other.node)
        .region(other.region)
}

/// How often the folder is looked at: soon enough for a person with two terminals, and some
/// microseconds of work.
const LOOK: Duration = Duration::from_millis(250);
