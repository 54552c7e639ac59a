//! Finding nodes through a DNS server that misbehaves on purpose.

mod cluster;
mod fly;
mod pace;
mod plain;

use std::{net::IpAddr, time::Duration};

use fly_rpc::discovery::{Discovery, DiscoveryError, Sighting};
use fly_rpc_tests::SOON;

/// The next answer of a source, which has it soon.
async fn answer(source: &mut impl Discovery) -> Result<Vec<Sighting>, DiscoveryError> {
    tokio::time::timeout(SOON, source.next())
        .await
        .expect("every look ends")
}

/// The next answer, each as `address node region`, in order.
async fn shown(source: &mut impl Discovery) -> Vec<String> {
    let sightings = answer(source).await.expect("an answer");
    let mut shown: Vec<String> = sightings.iter().map(show).collect();
    shown.sort();
    shown
}

fn show(sighting: &Sighting) -> String {
    let node = sighting.node.as_ref().map_or("?", |node| node.as_str());
    let region = sighting.region.as_ref().map_or("?", |it| it.as_str());
    format!("{} {node} {region}", sighting.address)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an IP address")
}

/// How often a source is asked here.
const QUICK: Duration = Duration::from_millis(20);
