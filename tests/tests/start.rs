//! What a node refuses before the first call, each with its own error and cure.

use std::{net::SocketAddr, time::Duration};

use fly_rpc::{
    ClusterSecret, Executed, Limits, Node, NodeBuilder, RpcError, StartError, Target, region_rpc,
};
use fly_rpc_tests::{Cluster, SOON};

struct Database(&'static str);
struct Mailer;

#[region_rpc]
fn read_database(#[state] database: &Database) -> String {
    database.0.to_owned()
}

#[region_rpc]
fn send_mail(#[state] database: &Database, #[state] _mailer: std::sync::Arc<Mailer>) -> String {
    database.0.to_owned()
}

#[region_rpc]
fn answer() -> u8 {
    42
}

fn builder() -> NodeBuilder {
    Cluster::new()
        .builder("a", "syd")
        .state(Database("here"))
        .state(Mailer)
}

async fn refusal(builder: NodeBuilder) -> StartError {
    builder.start().await.expect_err("refused")
}

#[tokio::test]
async fn every_missing_state_is_listed_at_once_with_who_takes_it() {
    let error = refusal(Cluster::new().builder("a", "syd"))
        .await
        .to_string();
    for expected in [
        "start::Database (taken by read_database@1, send_mail@1)",
        "start::Mailer (taken by send_mail@1)",
        "NodeBuilder::state",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    let hidden = Cluster::new()
        .builder("a", "syd")
        .hide_function("send_mail", 1)
        .state(Database("x"));
    hidden
        .start()
        .await
        .expect("a function that is not served needs no state");
}

#[tokio::test]
async fn states_reach_their_functions() {
    let node = builder().start().await.expect("sound");
    assert_eq!(
        read_database_on("syd").via(&node).await.expect("runs"),
        "here"
    );
    assert_eq!(send_mail_on("syd").via(&node).await.expect("runs"), "here");
}

#[tokio::test]
async fn a_count_of_functions_that_is_not_met_lists_what_is_linked() {
    let error = refusal(builder().expect_functions(7)).await;
    let StartError::FunctionCount {
        expected: 7,
        found: 3,
        names,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(names, &["answer@1", "read_database@1", "send_mail@1"]);
    assert!(
        error.to_string().contains("use that_crate as _;"),
        "{error}"
    );
    builder()
        .expect_functions(3)
        .start()
        .await
        .expect("as many as expected");
}

#[tokio::test]
async fn malformed_names_and_addresses_are_each_named() {
    let cases: [(NodeBuilder, &str); 7] = [
        (builder().region("Hong Kong"), "region: \"hong kong\""),
        (builder().region(""), "region: \"\""),
        (builder().primary_region("ü"), "primary region"),
        (builder().id("-x"), "node id: \"-x\""),
        (builder().cluster("  "), "cluster"),
        (builder().cluster("x".repeat(256)), "cluster"),
        (
            builder().peers(["nowhere"]),
            "\"nowhere\" (of FLY_RPC_PEERS) is not host:port",
        ),
    ];
    for (builder, expected) in cases {
        let error = refusal(builder).await.to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn without_a_secret_only_loopback_is_bound() {
    let anywhere: SocketAddr = "0.0.0.0:0".parse().expect("an address");
    let open = Node::builder()
        .cluster(Cluster::new().name())
        .state(Database("x"))
        .state(Mailer)
        .bind(anywhere);
    let error = refusal(open).await;
    assert!(
        matches!(error, StartError::DevelopmentBind(_))
            && error.to_string().contains("openssl rand -base64 32"),
        "{error}"
    );
}

#[test]
fn a_weak_secret_is_refused_with_the_command_that_makes_a_good_one() {
    for weak in [
        "",
        "password",
        "aGVsbG8=",
        &"00".repeat(32),
        &"ab".repeat(32),
        "correct horse battery staple correct horse",
    ] {
        let error = weak.parse::<ClusterSecret>().expect_err(weak).to_string();
        assert!(error.contains("openssl rand"), "{error}");
    }
    let good = ClusterSecret::generate();
    assert_eq!(
        good.reveal()
            .parse::<ClusterSecret>()
            .expect("its own spelling")
            .reveal(),
        good.reveal()
    );
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let node = builder().start().await.expect("sound");
    let error = refusal(builder().bind(node.local_addr())).await;
    assert!(
        matches!(&error, StartError::Bind { address, .. } if *address == node.local_addr()),
        "{error}"
    );
}

#[test]
fn start_outside_a_runtime_is_an_error_and_no_panic() {
    let mut future = Box::pin(builder().start());
    let outcome = future
        .as_mut()
        .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(matches!(
        outcome,
        std::task::Poll::Ready(Err(StartError::NoRuntime))
    ));
}

#[tokio::test]
async fn nodes_of_one_machine_find_each_other_with_nothing_configured() {
    let cluster = Cluster::new();
    let plain = |region: &str| {
        Node::builder()
            .cluster(cluster.name())
            .region(region)
            .primary_region("syd")
            .state(Database("x"))
            .state(Mailer)
    };
    let syd = plain("syd").start().await.expect("sound");
    let lax = plain("lax").start().await.expect("sound");
    assert_eq!(
        answer_on_primary()
            .via(&lax)
            .await
            .expect("found during start"),
        42
    );
    syd.wait_for("lax", SOON).await.expect("found");
    let stranger = Node::builder()
        .cluster("another")
        .region("cdg")
        .state(Database("x"))
        .state(Mailer)
        .start()
        .await
        .expect("sound");
    assert!(
        stranger
            .peers()
            .iter()
            .all(|peer| peer.region.as_str() != "syd"),
        "clusters are apart"
    );
    assert!(lax.wait_for("cdg", Duration::from_millis(1)).await.is_err());
}

#[tokio::test]
async fn a_node_that_is_configured_to_dial_itself_leaves_it() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("bound");
    drop(socket);
    let node = builder()
        .bind(address)
        .peers([address.to_string()])
        .start()
        .await
        .expect("sound");
    assert!(node.peers().is_empty());
    assert_eq!(
        answer_on_region("syd").via(&node).await.expect("runs here"),
        42
    );
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_dialled_on_and_found_when_it_comes() {
    let cluster = Cluster::new();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("bound");
    drop(socket);
    let with_states = |id: &str, region: &str| {
        cluster
            .builder(id, region)
            .state(Database("x"))
            .state(Mailer)
    };
    let early = with_states("early", "hkg")
        .peers([address.to_string()])
        .start()
        .await
        .expect("sound");
    let error = answer_on_primary()
        .via(&early)
        .timeout(Duration::from_millis(1))
        .await
        .expect_err("nobody there yet");
    assert_eq!(error.executed(), Executed::No, "{error}");
    let waiting = tokio::spawn(answer_on_primary().via(&early).timeout(SOON).wait_ready());
    let _late = with_states("late", "syd")
        .bind(address)
        .start()
        .await
        .expect("sound");
    assert_eq!(waiting.await.expect("no panic").expect("runs"), 42);
}

#[tokio::test]
async fn a_node_that_restarts_on_its_address_is_found_again() {
    let cluster = Cluster::new();
    let with_states = |id: &str, region: &str| {
        cluster
            .builder(id, region)
            .state(Database("x"))
            .state(Mailer)
    };
    let first = with_states("syd-1", "syd").start().await.expect("sound");
    let address = first.local_addr();
    let caller = with_states("hkg-1", "hkg")
        .peers([address.to_string()])
        .start()
        .await
        .expect("sound");
    assert_eq!(
        answer_on_primary().via(&caller).await.expect("connected"),
        42
    );
    for _ in 0..3 {
        first.shutdown().await;
        let again = with_states("syd-1", "syd").bind(address).start().await;
        let again = again.expect("the port is free at once");
        assert_eq!(
            answer_on_primary()
                .via(&caller)
                .timeout(SOON)
                .wait_ready()
                .await
                .expect("found again"),
            42
        );
        again.shutdown().await;
    }
    let gone = answer_on_primary().via(&caller).await.expect_err("nobody");
    assert!(
        matches!(gone, RpcError::Unreachable { .. } | RpcError::NoNode { .. }),
        "{gone}"
    );
    assert_eq!(gone.executed(), Executed::No);
}

#[tokio::test]
async fn wait_for_says_what_it_waited_for() {
    let node = builder().start().await.expect("sound");
    node.wait_for(Target::Primary, Duration::ZERO)
        .await
        .expect("this node is one");
    assert!(matches!(
        node.wait_for("cdg", Duration::ZERO).await,
        Err(RpcError::Timeout { .. })
    ));
    assert!(matches!(
        node.wait_for("@nowhere", Duration::ZERO).await,
        Err(RpcError::BadTarget { .. })
    ));
    node.shutdown().await;
    assert!(matches!(
        node.wait_for("syd", Duration::ZERO).await,
        Err(RpcError::NotStarted)
    ));
}

#[tokio::test]
async fn a_previous_secret_without_a_present_one_is_no_silent_development_mode() {
    let alone = Node::builder()
        .cluster(Cluster::new().name())
        .previous_secret(ClusterSecret::generate());
    let error = refusal(alone.state(Database("x")).state(Mailer)).await;
    assert!(matches!(error, StartError::PreviousSecretAlone), "{error}");
}

/// Makes limits useless.
type Spoil = fn(&mut Limits);

#[tokio::test]
async fn a_limit_with_which_no_node_could_work_is_named_with_its_cure() {
    let nonsense: [(&str, Spoil); 3] = [
        ("`handlers` is 0", |limits| limits.handlers = 0),
        ("`handlers_per_peer` is more than `handlers`", |limits| {
            limits.handlers = 100;
        }),
        ("`header_wait` is 0", |limits| {
            limits.header_wait = Duration::ZERO;
        }),
    ];
    for (expected, spoil) in nonsense {
        let mut limits = Limits::default();
        spoil(&mut limits);
        let error = refusal(builder().limits(limits)).await;
        assert!(matches!(error, StartError::Limit(_)), "{error}");
        let error = error.to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("NodeBuilder::limits"), "{error}");
    }
}
