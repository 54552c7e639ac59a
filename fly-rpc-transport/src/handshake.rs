//! From a UDP address to an introduced peer: QUIC, TLS, then hello both ways.
//!
//! Both directions end with the same checks, so a connection on which both have said hello has been
//! accepted by both ends: same cluster, a protocol version in common, the node id of the certificate,
//! and not this very node.

mod error;
mod hellos;

use std::{net::SocketAddr, sync::Arc};

use quinn::{ClientConfig, Connecting, Connection, ConnectionError, Incoming, ServerConfig};
use tokio::time::timeout;

pub use error::DialError;
pub use hellos::EARLY;
pub(crate) use hellos::{Manner, Ours, Presumed, Unheard};

use self::error::what_the_peer_said;
use crate::{
    close::CloseCode, control::ControlError, identity::KeptReason, limits::Limits,
    link::Introduction, reactor::Reactor, tls::SERVER_NAME, wire::HelloError,
};

/// Dials and introduces this node; `reactor` drives the connection.
pub(crate) async fn dial(
    endpoint: &quinn::Endpoint,
    reactor: &Reactor,
    (config, refusal): (ClientConfig, KeptReason),
    address: SocketAddr,
    ours: Ours<'_>,
    manner: Manner,
) -> Result<Introduction, DialError> {
    let connecting = reactor
        .adopt(|| endpoint.connect_with(config, address, SERVER_NAME))
        .map_err(|error| DialError::Address {
            address,
            reason: error.to_string(),
        })?;
    let met = async {
        let connection = handshake(connecting, address, ours.limits).await?;
        let introduced = ours.introduce(&connection, manner);
        in_time(introduced, &connection, address, ours.limits).await
    };
    met.await.map_err(|error| named(error, &refusal, address))
}

/// Accepts a stranger's connection, which `reactor` drives; an error is for the log.
pub(crate) async fn accept(
    incoming: Incoming,
    reactor: &Reactor,
    (config, refusal): (Arc<ServerConfig>, KeptReason),
    ours: Ours<'_>,
) -> Result<Introduction, DialError> {
    let address = incoming.remote_address();
    let connecting = reactor
        .adopt(|| incoming.accept_with(config))
        .map_err(|source| DialError::Handshake { address, source })?;
    let met = async {
        let connection = handshake(connecting, address, ours.limits).await?;
        let welcomed = ours.welcome(&connection);
        in_time(welcomed, &connection, address, ours.limits).await
    };
    met.await.map_err(|error| named(error, &refusal, address))
}

/// An error with what the certificate's verifier knew of it.
fn named(error: DialError, refusal: &KeptReason, address: SocketAddr) -> DialError {
    match refusal.reason().cloned() {
        Some(reason) => DialError::Certificate { address, reason },
        None => error,
    }
}

async fn handshake(
    connecting: Connecting,
    address: SocketAddr,
    limits: &Limits,
) -> Result<Connection, DialError> {
    let shaken = timeout(limits.handshake_timeout, connecting).await;
    let slow = DialError::Slow {
        address,
        step: "handshake",
    };
    shaken
        .map_err(|_elapsed| slow)?
        .map_err(|source| DialError::Handshake { address, source })
}

/// The exchange of hellos, if it ends in time; a connection on which it fails is closed with the reason.
async fn in_time<T>(
    hellos: impl Future<Output = Result<T, Refusal>>,
    connection: &Connection,
    address: SocketAddr,
    limits: &Limits,
) -> Result<T, DialError> {
    match timeout(limits.hello_timeout, hellos).await {
        Ok(Ok(introduced)) => Ok(introduced),
        Ok(Err(refusal)) => Err(refusal.explain(connection, address)),
        Err(_elapsed) => {
            connection.close(CloseCode::HelloTimeout.varint(), b"");
            Err(DialError::Slow {
                address,
                step: "hello",
            })
        }
    }
}

/// Why the introduction failed.
enum Refusal {
    /// This end refuses.
    Here(CloseCode, String),
    /// The other end refused, or the connection was lost.
    Ended,
}

impl Refusal {
    /// Tells the other end, and puts what it said, or we did, into words.
    fn explain(self, connection: &Connection, address: SocketAddr) -> DialError {
        match self {
            Self::Here(code, reason) => {
                connection.close(code.varint(), b"");
                DialError::Refused { code, reason }
            }
            Self::Ended => match connection.close_reason() {
                // TLS 1.3 lets the dialler finish before its own certificate was judged: a refusal
                // of it arrives here.
                Some(source @ ConnectionError::ConnectionClosed(_)) => {
                    DialError::Handshake { address, source }
                }
                Some(source) => match CloseCode::of(&source) {
                    Some(code) => DialError::Refused {
                        code,
                        reason: format!("{address} {}", what_the_peer_said(code)),
                    },
                    None => DialError::Closed { address, source },
                },
                None => {
                    connection.close(CloseCode::BadHello.varint(), b"");
                    DialError::Refused {
                        code: CloseCode::BadHello,
                        reason: format!("{address} ended its control stream"),
                    }
                }
            },
        }
    }
}

impl From<ConnectionError> for Refusal {
    fn from(_: ConnectionError) -> Self {
        Self::Ended
    }
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Ended => Self::Ended,
            ControlError::Hello(HelloError::Protocol { .. }) => {
                Self::Here(CloseCode::Protocol, error.to_string())
            }
            _ => Self::Here(CloseCode::BadHello, error.to_string()),
        }
    }
}
