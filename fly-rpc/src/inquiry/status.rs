//! What a node tells of itself: its clock, its settings, and what the platform told it.

use std::time::Duration;

#[cfg(any(test, feature = "cli"))]
use super::sections::Parts;
use super::sections::Sections;

/// The state of a node. What is not told is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The clock on its wall, in microseconds since 1970.
    pub(crate) time_of_day: Option<u64>,
    /// When it started, likewise.
    pub(crate) started: Option<u64>,
    /// The version of this library in it.
    pub(crate) library: Option<String>,
    /// Where its configuration has the primary.
    pub(crate) configured_primary: Option<String>,
    /// Where it sees the primary now, and since which move.
    pub(crate) primary: Option<String>,
    pub(crate) epoch: Option<u64>,
    pub(crate) drain_timeout: Option<Duration>,
    pub(crate) default_timeout: Option<Duration>,
    /// The UDP address that it is bound to.
    pub(crate) bound: Option<String>,
    pub(crate) development: bool,
    /// It accepts a second secret: the secret is being changed.
    pub(crate) rotating: bool,
    pub(crate) gossip: bool,
    /// Functions that run, and how many may.
    pub(crate) handlers: Option<u64>,
    pub(crate) most_handlers: Option<u64>,
    /// What the platform told it, as `NAME=value`.
    pub(crate) platform: Vec<String>,
}

impl Status {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut sections = Sections::default();
        let numbers = [
            (TIME_OF_DAY, self.time_of_day),
            (STARTED, self.started),
            (EPOCH, self.epoch),
            (DRAIN_TIMEOUT, self.drain_timeout.map(millis)),
            (DEFAULT_TIMEOUT, self.default_timeout.map(millis)),
            (HANDLERS, self.handlers),
            (MOST_HANDLERS, self.most_handlers),
        ];
        let texts = [
            (LIBRARY, &self.library),
            (CONFIGURED_PRIMARY, &self.configured_primary),
            (PRIMARY, &self.primary),
            (BOUND, &self.bound),
        ];
        let flags = [
            (DEVELOPMENT, self.development),
            (ROTATING, self.rotating),
            (GOSSIP, self.gossip),
        ];
        for (number, value) in numbers {
            if let Some(value) = value {
                sections.number(number, value)
            }
        }
        for (number, text) in texts {
            if let Some(text) = text.as_ref() {
                sections.text(number, text)
            }
        }
        for (number, is_so) in flags {
            sections.flag(number, is_so);
        }
        for fact in &self.platform {
            sections.text(PLATFORM, fact);
        }
        sections.finish()
    }

    /// The answer, as far as it can be read.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn read(answer: &[u8]) -> Option<Self> {
        let parts = Parts::read(answer)?;
        let text = |number| parts.text(number).map(str::to_owned);
        let time = |number| parts.number(number).map(Duration::from_millis);
        let platform = parts.all(PLATFORM);
        Some(Self {
            time_of_day: parts.number(TIME_OF_DAY),
            started: parts.number(STARTED),
            library: text(LIBRARY),
            configured_primary: text(CONFIGURED_PRIMARY),
            primary: text(PRIMARY),
            epoch: parts.number(EPOCH),
            drain_timeout: time(DRAIN_TIMEOUT),
            default_timeout: time(DEFAULT_TIMEOUT),
            bound: text(BOUND),
            development: parts.bytes(DEVELOPMENT).is_some(),
            rotating: parts.bytes(ROTATING).is_some(),
            gossip: parts.bytes(GOSSIP).is_some(),
            handlers: parts.number(HANDLERS),
            most_handlers: parts.number(MOST_HANDLERS),
            platform: platform
                .filter_map(|fact| Some(std::str::from_utf8(fact).ok()?.to_owned()))
                .collect(),
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

const TIME_OF_DAY: u64 = 1;
const STARTED: u64 = 2;
const LIBRARY: u64 = 3;
const CONFIGURED_PRIMARY: u64 = 4;
const PRIMARY: u64 = 5;
const EPOCH: u64 = 6;
const DRAIN_TIMEOUT: u64 = 7;
const DEFAULT_TIMEOUT: u64 = 8;
const BOUND: u64 = 9;
const DEVELOPMENT: u64 = 10;
const ROTATING: u64 = 11;
const GOSSIP: u64 = 12;
const HANDLERS: u64 = 13;
const MOST_HANDLERS: u64 = 14;
const PLATFORM: u64 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_comes_back() {
        let status = Status {
            time_of_day: Some(1_790_000_000_000_000),
            started: Some(7),
            library: Some("0.1.0".to_owned()),
            configured_primary: Some("iad".to_owned()),
            primary: Some("syd".to_owned()),
            epoch: Some(3),
            drain_timeout: Some(Duration::from_secs(4)),
            default_timeout: Some(Duration::from_secs(5)),
            bound: Some("[::]:7411".to_owned()),
            development: true,
            rotating: false,
            gossip: true,
            handlers: Some(0),
            most_handlers: Some(4096),
            platform: vec!["FLY_REGION=syd".to_owned()],
        };
        assert_eq!(Status::read(&status.write()), Some(status));
        assert_eq!(Status::read(&[]), Some(Status::default()));
        assert_eq!(Status::read(&[1]), None);
    }
}
