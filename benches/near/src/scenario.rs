//! What is measured: how many bytes, how many calls in flight, on which runtime, and by whom.

use std::fmt;

use bench_figures::Runtime;
use bench_peers::Peer;

use crate::{placement::Placement, side::Side};

/// What is asked of all who take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// The runtime of both processes.
    pub runtime: Runtime,
    /// The cores that they run on.
    pub placement: Placement,
    /// Bytes of the body, each way.
    pub size: usize,
    /// Calls in flight.
    pub in_flight: usize,
}

/// Work, and who takes part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What is asked.
    pub work: Work,
    /// Who takes part, in order.
    pub sides: Vec<Side>,
}

impl Work {
    /// Wherever the kernel likes.
    pub fn new(runtime: Runtime, size: usize, in_flight: usize) -> Self {
        Self {
            runtime,
            placement: Placement::Anywhere,
            size,
            in_flight,
        }
    }

    /// The same on these cores.
    pub fn on(self, placement: Placement) -> Self {
        Self { placement, ..self }
    }

    /// True if each call is timed, and the figure is the median in microseconds; else it is calls a
    /// second.
    pub fn is_latency(&self) -> bool {
        self.in_flight == 1
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, in_flight) = (size_text(self.size), self.in_flight);
        write!(f, "{size}, c={in_flight}, {}", self.runtime)?;
        match self.placement {
            Placement::Anywhere => Ok(()),
            placement => write!(f, ", {placement}"),
        }
    }
}

/// Those on one runtime, those on the same cores together: `whole` is everything, else what a target
/// is about.
pub fn scenarios(runtime: Runtime, whole: bool) -> Vec<Scenario> {
    let short = [(SMALL, 256), (SMALL, 1024), (MIDDLE, 64), (LARGE, 8)];
    let more = [
        (SMALL, 64),
        (MIDDLE, 1),
        (MIDDLE, 256),
        (MIDDLE, 1024),
        (LARGE, 1),
        (LARGE, 64),
    ];
    let more = more.into_iter().filter(|_| whole);
    let mut anywhere: Vec<_> = short.into_iter().chain(more).collect();
    anywhere.sort_unstable();
    let anywhere = anywhere.into_iter();
    let works = anywhere.map(|(size, in_flight)| Work::new(runtime, size, in_flight));
    let alone = Work::new(runtime, SMALL, 1);
    let placed = [Placement::Apart, Placement::Together].map(|placement| alone.on(placement));
    let all = placed.into_iter().chain(works);
    all.map(|work| Scenario {
        work,
        sides: sides(work, whole),
    })
    .collect()
}

fn sides(work: Work, whole: bool) -> Vec<Side> {
    let Work {
        runtime,
        size,
        in_flight,
        ..
    } = work;
    let is_worth = |peer: &Peer| match peer {
        Peer::Udp => size == SMALL && in_flight == 1,
        // Its schedulers are threads: two of them are two workers.
        Peer::Erpc => runtime == Runtime::TwoWorkers && (whole || size == SMALL),
        Peer::FlyRpc | Peer::QuicMux => true,
        Peer::QuicStreams => whole || size == LARGE,
        Peer::Tarpc | Peer::TarpcTls => whole || (size == SMALL && in_flight > 1),
        Peer::Tonic | Peer::Irpc => whole || in_flight > 1,
    };
    let is_worth_plain = |peer: &Peer| {
        size != SMALL && in_flight > 1 && peer.encodes() && (whole || *peer == Peer::FlyRpc)
    };
    let bytes = Peer::ALL.into_iter().filter(is_worth).map(Side::Bytes);
    let plain = Peer::ALL
        .into_iter()
        .filter(is_worth_plain)
        .map(Side::Plain);
    bytes.chain(plain).collect()
}

/// Bytes as the tables show them.
pub(crate) fn size_text(size: usize) -> String {
    match size {
        LARGE => "1 MB".to_owned(),
        MIDDLE => "8 KiB".to_owned(),
        size => format!("{size} B"),
    }
}

/// A call's arguments, usually.
pub(crate) const SMALL: usize = 64;
/// A page of results.
pub(crate) const MIDDLE: usize = 8 * 1024;
/// An upload. At most 64 of them are in flight: more would measure the memory.
pub(crate) const LARGE: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_flight_fits_into_memory() {
        for runtime in Runtime::ALL {
            for Scenario { work, sides } in scenarios(runtime, true) {
                assert!(work.size * work.in_flight <= 64_000_000, "{work}");
                assert_eq!(sides.first(), Some(&Side::OURS), "{work}");
            }
        }
    }

    #[test]
    fn the_short_form_is_a_part_of_the_whole() {
        for runtime in Runtime::ALL {
            let whole = scenarios(runtime, true);
            for short in scenarios(runtime, false) {
                let same = whole.iter().find(|long| long.work == short.work);
                let long = same.expect("it is in the long form too");
                let is_there = |side| long.sides.contains(side);
                assert!(short.sides.iter().all(is_there), "{}", short.work);
            }
        }
    }
}
