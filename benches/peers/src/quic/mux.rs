//! One stream for all calls: length-prefixed frames, a task that writes whatever is queued in one go,
//! a slab of pending calls. Not a framework: nothing is encoded, checked, bounded or timed, so no
//! framework of this design can be faster.

use std::{
    mem,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use anyhow::Context as _;
use bytes::Bytes;
use quinn::{Connection, Endpoint};
use slab::Slab;

use super::{endpoint, frames::Frames, outbox::Outbox};
use crate::{echo::Echo, serve::Served};

/// The calling end.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    outbox: Outbox,
    pending: Pending,
    _alive: (Endpoint, Connection),
}

pub(crate) fn serve(listen: IpAddr) -> anyhow::Result<Served> {
    let (endpoint, line) = endpoint::listen(listen)?;
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move { give_back(incoming.await?).await });
        }
    });
    Ok(Served::new(line, ()))
}

pub(crate) async fn connect(server: &str) -> anyhow::Result<Client> {
    let (endpoint, connection) = endpoint::connect(server).await?;
    let (send, recv) = connection.open_bi().await?;
    let client = Client {
        outbox: Outbox::default(),
        pending: Pending::default(),
        _alive: (endpoint, connection),
    };
    tokio::spawn(client.outbox.clone().write_to(send));
    let pending = client.pending.clone();
    tokio::spawn(async move {
        let end = pending.complete_all(Frames::new(recv)).await;
        pending.close();
        end
    });
    Ok(client)
}

impl Echo for Client {
    async fn echo(&self, body: Bytes) -> anyhow::Result<usize> {
        let call = self.pending.add();
        self.outbox.push([(call.id, body)]);
        let answer = std::future::poll_fn(|context| call.poll(context)).await;
        Ok(answer.context("the connection is closed")?.len())
    }
}

/// Gives back what comes on a connection's first stream.
async fn give_back(connection: Connection) -> anyhow::Result<()> {
    let (send, recv) = connection.accept_bi().await?;
    let outbox = Outbox::default();
    let writer = tokio::spawn(outbox.clone().write_to(send));
    let mut frames = Frames::new(recv);
    while let Some(batch) = frames.next().await? {
        outbox.push(batch);
    }
    writer.abort();
    Ok(())
}

/// The calls that await their answers. Shared.
#[derive(Clone, Debug, Default)]
struct Pending(Arc<Mutex<Slab<Slot>>>);

/// One of them. Is there until its caller has taken the answer or is gone.
#[derive(Debug)]
enum Slot {
    /// Its caller, once it waits.
    Open(Option<Waker>),
    Answered(Bytes),
    Closed,
}

impl Pending {
    fn add(&self) -> Call<'_> {
        let id = self.slots().insert(Slot::Open(None));
        let id = u32::try_from(id).expect("no client has 2^32 callers");
        Call { pending: self, id }
    }

    /// Completes every call of a batch before anybody is woken.
    async fn complete_all(&self, mut frames: Frames) -> anyhow::Result<()> {
        let mut callers = Vec::new();
        while let Some(batch) = frames.next().await? {
            let mut slots = self.slots();
            for (id, body) in batch {
                if let Some(slot) = slots.get_mut(id as usize) {
                    callers.push(mem::replace(slot, Slot::Answered(body)));
                }
            }
            drop(slots);
            for caller in callers.drain(..) {
                caller.wake();
            }
        }
        Ok(())
    }

    fn close(&self) {
        for (_, slot) in self.slots().iter_mut() {
            if matches!(slot, Slot::Open(_)) {
                mem::replace(slot, Slot::Closed).wake();
            }
        }
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Slab<Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn wake(self) {
        if let Self::Open(Some(caller)) = self {
            caller.wake();
        }
    }
}

/// A call's place among the pending ones.
struct Call<'a> {
    pending: &'a Pending,
    id: u32,
}

impl Call<'_> {
    /// Its answer, or nothing if there will be none.
    fn poll(&self, context: &Context<'_>) -> Poll<Option<Bytes>> {
        let mut slots = self.pending.slots();
        match slots.get_mut(self.id as usize) {
            Some(Slot::Open(caller)) => {
                *caller = Some(context.waker().clone());
                Poll::Pending
            }
            Some(Slot::Answered(body)) => Poll::Ready(Some(mem::take(body))),
            Some(Slot::Closed) | None => Poll::Ready(None),
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.pending.slots().try_remove(self.id as usize);
    }
}
