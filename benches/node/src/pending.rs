//! A hundred thousand calls that await an answer at one time: what each holds at either end.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use anyhow::Context;
use fly_rpc::{ClusterSecret, Limits, Target, region_rpc};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    crowd::{HUB, SOON, member},
    process::Process,
    roles::obey,
};

/// What pending calls cost.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// Calls at the end.
    pub calls: usize,
    /// Bytes that each holds where it is served, its function included.
    pub served: f64,
    /// Bytes that each holds where it was made, its task included.
    pub made: f64,
    /// Seconds until all of them were being served.
    pub filling: f64,
    /// Seconds until all of them were answered, once they could be.
    pub emptying: f64,
}

pub(crate) async fn measure() -> anyhow::Result<Pending> {
    let secret = ClusterSecret::generate().reveal();
    let mut server = Process::play("server", &[&secret]).await?;
    let address = server.greeting.clone();
    let mut caller = Process::play("caller", &[&address, &secret]).await?;
    let mut fill = async |from: usize, to: usize| -> anyhow::Result<(f64, f64)> {
        caller.ask(&(to - from).to_string()).await?;
        server.ask(&to.to_string()).await?;
        Ok((server.resident()?, caller.resident()?))
    };
    let few = fill(0, FEW).await?;
    let begun = Instant::now();
    let many = fill(FEW, MANY).await?;
    let filling = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    server.ask("open").await?;
    let answered: usize = caller.ask("all").await?.parse()?;
    anyhow::ensure!(answered == MANY, "{answered} of {MANY} calls were answered");
    let per = |few: f64, many: f64| (many - few) / (MANY - FEW) as f64;
    Ok(Pending {
        calls: MANY,
        served: per(few.0, many.0),
        made: per(few.1, many.1),
        filling,
        emptying: begun.elapsed().as_secs_f64(),
    })
}

/// Holds calls back until it is opened. Not a state of the node: every other node of the program
/// would have to provide it.
struct Gate {
    waiting: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

static GATE: LazyLock<Gate> = LazyLock::new(|| Gate {
    waiting: watch::Sender::new(0),
    open: watch::Sender::new(false),
});

/// Waits until the gate opens.
#[region_rpc(@primary)]
async fn pass(number: u64) -> u64 {
    GATE.waiting.send_modify(|waiting| *waiting += 1);
    // The sender lives as long as the program.
    let _ = GATE.open.subscribe().wait_for(|open| *open).await;
    number
}

/// The node where the calls wait.
pub(crate) async fn server(secret: &str) -> anyhow::Result<()> {
    let mut waiting = GATE.waiting.subscribe();
    let node = member(secret)?.region(HUB).limits(limits()).start().await?;
    println!("{}", node.local_addr());
    obey(async |line| {
        match line.parse::<usize>() {
            Ok(count) => {
                waiting.wait_for(|waiting| *waiting >= count).await?;
            }
            Err(_open) => {
                GATE.open.send_replace(true);
            }
        }
        Ok("done".to_owned())
    })
    .await
}

/// The node that makes them.
pub(crate) async fn caller(address: &str, secret: &str) -> anyhow::Result<()> {
    let builder = member(secret)?.peers([address]).limits(limits());
    let node = builder.start().await?;
    node.wait_for(Target::Primary, SOON).await?;
    println!("ready");
    let mut calls = JoinSet::new();
    obey(async |line| {
        if let Ok(more) = line.parse::<u64>() {
            for number in 0..more {
                calls.spawn(async move { pass_on_primary(number).timeout(LONG).await });
            }
            return Ok("sent".to_owned());
        }
        let mut answered = 0;
        while let Some(call) = calls.join_next().await {
            call?.context("a call that waited")?;
            answered += 1;
        }
        Ok(answered.to_string())
    })
    .await
}

/// What must be raised for so many: calls that one connection, one peer and one node may have.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.pending_calls = 2 * MANY;
    limits.handlers = 2 * MANY;
    limits.handlers_per_peer = 2 * MANY;
    limits
}

/// Calls with which the memory is first taken.
const FEW: usize = 10_000;
const MANY: usize = 100_000;
const LONG: Duration = Duration::from_secs(200);
