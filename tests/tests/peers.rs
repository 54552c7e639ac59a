//! A node against peers that answer as no honest build would, or that mean something else by a name.

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use fly_rpc::{Executed, Identity, Limits, Node, NodeId, RpcError, region_rpc};
use fly_rpc_tests::{Cluster, SOON};
use fly_rpc_transport::{
    Catalogue, Endpoint, EndpointConfig, Hello, Link, Offer, PROTOCOL_VERSIONS, Randomness,
    Request, Served, Service, Status,
};

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

/// Answers everything with one status and body, and counts how often it was asked.
struct Fixed {
    status: Status,
    body: Vec<u8>,
    asked: Arc<AtomicUsize>,
}

impl Service for Fixed {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Served::Answer(request.respond(self.status).with_detail(&self.body))
    }
}

/// A peer in `cdg` whose catalogue is that of `like`, changed, and which answers everything alike.
fn peer(
    cluster: &Cluster,
    like: &Node,
    change: impl Fn(&mut Offer),
    status: Status,
    body: &[u8],
) -> (Endpoint, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let service = Fixed {
        status,
        body: body.to_vec(),
        asked: Arc::clone(&asked),
    };
    let node = NodeId::from("peer");
    let mut offers = offers_of(like);
    offers.iter_mut().for_each(change);
    let hello = Hello {
        protocol: PROTOCOL_VERSIONS,
        cluster: cluster.name().to_owned(),
        node: node.clone(),
        incarnation: 1,
        region: "cdg".into(),
        primary: "syd".into(),
        build: "dishonest".into(),
        advertise: None,
        dial: 0,
        message_size: 1 << 20,
        draining: false,
        catalogue: Arc::new(Catalogue::new(offers)),
    };
    let identity =
        Identity::from_secret(cluster.secret(), None, cluster.name(), &node).expect("sound");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let config = EndpointConfig {
        socket: socket.into(),
        randomness: Randomness::unforeseeable(),
        identity,
        hello,
        limits: Limits::default(),
    };
    let endpoint = Endpoint::start(config, Arc::new(service)).expect("started");
    endpoint.accept();
    (endpoint, asked)
}

/// The offers of a node, with their fingerprints, as another endpoint sees them.
fn offers_of(node: &Node) -> Vec<Offer> {
    node.catalogue()
        .into_iter()
        .map(|function| Offer {
            name: function.name,
            version: function.version,
            fingerprint: function.fingerprint.to_bytes(),
            contract: function.contract,
        })
        .collect()
}

async fn connected(
    cluster: &Cluster,
    change: impl Fn(&mut Offer),
    status: Status,
    body: &[u8],
) -> (Node, Endpoint, Arc<AtomicUsize>) {
    let node = cluster.node("honest", "syd").await;
    let (endpoint, asked) = peer(cluster, &node, change, status, body);
    endpoint
        .dial(node.local_addr(), None)
        .await
        .expect("a member");
    node.wait_for("cdg", SOON).await.expect("connected");
    (node, endpoint, asked)
}

#[tokio::test]
async fn another_contract_under_the_same_name_and_version_is_refused_before_anything_is_sent() {
    let cluster = Cluster::new();
    let change = |offer: &mut Offer| {
        offer.fingerprint[0] ^= 1;
        offer.contract = "double@1(number: u64) -> u64".into();
    };
    let (node, _peer, asked) = connected(&cluster, change, Status::Ok, &[1]).await;
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
    assert_eq!(
        (error.executed(), asked.load(Ordering::Relaxed)),
        (Executed::No, 0)
    );
}

#[tokio::test]
async fn a_request_with_another_contract_is_refused_by_the_server_too() {
    let cluster = Cluster::new();
    let (node, peer, _) = connected(&cluster, |_| (), Status::Ok, &[]).await;
    let link = peer.links()[0].clone();
    let head = fly_rpc_transport::RequestHead {
        function: "double",
        version: 1,
        contract: [9; 16],
        trace: None,
    };
    let pending = link
        .call(&head, &bytes_of(&[2]), || SOON)
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
    };
    let response = link
        .call(&unknown, &bytes_of(&[]), || SOON)
        .await
        .expect("sent")
        .await
        .expect("answered");
    assert_eq!(
        (response.status, &response.body[..]),
        (Status::UnknownFunction, &[1, 0, 0, 0][..])
    );
    let late = fly_rpc_transport::RequestHead {
        contract: offers_of(&node)[0].fingerprint,
        ..head
    };
    let response = link
        .call(&late, &bytes_of(&[2]), || std::time::Duration::ZERO)
        .await
        .expect("sent")
        .await
        .expect("answered");
    assert_eq!(response.status, Status::Expired);
}

#[tokio::test]
async fn arguments_that_are_no_values_are_refused_and_ninety_nine_others_are_served() {
    let cluster = Cluster::new();
    let (node, peer, _) = connected(&cluster, |_| (), Status::Ok, &[]).await;
    let link = peer.links()[0].clone();
    let offers = offers_of(&node);
    let offer = offers.iter().find(|offer| offer.name == "describe");
    let head = fly_rpc_transport::RequestHead {
        function: "describe",
        version: 1,
        contract: offer.expect("it is served").fingerprint,
        trace: None,
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
            calls.push(link.call(&head, &arguments, || SOON).await.expect("sent"));
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
        let (node, _peer, asked) = connected(&cluster, |_| (), Status::Ok, body).await;
        for round in 1..=3 {
            let error = double_on("cdg", 2).via(&node).await.expect_err("garbage");
            assert!(
                matches!(error, RpcError::BadResponse) && error.executed() == Executed::Yes,
                "{error}"
            );
            assert_eq!(asked.load(Ordering::Relaxed), round, "never asked twice");
        }
    }
}

#[tokio::test]
async fn a_claim_of_a_billion_elements_is_refused_without_taking_their_memory() {
    let cluster = Cluster::new();
    let (node, _peer, _) = connected(
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
        let (node, _peer, asked) = connected(&cluster, |_| (), Status::from_byte(byte), b"?").await;
        let error = double_on("cdg", 2).via(&node).await.expect_err("no value");
        assert_eq!(
            (error.executed(), asked.load(Ordering::Relaxed)),
            (executed, 1),
            "{byte}: {error}"
        );
    }
}

#[tokio::test]
async fn a_stale_picture_is_corrected_by_the_answer() {
    let cluster = Cluster::new();
    let (node, peer, asked) =
        connected(&cluster, |_| (), Status::UnknownFunction, &[3, 0, 0, 0, 9]).await;
    let error = double_on("cdg", 2).via(&node).await.expect_err("it lied");
    assert!(
        matches!(&error, RpcError::FunctionUnavailable { offered, .. } if *offered == [3]),
        "{error}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    peer.set_catalogue(Catalogue::default());
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
    let before = asked.load(Ordering::Relaxed);
    double_on("cdg", 2)
        .via(&node)
        .await
        .expect_err("nothing is served");
    assert_eq!(
        asked.load(Ordering::Relaxed),
        before,
        "it is not asked for what it says it lacks"
    );
}
