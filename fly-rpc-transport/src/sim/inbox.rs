//! The datagrams on their way to one socket.
//!
//! They lie here from the moment in which they are sent, in the order in which they arrive; whoever
//! reads sleeps until the first of them has.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::lock::lock;

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) ecn: Option<u8>,
    pub(super) bytes: Vec<u8>,
}

/// What has been sent to one socket and not been read.
#[derive(Debug, Default)]
pub(super) struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    arrivals: BinaryHeap<Reverse<Arrival>>,
    /// Tells datagrams of one instant apart: they arrive in the order in which they were sent.
    sent: u64,
    paused: bool,
    timer: Option<Pin<Box<Sleep>>>,
    reader: Option<Waker>,
}

#[derive(Debug)]
struct Arrival {
    at: Instant,
    number: u64,
    datagram: Datagram,
}

impl Inbox {
    /// Puts a datagram on its way.
    pub(super) fn push(&self, at: Instant, datagram: Datagram) {
        let reader = {
            let mut state = lock(&self.0);
            if state.arrivals.len() >= CAPACITY {
                return;
            }
            let number = state.sent;
            state.sent += 1;
            let first = state.arrivals.peek().map(|Reverse(arrival)| arrival.at);
            state.arrivals.push(Reverse(Arrival {
                at,
                number,
                datagram,
            }));
            if first.is_none_or(|first| at < first) {
                state.reader.take()
            } else {
                None
            }
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The next datagram that has arrived.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Datagram> {
        let mut state = lock(&self.0);
        let now = Instant::now();
        loop {
            let first = state.arrivals.peek().map(|Reverse(arrival)| arrival.at);
            match first {
                Some(at) if at <= now && !state.paused => {
                    let Some(Reverse(arrival)) = state.arrivals.pop() else {
                        unreachable!("it was just looked at");
                    };
                    return Poll::Ready(arrival.datagram);
                }
                Some(at) if !state.paused => {
                    let mut timer = Box::pin(sleep_until(at));
                    if timer.as_mut().poll(cx).is_pending() {
                        state.timer = Some(timer);
                        state.reader = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                }
                _ => {
                    state.timer = None;
                    state.reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }

    /// Hands out nothing until it is resumed; what arrives meanwhile waits.
    pub(super) fn pause(&self, paused: bool) {
        let reader = {
            let mut state = lock(&self.0);
            state.paused = paused;
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl PartialEq for Arrival {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Arrival {}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Arrival {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Datagrams that may be on their way to one socket; what is beyond is lost, as in a full buffer.
const CAPACITY: usize = 16 * 1024;
