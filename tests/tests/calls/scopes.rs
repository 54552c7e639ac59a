//! Which node the running code belongs to: that of its scope, at every poll, in its destructors, and no
//! longer behind it.

use std::{
    future::{Future, pending},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use fly_rpc::{Limits, Node, NodeId, region_rpc};
use fly_rpc_tests::{Cluster, Probe};
use tokio::task::yield_now;

fn here() -> Option<NodeId> {
    fly_rpc::node().map(|node| node.id().clone())
}

fn is_here(node: &Node) -> bool {
    here().as_ref() == Some(node.id())
}

/// Other nodes than those of the tests beside these, one of which may be the default.
async fn two() -> (Node, Node) {
    let cluster = Cluster::new();
    let one = cluster.node_with_probe("scoped-1", "syd").await;
    (one, cluster.node_with_probe("scoped-2", "hkg").await)
}

/// Notes where it is dropped.
struct Drops(Arc<Mutex<Vec<Option<NodeId>>>>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.lock().expect("no panic").push(here());
    }
}

#[tokio::test]
async fn two_scopes_in_one_task_do_not_see_each_other() {
    let (one, other) = two().await;
    let looks = async || {
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(here());
            yield_now().await;
        }
        seen
    };
    let inner = other.scope(looks());
    let nested = one.scope(async {
        let before = here();
        let within = inner.await;
        (before, within, here())
    });
    let (nested, beside) = tokio::join!(nested, other.scope(looks()));
    assert!(!is_here(&one) && !is_here(&other));
    let (one, other) = (Some(one.id().clone()), Some(other.id().clone()));
    assert_eq!(nested, (one.clone(), vec![other.clone(); 3], one));
    assert_eq!(beside, vec![other; 3]);
}

#[tokio::test]
async fn what_a_scope_drops_is_dropped_in_it() {
    /// Is ready, and keeps what it holds until it is dropped itself.
    struct Holds(#[expect(dead_code, reason = "it is dropped")] Drops);

    impl Future for Holds {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }

    let (node, _other) = two().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let drops = || Drops(Arc::clone(&seen));
    node.scope(Holds(drops())).await;
    let half_way = drops();
    let mut waits = Box::pin(node.scope(async move {
        pending::<()>().await;
        drop(half_way);
    }));
    let mut context = Context::from_waker(Waker::noop());
    assert!(waits.as_mut().poll(&mut context).is_pending());
    drop(waits);
    drop(node.scope(Holds(drops())));
    let node = Some(node.id().clone());
    assert_eq!(*seen.lock().expect("no panic"), vec![node; 3]);
}

#[tokio::test]
async fn a_panic_leaves_the_scope_behind() {
    let (node, _other) = two().await;
    let mut panics = pin!(node.scope(async {
        assert!(is_here(&node));
        resume_unwind(Box::new("planned"));
    }));
    let mut context = Context::from_waker(Waker::noop());
    let polled = AssertUnwindSafe(|| panics.as_mut().poll(&mut context));
    assert!(catch_unwind(polled).is_err());
    assert!(!is_here(&node));
}

/// Never ends by itself; tells where it is dropped.
#[region_rpc]
async fn hold_until_dropped(#[state] probe: &Probe) {
    struct Tells(Probe);

    impl Drop for Tells {
        fn drop(&mut self) {
            let id = here().map_or_else(String::new, |id| id.to_string());
            self.0.tell(format!("dropped in {id}"));
        }
    }

    let _tells = Tells(probe.clone());
    probe.tell("started");
    pending().await
}

#[tokio::test]
async fn a_handler_is_dropped_in_its_node_when_it_is_late_and_when_its_caller_is_gone() {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let mut limits = Limits::default();
    // Its own, before its caller gives up.
    limits.deadline = Duration::from_millis(100);
    let serving = cluster.builder("scoped-1", "syd").limits(limits);
    let serving = serving.state(probe.clone());
    let _serving = cluster.start(serving).await;
    let calling = cluster.node_with_probe("scoped-2", "hkg").await;
    let late = hold_until_dropped_on_primary().via(&calling);
    assert!(late.await.is_err());
    assert_eq!(probe.told().await, "started");
    assert_eq!(probe.told().await, "dropped in scoped-1");
    {
        let mut given_up = pin!(hold_until_dropped_on_primary().via(&calling));
        tokio::select! {
            outcome = &mut given_up => panic!("{outcome:?}"),
            line = probe.told() => assert_eq!(line, "started"),
        }
    }
    assert_eq!(probe.told().await, "dropped in scoped-1");
}
