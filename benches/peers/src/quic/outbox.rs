//! What waits to be written to the shared stream. Everybody adds to it, one task empties it: whatever
//! is there goes out in one write.

use std::{
    future::poll_fn,
    mem,
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Waker},
};

use bytes::{BufMut, Bytes, BytesMut};
use quinn::SendStream;
use tokio::task::yield_now;

/// A queue of frames. Shared.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    /// Frames that are copied together.
    small: BytesMut,
    /// What goes out before them, in order.
    ready: Vec<Bytes>,
    /// The writer, when it has nothing to write.
    idle: Option<Waker>,
}

impl Outbox {
    /// Adds frames, and wakes the writer once.
    pub(super) fn push(&self, frames: impl IntoIterator<Item = (u32, Bytes)>) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, body) in frames {
            queue.push(id, body);
        }
        let writer = queue.idle.take();
        drop(queue);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Writes what is added, until the stream ends.
    pub(super) async fn write_to(self, mut send: SendStream) -> anyhow::Result<()> {
        loop {
            self.filled().await;
            // Whoever can run now adds to the batch.
            yield_now().await;
            let mut batch = self.take();
            send.write_all_chunks(&mut batch).await?;
        }
    }

    async fn filled(&self) {
        poll_fn(|context| {
            let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.is_empty() {
                queue.idle = Some(context.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    fn take(&self) -> Vec<Bytes> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.seal();
        mem::take(&mut queue.ready)
    }
}

impl Queue {
    fn push(&mut self, id: u32, body: Bytes) {
        self.small
            .put_u32(u32::try_from(body.len()).expect("no echo has 4 GiB"));
        self.small.put_u32(id);
        if body.len() < WORTH_A_CHUNK {
            self.small.put_slice(&body);
        } else {
            self.seal();
            self.ready.push(body);
        }
    }

    fn seal(&mut self) {
        if !self.small.is_empty() {
            self.ready.push(self.small.split().freeze());
        }
    }

    fn is_empty(&self) -> bool {
        self.small.is_empty() && self.ready.is_empty()
    }
}

/// Bytes from which a body is handed on rather than copied.
const WORTH_A_CHUNK: usize = 4096;
