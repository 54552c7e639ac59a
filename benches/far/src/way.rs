//! One direction of a link at work: a thread that takes packets in, and one that lets each out when
//! its time has come.
//!
//! Plain threads, not tasks: a runtime's timer counts milliseconds, and what is measured over the
//! link is told in hundredths of 100 ms. The delay being the same for all, packets leave in the
//! order in which they came.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    clock::{be_exact, sleep_until},
    fate::{Conditions, Fate, Verdict},
};

/// What a direction did so far.
#[derive(Debug, Default)]
pub struct Tally {
    passed: AtomicU64,
    lost: AtomicU64,
    /// By the queue before the rate, as asked.
    dropped: AtomicU64,
    /// By this program.
    overflown: AtomicU64,
    /// Nanoseconds, of all that passed.
    late: AtomicU64,
    latest: AtomicU64,
}

/// Two threads, which end when their link says so.
#[derive(Debug)]
pub(crate) struct Way {
    threads: [JoinHandle<()>; 2],
    tally: Arc<Tally>,
}

/// Takes the next packet in: its length, or `None` when the link ends. May return 0 bytes to be
/// asked again.
pub(crate) type Source = Box<dyn FnMut(&mut [u8]) -> Option<usize> + Send>;
/// Lets a packet out.
pub(crate) type Sink = Box<dyn FnMut(&[u8]) + Send>;

struct Packet {
    due: Instant,
    bytes: Box<[u8]>,
}

impl Way {
    pub(crate) fn start(conditions: Conditions, seed: u64, source: Source, sink: Sink) -> Self {
        let tally = Arc::<Tally>::default();
        let (queue, packets) = sync_channel(ON_THE_WAY);
        let mut fate = Fate::new(conditions, seed);
        let counted = Arc::clone(&tally);
        let mut source = source;
        let take_in = thread::spawn(move || {
            let begun = Instant::now();
            let mut buffer = vec![0; LARGEST];
            while let Some(length) = source(&mut buffer) {
                if length == 0 {
                    continue;
                }
                match fate.of(length, begun.elapsed()) {
                    Verdict::Arrives(after) => {
                        let packet = Packet {
                            due: begun + after,
                            bytes: buffer[..length].into(),
                        };
                        match queue.try_send(packet) {
                            Ok(()) => {}
                            Err(TrySendError::Full(_)) => count(&counted.overflown),
                            Err(TrySendError::Disconnected(_)) => return,
                        }
                    }
                    Verdict::Lost => count(&counted.lost),
                    Verdict::Dropped => count(&counted.dropped),
                }
            }
        });
        let counted = Arc::clone(&tally);
        let let_out = thread::spawn(move || let_out(&packets, sink, &counted));
        Self {
            threads: [take_in, let_out],
            tally,
        }
    }

    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Waits for both threads; the source must have been told to end.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn let_out(packets: &Receiver<Packet>, mut sink: Sink, tally: &Tally) {
    be_exact();
    while let Ok(packet) = packets.recv() {
        sleep_until(packet.due);
        sink(&packet.bytes);
        let late = nanos(packet.due.elapsed());
        count(&tally.passed);
        tally.late.fetch_add(late, Ordering::Relaxed);
        tally.latest.fetch_max(late, Ordering::Relaxed);
    }
}

impl Tally {
    /// Packets that this program had no room for. Anything but 0 spoils a figure.
    pub fn overflown(&self) -> u64 {
        self.overflown.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let passed = of(&self.passed);
        write!(
            f,
            "{passed} packets passed, {} lost, {} dropped; late by {} µs on average, {} µs at most",
            of(&self.lost),
            of(&self.dropped),
            of(&self.late) / passed.max(1) / 1000,
            of(&self.latest) / 1000,
        )
    }
}

/// Tells a source that its link ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct End(Arc<AtomicBool>);

impl End {
    pub(crate) fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn count(what: &AtomicU64) {
    what.fetch_add(1, Ordering::Relaxed);
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Packets under way in one direction: 50 ms of a million a second.
const ON_THE_WAY: usize = 50_000;
/// Bytes of the largest packet.
const LARGEST: usize = 65_536;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn packets_arrive_in_order_when_their_time_has_come() {
        let (input, source) = channel::<u8>();
        let (sink, output) = channel();
        let delay = Duration::from_millis(20);
        let way = Way::start(
            Conditions::of_delay(delay),
            1,
            Box::new(move |buffer| {
                buffer[0] = source.recv().ok()?;
                Some(1)
            }),
            Box::new(move |packet| sink.send((packet[0], Instant::now())).expect("listened to")),
        );
        let begun = Instant::now();
        for number in 0..100 {
            input.send(number).expect("taken in");
        }
        drop(input);
        for number in 0..100 {
            let (arrived, at) = output.recv().expect("let out");
            assert_eq!(arrived, number);
            assert!(at - begun >= delay);
        }
        way.join();
    }
}
