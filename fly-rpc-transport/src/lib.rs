//! The transport of fly-rpc: bytes between nodes that trust each other.
//!
//! An [`Endpoint`] owns one UDP socket. It dials and accepts QUIC connections whose both ends prove
//! membership of a cluster ([`Identity`]), exchanges a [`Hello`] on each, keeps one [`Link`] per
//! pair of nodes, and carries requests and answers over *lanes*. What a request means is the
//! business of the [`Service`] above; no function, argument or return type is known here.
//! `PROTOCOL.md` says what travels, [`Limits`] how much of it.
//!
//! Applications use the crate `fly-rpc`, not this one.

mod accept;
mod backoff;
mod catalogues;
mod close;
mod congestion;
mod control;
mod counters;
mod endpoint;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod identity;
mod keeper;
mod lane;
mod limits;
mod link;
mod links;
mod lock;
mod log_limit;
mod name;
mod peers;
mod pulse;
mod quic;
mod randomness;
mod reactor;
mod refusals;
mod service;
mod socket;
mod tally;
mod tie_break;
mod tls;
mod visitors;
mod wire;

#[cfg(feature = "sim")]
pub mod sim;
pub mod watch;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use close::CloseCode;
pub use endpoint::{Endpoint, EndpointConfig, EndpointStats};
pub use handshake::{DialError, EARLY};
pub use identity::{CertificateRefused, ClusterSecret, Identity, IdentityError, SecretError};
pub use keeper::{Attempts, Keeper};
pub use lane::{Abandoned, CallLost, PendingCall};
pub use limits::{LimitError, Limits};
pub use link::{Link, SendRefused};
pub use links::Links;
pub use name::{NameError, NodeId, Region};
pub use randomness::Randomness;
pub use refusals::Refusals;
pub use service::{Hearsay, KEPT, Served, Service, is_first_poll};
pub use socket::Socket;
pub use tls::ALPN;
pub use wire::{
    CallId, Catalogue, Hello, Offer, PROTOCOL_VERSIONS, Request, RequestBody, RequestHead,
    Response, ResponseFrame, Status, View,
};
