//! The file as text: a head, and an entry for each identity, in their order.
//!
//! It is made for reviews and merges: nothing in it counts or sums up, an entry depends on no other, and between two stands
//! an empty line. What only looks different is taken as it is (line ends of Windows, a byte order mark, entries that a merge
//! left out of order); what may mean something else is refused with its line.

use super::record::Record;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    /// The comment at its beginning, which is left as it is once it is there.
    pub(super) head: Vec<String>,
    pub(super) entries: Vec<Entry>,
    /// Lines end as they do on Windows.
    pub(super) crlf: bool,
}

/// A record, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) record: Record,
    /// The line of its identity. Lines count from 1.
    pub(super) line: usize,
    pub(super) fingerprint_line: usize,
    pub(super) check_line: usize,
    /// What the file gives as [`Record::check`].
    pub(super) check: u64,
}

impl File {
    /// A file without entries, of the test with this name.
    pub(super) fn of(test: &str) -> Self {
        let head = HEAD.lines().map(str::to_owned);
        let head = head.chain([String::from("#"), format!("{TEST}{test}")]);
        Self {
            head: head.collect(),
            ..Self::default()
        }
    }

    /// The test whose functions are in it, and the line that says so.
    pub(super) fn test(&self) -> Option<(usize, &str)> {
        let mut lines = self.head.iter().zip(1..);
        lines.find_map(|(line, number)| Some((number, line.strip_prefix(TEST)?.trim())))
    }

    /// The text of a file with this head and these records.
    pub(super) fn print(&self, records: &[Record]) -> String {
        let mut lines: Vec<String> = self.head.clone();
        for record in records {
            lines.push(String::new());
            lines.extend(record.remarks.iter().cloned());
            lines.extend(record.contract.iter().cloned());
            if let Some(pin) = &record.pin {
                lines.push(format!("{PINNED}: {pin}"));
            }
            let flags = [(IDEMPOTENT, record.idempotent), (RETIRED, record.retired)];
            let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
            lines.extend(flags.map(|(key, _)| format!("{key}: yes")));
            let mark = record.mark;
            lines.push(format!(
                "{FINGERPRINT}: {}-{}",
                mark.scheme, mark.fingerprint
            ));
            lines.push(format!("{CHECK}: {:016x}", record.check()));
        }
        let end = if self.crlf { "\r\n" } else { "\n" };
        lines.iter().flat_map(|line| [line, end]).collect()
    }
}

/// The line that every file has, up to its number.
pub(super) const FORMAT: &str = "# fly-rpc contracts, format ";
/// The format that is written, and the only one that is read.
pub(super) const KNOWN_FORMAT: u32 = 1;
/// Says which test the file belongs to.
pub(super) const TEST: &str = "# Test: ";

/// What stands below a contract, by its key.
pub(super) const PINNED: &str = "pinned";
pub(super) const IDEMPOTENT: &str = "idempotent";
pub(super) const RETIRED: &str = "retired";
pub(super) const FINGERPRINT: &str = "fingerprint";
pub(super) const CHECK: &str = "check";
pub(super) const KEYS: [&str; 5] = [PINNED, IDEMPOTENT, RETIRED, FINGERPRINT, CHECK];

const HEAD: &str = "\
# fly-rpc contracts, format 1
#
# What nodes of other builds rely on: each function with what it takes and gives, as it travels. `assert_contracts!` writes
# this file when the test below runs, and compares it from then on. Commit it: a line that changes here changes on the wire.
#
# Do not edit entries. A function whose contract changes gets the next `version` and keeps the old one beside it. What the
# code does not have any more stays here as retired, and can come back as it was. What is inside of a type that is called
# `opaque` is not compared. While no other build has a function yet, its entry may be deleted, to be written anew.";
