//! Members that are no nodes of this build: one of another protocol, one that answers no questions.

use std::{net::UdpSocket, sync::Arc};

use fly_rpc::{ClusterSecret, Identity, Limits, NodeId};
use fly_rpc_transport::{
    Catalogue, Endpoint, EndpointConfig, Hello, Link, Offer, PROTOCOL_VERSIONS, Randomness,
    Request, Served, Service, Status, View,
};

use crate::fixture::{Ended, Shop};

/// Knows no function.
struct Old;

impl Service for Old {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        Served::Answer(request.respond(Status::UnknownFunction))
    }
}

/// A member that says this of itself.
fn member(secret: &ClusterSecret, change: impl FnOnce(&mut Hello)) -> Endpoint {
    let node = NodeId::from("strange-1");
    let identity = Identity::from_secret(secret.clone(), None, "shop", &node);
    let offer = Offer {
        name: "upcase".to_owned(),
        version: 1,
        fingerprint: [7; 16],
        contract: "upcase@1(text: str) -> str".to_owned(),
    };
    let mut hello = Hello {
        protocol: PROTOCOL_VERSIONS,
        cluster: "shop".to_owned(),
        node,
        incarnation: 1,
        region: "syd".into(),
        view: View::configured("syd"),
        build: String::new(),
        advertise: None,
        dial: 0,
        message_size: 4 << 20,
        draining: false,
        observer: false,
        catalogue: Arc::new(Catalogue::new([offer])),
    };
    change(&mut hello);
    let config = EndpointConfig {
        socket: UdpSocket::bind("127.0.0.1:0").expect("a free port").into(),
        randomness: Randomness::unforeseeable(),
        identity: identity.expect("a sound secret"),
        hello,
        limits: Limits::default(),
    };
    let endpoint = Endpoint::start(config, Arc::new(Old)).expect("a sound configuration");
    endpoint.accept();
    endpoint
}

/// Runs the command against such a member.
async fn run(change: impl FnOnce(&mut Hello), line: &[&str]) -> anyhow::Result<Ended> {
    let secret = ClusterSecret::generate();
    let member = member(&secret, change);
    let address = member.local_addr().to_string();
    let shop = Shop::of(&format!("strange-{}", member.local_addr().port()))?;
    let environment = [
        ("FLY_RPC_SECRET", secret.reveal().to_string()),
        ("FLY_RPC_PEERS", address),
        ("FLY_RPC_CLUSTER", "shop".to_owned()),
    ];
    let environment = environment
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    shop.run_with(line, &environment, "").await
}

#[tokio::test]
async fn a_cluster_of_another_protocol_is_told_by_its_code() -> anyhow::Result<()> {
    let ended = run(|hello| hello.protocol = 7..=9, &["nodes"]).await?;
    ended.failed(
        5,
        "speaks another version of the protocol: take the `fly-rpc` command of the version",
    );
    Ok(())
}

#[tokio::test]
async fn a_build_that_answers_no_questions_is_shown_and_cannot_be_called() -> anyhow::Result<()> {
    let ended = run(|_| {}, &["nodes"]).await?;
    assert!(ended.well().contains("strange-1"), "{ended:?}");
    let ended = run(|_| {}, &["ping"]).await?;
    assert!(ended.well().contains("0 of 5"), "{ended:?}");
    let ended = run(|_| {}, &["call", "upcase", "[\"fly\"]"]).await?;
    ended.failed(7, "its build does not tell contracts yet");
    let ended = run(|_| {}, &["doctor"]).await?;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .out
            .contains("strange-1 says nothing of itself: its build is too old to tell"),
        "{ended:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_a_node_says_of_itself_is_shown_and_not_obeyed() -> anyhow::Result<()> {
    let ended = run(
        |hello| hello.build = "\u{1b}[2J\u{202e}v7".to_owned(),
        &["nodes"],
    )
    .await?;
    assert!(
        ended.well().contains("v7") && !ended.out.contains(['\u{1b}', '\u{202e}']),
        "{ended:?}"
    );
    Ok(())
}
