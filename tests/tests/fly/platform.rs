//! Machines that are network namespaces, and the switch between them.
//!
//! Nothing outside of these namespaces is touched: the switch is one itself. Each machine has one
//! address of the private network, which is IPv6 only, and the platform's name server on its own
//! loopback, where nobody else reaches it.

use std::{net::Ipv6Addr, process};

use anyhow::{Context, ensure};
use fly_rpc::ClusterSecret;
use fly_rpc_tests::Child;
use tokio::process::Command;

/// The switch; with it go all namespaces.
#[derive(Debug)]
pub(crate) struct Platform {
    secret: ClusterSecret,
    primary: &'static str,
    namespaces: Vec<String>,
}

/// A machine and what runs on it.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) id: &'static str,
    pub(crate) region: &'static str,
    namespace: String,
    ip: Ipv6Addr,
    resolver: Child,
    node: Option<Child>,
}

impl Platform {
    /// A platform without machines. `None` if this process may not make namespaces.
    pub(crate) async fn new(primary: &'static str) -> anyhow::Result<Option<Self>> {
        let mut this = Self {
            secret: ClusterSecret::generate(),
            primary,
            namespaces: Vec::new(),
        };
        if this.namespace("switch").await.is_err() {
            return Ok(None);
        }
        let switch = this.switch();
        ip(&format!(
            "-n {switch} link add sw0 type bridge mcast_snooping 0"
        ))
        .await?;
        ip(&format!("-n {switch} link set sw0 up")).await?;
        Ok(Some(this))
    }

    /// A machine with address number `n`; nothing runs on it but its name server.
    pub(crate) async fn machine(
        &mut self,
        id: &'static str,
        n: u16,
        region: &'static str,
    ) -> anyhow::Result<Machine> {
        let namespace = self.namespace(&n.to_string()).await?;
        let switch = self.switch();
        let port = format!("p{n}");
        ip(&format!(
            "-n {switch} link add {port} type veth peer name eth0 netns {namespace}"
        ))
        .await?;
        ip(&format!("-n {switch} link set {port} master sw0 up")).await?;
        ip(&format!("-n {namespace} link set lo up")).await?;
        ip(&format!("-n {namespace} link set eth0 up")).await?;
        ip(&format!("-n {namespace} addr add fdaa::3/128 dev lo nodad")).await?;
        let mut resolver = run(&namespace, env!("CARGO_BIN_EXE_fly-resolver"));
        let mut machine = Machine {
            id,
            region,
            ip: place(n),
            resolver: Child::spawn(format!("the name server of {id}"), &mut resolver)?,
            namespace,
            node: None,
        };
        machine.resolver.expect("ready").await?;
        machine.take_address(n).await?;
        Ok(machine)
    }

    /// Starts the node of a machine, with what Fly tells each machine and the secret.
    pub(crate) async fn start(&self, machine: &mut Machine) -> anyhow::Result<()> {
        let mut command = run(&machine.namespace, env!("CARGO_BIN_EXE_fly-machine"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("FLY_APP_NAME", APP)
            .env("FLY_MACHINE_ID", machine.id)
            .env("FLY_REGION", machine.region)
            .env("FLY_PRIVATE_IP", machine.ip.to_string())
            .env("PRIMARY_REGION", self.primary)
            .env("FLY_RPC_SECRET", self.secret.reveal().as_str());
        let mut node = Child::spawn(machine.id, &mut command)?;
        node.expect("ready").await?;
        machine.node = Some(node);
        Ok(())
    }

    async fn namespace(&mut self, name: &str) -> anyhow::Result<String> {
        let name = format!("fly-rpc-{}-{name}", process::id());
        ip(&format!("netns add {name}")).await?;
        self.namespaces.push(name.clone());
        Ok(name)
    }

    fn switch(&self) -> String {
        self.namespaces[0].clone()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            let arguments = ["netns", "del", namespace];
            let _ = process::Command::new("ip").args(arguments).status();
        }
    }
}

impl Machine {
    /// Gives a command to its node and waits until it is carried out.
    pub(crate) async fn ask(&mut self, command: &str) -> anyhow::Result<()> {
        let node = self.node.as_mut().context("its node runs")?;
        node.ask(command).await
    }

    /// Gives a command to its name server.
    pub(crate) async fn tell_resolver(&mut self, command: &str) -> anyhow::Result<()> {
        self.resolver.ask(command).await
    }

    /// Kills its node.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        let mut node = self.node.take().context("its node runs")?;
        node.start_kill()?;
        node.killed().await
    }

    /// Moves it to another address.
    pub(crate) async fn take_address(&mut self, n: u16) -> anyhow::Result<()> {
        let namespace = &self.namespace;
        ip(&format!(
            "-n {namespace} -6 addr flush dev eth0 scope global"
        ))
        .await?;
        self.ip = place(n);
        let ip_address = self.ip;
        ip(&format!(
            "-n {namespace} addr add {ip_address}/64 dev eth0 nodad"
        ))
        .await
    }

    /// How the name servers are told of it.
    pub(crate) fn entry(&self) -> String {
        format!("{}={}={}", self.id, self.ip, self.region)
    }
}

fn place(n: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfdaa, 0, 0x18, 0xa7b, 0, 0, n, 2)
}

/// A program inside of a namespace.
fn run(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]);
    command
}

async fn ip(arguments: &str) -> anyhow::Result<()> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .await
        .context("the program ip")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {arguments}: {said}");
    Ok(())
}

pub(crate) const APP: &str = "guestbook";
