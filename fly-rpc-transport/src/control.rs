//! The control stream of a connection: hello first, then news, for as long as the connection lives.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use quinn::{RecvStream, SendStream};
use tokio::sync::mpsc;

use crate::{
    counters::Counters,
    limits::Limits,
    wire::{
        Assembler, Catalogue, Frame, FrameError, FrameKind, Greeting, HelloError, Malformed,
        Reader, View, begin_frame, finish_frame, put_varint,
    },
};

/// What one node tells another after the hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// The catalogue is now this one.
    Catalogue(Arc<Catalogue>),
    /// No new calls, please; so many were accepted so far. What is in flight is still answered.
    Draining { accepted: u64 },
    /// Move your calls to the other connection between us.
    Retire,
    /// I have no calls left on this connection and will make no more.
    Done,
    /// Answer with the same number.
    Ping(u64),
    /// The answer to a ping.
    Pong(u64),
    /// My view is now this one.
    View(View),
    /// What the layer above has to tell of the cluster.
    Gossip(Bytes),
}

impl Control {
    pub(crate) fn encode(&self) -> BytesMut {
        let mut out = BytesMut::new();
        let start = begin_frame(&mut out, self.kind());
        match self {
            Self::Catalogue(catalogue) => out.extend_from_slice(&catalogue.encode()),
            Self::Draining { accepted: number } | Self::Ping(number) | Self::Pong(number) => {
                put_varint(&mut out, *number)
            }
            Self::View(view) => out.extend_from_slice(&view.encode()),
            Self::Gossip(body) => out.extend_from_slice(body),
            Self::Retire | Self::Done => {}
        }
        finish_frame(&mut out, start, 0);
        out
    }

    /// `None` for kinds that a newer peer sends or that do not belong here: they are skipped.
    pub(crate) fn decode(frame: Frame) -> Result<Option<Self>, Malformed> {
        let number = |body: Bytes| Reader::new(body).varint();
        Ok(Some(match frame.kind {
            Some(FrameKind::Catalogue) => Self::Catalogue(Arc::new(Catalogue::decode(frame.body)?)),
            Some(FrameKind::Draining) => Self::Draining {
                accepted: number(frame.body)?,
            },
            Some(FrameKind::Retire) => Self::Retire,
            Some(FrameKind::Done) => Self::Done,
            Some(FrameKind::Ping) => Self::Ping(number(frame.body)?),
            Some(FrameKind::Pong) => Self::Pong(number(frame.body)?),
            Some(FrameKind::View) => Self::View(View::decode(frame.body)?),
            Some(FrameKind::Gossip) => Self::Gossip(frame.body),
            _ => return Ok(None),
        }))
    }

    fn kind(&self) -> FrameKind {
        match self {
            Self::Catalogue(_) => FrameKind::Catalogue,
            Self::Draining { .. } => FrameKind::Draining,
            Self::Retire => FrameKind::Retire,
            Self::Done => FrameKind::Done,
            Self::Ping(_) => FrameKind::Ping,
            Self::Pong(_) => FrameKind::Pong,
            Self::View(_) => FrameKind::View,
            Self::Gossip(_) => FrameKind::Gossip,
        }
    }
}

/// The reading half.
#[derive(Debug)]
pub(crate) struct ControlReader {
    stream: RecvStream,
    assembler: Assembler,
    /// Bytes of a message that is neither a hello, nor a catalogue, nor gossip.
    small: usize,
}

/// Why the control stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    #[error("the connection ended")]
    Ended,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Hello(#[from] HelloError),
    #[error("the first message is not a hello")]
    NoHello,
    #[error("the catalogue that was asked for does not come")]
    NoCatalogue,
}

impl ControlReader {
    pub(crate) fn new(stream: RecvStream, limits: &Limits) -> Self {
        Self {
            stream,
            assembler: Assembler::new(limits.hello_size),
            small: limits.control_size,
        }
    }

    /// Counts its frames there.
    pub(crate) fn counting(mut self, counters: &Arc<Counters>) -> Self {
        self.assembler = self.assembler.counting(counters);
        self
    }

    /// The peer's hello, which must come first.
    pub(crate) async fn hello(&mut self) -> Result<Greeting, ControlError> {
        let frame = self.frame().await?;
        if frame.kind != Some(FrameKind::Hello) {
            return Err(ControlError::NoHello);
        }
        Ok(Greeting::decode(frame.body)?)
    }

    /// The catalogue that the peer was asked for, which must come next.
    pub(crate) async fn catalogue(&mut self) -> Result<Arc<Catalogue>, ControlError> {
        match self.next().await? {
            Control::Catalogue(catalogue) => Ok(catalogue),
            _ => Err(ControlError::NoCatalogue),
        }
    }

    /// The next message that this build understands.
    pub(crate) async fn next(&mut self) -> Result<Control, ControlError> {
        loop {
            if let Some(control) = Control::decode(self.frame().await?)? {
                return Ok(control);
            }
        }
    }

    async fn frame(&mut self) -> Result<Frame, ControlError> {
        loop {
            if let Some(frame) = self.assembler.next()? {
                let limit = match frame.kind {
                    Some(FrameKind::Hello | FrameKind::Catalogue) => usize::MAX,
                    Some(FrameKind::Gossip) => GOSSIP,
                    _ => self.small,
                };
                let size = frame.body.len();
                if size > limit {
                    return Err(FrameError::TooLarge { size, limit }.into());
                }
                return Ok(frame);
            }
            match self.stream.read_chunk(usize::MAX, true).await {
                Ok(Some(chunk)) => self.assembler.push(chunk.bytes),
                Ok(None) | Err(_) => return Err(ControlError::Ended),
            }
        }
    }
}

/// The writing half, shared by whoever has news.
#[derive(Clone, Debug)]
pub(crate) struct ControlSender {
    queue: mpsc::Sender<BytesMut>,
}

impl ControlSender {
    /// Queues a message. A pong is dropped when the queue is full: a peer that pings faster than it
    /// reads gets fewer answers, not more of our memory.
    pub(crate) fn send(&self, control: &Control) {
        let bytes = control.encode();
        if let Err(mpsc::error::TrySendError::Full(bytes)) = self.queue.try_send(bytes)
            && !matches!(control, Control::Pong(_) | Control::Ping(_))
        {
            let queue = self.queue.clone();
            // Few and rare: each kind is sent at most a handful of times in the life of a
            // connection.
            tokio::spawn(async move {
                let _ = queue.send(bytes).await;
            });
        }
    }

    /// Queues a message if there is room; false if there is none.
    pub(crate) fn send_now(&self, control: &Control) -> bool {
        // A connection that is gone has as good as heard it.
        let queued = self.queue.try_send(control.encode());
        !matches!(queued, Err(mpsc::error::TrySendError::Full(_)))
    }

    /// Queues a message once there is room.
    ///
    /// # Cancel safety
    /// The message is queued as a whole or not at all.
    pub(crate) async fn send_with_room(&self, control: &Control) {
        // Fails when the connection is gone, and then nobody is left to be told.
        let _ = self.queue.send(control.encode()).await;
    }
}

/// The queue and the task that writes it to the stream.
pub(crate) fn control_writer(mut stream: SendStream) -> (ControlSender, impl Future<Output = ()>) {
    let (queue, mut messages) = mpsc::channel::<BytesMut>(QUEUE);
    let write = async move {
        while let Some(message) = messages.recv().await {
            if stream.write_chunk(message.freeze()).await.is_err() {
                return;
            }
        }
    };
    (ControlSender { queue }, write)
}

/// The frame of a hello.
pub(crate) fn hello_frame(greeting: &Greeting) -> BytesMut {
    let mut out = BytesMut::new();
    let start = begin_frame(&mut out, FrameKind::Hello);
    out.extend_from_slice(&greeting.encode());
    finish_frame(&mut out, start, 0);
    out
}

/// Messages waiting for a slow peer.
const QUEUE: usize = 32;
/// Bytes of a message of gossip. What is longer is told in several: builds that do not know the kind
/// skip it, if it is no longer than a control message may be by default.
pub(crate) const GOSSIP: usize = 4 * 1024 - 1;
