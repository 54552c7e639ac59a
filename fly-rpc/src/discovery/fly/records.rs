//! The text in Fly's TXT records.
//!
//! Pure. `_instances.internal` has all machines that run in the organisation, as
//! `instance=148e306f77e389,app=web,ip=fdaa:0:18:a7b:7d:1:2a3c:2,region=syd;instance=…`;
//! `vms.<app>.internal` those of one application, as `148e306f77e389 syd,…`. An entry that cannot be
//! read is one entry less, and the others hold.

use std::net::IpAddr;

use fly_rpc_transport::{NodeId, Region};

/// A machine that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) id: NodeId,
    pub(super) region: Option<Region>,
}

/// Why an entry is skipped.
pub(super) type Fault = &'static str;

/// The machines of `app` in a record of `_instances.internal`, with their addresses. `fault` is told
/// of entries that cannot be read; those of other applications are nobody's business.
pub(super) fn instances(
    record: &str,
    app: &str,
    mut fault: impl FnMut(&str, Fault),
) -> Vec<(Machine, IpAddr)> {
    let entries = entries(record, ';').filter_map(|entry| match instance(entry, app) {
        Ok(machine) => machine,
        Err(reason) => {
            fault(entry, reason);
            None
        }
    });
    entries.collect()
}

/// The machines in a record of `vms.<app>.internal`.
pub(super) fn machines(record: &str, mut fault: impl FnMut(&str, Fault)) -> Vec<Machine> {
    let entries = entries(record, ',').filter_map(|entry| {
        let mut words = entry.split_ascii_whitespace();
        let machine = words.next().ok_or("it is empty").and_then(|id| {
            let region = words.next().and_then(|region| region.parse().ok());
            Ok(Machine {
                id: id.parse().map_err(|_| NO_ID)?,
                region,
            })
        });
        machine.inspect_err(|reason| fault(entry, reason)).ok()
    });
    entries.collect()
}

/// Reads one entry; `None` if it is another application's. Keys that are not known are skipped.
fn instance(entry: &str, app: &str) -> Result<Option<(Machine, IpAddr)>, Fault> {
    let value = |wanted: &str| {
        let mut pairs = entry.split(',').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| key.trim() == wanted)?;
        Some(value.trim())
    };
    if value("app").ok_or("it names no application")? != app {
        return Ok(None);
    }
    let id = value("instance").ok_or(NO_ID)?;
    let ip = value("ip").and_then(|ip| ip.parse().ok());
    let machine = Machine {
        id: id.parse().map_err(|_| NO_ID)?,
        region: value("region").and_then(|region| region.parse().ok()),
    };
    Ok(Some((machine, ip.ok_or("it has no IP address")?)))
}

fn entries(record: &str, separator: char) -> impl Iterator<Item = &str> {
    record
        .split(separator)
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

const NO_ID: Fault = "it has no machine id";

#[cfg(test)]
mod tests {
    use super::*;

    fn found(record: &str) -> (Vec<String>, Vec<String>) {
        let mut faults = Vec::new();
        let machines = instances(record, "web", |entry, _| faults.push(entry.to_owned()));
        let shown = machines.into_iter().map(|(machine, ip)| {
            let region = machine.region.map_or_else(String::new, |it| it.to_string());
            format!("{} {region} {ip}", machine.id)
        });
        (shown.collect(), faults)
    }

    #[test]
    fn the_machines_of_this_application_are_taken_and_no_others() {
        let (machines, faults) = found(
            "instance=148e306f77e389,app=web,ip=fdaa:0:18::2,region=syd;\
             instance=d8d7949b2e1d98,app=db,ip=fdaa:0:18::3,region=iad;\
             instance=3d8d413b293089,app=web,ip=fdaa:0:18::4,region=ord",
        );
        assert_eq!(
            machines,
            [
                "148e306f77e389 syd fdaa:0:18::2",
                "3d8d413b293089 ord fdaa:0:18::4"
            ]
        );
        assert_eq!(faults, [""; 0]);
    }

    #[test]
    fn unknown_keys_any_order_and_spaces_change_nothing() {
        let (machines, faults) =
            found(" region=xyz , ip=fdaa::2,zone=b=c,group,app=web,instance=148E306F77E389,; ;\n");
        assert_eq!(machines, ["148e306f77e389 xyz fdaa::2"]);
        assert_eq!(faults, [""; 0]);
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_skipped_alone() {
        let good = "instance=a1,app=web,ip=fdaa::1,region=syd";
        for bad in [
            "instance=b2,app=web,ip=fdaa::zz,region=syd",
            "instance=b2,app=web,region=syd",
            "instance=,app=web,ip=fdaa::2,region=syd",
            "instance=-b-,app=web,ip=fdaa::2",
            "app=web,ip=fdaa::2",
            "instance=b2,ip=fdaa::2",
            "instance",
            "\u{fffd}\u{0}=,,==;",
            &"x".repeat(70_000),
        ] {
            let (machines, faults) = found(&format!("{bad};{good};{bad}"));
            assert_eq!(machines, ["a1 syd fdaa::1"], "{bad}");
            assert!(faults.len() >= 2, "{bad}");
        }
    }

    #[test]
    fn a_region_that_cannot_be_read_is_unknown_and_the_machine_stays() {
        let (machines, faults) = found("instance=a1,app=web,ip=fdaa::1,region=so far");
        assert_eq!(machines, ["a1  fdaa::1"]);
        assert_eq!(faults, [""; 0]);
    }

    #[test]
    fn machines_without_addresses_are_read_as_well() {
        let mut faults = Vec::new();
        let record = "148e306f77e389 syd,3d8d413b293089  ord, -x- iad,d8d7949b2e1d98";
        let machines = machines(record, |entry, _| faults.push(entry.to_owned()));
        let ids: Vec<&str> = machines.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["148e306f77e389", "3d8d413b293089", "d8d7949b2e1d98"]);
        let regions: Vec<_> = machines.into_iter().map(|it| it.region).collect();
        assert_eq!(regions, [Some("syd".into()), Some("ord".into()), None]);
        assert_eq!(faults, ["-x- iad"]);
    }
}
