//! The corpora that fuzzing has left behind, and bytes made up on the spot.

use std::{fs, path::Path};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::{certificate, frames, headers, hello, lane_events};

/// What each file of a corpus once did to a target, it does not do again.
#[test]
fn every_input_that_fuzzing_kept_is_harmless() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, target) in TARGETS {
        let inputs = fs::read_dir(corpora.join(name)).expect("a corpus");
        let run =
            inputs.map(|input| target(&fs::read(input.expect("a file").path()).expect("readable")));
        assert_ne!(run.count(), 0, "the corpus of {name} is empty");
    }
}

#[test]
fn no_bytes_are_harmful() {
    for (name, target) in TARGETS {
        // Certificates are signed, which takes its time.
        let cases = if name == "certificate" { 500 } else { 5_000 };
        always(cases, vec(any::<u8>(), 0..200), |bytes| target(&bytes));
    }
}

/// Events that are likely to be about calls, in numbers that a lane sees.
#[test]
fn a_lane_does_what_the_model_says_whatever_happens_in_whatever_order() {
    let soak = std::env::var_os("FLY_RPC_SOAK").is_some();
    let cases = if soak { 1_000_000 } else { 20_000 };
    let event = (0..14_u8, any::<[u8; 2]>());
    always(cases, vec(event, 0..60), |events| {
        let bytes: Vec<u8> = events
            .iter()
            .flat_map(|&(event, [low, high])| [event, low, high])
            .collect();
        lane_events(&bytes);
    });
}

fn always<S: Strategy>(cases: u32, inputs: S, run: impl Fn(S::Value)) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&inputs, |input| {
        run(input);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("frames", frames),
    ("headers", headers),
    ("hello", hello),
    ("certificate", certificate),
    ("lane_events", lane_events),
];
