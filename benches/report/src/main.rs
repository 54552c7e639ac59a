//! `bench`: the one command that repeats every table of `BENCHMARKS.md`, or shows in a few minutes
//! which targets are kept.
//!
//! Every process that takes part in a measurement is this program, started once more.

mod document;
mod machine;
mod section;

use std::{env, time::Instant};

use anyhow::{Context, bail};
use bench_figures::Effort;

use crate::{
    document::Document,
    section::{Found, Section},
};

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
        ["short", ref names @ ..] => short(&named(names)?),
        ["smoke", ref names @ ..] => {
            // Everything is tried, and nothing is worth keeping.
            let effort = Effort {
                whole: true,
                ..Effort::smoke()
            };
            whole(Document::for_trial()?, &named(names)?, effort)
        }
        ["all", ref names @ ..] => whole(Document::open()?, &named(names)?, Effort::long()),
        [] => bail!(USAGE),
        ref names => whole(Document::open()?, &named(names)?, Effort::thorough()),
    }
}

/// These parts, or all of them if none is named.
fn named(names: &[&str]) -> anyhow::Result<Vec<Section>> {
    if names.is_empty() {
        return Ok(Section::ALL.to_vec());
    }
    let find = |name: &&str| {
        let mut all = Section::ALL.into_iter();
        let section = all.find(|section| section.name() == *name);
        section.with_context(|| format!("there is no part {name:?}: {USAGE}"))
    };
    names.iter().map(find).collect()
}

/// The targets alone, printed.
fn short(sections: &[Section]) -> anyhow::Result<()> {
    let measure = |section: &Section| measured(*section, Effort::short());
    let found: Vec<_> = sections.iter().map(measure).collect();
    println!("{}", section::targets(&found));
    for note in found.iter().flat_map(|one| &one.notes) {
        println!("- {note}");
    }
    Ok(())
}

/// These sections as a whole, printed and written down.
fn whole(mut document: Document, sections: &[Section], effort: Effort) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for section in sections {
        let found = measured(*section, effort);
        println!("{}", found.text);
        document.replace(section.name(), &found.text)?;
        document.draw(&found.plots)?;
        // What is measured is not lost with what is not.
        document.save()?;
        all.push(found);
    }
    let targets = section::targets(&all);
    println!("{targets}");
    document.replace("machine", &machine::description())?;
    // No target is about the price.
    if sections.starts_with(&[Section::Near, Section::Far, Section::Node]) {
        document.replace("targets", &targets.to_string())?;
        document.replace("losses", &section::losses(&all))?;
    }
    document.save()
}

fn measured(section: Section, effort: Effort) -> Found {
    let begun = Instant::now();
    let found = section.measure(effort);
    let took = begun.elapsed().as_secs();
    eprintln!("{}: {took} s", section.name());
    found
}

const USAGE: &str = "bench all [PART…] | PART… | short [PART…] | smoke [PART…], where a PART is near, far, node or price";
