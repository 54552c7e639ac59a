//! A fixed list of addresses.

use std::future::pending;

use super::{Discovery, Next, sighting::Sighting};

/// Addresses that are known beforehand and never change.
///
/// What the addresses in [`NodeBuilder::peers`](crate::NodeBuilder::peers) and `FLY_RPC_PEERS` are
/// made into.
///
/// # Examples
/// ```
/// use fly_rpc::{Node, discovery::{Fixed, Sighting}};
///
/// # fn example() -> Result<(), std::net::AddrParseError> {
/// let database = Sighting::new("[fdaa::5]:7411".parse()?).node("148e306f77e389").region("iad");
/// let node = Node::builder().discovery(Fixed::new([database]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    sightings: Option<Vec<Sighting>>,
}

impl Fixed {
    /// Takes the list: of addresses, or of sightings where more than the address is known.
    pub fn new<S: Into<Sighting>>(sightings: impl IntoIterator<Item = S>) -> Self {
        Self {
            sightings: Some(sightings.into_iter().map(Into::into).collect()),
        }
    }
}

impl Discovery for Fixed {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async {
            match self.sightings.take() {
                Some(sightings) => Ok(sightings),
                None => pending().await,
            }
        })
    }

    fn name(&self) -> String {
        "fixed addresses".to_owned()
    }
}
