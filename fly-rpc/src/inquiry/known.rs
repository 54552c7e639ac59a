//! The nodes that a node knows, so that who asks one finds all of a cluster in which not everybody dials everybody.

use std::net::SocketAddr;

#[cfg(any(test, feature = "cli"))]
use super::sections::Parts;
use super::sections::Sections;

/// A node that another one knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) node: String,
    pub(crate) region: String,
    /// Where it can be dialled, if that is known.
    pub(crate) address: Option<SocketAddr>,
    /// It is connected with who tells of it.
    pub(crate) connected: bool,
}

impl Known {
    pub(super) fn write(all: &[Self]) -> Vec<u8> {
        let mut sections = Sections::default();
        for known in all {
            let mut record = Sections::default();
            record.text(NODE, &known.node);
            record.text(REGION, &known.region);
            if let Some(address) = known.address {
                record.text(ADDRESS, &address.to_string());
            }
            record.flag(CONNECTED, known.connected);
            sections.bytes(RECORD, &record.finish());
        }
        sections.finish()
    }

    /// The answer; a record that cannot be read is left out.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn read(answer: &[u8]) -> Option<Vec<Self>> {
        let parts = Parts::read(answer)?;
        let records = parts.all(RECORD).filter_map(|record| {
            let parts = Parts::read(record)?;
            Some(Self {
                node: parts.text(NODE)?.to_owned(),
                region: parts.text(REGION)?.to_owned(),
                address: parts.text(ADDRESS).and_then(|text| text.parse().ok()),
                connected: parts.bytes(CONNECTED).is_some(),
            })
        });
        Some(records.collect())
    }
}

const RECORD: u64 = 1;
// Of a record.
const NODE: u64 = 1;
const REGION: u64 = 2;
const ADDRESS: u64 = 3;
const CONNECTED: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_come_back() {
        let known = |node: &str, address: Option<&str>| Known {
            node: node.to_owned(),
            region: "syd".to_owned(),
            address: address.map(|text| text.parse().expect("an address")),
            connected: address.is_some(),
        };
        let all = vec![known("a", Some("[fdaa::3]:7411")), known("b", None)];
        assert_eq!(Known::read(&Known::write(&all)), Some(all));
    }
}
