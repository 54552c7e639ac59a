//! The targets that are about two processes of one machine, and what a run says of them.

use bench_figures::{Promise, Runtime, Verdict};
use bench_peers::Peer;

use crate::{
    missing::Missing,
    placement::Placement,
    run::Near,
    scenario::{LARGE, MIDDLE, SMALL, Work},
    side::Side,
};

/// One target: ours in times of theirs.
struct Target {
    work: Work,
    ours: Side,
    theirs: Side,
    promise: Promise,
}

impl Near {
    /// The verdict on each target. What was not measured says why.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let verdict = |target: Target| {
            let ratio = self.ratio(target.work, target.ours, target.theirs);
            let sides = [target.ours, target.theirs];
            match self.reason(target.work, &sides) {
                Some(reason) if !ratio.is_known() => target.promise.missing(reason),
                _ => target.promise.verdict(&ratio),
            }
        };
        let targets = targets().into_iter().map(verdict);
        targets.chain(self.beside_verdicts()).collect()
    }

    /// Why one of these has no figure there.
    pub(crate) fn reason(&self, work: Work, sides: &[Side]) -> Option<&str> {
        let mut missing = self.missing.iter();
        let reason = |missing: &&Missing| missing.explains(work, sides);
        missing.find(reason).map(|missing| missing.reason.as_str())
    }
}

/// Those that hold on both runtimes, in words that name the runtime.
macro_rules! on_both {
    ($runtime:expr, $name:literal) => {{
        let small = |in_flight| Work::new($runtime, SMALL, in_flight);
        let alone = small(1).on(Placement::Apart);
        let middle = Work::new($runtime, MIDDLE, 64);
        let large = Work::new($runtime, LARGE, 8);
        [
            at_least(
                small(256),
                MUX,
                0.8,
                concat!("× bare QUIC mux: 64 B, c=256, ", $name),
            ),
            at_least(
                small(1024),
                MUX,
                0.8,
                concat!("× bare QUIC mux: 64 B, c=1024, ", $name),
            ),
            at_most(
                alone,
                UDP,
                1.15,
                concat!("× bare UDP: 64 B, c=1, a core each, ", $name),
            ),
            at_least(middle, TONIC, 1.5, concat!("× tonic: 8 KiB, c=64, ", $name)),
            at_least(middle, IRPC, 1.2, concat!("× irpc: 8 KiB, c=64, ", $name)),
            at_least(
                middle,
                MUX,
                0.95,
                concat!("× bare QUIC mux: 8 KiB, c=64, ", $name),
            ),
            at_least(
                large,
                Side::BestBare,
                1.0,
                concat!("× best bare QUIC: 1 MB, c=8, ", $name),
            ),
            at_least(large, IRPC, 2.0, concat!("× irpc: 1 MB, c=8, ", $name)),
            at_least(large, TONIC, 0.8, concat!("× tonic: 1 MB, c=8, ", $name)),
            plain(
                middle,
                concat!("× as Bytes, for Vec<u8>: 8 KiB, c=64, ", $name),
            ),
            plain(
                large,
                concat!("× as Bytes, for Vec<u8>: 1 MB, c=8, ", $name),
            ),
        ]
    }};
}

fn targets() -> Vec<Target> {
    let many = Work::new(Runtime::TwoWorkers, SMALL, 256);
    let most = Work::new(Runtime::CurrentThread, SMALL, 1024);
    let best = "× the best peer: 64 B, c=1024, current-thread";
    let against = |peer, ratio, what| at_least(many, Side::Bytes(peer), ratio, what);
    let mut targets = vec![
        against(
            Peer::Tarpc,
            2.0,
            "× tarpc in the clear: 64 B, c=256, two-workers",
        ),
        against(Peer::Irpc, 3.0, "× irpc: 64 B, c=256, two-workers"),
        against(Peer::Erpc, 4.0, "× erpc: 64 B, c=256, two-workers"),
        against(Peer::Tonic, 7.0, "× tonic: 64 B, c=256, two-workers"),
        at_least(most, Side::BestFramework, 2.0, best),
    ];
    targets.extend(on_both!(Runtime::TwoWorkers, "two-workers"));
    targets.extend(on_both!(Runtime::CurrentThread, "current-thread"));
    targets
}

fn at_least(work: Work, theirs: Side, ratio: f64, what: &'static str) -> Target {
    Target {
        work,
        ours: Side::OURS,
        theirs,
        promise: Promise::at_least(ratio, what),
    }
}

fn at_most(work: Work, theirs: Side, ratio: f64, what: &'static str) -> Target {
    Target {
        promise: Promise::at_most(ratio, what),
        ..at_least(work, theirs, ratio, what)
    }
}

fn plain(work: Work, what: &'static str) -> Target {
    Target {
        ours: Side::Plain(Peer::FlyRpc),
        ..at_least(work, Side::OURS, 0.5, what)
    }
}

const MUX: Side = Side::Bytes(Peer::QuicMux);
const UDP: Side = Side::Bytes(Peer::Udp);
const TONIC: Side = Side::Bytes(Peer::Tonic);
const IRPC: Side = Side::Bytes(Peer::Irpc);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::scenarios;

    #[test]
    fn the_short_form_measures_what_every_target_is_about() {
        for target in targets() {
            let all = scenarios(target.work.runtime, false);
            let scenario = all.iter().find(|one| one.work == target.work);
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
