//! A whole life of a cluster in one process, with everything logged that can be: what the test of secrets looks through.

use std::{error::Error, fmt::Debug, io::Read, net::SocketAddr};

use fly_rpc::{ClusterSecret, Identity, Limits, Node, NodeBuilder, NodeId, RpcError, region_rpc};
use fly_rpc_tests::SOON;
use tracing_subscriber::filter::LevelFilter;

#[region_rpc]
fn greet(name: &str) -> String {
    format!("hello {name}")
}

/// What a careless application does with what it holds.
#[region_rpc]
fn panic_with(#[state] secret: &ClusterSecret, #[context] context: &fly_rpc::CallContext) -> u8 {
    panic!("{secret:?} {context:?}");
}

#[region_rpc]
async fn never_ends() {
    std::future::pending().await
}

const CLUSTER: &str = "life";

/// The secrets come as lines of standard input, so that no argument and no variable has them but those that the library
/// itself reads: the current one, the one before, a chain with its key, roots.
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(std::io::stderr)
        .init();
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let parts: Vec<&str> = input.split("\n\n").collect();
    let &[current, previous, weak, chain, key, roots, planted] = &parts[..] else {
        anyhow::bail!("seven parts, not {}", parts.len())
    };
    fails(weak.parse::<ClusterSecret>());
    fails(current[..current.len() / 2].parse::<ClusterSecret>());
    let (current, previous): (ClusterSecret, ClusterSecret) = (current.parse()?, previous.parse()?);
    // What a leak would look like; nothing in an honest run.
    tracing::info!("{planted}");

    from_environment().await?;
    one_cluster(&current, &previous).await?;
    refusals(&current, &previous).await?;
    own_pki(chain, key, roots).await?;
    Ok(())
}

/// Prints what somebody might print.
fn show(value: &impl Debug) {
    println!("{value:?} {value:#?}");
}

/// The same of what should fail, with all that stands behind it.
fn fails<T: Debug, E: Error + Send + Sync + 'static>(outcome: Result<T, E>) {
    show(&outcome);
    let error = anyhow::Error::from(outcome.expect_err("a mistake"));
    println!("{error} {error:#} {error:?}");
}

fn builder(secret: &ClusterSecret, id: &str, region: &str) -> NodeBuilder {
    Node::builder()
        .cluster(CLUSTER)
        .secret(secret.clone())
        .state(secret.clone())
        .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .id(id)
        .region(region)
        .primary_region("syd")
}

async fn from_environment() -> anyhow::Result<()> {
    let builder = Node::from_env()?;
    show(&builder);
    let node = builder.state(ClusterSecret::generate()).start().await?;
    show(&node);
    show(&node.shutdown().await);
    Ok(())
}

/// Calls, failures, panics, a rotation under way, a shutdown.
async fn one_cluster(current: &ClusterSecret, previous: &ClusterSecret) -> anyhow::Result<()> {
    let server = builder(current, "server", "syd").previous_secret(previous.clone());
    show(&server);
    let server = server.start().await?;
    let client = builder(previous, "client", "lax")
        .previous_secret(current.clone())
        .peers([server.local_addr().to_string()])
        .start()
        .await?;
    client.wait_for("syd", SOON).await?;
    show(&(&server, &client, server.stats(), client.peers()));

    show(&greet_on("syd", "Ada").via(&client).await?);
    let panicked = panic_with_on("syd").via(&client).await;
    anyhow::ensure!(matches!(panicked, Err(RpcError::Panicked { .. })));
    fails(panicked);
    let short = std::time::Duration::from_millis(50);
    fails(never_ends_on("syd").via(&client).timeout(short).await);
    fails(greet_on("nowhere", "Ada").via(&client).await);
    fails(greet_on("@nonsense", "Ada").via(&client).await);
    show(&server.shutdown().await);
    fails(greet_on("syd", "Ada").via(&client).timeout(short).await);
    show(&client.shutdown().await);
    fails(greet_on("syd", "Ada").via(&client).await);
    Ok(())
}

/// Strangers of every kind that a mistake makes, and nodes that do not start.
async fn refusals(current: &ClusterSecret, previous: &ClusterSecret) -> anyhow::Result<()> {
    let server = builder(current, "server", "syd").start().await?;
    let address = server.local_addr().to_string();
    let strangers = [
        builder(previous, "other-secret", "cdg"),
        builder(current, "other-cluster", "cdg").cluster("another life"),
        builder(current, "server", "cdg"),
    ];
    for stranger in strangers {
        let stranger = stranger.peers([address.clone()]).start().await?;
        let short = std::time::Duration::from_millis(200);
        show(
            &greet_on("syd", "Ada")
                .via(&stranger)
                .timeout(short)
                .wait_ready()
                .await,
        );
        show(&(stranger.peers(), stranger.stats()));
        stranger.shutdown().await;
    }
    anyhow::ensure!(server.stats().refused > 0, "nobody was refused");

    fails(builder(current, "not a name", "syd").start().await);
    fails(builder(current, "node", "NOT A REGION").start().await);
    fails(
        builder(current, "node", "syd")
            .expect_functions(99)
            .start()
            .await,
    );
    fails(
        builder(current, "node", "syd")
            .bind(server.local_addr())
            .start()
            .await,
    );
    fails(Identity::from_secret(
        current.clone(),
        Some(previous.clone()),
        CLUSTER,
        &NodeId::from("not a name"),
    ));
    show(&(current, previous, Limits::default()));
    server.shutdown().await;
    Ok(())
}

async fn own_pki(chain: &str, key: &str, roots: &str) -> anyhow::Result<()> {
    let (chain, key, roots) = (chain.as_bytes(), key.as_bytes(), roots.as_bytes());
    let identity = Identity::from_pem(chain, key, roots)?;
    show(&identity);
    fails(Identity::from_pem(key, chain, roots));
    fails(Identity::from_pem(chain, &key[..key.len() / 2], roots));
    fails(identity.replace_pem(roots, key, roots));
    let node = Node::builder()
        .identity(identity)
        .state(ClusterSecret::generate())
        .bind(SocketAddr::from(([127, 0, 0, 1], 0)));
    show(&node);
    let node = node.start().await?;
    show(&node);
    node.shutdown().await;
    Ok(())
}
