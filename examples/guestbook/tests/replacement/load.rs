//! Many visitors at a steady rate, whether they are answered or not, and what each of them was told.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, interval},
};

use crate::http::{self, Answer, Attempt};

/// A form, and what its sender was told in the end.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) told: Told,
    /// An earlier attempt with the same key got no answer.
    pub(crate) was_broken: bool,
    pub(crate) took: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is this entry.
    Written(i64),
    /// It is not written.
    NotWritten,
    /// It may be written.
    Unknown,
}

/// Sends [`RATE`] forms a second, to all ports in turn, until it is told to stop or has sent `most`. Returns when each
/// sender knows what became of theirs.
pub(crate) async fn run(
    name: &'static str,
    ports: [u16; 3],
    most: usize,
    stop: watch::Receiver<bool>,
    answered: mpsc::UnboundedSender<Told>,
) -> Vec<Sent> {
    let ports = Arc::new(ports);
    let mut turns = interval(Duration::from_secs(1) / RATE);
    let mut senders = JoinSet::new();
    for number in 0..most {
        turns.tick().await;
        if *stop.borrow() {
            break;
        }
        let (ports, answered) = (ports.clone(), answered.clone());
        senders.spawn(async move {
            let sent = send(name, number, &ports).await;
            // Nobody may be interested.
            let _ = answered.send(sent.told);
            sent
        });
    }
    senders.join_all().await
}

/// What a proxy and a browser do together: where nobody listens the form goes to the next process, and a form that
/// was not answered is sent again, as it is.
async fn send(name: &str, number: usize, ports: &[u16; 3]) -> Sent {
    let begun = Instant::now();
    let (key, message) = (
        format!("{:032x}", rand::random::<u128>()),
        format!("{name} {number}"),
    );
    let fields = [
        ("key", key.as_str()),
        ("name", "load"),
        ("message", message.as_str()),
    ];
    let (mut told, mut was_broken) = (Told::NotWritten, false);
    for attempt in 0..ports.len() {
        match http::post(ports[(number + attempt) % ports.len()], "/entries", &fields).await {
            Attempt::NotSent => {}
            Attempt::Broken => (told, was_broken) = (Told::Unknown, true),
            Attempt::Answered(answer) => {
                told = read(&answer);
                break;
            }
        }
    }
    Sent {
        told,
        was_broken,
        took: begun.elapsed(),
        key,
        message,
    }
}

fn read(answer: &Answer) -> Told {
    let entry = answer
        .header("location")
        .and_then(|path| path.split('-').next_back()?.parse().ok());
    match (answer.status, entry, answer.header("guestbook-written")) {
        (303, Some(entry), _) => Told::Written(entry),
        (_, _, Some("no")) => Told::NotWritten,
        (_, _, Some("unknown")) => Told::Unknown,
        (status, ..) => panic!("an answer that says nothing: {status} {}", answer.body),
    }
}

/// Forms in a second.
const RATE: u32 = 50;
