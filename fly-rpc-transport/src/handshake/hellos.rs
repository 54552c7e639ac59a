//! The exchange of hellos, as both ends see it (PROTOCOL.md, *Hello*).
//!
//! A dialler that knows enough of the other end by hearsay does not wait for the answer: its calls
//! follow its hello. It says what it goes by, so that the other end serves them only if that is true.

use std::sync::Arc;

use bytes::BytesMut;
use quinn::{Connection, SendStream};

use super::{DialError, Refusal, in_time};
use crate::{
    catalogues::Catalogues,
    close::CloseCode,
    control::{Control, ControlReader, hello_frame},
    counters::Counters,
    identity,
    limits::Limits,
    link::Introduction,
    name::NodeId,
    service::Hearsay,
    tie_break::Standing,
    wire::{Catalogue, Greeting, Hello},
};

/// What this node brings to a handshake.
#[derive(Clone, Copy)]
pub(crate) struct Ours<'a> {
    pub(crate) hello: &'a Hello,
    pub(crate) limits: &'a Limits,
    pub(crate) counters: &'a Arc<Counters>,
    pub(crate) catalogues: &'a Arc<Catalogues>,
}

/// How a dialler introduces this node.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// It waits for the other end's hello.
    Patient(Option<Hearsay>),
    /// It goes by what is said of that node, whose catalogue this is, until it hears from it.
    Early(NodeId, Hearsay, Arc<Catalogue>),
}

impl Ours<'_> {
    /// The dialler's part: it opens the control stream, says hello at once, and reads the answer, or
    /// leaves that to the link.
    pub(super) async fn introduce(
        self,
        connection: &Connection,
        manner: Manner,
    ) -> Result<Introduction, Refusal> {
        let certified = certified_node(connection)?;
        let (mut send, recv) = connection.open_bi().await?;
        let (said, takes_for) = match &manner {
            Manner::Patient(said) => (said.as_ref(), None),
            Manner::Early(_, said, _) => {
                let taken_for = (said.incarnation, said.region.clone());
                (Some(said), Some(taken_for))
            }
        };
        let own = &self.hello.catalogue;
        let known = self.catalogues.commonest(own);
        let leaves_out = said.is_some_and(|said| said.catalogue == own.digest());
        let greeting = Greeting {
            known: known.iter().map(|known| known.digest()).collect(),
            leaves_out,
            takes_for,
            ..self.hello.clone().into()
        };
        say(&mut send, hello_frame(&greeting)).await?;
        let mut control = ControlReader::new(recv, self.limits).counting(self.counters);
        let mut unheard = Unheard {
            ours: self.hello.clone(),
            certified,
            known,
            untold: leaves_out,
            said: None,
        };
        let by_us = (self.hello.node.clone(), self.hello.dial);
        let hello = match manner {
            Manner::Patient(_) => {
                let heard = unheard.hear(&mut control).await?;
                if let Some(untold) = heard.untold {
                    say(&mut send, untold.encode()).await?;
                }
                return Ok(self.introduction(
                    connection,
                    (send, control),
                    heard.hello,
                    by_us,
                    None,
                ));
            }
            Manner::Early(node, said, catalogue) => {
                let hello = presumed(self.hello, node, &said, catalogue);
                unheard.said = Some(said);
                hello
            }
        };
        Ok(self.introduction(connection, (send, control), hello, by_us, Some(unheard)))
    }

    /// The other end's part: it answers when it has read the dialler's hello.
    pub(super) async fn welcome(self, connection: &Connection) -> Result<Introduction, Refusal> {
        let certified = certified_node(connection)?;
        let (mut send, recv) = connection.accept_bi().await?;
        let mut control = ControlReader::new(recv, self.limits).counting(self.counters);
        let mut theirs = control.hello().await?;
        check(self.hello, &theirs.hello, &certified)?;
        if theirs
            .takes_for
            .as_ref()
            .is_some_and(|(incarnation, region)| {
                (*incarnation, region) != (self.hello.incarnation, &self.hello.region)
            })
        {
            let reason = format!("{} takes this node for another", theirs.hello.node);
            return Err(Refusal::Here(CloseCode::Mistaken, reason));
        }
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
        let by_them = (theirs.hello.node.clone(), theirs.hello.dial);
        Ok(self.introduction(connection, (send, control), theirs.hello, by_them, None))
    }

    /// With who dialled, and the number of that dial.
    fn introduction(
        self,
        connection: &Connection,
        (send, control): (SendStream, ControlReader),
        mut hello: Hello,
        (dialler, dial): (NodeId, u64),
        unheard: Option<Unheard>,
    ) -> Introduction {
        hello.catalogue = self.catalogues.keep(hello.catalogue);
        Introduction {
            connection: connection.clone(),
            send,
            control,
            dialled: dialler == self.hello.node,
            standing: Standing {
                incarnation: hello.incarnation,
                dialler,
                dial,
            },
            hello,
            unheard,
            told: self.hello.view.clone(),
            counters: Arc::clone(self.counters),
            catalogues: Arc::clone(self.catalogues),
        }
    }
}

/// What a dialler that has said hello judges the answer by.
#[derive(Debug)]
pub(crate) struct Unheard {
    ours: Hello,
    certified: NodeId,
    /// What the hello named. The answer may name any of it.
    known: Vec<Arc<Catalogue>>,
    /// True if this node's catalogue was left out.
    untold: bool,
    /// What the other end is taken for, if calls do not wait for its hello.
    said: Option<Hearsay>,
}

/// The answer.
pub(crate) struct Heard {
    pub(crate) hello: Hello,
    /// What was left out of this node's hello and has to be told.
    pub(crate) untold: Option<Control>,
}

impl Unheard {
    /// As [`hear`](Self::hear), in the time that there is. If it fails, the connection is closed.
    pub(crate) async fn hear_in_time(
        self,
        control: &mut ControlReader,
        connection: &Connection,
        limits: &Limits,
    ) -> Result<Heard, DialError> {
        let address = connection.remote_address();
        in_time(self.hear(control), connection, address, limits).await
    }

    async fn hear(self, control: &mut ControlReader) -> Result<Heard, Refusal> {
        let mut theirs = control.hello().await?;
        check(&self.ours, &theirs.hello, &self.certified)?;
        let misled = |reason: &str| Refusal::Here(CloseCode::BadHello, reason.into());
        if self.said.is_some_and(|said| {
            (said.incarnation, &said.region) != (theirs.hello.incarnation, &theirs.hello.region)
        }) {
            return Err(misled(
                "it serves calls that are meant for another life of it",
            ));
        }
        // A build without digests took this node for one that serves nothing.
        let is_untold = self.untold && (theirs.asks || theirs.known.is_empty());
        let untold = is_untold.then(|| Control::Catalogue(Arc::clone(&self.ours.catalogue)));
        if theirs.leaves_out {
            let named = theirs.known.first();
            let mut known = self.known.into_iter();
            theirs.hello.catalogue = known
                .find(|known| Some(&known.digest()) == named)
                .ok_or_else(|| misled("it names a catalogue that it was not told of"))?;
        }
        Ok(Heard {
            hello: theirs.hello,
            untold,
        })
    }
}

/// What the hello of a node would say that is what is said of it.
fn presumed(ours: &Hello, node: NodeId, said: &Hearsay, catalogue: Arc<Catalogue>) -> Hello {
    Hello {
        protocol: ours.protocol.clone(),
        cluster: ours.cluster.clone(),
        node,
        incarnation: said.incarnation,
        region: said.region.clone(),
        view: said.view.clone(),
        build: String::new(),
        advertise: None,
        dial: 0,
        message_size: u64::MAX,
        draining: false,
        observer: false,
        catalogue,
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
