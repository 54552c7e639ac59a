//! What the environment says (the table in the README). Read once, never written; the lookup is an
//! argument, so tests need not touch the process's own.

use std::{
    env,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use fly_rpc_transport::{ClusterSecret, NodeId, Region};

use crate::start_error::StartError;

/// The settings that were found.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) cluster: Option<String>,
    pub(crate) id: Option<NodeId>,
    pub(crate) region: Option<Region>,
    pub(crate) primary: Option<Region>,
    pub(crate) bind: Option<SocketAddr>,
    pub(crate) advertise: Option<SocketAddr>,
    pub(crate) advertise_ip: Option<IpAddr>,
    pub(crate) peers: Vec<String>,
    pub(crate) gossip: bool,
    pub(crate) secret: Option<ClusterSecret>,
    pub(crate) previous_secret: Option<ClusterSecret>,
    pub(crate) build: String,
    pub(crate) fly: Option<OnFly>,
}

/// What Fly tells a machine about itself.
#[derive(Clone, Debug)]
pub(crate) struct OnFly {
    pub(crate) app: String,
    pub(crate) machine: Option<NodeId>,
    pub(crate) private_ip: Option<IpAddr>,
    /// Whom to ask instead of the platform's own name server.
    pub(crate) name_server: Option<SocketAddr>,
}

/// Reads every variable. Empty means unset, values are trimmed.
pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Environment, StartError> {
    let get = |variable: &'static str| {
        let value = lookup(variable)?.trim().to_owned();
        (!value.is_empty()).then_some((variable, value))
    };
    let region = get("FLY_REGION").or_else(|| get("MY_REGION"));
    let primary = get("PRIMARY_REGION");
    if let (Some((_, app)), None) = (get("FLY_APP_NAME"), &primary) {
        let region = region
            .map(|(_, region)| region)
            .unwrap_or_else(|| "iad".to_owned());
        return Err(StartError::PrimaryRegionUnset { app, region });
    }
    let (advertise, advertise_ip) = match get("FLY_RPC_ADVERTISE").or_else(|| get("FLY_PRIVATE_IP"))
    {
        None => (None, None),
        Some((variable, value)) => match (value.parse(), value.parse()) {
            (Ok(address), _) => (Some(address), None),
            (_, Ok(ip)) => (None, Some(ip)),
            _ => {
                return Err(refuse(
                    variable,
                    value,
                    "an address such as 203.0.113.5:7411 or fdaa::3",
                ));
            }
        },
    };
    let peers: Vec<String> = get("FLY_RPC_PEERS").map_or_else(Vec::new, |(_, value)| {
        value
            .split(',')
            .map(str::trim)
            .filter(|peer| !peer.is_empty())
            .map(str::to_owned)
            .collect()
    });
    for peer in &peers {
        check_peer(peer)?;
    }
    let name_rule = "1 to 63 of a-z 0-9 - _, such as iad";
    Ok(Environment {
        cluster: get("FLY_RPC_CLUSTER")
            .or_else(|| get("FLY_APP_NAME"))
            .map(|(_, value)| value),
        id: parsed(
            get("FLY_RPC_NODE_ID").or_else(|| get("FLY_MACHINE_ID")),
            "1 to 63 of a-z 0-9 - _, beginning and ending with a letter or digit",
        )?,
        region: parsed(region, name_rule)?,
        primary: parsed(primary, name_rule)?,
        bind: parsed(
            get("FLY_RPC_BIND"),
            "a UDP address such as [::]:7411 or 127.0.0.1:0",
        )?,
        advertise,
        advertise_ip,
        peers,
        gossip: switch(get("FLY_RPC_GOSSIP"))?,
        secret: secret(get("FLY_RPC_SECRET"))?,
        previous_secret: secret(get("FLY_RPC_SECRET_PREVIOUS"))?,
        build: get("FLY_IMAGE_REF")
            .map(|(_, value)| value)
            .unwrap_or_default(),
        fly: on_fly(get)?,
    })
}

/// Off unless it is switched on.
fn switch(variable: Variable) -> Result<bool, StartError> {
    match variable {
        None => Ok(false),
        Some((_, value)) if value == "on" => Ok(true),
        Some((_, value)) if value == "off" => Ok(false),
        Some((variable, value)) => Err(refuse(variable, value, "on or off")),
    }
}

/// Fly is where `FLY_APP_NAME` is set.
fn on_fly(get: impl Fn(&'static str) -> Variable) -> Result<Option<OnFly>, StartError> {
    let Some((_, app)) = get("FLY_APP_NAME") else {
        return Ok(None);
    };
    let name_server = get("FLY_RPC_DNS").map(|(variable, value)| {
        let ip = |_| value.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53));
        value.parse().or_else(ip).map_err(|_| {
            let expected = "the address of a name server such as [fdaa::3]:53 or fdaa::3";
            refuse(variable, value, expected)
        })
    });
    Ok(Some(OnFly {
        app,
        machine: get("FLY_MACHINE_ID").map(|(_, id)| NodeId::from(id)),
        private_ip: get("FLY_PRIVATE_IP").and_then(|(_, ip)| ip.parse().ok()),
        name_server: name_server.transpose()?,
    }))
}

/// Checks that a peer is `host:port`; whether the host exists is seen when it is dialled.
pub(crate) fn check_peer(peer: &str) -> Result<(), StartError> {
    let sound = peer.parse::<SocketAddr>().is_ok()
        || peer.rsplit_once(':').is_some_and(|(host, port)| {
            let is_name = !host.is_empty() && !host.contains([':', '[', ']', '/', ' ']);
            is_name && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
    if sound {
        Ok(())
    } else {
        Err(StartError::Peer {
            peer: peer.to_owned(),
        })
    }
}

type Variable = Option<(&'static str, String)>;

fn parsed<T: FromStr>(variable: Variable, expected: &str) -> Result<Option<T>, StartError> {
    variable
        .map(|(variable, value)| value.parse().map_err(|_| refuse(variable, value, expected)))
        .transpose()
}

fn refuse(variable: &'static str, value: String, expected: &str) -> StartError {
    StartError::Environment {
        variable,
        value,
        reason: format!("expected {expected}"),
    }
}

/// A secret's text never enters an error.
fn secret(variable: Variable) -> Result<Option<ClusterSecret>, StartError> {
    variable
        .map(|(variable, value)| {
            value
                .parse()
                .map_err(|reason| StartError::Secret { variable, reason })
        })
        .transpose()
}

/// The region that the environment says this process runs in, for code that has no node.
pub(crate) fn region_of_process() -> Region {
    let get = |variable: &str| {
        env::var(variable)
            .ok()
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    };
    get("FLY_REGION")
        .or_else(|| get("MY_REGION"))
        .map_or_else(|| Region::from("local"), Region::from)
}

/// The region that the environment says is the primary one, for code that has no node.
pub(crate) fn primary_of_process() -> Region {
    env::var("PRIMARY_REGION")
        .ok()
        .filter(|value| !value.trim().is_empty())
        .map_or_else(|| Region::from("local"), Region::from)
}

/// What the platform told this process that explains how its node behaves, as `NAME=value`, for members who ask.
/// None of it is a secret.
pub(crate) fn facts() -> Vec<String> {
    let fact = |name: &&str| {
        let value = env::var(name).ok()?;
        let value: String = value.trim().chars().take(FACT).collect();
        (!value.is_empty()).then(|| format!("{name}={value}"))
    };
    FACTS.iter().filter_map(fact).collect()
}

const FACTS: [&str; 6] = [
    "FLY_APP_NAME",
    "FLY_REGION",
    "FLY_MACHINE_ID",
    "FLY_IMAGE_REF",
    "MY_REGION",
    "PRIMARY_REGION",
];
/// Letters of a value that are told.
const FACT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(variables: &[(&str, &str)]) -> Result<Environment, StartError> {
        read(|name| {
            variables
                .iter()
                .find(|(variable, _)| *variable == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn empty_means_unset_and_values_are_trimmed() {
        let environment = read_all(&[
            ("FLY_REGION", "  "),
            ("MY_REGION", " HKG "),
            ("FLY_RPC_PEERS", " a:1 ,, b:2,"),
        ])
        .expect("sound");
        assert_eq!(environment.region, Some(Region::from("hkg")));
        assert_eq!(environment.peers, ["a:1", "b:2"]);
    }

    #[test]
    fn the_platform_s_own_variables_are_second_to_ours() {
        let environment = read_all(&[
            ("FLY_APP_NAME", "app"),
            ("FLY_MACHINE_ID", "148e306f77e389"),
            ("FLY_REGION", "syd"),
            ("PRIMARY_REGION", "iad"),
            ("FLY_PRIVATE_IP", "fdaa::3"),
        ])
        .expect("sound");
        assert_eq!(environment.cluster.as_deref(), Some("app"));
        assert_eq!(environment.id, Some(NodeId::from("148e306f77e389")));
        assert_eq!(
            environment.advertise_ip,
            Some("fdaa::3".parse().expect("an address"))
        );
        let ours = read_all(&[
            ("FLY_APP_NAME", "app"),
            ("FLY_RPC_CLUSTER", "mine"),
            ("PRIMARY_REGION", "iad"),
        ])
        .expect("sound");
        assert_eq!(ours.cluster.as_deref(), Some("mine"));
    }

    #[test]
    fn gossip_is_switched_on_by_that_word_alone() {
        let gossip = |value| read_all(&[("FLY_RPC_GOSSIP", value)]).map(|found| found.gossip);
        assert!(gossip("on").expect("sound"));
        assert!(!gossip("off").expect("sound") && !gossip("").expect("sound"));
        let error = gossip("yes").expect_err("neither").to_string();
        assert!(error.contains("FLY_RPC_GOSSIP"), "{error}");
    }

    #[test]
    fn a_machine_on_fly_knows_whom_to_ask() {
        let on_fly = |server: &str| {
            read_all(&[
                ("FLY_APP_NAME", "app"),
                ("FLY_MACHINE_ID", "148e306f77e389"),
                ("FLY_PRIVATE_IP", "fdaa::5"),
                ("PRIMARY_REGION", "iad"),
                ("FLY_RPC_DNS", server),
            ])
        };
        let asked = |server| {
            let fly = on_fly(server).expect("sound").fly.expect("on Fly");
            assert_eq!(fly.machine, Some(NodeId::from("148e306f77e389")));
            assert!(fly.private_ip.is_some());
            fly.name_server.map(|server| server.to_string())
        };
        assert_eq!(asked(""), None);
        assert_eq!(asked("fdaa::3").as_deref(), Some("[fdaa::3]:53"));
        assert_eq!(asked("127.0.0.1:5353").as_deref(), Some("127.0.0.1:5353"));
        let error = on_fly("dns.internal").expect_err("no address").to_string();
        assert!(error.contains("FLY_RPC_DNS"), "{error}");
        assert!(read_all(&[]).expect("sound").fly.is_none());
    }

    #[test]
    fn an_unset_primary_on_fly_names_the_fix() {
        let error = read_all(&[("FLY_APP_NAME", "app"), ("FLY_REGION", "syd")])
            .expect_err("no primary")
            .to_string();
        assert!(
            error.contains("primary_region = \"syd\"") && error.contains("fly.toml"),
            "{error}"
        );
    }

    #[test]
    fn each_malformed_value_is_named_with_what_would_be_right() {
        for (variable, value) in [
            ("MY_REGION", "hong kong"),
            ("PRIMARY_REGION", "ü"),
            ("FLY_RPC_NODE_ID", "-x"),
            ("FLY_RPC_BIND", "7411"),
            ("FLY_RPC_ADVERTISE", "here"),
        ] {
            let error = read_all(&[(variable, value)])
                .expect_err(variable)
                .to_string();
            assert!(
                error.contains(variable) && error.contains("expected"),
                "{error}"
            );
        }
        for peers in ["a", "a:", ":1", "a:0", "a:99999", "::1:5", "http://a:1"] {
            assert!(
                matches!(
                    read_all(&[("FLY_RPC_PEERS", peers)]),
                    Err(StartError::Peer { .. })
                ),
                "{peers}"
            );
        }
        for peers in ["a:1", "127.0.0.1:1", "[::1]:1", "app.internal:7411"] {
            assert!(read_all(&[("FLY_RPC_PEERS", peers)]).is_ok(), "{peers}");
        }
    }

    #[test]
    fn a_bad_secret_is_named_but_not_shown() {
        let error = read_all(&[("FLY_RPC_SECRET", "hunter2hunter2")]).expect_err("too short");
        let (shown, debugged) = (error.to_string(), format!("{error:?}"));
        assert!(
            shown.contains("FLY_RPC_SECRET") && shown.contains("openssl rand"),
            "{shown}"
        );
        assert!(!shown.contains("hunter2") && !debugged.contains("hunter2"));
    }
}
