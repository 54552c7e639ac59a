//! Strangers: whoever speaks UDP, QUIC or TLS to a node and is no member of its cluster.

mod authority;
mod dialler;
mod flood;
mod initial;
mod member;

pub use authority::{AUTHORITY, Authority, Leaf, derived_key, dns, valid};
pub use dialler::{Dialler, Seen};
pub use flood::{Aim, Flood, Flooder, Tally, run};
pub use initial::{Initial, client_hello, tls_1_2_client_hello};
pub use member::member;
