//! What goes wrong in a run, drawn by chance.

use std::time::Duration;

use fly_rpc::testing::{Conditions, Host, Randomness, Skew};

use crate::fleet::{Fleet, below};

/// The weather of a whole run.
pub(crate) fn weather(chance: &Randomness) -> Conditions {
    // A third of the runs is calm, so that the other faults are seen alone as well.
    let scale = |most: f64| {
        if below(chance, 3) == 0 {
            0.0
        } else {
            most * chance.fraction()
        }
    };
    let (loss, duplication) = (scale(0.3), scale(0.5));
    let (reordering, corruption) = (scale(0.3), scale(0.1));
    Conditions {
        delay: Duration::from_millis(1 + below(chance, 60)),
        jitter: Duration::from_millis(below(chance, 40)),
        loss,
        duplication,
        reordering,
        corruption,
        rate: (below(chance, 6) == 0).then(|| 30_000 + below(chance, 1_000_000)),
        mtu: if below(chance, 6) == 0 { 1_200 } else { 1_452 },
    }
}

/// Lets one thing go wrong, or end.
pub(crate) async fn strike(fleet: &mut Fleet, chance: &Randomness) {
    let machines = fleet.machines.len();
    let one = below(chance, machines as u64) as usize;
    let other = (one + 1 + below(chance, machines as u64 - 1) as usize) % machines;
    let hosts: Vec<Host> = fleet.machines.iter().map(|m| m.host.clone()).collect();
    let (from, to) = (&hosts[one], &hosts[other]);
    match below(chance, 14) {
        0 => fleet.network.cut(from, to),
        1 => fleet.network.partition(&[from, to]),
        2 => fleet.network.partition(&[from]),
        3 => fleet.network.clog(from, to),
        4 => fleet.network.unclog(from, to),
        5 => from.pause(),
        6 => from.resume(),
        // Only the last machine moves: it dials the others, who would otherwise not know where each
        // of two is.
        7 => {
            hosts[machines - 1].change_address();
        }
        8 => fleet.crash(one),
        // A restart on the same machine, after a crash or in place of what runs.
        9 => {
            fleet.crash(one);
            fleet.machines[one].new_build = below(chance, 2) == 0;
            fleet.start(one).await;
        }
        10 => {
            fleet.stop(one).await;
            from.set_clock(skew(chance));
            fleet.start(one).await;
        }
        11 => fleet.network.set_conditions(weather(chance)),
        12 => fleet.network.set_path(from, to, weather(chance)),
        _ => fleet.network.heal(),
    }
}

/// A clock that is wrong by up to an hour.
fn skew(chance: &Randomness) -> Skew {
    let by = Duration::from_secs(below(chance, 3_600));
    if below(chance, 2) == 0 {
        Skew::Ahead(by)
    } else {
        Skew::Behind(by)
    }
}
