//! Finding the other nodes: sources of addresses, and what becomes of their answers.
//!
//! A [`Discovery`] says again and again which addresses there are, each time all of them. A node
//! follows any number of sources at a time and dials what at least one of them names. None of them
//! is trusted: who answers at an address proves with its certificate who it is, and a source that is
//! wrong, late or gone costs new acquaintances and no connection that there is.
//!
//! | source | where it looks |
//! |---|---|
//! | [`Fixed`], [`Name`] | an address, or a name that the system resolves; what `NodeBuilder::peers` and `FLY_RPC_PEERS` list |
//! | [`FlyDns`] | the DNS of Fly's private network; with `Node::from_env` the default on Fly |
//! | [`Dns`] | A and AAAA, or SRV, records of a name: headless services elsewhere |
//! | the runtime directory | other processes of this user on this machine; development mode |

mod announcement;
#[cfg(any(test, feature = "cli"))]
mod clusters;
mod directory;
mod dns;
mod excerpt;
mod fixed;
mod fly;
mod follow;
mod local;
mod merge;
mod name;
mod places;
mod questions;
mod schedule;
mod seldom;
mod sighting;

use std::{any::type_name, error::Error, fmt, future::Future, pin::Pin};

pub(crate) use announcement::{Announcement, LocalNode};
#[cfg(any(test, feature = "cli"))]
pub(crate) use clusters::clusters;
pub(crate) use directory::LocalDirectory;
pub use dns::Dns;
pub use fixed::Fixed;
pub use fly::FlyDns;
pub(crate) use follow::Others;
pub(crate) use local::LocalNodes;
pub use name::Name;
pub use sighting::Sighting;

/// A source of addresses at which there may be nodes.
///
/// What it says is a whole: an address that the next answer lacks is no longer dialled, unless
/// another source of the node has it. Connections that there are stay as long as they live.
///
/// # Errors
/// After an error the last answer stays in force. The node logs it, at most once a minute for each
/// source, and asks again after a second, then less and less often, at last every 30 s.
///
/// # Examples
/// A file that something else keeps up to date, read every ten seconds:
/// ```
/// use std::{fs, path::PathBuf, time::Duration};
///
/// use fly_rpc::discovery::{Discovery, DiscoveryError, Next, Sighting};
///
/// #[derive(Debug)]
/// struct InFile {
///     path: PathBuf,
///     was_read: bool,
/// }
///
/// impl Discovery for InFile {
///     fn next(&mut self) -> Next<'_> {
///         Box::pin(async move {
///             if self.was_read {
///                 tokio::time::sleep(Duration::from_secs(10)).await;
///             }
///             self.was_read = true;
///             let text = fs::read_to_string(&self.path).map_err(DiscoveryError::new)?;
///             let addresses = text.lines().filter_map(|line| line.parse().ok());
///             Ok(addresses.map(Sighting::new).collect())
///         })
///     }
/// }
/// ```
pub trait Discovery: fmt::Debug + Send {
    /// Waits until there is something to say, and says all that is known. The first answer should
    /// come at once: [`start`](crate::NodeBuilder::start) waits for it, at most a second. A source
    /// that will never say anything else stays pending.
    ///
    /// # Cancel safety
    /// Dropping what this returns must lose nothing: the next call says it.
    fn next(&mut self) -> Next<'_>;

    /// What the log calls it. Default the name of its type.
    fn name(&self) -> String {
        type_name::<Self>().to_owned()
    }
}

/// The next answer of a [`Discovery`]: every address that is known, or why none can be told.
pub type Next<'a> =
    Pin<Box<dyn Future<Output = Result<Vec<Sighting>, DiscoveryError>> + Send + 'a>>;

/// Why a source has no answer. It is logged; nothing else depends on it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DiscoveryError(Box<dyn Error + Send + Sync>);

impl DiscoveryError {
    /// An error with this reason: a text, or another error.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}
