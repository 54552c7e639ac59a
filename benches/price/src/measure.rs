//! The builds, in turns, within a bound of time.

use std::time::{Duration, Instant};

use bench_figures::{Effort, Figure};

use crate::{
    project::{Profile, Project},
    report::{Cell, Price},
    source::{Variant, program},
};

/// Builds everything, in turns; the largest programs only if there is time. The short form has nothing
/// to say: no promise is about this.
///
/// # Errors
/// The compiler's words, and the file system's.
pub async fn measure(effort: Effort) -> anyhow::Result<Price> {
    let mut price = Price::default();
    if !effort.whole {
        return Ok(price);
    }
    let project = Project::new("price")?;
    let begun = Instant::now();
    for profile in Profile::ALL {
        project.write(&program(Variant::Called, 10))?;
        project.prepare(profile).await?;
    }
    let prepared = begun.elapsed();
    let (largest, most) = match effort.slow {
        true => (SIZES[2], MOST_WITH_THE_LARGEST),
        false => (SIZES[1], MOST),
    };
    for functions in SIZES.into_iter().filter(|size| *size <= largest) {
        for profile in Profile::ALL {
            // The small ones are quick and need more rounds to tell them from noise.
            let rounds = if functions == SIZES[0] {
                ROUNDS.min(effort.rounds)
            } else {
                1
            };
            let mut builds: Vec<(Variant, Vec<f64>, u64, Option<u64>)> = Variant::ALL
                .map(|variant| (variant, Vec::new(), 0, None))
                .into();
            for _ in 0..rounds {
                for (variant, seconds, size, stripped) in &mut builds {
                    let smaller = price.cell(*variant, functions / GROWTH, profile);
                    let expected = match smaller {
                        Some(cell) => cell.seconds.median * GROWTH as f64,
                        None if functions == SIZES[0] => 0.0,
                        // What was too slow with fewer is no quicker with more.
                        None => continue,
                    };
                    let spent = (begun.elapsed() - prepared).as_secs_f64();
                    if spent + expected > most.as_secs_f64() {
                        continue;
                    }
                    project.write(&program(*variant, functions))?;
                    let built = project.rebuild(profile).await?;
                    seconds.push(built.took.as_secs_f64());
                    (*size, *stripped) = (built.size, built.stripped);
                }
            }
            for (variant, seconds, size, stripped) in builds {
                if !seconds.is_empty() {
                    price.cells.push(Cell {
                        variant,
                        functions,
                        profile,
                        seconds: Figure::of(seconds),
                        size,
                        stripped,
                    });
                }
            }
        }
    }
    Ok(price)
}

/// Functions in the programs.
pub(crate) const SIZES: [usize; 3] = [10, GROWTH * 10, GROWTH * GROWTH * 10];
/// How many times as many each next one has.
const GROWTH: usize = 10;
/// Builds of each.
const ROUNDS: usize = 3;
/// Time beyond which no build is expected to last, preparation apart: what was not built is missing
/// from the tables.
const MOST: Duration = Duration::from_secs(10 * 60);
/// The same where the largest programs are built as well.
const MOST_WITH_THE_LARGEST: Duration = Duration::from_secs(60 * 60);
