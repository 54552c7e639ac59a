//! A node with many peers: what each that is idle holds in memory, how soon a thousand have joined,
//! and what they cost while nothing happens.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bench_figures::Effort;
use fly_rpc::{ClusterSecret, Limits, Node, NodeBuilder, Target};
use tokio::{task::JoinSet, time::sleep};

use crate::{process::Process, roles::obey};

/// What a crowd of peers costs the node that they are connected to.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// Peers at the end.
    pub peers: usize,
    /// Seconds from the first dial to the last hello.
    pub joined: f64,
    /// Seconds of a core that the node spent on that.
    pub joining: f64,
    /// Bytes that the process holds with all of them.
    pub resident: f64,
    /// Bytes by which that grew with each peer beyond the first hundred.
    pub per_peer: f64,
    /// The part of one core that the node needs while nothing happens.
    pub idle: f64,
}

pub(crate) async fn measure(effort: Effort) -> anyhow::Result<Crowd> {
    let (most, rest) = if effort.whole {
        (MANY, REST)
    } else {
        (SOME, SHORT_REST)
    };
    let secret = ClusterSecret::generate().reveal();
    let mut hub = Process::play("hub", &[&secret]).await?;
    let address = hub.greeting.clone();
    let mut members = Process::play("members", &[&address, &secret]).await?;
    members.ask(&FEW.to_string()).await?;
    sleep(SHORT_REST).await;
    let few = hub.resident()?;
    let (begun, busy) = (Instant::now(), hub.busy()?);
    members.ask(&(most - FEW).to_string()).await?;
    let joined = begun.elapsed().as_secs_f64();
    let joining = (hub.busy()? - busy).as_secs_f64();
    let connected: usize = hub.ask("count").await?.parse()?;
    ensure!(connected == most, "{connected} of {most} are connected");
    sleep(SHORT_REST).await;
    let busy = hub.busy()?;
    // Time is what is measured here: nothing is waited for.
    sleep(rest).await;
    let resident = hub.resident()?;
    Ok(Crowd {
        peers: most,
        joined,
        joining,
        resident,
        per_peer: (resident - few) / (most - FEW) as f64,
        idle: (hub.busy()? - busy).as_secs_f64() / rest.as_secs_f64(),
    })
}

/// The node that is weighed.
pub(crate) async fn hub(secret: &str) -> anyhow::Result<()> {
    let mut limits = Limits::default();
    // All of them stand behind one address, and come at once.
    limits.connections_per_ip = usize::MAX;
    limits.connects_per_ip = u32::MAX;
    let node = member(secret)?.region(HUB).limits(limits).start().await?;
    println!("{}", node.local_addr());
    obey(async |_| Ok(node.stats().connections.to_string())).await
}

/// The others, in one process: theirs is not the memory that is weighed.
pub(crate) async fn members(address: &str, secret: &str) -> anyhow::Result<()> {
    println!("ready");
    let mut all: Vec<Node> = Vec::new();
    obey(async |more| {
        let mut left: usize = more.parse()?;
        let mut starting = JoinSet::new();
        while left > 0 || !starting.is_empty() {
            while left > 0 && starting.len() < AT_ONCE {
                left -= 1;
                let builder = member(secret)?.peers([address]);
                starting.spawn(async move {
                    let node = builder.start().await?;
                    node.wait_for(Target::Region(HUB.into()), SOON).await?;
                    anyhow::Ok(node)
                });
            }
            all.push(starting.join_next().await.context("one is starting")???);
        }
        Ok(all.len().to_string())
    })
    .await
}

/// A node of the crowd's cluster.
pub(crate) fn member(secret: &str) -> anyhow::Result<NodeBuilder> {
    Ok(Node::builder()
        .cluster("crowd")
        .region("elsewhere")
        .primary_region(HUB)
        .bind(([127, 0, 0, 1], 0).into())
        .secret(secret.parse()?))
}

pub(crate) const HUB: &str = "hub";
/// Peers of the long form.
const MANY: usize = 1_000;
/// Peers of the short form.
const SOME: usize = 300;
/// Peers with which the memory is first taken: what is allocated once is there by then.
const FEW: usize = 100;
/// Nodes that start at one time.
const AT_ONCE: usize = 16;
/// How long the idle node is watched: two keep-alives of every peer.
const REST: Duration = Duration::from_secs(10);
/// The same in the short form, and until what a handshake needed is freed.
const SHORT_REST: Duration = Duration::from_secs(3);
pub(crate) const SOON: Duration = Duration::from_secs(20);
