//! `fly-rpc nodes`: who is there, where, and how far away.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{
    arguments::Arguments,
    failure::Failure,
    join::Joined,
    json::Json,
    screen::Screen,
    table::{Cell, Column, Style, clean, render, wrap},
};
use crate::node::{PeerInfo, PeerState};

/// Shows them once, or again and again until nobody wants to see more.
pub(super) async fn run(
    arguments: &Arguments,
    watch: bool,
    screen: &Screen,
) -> Result<u8, Failure> {
    Joined::during(arguments, async |joined| {
        if watch {
            follow(joined, screen).await?;
        } else {
            screen.print(&frame(joined, screen))?;
        }
        Ok(0)
    })
    .await
}

/// Ends with the signal that ends the command; the terminal is then as it was, with the last look on it.
async fn follow(joined: &Joined, screen: &Screen) -> Result<(), Failure> {
    let in_place = screen.is_terminal() && !screen.json();
    let mut ticks = interval(REDRAW);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let mut shown = String::new();
    if in_place {
        screen.print(OTHER_SCREEN)?;
    }
    loop {
        tokio::select! {
            biased;
            _ = &mut interrupt => break,
            _ = ticks.tick() => {}
        }
        shown = frame(joined, screen);
        let is_read = match in_place {
            true => screen.print(&format!("{HOME}{shown}"))?,
            false => screen.print(&shown)?,
        };
        if !is_read {
            break;
        }
    }
    if in_place {
        screen.print(&format!("{FIRST_SCREEN}{shown}"))?;
    }
    Ok(())
}

fn frame(joined: &Joined, screen: &Screen) -> String {
    let peers = joined.peers();
    if screen.json() {
        return format!("{}\n", json(joined, &peers));
    }
    let primary = joined.node.primary();
    let there = peers.iter().filter(|peer| peer.round_trip.is_some());
    let mut text = format!(
        "cluster {}: {}, primary in {}\n\n",
        clean(&joined.cluster),
        count(there.count(), "node"),
        primary.region
    );
    let rows: Vec<Vec<Cell>> = peers
        .iter()
        .map(|peer| row(peer, peer.region == primary.region))
        .collect();
    text += &render(&COLUMNS, &rows, screen.colour());
    for unmet in joined.unmet() {
        let who = match &unmet.node {
            Some(node) => format!("{node} at {}", unmet.address),
            None => unmet.address.to_string(),
        };
        let sentence = format!("{who} cannot be reached: {}", unmet.reason());
        text += &format!("\n{}\n", wrap(&sentence, 2));
    }
    let others: Vec<&PeerInfo> = peers
        .iter()
        .filter(|peer| peer.round_trip.is_some() && peer.primary_region != primary.region)
        .collect();
    if let Some(peer) = others.first() {
        let sentence = format!(
            "{} of them see the primary elsewhere ({} in {}): fly-rpc doctor says more",
            others.len(),
            peer.id,
            peer.primary_region
        );
        text += &format!("\n{}\n", wrap(&sentence, 2));
    }
    text
}

fn row(peer: &PeerInfo, is_primary: bool) -> Vec<Cell> {
    let (state, style) = words(peer.state);
    let region = match is_primary {
        true => Cell::new(format!("{} *", peer.region), Style::Bold),
        false => peer.region.to_string().into(),
    };
    let functions = match peer.round_trip {
        Some(_) => peer.functions.len().to_string(),
        None => String::new(),
    };
    vec![
        region,
        peer.id.to_string().into(),
        Cell::new(state, style),
        peer.round_trip.map(time).unwrap_or_default().into(),
        functions.into(),
        Cell::from(&peer.build),
    ]
}

fn words(state: PeerState) -> (&'static str, Style) {
    match state {
        PeerState::Connected => ("connected", Style::Good),
        PeerState::Suspect => ("silent", Style::Doubtful),
        PeerState::Draining => ("draining", Style::Doubtful),
        PeerState::Connecting => ("unreachable", Style::Bad),
        PeerState::Known => ("heard of", Style::Dim),
    }
}

fn json(joined: &Joined, peers: &[PeerInfo]) -> Json {
    let primary = joined.node.primary();
    let nodes =
        peers.iter().map(|peer| {
            let functions = peer.functions.iter();
            Json::object([
                ("id", Json::text(peer.id.as_str())),
                ("region", Json::text(peer.region.as_str())),
                ("is_primary", Json::Bool(peer.region == primary.region)),
                ("state", Json::text(words(peer.state).0)),
                ("address", Json::text(peer.address.to_string())),
                ("round_trip_ms", Json::optional(peer.round_trip.map(millis))),
                ("build", Json::text(&peer.build)),
                (
                    "functions",
                    Json::list(functions.map(|function| {
                        Json::text(format!("{}@{}", function.name, function.version))
                    })),
                ),
            ])
        });
    let unmet = joined.unmet().into_iter();
    let unmet = unmet.map(|unmet| {
        let node = unmet.node.as_ref();
        Json::object([
            ("address", Json::text(unmet.address.to_string())),
            (
                "id",
                Json::optional(node.map(|node| Json::text(node.as_str()))),
            ),
            ("reason", Json::text(unmet.reason())),
        ])
    });
    Json::object([
        ("cluster", Json::text(&joined.cluster)),
        ("primary", Json::text(primary.region.as_str())),
        ("primary_epoch", Json::number(primary.epoch)),
        ("nodes", Json::list(nodes)),
        ("unreachable", Json::list(unmet)),
    ])
}

/// A time for people.
pub(super) fn time(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match millis {
        ..10.0 => format!("{millis:.2} ms"),
        ..1000.0 => format!("{millis:.1} ms"),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// A time for programs: milliseconds, to the microsecond.
pub(super) fn millis(time: Duration) -> Json {
    Json::Number(format!("{:.3}", time.as_secs_f64() * 1e3))
}

/// `1 node`, `2 nodes`.
pub(super) fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

const COLUMNS: [Column<'_>; 6] = [
    Column::of("REGION", 8),
    Column::of("NODE", 14),
    Column::whole("STATE"),
    Column::numbers("ROUND TRIP"),
    Column::numbers("FUNCTIONS"),
    Column::tail("BUILD", 8),
];
const REDRAW: Duration = Duration::from_secs(1);
/// The terminal's second screen, without what stood on the first; and back.
const OTHER_SCREEN: &str = "\x1b[?1049h\x1b[?25l";
const FIRST_SCREEN: &str = "\x1b[?25h\x1b[?1049l";
/// To the beginning, and away with what was there.
const HOME: &str = "\x1b[H\x1b[J";
