//! Why a dial made no link.

use std::net::SocketAddr;

use quinn::{ConnectionError, TransportErrorCode};

use crate::{close::CloseCode, identity::CertificateRefused};

/// Why a dial made no link. Nothing was called.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// This node is stopping.
    #[error("this node is stopping")]
    Stopped,
    /// The connection that there was closed before the request was sent.
    #[error("its connection closed before the request was sent")]
    Gone,
    /// The address cannot be dialled from this socket.
    #[error("cannot dial {address}: {reason}")]
    Address {
        /// The address that was given.
        address: SocketAddr,
        /// What is wrong with it.
        reason: String,
    },
    /// This end does not accept the other's certificate.
    #[error("{address} was refused: {reason}")]
    Certificate {
        /// The address that was dialled.
        address: SocketAddr,
        /// What is wrong with the certificate.
        reason: CertificateRefused,
    },
    /// QUIC or TLS did not come to an agreement: nobody there, another secret, another protocol.
    #[error("no agreement with {address}: {source}")]
    Handshake {
        /// The address that was dialled.
        address: SocketAddr,
        /// What QUIC says.
        source: ConnectionError,
    },
    /// The handshake or the hello took too long.
    #[error("{address} did not finish its {step} in time")]
    Slow {
        /// The address that was dialled.
        address: SocketAddr,
        /// What was waited for.
        step: &'static str,
    },
    /// The other end, or this one, refused after the hello.
    #[error("refused: {reason}")]
    Refused {
        /// The reason as it travelled.
        code: CloseCode,
        /// The reason for people.
        reason: String,
    },
    /// The peer closed the connection without a code that this build knows.
    #[error("{address} closed the connection: {source}")]
    Closed {
        /// The address that was dialled.
        address: SocketAddr,
        /// What QUIC says.
        source: ConnectionError,
    },
}

impl DialError {
    /// True if somebody was there and one end did not accept the other. One that takes nobody just
    /// now, because it drains or its address is crowded, is no such case.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Certificate { .. } | Self::Refused { .. } => true,
            Self::Handshake {
                source: ConnectionError::ConnectionClosed(_),
                ..
            } => !self.is_busy(),
            _ => false,
        }
    }

    /// True if somebody was there who takes nobody just now, because it drains or its address is crowded.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Handshake {
                source: ConnectionError::ConnectionClosed(close),
                ..
            } => close.error_code == TransportErrorCode::CONNECTION_REFUSED,
            Self::Refused { code, .. } => *code == CloseCode::Shutdown,
            _ => false,
        }
    }

    /// True if whoever is there speaks another version of the protocol, and no other reason is known.
    pub fn is_other_protocol(&self) -> bool {
        match self {
            Self::Refused { code, .. } => *code == CloseCode::Protocol,
            Self::Handshake { source, .. } => match source {
                ConnectionError::ConnectionClosed(close) => close.error_code == no_protocol(),
                ConnectionError::TransportError(error) => error.code == no_protocol(),
                ConnectionError::VersionMismatch => true,
                _ => false,
            },
            _ => false,
        }
    }

    /// True if the address is this node's own: dialling it again cannot help.
    pub fn is_itself(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                code: CloseCode::Itself,
                ..
            }
        )
    }
}

pub(super) fn what_the_peer_said(code: CloseCode) -> &'static str {
    match code {
        CloseCode::Shutdown => "is stopping",
        CloseCode::Retired => "has another connection to this node",
        CloseCode::Replaced => "is connected to a later incarnation of this node",
        CloseCode::HelloTimeout => "waited too long for this node's hello",
        CloseCode::BadHello => "cannot read this node's hello",
        CloseCode::Protocol => "has no protocol version in common with this node",
        CloseCode::Cluster => "belongs to another cluster",
        CloseCode::Itself => "is this very node",
        CloseCode::Impostor => "does not believe that this node is who it says",
        CloseCode::Duplicate => "is connected to another running node with this node's id",
        CloseCode::Silent => "heard nothing for too long",
        CloseCode::Malformed => "could not read what this node sent",
        CloseCode::ExcessiveLoad => "had too much of what means nothing from this node",
        CloseCode::Mistaken => "is not the node that it was taken for",
        CloseCode::Slow => "waited too long for this node to go on",
    }
}

/// The alert `no_application_protocol` (RFC 7301 §3.2), as QUIC carries it (RFC 9001 §4.8).
fn no_protocol() -> TransportErrorCode {
    TransportErrorCode::crypto(120)
}
