//! Datagrams on their way: each is sent when its time has come.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::UdpSocket,
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::JoinSet,
    time::timeout_at,
};

/// Where a datagram leaves the relay.
#[derive(Clone, Debug)]
pub(super) struct Exit {
    from: Arc<UdpSocket>,
    to: SocketAddr,
}

impl Exit {
    pub(super) fn new(from: Arc<UdpSocket>, to: SocketAddr) -> Self {
        Self { from, to }
    }
}

#[derive(Debug)]
pub(super) struct Pump {
    queue: UnboundedSender<Datagram>,
}

#[derive(Debug)]
struct Datagram {
    due: Instant,
    bytes: Vec<u8>,
    exit: Exit,
}

impl Pump {
    pub(super) fn start(tasks: &mut JoinSet<()>) -> Self {
        let (queue, datagrams) = mpsc::unbounded_channel();
        tasks.spawn(pump(datagrams));
        Self { queue }
    }

    pub(super) fn send(&self, due: Instant, bytes: Vec<u8>, exit: Exit) {
        // Fails only when the relay is dropped.
        let _ = self.queue.send(Datagram { due, bytes, exit });
    }
}

async fn pump(mut datagrams: UnboundedReceiver<Datagram>) {
    // By when they are due, and those of one moment by when they came.
    let mut waiting = BTreeMap::new();
    let mut count: u64 = 0;
    loop {
        let next = waiting.first_key_value().map(|((due, _), _)| *due);
        let next = next.unwrap_or_else(|| Instant::now() + FOREVER);
        match timeout_at(next.into(), datagrams.recv()).await {
            Ok(Some(datagram)) => {
                count += 1;
                waiting.insert((datagram.due, count), datagram);
            }
            Ok(None) => return,
            Err(_due) => {}
        }
        while let Some(first) = waiting.first_entry()
            && first.key().0 <= Instant::now()
        {
            let Datagram { bytes, exit, .. } = first.remove();
            // Loopback says that a process is dead; a network would not.
            let _ = exit.from.send_to(&bytes, exit.to).await;
        }
    }
}

/// Longer than any test.
const FOREVER: Duration = Duration::from_secs(3600);
