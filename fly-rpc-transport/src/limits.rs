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
    /// Bytes of any control message that is neither a hello nor a catalogue. Default 4 KiB: they
    /// carry at most a few numbers.
    pub control_size: usize,
    /// Time from the end of the TLS handshake to the peer's hello. Default 5 s: several round trips
    /// to the far side of the globe.
    pub hello_timeout: Duration,
    /// Time for the QUIC and TLS handshake. Default 10 s.
    pub handshake_timeout: Duration,
    /// Handshakes of strangers in progress at one time. Default 1 024: beyond, new ones are ignored.
    pub handshakes: usize,
    /// Handshakes in progress beyond which an address must first prove that it is its own (QUIC
    /// Retry, RFC 9000 §8.1.2). Default 64.
    pub handshakes_without_retry: usize,
    /// Connection attempts that wait to be looked at. Default 256: the accept loop only sorts them.
    pub incoming: usize,
    /// Bytes kept for one such attempt. Default 64 KiB: a first flight.
    pub incoming_buffer: u64,
    /// Bytes kept for all of them. Default 8 MiB.
    pub incoming_buffers: u64,
    /// Connections per second that one IP address may make to this node, averaged over 10 s.
    /// Default 20 (RFC 9000 §21.6): a fleet of fifty nodes behind one address stays below. Beyond,
    /// they are refused. An address that is not proved has half of it.
    pub connects_per_ip: u32,
    /// Connections that one IP address may have to this node. Default 64; raise it if more nodes
    /// stand behind one address.
    pub connections_per_ip: usize,
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
    /// Lanes (bidirectional streams) that one peer may have open, per connection. Default 256; until
    /// it has opened the first, 24.
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
    /// that were lost twice is there by then. More is forgiven while the whole connection makes the
    /// progress asked of a body.
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
    /// reason for, per connection: frames that cannot be read or mean nothing, lanes reset, stopped
    /// or unused. Default 200; beyond, the connection is closed with `ExcessiveLoad`.
    pub offences: u32,
    /// Time over which offences are counted. Default 10 s.
    pub offence_window: Duration,
    /// Messages of gossip, and of what a peer says of itself, that are heard from it in a second. Default
    /// 500: a sound one sends a few, and some hundred when this node joins a cluster of thousands. More are dropped and
    /// counted as offences.
    pub gossip_rate: u32,
    /// Nodes that this one remembers by gossip, dead ones included. Default 16 384; beyond, no stranger is
    /// added until somebody is forgotten.
    pub members: usize,
    /// Calls of this node that may await an answer on one connection. Default 65 536.
    pub pending_calls: usize,
    /// Handlers that run at one time for one peer, and finished answers that it leaves no room for.
    /// Default 256; beyond, `Overloaded` at once: a queue would only hide it. 0 makes a node that
    /// calls and is not called.
    pub handlers_per_peer: usize,
    /// Handlers that run at one time in this node, local calls included. Default 4 096.
    pub handlers: usize,
    /// Nodes that one call is sent to, one after the other. Default 5, as in gRPC: a call that five
    /// nodes refused is better refused than sent to fifty.
    pub attempts: u32,
    /// Retries of `idempotent` functions whose outcome is unknown, in percent of their calls.
    /// Default 20, Finagle's budget.
    pub retry_percent: u32,
    /// Such retries per second beside those. Default 10.
    pub retries_per_second: u32,
    /// Time for which retries that were not made are saved up. Default 10 s.
    pub retry_window: Duration,
    /// Time in which the memory of how slowly a node answered fades to a third. Default 10 s,
    /// Finagle's: a node that was slow is tried again within the minute.
    pub latency_decay: Duration,
    /// Failures without an answer in between after which a node is called no more for a while.
    /// Default 5, as in Finagle and linkerd.
    pub breaker_failures: u32,
    /// Successes in percent of the calls of the last [`breaker_window`](Self::breaker_window) below
    /// which a node is called no more for a while. Default 80, Finagle's; 0 looks at failures in a
    /// row only.
    pub breaker_success_percent: u32,
    /// Time over which they are counted. Default 30 s.
    pub breaker_window: Duration,
    /// Calls within it below which their share says nothing. Default 20.
    pub breaker_samples: u32,
    /// Time until a node that failed is tried with one call; it doubles with each such call that
    /// fails, ±20 %. Default 1 s.
    pub breaker_first: Duration,
    /// The longest such time. Default 100 s.
    pub breaker_most: Duration,
    /// Nodes in percent of those connected that may be left out at one time because they failed, and
    /// one in any case. Default 50: if more fail, the fault may be on this side. 0: none ever is.
    pub ejected_percent: u32,
    /// Time in which a node that failed, or was started again, goes from a tenth of its share of
    /// calls to all of it. Default 10 s.
    pub slow_start: Duration,
    /// Time for which a region must be the nearer one before `Nearest` moves to it, or be back
    /// before it returns. Default 10 s; away from a region that fails it moves at once.
    pub nearest_hold: Duration,
    /// Delay before the second dial of an address; it grows by 1.6 with each failure, ±20 %.
    /// Default 100 ms.
    pub redial_first: Duration,
    /// The longest delay between two dials. Default 10 s.
    pub redial_most: Duration,
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
            handshakes: 1_024,
            handshakes_without_retry: 64,
            incoming: 256,
            incoming_buffer: 64 * 1024,
            incoming_buffers: 8 * 1024 * 1024,
            connects_per_ip: 20,
            connections_per_ip: 64,
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
            gossip_rate: 500,
            members: 16_384,
            pending_calls: 65_536,
            handlers_per_peer: 256,
            handlers: 4_096,
            attempts: 5,
            retry_percent: 20,
            retries_per_second: 10,
            retry_window: Duration::from_secs(10),
            latency_decay: Duration::from_secs(10),
            breaker_failures: 5,
            breaker_success_percent: 80,
            breaker_window: Duration::from_secs(30),
            breaker_samples: 20,
            breaker_first: Duration::from_secs(1),
            breaker_most: Duration::from_secs(100),
            ejected_percent: 50,
            slow_start: Duration::from_secs(10),
            nearest_hold: Duration::from_secs(10),
            redial_first: Duration::from_millis(100),
            redial_most: Duration::from_secs(10),
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

    /// Finds a bound with which no node could work.
    ///
    /// # Errors
    /// [`LimitError`] names the field and says what it must be.
    pub fn check(&self) -> Result<(), LimitError> {
        let nothing = [
            ("message_size", self.message_size),
            ("hello_size", self.hello_size),
            ("control_size", self.control_size),
            ("handshakes", self.handshakes),
            ("incoming", self.incoming),
            ("connections_per_ip", self.connections_per_ip),
            ("lane_queue", self.lane_queue),
            ("pending_calls", self.pending_calls),
            ("handlers", self.handlers),
            ("decode_depth", self.decode_depth),
            ("connects_per_ip", self.connects_per_ip as usize),
            ("lanes", self.lanes as usize),
            ("lane_receive_window", self.lane_receive_window as usize),
            ("attempts", self.attempts as usize),
            ("breaker_failures", self.breaker_failures as usize),
            ("breaker_samples", self.breaker_samples as usize),
        ];
        let no_time = [
            ("hello_timeout", self.hello_timeout),
            ("handshake_timeout", self.handshake_timeout),
            ("idle_timeout", self.idle_timeout),
            ("keep_alive", self.keep_alive),
            ("silence_suspect", self.silence_suspect),
            ("silence_lost", self.silence_lost),
            ("header_wait", self.header_wait),
            ("body_progress_window", self.body_progress_window),
            ("offence_window", self.offence_window),
            ("redial_first", self.redial_first),
            ("latency_decay", self.latency_decay),
            ("breaker_window", self.breaker_window),
            ("breaker_first", self.breaker_first),
            ("deadline", self.deadline),
        ];
        let zero_size = nothing.iter().find(|(_, value)| *value == 0);
        let zero_time = no_time.iter().find(|(_, value)| value.is_zero());
        if let Some(field) = zero_size.map(|f| f.0).or(zero_time.map(|f| f.0)) {
            return Err(LimitError::new(
                field,
                "is 0, with which nothing works: set it above 0, or leave the default",
            ));
        }
        let mistakes = [
            (
                self.handlers_per_peer > self.handlers,
                "handlers_per_peer",
                "is more than `handlers`: one peer would take every permit; lower it, or raise `handlers`",
            ),
            (
                self.message_size > MESSAGES,
                "message_size",
                "is more than 1 GiB: a frame's length has 32 bits; send large things in pieces",
            ),
            (
                self.control_size < CONTROLS,
                "control_size",
                "is less than 16 bytes: control messages carry numbers of up to 10",
            ),
            (
                self.partial_frames < self.message_size,
                "partial_frames",
                "is less than `message_size`: the largest messages would never be read to their end; raise it, or lower the other",
            ),
            (
                self.header_size < HEADS,
                "header_size",
                "is less than 512 bytes: the head of a request with a long name has 326",
            ),
            (
                self.send_window == 0,
                "send_window",
                "is 0: nothing could be sent; set it above 0, or leave the default",
            ),
            (
                self.connection_receive_window < self.lane_receive_window,
                "connection_receive_window",
                "is less than `lane_receive_window`: one lane would fill it; raise it, or lower the other",
            ),
            (
                self.incoming_buffer > self.incoming_buffers,
                "incoming_buffer",
                "is more than `incoming_buffers`, of which it is a part; lower it, or raise the other",
            ),
            (
                self.keep_alive >= self.idle_timeout || self.keep_alive > DAY,
                "keep_alive",
                "is not below `idle_timeout`, or more than a day: idle connections would be lost all the time; lower it, or raise the other",
            ),
            (
                self.silence_suspect >= self.silence_lost,
                "silence_suspect",
                "is not below `silence_lost`: no peer would ever be suspect; lower it, or raise the other",
            ),
            (
                self.redial_first > self.redial_most || self.redial_most > DAY,
                "redial_most",
                "is less than `redial_first`, or more than a day: set it to the longest delay between two dials",
            ),
            (
                self.breaker_success_percent > 100,
                "breaker_success_percent",
                "is more than 100: no node could ever do so well; lower it",
            ),
            (
                self.ejected_percent > 100,
                "ejected_percent",
                "is more than 100, which is every node; lower it",
            ),
            (
                self.breaker_first > self.breaker_most || self.breaker_most > DAY,
                "breaker_most",
                "is less than `breaker_first`, or more than a day: set it to the longest time for which a node that failed is left alone",
            ),
            (
                [
                    self.latency_decay,
                    self.breaker_window,
                    self.slow_start,
                    self.nearest_hold,
                ]
                .iter()
                .any(|time| *time > DAY),
                "latency_decay",
                "is more than a day, or `breaker_window`, `slow_start` or `nearest_hold` is: set it to seconds or minutes",
            ),
        ];
        match mistakes.into_iter().find(|(wrong, ..)| *wrong) {
            Some((_, field, reason)) => Err(LimitError::new(field, reason)),
            None => Ok(()),
        }
    }
}

/// A bound with which no node could work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {reason}")]
pub struct LimitError {
    /// The field of [`Limits`].
    pub field: &'static str,
    reason: &'static str,
}

impl LimitError {
    fn new(field: &'static str, reason: &'static str) -> Self {
        Self { field, reason }
    }
}

/// The largest message that can be asked for: its frame's length has 32 bits.
const MESSAGES: usize = 1024 * MIB;
/// The head of a request is at most 1 + 10 + 1 + 10 + 2 + 255 + 5 + 16 + 26 bytes (PROTOCOL.md,
/// *Request*); rounded up.
const HEADS: usize = 512;
/// A control message that is neither a hello nor a catalogue has at most a number (PROTOCOL.md,
/// *Control messages*); rounded up.
const CONTROLS: usize = 16;
const DAY: Duration = Duration::from_secs(24 * 3600);
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes limits useless.
    type Spoil = fn(&mut Limits);

    #[test]
    fn the_defaults_are_sound_and_nonsense_is_named() {
        assert_eq!(Limits::default().check(), Ok(()));
        let nonsense: [(&str, Spoil); 13] = [
            ("message_size", |limits| limits.message_size = 0),
            ("message_size", |limits| limits.message_size = usize::MAX),
            ("handlers_per_peer", |limits| limits.handlers = 10),
            ("deadline", |limits| limits.deadline = Duration::ZERO),
            ("keep_alive", |limits| limits.keep_alive = Duration::MAX),
            ("redial_most", |limits| limits.redial_most = Duration::MAX),
            ("breaker_most", |limits| {
                limits.breaker_most = Duration::ZERO
            }),
            ("ejected_percent", |limits| limits.ejected_percent = 101),
            ("latency_decay", |limits| limits.slow_start = Duration::MAX),
            ("attempts", |limits| limits.attempts = 0),
            ("control_size", |limits| limits.control_size = 2),
            ("partial_frames", |limits| limits.message_size = 1024 * MIB),
            ("keep_alive", |limits| {
                (limits.idle_timeout, limits.keep_alive) = (Duration::MAX, Duration::MAX / 2);
            }),
        ];
        for (field, spoil) in nonsense {
            let mut limits = Limits::default();
            spoil(&mut limits);
            let refused = limits.check().expect_err(field);
            assert_eq!(refused.field, field, "{refused}");
        }
    }
}
