//! A deploy under traffic, with real processes: nothing is lost, nothing runs twice, and nobody gets a wrong answer.
//!
//! Six processes of an old build, two in each of three regions, are replaced one by one by a new build; then two are
//! killed. Callers write down what they were told, callees what they did, and both are compared at the end.

#![cfg(unix)]

use std::{fs, path::PathBuf, process};

use fly_rpc::Executed;
use fly_rpc_tests::{
    fleet::{Build, Chapter, Fleet, Machine, Region},
    history::{History, Outcome, Record, Story, Table, each},
};
use tokio::sync::Mutex;

#[tokio::test]
async fn a_deploy_under_traffic_loses_nothing_and_runs_nothing_twice() -> anyhow::Result<()> {
    deploy(false).await
}

#[tokio::test]
async fn nor_does_one_of_nodes_that_gossip() -> anyhow::Result<()> {
    deploy(true).await
}

async fn deploy(gossip: bool) -> anyhow::Result<()> {
    // Each deploy takes what two cores have.
    static ALONE: Mutex<()> = Mutex::const_new(());
    let _alone = ALONE.lock().await;
    let directory = empty_directory()?;

    let mut fleet = Fleet::start(directory.clone(), binary, &MACHINES, gossip).await?;
    fleet.steady(Chapter::AllOld).await?;
    for machine in MACHINES {
        fleet.replace(machine, Build::New).await?;
        fleet.steady(Chapter::Replacement).await?;
    }
    fleet.steady(Chapter::AllNew).await?;
    let forgotten = fleet.kill(&KILLED).await?;
    fleet.steady(Chapter::Afterwards).await?;
    let phases = fleet.rest().await?;

    let history = History::read(&directory)?;
    let story = Story::of(&history, &phases);
    println!("{}", Table::of(story));
    println!("{} calls were recorded", story.calls().count());
    println!("nobody was connected to the dead {forgotten:.1?} after the kills");

    no_call_runs_twice(story);
    an_acknowledged_call_ran_once_and_to_its_end(story);
    a_call_that_is_said_not_to_have_run_did_not(story);
    nobody_gets_a_wrong_value(story);
    only_the_dead_do_not_hear_of_their_calls(story);
    a_function_of_both_builds_never_fails_before_the_kills(story);
    a_new_function_is_there_when_a_new_node_is(story);
    a_dropped_function_is_there_while_an_old_node_is(story);
    an_older_version_answers_until_the_newer_can(story);
    a_careless_change_is_answered_by_the_same_build_or_refused(story);
    a_refusal_is_quicker_than_an_answer(story);
    what_a_kill_breaks_is_unknown_or_did_not_run(story);
    all_traffic_succeeds_once_the_dead_are_forgotten(story);

    // Kept when something is wrong: the journals tell what.
    fs::remove_dir_all(&directory)?;
    Ok(())
}

fn no_call_runs_twice(story: Story<'_>) {
    each("does not run twice", story.calls(), |call| {
        call.runs.len() <= 1
    });
}

fn an_acknowledged_call_ran_once_and_to_its_end(story: Story<'_>) {
    let acknowledged = story.calls().filter(|call| call.is_right());
    each(
        "ran once and to its end",
        acknowledged,
        |call| matches!(call.runs.as_slice(), [run] if run.ended),
    );
}

fn a_call_that_is_said_not_to_have_run_did_not(story: Story<'_>) {
    let denied = story.calls().filter(|call| call.did_not_run());
    each("did not run", denied, |call| call.runs.is_empty());
}

fn nobody_gets_a_wrong_value(story: Story<'_>) {
    each("is not wrong", story.calls(), |call| {
        call.outcome() != Some(&Outcome::Wrong)
    });
}

fn only_the_dead_do_not_hear_of_their_calls(story: Story<'_>) {
    let dead = KILLED.map(number_of_the_new_process);
    let of_the_living = story
        .calls()
        .filter(|call| !dead.contains(&call.call.process));
    each("is heard of", of_the_living, |call| call.settled.is_some());
}

fn a_function_of_both_builds_never_fails_before_the_kills(story: Story<'_>) {
    for name in ["place_order", "read_stock", "check_out", "settle", "ship"] {
        each(
            "succeeds",
            story.settled_before(Chapter::Killed, name),
            Record::is_right,
        );
    }
}

fn a_new_function_is_there_when_a_new_node_is(story: Story<'_>) {
    is_there_when_a_node_is(story, "refund", Build::New);
}

fn a_dropped_function_is_there_while_an_old_node_is(story: Story<'_>) {
    is_there_when_a_node_is(story, "gift_wrap", Build::Old);
}

/// A function of one build only: calls succeed where that build runs, and are refused elsewhere before anything is sent.
/// While that changes they may do either, and nothing else.
fn is_there_when_a_node_is(story: Story<'_>, name: &str, build: Build) {
    let (there, elsewhere) =
        story.steady_by_whether(name, |phase, region, _| phase.has(region, build));
    each("succeeds", there, Record::is_right);
    each("is unavailable at once", elsewhere, |call| {
        call.is_refused_at_once("FunctionUnavailable")
    });
    each(
        "succeeds or does not run",
        story.settled_before(Chapter::Killed, name),
        |call| call.is_right() || call.did_not_run(),
    );
}

fn an_older_version_answers_until_the_newer_can(story: Story<'_>) {
    let (there, elsewhere) =
        story.steady_by_whether("ship", |phase, region, _| phase.has(region, Build::New));
    let with_a_fallback = |call: &&Record| call.function == "ship@2";
    each(
        "runs as version 2",
        there.into_iter().filter(with_a_fallback),
        |call| ran_as(call, "ship@2", Build::New),
    );
    each(
        "runs as version 1",
        elsewhere.into_iter().filter(with_a_fallback),
        |call| ran_as(call, "ship@1", Build::Old),
    );
}

/// The two builds mean different things by one name and version, and the bytes of one decode as the other.
fn a_careless_change_is_answered_by_the_same_build_or_refused(story: Story<'_>) {
    let (same, other) =
        story.steady_by_whether("price", |phase, region, call| phase.has(region, call.build));
    each("succeeds", same, Record::is_right);
    each("is a mismatch at once", other, |call| {
        call.is_refused_at_once("ContractMismatch")
    });
    each(
        "runs in its caller's build only",
        story.calls_of("price"),
        |call| call.runs.iter().all(|run| run.build == call.build),
    );
    each(
        "succeeds or does not run",
        story.settled_before(Chapter::Killed, "price"),
        |call| call.is_right() || call.did_not_run(),
    );
}

/// It waits for nobody, and the time shows it.
fn a_refusal_is_quicker_than_an_answer(story: Story<'_>) {
    let answered = story
        .calls()
        .filter(|call| call.target == "@elsewhere" && call.is_right());
    let refused = story
        .calls()
        .filter(|call| call.is_refused_at_once("FunctionUnavailable"));
    let (answer, refusal) = (median_micros(answered), median_micros(refused));
    println!("half of the refusals took less than {refusal} µs, half of the answers {answer} µs");
    assert!(refusal < answer);
}

fn what_a_kill_breaks_is_unknown_or_did_not_run(story: Story<'_>) {
    let broken = || {
        let told = story
            .calls()
            .filter(|call| call.settled.is_some() && !call.is_right());
        told.filter(move |call| story.settled_in(call) == Chapter::Killed)
    };
    each("is not said to have run", broken(), |call| {
        match call.outcome() {
            Some(Outcome::Failed { executed, .. }) => *executed != Executed::Yes,
            // It ran, and says that the call that it made itself was broken.
            Some(Outcome::Application) => call.name() == "check_out",
            // It was dropped with the call around it.
            Some(Outcome::Abandoned) => call.name() == "place_order",
            _ => false,
        }
    });
    assert!(
        broken().any(Record::may_have_run),
        "the kills broke no call: they show nothing"
    );
}

fn all_traffic_succeeds_once_the_dead_are_forgotten(story: Story<'_>) {
    let afterwards = story
        .calls()
        .filter(|call| story.made_in(call) == Chapter::Afterwards);
    each("succeeds", afterwards, Record::is_right);
}

fn ran_as(call: &Record, function: &str, build: Build) -> bool {
    call.is_right()
        && call
            .runs
            .iter()
            .all(|run| run.function == function && run.build == build)
}

fn median_micros<'a>(calls: impl Iterator<Item = &'a Record>) -> u64 {
    let mut micros: Vec<u64> = calls
        .filter_map(|call| Some(call.settled.as_ref()?.micros))
        .collect();
    micros.sort_unstable();
    micros[micros.len() / 2]
}

/// Processes are numbered from 1, in the order in which they are started: first the old ones, then the new ones.
fn number_of_the_new_process(machine: Machine) -> u32 {
    let place = MACHINES
        .iter()
        .position(|other| *other == machine)
        .expect("one of the machines");
    u32::try_from(MACHINES.len() + place + 1).expect("at most a dozen")
}

fn binary(build: Build) -> PathBuf {
    PathBuf::from(match build {
        Build::Old => env!("CARGO_BIN_EXE_rollout-old"),
        Build::New => env!("CARGO_BIN_EXE_rollout-new"),
    })
}

/// Where the journals are written, and where the nodes of this test, and no others, find each other.
fn empty_directory() -> anyhow::Result<PathBuf> {
    let directory =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("rollout-{}", process::id()));
    if directory.exists() {
        // Of a test that failed, in a process that had the same id.
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

const fn machine(name: &'static str, region: Region) -> Machine {
    Machine { name, region }
}

/// In the order in which they are replaced: first the whole of one region, so that whole regions differ; then one of
/// each of the others, so that regions are mixed.
const MACHINES: [Machine; 6] = [
    machine("lax-1", Region::Lax),
    machine("lax-2", Region::Lax),
    machine("syd-1", Region::Syd),
    machine("cdg-1", Region::Cdg),
    machine("syd-2", Region::Syd),
    machine("cdg-2", Region::Cdg),
];
/// One of the primary region and one other.
const KILLED: [Machine; 2] = [MACHINES[1], MACHINES[4]];
