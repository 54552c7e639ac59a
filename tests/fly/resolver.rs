//! The name server of one machine of the fake Fly, at `[fdaa::3]:53` as the platform has it. Each
//! line of its standard input is what it says from now on: the application, then `id=ip=region` of
//! each machine that runs; or `go`, or `come-back`.

use std::net::{Ipv6Addr, SocketAddr};

use anyhow::Context;
use fly_rpc_tests::{
    commands,
    name_server::{NameServer, Zone},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut commands = commands();
    let address = SocketAddr::from((Ipv6Addr::new(0xfdaa, 0, 0, 0, 0, 0, 0, 3), 53));
    let mut server = NameServer::at(address, Zone::new()).await?;
    println!("ready");
    while let Some(line) = commands.recv().await {
        match line.as_str() {
            "go" => server.go().await,
            "come-back" => server.come_back().await,
            machines => server.set_zone(zone(machines)?),
        }
        println!("done");
    }
    Ok(())
}

fn zone(line: &str) -> anyhow::Result<Zone> {
    let (app, machines) = line.split_once(' ').unwrap_or((line, ""));
    let machines = machines.split_ascii_whitespace().map(|machine| {
        let mut parts = machine.split('=');
        let mut part = || parts.next().context("id=ip=region");
        Ok((part()?, part()?.parse()?, part()?))
    });
    let machines = machines.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Zone::of_fly(app, &machines))
}
