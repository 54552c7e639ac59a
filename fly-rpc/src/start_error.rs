//! Why a node does not start: everything that can be known before the first call is refused here,
//! with its cure.

use std::{fmt, io, net::SocketAddr, path::PathBuf};

use fly_rpc_transport::{IdentityError, LimitError, NameError, SecretError};

use crate::{contract::ContractError, registry::Spec};

/// Why [`NodeBuilder::start`](crate::NodeBuilder::start) or
/// [`Node::from_env`](crate::Node::from_env) refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An environment variable cannot be read as what it should be.
    #[error("{variable}={value:?}: {reason}")]
    Environment {
        /// The variable's name.
        variable: &'static str,
        /// Its value; never that of a secret.
        value: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// On Fly, nothing says where the primary is.
    #[error(
        "PRIMARY_REGION is not set although this runs on Fly (app {app}, region {region}): add `primary_region = \"{region}\"` \
         (or wherever the writable database is) to fly.toml and deploy again"
    )]
    PrimaryRegionUnset {
        /// The app's name.
        app: String,
        /// Where this machine runs.
        region: String,
    },
    /// A region, a node id or a cluster name is malformed.
    #[error("{what}: {reason}")]
    Name {
        /// Which name.
        what: &'static str,
        /// The text that was given.
        value: String,
        /// The rule it breaks.
        reason: NameError,
    },
    /// The cluster's name is empty or too long.
    #[error(
        "the cluster's name (FLY_RPC_CLUSTER, else FLY_APP_NAME) must have 1 to 255 bytes; it has {0}"
    )]
    ClusterName(usize),
    /// An address of `peers` is not `host:port`.
    #[error(
        "peer {peer:?} (of FLY_RPC_PEERS) is not host:port, such as app.internal:7411 or [fdaa::3]:7411"
    )]
    Peer {
        /// The text that was given.
        peer: String,
    },
    /// The secret is unfit.
    #[error("{variable}: {reason}")]
    Secret {
        /// Where it was given.
        variable: &'static str,
        /// Why it is refused.
        reason: SecretError,
    },
    /// Without a secret a node may be reached from this machine only.
    #[error(
        "without a secret a node binds loopback only, and {0} (FLY_RPC_BIND) is not loopback: make a secret with `openssl rand -base64 32` \
         and give it to every node as FLY_RPC_SECRET"
    )]
    DevelopmentBind(SocketAddr),
    /// A previous secret was given and no present one.
    #[error(
        "FLY_RPC_SECRET_PREVIOUS is given and FLY_RPC_SECRET is not: set the secret that this node is to present"
    )]
    PreviousSecretAlone,
    /// The certificate or its key is unfit.
    #[error("identity: {reason}")]
    Identity {
        /// Why it is refused.
        reason: IdentityError,
    },
    /// The certificate belongs to another node.
    #[error("the certificate belongs to node {certified}, but this node's id is {id}")]
    IdentityMismatch {
        /// The id that was configured.
        id: String,
        /// The id in the certificate.
        certified: String,
    },
    /// The socket cannot be bound.
    #[error("cannot bind UDP {address}: {reason}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system says.
        reason: io::Error,
    },
    /// The directory through which nodes of one machine find each other cannot be used.
    #[error("{path}: {reason}; remove it, or set FLY_RPC_SECRET to do without it", path = path.display())]
    RuntimeDirectory {
        /// The directory or the file in it.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Two functions have one name and version.
    #[error("{}", Lines("functions with the same name and version; give one of them another `name` or `version`", .0))]
    DuplicateFunctions(Vec<Duplicate>),
    /// Functions have types that cannot travel.
    #[error("{}", Contracts(.0))]
    Contracts(Vec<(String, ContractError)>),
    /// Functions take states that nobody provided.
    #[error("{}", Lines("missing states; provide each with NodeBuilder::state(…) before start()", .0))]
    MissingStates(Vec<MissingState>),
    /// Fewer or more functions are linked than expected.
    #[error(
        "{expected} functions were expected, {found} are linked: {}; a crate that nothing refers to is not linked, `use that_crate as _;` brings it back",
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    )]
    FunctionCount {
        /// What `expect_functions` said.
        expected: usize,
        /// How many there are.
        found: usize,
        /// Their names.
        names: Vec<String>,
    },
    /// A limit with which no node could work.
    #[error("NodeBuilder::limits: {0}")]
    Limit(LimitError),
    /// `start` was called outside a tokio runtime.
    #[error(
        "start() needs a tokio runtime: call it from #[tokio::main] or inside block_on of one with enable_all()"
    )]
    NoRuntime,
}

impl From<LimitError> for StartError {
    fn from(reason: LimitError) -> Self {
        Self::Limit(reason)
    }
}

impl From<IdentityError> for StartError {
    fn from(reason: IdentityError) -> Self {
        Self::Identity { reason }
    }
}

/// Two functions with one identity.
#[derive(Clone, Debug)]
pub struct Duplicate {
    identity: String,
    first: String,
    second: String,
}

impl Duplicate {
    pub(crate) fn new(first: &Spec, second: &Spec) -> Self {
        Self {
            identity: format!("{}@{}", first.name, first.version),
            first: first.location.to_string(),
            second: second.location.to_string(),
        }
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at {} and at {}",
            self.identity, self.first, self.second
        )
    }
}

/// A state that functions take and nobody provided.
#[derive(Clone, Debug)]
pub struct MissingState {
    pub(crate) state: &'static str,
    pub(crate) functions: Vec<String>,
}

impl fmt::Display for MissingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (taken by {})", self.state, self.functions.join(", "))
    }
}

struct Lines<'a, T>(&'a str, &'a [T]);

impl<T: fmt::Display> fmt::Display for Lines<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        self.1.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

struct Contracts<'a>(&'a [(String, ContractError)]);

impl fmt::Display for Contracts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("functions whose types cannot travel as postcard")?;
        self.0
            .iter()
            .try_for_each(|(_, error)| write!(f, "\n  {error}"))
    }
}
