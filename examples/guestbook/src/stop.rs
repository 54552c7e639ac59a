//! The end of a process: visitors first, then the node, then nothing is left to lose.
//!
//! The order matters. While visitors are answered the node still calls the primary for them; while the node drains, its
//! peers are told to call others, and calls that run here are finished. All of it takes less than `kill_timeout`
//! in fly.toml, which a test compares.

use std::{future::IntoFuture, time::Duration};

use axum::Router;
use fly_rpc::Node;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    time::timeout,
};

/// The signals that end this process.
#[derive(Debug)]
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// From now on they are waited for, and end nothing by themselves.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Serves visitors until a signal comes, then lets everything end that has begun.
    pub(crate) async fn serve(
        mut self,
        visitors: TcpListener,
        pages: Router,
        node: &Node,
    ) -> anyhow::Result<()> {
        let (close, closed) = oneshot::channel::<()>();
        let server = axum::serve(visitors, pages).with_graceful_shutdown(async {
            let _closed_or_gone = closed.await;
        });
        let mut serving = tokio::spawn(server.into_future());

        let name = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            ended = &mut serving => return Ok(ended??),
        };
        tracing::info!("{name}: nobody is let in any more");
        drop(close);
        if timeout(VISITORS, serving).await.is_err() {
            tracing::warn!("visitors are cut off who were not done in {VISITORS:?}");
        }
        let report = node.shutdown().await;
        tracing::info!("{report}");
        Ok(())
    }
}

/// How long visitors have who are in the house: the deadline of `sign`, and a second for the page.
const VISITORS: Duration = Duration::from_secs(11);
/// How long calls have that run here for others.
pub(crate) const DRAIN: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use toml::{Table, Value};

    use super::*;

    fn fly() -> Table {
        include_str!("../fly.toml").parse().expect("a table")
    }

    fn text<'a>(value: &'a Value, key: &str) -> &'a str {
        value[key].as_str().expect("a text")
    }

    #[test]
    fn a_process_is_done_before_fly_loses_patience() {
        let fly = fly();
        assert_eq!(fly["kill_signal"].as_str(), Some("SIGTERM"));
        let patience = fly["kill_timeout"].as_str().expect("a text");
        let patience = patience.strip_suffix('s').expect("in seconds");
        let patience = Duration::from_secs(patience.parse().expect("a number"));
        assert!(VISITORS + DRAIN + Duration::from_secs(1) < patience);
    }

    #[test]
    fn fly_and_the_program_mean_the_same_ports_paths_and_file() {
        let fly = fly();
        let ends_with = |name, port: &Value| {
            let address = text(&fly["env"], name);
            assert_eq!(address, format!("0.0.0.0:{port}"));
        };
        ends_with("HTTP_ADDRESS", &fly["http_service"]["internal_port"]);
        ends_with("METRICS_ADDRESS", &fly["metrics"]["port"]);
        assert_eq!(text(&fly["metrics"], "path"), "/metrics");
        assert_eq!(text(&fly["http_service"]["checks"][0], "path"), "/health");
        let volume = text(&fly["mounts"][0], "destination");
        assert!(text(&fly["env"], "DATABASE").starts_with(&format!("{volume}/")));
        // Fly would stop the machine that only others call.
        assert_eq!(text(&fly["http_service"], "auto_stop_machines"), "off");
    }
}
