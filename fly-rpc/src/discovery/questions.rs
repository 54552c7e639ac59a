//! Questions to a name server, and what is left of its answers: values, and how long they hold.
//!
//! The resolver is made anew for each look: it is a few allocations, and nothing of a server that
//! went wrong lasts, no cached answer, no half-dead TCP connection and no old `/etc/resolv.conf`.
//! Answers that are cut short over UDP are asked for again over TCP, and are errors if that fails.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
};

use super::DiscoveryError;

/// Somebody who can be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Questions {
    resolver: TokioResolver,
}

/// Which addresses are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Family {
    V4,
    V6,
}

/// What was found under a name.
#[derive(Debug)]
pub(super) struct Found<T> {
    /// The values of all records of the type that was asked for; never none.
    pub(super) values: Vec<T>,
    /// Seconds for which they may be kept.
    pub(super) ttl: u32,
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missing {
    /// The server says that there is no such name, or no such record.
    #[error("{name} has no {kind} record")]
    Nothing { name: String, kind: RecordType },
    /// It did not say.
    #[error("{name} {kind}: {reason}")]
    Failed {
        name: String,
        kind: RecordType,
        reason: NetError,
    },
}

/// A service record: where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Service {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Questions {
    /// Asks one server; without one, those of the system.
    pub(super) fn to(server: Option<SocketAddr>) -> Result<Self, DiscoveryError> {
        let mut builder = match server {
            Some(server) => {
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![alone(server)]);
                let provider = TokioRuntimeProvider::default();
                TokioResolver::builder_with_config(config, provider)
            }
            None => TokioResolver::builder_tokio().map_err(DiscoveryError::new)?,
        };
        set(builder.options_mut(), server.is_some());
        let resolver = builder.build().map_err(DiscoveryError::new)?;
        Ok(Self { resolver })
    }

    /// The TXT records of a name. Each is a list of strings of at most 255 bytes, which are joined:
    /// where one ends says nothing.
    pub(super) async fn texts(&self, name: &str) -> Result<Found<String>, Missing> {
        let text = |data: &RData| match data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        };
        self.ask(name, RecordType::TXT, text).await
    }

    /// The addresses of a name.
    pub(super) async fn addresses(
        &self,
        name: &str,
        family: Family,
    ) -> Result<Found<IpAddr>, Missing> {
        let address = |data: &RData| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        let kind = match family {
            Family::V4 => RecordType::A,
            Family::V6 => RecordType::AAAA,
        };
        self.ask(name, kind, address).await
    }

    /// The services of a name. One whose host is the root is one that is not offered (RFC 2782).
    pub(super) async fn services(&self, name: &str) -> Result<Found<Service>, Missing> {
        let service = |data: &RData| match data {
            RData::SRV(service) if !service.target.is_root() => Some(Service {
                host: service.target.to_ascii(),
                port: service.port,
            }),
            _ => None,
        };
        self.ask(name, RecordType::SRV, service).await
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        value: impl Fn(&RData) -> Option<T>,
    ) -> Result<Found<T>, Missing> {
        let failed = |reason| Missing::Failed {
            name: name.to_owned(),
            kind,
            reason,
        };
        let nothing = || Missing::Nothing {
            name: name.to_owned(),
            kind,
        };
        // Not as Unicode: names of services begin with an underscore.
        let domain = Name::from_ascii(name).map_err(|error| failed(error.into()))?;
        let lookup = match self.resolver.lookup(domain, kind).await {
            Ok(lookup) => lookup,
            Err(error) if is_empty(&error) => return Err(nothing()),
            Err(error) => return Err(failed(error)),
        };
        let records = lookup.answers().iter();
        let (values, ttls): (Vec<T>, Vec<u32>) = records
            .filter_map(|record| Some((value(&record.data)?, record.ttl)))
            .unzip();
        match ttls.into_iter().min() {
            Some(ttl) => Ok(Found { values, ttl }),
            None => Err(nothing()),
        }
    }
}

impl Missing {
    /// True if the server said that there is nothing.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing { .. })
    }
}

/// A name or a record that does not exist; a server that failed says nothing about that.
fn is_empty(error: &NetError) -> bool {
    let NetError::Dns(DnsError::NoRecordsFound(none)) = error else {
        return false;
    };
    matches!(
        none.response_code,
        ResponseCode::NoError | ResponseCode::NXDomain
    )
}

fn alone(server: SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut config.connections {
        connection.port = server.port();
    }
    config
}

fn set(options: &mut ResolverOpts, has_own_server: bool) {
    options.timeout = PATIENCE;
    // Over UDP a question is repeated within that time.
    options.attempts = 0;
    // Each look asks: who wants to keep an answer keeps it above.
    options.cache_size = 0;
    options.edns0 = true;
    if has_own_server {
        options.use_hosts_file = ResolveHosts::Never;
    }
}

/// How long an answer may take, a second attempt over TCP included.
const PATIENCE: Duration = Duration::from_secs(2);
