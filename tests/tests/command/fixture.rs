//! Nodes of a shop, and the command beside them.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::Context;
use fly_rpc::ClusterSecret;
use fly_rpc_tests::Child;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};

/// A cluster of a test's own: a runtime directory that nobody else has, or a secret.
pub(crate) struct Shop {
    directory: PathBuf,
    secret: Option<String>,
    cluster: String,
    pub(crate) nodes: Vec<(Child, String)>,
}

/// What the command did.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Shop {
    /// Nobody yet, in development mode.
    pub(crate) fn of(test: &str) -> anyhow::Result<Self> {
        let unique = format!("fly-rpc-command-{test}-{}", std::process::id());
        let directory = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&directory)?;
        Ok(Self {
            directory,
            secret: None,
            cluster: "shop".to_owned(),
            nodes: Vec::new(),
        })
    }

    /// Nobody yet, with a secret.
    pub(crate) fn with_secret(test: &str) -> anyhow::Result<Self> {
        let secret = Some(ClusterSecret::generate().reveal().to_string());
        let mut shop = Self::of(test)?;
        shop.secret = secret;
        Ok(shop)
    }

    /// Nodes that see each other: the primary, one elsewhere, and one of the build before.
    pub(crate) async fn open(test: &str) -> anyhow::Result<Self> {
        let mut shop = Self::of(test)?;
        shop.start("syd-1", "syd", "new").await?;
        shop.start("lax-1", "lax", "new").await?;
        shop.start("hkg-1", "hkg", "old").await?;
        shop.meet(&["syd", "lax", "hkg"]).await?;
        Ok(shop)
    }

    /// A process in this cluster, of which nothing else is known.
    fn process(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("XDG_RUNTIME_DIR", &self.directory);
        if let Some(secret) = &self.secret {
            let addresses: Vec<&str> = self
                .nodes
                .iter()
                .map(|(_, address)| address.as_str())
                .collect();
            command.env("FLY_RPC_SECRET", secret);
            command.env("FLY_RPC_PEERS", addresses.join(","));
        }
        command
    }

    /// Starts a node.
    pub(crate) async fn start(
        &mut self,
        id: &str,
        region: &str,
        build: &str,
    ) -> anyhow::Result<()> {
        self.start_in(&self.cluster.clone(), id, region, build)
            .await
    }

    /// Starts a node of another cluster in the same directory.
    pub(crate) async fn start_in(
        &mut self,
        cluster: &str,
        id: &str,
        region: &str,
        build: &str,
    ) -> anyhow::Result<()> {
        let mut command = self.process(env!("CARGO_BIN_EXE_shop"));
        command
            .env("FLY_RPC_CLUSTER", cluster)
            .env("FLY_RPC_NODE_ID", id)
            .env("FLY_RPC_BIND", "127.0.0.1:0")
            .env("MY_REGION", region)
            .env("PRIMARY_REGION", "syd")
            .env("SHOP_BUILD", build);
        let mut child = Child::spawn(id, &mut command)?;
        let address = child.answer().await?;
        self.nodes.push((child, address));
        Ok(())
    }

    /// Waits until every node sees those of these regions.
    pub(crate) async fn meet(&mut self, regions: &[&str]) -> anyhow::Result<()> {
        for region in regions {
            for (node, _) in &mut self.nodes {
                node.ask(&format!("wait {region}")).await?;
            }
        }
        Ok(())
    }

    /// The command, which says nothing to the test's own terminal.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.process(env!("CARGO_BIN_EXE_command"));
        if self.secret.is_some() {
            command.env("FLY_RPC_CLUSTER", &self.cluster);
        }
        command
            .args(arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the command.
    pub(crate) async fn run(&self, arguments: &[&str]) -> anyhow::Result<Ended> {
        self.run_with(arguments, &[], "").await
    }

    /// Runs it with this in its environment, and on its standard input.
    pub(crate) async fn run_with(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        input: &str,
    ) -> anyhow::Result<Ended> {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied());
        let mut process = command.stdin(Stdio::piped()).spawn()?;
        let mut stdin = process.stdin.take().context("asked for")?;
        stdin.write_all(input.as_bytes()).await?;
        drop(stdin);
        let ended = Ended::of(process).await;
        ended.with_context(|| format!("{arguments:?}"))
    }

    /// Runs it with this as its standard output.
    pub(crate) async fn run_into(
        &self,
        arguments: &[&str],
        output: Stdio,
    ) -> anyhow::Result<Ended> {
        Ended::of(self.command(arguments).stdout(output).spawn()?).await
    }

    /// Runs it until it has written so many lines, then closes the pipe, or interrupts it.
    pub(crate) async fn watch(
        &self,
        arguments: &[&str],
        lines: usize,
        interrupt: bool,
    ) -> anyhow::Result<Ended> {
        let mut process = self.command(arguments).spawn()?;
        let mut out = String::new();
        let mut reader = BufReader::new(process.stdout.take().context("asked for")?).lines();
        for _ in 0..lines {
            let line = timeout(PATIENCE, reader.next_line()).await??;
            out += &format!("{}\n", line.context("it ended")?);
        }
        if interrupt {
            self::interrupt(&process).await?;
            while timeout(PATIENCE, reader.next_line()).await??.is_some() {}
        }
        drop(reader);
        Ok(Ended {
            out,
            ..Ended::of(process).await?
        })
    }

    /// Runs it, and interrupts it once `awaited` has come.
    pub(crate) async fn interrupt(
        &self,
        arguments: &[&str],
        awaited: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<Ended> {
        let process = self.command(arguments).spawn()?;
        awaited.await?;
        interrupt(&process).await?;
        Ended::of(process).await
    }
}

async fn interrupt(process: &tokio::process::Child) -> anyhow::Result<()> {
    let id = process.id().context("it runs")?.to_string();
    let killed = Command::new("kill").args(["-INT", &id]).status().await?;
    anyhow::ensure!(killed.success(), "it cannot be interrupted");
    Ok(())
}

impl Drop for Shop {
    fn drop(&mut self) {
        // The processes are killed with their handles; what they leave is in this test's directory alone.
        self.nodes.clear();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Ended {
    async fn of(process: tokio::process::Child) -> anyhow::Result<Self> {
        let output = timeout(PATIENCE, process.wait_with_output()).await;
        let output = output.context("it does not end")??;
        Ok(Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }

    /// What it wrote, which is one document.
    pub(crate) fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_str(&self.out).with_context(|| format!("{self:?}"))
    }

    /// It went well, without a word of complaint.
    #[track_caller]
    pub(crate) fn well(&self) -> &str {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{self:?}");
        self.narrow();
        &self.out
    }

    /// It said this, in one line, with this exit code.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.err.contains(part), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        assert!(self.err.starts_with("fly-rpc: "), "{self:?}");
    }

    /// No line is wider than a terminal, and none has an order for it.
    #[track_caller]
    pub(crate) fn narrow(&self) {
        for line in self.out.lines() {
            assert!(line.chars().count() <= 80, "{line}");
            assert!(!line.contains('\x1b'), "{line:?}");
        }
    }
}

/// How long the command may take: with nobody there it waits for some seconds.
const PATIENCE: Duration = Duration::from_secs(30);
