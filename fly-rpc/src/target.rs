//! Where a call should run.

use std::{fmt, str::FromStr};

use fly_rpc_transport::{NodeId, Region};

/// The nodes that a call may be sent to. Displays and parses in the selector spelling.
///
/// ```
/// use fly_rpc::{Region, Target};
///
/// assert_eq!("@region(\"hkg\")".parse(), Ok(Target::Region(Region::from("hkg"))));
/// assert_eq!("hkg".parse(), Ok(Target::Region(Region::from("hkg"))));
/// assert_eq!(Target::Nearest.to_string(), "@nearest");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// The nodes of the primary region, this one first if it is there.
    Primary,
    /// The nodes of a region, this one first if it is there.
    Region(Region),
    /// One node.
    Node(NodeId),
    /// Another node, never this one: the one with the least round-trip time, those of this node's own
    /// region first.
    Nearest,
    /// Any node but this one.
    Elsewhere,
    /// Any node, this one first.
    Any,
    /// A text that is no target. Calls to it fail with
    /// [`RpcError::BadTarget`](crate::RpcError::BadTarget).
    #[doc(hidden)]
    Malformed(String),
}

/// The text is not a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a target: write a region such as `hkg`, or @primary, @region(hkg), @node(id), @nearest, @elsewhere, @any"
)]
pub struct ParseTargetError {
    text: String,
}

impl FromStr for Target {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.trim()).ok_or_else(|| ParseTargetError {
            text: text.to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<Target> {
    let Some(selector) = text.strip_prefix('@') else {
        return text.parse().ok().map(Target::Region);
    };
    match selector.split_once('(') {
        None => match selector {
            "primary" => Some(Target::Primary),
            "nearest" => Some(Target::Nearest),
            "elsewhere" => Some(Target::Elsewhere),
            "any" => Some(Target::Any),
            _ => None,
        },
        Some((kind, rest)) => {
            let argument = unquote(rest.strip_suffix(')')?.trim())?;
            match kind.trim() {
                "region" => argument.parse().ok().map(Target::Region),
                "node" => argument.parse().ok().map(Target::Node),
                _ => None,
            }
        }
    }
}

/// The text inside a pair of quotes, or the text itself if there are none.
fn unquote(text: &str) -> Option<&str> {
    match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(text),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary => f.write_str("@primary"),
            Self::Region(region) => write!(f, "@region({region})"),
            Self::Node(node) => write!(f, "@node({node})"),
            Self::Nearest => f.write_str("@nearest"),
            Self::Elsewhere => f.write_str("@elsewhere"),
            Self::Any => f.write_str("@any"),
            Self::Malformed(text) => f.write_str(text),
        }
    }
}

/// Never fails: a text that does not parse becomes a target that no call can be sent to, and the
/// call says so.
impl From<&str> for Target {
    fn from(text: &str) -> Self {
        text.parse()
            .unwrap_or_else(|_| Self::Malformed(text.to_owned()))
    }
}

impl From<String> for Target {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Target {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Region> for Target {
    fn from(region: Region) -> Self {
        Self::Region(region)
    }
}

impl From<&Region> for Target {
    fn from(region: &Region) -> Self {
        Self::Region(region.clone())
    }
}

impl From<NodeId> for Target {
    fn from(node: NodeId) -> Self {
        Self::Node(node)
    }
}

impl From<&NodeId> for Target {
    fn from(node: &NodeId) -> Self {
        Self::Node(node.clone())
    }
}

impl From<&Self> for Target {
    fn from(target: &Self) -> Self {
        target.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_comes_back_from_its_own_spelling() {
        let targets = [
            Target::Primary,
            Target::Region(Region::from("hkg")),
            Target::Node(NodeId::from("148e306f77e389")),
            Target::Nearest,
            Target::Elsewhere,
            Target::Any,
        ];
        for target in targets {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
    }

    #[test]
    fn quotes_and_spaces_are_allowed() {
        for text in [
            "hkg",
            " hkg ",
            "HKG",
            "@region(hkg)",
            "@region(\"hkg\")",
            "@region( \"hkg\" )",
        ] {
            assert_eq!(
                text.parse(),
                Ok(Target::Region(Region::from("hkg"))),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_target_is_kept_and_shown_as_it_was_written() {
        for text in [
            "",
            "@",
            "@nowhere",
            "@region",
            "@region()",
            "@region(hkg",
            "@region(\"hkg)",
            "@primary()",
            "@node(a b)",
            "hong kong",
            "hkg,sin",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
            assert_eq!(Target::from(text), Target::Malformed(text.to_owned()));
            assert_eq!(Target::from(text).to_string(), text);
        }
    }
}
