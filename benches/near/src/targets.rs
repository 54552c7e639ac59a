//! The targets that are about two processes of one machine, and what a run says of them.

use bench_figures::{Promise, Runtime, Verdict};
use bench_peers::Peer;

use crate::{
    run::Near,
    scenario::{LARGE, MIDDLE, SMALL},
    side::Side,
};

/// One target: ours in times of theirs.
struct Target {
    runtime: Runtime,
    size: usize,
    in_flight: usize,
    ours: Side,
    theirs: Side,
    promise: Promise,
}

impl Near {
    /// The verdict on each target. What was not measured is short, and its figure is not a number.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let verdict = |target: Target| {
            let at = (target.runtime, target.size, target.in_flight);
            let ratio = self.ratio(at, target.ours, target.theirs);
            target.promise.verdict(&ratio)
        };
        targets().into_iter().map(verdict).collect()
    }
}

/// Those that hold on both runtimes, in words that name the runtime.
macro_rules! on_both {
    ($runtime:expr, $name:literal) => {{
        let mux = Side::Bytes(Peer::QuicMux);
        let (tonic, irpc) = (Side::Bytes(Peer::Tonic), Side::Bytes(Peer::Irpc));
        let at_least = |size, in_flight, theirs, ratio, what| {
            Target::new(
                $runtime,
                size,
                in_flight,
                theirs,
                Promise::at_least(ratio, what),
            )
        };
        let plain = |size, in_flight, what| Target {
            ours: Side::Plain(Peer::FlyRpc),
            ..at_least(size, in_flight, Side::OURS, 0.5, what)
        };
        let udp = Promise::at_most(1.15, concat!("× bare UDP: 64 B, c=1, ", $name));
        [
            at_least(
                SMALL,
                256,
                mux,
                0.8,
                concat!("× bare QUIC mux: 64 B, c=256, ", $name),
            ),
            at_least(
                SMALL,
                1024,
                mux,
                0.8,
                concat!("× bare QUIC mux: 64 B, c=1024, ", $name),
            ),
            Target::new($runtime, SMALL, 1, Side::Bytes(Peer::Udp), udp),
            at_least(
                MIDDLE,
                64,
                tonic,
                1.5,
                concat!("× tonic: 8 KiB, c=64, ", $name),
            ),
            at_least(
                MIDDLE,
                64,
                irpc,
                1.2,
                concat!("× irpc: 8 KiB, c=64, ", $name),
            ),
            at_least(
                MIDDLE,
                64,
                mux,
                0.95,
                concat!("× bare QUIC mux: 8 KiB, c=64, ", $name),
            ),
            at_least(
                LARGE,
                8,
                Side::BestBare,
                1.0,
                concat!("× best bare QUIC: 1 MB, c=8, ", $name),
            ),
            at_least(LARGE, 8, irpc, 2.0, concat!("× irpc: 1 MB, c=8, ", $name)),
            at_least(LARGE, 8, tonic, 0.8, concat!("× tonic: 1 MB, c=8, ", $name)),
            plain(
                MIDDLE,
                64,
                concat!("× as Bytes, for Vec<u8>: 8 KiB, c=64, ", $name),
            ),
            plain(
                LARGE,
                8,
                concat!("× as Bytes, for Vec<u8>: 1 MB, c=8, ", $name),
            ),
        ]
    }};
}

fn targets() -> Vec<Target> {
    let against = |peer, ratio, what| {
        let promise = Promise::at_least(ratio, what);
        Target::new(Runtime::TwoWorkers, SMALL, 256, Side::Bytes(peer), promise)
    };
    let best = Promise::at_least(2.0, "× the best peer: 64 B, c=1024, current-thread");
    let mut targets = vec![
        against(
            Peer::Tarpc,
            2.0,
            "× tarpc in the clear: 64 B, c=256, two-workers",
        ),
        against(Peer::Irpc, 3.0, "× irpc: 64 B, c=256, two-workers"),
        against(Peer::Erpc, 4.0, "× erpc: 64 B, c=256, two-workers"),
        against(Peer::Tonic, 7.0, "× tonic: 64 B, c=256, two-workers"),
        Target::new(
            Runtime::CurrentThread,
            SMALL,
            1024,
            Side::BestFramework,
            best,
        ),
    ];
    targets.extend(on_both!(Runtime::TwoWorkers, "two-workers"));
    targets.extend(on_both!(Runtime::CurrentThread, "current-thread"));
    targets
}

impl Target {
    fn new(
        runtime: Runtime,
        size: usize,
        in_flight: usize,
        theirs: Side,
        promise: Promise,
    ) -> Self {
        Self {
            runtime,
            size,
            in_flight,
            ours: Side::OURS,
            theirs,
            promise,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::scenarios;

    #[test]
    fn the_short_form_measures_what_every_target_is_about() {
        for target in targets() {
            let all = scenarios(target.runtime, false);
            let at = |size, in_flight| (size, in_flight) == (target.size, target.in_flight);
            let scenario = all.iter().find(|one| at(one.size, one.in_flight));
            let sides = &scenario.expect(target.promise.what).sides;
            for side in [target.ours, target.theirs] {
                let is_there = match side.caller() {
                    Some(_) => sides.contains(&side),
                    None => sides.iter().any(|other| side.is_best_of(*other)),
                };
                assert!(is_there, "{side}: {}", target.promise.what);
            }
        }
    }
}
