//! That it only looks: nodes neither count it nor call it, and are as they were when it has left.

use std::time::Duration;

use fly_rpc::{Node, NodeBuilder, PeerState, Target, region_rpc};

use crate::fixture::Shop;

#[region_rpc]
fn whose_region() -> String {
    fly_rpc::my_region().to_string()
}

fn node(test: &str, region: &str) -> NodeBuilder {
    let cluster = format!("command-{test}-{}", std::process::id());
    Node::builder()
        .cluster(cluster)
        .region(region)
        .primary_region("syd")
}

#[tokio::test]
async fn a_node_that_is_looked_at_sees_nobody_who_looks() -> anyhow::Result<()> {
    let mut shop = Shop::of("unseen")?;
    shop.start("syd-1", "syd", "new").await?;
    shop.start("lax-1", "lax", "new").await?;
    shop.meet(&["syd", "lax"]).await?;
    let ended = shop.watch(&["nodes", "--watch", "--json"], 2, true).await?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (first, _) = &mut shop.nodes[0];
    first.tell("peers").await?;
    first.expect("lax-1").await?;
    Ok(())
}

#[tokio::test]
async fn an_observer_calls_and_is_in_no_list_and_no_region_and_takes_no_id() -> anyhow::Result<()> {
    let syd = node("observer", "syd").id("a").start().await?;
    let lax = node("observer", "lax").id("b").start().await?;
    syd.wait_for("lax", WAIT).await?;
    // With the id of a node, as it stands in the environment of its machine, and with another view of the primary.
    let builder = node("observer", "cdg").id("a").primary_region("cdg");
    let observer = builder.observer(true).start().await?;
    observer.wait_for("syd", WAIT).await?;
    observer.wait_for("lax", WAIT).await?;
    assert_ne!(observer.id(), syd.id());

    // It calls, and never itself.
    for target in [Target::Primary, Target::Any, Target::Region("lax".into())] {
        let region = whose_region_on(target.clone()).via(&observer).await?;
        assert!(
            ["syd", "lax"].contains(&region.as_str()),
            "{target}: {region}"
        );
    }
    assert_eq!(whose_region_on_primary().via(&observer).await?, "syd");
    let error = whose_region_on_region("cdg")
        .via(&observer)
        .await
        .expect_err("nobody is there");
    assert!(!error.to_string().contains("cdg,"), "{error}");

    // And nobody sees it.
    for node in [&syd, &lax] {
        let peers = node.peers();
        assert_eq!(peers.len(), 1, "{peers:?}");
        assert!(peers.iter().all(|peer| peer.state == PeerState::Connected));
        assert!(node.region_nodes("cdg").is_empty());
        assert_eq!(node.primary_region().as_str(), "syd");
        let error = whose_region_on_region("cdg")
            .via(node)
            .await
            .expect_err("nobody is there");
        assert!(
            error.to_string().contains("known regions: lax, syd"),
            "{error}"
        );
    }
    assert!(observer.catalogue().is_empty());

    // Nobody waits for it, or for what it would say.
    let began = tokio::time::Instant::now();
    observer.shutdown().await;
    assert!(syd.shutdown().await.is_clean() && lax.shutdown().await.is_clean());
    assert!(began.elapsed() < WAIT);
    Ok(())
}

#[tokio::test]
async fn whoever_dials_an_observer_is_turned_away() -> anyhow::Result<()> {
    let observer = node("dialled", "syd").observer(true).start().await?;
    let address = observer.local_addr().to_string();
    let other = node("dialled", "lax").peers([address]).start().await?;
    assert!(other.peers().is_empty(), "{:?}", other.peers());
    assert_eq!(other.stats().connections, 0);
    other.shutdown().await;
    observer.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_primary_that_moved_is_found_by_who_only_looks() -> anyhow::Result<()> {
    let syd = node("moved", "syd").start().await?;
    let lax = node("moved", "lax").start().await?;
    syd.wait_for("lax", WAIT).await?;
    syd.set_primary_region("lax")?;
    let observer = node("moved", "cdg")
        .primary_region("cdg")
        .observer(true)
        .start()
        .await?;
    observer.wait_for("lax", WAIT).await?;
    assert_eq!(
        whose_region_on_primary()
            .via(&observer)
            .wait_ready()
            .await?,
        "lax"
    );
    for node in [syd, lax, observer] {
        node.shutdown().await;
    }
    Ok(())
}

const WAIT: Duration = Duration::from_secs(20);
