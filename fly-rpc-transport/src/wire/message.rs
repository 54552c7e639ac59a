//! What lanes carry: requests, responses and cancels (PROTOCOL.md, *Lanes*).

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    FrameKind, Malformed, Reader, Status, begin_frame, finish_frame, head::Head, put_varint,
};

/// The part of a request that the transport reads and the caller fills in. The arguments follow it.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The function's name: one half of its identity. At most 255 bytes.
    pub function: &'a str,
    /// The function's version: the other half.
    pub version: u32,
    /// Fingerprint of the contract that the arguments were encoded with.
    pub contract: [u8; 16],
    /// W3C trace context in binary form: version, trace id, parent id, flags.
    pub trace: Option<[u8; TRACE]>,
    /// True if the call is meant for the primary, wherever that is.
    pub for_primary: bool,
}

impl RequestHead<'_> {
    /// Writes the head of a request frame whose `arguments` bytes will follow.
    pub(crate) fn put(&self, out: &mut BytesMut, call: u64, remaining: Duration, arguments: usize) {
        let mut head = Head::<LONGEST_REQUEST>::new(FrameKind::Request);
        head.varint(call);
        let traced = if self.trace.is_some() { FLAG_TRACE } else { 0 };
        let placed = if self.for_primary {
            FLAG_FOR_PRIMARY
        } else {
            0
        };
        head.byte(traced | placed);
        head.varint(u64::try_from(remaining.as_micros()).unwrap_or(u64::MAX));
        let name = self.function.as_bytes();
        head.byte(
            u8::try_from(name.len())
                .expect("names are at most 128 bytes, checked when they are registered"),
        );
        head.slice(name);
        head.varint(u64::from(self.version));
        head.slice(&self.contract);
        if let Some(trace) = &self.trace {
            head.slice(trace);
        }
        head.put(out, arguments);
    }
}

/// Encoded arguments as they are sent: a few bytes that are copied, and those behind them, which are not if they
/// are many.
#[derive(Clone, Copy, Debug)]
pub struct RequestBody<'a> {
    /// What comes first; most have nothing.
    pub prefix: &'a [u8],
    /// The rest.
    pub rest: &'a Bytes,
}

impl RequestBody<'_> {
    /// Bytes of both.
    pub(crate) fn size(&self) -> usize {
        self.prefix.len() + self.rest.len()
    }
}

impl<'a> From<&'a Bytes> for RequestBody<'a> {
    fn from(rest: &'a Bytes) -> Self {
        Self { prefix: &[], rest }
    }
}

/// A request as it came from a peer: every field checked for form, none for meaning.
#[derive(Clone, Debug)]
pub struct Request {
    /// The call's id on its lane.
    pub(crate) call: u64,
    function: Bytes,
    /// The version that is asked for.
    pub version: u32,
    /// Fingerprint of the contract that the arguments were encoded with.
    pub contract: [u8; 16],
    /// What was left of the caller's deadline when the request was about to be queued.
    pub remaining: Duration,
    /// W3C trace context in binary form, if the caller sent one.
    pub trace: Option<[u8; TRACE]>,
    /// True if the caller means the primary: a node elsewhere refuses. Older callers do not say.
    pub for_primary: bool,
    /// The encoded arguments.
    pub arguments: Bytes,
    /// When its turn came to be served, as far as that is known.
    pub(crate) arrived: Option<Instant>,
}

/// Which call of its lane a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallId(u64);

impl CallId {
    /// Starts the answer to its request.
    pub fn respond(self, status: Status) -> ResponseFrame {
        ResponseFrame::new(self.0, status)
    }
}

impl Request {
    /// Reads a request. An error still tells the call's id when that much could be read, so that
    /// the caller can be answered.
    pub(crate) fn decode(body: Bytes) -> Result<Self, (Option<u64>, Malformed)> {
        let mut reader = Reader::new(body);
        let call = reader.varint().map_err(|error| (None, error))?;
        Self::decode_rest(call, reader).map_err(|error| (Some(call), error))
    }

    fn decode_rest(call: u64, mut reader: Reader) -> Result<Self, Malformed> {
        let flags = reader.byte()?;
        if flags & FLAGS_CRITICAL & !FLAG_TRACE != 0 {
            return Err(Malformed("request: a flag that must be understood is not"));
        }
        let remaining = Duration::from_micros(reader.varint()?);
        let length = usize::from(reader.byte()?);
        let function = reader.take(length)?;
        std::str::from_utf8(&function).map_err(|_| Malformed("function name: not UTF-8"))?;
        let version = reader.varint_u32()?;
        let contract = reader.array()?;
        let trace = if flags & FLAG_TRACE == 0 {
            None
        } else {
            Some(reader.array()?)
        };
        Ok(Self {
            call,
            function,
            version,
            contract,
            remaining,
            trace,
            for_primary: flags & FLAG_FOR_PRIMARY != 0,
            arguments: reader.into_rest(),
            arrived: None,
        })
    }

    /// The name of the function that is asked for.
    pub fn function(&self) -> &str {
        std::str::from_utf8(&self.function).unwrap_or_default()
    }

    /// The name, to be kept.
    pub(crate) fn function_bytes(&self) -> Bytes {
        self.function.clone()
    }

    /// When its turn came to be served, if that is known: what is left of its deadline counts from there.
    pub fn arrived(&self) -> Option<Instant> {
        self.arrived
    }

    /// Starts the answer to this request.
    pub fn respond(&self, status: Status) -> ResponseFrame {
        self.id().respond(status)
    }

    /// What its answer has to name.
    pub fn id(&self) -> CallId {
        CallId(self.call)
    }
}

/// An answer being written: how the call ended, then whatever [`body`](Self::body) is given.
#[derive(Debug)]
pub struct ResponseFrame {
    call: u64,
    status: Status,
    body: BytesMut,
    /// What follows `body` and is not copied.
    rest: Bytes,
}

impl ResponseFrame {
    pub(crate) fn new(call: u64, status: Status) -> Self {
        Self {
            call,
            status,
            body: BytesMut::new(),
            rest: Bytes::new(),
        }
    }

    /// Where the value, or the detail of a refusal, is appended.
    pub fn body(&mut self) -> &mut BytesMut {
        &mut self.body
    }

    /// Has `rest` follow what was written, without a copy. Only the last one does.
    pub fn append(&mut self, rest: Bytes) {
        self.rest = rest;
    }

    /// How the call ended.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Bytes of the value, or of the detail.
    pub fn size(&self) -> usize {
        self.body.len() + self.rest.len()
    }

    /// Appends the detail of a refusal and returns the frame.
    pub fn with_detail(mut self, detail: &[u8]) -> Self {
        self.body.put_slice(detail);
        self
    }

    /// Throws away what was written and starts over with another status: the value could not be
    /// encoded after all.
    pub fn restart(&self, status: Status) -> Self {
        Self::new(self.call, status)
    }

    /// The head of the frame, and what follows it in two parts.
    pub(crate) fn split(self) -> (ResponseHead, BytesMut, Bytes) {
        let head = ResponseHead {
            call: self.call,
            status: self.status,
            body: self.size(),
        };
        (head, self.body, self.rest)
    }

    /// The whole frame.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn finish(self) -> BytesMut {
        let mut frame = BytesMut::new();
        let (head, body, rest) = self.split();
        head.put(&mut frame);
        frame.extend_from_slice(&body);
        frame.extend_from_slice(&rest);
        frame
    }
}

/// What stands before the body of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseHead {
    call: u64,
    status: Status,
    /// Bytes of the body.
    body: usize,
}

impl ResponseHead {
    pub(crate) fn put(&self, out: &mut BytesMut) {
        let mut head = Head::<LONGEST_RESPONSE>::new(FrameKind::Response);
        head.varint(self.call);
        head.byte(self.status.to_byte());
        head.put(out, self.body);
    }
}

/// An answer as it came from a peer.
#[derive(Clone, Debug)]
pub struct Response {
    /// How the call ended.
    pub status: Status,
    /// The encoded value, or the detail of a refusal.
    pub body: Bytes,
    /// When it was read.
    pub(crate) read_at: Option<Instant>,
}

impl Response {
    /// Reads an answer and the id of the call that it belongs to.
    pub(crate) fn decode(body: Bytes) -> Result<(u64, Self), Malformed> {
        let mut reader = Reader::new(body);
        let call = reader.varint()?;
        let status = Status::from_byte(reader.byte()?);
        Ok((
            call,
            Self {
                status,
                body: reader.into_rest(),
                read_at: None,
            },
        ))
    }
}

impl Response {
    /// When it was read, which is before whoever awaits it has a turn.
    pub fn read_at(&self) -> Option<Instant> {
        self.read_at
    }

    /// What is left of an answer that is over the limit: whether the function ran.
    pub(crate) fn without_body(self) -> Self {
        Self {
            status: match self.status {
                Status::Ok => Status::BadResponse,
                status => status,
            },
            body: Bytes::new(),
            ..self
        }
    }
}

/// The frame that asks the peer to drop the handler of a call.
pub(crate) fn cancel_frame(out: &mut BytesMut, call: u64) {
    let start = begin_frame(out, FrameKind::Cancel);
    put_varint(out, call);
    finish_frame(out, start, 0);
}

/// The call that a cancel is about. Bytes behind it are for newer peers.
pub(crate) fn decode_call_id(body: Bytes) -> Result<u64, Malformed> {
    Reader::new(body).varint()
}

/// Bytes of the longest head of a request: length, kind, call, flags, time, name, version, contract and
/// trace (PROTOCOL.md, *Request*).
const LONGEST_REQUEST: usize = 4 + 1 + 10 + 1 + 10 + 1 + 255 + 5 + 16 + TRACE;
/// Bytes of the longest head of a response: length, kind, call and status.
const LONGEST_RESPONSE: usize = 4 + 1 + 10 + 1;
/// Bytes of a W3C trace context: version 1, trace id 16, parent id 8, flags 1.
const TRACE: usize = 26;
/// A trace context follows the contract.
const FLAG_TRACE: u8 = 0b0000_0001;
/// The call is meant for the primary. Builds that do not know it serve the call wherever it arrives, as
/// they always did.
const FLAG_FOR_PRIMARY: u8 = 0b0001_0000;
/// Flags of the low half must be understood or the request refused; those of the high half may be
/// ignored.
const FLAGS_CRITICAL: u8 = 0b0000_1111;
