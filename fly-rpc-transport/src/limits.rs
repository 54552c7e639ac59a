//! Every bound on what a peer, or a user, can make a node hold, wait for or do.
//!
//! A bound without a name is a bound that nobody can reason about, so each has one here with its
//! unit, its default and the reason for the number. They are plain data: nothing in this file acts.
//! The ones marked *per connection* multiply by the number of peers when memory is planned.

use std::time::Duration;

/// The bounds of one node. Start from `Limits::default()` and set fields.
///
/// ```
/// # use fly_rpc_transport::Limits;
/// let mut limits = Limits::default();
/// limits.message_size = 16 * 1024 * 1024;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of encoded arguments, or of one encoded return value. Default 4 MiB, as in gRPC: a
    /// larger value wants a blob store or several calls. Checked before sending and again by the
    /// receiver.
    pub message_size: usize,
    /// Bytes of a hello with its whole catalogue. Default 4 MiB: 10 000 functions with contracts of
    /// 300 characters fit.
    pub hello_size: usize,
    /// Bytes of any control message that is neither a hello nor a catalogue. Default 4 KiB: they carry at most a few numbers.
    pub control_size: usize,
    /// Time from the end of the TLS handshake to the peer's hello. Default 5 s: several round trips
    /// to the far side of the globe.
    pub hello_timeout: Duration,
    /// Time for the QUIC and TLS handshake. Default 10 s.
    pub handshake_timeout: Duration,
    /// Handshakes of strangers in progress at one time. Default 256: beyond, new ones are refused.
    pub handshakes: usize,
    /// Handshakes in progress beyond which an address must first prove that it is its own (QUIC
    /// Retry, RFC 9000 §8.1.2). Default 64.
    pub handshakes_without_retry: usize,
    /// QUIC idle timeout. Default 30 s: the last resort behind
    /// [`silence_lost`](Self::silence_lost).
    pub idle_timeout: Duration,
    /// QUIC keep-alive, sent by the dialler only. Default 5 s: below every common NAT and firewall
    /// timeout (RFC 9308 §3.2).
    pub keep_alive: Duration,
    /// Silence, while an answer is awaited, after which a peer is avoided when there is another
    /// choice. Default 2 s.
    pub silence_suspect: Duration,
    /// Silence after which a connection is given up although QUIC would still wait. Default 12 s:
    /// two keep-alives and a ping went unanswered.
    pub silence_lost: Duration,
    /// Lanes (bidirectional streams) that one peer may have open, per connection. Default 256.
    pub lanes: u32,
    /// Receive window of one lane in bytes. Default 1 MiB: 100 ms at 80 Mbit/s on a single lane.
    pub lane_receive_window: u32,
    /// Receive window of a whole connection in bytes. Default 16 MiB: bounds what a peer can make
    /// us buffer (RFC 9000 §21.7).
    pub connection_receive_window: u32,
    /// Unacknowledged bytes that we keep for one connection. Default 16 MiB.
    pub send_window: u64,
    /// Bytes queued on one lane before callers wait for room, and before requests behind unread
    /// answers are no longer read. Default 1 MiB.
    pub lane_queue: usize,
    /// Bytes at the beginning of a request that are its head: with the function's name they are at
    /// most 326, newer peers may need more. Default 8 KiB, as gRPC's metadata. They are kept for
    /// each lane, and must come within [`header_wait`](Self::header_wait).
    pub header_size: usize,
    /// Time for the head of a request that has begun. Default 5 s: a head that was cut by packets
    /// that were lost twice is there by then.
    pub header_wait: Duration,
    /// Bytes per second that the rest of a half-sent request, or a lane's unread answers, must make,
    /// averaged over [`body_progress_window`](Self::body_progress_window). Default 16 KiB, and less
    /// is forgiven while the whole connection makes as much.
    pub body_progress: usize,
    /// Time over which progress is averaged. Default 10 s.
    pub body_progress_window: Duration,
    /// Bytes of half-read frames that are kept, per connection and direction, beside the heads.
    /// Default 128 MiB: 32 of the largest messages, or some 400 of 300 KiB. A request beyond is
    /// refused with `Overloaded`; an answer beyond is lost as one over the limit is.
    pub partial_frames: usize,
    /// What a peer may do within [`offence_window`](Self::offence_window) that no sound peer has a
    /// reason for, per connection: frames that cannot be read or mean nothing, lanes reset, stopped,
    /// unused or too slow. Default 200; beyond, the connection is closed with `ExcessiveLoad`.
    pub offences: u32,
    /// Time over which offences are counted. Default 10 s.
    pub offence_window: Duration,
    /// Calls of this node that may await an answer on one connection. Default 65 536.
    pub pending_calls: usize,
    /// Handlers that run at one time for one peer. Default 256; beyond, `Overloaded` at once: a
    /// queue would only hide it.
    pub handlers_per_peer: usize,
    /// Handlers that run at one time in this node, local calls included. Default 4 096.
    pub handlers: usize,
    /// The longest remaining time that a request is granted, whatever it says. Default 5 min.
    pub deadline: Duration,
    /// Nesting depth of a decoded value. Default 64: recursion beyond would overflow the stack,
    /// which nothing can catch.
    pub decode_depth: usize,
    /// Memory in bytes that decoding one value may ask for, or eight times its encoded size,
    /// whichever is larger. Default 16 MiB.
    pub decode_memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 4 * MIB,
            hello_size: 4 * MIB,
            control_size: 4 * KIB,
            hello_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(10),
            handshakes: 256,
            handshakes_without_retry: 64,
            idle_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(5),
            silence_suspect: Duration::from_secs(2),
            silence_lost: Duration::from_secs(12),
            lanes: 256,
            lane_receive_window: 1024 * 1024,
            connection_receive_window: 16 * 1024 * 1024,
            send_window: 16 * 1024 * 1024,
            lane_queue: MIB,
            header_size: 8 * KIB,
            header_wait: Duration::from_secs(5),
            body_progress: 16 * KIB,
            body_progress_window: Duration::from_secs(10),
            partial_frames: 128 * MIB,
            offences: 200,
            offence_window: Duration::from_secs(10),
            pending_calls: 65_536,
            handlers_per_peer: 256,
            handlers: 4_096,
            deadline: Duration::from_secs(300),
            decode_depth: 64,
            decode_memory: 16 * MIB,
        }
    }
}

impl Limits {
    /// Bytes of the largest frame that a lane may carry: a message and the header around it.
    pub(crate) fn frame_size(&self) -> usize {
        self.message_size.saturating_add(self.header_size)
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
