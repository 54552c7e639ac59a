//! fly-rpc and what it is measured beside, behind one trait: the same bytes go out and come back.
//!
//! Each framework is set up as its own documents advise, in its fastest ordinary configuration, in
//! the least code that a user of it would write. What is equal for all is in one place: sockets in
//! [`socket`], certificates in [`certificate`]. A server prints one line, which is all that a client
//! needs; the two are meant to be processes of their own.

mod certificate;
mod echo;
mod erpc;
mod fly;
mod irpc;
mod peer;
mod quic;
mod serve;
mod socket;
mod tarpc;
mod tonic;
mod udp;

pub use echo::{Echo, Visit, connect};
pub use erpc::{Erlang, ErlangTurn};
pub use peer::{Payload, Peer};
pub use serve::serve;
