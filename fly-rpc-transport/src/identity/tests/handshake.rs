//! One handshake of QUIC's TLS between two configurations, in memory.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::quic::{ClientConnection, Connection, ServerConnection, Version};
use rustls::time_provider::TimeProvider;
use rustls::{AlertDescription, ClientConfig, Error, ServerConfig, Side};

use crate::identity::{CertificateRefused, Identity, peer_node_id};
use crate::name::NodeId;
use crate::tls::{SERVER_NAME, client_config, server_config};

/// What the two ends know of each other after a handshake.
#[derive(Debug)]
pub(super) struct Introduced {
    pub(super) client_saw: NodeId,
    pub(super) server_saw: NodeId,
}

/// Which end ended a handshake, why, and what it told the other one.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) by: Side,
    pub(super) error: Error,
    pub(super) alert: Option<AlertDescription>,
}

impl Failed {
    /// The named reason, after checking that the other end is told none.
    pub(super) fn reason(&self) -> &CertificateRefused {
        assert_eq!(self.alert, Some(AlertDescription::CertificateUnknown));
        CertificateRefused::in_error(&self.error).expect("not refused for its certificate")
    }
}

/// Both ends as they are in production; the client dials whoever is there.
pub(super) fn meet(client: &Identity, server: &Identity) -> Result<Introduced, Failed> {
    shake_hands(client_config(client, None), server_config(server))
}

/// Runs a handshake to its end.
pub(super) fn shake_hands(
    client: ClientConfig,
    server: ServerConfig,
) -> Result<Introduced, Failed> {
    let mut ends = Ends::new(client, server);
    while ends.turn()? {}
    let saw = |end: &Connection| {
        assert!(!end.is_handshaking());
        assert_eq!(end.alpn_protocol(), Some(crate::tls::ALPN));
        let chain: &[CertificateDer<'_>] =
            end.peer_certificates().expect("certificates of both ends");
        peer_node_id(chain).expect("the name was verified")
    };
    Ok(Introduced {
        client_saw: saw(&ends.client),
        server_saw: saw(&ends.server),
    })
}

/// Both ends of a handshake, and what goes between them.
pub(super) struct Ends {
    pub(super) client: Connection,
    pub(super) server: Connection,
}

impl Ends {
    pub(super) fn new(client: ClientConfig, server: ServerConfig) -> Self {
        let name = ServerName::try_from(SERVER_NAME).unwrap();
        let client = ClientConnection::new(Arc::new(client), Version::V1, name, vec![]).unwrap();
        let server = ServerConnection::new(Arc::new(server), Version::V1, vec![]).unwrap();
        Self {
            client: client.into(),
            server: server.into(),
        }
    }

    /// Lets each end say one thing to the other. `false` when neither has anything to say.
    pub(super) fn turn(&mut self) -> Result<bool, Failed> {
        let to_server = deliver(&mut self.client, &mut self.server, Side::Server)?;
        let to_client = deliver(&mut self.server, &mut self.client, Side::Client)?;
        Ok(to_server || to_client)
    }
}

fn deliver(from: &mut Connection, to: &mut Connection, receiver: Side) -> Result<bool, Failed> {
    let mut message = Vec::new();
    let key_change = from.write_hs(&mut message);
    if !message.is_empty() {
        to.read_hs(&message).map_err(|error| Failed {
            by: receiver,
            error,
            alert: to.alert(),
        })?;
    }
    Ok(key_change.is_some() || !message.is_empty())
}

/// A clock that stands still.
#[derive(Debug)]
pub(super) struct At(pub(super) UnixTime);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}
