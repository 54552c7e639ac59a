//! `cargo run --release -p bench-node --bin choice`: policies of choosing a node against a random
//! choice, each on the same simulated load. Prints the table of FLEET.md.
//!
//! The load is a model: nodes with four workers, callers that remember for themselves, and a seed
//! from which everything follows. What chooses is the code that chooses for real calls.

use std::time::Duration;

use fly_rpc::bench::model::{Fault, Load, Policy, Site, Tally, run};

fn main() {
    println!("| what is wrong | policy | median | p99 | p99.9 | failed | calls to those nodes |");
    println!("|---|---|---|---|---|---|---|");
    for scenario in scenarios() {
        for (policy, name) in POLICIES {
            let tallies = SEEDS.map(|seed| run(&scenario.load, policy, seed));
            println!(
                "| {} | {name} | {} |",
                scenario.name,
                cells(&scenario, tallies)
            );
        }
    }
}

struct Scenario {
    name: &'static str,
    load: Load,
    /// How many of the nodes, the first ones, something is wrong with.
    faulty: usize,
}

fn scenarios() -> Vec<Scenario> {
    let far = |millis| Site {
        round_trip: Duration::from_millis(millis),
        ..Site::default()
    };
    let mut regions = scenario(
        "nothing; 3 nodes are 30 ms away and 3 are 150 ms",
        &[],
        RATE,
    );
    for (site, millis) in regions
        .load
        .sites
        .iter_mut()
        .zip([30, 30, 30, 150, 150, 150])
    {
        *site = far(millis);
    }
    regions.faulty = 6;
    let mut mixed = scenario(
        "nothing; one call in 50 takes 50 times as long",
        &[],
        1_000.0,
    );
    mixed.load.heavy = (0.02, 50.0);
    vec![
        scenario("nothing", &[], RATE),
        scenario("nothing, at 90 % of what they can do", &[], 3_600.0),
        scenario("one takes three times as long", &[Fault::Slow(3.0)], RATE),
        scenario(
            "one takes three times as long, at 80 %",
            &[Fault::Slow(3.0)],
            3_000.0,
        ),
        regions,
        mixed,
        scenario("one loses every call at once", &[Fault::Fails(1.0)], RATE),
        scenario(
            "one loses every second call at once",
            &[Fault::Fails(0.5)],
            RATE,
        ),
        scenario("one never answers", &[Fault::Silent], RATE),
        scenario("one refuses every call at once", &[Fault::Refuses], RATE),
        scenario(
            "two stand still for 5 s of 60",
            &[Fault::Pauses(20.0, 25.0); 2],
            RATE,
        ),
        scenario(
            "five lose every call for 10 s of 60",
            &[Fault::Breaks(20.0, 30.0); 5],
            1_000.0,
        ),
        scenario(
            "all lose every call for 10 s of 60",
            &[Fault::Breaks(20.0, 30.0); 10],
            1_000.0,
        ),
    ]
}

fn scenario(name: &'static str, faults: &[Fault], rate: f64) -> Scenario {
    let mut sites = vec![Site::default(); 10];
    for (site, fault) in sites.iter_mut().zip(faults) {
        site.fault = *fault;
    }
    Scenario {
        name,
        faulty: faults.len(),
        load: Load {
            sites,
            callers: 10,
            rate,
            service: Duration::from_millis(10),
            exact: false,
            heavy: (0.0, 1.0),
            workers: 4,
            lasts: Duration::from_secs(60),
            timeout: Duration::from_secs(5),
        },
    }
}

/// The median over the seeds.
fn cells(scenario: &Scenario, tallies: [Tally; SEEDS.len()]) -> String {
    let middle = |of: &dyn Fn(&Tally) -> f64| {
        let mut values: Vec<f64> = tallies.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let quantile = |share| {
        let millis = middle(&|tally| tally.quantile(share).as_secs_f64() * 1e3);
        format!("{millis:.1} ms")
    };
    let failed = format!("{:.2} %", middle(&Tally::failures) * 100.0);
    let faulty = middle(&|tally| tally.share_of_first(scenario.faulty)) * 100.0;
    let faulty = if scenario.faulty == 0 {
        "-".to_owned()
    } else {
        format!("{faulty:.1} %")
    };
    [
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        failed,
        faulty,
    ]
    .join(" | ")
}

const POLICIES: [(Policy, &str); 3] = [
    (Policy::Random, "random"),
    (Policy::Distance, "two choices, no memory"),
    (Policy::Fly, "fly-rpc"),
];
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// Half of what ten nodes with four workers can do in a second.
const RATE: f64 = 2_000.0;
