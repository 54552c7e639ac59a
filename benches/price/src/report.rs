//! What the builds say: tables of what was built, and of what one function costs.

use std::fmt;

use bench_figures::{Axis, Figure, Lines, Table};

use crate::{measure::SIZES, project::Profile, source::Variant};

/// One program, built some times.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What was done to its functions.
    pub variant: Variant,
    /// How many it has.
    pub functions: usize,
    /// How it was built.
    pub profile: Profile,
    /// Seconds that a build took, dependencies built before.
    pub seconds: Figure,
    /// Bytes of the binary.
    pub size: u64,
    /// Bytes without symbols, if they could be removed.
    pub stripped: Option<u64>,
}

/// All of them. Shown as tables.
#[derive(Clone, Debug, Default)]
pub struct Price {
    /// What was built, in the order in which it was.
    pub cells: Vec<Cell>,
}

/// What one more function costs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slope {
    millis: f64,
    bytes: f64,
    stripped: f64,
}

impl Price {
    /// Build time against functions, one line for each variant and profile.
    pub fn plot(&self) -> String {
        let across = Axis::log("functions");
        let mut lines = Lines::new("Building a program", across, Axis::log("seconds"));
        for profile in Profile::ALL {
            for variant in Variant::ALL {
                let points = SIZES.iter().filter_map(|functions| {
                    let cell = self.cell(variant, *functions, profile)?;
                    Some((*functions as f64, cell.seconds.median))
                });
                let name = format!("{}, {}", variant.name(), profile.name());
                lines = lines.line(name, points);
            }
        }
        lines.draw()
    }

    pub(crate) fn cell(
        &self,
        variant: Variant,
        functions: usize,
        profile: Profile,
    ) -> Option<&Cell> {
        self.cells.iter().find(|cell| {
            (cell.variant, cell.functions, cell.profile) == (variant, functions, profile)
        })
    }

    /// Between the smallest and the largest program of both kinds that were built.
    fn slope(&self, variant: Variant, profile: Profile) -> Option<Slope> {
        let of = |functions: &usize| self.cell(variant, *functions, profile);
        let small = SIZES.iter().find_map(of)?;
        let large = SIZES.iter().rev().find_map(of)?;
        let more = (large.functions - small.functions) as f64;
        let stripped = |cell: &Cell| cell.stripped.map_or(f64::NAN, |size| size as f64);
        (more > 0.0).then(|| Slope {
            millis: (large.seconds.median - small.seconds.median) * 1e3 / more,
            bytes: (large.size as f64 - small.size as f64) / more,
            stripped: (stripped(large) - stripped(small)) / more,
        })
    }

    fn builds(&self) -> Table {
        let head = [
            "functions",
            "profile",
            "variant",
            "seconds",
            "binary, KiB",
            "stripped, KiB",
        ];
        let mut table = Table::new(head)
            .align(1, bench_figures::Align::Left)
            .align(2, bench_figures::Align::Left);
        for cell in &self.cells {
            table.row([
                cell.functions.to_string(),
                cell.profile.name().to_owned(),
                cell.variant.name().to_owned(),
                cell.seconds.to_string(),
                (cell.size / KIB).to_string(),
                cell.stripped
                    .map_or("–".to_owned(), |size| (size / KIB).to_string()),
            ]);
        }
        table
    }

    fn slopes(&self) -> Table {
        let head = [
            "one function more",
            "profile",
            "ms",
            "bytes",
            "bytes, stripped",
        ];
        let mut table = Table::new(head).align(1, bench_figures::Align::Left);
        for profile in Profile::ALL {
            let slopes = Variant::ALL.map(|variant| (variant, self.slope(variant, profile)));
            let plain = slopes[0].1;
            for (variant, slope) in slopes {
                let Some(Slope {
                    millis,
                    bytes,
                    stripped,
                }) = slope
                else {
                    continue;
                };
                let numbers = [
                    format!("{millis:.1}"),
                    format!("{bytes:.0}"),
                    format!("{stripped:.0}"),
                ];
                let name = [variant.name().to_owned(), profile.name().to_owned()];
                table.row(name.into_iter().chain(numbers));
            }
            for (variant, slope) in slopes.into_iter().skip(1) {
                let (Some(slope), Some(plain)) = (slope, plain) else {
                    continue;
                };
                table.row([
                    format!("{}, beyond plain", variant.name()),
                    profile.name().to_owned(),
                    format!("{:.1}", slope.millis - plain.millis),
                    format!("{:.0}", slope.bytes - plain.bytes),
                    format!("{:.0}", slope.stripped - plain.stripped),
                ]);
            }
        }
        table
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cells.is_empty() {
            return writeln!(f, "(the short form builds nothing)");
        }
        writeln!(f, "{}\n{}", self.builds(), self.slopes())
    }
}

const KIB: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paid_once_is_not_in_the_slope() {
        let cell = |variant, functions, seconds, size| Cell {
            variant,
            functions,
            profile: Profile::Debug,
            seconds: Figure::once(seconds),
            size,
            stripped: None,
        };
        let price = Price {
            cells: vec![
                cell(Variant::Plain, 10, 1.0, 1_000_000),
                cell(Variant::Plain, 1_000, 1.99, 1_099_000),
                cell(Variant::Served, 10, 1.5, 2_000_000),
                cell(Variant::Served, 1_000, 6.45, 3_980_000),
            ],
        };
        let slope = price
            .slope(Variant::Served, Profile::Debug)
            .expect("two sizes");
        assert!((slope.millis - 5.0).abs() < 1e-9 && (slope.bytes - 2000.0).abs() < 1e-9);
        let text = price.to_string();
        assert!(
            text.contains("annotated, beyond plain") && text.contains("4.0"),
            "{text}"
        );
        assert!(!text.contains("release"), "{text}");
    }
}
