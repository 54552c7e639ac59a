//! What arguments and values may be, and what becomes of those that cannot travel.

use std::collections::HashMap;

use bytes::Bytes;
use fly_rpc::{CallError, Executed, Limits, RpcError, region_rpc};
use fly_rpc_tests::{Cluster, Peer, Probe, SOON, contract_of};
use fly_rpc_transport::{CallLost, RequestHead, Status};
use tokio::time::Instant;

use crate::{
    functions::{
        Odd, Picky, blocks_on_primary, blocks_owned_on_primary, echo_on, echo_on_primary,
        every_kind_on_region, give_picky_on_primary, halve_on_primary, halve_on_region,
        make_bytes_on, take_picky_on_primary,
    },
    pair::{Pair, pair},
};

#[tokio::test]
async fn every_kind_of_parameter_arrives_from_elsewhere_in_place_and_through_the_codec() {
    let cluster = Cluster::new();
    let state = Probe::new();
    let syd = cluster
        .start(cluster.builder("syd-1", "syd").state(state.clone()))
        .await;
    let lax = cluster
        .start(cluster.builder("lax-1", "lax").state(state.clone()))
        .await;
    let coded = cluster
        .start(
            cluster
                .builder("syd-2", "syd")
                .state(state)
                .encode_local_calls(),
        )
        .await;
    let owned = HashMap::from([("k".to_owned(), vec![1, 2])]);
    let expected = (
        1,
        "text".to_owned(),
        3,
        60,
        "(4, \"p\")".to_owned(),
        Some("m".to_owned()),
    );
    for node in [&lax, &syd, &coded] {
        let pair = (4, "p".to_owned());
        let made = every_kind_on_region(
            "syd",
            owned.clone(),
            "text",
            &[1, 2, 3],
            &[10, 20, 30],
            &pair,
            Some("m"),
        )
        .via(node);
        assert_eq!(made.await.expect("runs"), expected, "{node:?}");
    }
}

#[tokio::test]
async fn an_application_s_error_is_not_the_call_s() {
    let pair = pair().await;
    let Pair { hkg, .. } = &pair;
    assert_eq!(
        halve_on_primary(4).via(hkg).await.expect("the call worked"),
        Ok(2)
    );
    assert_eq!(
        halve_on_primary(5).via(hkg).await.expect("the call worked"),
        Err(Odd(5))
    );
    assert_eq!(
        halve_on_primary(4)
            .via(hkg)
            .flatten()
            .await
            .expect("both worked"),
        2
    );
    let odd = halve_on_primary(5)
        .via(hkg)
        .flatten()
        .await
        .expect_err("odd");
    assert!(matches!(&odd, CallError::App(Odd(5))) && odd.executed() == Executed::Yes);
    let nowhere = halve_on_region("cdg", 5)
        .via(hkg)
        .flatten()
        .await
        .expect_err("nowhere");
    assert!(
        matches!(&nowhere, CallError::Rpc(RpcError::NoNode { .. }))
            && nowhere.executed() == Executed::No
    );
}

/// Bytes whose owner tells when the last of them are gone.
struct Told(Vec<u8>, Probe);

impl AsRef<[u8]> for Told {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.1.tell("gone");
    }
}

#[region_rpc]
async fn weigh(bytes: Bytes, #[state] probe: &Probe) -> usize {
    probe.tell("weighing");
    probe.pass().await;
    bytes.len()
}

#[tokio::test]
async fn a_large_argument_is_sent_as_it_is_and_a_small_one_is_copied_at_once() {
    let Pair { hkg, probe, .. } = &pair().await;
    for (size, is_kept) in [(100_000, true), (1000, false)] {
        let owner = Told(vec![7; size], probe.clone());
        let call = weigh_on_primary(Bytes::from_owner(owner)).via(hkg);
        let call = tokio::spawn(call.timeout(SOON));
        let mut told = vec![probe.told().await];
        if !is_kept {
            told.push(probe.told().await);
        }
        told.sort();
        let expected: &[&str] = if is_kept {
            &["weighing"]
        } else {
            &["gone", "weighing"]
        };
        assert_eq!(told, expected, "{size}");
        probe.open(1);
        assert_eq!(call.await.expect("no panic").expect("sent"), size);
        if is_kept {
            assert_eq!(probe.told().await, "gone");
        }
    }
}

#[tokio::test]
async fn a_blocking_function_runs_on_a_thread_of_its_own() {
    let Pair {
        hkg, syd, probe, ..
    } = pair().await;
    for node in [&hkg, &syd] {
        assert_eq!(
            blocks_on_primary("ab").via(node).await.expect("runs"),
            "abab"
        );
        let told = probe.told().await;
        assert!(told.contains("tokio"), "{told}");
        assert_eq!(
            blocks_owned_on_primary("ab".to_owned())
                .via(node)
                .await
                .expect("runs"),
            "abab"
        );
    }
}

#[tokio::test]
async fn sizes_up_to_the_limit_pass_and_one_byte_more_is_refused_by_the_sender() {
    let cluster = Cluster::new();
    let mut limits = Limits::default();
    limits.message_size = 100_000;
    let small = cluster
        .start(
            cluster
                .builder("syd-1", "syd")
                .state(Probe::new())
                .limits(limits),
        )
        .await;
    let large = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    // Three bytes of length stand before the bytes.
    let most = 100_000 - 3;
    assert_eq!(
        echo_on_primary(vec![1; most])
            .via(&large)
            .await
            .expect("fits both ways")
            .len(),
        most
    );
    for caller in [&large, &small] {
        let target = if caller.id() == small.id() {
            "@region(hkg)"
        } else {
            "@primary"
        };
        let error = echo_on(target, vec![1; most + 1])
            .via(caller)
            .await
            .expect_err("too large");
        assert!(
            matches!(
                error,
                RpcError::TooLarge {
                    size: 100_001,
                    limit: 100_000
                }
            ),
            "{error}"
        );
        assert_eq!(error.executed(), Executed::No);
        let error = make_bytes_on(target, most + 1)
            .via(caller)
            .await
            .expect_err("the answer is too large");
        assert!(
            matches!(error, RpcError::BadResponse) && error.executed() == Executed::Yes,
            "{error}"
        );
        assert_eq!(
            make_bytes_on(target, most)
                .via(caller)
                .await
                .expect("fits")
                .len(),
            most
        );
    }
}

#[tokio::test]
async fn four_mebibytes_travel_both_ways() {
    let pair = pair().await;
    let Pair { hkg, .. } = &pair;
    let bytes: Vec<u8> = (0..4 * 1024 * 1024 - 8)
        .map(|index| (index % 251) as u8)
        .collect();
    assert_eq!(
        echo_on_primary(bytes.clone())
            .via(hkg)
            .timeout(SOON)
            .await
            .expect("fits"),
        bytes
    );
}

#[tokio::test]
async fn what_cannot_be_decoded_ends_that_call_and_says_whether_it_ran() {
    let pair = pair().await;
    let Pair { hkg, probe, .. } = &pair;
    let request = take_picky_on_primary(Picky(13))
        .via(hkg)
        .await
        .expect_err("refused by its own Deserialize");
    assert!(matches!(request, RpcError::BadRequest) && request.executed() == Executed::No);
    assert_eq!(probe.runs(), 0);
    let answer = give_picky_on_primary(13)
        .via(hkg)
        .await
        .expect_err("refused by its own Deserialize");
    assert!(matches!(answer, RpcError::BadResponse) && answer.executed() == Executed::Yes);
    assert_eq!(probe.runs(), 1);
    assert_eq!(
        take_picky_on_primary(Picky(12))
            .via(hkg)
            .await
            .expect("the connection lives"),
        12
    );
}

#[tokio::test]
async fn a_request_over_the_limit_is_not_read_even_from_a_peer_that_does_not_count() {
    let pair = pair().await;
    let Pair { syd, cluster, .. } = &pair;
    let peer = Peer::join(cluster, "peer", syd, Status::Ok).await;
    let contract = contract_of(syd, "echo");
    let head = RequestHead {
        function: "echo",
        version: 1,
        contract,
        trace: None,
        for_primary: false,
    };
    let limits = Limits::default();
    // A little more may be a head that only a newer build needs: it is read, and then refused.
    let lie = vec![0; limits.message_size + limits.header_size / 2].into();
    let sent = peer
        .link()
        .call(&head, &lie, Instant::now() + SOON)
        .await
        .expect("sent");
    assert_eq!(sent.await.expect("refused").status, Status::BadRequest);
    let lie = vec![0; limits.message_size + 2 * limits.header_size].into();
    let sent = peer
        .link()
        .call(&head, &lie, Instant::now() + SOON)
        .await
        .expect("sent");
    assert_eq!(sent.await.expect_err("unread"), CallLost::MayHaveLeft);
    let answer = peer.ask("echo", contract, SOON, &b"\x01x"[..]).await;
    assert_eq!(
        (answer.status, &answer.body[..]),
        (Status::Ok, &b"\x01x"[..])
    );
}
