//! The exchange of hellos, as both ends see it (PROTOCOL.md, *Hello*).
//!
//! A dialler that knows enough of the other end by hearsay, or by its certificate, does not wait for the
//! answer: its calls follow its hello. It says what it goes by, so that the other end serves them only if
//! that is true.

use std::sync::Arc;

use bytes::BytesMut;
use quinn::{Connection, SendStream};
use rustls::pki_types::CertificateDer;

use super::{DialError, Refusal, in_time};
use crate::{
    catalogues::Catalogues,
    close::CloseCode,
    control::{Control, ControlReader, hello_frame},
    counters::Counters,
    identity::{self, Identity},
    lane::is_far,
    limits::Limits,
    link::Introduction,
    name::{NodeId, Region},
    service::Hearsay,
    tie_break::Standing,
    wire::{Catalogue, Greeting, Hello, View},
};

/// What this node brings to a handshake.
#[derive(Clone, Copy)]
pub(crate) struct Ours<'a> {
    pub(crate) identity: &'a Identity,
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
    /// It goes by what is said of that node until it hears from it.
    Early(Presumed),
    /// It goes by the other end's certificate, if that says enough and is worth it.
    OnSight(Option<Hearsay>),
}

impl Manner {
    /// What the other end is said to serve.
    fn catalogue(&self) -> Option<[u8; 16]> {
        match self {
            Self::Patient(said) | Self::OnSight(said) => said.as_ref().map(|said| said.catalogue),
            Self::Early(presumed) => Some(presumed.catalogue.digest()),
        }
    }
}

/// What a node is taken for.
#[derive(Clone, Debug)]
pub(crate) struct Presumed {
    node: NodeId,
    incarnation: u64,
    region: Region,
    view: View,
    catalogue: Arc<Catalogue>,
}

impl Presumed {
    /// `None` if too little is said.
    pub(crate) fn of(node: NodeId, said: Hearsay, catalogue: Arc<Catalogue>) -> Option<Self> {
        Some(Self {
            node,
            incarnation: said.incarnation?,
            region: said.region,
            view: said.view,
            catalogue,
        })
    }

    /// The life and the region that the other end must have.
    fn takes_for(&self) -> (u64, Region) {
        (self.incarnation, self.region.clone())
    }

    /// What its hello would say.
    fn hello(self, ours: &Hello) -> Hello {
        Hello {
            protocol: ours.protocol.clone(),
            cluster: ours.cluster.clone(),
            node: self.node,
            incarnation: self.incarnation,
            region: self.region,
            view: self.view,
            build: String::new(),
            advertise: None,
            dial: 0,
            message_size: u64::MAX,
            draining: false,
            observer: false,
            catalogue: self.catalogue,
        }
    }
}

impl Ours<'_> {
    /// The dialler's part: it opens the control stream, says hello at once, and reads the answer, or
    /// leaves that to the link.
    pub(super) async fn introduce(
        self,
        connection: &Connection,
        manner: Manner,
    ) -> Result<Introduction, Refusal> {
        let (certified, chain) = certified_node(connection)?;
        let own = &self.hello.catalogue;
        let leaves_out = manner.catalogue() == Some(own.digest());
        let presumed = match manner {
            Manner::Patient(_) => None,
            Manner::Early(presumed) => Some(presumed),
            Manner::OnSight(said) => self.presume(connection, &certified, &chain, said.as_ref()),
        };
        let (mut send, recv) = connection.open_bi().await?;
        let known = self.catalogues.commonest(own);
        let greeting = Greeting {
            known: known.iter().map(|known| known.digest()).collect(),
            leaves_out,
            takes_for: presumed.as_ref().map(Presumed::takes_for),
            ..self.hello.clone().into()
        };
        say(&mut send, hello_frame(&greeting)).await?;
        let mut control = ControlReader::new(recv, self.limits).counting(self.counters);
        let unheard = Unheard {
            ours: self.hello.clone(),
            certified,
            known,
            untold: greeting.leaves_out,
            taken_for: greeting.takes_for,
        };
        let (hello, unheard) = match presumed {
            Some(presumed) => (presumed.hello(self.hello), Some(unheard)),
            None => {
                let heard = unheard.hear(&mut control).await?;
                if let Some(untold) = heard.untold {
                    say(&mut send, untold.encode()).await?;
                }
                (heard.hello, None)
            }
        };
        let by_us = (self.hello.node.clone(), self.hello.dial);
        Ok(self.introduction(connection, (send, control), hello, by_us, unheard))
    }

    /// What the other end can be taken for by its certificate, and by what is said of that life. Near, its
    /// hello is as good as there, on this very machine however long it takes; and who only looks wants to see
    /// what is true.
    fn presume(
        self,
        connection: &Connection,
        certified: &NodeId,
        chain: &[CertificateDer<'_>],
        said: Option<&Hearsay>,
    ) -> Option<Presumed> {
        let address = connection.remote_address().ip().to_canonical();
        let is_near = address.is_loopback() || !is_far(connection.rtt());
        if is_near || self.hello.observer || *certified == self.hello.node {
            return None;
        }
        let life = self.identity.life_of(certified, chain)?;
        let said = said.filter(|said| said.incarnation == Some(life.incarnation));
        let catalogue = match said {
            Some(said) => self.catalogues.find(&said.catalogue)?,
            // It is taken to be of this node's build: one that is not says so when it is called.
            None => Arc::clone(&self.hello.catalogue),
        };
        Some(Presumed {
            node: certified.clone(),
            incarnation: life.incarnation,
            region: life.region,
            view: View::configured(&self.hello.view.region),
            catalogue,
        })
    }

    /// The other end's part: it answers when it has read the dialler's hello.
    pub(super) async fn welcome(self, connection: &Connection) -> Result<Introduction, Refusal> {
        let (certified, _) = certified_node(connection)?;
        let (mut send, recv) = connection.accept_bi().await?;
        let mut control = ControlReader::new(recv, self.limits).counting(self.counters);
        let mut theirs = control.hello().await?;
        check(self.hello, &theirs.hello, &certified)?;
        if is_another(theirs.takes_for.as_ref(), self.hello) {
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
            told: self.hello.clone(),
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
    /// The life and the region that the other end must have, if calls do not wait for its hello.
    taken_for: Option<(u64, Region)>,
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
        let hello = &theirs.hello;
        if is_another(self.taken_for.as_ref(), hello) {
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

/// True if a node that says this hello was taken for another one.
fn is_another(taken_for: Option<&(u64, Region)>, hello: &Hello) -> bool {
    taken_for.is_some_and(|(incarnation, region)| {
        (*incarnation, region) != (hello.incarnation, &hello.region)
    })
}

async fn say(stream: &mut SendStream, message: BytesMut) -> Result<(), Refusal> {
    let said = stream.write_chunk(message.freeze()).await;
    said.map_err(|_| Refusal::Ended)
}

/// Who the other end is, and the certificates that say so.
fn certified_node(
    connection: &Connection,
) -> Result<(NodeId, Vec<CertificateDer<'static>>), Refusal> {
    let impostor = |reason: String| Refusal::Here(CloseCode::Impostor, reason);
    let chain = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok())
        .ok_or_else(|| impostor("the peer has no certificate".into()))?;
    let node = identity::peer_node_id(&chain).map_err(|error| impostor(error.to_string()))?;
    Ok((node, *chain))
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

/// Bytes of arguments that a call behind the hello may have: who accepts less does not let on that its hello
/// need not be waited for. What is longer takes several round trips on a fresh connection anyway
/// (RFC 9002, §7.2).
pub const EARLY: usize = 8 * 1024;
