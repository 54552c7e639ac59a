//! What was typed. Parsed by `lexopt`, which is one small file and splits options as people expect; the command has too
//! few of them to pay for a parser that takes longer to build than everything else here.

use std::{ffi::OsString, time::Duration};

use lexopt::{
    Arg::{Long, Short, Value},
    Parser, ValueExt,
};

use super::{duration, failure::Failure};

/// The subcommand, and what all of them take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) subcommand: Subcommand,
    pub(super) json: bool,
    /// The cluster's name, instead of the environment's.
    pub(super) cluster: Option<String>,
    /// How long a call, or an answer of one node, may take.
    pub(super) timeout: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subcommand {
    Help(Option<Topic>),
    Version,
    Keygen,
    Nodes { watch: bool },
    Catalogue { differing: bool },
    Call(Order),
    Ping { target: Option<String>, count: u32 },
    Doctor { config: Option<String> },
}

/// A call that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) name: String,
    /// `None` for the highest that is offered.
    pub(super) version: Option<u32>,
    /// `None` for where the function is pinned, else anywhere.
    pub(super) target: Option<String>,
    /// JSON; `-` for what comes on the standard input, nothing for no arguments.
    pub(super) json: Option<String>,
}

/// What there is a help for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Keygen,
    Nodes,
    Catalogue,
    Call,
    Ping,
    Doctor,
}

impl Topic {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "keygen" => Self::Keygen,
            "nodes" => Self::Nodes,
            "catalogue" | "catalog" => Self::Catalogue,
            "call" => Self::Call,
            "ping" => Self::Ping,
            "doctor" => Self::Doctor,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Keygen => "keygen",
            Self::Nodes => "nodes",
            Self::Catalogue => "catalogue",
            Self::Call => "call",
            Self::Ping => "ping",
            Self::Doctor => "doctor",
        }
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    topic: Option<Topic>,
    help: bool,
    version: bool,
    json: bool,
    watch: bool,
    differing: bool,
    cluster: Option<String>,
    timeout: Option<Duration>,
    target: Option<String>,
    count: Option<u32>,
    config: Option<String>,
    values: Vec<String>,
}

impl Arguments {
    /// # Errors
    /// What is wrong with them, and where help is.
    pub(super) fn parse(given: Vec<OsString>) -> Result<Self, Failure> {
        let found = Found::read(Parser::from_args(given));
        let found = found.map_err(|error| Failure::usage(format!("{error} (fly-rpc --help)")))?;
        found.sorted()
    }
}

impl Found {
    fn read(mut parser: Parser) -> Result<Self, lexopt::Error> {
        let mut found = Self::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Short('h') | Long("help") => found.help = true,
                Short('V') | Long("version") => found.version = true,
                Short('j') | Long("json") => found.json = true,
                Long("cluster") => found.cluster = Some(parser.value()?.string()?),
                Long("timeout") => found.timeout = Some(parser.value()?.parse_with(time)?),
                Short('w') | Long("watch") => found.of(Topic::Nodes, "--watch")?.watch = true,
                Long("differing") => {
                    found.of(Topic::Catalogue, "--differing")?.differing = true;
                }
                Long("on") => {
                    let target = parser.value()?.string()?;
                    found.of(Topic::Call, "--on")?.target = Some(target);
                }
                Short('c') | Long("count") => {
                    let count = parser.value()?.parse_with(count)?;
                    found.of(Topic::Ping, "--count")?.count = Some(count);
                }
                Long("config") => {
                    let config = parser.value()?.string()?;
                    found.of(Topic::Doctor, "--config")?.config = Some(config);
                }
                Value(value) => found.value(value.string()?)?,
                other => return Err(other.unexpected()),
            }
        }
        Ok(found)
    }

    /// Itself, if the option belongs to the subcommand.
    fn of(&mut self, topic: Topic, option: &str) -> Result<&mut Self, lexopt::Error> {
        if self.topic == Some(topic) {
            return Ok(self);
        }
        let name = topic.name();
        Err(format!("{option} is an option of `fly-rpc {name}` and stands behind it").into())
    }

    fn value(&mut self, value: String) -> Result<(), lexopt::Error> {
        match self.topic {
            None if value == "help" => self.help = true,
            None => {
                let topic = Topic::named(&value);
                self.topic = Some(topic.ok_or_else(|| format!("no subcommand `{value}`"))?);
            }
            Some(_) => self.values.push(value),
        }
        Ok(())
    }

    fn sorted(self) -> Result<Arguments, Failure> {
        let mut values = self.values.into_iter();
        let mut next = || values.next();
        let subcommand = match self.topic {
            topic if self.help => Subcommand::Help(topic),
            _ if self.version => Subcommand::Version,
            None => return Err(Failure::usage("no subcommand (fly-rpc --help)".to_owned())),
            Some(Topic::Keygen) => Subcommand::Keygen,
            Some(Topic::Nodes) => Subcommand::Nodes { watch: self.watch },
            Some(Topic::Catalogue) => Subcommand::Catalogue {
                differing: self.differing,
            },
            Some(Topic::Call) => {
                let Some(function) = next() else {
                    let example = "fly-rpc call create_post@2 '{\"body\":\"hi\"}'";
                    return Err(Failure::usage(format!("no function, as in `{example}`")));
                };
                let (name, version) = identity(&function)?;
                Subcommand::Call(Order {
                    name,
                    version,
                    target: self.target,
                    json: next(),
                })
            }
            Some(Topic::Ping) => Subcommand::Ping {
                target: next(),
                count: self.count.unwrap_or(PINGS),
            },
            Some(Topic::Doctor) => Subcommand::Doctor {
                config: self.config,
            },
        };
        if let Some(surplus) = next().filter(|_| !self.help) {
            return Err(Failure::usage(format!(
                "nothing is expected where `{surplus}` stands (fly-rpc --help)"
            )));
        }
        Ok(Arguments {
            subcommand,
            json: self.json,
            cluster: self.cluster,
            timeout: self.timeout,
        })
    }
}

/// `create_post@2`, or `create_post`.
fn identity(text: &str) -> Result<(String, Option<u32>), Failure> {
    let Some((name, version)) = text.split_once('@') else {
        return Ok((text.to_owned(), None));
    };
    match version.parse() {
        Ok(version) if version > 0 && !name.is_empty() => Ok((name.to_owned(), Some(version))),
        _ => Err(Failure::usage(format!(
            "`{text}` is no function: write its name, or name and version as in create_post@2"
        ))),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text);
    let time = time.filter(|time| !time.is_zero() && *time <= LONGEST);
    time.ok_or_else(|| "a time is written as 800ms, 2s or 1m30s, and is at most 5m".to_owned())
}

fn count(text: &str) -> Result<u32, String> {
    let count = text
        .parse()
        .ok()
        .filter(|count| (1..=MOST_PINGS).contains(count));
    count.ok_or_else(|| format!("a number from 1 to {MOST_PINGS} is expected"))
}

/// What no node waits longer than (`Limits::deadline`).
const LONGEST: Duration = Duration::from_secs(300);
const PINGS: u32 = 5;
const MOST_PINGS: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<Arguments, String> {
        let given = line.iter().map(OsString::from).collect();
        Arguments::parse(given).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_call_is_read_in_any_order_of_its_options() {
        let expected = Order {
            name: "create_post".to_owned(),
            version: Some(2),
            target: Some("@primary".to_owned()),
            json: Some("{}".to_owned()),
        };
        for line in [
            [
                "call",
                "create_post@2",
                "--on",
                "@primary",
                "{}",
                "--timeout=2s",
            ],
            [
                "call",
                "--on",
                "@primary",
                "create_post@2",
                "--timeout=2s",
                "{}",
            ],
        ] {
            let arguments = parse(&line).expect("sound");
            assert_eq!(arguments.subcommand, Subcommand::Call(expected.clone()));
            assert_eq!(arguments.timeout, Some(Duration::from_secs(2)));
        }
    }

    #[test]
    fn json_is_an_option_wherever_it_stands_and_not_behind_the_end_of_options() {
        for line in [
            &["--json", "nodes"][..],
            &["nodes", "--json"],
            &["nodes", "-wj"],
        ] {
            assert!(parse(line).expect("sound").json, "{line:?}");
        }
        assert!(!parse(&["call", "f", "--", "--json"]).expect("sound").json);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases: [(&[&str], &str); 9] = [
            (&[], "no subcommand"),
            (&["node"], "no subcommand `node`"),
            (&["nodes", "--wach"], "--wach"),
            (&["ping", "--watch"], "an option of `fly-rpc nodes`"),
            (&["call"], "no function"),
            (&["call", "f@x"], "no function: write its name"),
            (&["call", "f", "{}", "{}"], "nothing is expected where `{}`"),
            (&["ping", "--count", "0"], "from 1 to"),
            (&["call", "f", "--timeout", "2"], "800ms, 2s or 1m30s"),
        ];
        for (line, expected) in cases {
            let said = parse(line).expect_err("wrong");
            assert!(said.contains(expected), "{line:?}: {said}");
        }
    }

    #[test]
    fn help_is_given_with_and_without_a_subcommand() {
        for line in [&["--help"][..], &["help"], &["-h"]] {
            assert_eq!(
                parse(line).expect("help").subcommand,
                Subcommand::Help(None)
            );
        }
        for line in [
            &["call", "--help"][..],
            &["help", "call"],
            &["call", "-h", "f", "1", "2"],
        ] {
            let help = Subcommand::Help(Some(Topic::Call));
            assert_eq!(parse(line).expect("help").subcommand, help);
        }
    }
}
