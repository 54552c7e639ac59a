//! From a UDP address to an introduced peer: QUIC, TLS, then hello both ways.
//!
//! Both directions end with the same checks, so a connection that exists has been accepted by both
//! ends: same cluster, a protocol version in common, the node id of the certificate, and not this
//! very node.

use std::{net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use quinn::{
    ClientConfig, Connecting, Connection, ConnectionError, Incoming, SendStream, ServerConfig,
    TransportErrorCode,
};
use tokio::time::timeout;

use crate::{
    catalogues::Catalogues,
    close::CloseCode,
    control::{Control, ControlError, ControlReader, hello_frame},
    counters::Counters,
    identity::{self, CertificateRefused, KeptReason},
    limits::Limits,
    link::Introduction,
    name::NodeId,
    reactor::Reactor,
    service::Hearsay,
    tie_break::Standing,
    tls::SERVER_NAME,
    wire::{Greeting, Hello, HelloError},
};

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
                source: ConnectionError::ConnectionClosed(close),
                ..
            } => close.error_code != TransportErrorCode::CONNECTION_REFUSED,
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

/// What this node brings to a handshake.
#[derive(Clone, Copy)]
pub(crate) struct Ours<'a> {
    pub(crate) hello: &'a Hello,
    pub(crate) limits: &'a Limits,
    pub(crate) counters: &'a Arc<Counters>,
    pub(crate) catalogues: &'a Arc<Catalogues>,
}

/// Dials and introduces this node; `reactor` drives the connection.
pub(crate) async fn dial(
    endpoint: &quinn::Endpoint,
    reactor: &Reactor,
    (config, refusal): (ClientConfig, KeptReason),
    address: SocketAddr,
    ours: Ours<'_>,
    said: Option<&Hearsay>,
) -> Result<Introduction, DialError> {
    let connecting = reactor
        .adopt(|| endpoint.connect_with(config, address, SERVER_NAME))
        .map_err(|error| DialError::Address {
            address,
            reason: error.to_string(),
        })?;
    let met = async {
        let connection = handshake(connecting, address, ours.limits).await?;
        let introduced = ours.introduce(&connection, said);
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
async fn in_time(
    hellos: impl Future<Output = Result<Introduction, Refusal>>,
    connection: &Connection,
    address: SocketAddr,
    limits: &Limits,
) -> Result<Introduction, DialError> {
    match timeout(limits.hello_timeout, hellos).await {
        Ok(Ok(introduction)) => Ok(introduction),
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

impl Ours<'_> {
    /// The dialler's part: it opens the control stream, says hello at once, and reads the answer.
    async fn introduce(
        self,
        connection: &Connection,
        said: Option<&Hearsay>,
    ) -> Result<Introduction, Refusal> {
        let certified = certified_node(connection)?;
        let (mut send, recv) = connection.open_bi().await?;
        let own = &self.hello.catalogue;
        // Held until the answer has come, which may name any of them.
        let known = self.catalogues.commonest(own);
        let leaves_out = said.is_some_and(|said| said.catalogue == own.digest());
        let greeting = Greeting {
            known: known.iter().map(|known| known.digest()).collect(),
            leaves_out,
            ..self.hello.clone().into()
        };
        say(&mut send, hello_frame(&greeting)).await?;
        let mut control = ControlReader::new(recv, self.limits).counting(self.counters);
        let mut theirs = control.hello().await?;
        check(self.hello, &theirs.hello, &certified)?;
        // A build without digests took it for a node that serves nothing.
        if leaves_out && (theirs.asks || theirs.known.is_empty()) {
            say(&mut send, Control::Catalogue(Arc::clone(own)).encode()).await?;
        }
        if theirs.leaves_out {
            let named = theirs.known.first();
            let named = known
                .into_iter()
                .find(|known| Some(&known.digest()) == named);
            theirs.hello.catalogue = named.ok_or_else(|| {
                let reason = "it names a catalogue that it was not told of".into();
                Refusal::Here(CloseCode::BadHello, reason)
            })?;
        }
        let standing = Standing {
            incarnation: theirs.hello.incarnation,
            dialler: self.hello.node.clone(),
            dial: self.hello.dial,
        };
        Ok(self.introduction(connection, send, control, theirs.hello, standing))
    }

    /// The other end's part: it answers when it has read the dialler's hello.
    async fn welcome(self, connection: &Connection) -> Result<Introduction, Refusal> {
        let certified = certified_node(connection)?;
        let (mut send, recv) = connection.accept_bi().await?;
        let mut control = ControlReader::new(recv, self.limits).counting(self.counters);
        let mut theirs = control.hello().await?;
        check(self.hello, &theirs.hello, &certified)?;
        let served = match theirs.known.first() {
            Some(digest) if theirs.leaves_out => self.catalogues.find(digest),
            _ => Some(Arc::clone(&theirs.hello.catalogue)),
        };
        let own = self.hello.catalogue.digest();
        let greeting = Greeting {
            known: vec![own],
            leaves_out: theirs.known.contains(&own),
            asks: served.is_none(),
            ..self.hello.clone().into()
        };
        say(&mut send, hello_frame(&greeting)).await?;
        theirs.hello.catalogue = match served {
            Some(catalogue) => catalogue,
            None => control.catalogue().await?,
        };
        let standing = Standing {
            incarnation: theirs.hello.incarnation,
            dialler: theirs.hello.node.clone(),
            dial: theirs.hello.dial,
        };
        Ok(self.introduction(connection, send, control, theirs.hello, standing))
    }

    fn introduction(
        self,
        connection: &Connection,
        send: SendStream,
        control: ControlReader,
        mut hello: Hello,
        standing: Standing,
    ) -> Introduction {
        hello.catalogue = self.catalogues.keep(hello.catalogue);
        Introduction {
            connection: connection.clone(),
            send,
            control,
            dialled: standing.dialler == self.hello.node,
            hello,
            standing,
            told: self.hello.view.clone(),
            counters: Arc::clone(self.counters),
            catalogues: Arc::clone(self.catalogues),
        }
    }
}

async fn say(stream: &mut SendStream, message: BytesMut) -> Result<(), Refusal> {
    let said = stream.write_chunk(message.freeze()).await;
    said.map_err(|_| Refusal::Ended)
}

fn certified_node(connection: &Connection) -> Result<NodeId, Refusal> {
    let impostor = |reason: String| Refusal::Here(CloseCode::Impostor, reason);
    let certificates = connection
        .peer_identity()
        .and_then(|identity| {
            identity
                .downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>()
                .ok()
        })
        .ok_or_else(|| impostor("the peer has no certificate".into()))?;
    identity::peer_node_id(&certificates).map_err(|error| impostor(error.to_string()))
}

fn check(ours: &Hello, theirs: &Hello, certified: &NodeId) -> Result<(), Refusal> {
    let refuse = |code, reason: String| Err(Refusal::Here(code, reason));
    if theirs.node != *certified {
        return refuse(
            CloseCode::Impostor,
            format!(
                "it calls itself {}, its certificate says {certified}",
                theirs.node
            ),
        );
    }
    if theirs.cluster != ours.cluster {
        return refuse(
            CloseCode::Cluster,
            format!(
                "{} belongs to cluster {:?}, this node to {:?}",
                theirs.node, theirs.cluster, ours.cluster
            ),
        );
    }
    if theirs.node == ours.node {
        return if theirs.incarnation == ours.incarnation {
            refuse(CloseCode::Itself, "this node reached itself".into())
        } else {
            refuse(
                CloseCode::Duplicate,
                format!("another running node has this node's id, {}", ours.node),
            )
        };
    }
    Ok(())
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
                Some(ConnectionError::ApplicationClosed(close))
                    if CloseCode::from_number(close.error_code.into_inner()).is_some() =>
                {
                    let code = CloseCode::from_number(close.error_code.into_inner())
                        .unwrap_or(CloseCode::Shutdown);
                    DialError::Refused {
                        code,
                        reason: format!("{address} {}", what_the_peer_said(code)),
                    }
                }
                // TLS 1.3 lets the dialler finish before its own certificate was judged: a refusal
                // of it arrives here.
                Some(source @ ConnectionError::ConnectionClosed(_)) => {
                    DialError::Handshake { address, source }
                }
                Some(source) => DialError::Closed { address, source },
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

fn what_the_peer_said(code: CloseCode) -> &'static str {
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
        CloseCode::Slow => "waited too long for this node to go on",
    }
}
