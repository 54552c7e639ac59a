//! Choosing a node, by how many are known.

use std::{hint::black_box, time::Instant};

use bench_figures::{Effort, Figure};
use fly_rpc::{
    Target,
    bench::{Choices, region},
};

/// What one choice costs.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// Nodes that are known.
    pub nodes: usize,
    /// Where the call goes.
    pub target: Target,
    /// Nanoseconds of one choice.
    pub nanos: Figure,
}

pub(crate) fn measure(effort: Effort) -> Vec<Resolution> {
    let sizes: &[usize] = if effort.whole { &SIZES } else { &SIZES[2..] };
    let mut all = Vec::new();
    for nodes in sizes.iter().copied() {
        let choices = Choices::new(nodes);
        for target in [
            Target::Primary,
            Target::Region(region(2)),
            Target::Any,
            Target::Nearest,
        ] {
            let nanos = Figure::of((0..effort.rounds).map(|_| turn(&choices, &target)));
            all.push(Resolution {
                nodes,
                target,
                nanos,
            });
        }
    }
    all
}

/// Nanoseconds of one choice, over at least [`CHOICES`] choices or [`TURN`] of them.
fn turn(choices: &Choices, target: &Target) -> f64 {
    let begun = Instant::now();
    let mut made = 0_u32;
    while made < CHOICES || begun.elapsed().as_millis() < TURN {
        for _ in 0..CHOICES {
            black_box(choices.choose(black_box(target)));
        }
        made += CHOICES;
    }
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(made)
}

/// Nodes that are known.
pub(crate) const SIZES: [usize; 3] = [10, 1_000, 10_000];
/// Choices between two looks at the clock.
const CHOICES: u32 = 64;
/// Milliseconds of one turn.
const TURN: u128 = 20;
