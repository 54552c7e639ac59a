//! What the environment says to this application. What it says to the node is in the README of fly-rpc.

use std::{io, net::SocketAddr, path::PathBuf};

use tokio::net::TcpListener;

/// Where things are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Where visitors come: `HTTP_ADDRESS`.
    pub(crate) http: SocketAddr,
    /// Where Prometheus comes: `METRICS_ADDRESS`.
    pub(crate) metrics: SocketAddr,
    /// The SQLite file, used in the primary region only: `DATABASE`.
    pub(crate) database: PathBuf,
}

impl Settings {
    /// Reads them from `variable`, which gives a variable's value.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Unusable> {
        let set = |name| variable(name).filter(|value| !value.trim().is_empty());
        let address = |name, default: &str| {
            let value = set(name).unwrap_or_else(|| default.to_owned());
            let parsed = value.trim().parse();
            parsed.map_err(|_| Unusable::NoAddress { name, value })
        };
        Ok(Self {
            http: address(HTTP_ADDRESS, "127.0.0.1:8080")?,
            metrics: address(METRICS_ADDRESS, "127.0.0.1:9091")?,
            database: set(DATABASE)
                .unwrap_or_else(|| "guestbook.db".to_owned())
                .into(),
        })
    }
}

/// Takes an address that the variable `name` gives.
pub(crate) async fn listen(
    name: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, Unusable> {
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Unusable::Taken { name, address },
            _ => Unusable::Refused {
                name,
                address,
                error,
            },
        })
}

/// A setting with which the application cannot run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("{name} should be an address such as 127.0.0.1:8080, and is {value:?}")]
    NoAddress { name: &'static str, value: String },
    #[error(
        "{address} is taken by another process: give {name} another port, or stop that process"
    )]
    Taken {
        name: &'static str,
        address: SocketAddr,
    },
    #[error("{name} is {address}, where this machine does not let it listen: {error}")]
    Refused {
        name: &'static str,
        address: SocketAddr,
        error: io::Error,
    },
}

pub(crate) const HTTP_ADDRESS: &str = "HTTP_ADDRESS";
pub(crate) const METRICS_ADDRESS: &str = "METRICS_ADDRESS";
const DATABASE: &str = "DATABASE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_has_a_default() {
        let settings = Settings::read(|name| (name == DATABASE).then(|| " ".to_owned()));
        let expected = Settings {
            http: ([127, 0, 0, 1], 8080).into(),
            metrics: ([127, 0, 0, 1], 9091).into(),
            database: "guestbook.db".into(),
        };
        assert_eq!(settings.expect("defaults"), expected);
    }

    #[test]
    fn an_address_that_is_none_is_named_with_its_variable() {
        let settings = Settings::read(|name| (name == METRICS_ADDRESS).then(|| "9091".to_owned()));
        let said = settings.expect_err("no address").to_string();
        assert!(
            said.contains("METRICS_ADDRESS") && said.contains("\"9091\""),
            "{said}"
        );
    }
}
