//! A connected client of any peer, as a task that makes closed loops of calls when it is told to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use bench_figures::median_of;
use bench_peers::{Echo, Erlang, Payload, Peer, Visit, connect};
use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};

use crate::scenario::Work;

/// The task, from outside. It ends, and its connection with it, when this is dropped.
#[derive(Debug)]
pub(crate) struct Driver(mpsc::Sender<Job>);

/// A closed loop to be made.
struct Job {
    turn: Turn,
    reached: oneshot::Sender<anyhow::Result<f64>>,
}

/// One turn of one side.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// What every call sends.
    pub(crate) body: Bytes,
    /// Callers.
    pub(crate) in_flight: usize,
    /// How long calls are begun.
    pub(crate) window: Duration,
    /// What is made of the calls.
    pub(crate) measure: Measure,
    /// What is under way meanwhile, again and again.
    pub(crate) transfer: Option<Transfer>,
}

/// A large body on the connection of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Transfer {
    /// There and back.
    Echo,
    /// Back, in answer to a few bytes.
    Answer,
}

/// What the figure of a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Calls a second.
    Rate,
    /// The median call, in microseconds.
    Median,
    /// What only one call in a hundred exceeds, in microseconds.
    Tail,
}

impl Turn {
    /// For a cell of the tables.
    pub(crate) fn new(work: Work, window: Duration) -> Self {
        let measure = match work.is_latency() {
            true => Measure::Median,
            false => Measure::Rate,
        };
        Self {
            body: body(work.size),
            in_flight: work.in_flight,
            window,
            measure,
            transfer: None,
        }
    }
}

fn body(size: usize) -> Bytes {
    (0..=u8::MAX).cycle().take(size).collect()
}

impl Driver {
    /// Connects to the server with this line.
    pub(crate) async fn connect(
        peer: Peer,
        payload: Payload,
        server: &str,
    ) -> anyhow::Result<Self> {
        let (jobs, inbox) = mpsc::channel(1);
        let (connected, ready) = oneshot::channel();
        let visitor = Visitor { connected, inbox };
        let server = server.to_owned();
        let task = tokio::spawn(async move {
            match peer {
                Peer::Erpc => drive_erlang(&server, visitor).await,
                _ => connect(peer, payload, &server, visitor).await,
            }
        });
        let in_time = timeout(SOON, ready).await;
        if in_time.context("it does not connect in time")?.is_err() {
            task.await??;
        }
        Ok(Self(jobs))
    }

    /// Calls a second; with one caller the median call in microseconds.
    pub(crate) async fn turn(&self, turn: Turn) -> anyhow::Result<f64> {
        let (reached, outcome) = oneshot::channel();
        let gone = "its client has ended";
        self.0.send(Job { turn, reached }).await.context(gone)?;
        outcome.await.context(gone)?
    }
}

/// What the task does once it is connected.
struct Visitor {
    connected: oneshot::Sender<()>,
    inbox: mpsc::Receiver<Job>,
}

impl Visit for Visitor {
    type Output = ();

    async fn visit<C: Echo>(mut self, client: C) -> anyhow::Result<()> {
        let _ = self.connected.send(());
        while let Some(Job { turn, reached }) = self.inbox.recv().await {
            let turn = timeout(turn.window + TOO_LONG, closed_loop(&client, turn));
            let outcome = turn.await.context("calls hang");
            let _ = reached.send(outcome.flatten());
        }
        Ok(())
    }
}

async fn drive_erlang(server: &str, mut visitor: Visitor) -> anyhow::Result<()> {
    let mut erlang = Erlang::connect(server).await?;
    let _ = visitor.connected.send(());
    while let Some(Job { turn, reached }) = visitor.inbox.recv().await {
        let calls = erlang.turn(turn.body.len(), turn.in_flight, turn.window);
        let outcome = timeout(turn.window + TOO_LONG, calls).await;
        let outcome = outcome.context("calls hang").flatten();
        let figure = outcome.map(|turn| match turn.median {
            Some(median) => median.as_secs_f64() * 1e6,
            None => turn.calls as f64 / turn.took.as_secs_f64(),
        });
        let _ = reached.send(figure);
    }
    Ok(())
}

async fn closed_loop<C: Echo>(client: &C, turn: Turn) -> anyhow::Result<f64> {
    let is_over = Arc::<AtomicBool>::default();
    let transfers = turn.transfer.map(|transfer| {
        let (client, is_over) = (client.clone(), Arc::clone(&is_over));
        tokio::spawn(transfers(client, transfer, is_over))
    });
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..turn.in_flight {
        let (client, turn) = (client.clone(), turn.clone());
        callers.spawn(async move {
            match turn.measure {
                Measure::Rate => count_calls(&client, &turn, start).await,
                Measure::Median | Measure::Tail => time_calls(&client, &turn, start).await,
            }
        });
    }
    let mut calls = Calls::default();
    while let Some(caller) = callers.join_next().await {
        let more = caller??;
        calls.count += more.count;
        calls.timed.extend(more.timed);
    }
    let took = start.elapsed();
    is_over.store(true, Ordering::Relaxed);
    if let Some(transfers) = transfers {
        transfers.await??;
    }
    Ok(match turn.measure {
        Measure::Rate => calls.count as f64 / took.as_secs_f64(),
        Measure::Median => median_of(&mut calls.timed),
        Measure::Tail => tail_of(&mut calls.timed),
    })
}

/// What callers did.
#[derive(Debug, Default)]
struct Calls {
    count: usize,
    /// What each took, as far as they are timed.
    timed: Vec<Duration>,
}

async fn count_calls<C: Echo>(client: &C, turn: &Turn, start: Instant) -> anyhow::Result<Calls> {
    let mut calls = Calls::default();
    while start.elapsed() < turn.window {
        call(client, turn).await?;
        calls.count += 1;
    }
    Ok(calls)
}

async fn time_calls<C: Echo>(client: &C, turn: &Turn, start: Instant) -> anyhow::Result<Calls> {
    let mut timed = Vec::with_capacity(SAMPLES / turn.in_flight);
    while start.elapsed() < turn.window && timed.len() < timed.capacity() {
        let begun = Instant::now();
        call(client, turn).await?;
        timed.push(begun.elapsed());
    }
    let count = timed.len();
    Ok(Calls { count, timed })
}

/// Makes one transfer after the other, until it is over.
async fn transfers<C: Echo>(
    client: C,
    transfer: Transfer,
    is_over: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let body = body(TRANSFER);
    while !is_over.load(Ordering::Relaxed) {
        let length = match transfer {
            Transfer::Echo => client.echo(body.clone()).await?,
            Transfer::Answer => client.fetch(TRANSFER).await?,
        };
        ensure!(length == TRANSFER, "{length} bytes came of {TRANSFER}");
    }
    Ok(())
}

/// What one call in a hundred exceeds, in microseconds.
fn tail_of(samples: &mut [Duration]) -> f64 {
    samples.sort_unstable();
    let at = samples.len() * 99 / 100;
    samples
        .get(at)
        .map_or(f64::NAN, |tail| tail.as_secs_f64() * 1e6)
}

async fn call<C: Echo>(client: &C, turn: &Turn) -> anyhow::Result<()> {
    let length = client.echo(turn.body.clone()).await?;
    let sent = turn.body.len();
    ensure!(length == sent, "{length} bytes came back of {sent}");
    Ok(())
}

/// A peer that can connect has connected long before.
const SOON: Duration = Duration::from_secs(15);
/// Beyond its window, a turn that takes this long hangs.
const TOO_LONG: Duration = Duration::from_secs(10);
/// Calls of one turn that are timed, at most.
const SAMPLES: usize = 50_000;
/// Bytes of a transfer, each way that it has: 4 MiB with its encoding, the most that fly-rpc takes
/// unless its limits are raised.
const TRANSFER: usize = (4 << 20) - 16;
