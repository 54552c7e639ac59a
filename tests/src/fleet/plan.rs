//! The words of a roll-out: builds, machines, phases and chapters.

use std::{fmt, str::FromStr};

use anyhow::bail;
use fly_rpc::Target;
use serde::{Deserialize, Serialize};

/// Which of the two builds of the application a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Build {
    /// The one that is being replaced.
    Old,
    /// The one that replaces it.
    New,
}

/// Where a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Where the primary is.
    Lax,
    /// Elsewhere.
    Syd,
    /// Elsewhere again.
    Cdg,
}

/// What a process runs on. It keeps its name when its process is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name, which is the node id.
    pub name: &'static str,
    /// Where it is.
    pub region: Region,
}

/// A stretch of time between two changes of the cluster, or around one.
#[derive(Clone, Debug)]
pub struct Phase {
    /// The part of the story that it belongs to.
    pub chapter: Chapter,
    /// True if no process was started, stopped or killed in it, and all saw each other.
    pub steady: bool,
    /// What ran where when it began.
    pub builds: Vec<(Region, Build)>,
}

/// The parts of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chapter {
    /// Before the roll-out.
    AllOld,
    /// One process after the other is replaced.
    Replacement,
    /// After the roll-out.
    AllNew,
    /// Two processes were killed, and the others still find out.
    Killed,
    /// The others have found out.
    Afterwards,
}

impl Region {
    /// All regions.
    pub const ALL: [Self; 3] = [Self::Lax, Self::Syd, Self::Cdg];
    /// The region of the primary.
    pub const PRIMARY: Self = Self::Lax;

    /// Its name in the cluster.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lax => "lax",
            Self::Syd => "syd",
            Self::Cdg => "cdg",
        }
    }
}

impl Phase {
    /// True if a process of this build runs in the region.
    pub fn has(&self, region: Region, build: Build) -> bool {
        self.builds.contains(&(region, build))
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "old",
            Self::New => "new",
        })
    }
}

impl FromStr for Build {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "old" => Ok(Self::Old),
            "new" => Ok(Self::New),
            _ => bail!("{text:?} is no build"),
        }
    }
}

impl From<Region> for Target {
    fn from(region: Region) -> Self {
        Self::Region(region.name().into())
    }
}

impl FromStr for Region {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|region| region.name() == text) {
            Some(region) => Ok(region),
            None => bail!("{text:?} is no region"),
        }
    }
}

impl fmt::Display for Chapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AllOld => "all old",
            Self::Replacement => "being replaced",
            Self::AllNew => "all new",
            Self::Killed => "two killed",
            Self::Afterwards => "afterwards",
        })
    }
}
