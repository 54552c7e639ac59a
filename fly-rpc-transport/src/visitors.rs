//! How often one address connects, and how many connections it has.
//!
//! A handshake costs a signature: an address that makes them all day, even with a good certificate,
//! is broken or means it. Whoever is refused comes back by its own backoff.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use tokio::time::Instant;

use crate::{limits::Limits, lock::lock};

/// What is known of each address that has connections or had some lately.
#[derive(Debug, Default)]
pub(crate) struct Visitors {
    known: Arc<Mutex<HashMap<IpAddr, Visitor>>>,
}

/// Why an address may not connect now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crowded {
    TooOften,
    TooMany,
}

impl Crowded {
    /// What the log calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TooOften => "its address connects too often",
            Self::TooMany => "its address has too many connections",
        }
    }
}

#[derive(Debug)]
struct Visitor {
    /// Connections that it may still make now; refilled with time.
    allowance: f64,
    since: Instant,
    live: usize,
}

/// One connection, from its first packet to its end.
#[derive(Debug)]
pub(crate) struct Visit {
    known: Arc<Mutex<HashMap<IpAddr, Visitor>>>,
    ip: IpAddr,
}

impl Visitors {
    /// Lets a connection in, if its address has allowance left.
    pub(crate) fn enter(
        &self,
        ip: IpAddr,
        now: Instant,
        limits: &Limits,
    ) -> Result<Visit, Crowded> {
        let mut known = lock(&self.known);
        if known.len() == known.capacity() {
            known.retain(|_, visitor| {
                visitor.live > 0 || visitor.refill(now, limits) < full(limits)
            });
        }
        let visitor = known.entry(ip).or_insert_with(|| Visitor {
            allowance: full(limits),
            since: now,
            live: 0,
        });
        visitor.check(now, limits, 1)?;
        visitor.allowance -= 1.0;
        visitor.live += 1;
        Ok(Visit {
            known: Arc::clone(&self.known),
            ip,
        })
    }

    /// Whether an address that is not proved may enter: it has half of the allowance, so that a
    /// forger cannot use up all of somebody else's.
    pub(crate) fn enter_half(
        &self,
        ip: IpAddr,
        now: Instant,
        limits: &Limits,
    ) -> Result<(), Crowded> {
        match lock(&self.known).get_mut(&ip) {
            Some(visitor) => visitor.check(now, limits, 2),
            None => Ok(()),
        }
    }
}

impl Visitor {
    /// Whether it is within `1 / part` of what it may.
    fn check(&mut self, now: Instant, limits: &Limits, part: usize) -> Result<(), Crowded> {
        let used = full(limits) - self.refill(now, limits);
        if self.live >= limits.connections_per_ip.div_ceil(part) {
            Err(Crowded::TooMany)
        } else if used + 1.0 > full(limits) / part as f64 {
            Err(Crowded::TooOften)
        } else {
            Ok(())
        }
    }

    fn refill(&mut self, now: Instant, limits: &Limits) -> f64 {
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        let earned = elapsed * f64::from(limits.connects_per_ip);
        self.allowance = (self.allowance + earned).min(full(limits));
        self.since = now;
        self.allowance
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(visitor) = lock(&self.known).get_mut(&self.ip) {
            visitor.live -= 1;
        }
    }
}

/// The allowance of an address that was quiet for a while.
fn full(limits: &Limits) -> f64 {
    f64::from(limits.connects_per_ip) * BURST
}

/// Seconds over which the rate of connections is averaged: fifty nodes on one machine may all dial
/// each other at once.
const BURST: f64 = 10.0;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn an_address_makes_a_burst_of_connections_and_then_so_many_a_second() {
        let limits = Limits::default();
        let visitors = Visitors::default();
        let start = Instant::now();
        let mut entered = 0;
        let mut others = 0;
        for millisecond in 0..10_000 {
            let now = start + Duration::from_millis(millisecond);
            entered += usize::from(visitors.enter(IP, now, &limits).is_ok());
            let other = IpAddr::from([127, 0, 0, 2]);
            if millisecond % 100 == 0 {
                others += usize::from(visitors.enter(other, now, &limits).is_ok());
            }
        }
        assert!((398..=400).contains(&entered), "{entered}");
        assert_eq!(others, 100);
    }

    #[test]
    fn an_address_has_so_many_connections_at_a_time() {
        let limits = Limits::default();
        let visitors = Visitors::default();
        let now = Instant::now();
        let mut visits: Vec<Visit> = (0..1_000)
            .filter_map(|_| visitors.enter(IP, now, &limits).ok())
            .collect();
        assert_eq!(visits.len(), limits.connections_per_ip);
        assert_eq!(
            visitors.enter(IP, now, &limits).map(drop),
            Err(Crowded::TooMany)
        );
        visits.pop();
        assert!(visitors.enter(IP, now, &limits).is_ok());
    }

    #[test]
    fn a_forger_leaves_half_of_the_allowance_to_those_who_prove_their_address() {
        let mut limits = Limits::default();
        let visitors = Visitors::default();
        let now = Instant::now();
        let mut visits = Vec::new();
        while visitors.enter_half(IP, now, &limits).is_ok() {
            visits.push(visitors.enter(IP, now, &limits).expect("room"));
        }
        assert_eq!(visits.len(), limits.connections_per_ip / 2);
        limits.connections_per_ip = usize::MAX;
        while visitors.enter_half(IP, now, &limits).is_ok() {
            visits.push(visitors.enter(IP, now, &limits).expect("room"));
        }
        assert_eq!(visits.len(), 100);
        assert!(visitors.enter(IP, now, &limits).is_ok());
    }

    #[test]
    fn addresses_that_were_seen_once_are_forgotten() {
        let limits = Limits::default();
        let visitors = Visitors::default();
        let start = Instant::now();
        for number in 0..100_000_u32 {
            let now = start + Duration::from_millis(u64::from(number));
            let ip = IpAddr::from(number.to_be_bytes());
            drop(visitors.enter(ip, now, &limits).expect("room"));
        }
        let kept = lock(&visitors.known).len();
        assert!(kept < 500, "{kept}");
    }
}
