//! A node against peers that answer as no honest build would, or that mean something else by a name.

use fly_rpc::{Executed, Node, RpcError, region_rpc};
use fly_rpc_tests::{Cluster, Peer, SOON, contract_of};
use fly_rpc_transport::{Offer, Status};
use tokio::time::Instant;

#[region_rpc]
fn double(number: u32) -> u32 {
    number * 2
}

#[region_rpc]
fn words(count: u8) -> Vec<String> {
    vec![String::new(); count.into()]
}

#[derive(serde::Serialize, serde::Deserialize)]
enum Mood {
    Good,
    Bad,
}

#[region_rpc]
fn describe(text: String, flag: bool, maybe: Option<u8>, mood: Mood) -> String {
    let mood = match mood {
        Mood::Good => "good",
        Mood::Bad => "bad",
    };
    format!("{text} {flag} {maybe:?} {mood}")
}

async fn connected(
    cluster: &Cluster,
    change: impl Fn(&mut Offer),
    status: Status,
    body: &[u8],
) -> (Node, Peer) {
    let node = cluster.node("honest", "syd").await;
    let peer = Peer::join_changed(cluster, "peer", &node, change, status, body).await;
    (node, peer)
}

#[tokio::test]
async fn another_contract_under_the_same_name_and_version_is_refused_before_anything_is_sent() {
    let cluster = Cluster::new();
    let change = |offer: &mut Offer| {
        offer.fingerprint[0] ^= 1;
        offer.contract = "double@1(number: u64) -> u64".into();
    };
    let (node, peer) = connected(&cluster, change, Status::Ok, &[1]).await;
    let error = double_on("cdg", 2)
        .via(&node)
        .await
        .expect_err("another contract");
    let RpcError::ContractMismatch {
        function,
        ours,
        theirs,
        node: other,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((function.as_str(), other.as_str()), ("double", "peer"));
    assert_eq!(
        (ours.as_str(), theirs.as_str()),
        (
            "double@1(number: u32) -> u32",
            "double@1(number: u64) -> u64"
        )
    );
    assert_eq!((error.executed(), peer.asked()), (Executed::No, 0));
}

#[tokio::test]
async fn a_request_with_another_contract_is_refused_by_the_server_too() {
    let cluster = Cluster::new();
    let (node, peer) = connected(&cluster, |_| (), Status::Ok, &[]).await;
    let link = peer.link();
    let head = fly_rpc_transport::RequestHead {
        function: "double",
        version: 1,
        contract: [9; 16],
        trace: None,
        for_primary: false,
    };
    let pending = link
        .call(&head, &bytes_of(&[2]), Instant::now() + SOON)
        .await
        .expect("sent");
    let response = pending.await.expect("answered");
    assert_eq!(response.status, Status::ContractMismatch);
    assert_eq!(&response.body[..], b"double@1(number: u32) -> u32");
    let unknown = fly_rpc_transport::RequestHead {
        function: "double",
        version: 9,
        contract: [9; 16],
        trace: None,
        for_primary: false,
    };
    let response = link
        .call(&unknown, &bytes_of(&[]), Instant::now() + SOON)
        .await
        .expect("sent")
        .await
        .expect("answered");
    assert_eq!(
        (response.status, &response.body[..]),
        (Status::UnknownFunction, &[1, 0, 0, 0][..])
    );
    let late = fly_rpc_transport::RequestHead {
        contract: contract_of(&node, "double"),
        ..head
    };
    let response = link
        .call_that_claims(
            &late,
            &bytes_of(&[2]),
            Instant::now() + SOON,
            std::time::Duration::ZERO,
        )
        .await
        .expect("sent")
        .await
        .expect("answered");
    assert_eq!(response.status, Status::Expired);
}

#[tokio::test]
async fn arguments_that_are_no_values_are_refused_and_ninety_nine_others_are_served() {
    let cluster = Cluster::new();
    let (node, peer) = connected(&cluster, |_| (), Status::Ok, &[]).await;
    let link = peer.link();
    let head = fly_rpc_transport::RequestHead {
        function: "describe",
        version: 1,
        contract: contract_of(&node, "describe"),
        trace: None,
        for_primary: false,
    };
    let sound: &[u8] = &[1, b'a', 1, 0, 1];
    let bad: [&[u8]; 7] = [
        &[1, 0xff, 1, 0, 1],
        &[1, b'a', 2, 0, 1],
        &[1, b'a', 1, 2, 1],
        &[1, b'a', 1, 0, 2],
        &[1, b'a', 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[1, b'a', 1, 0, 1, 0],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
    ];
    for bad in bad {
        let mut calls = Vec::new();
        for index in 0..100 {
            let arguments = bytes_of(if index == 41 { bad } else { sound });
            calls.push(
                link.call(&head, &arguments, Instant::now() + SOON)
                    .await
                    .expect("sent"),
            );
        }
        let mut served = 0;
        for (index, call) in calls.into_iter().enumerate() {
            let status = call.await.expect("answered").status;
            served += usize::from(status == Status::Ok);
            assert!(
                index != 41 || status == Status::BadRequest,
                "{bad:?}: {status:?}"
            );
        }
        assert_eq!(served, 99, "{bad:?}");
    }
    assert!(!link.is_closed());
}

fn bytes_of(bytes: &'static [u8]) -> bytes::Bytes {
    bytes::Bytes::from_static(bytes)
}

#[tokio::test]
async fn an_answer_that_cannot_be_decoded_is_a_bad_response_and_the_connection_lives() {
    for body in [&[][..], &[0xff; 11][..], &[1, 2, 3][..]] {
        let cluster = Cluster::new();
        let (node, peer) = connected(&cluster, |_| (), Status::Ok, body).await;
        for round in 1..=3 {
            let error = double_on("cdg", 2).via(&node).await.expect_err("garbage");
            assert!(
                matches!(error, RpcError::BadResponse) && error.executed() == Executed::Yes,
                "{error}"
            );
            assert_eq!(peer.asked(), round, "never asked twice");
        }
    }
}

#[tokio::test]
async fn a_claim_of_a_billion_elements_is_refused_without_taking_their_memory() {
    let cluster = Cluster::new();
    let (node, _peer) = connected(
        &cluster,
        |_| (),
        Status::Ok,
        &[0x80, 0x94, 0xeb, 0xdc, 0x03],
    )
    .await;
    let error = words_on("cdg", 2).via(&node).await.expect_err("a lie");
    assert!(matches!(error, RpcError::BadResponse), "{error}");
}

#[tokio::test]
async fn a_status_of_a_newer_build_still_tells_whether_the_function_ran() {
    for (byte, executed) in [
        (30, Executed::No),
        (100, Executed::Yes),
        (200, Executed::Unknown),
        (128, Executed::Unknown),
    ] {
        let cluster = Cluster::new();
        let (node, peer) = connected(&cluster, |_| (), Status::from_byte(byte), b"?").await;
        let error = double_on("cdg", 2).via(&node).await.expect_err("no value");
        assert_eq!(
            (error.executed(), peer.asked()),
            (executed, 1),
            "{byte}: {error}"
        );
    }
}

#[tokio::test]
async fn a_stale_picture_is_corrected_by_the_answer() {
    let cluster = Cluster::new();
    let (node, peer) = connected(&cluster, |_| (), Status::UnknownFunction, &[3, 0, 0, 0, 9]).await;
    let error = double_on("cdg", 2).via(&node).await.expect_err("it lied");
    assert!(
        matches!(&error, RpcError::FunctionUnavailable { offered, .. } if *offered == [3]),
        "{error}"
    );
    assert_eq!(peer.asked(), 1);
    peer.serve_nothing();
    let corrected = async {
        loop {
            let error = double_on("cdg", 2)
                .via(&node)
                .await
                .expect_err("nothing is served");
            if matches!(&error, RpcError::FunctionUnavailable { offered, .. } if offered.is_empty())
            {
                break;
            }
        }
    };
    tokio::time::timeout(SOON, corrected)
        .await
        .expect("the news arrives");
    let before = peer.asked();
    double_on("cdg", 2)
        .via(&node)
        .await
        .expect_err("nothing is served");
    assert_eq!(
        peer.asked(),
        before,
        "it is not asked for what it says it lacks"
    );
}
