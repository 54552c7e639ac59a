//! Where a call should run.

use std::{fmt, str::FromStr, sync::Arc};

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
    /// Another node, never this one: one of this node's own region, else of the region with the least
    /// round-trip time. Regions that are about as far away do not take turns: one must be nearer by a
    /// fifth for `Limits::nearest_hold` (10 s) before calls move there, or be back for as long; away
    /// from a region that has no node left they move at once.
    Nearest,
    /// Any node but this one.
    Elsewhere,
    /// Any node, this one first.
    Any,
    /// The first of several targets that has a node which can serve the call:
    /// [`Target::first_of`].
    FirstOf(Fallbacks),
    /// A text that is no target. Calls to it fail with
    /// [`RpcError::BadTarget`](crate::RpcError::BadTarget).
    #[doc(hidden)]
    Malformed(String),
}

/// Targets in the order in which a call tries them: what [`Target::first_of`] makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fallbacks(Arc<[Target]>);

impl Fallbacks {
    /// The targets, the one that is tried first before the others.
    pub fn iter(&self) -> std::slice::Iter<'_, Target> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Fallbacks {
    type Item = &'a Target;
    type IntoIter = std::slice::Iter<'a, Target>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Target {
    /// The first of `targets` that has a node which can serve the call.
    ///
    /// The next one is taken when the one before has no node that is known, or none that offers the
    /// function, or all that do are draining, suspected, or left out because they failed; or when they
    /// were asked and refused before anything ran. It is never taken when the function may have run,
    /// unless it is `idempotent`. If the nodes of all targets are left out, the first that has any is
    /// asked all the same.
    ///
    /// Nothing is replaced that the caller did not write: a call to the primary alone fails if the
    /// primary is not there, and functions that are pinned have no target to choose.
    ///
    /// ```
    /// use fly_rpc::Target;
    ///
    /// let near = Target::first_of(["@region(hkg)", "@region(sin)", "@nearest"]);
    /// assert_eq!("@region(hkg), @region(sin), @nearest".parse(), Ok(near));
    /// ```
    pub fn first_of<T: Into<Self>>(targets: impl IntoIterator<Item = T>) -> Self {
        let mut flat: Vec<Self> = Vec::new();
        for target in targets {
            match target.into() {
                Self::FirstOf(Fallbacks(inner)) => flat.extend(inner.iter().cloned()),
                target => flat.push(target),
            }
        }
        match flat.len() {
            0 => Self::Malformed(String::new()),
            1 => flat.remove(0),
            _ => Self::FirstOf(Fallbacks(flat.into())),
        }
    }

    /// The targets that a call to this one tries, in order.
    pub(crate) fn in_order(&self) -> &[Self] {
        match self {
            Self::FirstOf(Fallbacks(targets)) => targets,
            target => std::slice::from_ref(target),
        }
    }
}

/// The text is not a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a target: write a region such as `hkg`, or @primary, @region(hkg), @node(id), @nearest, @elsewhere, @any, or several of these with commas between"
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
    let parts = selectors(text);
    if parts.len() < 2 {
        return parse_one(text);
    }
    // A region by its bare name, among several, is more likely a mistake: `hkg,sin` is no target.
    let is_selector = |part: &&str| part.starts_with('@');
    let targets = parts.iter().map(|part| parse_one(part));
    let targets: Vec<Target> = targets.collect::<Option<_>>()?;
    parts
        .iter()
        .all(is_selector)
        .then(|| Target::first_of(targets))
}

/// What stands between commas outside of parentheses.
fn selectors(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let is_end = |letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    };
    text.split(is_end).map(str::trim).collect()
}

fn parse_one(text: &str) -> Option<Target> {
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
            Self::FirstOf(targets) => {
                for (place, target) in targets.iter().enumerate() {
                    write!(f, "{}{target}", if place == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
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
            Target::first_of([Target::Region("hkg".into()), Target::Primary, Target::Any]),
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
    fn targets_in_order_are_flat_and_one_alone_is_itself() {
        let two = Target::first_of(["@region(\"hkg\")", "@nearest"]);
        assert_eq!(two.to_string(), "@region(hkg), @nearest");
        let three = Target::first_of([two.clone(), Target::Any]);
        assert_eq!("@region(hkg),@nearest , @any".parse(), Ok(three.clone()));
        assert_eq!(three.in_order().len(), 3);
        assert_eq!(Target::first_of([Target::Any]), Target::Any);
        assert_eq!(Target::Any.in_order(), [Target::Any]);
        let none: [Target; 0] = [];
        assert_eq!(Target::first_of(none), Target::Malformed(String::new()));
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
            "@region(hkg), sin",
            "@region(hkg),",
            ",@any",
            "@any @primary",
            "@region(hkg, sin)",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
            assert_eq!(Target::from(text), Target::Malformed(text.to_owned()));
            assert_eq!(Target::from(text).to_string(), text);
        }
    }
}
