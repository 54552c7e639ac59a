//! Connections from outside that this node refuses: each is counted, and named in the log.
//!
//! The name stays here. What the other end is told is a generic alert or a number.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use quinn::ConnectionError;

use crate::{close::CloseCode, handshake::DialError, log_limit::LogLimit, visitors::Crowded};

/// Connections from outside that a node refused since it started, by what was wrong with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusals {
    /// Ignored, because too many handshakes were in progress.
    pub crowded: u64,
    /// Refused unseen, because this node drains.
    pub draining: u64,
    /// Refused unseen, because its address connects too often or has too many connections.
    pub visitor: u64,
    /// No agreement of QUIC or TLS: no certificate, another protocol or version, or the other end
    /// gave up.
    pub handshake: u64,
    /// The certificate proves no member.
    pub certificate: u64,
    /// A member whose hello was refused: another cluster or protocol version, the wrong node id. One
    /// that took this node for a former life of it does not count: it dials again.
    pub hello: u64,
    /// The handshake or the hello did not come in time.
    pub slow: u64,
}

impl Refusals {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Self {
            crowded,
            draining,
            visitor,
            handshake,
            certificate,
            hello,
            slow,
        } = self;
        crowded + draining + visitor + handshake + certificate + hello + slow
    }
}

/// Counts refusals and writes them to the log.
#[derive(Debug, Default)]
pub(crate) struct RefusalLog {
    crowded: AtomicU64,
    draining: AtomicU64,
    visitor: AtomicU64,
    handshake: AtomicU64,
    certificate: AtomicU64,
    hello: AtomicU64,
    slow: AtomicU64,
    lines: LogLimit,
}

impl RefusalLog {
    /// A connection was ignored because too many handshakes are in progress.
    pub(crate) fn crowded(&self, address: SocketAddr) {
        raise(&self.crowded);
        self.write(address, "too many handshakes", "it was ignored");
    }

    /// A connection was refused unseen because this node drains.
    pub(crate) fn draining(&self, address: SocketAddr) {
        raise(&self.draining);
        self.write(address, "draining", "this node takes no new connections");
    }

    /// A connection was refused unseen because of its address.
    pub(crate) fn visitor(&self, address: SocketAddr, crowded: Crowded) {
        raise(&self.visitor);
        self.write(address, crowded.name(), "it may come back later");
    }

    /// A handshake or an introduction failed.
    pub(crate) fn failed(&self, address: SocketAddr, error: &DialError) {
        let (count, reason) = match error {
            DialError::Certificate { reason, .. } => (&self.certificate, reason.name()),
            DialError::Refused { code, .. } => (&self.hello, introduction(*code)),
            DialError::Slow { step, .. } => (&self.slow, *step),
            DialError::Handshake { source, .. } => (&self.handshake, disagreement(source)),
            _ => (&self.handshake, "went away"),
        };
        if reason != MISTAKEN {
            raise(count);
        }
        self.write(address, reason, error);
    }

    /// How many there were so far.
    pub(crate) fn counts(&self) -> Refusals {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Refusals {
            crowded: read(&self.crowded),
            draining: read(&self.draining),
            visitor: read(&self.visitor),
            handshake: read(&self.handshake),
            certificate: read(&self.certificate),
            hello: read(&self.hello),
            slow: read(&self.slow),
        }
    }

    fn write(&self, address: SocketAddr, reason: &'static str, detail: impl std::fmt::Display) {
        if reason == ITSELF {
            // Common: a name that all nodes share leads to this one as well.
            tracing::debug!(%address, "this node reached itself");
        } else if reason == MISTAKEN {
            // Ordinary after a restart: the news of it was slower than a call.
            tracing::debug!(%address, %detail, "this node was taken for another life of it");
        } else if let Some(left_out) = self.lines.admit(reason, Instant::now()) {
            tracing::warn!(%address, reason, %detail, left_out, "a connection was refused");
        }
    }
}

fn raise(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// What was wrong with a hello.
fn introduction(code: CloseCode) -> &'static str {
    match code {
        CloseCode::BadHello => "bad hello",
        CloseCode::Protocol => "another protocol version",
        CloseCode::Cluster => "another cluster",
        CloseCode::Itself => ITSELF,
        CloseCode::Impostor => "impostor",
        CloseCode::Duplicate => "duplicate node id",
        CloseCode::Mistaken => MISTAKEN,
        _ => "the other end refused",
    }
}

/// What QUIC or TLS could not agree on.
fn disagreement(error: &ConnectionError) -> &'static str {
    let code = match error {
        ConnectionError::TransportError(error) => error.code,
        ConnectionError::ConnectionClosed(_) | ConnectionError::ApplicationClosed(_) => {
            return "the other end refused";
        }
        ConnectionError::VersionMismatch => return "another QUIC version",
        ConnectionError::TimedOut => return "handshake",
        _ => return "went away",
    };
    match u64::from(code) {
        NO_CERTIFICATE => "no certificate",
        NO_PROTOCOL => "another protocol",
        NO_TLS_VERSION => "another TLS version",
        _ => "no agreement",
    }
}

const ITSELF: &str = "this very node";
const MISTAKEN: &str = "taken for another";

/// Alerts of TLS (RFC 8446 §6), as QUIC carries them (RFC 9001 §4.8).
const NO_TLS_VERSION: u64 = 0x100 + 70;
const NO_CERTIFICATE: u64 = 0x100 + 116;
const NO_PROTOCOL: u64 = 0x100 + 120;
