//! `fly-rpc ping`: how long nodes take to answer a question that takes them no time.

use std::{sync::Arc, time::Duration};

use fly_rpc_transport::Link;
use tokio::{task::JoinSet, time::Instant};

use super::{
    arguments::Arguments,
    ask::{PATIENCE, Unanswered, ask},
    failure::{FINDINGS, Failure},
    join::Joined,
    json::Json,
    nodes::{millis, time},
    screen::Screen,
    table::{Cell, Column, Style, render},
};
use crate::{inquiry::Question, resolve::Here, target::Target};

/// Asks each node of the target so often, one time after the other and all nodes at once.
pub(super) async fn run(
    arguments: &Arguments,
    target: Option<&str>,
    count: u32,
    screen: &Screen,
) -> Result<u8, Failure> {
    let patience = arguments.timeout.unwrap_or(PATIENCE);
    let pinged = Joined::during(arguments, async |joined| {
        let mut asked = JoinSet::new();
        for (place, link) in links(joined, target)?.into_iter().enumerate() {
            asked.spawn(async move { (place, Pinged::of(link, count, patience).await) });
        }
        Ok(asked.join_all().await)
    });
    let mut pinged = pinged.await?;
    pinged.sort_by_key(|(place, _)| *place);
    let pinged: Vec<Pinged> = pinged.into_iter().map(|(_, pinged)| pinged).collect();
    if screen.json() {
        let nodes = Json::list(pinged.iter().map(Pinged::json));
        screen.print_json(&Json::object([("nodes", nodes)]))?;
    } else {
        let rows: Vec<Vec<Cell>> = pinged.iter().map(Pinged::row).collect();
        screen.print(&render(&COLUMNS, &rows, screen.colour()))?;
    }
    let is_lossless = pinged.iter().all(|pinged| pinged.lost.is_none());
    Ok(if is_lossless { 0 } else { FINDINGS })
}

/// The nodes that are meant: by a target, or by an id.
fn links(joined: &Joined, target: Option<&str>) -> Result<Vec<Arc<Link>>, Failure> {
    let all = joined.links();
    let mut links: Vec<Arc<Link>> = match target {
        None => all.to_vec(),
        Some(text) => {
            let of_id = all.iter().filter(|link| link.node().as_str() == text);
            let of_id: Vec<Arc<Link>> = of_id.cloned().collect();
            if of_id.is_empty() {
                of_target(joined, text)?
            } else {
                of_id
            }
        }
    };
    if links.is_empty() {
        let text = target.unwrap_or_default();
        return Err(Failure::nobody(format!(
            "no node of {text} is there: fly-rpc nodes lists those that are"
        )));
    }
    links.sort_by(|a, b| (a.region(), a.node()).cmp(&(b.region(), b.node())));
    Ok(links)
}

fn of_target(joined: &Joined, text: &str) -> Result<Vec<Arc<Link>>, Failure> {
    let target = text.parse::<Target>();
    let target = target.map_err(|error| Failure::usage(error.to_string()))?;
    let here: Here<'_> = joined.node.inner().here();
    let links = joined.links();
    let meant = links
        .iter()
        .filter(|link| here.includes(&target, link.node(), link.region()));
    Ok(meant.cloned().collect())
}

/// How one node answered.
#[derive(Debug)]
struct Pinged {
    link: Arc<Link>,
    sent: u32,
    /// Ascending.
    times: Vec<Duration>,
    /// The last reason for which an answer did not come.
    lost: Option<Unanswered>,
}

impl Pinged {
    async fn of(link: Arc<Link>, count: u32, patience: Duration) -> Self {
        let mut times = Vec::new();
        let mut lost = None;
        for _ in 0..count {
            let begun = Instant::now();
            match ask(&link, Question::Status, Vec::new(), patience).await {
                // That it does not know the question is an answer as quick as any.
                Ok(_) | Err(Unanswered::Old) => times.push(begun.elapsed()),
                Err(reason) => lost = Some(reason),
            }
        }
        times.sort();
        Self {
            link,
            sent: count,
            times,
            lost,
        }
    }

    fn lost(&self) -> usize {
        self.sent as usize - self.times.len()
    }

    /// The least, the one in the middle, and the most.
    fn summary(&self) -> [Option<Duration>; 3] {
        let middle = self.times.get(self.times.len() / 2);
        [self.times.first(), middle, self.times.last()].map(Option::<&Duration>::copied)
    }

    fn row(&self) -> Vec<Cell> {
        let shown = |known: Option<Duration>| Cell::from(known.map(time).unwrap_or_default());
        let [least, middle, most] = self.summary().map(shown);
        let reason = self.lost.map(|reason| reason.to_string());
        let style = if self.lost() > 0 {
            Style::Bad
        } else {
            Style::Plain
        };
        vec![
            self.link.region().as_str().into(),
            self.link.node().as_str().into(),
            least,
            middle,
            most,
            Cell::new(format!("{} of {}", self.lost(), self.sent), style),
            reason.unwrap_or_default().into(),
        ]
    }

    fn json(&self) -> Json {
        let [least, middle, most] = self
            .summary()
            .map(|known| Json::optional(known.map(millis)));
        Json::object([
            ("id", Json::text(self.link.node().as_str())),
            ("region", Json::text(self.link.region().as_str())),
            ("least_ms", least),
            ("median_ms", middle),
            ("most_ms", most),
            ("sent", Json::number(self.sent)),
            ("lost", Json::number(self.lost() as u32)),
            (
                "reason",
                Json::optional(self.lost.map(|reason| Json::text(reason.to_string()))),
            ),
        ])
    }
}

const COLUMNS: [Column<'_>; 7] = [
    Column::of("REGION", 6),
    Column::of("NODE", 10),
    Column::numbers("LEAST"),
    Column::numbers("MEDIAN"),
    Column::numbers("MOST"),
    Column::numbers("LOST"),
    Column::of("", 8),
];
