//! The functions under test.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fly_rpc::{CallContext, region_rpc};
use fly_rpc_tests::Probe;
use serde::{Deserialize, Serialize};

#[region_rpc]
pub(crate) fn upcase(text: &str) -> String {
    text.to_uppercase()
}

#[region_rpc]
pub(crate) async fn every_kind(
    owned: HashMap<String, Vec<u8>>,
    text: &str,
    bytes: &[u8],
    numbers: &[u32],
    pair: &(u8, String),
    maybe: Option<&str>,
) -> (usize, String, usize, u32, String, Option<String>) {
    tokio::task::yield_now().await;
    (
        owned.len(),
        text.to_owned(),
        bytes.len(),
        numbers.iter().sum(),
        format!("{pair:?}"),
        maybe.map(str::to_owned),
    )
}

#[region_rpc]
pub(crate) fn where_am_i(#[context] context: &CallContext) -> (String, String, String, u32) {
    (
        fly_rpc::my_region().to_string(),
        context.caller().to_string(),
        context.caller_region().to_string(),
        context.version(),
    )
}

#[region_rpc(@primary)]
pub(crate) async fn only_in_the_primary(#[state] probe: &Probe) -> usize {
    probe.run()
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Odd(pub(crate) u64);

#[region_rpc]
pub(crate) fn halve(number: u64) -> Result<u64, Odd> {
    if number.is_multiple_of(2) {
        Ok(number / 2)
    } else {
        Err(Odd(number))
    }
}

#[region_rpc]
pub(crate) async fn wait_at_the_gate(#[state] probe: &Probe) -> usize {
    let witness = probe.witness();
    let run = probe.run();
    probe.tell("started");
    probe.pass().await;
    witness.ended();
    run
}

#[region_rpc(detached)]
pub(crate) async fn wait_detached(#[state] probe: Arc<Probe>, word: &str) -> String {
    let witness = probe.witness();
    probe.tell("started");
    probe.pass().await;
    witness.ended();
    word.to_owned()
}

#[region_rpc(blocking)]
pub(crate) fn blocks(#[state] probe: Arc<Probe>, word: &str) -> String {
    probe.tell(format!(
        "on {}",
        std::thread::current().name().unwrap_or("?")
    ));
    word.repeat(2)
}

#[region_rpc(blocking, detached)]
pub(crate) fn blocks_owned(word: String) -> String {
    word.repeat(2)
}

/// Spends some time, and lets the next node do the same: what was left at each after that.
#[region_rpc]
pub(crate) async fn spend_and_pass(
    hops: u32,
    time: Duration,
    #[context] context: &CallContext,
) -> Vec<Duration> {
    tokio::time::sleep(time).await; // sleep: the work of the function
    let mut left = vec![context.remaining()];
    if hops > 0 {
        let next = spend_and_pass_on("@elsewhere", hops - 1, time).timeout(Duration::MAX);
        left.extend(Box::pin(next).await.unwrap_or_default());
    }
    left
}

#[region_rpc]
pub(crate) fn remaining_millis(#[context] context: &CallContext) -> u64 {
    u64::try_from(context.remaining().as_millis()).unwrap_or(u64::MAX)
}

#[region_rpc]
pub(crate) fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[region_rpc]
pub(crate) fn make_bytes(count: usize) -> Vec<u8> {
    vec![7; count]
}

/// Decodes on its own side only.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Picky(pub(crate) u8);

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            13 => Err(serde::de::Error::custom("thirteen")),
            number => Ok(Self(number)),
        }
    }
}

#[region_rpc]
pub(crate) fn take_picky(number: Picky, #[state] probe: &Probe) -> u8 {
    probe.run();
    number.0
}

#[region_rpc]
pub(crate) fn give_picky(number: u8, #[state] probe: &Probe) -> Picky {
    probe.run();
    Picky(number)
}

#[region_rpc]
pub(crate) fn greet(name: &str) -> String {
    format!("hello {name}")
}

#[region_rpc(name = "greet", version = 2)]
pub(crate) fn greet_twice(name: &str, times: u8) -> String {
    format!("hello {name} {times}")
}

#[region_rpc(idempotent)]
pub(crate) async fn at_least_once(#[state] probe: &Probe) -> usize {
    let run = probe.run();
    probe.tell("started");
    probe.pass().await;
    run
}

#[region_rpc]
pub(crate) fn nothing() {}

#[region_rpc(idempotent)]
pub(crate) fn nothing_again() {}
