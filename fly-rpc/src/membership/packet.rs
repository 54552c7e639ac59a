//! The packets of SWIM, as bytes (PROTOCOL.md, *Gossip*).
//!
//! The sender's record travels whole, so that whoever is asked knows who asks; the others are named by
//! reference, since those who are meant have them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::{Buf, BufMut};
use foca::{Codec, Header, Message, State};

use super::member::{Member, Unreadable, array};

/// Writes and reads packets. Refuses records of lives that begin after the horizon: one that says it
/// was born in a thousand years would be the latest for as long.
#[derive(Clone, Debug, Default)]
pub(super) struct PacketCodec {
    horizon: Arc<AtomicU64>,
}

impl PacketCodec {
    /// Moves the horizon with the time, in microseconds since 1970, for this codec and its clones.
    pub(super) fn it_is(&self, now: u64) {
        let horizon = now.saturating_add(TOLERANCE);
        self.horizon.store(horizon, Ordering::Relaxed);
    }

    /// Reads one record, if it may be true.
    pub(super) fn read(&self, bytes: &mut &[u8]) -> Result<foca::Member<Member>, Unreadable> {
        let member = self.plausible(Member::decode(bytes)?)?;
        let incarnation = u16::from_le_bytes(array(bytes)?);
        let state = match array(bytes)? {
            [0] => State::Alive,
            [1] => State::Suspect,
            [2] => State::Down,
            _ => return Err(Unreadable("a state that there is not")),
        };
        Ok(foca::Member::new(member, incarnation, state))
    }

    fn plausible(&self, member: Member) -> Result<Member, Unreadable> {
        if member.facts().life > self.horizon.load(Ordering::Relaxed) {
            return Err(Unreadable("a life that begins in the future"));
        }
        Ok(member)
    }

    pub(super) fn header(&self, bytes: &mut &[u8]) -> Result<Header<Member>, Unreadable> {
        let src = self.plausible(Member::decode(bytes)?)?;
        let src_incarnation = u16::from_le_bytes(array(bytes)?);
        let dst = Member::decode_reference(bytes)?;
        let [kind, probe_number] = array(bytes)?;
        let mut other = || Member::decode_reference(bytes);
        let message = match kind {
            0 => Message::Ping(probe_number),
            1 => Message::Ack(probe_number),
            2 => Message::PingReq {
                target: other()?,
                probe_number,
            },
            3 => Message::IndirectPing {
                origin: other()?,
                probe_number,
            },
            4 => Message::IndirectAck {
                target: other()?,
                probe_number,
            },
            5 => Message::ForwardedAck {
                origin: other()?,
                probe_number,
            },
            6 => Message::Announce,
            7 => Message::Feed,
            8 => Message::Gossip,
            9 => Message::TurnUndead,
            _ => return Err(Unreadable("a message that this build does not know")),
        };
        Ok(Header {
            src,
            src_incarnation,
            dst,
            message,
        })
    }
}

/// Writes one record and what is known of it.
pub(super) fn write(member: &foca::Member<Member>, out: &mut Vec<u8>) {
    member.id().encode(out);
    out.put_u16_le(member.incarnation());
    out.put_u8(match member.state() {
        State::Alive => 0,
        State::Suspect => 1,
        State::Down => 2,
    });
}

impl Codec<Member> for PacketCodec {
    type Error = Unreadable;

    fn encode_header(
        &mut self,
        header: &Header<Member>,
        mut buf: impl BufMut,
    ) -> Result<(), Unreadable> {
        let mut out = Vec::with_capacity(256);
        header.src.encode(&mut out);
        out.put_u16_le(header.src_incarnation);
        header.dst.encode_reference(&mut out);
        let (kind, number, other) = match &header.message {
            Message::Ping(number) => (0, *number, None),
            Message::Ack(number) => (1, *number, None),
            Message::PingReq {
                target,
                probe_number,
            } => (2, *probe_number, Some(target)),
            Message::IndirectPing {
                origin,
                probe_number,
            } => (3, *probe_number, Some(origin)),
            Message::IndirectAck {
                target,
                probe_number,
            } => (4, *probe_number, Some(target)),
            Message::ForwardedAck {
                origin,
                probe_number,
            } => (5, *probe_number, Some(origin)),
            Message::Announce => (6, 0, None),
            Message::Feed => (7, 0, None),
            Message::Gossip => (8, 0, None),
            Message::TurnUndead => (9, 0, None),
            Message::Broadcast => return Err(Unreadable("broadcasts are not sent")),
        };
        out.put_u8(kind);
        out.put_u8(number);
        if let Some(other) = other {
            other.encode_reference(&mut out);
        }
        put(&out, &mut buf)
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Member>, Unreadable> {
        read(&mut buf, |bytes| self.header(bytes))
    }

    fn encode_member(
        &mut self,
        member: &foca::Member<Member>,
        mut buf: impl BufMut,
    ) -> Result<(), Unreadable> {
        let mut out = Vec::with_capacity(128);
        write(member, &mut out);
        put(&out, &mut buf)
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<foca::Member<Member>, Unreadable> {
        read(&mut buf, |bytes| self.read(bytes))
    }
}

/// All or nothing: what does not fit goes into another packet.
fn put(bytes: &[u8], buf: &mut impl BufMut) -> Result<(), Unreadable> {
    if buf.remaining_mut() < bytes.len() {
        return Err(Unreadable("the packet is full"));
    }
    buf.put_slice(bytes);
    Ok(())
}

fn read<T>(
    buf: &mut impl Buf,
    read: impl FnOnce(&mut &[u8]) -> Result<T, Unreadable>,
) -> Result<T, Unreadable> {
    // A packet is one piece of memory.
    let mut rest = buf.chunk();
    let before = rest.len();
    let value = read(&mut rest)?;
    let taken = before - rest.len();
    buf.advance(taken);
    Ok(value)
}

/// Microseconds by which the clocks of two machines may differ: a day. Nobody's clock is that wrong
/// unnoticed, and it is soon over.
const TOLERANCE: u64 = 24 * 3600 * 1_000_000;
