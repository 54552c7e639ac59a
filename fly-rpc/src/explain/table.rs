//! The explanation as a table that people read.

use std::{fmt, time::Duration};

use super::{Considered, Explanation, Reason};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.function)?;
        if let Some(version) = self.version {
            write!(f, "@{version}")?;
        }
        write!(f, " to {}: ", self.target)?;
        match &self.chosen {
            Some(chosen) => write!(f, "{chosen}")?,
            None => f.write_str("nobody")?,
        }
        let rows: Vec<[String; COLUMNS]> = self.nodes.iter().map(row).collect();
        let titles = TITLES.map(str::to_owned);
        let mut widths = [0; COLUMNS];
        for row in rows.iter().chain([&titles]) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in [&titles].into_iter().chain(&rows) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            write!(f, "\n  {}", line.trim_end())?;
        }
        Ok(())
    }
}

fn row(node: &Considered) -> [String; COLUMNS] {
    [
        node.node.to_string(),
        node.region.to_string(),
        time(node.round_trip),
        time(node.latency),
        node.in_flight.to_string(),
        time(node.cost),
        node.reason.to_string(),
    ]
}

fn time(time: Option<Duration>) -> String {
    let Some(time) = time else {
        return "-".to_owned();
    };
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chosen => "chosen",
            Self::Possible => "possible",
            Self::NotOfTarget => "not of the target",
            Self::LaterTarget => "only if the targets before have nobody",
            Self::Farther => "farther away",
            Self::NotConnected => "not connected",
            Self::Draining => "draining",
            Self::Retiring => "its calls move to another connection",
            Self::NotOffered { offered } if offered.is_empty() => "does not have the function",
            Self::NotOffered { offered } => {
                let offered: Vec<String> = offered.iter().map(ToString::to_string).collect();
                return write!(f, "has only version {}", offered.join(", "));
            }
            Self::OtherContract { theirs } => return write!(f, "has another contract: {theirs}"),
            Self::Suspect => "silent; called only if there is no other",
            Self::Stalled => "its calls hang; others are preferred",
            Self::LeftOut { remaining } => {
                return write!(f, "failed; left out for {:.1} s", remaining.as_secs_f64());
            }
            Self::Probed => "failed; one call is trying it",
        })
    }
}

const COLUMNS: usize = 7;
const TITLES: [&str; COLUMNS] = [
    "node",
    "region",
    "round trip",
    "latency",
    "in flight",
    "cost",
    "",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_of_each_node_why() {
        let node = |node: &str, reason| Considered {
            node: node.into(),
            region: "hkg".into(),
            reason,
            round_trip: Some(Duration::from_micros(31_400)),
            latency: None,
            in_flight: 2,
            cost: Some(Duration::from_millis(94)),
        };
        let explanation = Explanation {
            target: "@region(hkg)".into(),
            function: "create_post".to_owned(),
            version: Some(2),
            chosen: Some("a".into()),
            nodes: vec![
                node("a", Reason::Chosen),
                node("bbb", Reason::NotOffered { offered: vec![1] }),
            ],
        };
        assert_eq!(
            explanation.to_string(),
            "create_post@2 to @region(hkg): a\n\
             \x20 node  region  round trip  latency  in flight  cost\n\
             \x20 a     hkg     31.4 ms     -        2          94.0 ms  chosen\n\
             \x20 bbb   hkg     31.4 ms     -        2          94.0 ms  has only version 1"
        );
    }
}
