//! What a name server says.

use std::{collections::BTreeMap, net::IpAddr};

use hickory_proto::rr::{
    Name, RData, Record, RecordType,
    rdata::{A, AAAA, SRV, TXT},
};

/// Records by name. Names are written in full, with the dot at the end.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    records: BTreeMap<String, Vec<(u32, RData)>>,
}

impl Zone {
    /// A zone without a name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a TXT record, of strings of 255 bytes and a rest.
    #[must_use]
    pub fn text(self, name: &str, text: &str) -> Self {
        let strings = text.as_bytes().chunks(255).collect();
        self.record(name, TTL, RData::TXT(TXT::from_bytes(strings)))
    }

    /// Adds an A or AAAA record.
    #[must_use]
    pub fn address(self, name: &str, ttl: u32, ip: IpAddr) -> Self {
        let data = match ip {
            IpAddr::V4(ip) => RData::A(A(ip)),
            IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
        };
        self.record(name, ttl, data)
    }

    /// Adds an SRV record.
    #[must_use]
    pub fn service(self, name: &str, ttl: u32, host: &str, port: u16) -> Self {
        let host = Name::from_ascii(host).expect("a domain name");
        self.record(name, ttl, RData::SRV(SRV::new(0, 0, port, host)))
    }

    /// What Fly says of these machines of the application `app`: id, address and region of each.
    pub fn of_fly(app: &str, machines: &[(&str, IpAddr, &str)]) -> Self {
        let entry = |(id, ip, region): &(&str, IpAddr, &str)| {
            format!("instance={id},app={app},ip={ip},region={region}")
        };
        let entries: Vec<String> = machines.iter().map(entry).collect();
        let ids = machines
            .iter()
            .map(|(id, _, region)| format!("{id} {region}"));
        let ids: Vec<String> = ids.collect();
        let zone = Self::new()
            .text("_instances.internal.", &entries.join(";"))
            .text(&format!("vms.{app}.internal."), &ids.join(","));
        machines.iter().fold(zone, |zone, (id, ip, _)| {
            zone.address(&format!("{id}.vm.{app}.internal."), TTL, *ip)
                .address(&format!("{app}.internal."), TTL, *ip)
        })
    }

    /// The records of a name, if there is one.
    pub(super) fn records(&self, name: &str, kind: RecordType) -> Option<Vec<Record>> {
        let records = self.records.get(name)?.iter();
        let of_kind = records.filter(|(_, data)| data.record_type() == kind);
        let owner = Name::from_ascii(name).ok()?;
        Some(
            of_kind
                .map(|(ttl, data)| Record::from_rdata(owner.clone(), *ttl, data.clone()))
                .collect(),
        )
    }

    fn record(mut self, name: &str, ttl: u32, data: RData) -> Self {
        let records = self.records.entry(name.to_ascii_lowercase()).or_default();
        records.push((ttl, data));
        self
    }
}

/// Seconds for which Fly's answers hold.
const TTL: u32 = 5;
