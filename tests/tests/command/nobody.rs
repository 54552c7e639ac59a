//! Clusters that do not let it in, or are not there: one sentence with the cure, and an exit code for each.

use fly_rpc::ClusterSecret;

use crate::fixture::Shop;

#[tokio::test]
async fn where_no_node_runs_it_says_how_to_reach_one() -> anyhow::Result<()> {
    let shop = Shop::of("nobody")?;
    for line in [&["nodes"][..], &["catalogue"], &["ping"], &["call", "f"]] {
        let ended = shop.run(line).await?;
        ended.failed(3, "start one, or set FLY_RPC_SECRET and FLY_RPC_PEERS");
    }
    let ended = shop.run(&["nodes", "--cluster", "shop"]).await?;
    ended.failed(3, "no node of cluster \"shop\" runs on this machine");
    let secret = ClusterSecret::generate().reveal().to_string();
    let ended = shop
        .run_with(&["nodes"], &[("FLY_RPC_SECRET", &secret)], "")
        .await?;
    ended.failed(3, "set FLY_RPC_PEERS to host:port of one");
    Ok(())
}

#[tokio::test]
async fn an_address_at_which_nobody_answers_is_named() -> anyhow::Result<()> {
    let shop = Shop::of("silence")?;
    let secret = ClusterSecret::generate().reveal().to_string();
    // Bound and silent.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?.to_string();
    let environment = [
        ("FLY_RPC_SECRET", secret.as_str()),
        ("FLY_RPC_PEERS", &address),
    ];
    let ended = shop
        .run_with(&["nodes", "--timeout", "500ms"], &environment, "")
        .await?;
    ended.failed(3, "see that one runs there and that UDP gets through");
    let json = shop
        .run_with(&["nodes", "--timeout", "500ms", "--json"], &environment, "")
        .await?;
    assert_eq!(json.json()?["exit_code"], 3);
    let json = shop
        .run_with(
            &["call", "f", "--timeout", "500ms", "--json"],
            &environment,
            "",
        )
        .await?;
    assert_eq!(json.json()?["executed"], "no");
    Ok(())
}

#[tokio::test]
async fn of_several_clusters_it_asks_for_one_by_name() -> anyhow::Result<()> {
    let mut shop = Shop::of("several")?;
    shop.start_in("shop", "syd-1", "syd", "new").await?;
    shop.start_in("the other/one", "syd-2", "syd", "new")
        .await?;
    let ended = shop.run(&["nodes"]).await?;
    ended.failed(2, "2 clusters run on this machine: say which with --cluster \"shop\" or --cluster \"the other/one\"");
    let ended = shop.run(&["nodes", "--cluster", "the other/one"]).await?;
    assert!(
        ended.well().contains("syd-2") && !ended.out.contains("syd-1"),
        "{ended:?}"
    );
    let ended = shop
        .run_with(&["nodes"], &[("FLY_RPC_CLUSTER", "shop")], "")
        .await?;
    assert!(ended.well().contains("syd-1"), "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn another_secret_and_another_cluster_are_refused_with_the_cure() -> anyhow::Result<()> {
    let mut shop = Shop::with_secret("secret")?;
    shop.start("syd-1", "syd", "new").await?;
    assert!(shop.run(&["nodes"]).await?.well().contains("syd-1"));
    let other = ClusterSecret::generate().reveal().to_string();
    let ended = shop
        .run_with(&["nodes"], &[("FLY_RPC_SECRET", &other)], "")
        .await?;
    ended.failed(4, "has another secret, or belongs to another cluster: set FLY_RPC_SECRET to the secret of the nodes");
    assert!(!ended.err.contains(&other));
    let ended = shop.run(&["nodes", "--cluster", "another"]).await?;
    ended.failed(4, "to the name of their cluster (now \"another\")");
    let ended = shop
        .run_with(&["nodes"], &[("FLY_RPC_SECRET", "hunter2")], "")
        .await?;
    ended.failed(2, "FLY_RPC_SECRET");
    Ok(())
}

#[tokio::test]
async fn the_doctor_says_what_it_can_where_nobody_answers() -> anyhow::Result<()> {
    let shop = Shop::of("doctor-alone")?;
    let ended = shop
        .run_with(&["doctor"], &[("FLY_APP_NAME", "guestbook")], "")
        .await?;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    for said in [
        "FLY_RPC_SECRET is not set on Fly",
        "PRIMARY_REGION is not set on Fly",
        "no node",
    ] {
        assert!(ended.out.contains(said), "{said}: {ended:?}");
    }
    let json = shop.run(&["doctor", "--json"]).await?;
    assert_eq!(json.code, Some(3), "{json:?}");
    let first = &json.json()?["findings"][0];
    assert_eq!(
        (&first["check"], &first["level"]),
        (&"cluster".into(), &"problem".into())
    );
    let ended = shop
        .run_with(&["doctor"], &[("FLY_RPC_SECRET", "hunter2")], "")
        .await?;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.out.contains("FLY_RPC_SECRET cannot be used"),
        "{ended:?}"
    );
    Ok(())
}
