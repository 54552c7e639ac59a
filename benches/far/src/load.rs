//! An open loop: calls start when they are meant to, whatever became of those before.
//!
//! Who waits for an answer before asking again asks less of a link that is slow, and then reports
//! that it was not so slow after all. So each call has its intended start, at equal distances, and
//! its latency counts from there, also if the caller was late itself.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bench_peers::{Echo, Visit};
use bytes::Bytes;
use tokio::{runtime::Handle, sync::mpsc, time::timeout};

use crate::clock::{be_exact, sleep_until};

/// What is asked of a peer.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Calls per second.
    pub rate: u32,
    /// Bytes of each, there and back.
    pub size: usize,
    /// Calls before the first that counts: windows open, round-trip times are learnt.
    pub warm_up: u32,
    /// Calls that count.
    pub calls: u32,
}

impl Load {
    /// How long it takes, with time for the last answers.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.warm_up + self.calls) / f64::from(self.rate)) + LAST
    }
}

/// The latencies of the calls that count, in the order of their answers.
pub(crate) struct OpenLoop(pub(crate) Load);

impl Visit for OpenLoop {
    type Output = Vec<Duration>;

    async fn visit<C: Echo>(self, client: C) -> anyhow::Result<Self::Output> {
        let load = self.0;
        let body = Bytes::from(payload(load.size));
        let (sender, mut answers) = mpsc::unbounded_channel();
        let runtime = Handle::current();
        // A thread of its own: the runtime's timer counts milliseconds.
        let starts = std::thread::spawn(move || {
            be_exact();
            let begun = Instant::now() + SOON;
            for number in 0..load.warm_up + load.calls {
                let intended = begun + Duration::from_secs(1) * number / load.rate;
                sleep_until(intended);
                let (client, body, sender) = (client.clone(), body.clone(), sender.clone());
                runtime.spawn(async move {
                    let size = body.len();
                    let answer = client.echo(body).await;
                    let latency = intended.elapsed();
                    let answer = answer.and_then(|length| {
                        ensure!(length == size, "an echo of {length} bytes");
                        Ok(latency)
                    });
                    // Nobody listens only if another call has failed already.
                    let _ = sender.send((number, answer));
                });
            }
        });
        let mut latencies = Vec::with_capacity(load.calls as usize);
        while let Some((number, answer)) = timeout(load.longest(), answers.recv())
            .await
            .context("calls were never answered")?
        {
            let latency = answer.with_context(|| format!("call {number}"))?;
            if number >= load.warm_up {
                latencies.push(latency);
            }
        }
        starts.join().expect("it does not panic");
        ensure!(latencies.len() == load.calls as usize, "calls are missing");
        Ok(latencies)
    }
}

/// One call, on a client that is as fresh as they come.
pub(crate) struct OneCall(pub(crate) usize);

impl Visit for OneCall {
    type Output = Instant;

    /// When the answer came.
    async fn visit<C: Echo>(self, client: C) -> anyhow::Result<Self::Output> {
        let length = client.echo(Bytes::from(payload(self.0))).await?;
        ensure!(length == self.0, "an echo of {length} bytes");
        Ok(Instant::now())
    }
}

fn payload(size: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(size).collect()
}

/// From the last intended start to the last answer.
const LAST: Duration = Duration::from_secs(15);
/// Until the first start: the thread is up by then.
const SOON: Duration = Duration::from_millis(5);
