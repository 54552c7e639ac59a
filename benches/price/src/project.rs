//! A cargo project beside this workspace: written, built and weighed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{process::Command, time::timeout};

/// How it is built. Everything else is cargo's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// `cargo build`
    Debug,
    /// `cargo build --release`
    Release,
}

impl Profile {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Debug, Self::Release];

    /// What cargo and the tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

/// A project of one binary that depends on fly-rpc.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
    name: &'static str,
}

/// What one build took and left.
#[derive(Clone, Debug)]
pub struct Built {
    /// From cargo's start to its end, dependencies built before.
    pub took: Duration,
    /// Bytes of the binary.
    pub size: u64,
    /// Bytes of it without symbols; unknown without `strip` on the `PATH`.
    pub stripped: Option<u64>,
    /// The binary.
    pub binary: PathBuf,
}

impl Project {
    /// Writes the project's manifest, with the dependencies and versions of this workspace.
    ///
    /// # Errors
    /// The file system's.
    pub fn new(name: &'static str) -> anyhow::Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let workspace = workspace.canonicalize()?;
        // All projects share one target directory, and with it their dependencies.
        let root = workspace.join("target/generated").join(name);
        fs::create_dir_all(root.join("src"))?;
        let fly_rpc = workspace.with_file_name("fly-rpc");
        let manifest = MANIFEST
            .replace("NAME", name)
            .replace("FLY_RPC", &fly_rpc.to_string_lossy());
        write_if_other(&root.join("Cargo.toml"), &manifest)?;
        if !root.join("Cargo.lock").exists() {
            fs::copy(workspace.join("Cargo.lock"), root.join("Cargo.lock"))?;
        }
        Ok(Self { root, name })
    }

    /// Replaces the program.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, source: &str) -> anyhow::Result<()> {
        write_if_other(&self.root.join("src/main.rs"), source)
    }

    /// Builds the dependencies, and the program as it is.
    ///
    /// # Errors
    /// The compiler's words.
    pub async fn prepare(&self, profile: Profile) -> anyhow::Result<Built> {
        self.build(profile, PREPARATION).await
    }

    /// Builds the program, and nothing else, from nothing.
    ///
    /// # Errors
    /// The compiler's words.
    pub async fn rebuild(&self, profile: Profile) -> anyhow::Result<Built> {
        let mut clean = self.cargo(&["clean", "--package", self.name], profile);
        run(&mut clean, TIDYING).await?;
        self.build(profile, BUILD).await
    }

    async fn build(&self, profile: Profile, most: Duration) -> anyhow::Result<Built> {
        let begun = Instant::now();
        run(&mut self.cargo(&["build"], profile), most).await?;
        let took = begun.elapsed();
        let directory = self.target().join(profile.name());
        let binary = directory.join(self.name);
        let size = fs::metadata(&binary)?.len();
        let stripped = directory.join(format!("{}-stripped", self.name));
        let mut strip = Command::new("strip");
        strip.arg("-o").arg(&stripped).arg(&binary);
        let stripped = match run(&mut strip, TIDYING).await {
            Ok(()) => Some(fs::metadata(&stripped)?.len()),
            Err(_) => None,
        };
        Ok(Built {
            took,
            size,
            stripped,
            binary,
        })
    }

    fn target(&self) -> PathBuf {
        self.root.with_file_name("target")
    }

    fn cargo(&self, arguments: &[&str], profile: Profile) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo
            .args(arguments)
            .args(["--quiet", "--offline"])
            .args((profile == Profile::Release).then_some("--release"))
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.target())
            // What is measured is the profile, not whoever runs the bench.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_INCREMENTAL");
        cargo
    }
}

async fn run(command: &mut Command, most: Duration) -> anyhow::Result<()> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let output = timeout(most, command.output())
        .await
        .with_context(|| format!("{command:?} took longer than {most:?}"))??;
    let said = String::from_utf8_lossy(&output.stderr);
    let end: Vec<&str> = said.lines().rev().take(SAID).collect();
    let end: Vec<&str> = end.into_iter().rev().collect();
    ensure!(output.status.success(), "{command:?}\n{}", end.join("\n"));
    Ok(())
}

/// Leaves a file as it is that is right already: cargo builds what is newer.
fn write_if_other(path: &Path, text: &str) -> anyhow::Result<()> {
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text)?;
    }
    Ok(())
}

const MANIFEST: &str = r#"[package]
name = "NAME"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[dependencies]
fly-rpc = { path = "FLY_RPC" }
serde = { version = "1", features = ["derive"] }
tokio = { version = "1", features = ["io-std", "io-util", "macros", "rt-multi-thread", "time"] }

"#;

/// All dependencies, on a slow machine.
const PREPARATION: Duration = Duration::from_secs(600);
/// A thousand functions with optimisation, on a slow machine.
const BUILD: Duration = Duration::from_secs(30 * 60);
const TIDYING: Duration = Duration::from_secs(30);
/// Lines of the compiler's words that are shown: the last ones say why.
const SAID: usize = 20;
