//! Panics in functions and in their types: each ends one call.

use std::{
    panic::{panic_any, resume_unwind},
    sync::Arc,
};

use bytes::Bytes;
use fly_rpc::{Executed, Node, RpcError, region_rpc};
use fly_rpc_tests::{Cluster, Probe, SOON};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    functions::{upcase_on_primary, wait_at_the_gate_on_primary},
    pair::{Pair, pair},
};

#[region_rpc]
async fn panics(how: How) -> u8 {
    let _guard = match how {
        How::AtOnce => panic!("the secret message"),
        How::AfterAnAwait => {
            tokio::task::yield_now().await;
            panic!("the secret message")
        }
        How::WithAnotherPayload => panic_any(7_u8),
        How::WhenDropped => Trap(DROPPED),
    };
    0
}

#[region_rpc(blocking)]
fn panics_on_a_thread() -> u8 {
    panic!("the secret message")
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum How {
    AtOnce,
    AfterAnAwait,
    WithAnotherPayload,
    WhenDropped,
}

#[region_rpc]
fn take_trap(trap: Trap, #[state] probe: &Probe) -> u8 {
    probe.run();
    trap.0
}

#[region_rpc]
fn give_trap(number: u8, #[state] probe: &Probe) -> Trap {
    probe.run();
    Trap(number)
}

/// As above, on a thread that they keep: what is read and written there is fenced there.
#[region_rpc(blocking)]
fn take_trap_on_a_thread(trap: Trap, #[state] probe: Arc<Probe>) -> u8 {
    probe.run();
    trap.0
}

#[region_rpc(blocking)]
fn give_trap_on_a_thread(number: u8, #[state] probe: Arc<Probe>) -> Trap {
    probe.run();
    Trap(number)
}

/// Panics where its number says; quietly, so that the output shows only what is not planned.
#[derive(Debug)]
struct Trap(u8);

const SERIALIZED: u8 = 201;
const DESERIALIZED: u8 = 202;
const DROPPED: u8 = 203;
const SERIALIZED_AND_DROPPED: u8 = 204;

fn spring() -> ! {
    resume_unwind(Box::new("planned"))
}

impl Serialize for Trap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            SERIALIZED | SERIALIZED_AND_DROPPED => spring(),
            number => number.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Trap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            DESERIALIZED => spring(),
            number => Ok(Self(number)),
        }
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        if matches!(self.0, DROPPED | SERIALIZED_AND_DROPPED) {
            spring();
        }
    }
}

#[tokio::test]
async fn a_panic_ends_one_call_wherever_it_happens_and_keeps_its_message() {
    let pair = pair().await;
    let Pair { hkg, syd, .. } = &pair;
    for node in [&hkg, &syd] {
        let ways = [
            How::AtOnce,
            How::AfterAnAwait,
            How::WithAnotherPayload,
            How::WhenDropped,
        ];
        for how in ways {
            let error = panics_on_primary(how).via(node).await.expect_err("panics");
            assert!(
                matches!(&error, RpcError::Panicked { function, node } if function == "panics" && node.as_str() == "syd-1"),
                "{how:?}: {error}"
            );
            assert_eq!(error.executed(), Executed::Yes);
            assert!(!error.to_string().contains("secret message"));
            lives(node).await;
        }
        let error = panics_on_a_thread_on_primary().via(node).await;
        assert!(matches!(error, Err(RpcError::Panicked { .. })), "{error:?}");
        lives(node).await;
    }
    assert!(syd.drain().await.is_clean(), "permits came back");
}

/// A call that is under way when something panics beside it.
async fn beside<T>(hkg: &Node, probe: &Probe, run: impl Future<Output = T>) -> T {
    let neighbour = tokio::spawn(wait_at_the_gate_on_primary().via(hkg).timeout(SOON));
    assert_eq!(probe.told().await, "started");
    let outcome = run.await;
    probe.open(1);
    assert_eq!(probe.told().await, "ended");
    neighbour
        .await
        .expect("no panic")
        .expect("its neighbour's panic is not its own");
    outcome
}

#[tokio::test]
async fn a_type_that_panics_while_it_travels_ends_its_own_call_and_tells_whether_the_function_ran()
{
    let Pair {
        hkg, syd, probe, ..
    } = pair().await;
    for (number, executed) in [
        (SERIALIZED, Executed::No),
        (SERIALIZED_AND_DROPPED, Executed::No),
        (DESERIALIZED, Executed::No),
        (DROPPED, Executed::Yes),
    ] {
        let before = probe.runs();
        let call = take_trap_on_primary(Trap(number)).via(&hkg);
        let error = beside(&hkg, &probe, call).await.expect_err("it panics");
        // The neighbour counts as well.
        let runs = probe.runs() - before - 1;
        assert_eq!(
            (error.executed(), runs),
            (executed, usize::from(executed == Executed::Yes)),
            "{number}: {error}"
        );
    }
    for number in [SERIALIZED, SERIALIZED_AND_DROPPED, DESERIALIZED] {
        let before = probe.runs();
        let call = give_trap_on_primary(number).via(&hkg);
        let error = beside(&hkg, &probe, call).await.expect_err("it panics");
        assert!(matches!(error, RpcError::BadResponse), "{number}: {error}");
        assert_eq!(
            (error.executed(), probe.runs() - before),
            (Executed::Yes, 2)
        );
    }
    let call = give_trap_on_primary(DROPPED).via(&hkg);
    let value = beside(&hkg, &probe, call).await;
    let value = value.expect("it was encoded before it was dropped");
    assert_eq!(value.0, DROPPED);
    std::mem::forget(value);
    assert!(syd.drain().await.is_clean(), "permits came back");
}

/// Bytes whose owner panics when the last of them are gone.
struct Spring(Vec<u8>);

impl AsRef<[u8]> for Spring {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Spring {
    fn drop(&mut self) {
        spring();
    }
}

fn springs() -> Bytes {
    Bytes::from_owner(Spring(vec![7; 100_000]))
}

#[region_rpc]
fn take_bytes(bytes: Bytes) -> usize {
    bytes.len()
}

#[region_rpc]
fn give_bytes() -> Bytes {
    springs()
}

#[tokio::test]
async fn an_owner_of_bytes_that_panics_once_they_are_sent_ends_no_connection() {
    let Pair {
        hkg, syd, probe, ..
    } = pair().await;
    let neighbour = tokio::spawn(wait_at_the_gate_on_primary().via(&hkg).timeout(SOON));
    assert_eq!(probe.told().await, "started");
    for _ in 0..10 {
        let size = take_bytes_on_primary(springs()).via(&hkg).await;
        assert_eq!(size.expect("sent"), 100_000);
        let bytes = give_bytes_on_primary().via(&hkg).await;
        assert_eq!(bytes.expect("sent").len(), 100_000);
    }
    probe.open(1);
    assert_eq!(probe.told().await, "ended");
    let ended = neighbour.await.expect("no panic");
    ended.expect("its connection is the same");
    assert!(syd.drain().await.is_clean(), "permits came back");
}

#[tokio::test]
async fn the_same_holds_for_a_function_that_blocks() {
    let Pair {
        hkg, syd, probe, ..
    } = pair().await;
    for (number, executed) in [(DESERIALIZED, Executed::No), (DROPPED, Executed::Yes)] {
        let before = probe.runs();
        let error = take_trap_on_a_thread_on_primary(Trap(number)).via(&hkg);
        let error = error.await.expect_err("it panics");
        let runs = usize::from(executed == Executed::Yes);
        assert_eq!(
            (error.executed(), probe.runs() - before),
            (executed, runs),
            "{number}: {error}"
        );
    }
    for number in [SERIALIZED, SERIALIZED_AND_DROPPED, DESERIALIZED] {
        let error = give_trap_on_a_thread_on_primary(number).via(&hkg).await;
        assert!(
            matches!(error, Err(RpcError::BadResponse)),
            "{number}: {error:?}"
        );
    }
    let value = give_trap_on_a_thread_on_primary(DROPPED).via(&hkg).await;
    let value = value.expect("it was encoded before it was dropped");
    assert_eq!(value.0, DROPPED);
    std::mem::forget(value);
    assert!(syd.drain().await.is_clean(), "permits came back");
}

#[tokio::test]
async fn the_same_holds_for_a_call_that_only_goes_through_the_codec() {
    let (cluster, probe) = (Cluster::new(), Probe::new());
    let syd = cluster
        .builder("syd-1", "syd")
        .state(probe.clone())
        .encode_local_calls();
    let syd = cluster.start(syd).await;
    for (number, executed) in [
        (SERIALIZED_AND_DROPPED, Executed::No),
        (DESERIALIZED, Executed::No),
        (DROPPED, Executed::Yes),
    ] {
        let error = take_trap_on_primary(Trap(number)).via(&syd).await;
        let error = error.expect_err("it panics");
        assert_eq!(error.executed(), executed, "{number}: {error}");
    }
    for number in [SERIALIZED_AND_DROPPED, DESERIALIZED] {
        let error = give_trap_on_primary(number).via(&syd).await;
        let error = error.expect_err("it panics");
        assert!(matches!(error, RpcError::BadResponse), "{number}: {error}");
    }
    assert!(syd.drain().await.is_clean(), "permits came back");
}

async fn lives(node: &Node) {
    let still = upcase_on_primary("still").via(node).await;
    assert_eq!(still.expect("the node lives"), "STILL");
}
