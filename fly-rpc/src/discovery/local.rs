//! The runtime directory as a source: the other nodes of this user on this machine.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Announcement, Discovery, DiscoveryError, LocalNode, Next, sighting::Sighting};

/// Looks at the folder in which an announcement stands.
#[derive(Debug)]
pub(crate) struct LocalNodes {
    announcement: Announcement,
    due: Instant,
}

impl LocalNodes {
    pub(crate) fn new(announcement: Announcement) -> Self {
        Self {
            announcement,
            due: Instant::now(),
        }
    }
}

impl Discovery for LocalNodes {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async {
            sleep_until(self.due).await;
            let announcement = self.announcement.clone();
            // File systems block.
            let look = tokio::task::spawn_blocking(move || announcement.others()).await;
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
