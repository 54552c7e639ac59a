//! `bench`: the one command that repeats every table of `BENCHMARKS.md`, or shows in a few minutes
//! which targets are kept.
//!
//! Every process that takes part in a measurement is this program, started once more.

mod document;
mod local;
mod machine;
mod section;

use std::env;

use anyhow::{Context, bail};
use bench_figures::Effort;

use crate::{document::Document, section::Section};

fn main() -> anyhow::Result<()> {
    if bench_near::serve_if_asked()?
        || bench_far::take_part_if_asked()?
        || bench_node::play_if_asked()?
    {
        return Ok(());
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["short"] => short(&Section::ALL),
        ["short", ref names @ ..] => short(&named(names)?),
        ["all"] => whole(&Section::ALL),
        [] => bail!(USAGE),
        ref names => whole(&named(names)?),
    }
}

fn named(names: &[&str]) -> anyhow::Result<Vec<Section>> {
    let find = |name: &&str| {
        let mut all = Section::ALL.into_iter();
        let section = all.find(|section| section.name() == *name);
        section.with_context(|| format!("there is no part {name:?}: {USAGE}"))
    };
    names.iter().map(find).collect()
}

/// The targets alone, printed.
fn short(sections: &[Section]) -> anyhow::Result<()> {
    let measure = |section: &Section| section.measure(Effort::short());
    let found: Vec<_> = sections.iter().map(measure).collect();
    println!("{}", section::targets(&found));
    for note in found.iter().flat_map(|one| &one.notes) {
        println!("- {note}");
    }
    Ok(())
}

/// These sections as a whole, printed and written down.
fn whole(sections: &[Section]) -> anyhow::Result<()> {
    let mut document = Document::open()?;
    let mut all = Vec::new();
    for section in sections {
        let found = section.measure(Effort::long());
        println!("{}", found.text);
        document.replace(section.name(), &found.text)?;
        document.draw(&found.plots)?;
        all.push(found);
    }
    let targets = section::targets(&all);
    println!("{targets}");
    if sections.len() == Section::ALL.len() {
        document.replace("targets", &targets.to_string())?;
        document.replace("machine", &machine::description())?;
    }
    document.save()
}

const USAGE: &str = "bench short [PART…] | all | PART…, where a PART is near, far, node or price";
