//! A connected client of any peer, as a task that makes closed loops of calls when it is told to.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bench_figures::median_of;
use bench_peers::{Echo, Erlang, Payload, Peer, Visit, connect};
use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};

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
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..turn.in_flight {
        let (client, turn) = (client.clone(), turn.clone());
        if turn.in_flight == 1 {
            callers.spawn(async move { median_call(&client, &turn, start).await });
        } else {
            callers.spawn(async move { count_calls(&client, &turn, start).await });
        }
    }
    let mut sum = 0.0;
    while let Some(caller) = callers.join_next().await {
        sum += caller??;
    }
    Ok(match turn.in_flight {
        1 => sum,
        _ => sum / start.elapsed().as_secs_f64(),
    })
}

async fn count_calls<C: Echo>(client: &C, turn: &Turn, start: Instant) -> anyhow::Result<f64> {
    let mut calls = 0.0;
    while start.elapsed() < turn.window {
        call(client, turn).await?;
        calls += 1.0;
    }
    Ok(calls)
}

async fn median_call<C: Echo>(client: &C, turn: &Turn, start: Instant) -> anyhow::Result<f64> {
    let mut samples = Vec::with_capacity(SAMPLES);
    while start.elapsed() < turn.window && samples.len() < SAMPLES {
        let begun = Instant::now();
        call(client, turn).await?;
        samples.push(begun.elapsed());
    }
    Ok(median_of(&mut samples))
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
const SAMPLES: usize = 20_000;
