//! A service that keeps a thread, or panics on it, and a runtime that stops: what ends with it, and
//! what does not.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

use super::fixture::{Fixture, call, hello, send, soon, until};
use crate::{Endpoint, Link, Request, RequestHead, Served, Service, Status, lock::lock};

/// Panics, keeps its thread until it is let go, or answers.
struct Rude {
    started: Sender<()>,
    let_go: Mutex<Receiver<()>>,
}

impl Service for Rude {
    fn serve(&self, _: &Arc<Link>, request: Request) -> Served {
        match request.function() {
            "panic" => panic!("in the service"),
            "hog" => {
                self.started.send(()).expect("the test waits for it");
                let let_go = lock(&self.let_go);
                let_go.recv().expect("the test lets it go");
            }
            _ => {}
        }
        Served::Answer(request.respond(Status::Ok))
    }
}

/// A client's link to a rude server, the server's link to the client, and what keeps a thread.
struct Pair {
    there: Arc<Link>,
    back: Arc<Link>,
    started: Receiver<()>,
    let_go: Sender<()>,
    _ends: (Endpoint, Endpoint),
}

async fn pair() -> Pair {
    let fixture = Fixture::new();
    let ((tell, started), (let_go, wait)) = (channel(), channel());
    let rude = Rude {
        started: tell,
        let_go: Mutex::new(wait),
    };
    let server = fixture.endpoint_serving(hello("a"), fixture.identity("a"), Arc::new(rude));
    let (client, _) = fixture.endpoint("b");
    let there = client.dial(server.local_addr(), None).await.expect("there");
    until(&server, |server| server.links().len() == 1).await;
    let back = Arc::clone(&server.links()[0]);
    Pair {
        there,
        back,
        started,
        let_go,
        _ends: (server, client),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_panic_while_a_lane_is_served_ends_that_lane_alone() {
    let pair = pair().await;
    call(&pair.there, b"").await.expect("served");
    let lost = soon(send(&pair.there, "panic", b"").await).await;
    lost.expect_err("nobody is left to answer");
    call(&pair.there, b"").await.expect("on another lane");
    call(&pair.back, b"").await.expect("the other way");
}

/// More than once: which thread serves, and what waits for it then, is a matter of chance.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_function_that_keeps_its_thread_holds_up_no_call_the_other_way() {
    for _ in 0..50 {
        let Pair {
            there,
            back,
            started,
            let_go,
            _ends,
        } = pair().await;
        let hog = send(&there, "hog", b"").await;
        let started = tokio::task::spawn_blocking(move || started.recv());
        soon(started).await.expect("no panic").expect("it runs");
        for _ in 0..10 {
            call(&back, b"").await.expect("served meanwhile");
        }
        let_go.send(()).expect("it waits");
        soon(hog).await.expect("it ends");
    }
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let built = builder.worker_threads(1).enable_all().build();
    built.expect("a thread")
}

#[test]
fn a_call_from_another_runtime_ends_when_the_link_s_runtime_does() {
    let (fixture, links, callers) = (Fixture::new(), runtime(), runtime());
    let (server, _) = callers.block_on(async { fixture.endpoint("a") });
    let dial = links.block_on(async {
        let (client, _) = fixture.endpoint("b");
        let link = client.dial(server.local_addr(), None).await;
        (client, link.expect("dialled"))
    });
    let (_client, link) = dial;
    callers.block_on(async {
        let head = RequestHead {
            function: "wait",
            version: 1,
            contract: [0; 16],
            trace: None,
            for_primary: false,
        };
        let due = Instant::now() + Duration::from_secs(3600);
        let pending = link.call(&head, &Bytes::new(), due).await.expect("sent");
        let ended = thread::spawn(move || links.shutdown_background());
        soon(pending).await.expect_err("nobody reads an answer");
        ended.join().expect("no panic");
    });
}
