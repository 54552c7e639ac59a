//! A model of a loaded cluster, by which policies of choice are compared and their cases are tested.
//!
//! It is a queueing simulation: callers send calls at random moments to nodes of a few workers each,
//! over ways of some length, and what is slow, silent or broken about each node is given. Everything
//! follows from a seed, and a minute of it takes a fraction of a second. The nodes are chosen by the
//! very code that chooses them for real calls; each caller remembers for itself.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fly_rpc_transport::{Limits, NodeId, Offer, Region};

use super::{Effect, Moment, Nodes, Resort, Settings, Ticket, Verdict, Vitals, nodes::Bond};
use crate::{
    resolve::{self, Candidate, Here, Scene, Wanted},
    target::Target,
};

/// How nodes are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Any, each as likely.
    Random,
    /// Of two the one with the lower round-trip time, times calls in flight: no memory.
    Distance,
    /// What fly-rpc does.
    Fly,
}

/// What is wrong with a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Its calls take so many times as long.
    Slow(f64),
    /// This share of its calls loses its connection, within a tenth of a millisecond.
    Fails(f64),
    /// It takes calls and never answers.
    Silent,
    /// It refuses every call for want of room, at once.
    Refuses,
    /// Between these times (seconds) it does nothing, and then goes on.
    Pauses(f64, f64),
    /// It loses every call between these times (seconds).
    Breaks(f64, f64),
}

/// A node of the model.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// What is wrong with it.
    pub fault: Fault,
    /// The way there and back.
    pub round_trip: Duration,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            fault: Fault::None,
            round_trip: Duration::from_millis(1),
        }
    }
}

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Load {
    /// The nodes.
    pub sites: Vec<Site>,
    /// Processes that call, each with a memory of its own.
    pub callers: usize,
    /// Calls in a second, of all callers.
    pub rate: f64,
    /// What a call takes on average; exponential, or always as long if `exact`.
    pub service: Duration,
    /// Every call takes as long as every other.
    pub exact: bool,
    /// This share of calls is of another function, which takes so many times as long.
    pub heavy: (f64, f64),
    /// Calls that a node works on at one time; others wait there.
    pub workers: usize,
    /// How long.
    pub lasts: Duration,
    /// How long a caller waits for an answer.
    pub timeout: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Calls that were answered, by how long that took in microseconds, ascending.
    pub answered: Vec<u64>,
    /// Calls that failed.
    pub failed: u64,
    /// Requests that each node was sent.
    pub sent: Vec<u64>,
    /// The sum, over the requests to each node, of those that it had not answered.
    pub in_flight: Vec<u64>,
}

impl Tally {
    /// The answer that this share of all is not slower than.
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.answered.len().saturating_sub(1);
        let place = (last as f64 * share) as usize;
        Duration::from_micros(self.answered.get(place).copied().unwrap_or(0))
    }

    /// Failed calls among all.
    pub fn failures(&self) -> f64 {
        self.failed as f64 / (self.failed + self.answered.len() as u64).max(1) as f64
    }

    /// The requests to the first `nodes` among all.
    pub fn share_of_first(&self, nodes: usize) -> f64 {
        let first: u64 = self.sent.iter().take(nodes).sum();
        first as f64 / self.sent.iter().sum::<u64>().max(1) as f64
    }
}

/// Runs the load under a policy.
pub fn run(load: &Load, policy: Policy, seed: u64) -> Tally {
    Run::new(load, policy, seed).finish()
}

/// A node as one caller sees it.
struct View {
    node: NodeId,
    region: Region,
    round_trip: Duration,
    in_flight: Arc<AtomicUsize>,
    bond: Bond,
}

impl Candidate for View {
    fn node(&self) -> &NodeId {
        &self.node
    }
    fn region(&self) -> &Region {
        &self.region
    }
    fn round_trip(&self) -> Duration {
        self.round_trip
    }
    fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
    fn is_draining(&self) -> bool {
        false
    }
    fn is_suspect(&self) -> bool {
        false
    }
    fn is_retiring(&self) -> bool {
        false
    }
    fn vitals(&self) -> &Vitals {
        self.bond.vitals()
    }
    fn versions<T>(&self, _name: &str, look: impl FnOnce(&[Offer]) -> T) -> T {
        look(&[Offer {
            name: String::new(),
            version: 1,
            fingerprint: [0; 16],
            contract: String::new(),
        }])
    }
}

struct Caller {
    views: Vec<View>,
    nodes: Nodes,
}

/// A request that is on its way.
struct Request {
    caller: usize,
    node: usize,
    ticket: Option<Ticket>,
    /// When the call began, and when this request was sent.
    call: u64,
    sent: u64,
    attempts: u32,
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Answered,
    Refused,
    Lost,
    TimedOut,
}

struct Run<'a> {
    load: &'a Load,
    policy: Policy,
    random: Box<dyn FnMut() -> u64>,
    callers: Vec<Caller>,
    /// When each worker of each node is free.
    workers: Vec<Vec<u64>>,
    requests: Vec<Option<Request>>,
    /// Ends of requests, by time.
    ends: BinaryHeap<Reverse<(u64, usize)>>,
    tally: Tally,
}

impl<'a> Run<'a> {
    fn new(load: &'a Load, policy: Policy, seed: u64) -> Self {
        let settings = Settings::from(&Limits::default());
        let caller = |_| {
            let nodes = Nodes::new(settings.clone());
            let views = load.sites.iter().enumerate().map(|(number, site)| {
                let node = NodeId::from(format!("n{number}").as_str());
                View {
                    bond: nodes.bond(&node, 1, Moment::default()),
                    node,
                    region: "hkg".into(),
                    round_trip: site.round_trip,
                    in_flight: Arc::default(),
                }
            });
            Caller {
                views: views.collect(),
                nodes,
            }
        };
        Self {
            load,
            policy,
            random: Box::new(split_mix(seed)),
            callers: (0..load.callers).map(caller).collect(),
            workers: vec![vec![0; load.workers]; load.sites.len()],
            requests: Vec::new(),
            ends: BinaryHeap::new(),
            tally: Tally {
                sent: vec![0; load.sites.len()],
                in_flight: vec![0; load.sites.len()],
                ..Tally::default()
            },
        }
    }

    fn finish(mut self) -> Tally {
        let (mut now, end) = (0, micros(self.load.lasts));
        loop {
            now += self.exponential(1e6 / self.load.rate);
            while let Some(Reverse((at, request))) = self.ends.peek().copied() {
                if at > now && now <= end {
                    break;
                }
                self.ends.pop();
                self.ended(at, request);
            }
            if now > end {
                self.tally.answered.sort_unstable();
                return self.tally;
            }
            let caller = (self.random)() as usize % self.callers.len();
            self.send(caller, now, now, 0);
        }
    }

    fn send(&mut self, caller: usize, call: u64, now: u64, attempts: u32) {
        let Some((node, ticket)) = self.choose(caller, now) else {
            self.tally.failed += 1;
            return;
        };
        let in_flight = &self.callers[caller].views[node].in_flight;
        let before = in_flight.fetch_add(1, Ordering::Relaxed) as u64;
        self.tally.sent[node] += 1;
        self.tally.in_flight[node] += before;
        let (at, end) = self.serve(node, now);
        let due = call + micros(self.load.timeout);
        let (at, end) = if at > due {
            (due, End::TimedOut)
        } else {
            (at, end)
        };
        self.ends.push(Reverse((at, self.requests.len())));
        self.requests.push(Some(Request {
            caller,
            node,
            ticket,
            call,
            sent: now,
            attempts: attempts + 1,
            end,
        }));
    }

    /// When and how a request that is sent now ends.
    fn serve(&mut self, node: usize, now: u64) -> (u64, End) {
        let site = self.load.sites[node];
        let way = micros(site.round_trip) / 2;
        let seconds = now as f64 / 1e6;
        let mean = micros(self.load.service) as f64;
        let mut work = if self.load.exact {
            mean as u64
        } else {
            self.exponential(mean)
        };
        let (share, times) = self.load.heavy;
        if share > 0.0 && self.fraction() < share {
            work = (work as f64 * times) as u64;
        }
        let mut earliest = now + way;
        match site.fault {
            Fault::Slow(times) => work = (work as f64 * times) as u64,
            Fault::Fails(share) if self.fraction() < share => return (now + 100, End::Lost),
            Fault::Breaks(from, to) if (from..to).contains(&seconds) => {
                return (now + 100, End::Lost);
            }
            Fault::Silent => return (u64::MAX, End::TimedOut),
            Fault::Refuses => return (now + 2 * way + 100, End::Refused),
            Fault::Pauses(from, to) if (from..to).contains(&seconds) => {
                earliest = earliest.max((to * 1e6) as u64);
            }
            _ => {}
        }
        let workers = &mut self.workers[node];
        let Some(worker) = workers.iter_mut().min() else {
            return (now, End::Refused);
        };
        *worker = earliest.max(*worker) + work;
        (*worker + way, End::Answered)
    }

    fn ended(&mut self, at: u64, request: usize) {
        let Some(request) = self.requests[request].take() else {
            return;
        };
        let caller = &self.callers[request.caller];
        let view = &caller.views[request.node];
        view.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(ticket) = request.ticket {
            let took = Duration::from_micros(at - request.sent);
            let verdict = match request.end {
                End::Answered => Verdict::Answered,
                End::Refused => Verdict::Refused,
                End::Lost => Verdict::Lost,
                End::TimedOut => Verdict::Silent,
            };
            let (vitals, now) = (view.vitals(), moment(at));
            let effect = vitals.end(ticket, verdict, took, view.round_trip, now);
            if effect == Effect::WantsToOpen {
                let random = ((self.random)() >> 11) as f64 / (1_u64 << 53) as f64;
                caller.nodes.open(vitals, ticket, now, random);
            }
        }
        match request.end {
            End::Answered => self.tally.answered.push(at - request.call),
            // Nothing ran: the next one is asked.
            End::Refused if request.attempts < 5 => {
                self.send(request.caller, request.call, at, request.attempts);
            }
            End::Refused | End::Lost | End::TimedOut => self.tally.failed += 1,
        }
    }

    fn choose(&mut self, caller: usize, now: u64) -> Option<(usize, Option<Ticket>)> {
        let views = &self.callers[caller].views;
        let count = views.len();
        match self.policy {
            Policy::Random => Some(((self.random)() as usize % count, None)),
            Policy::Distance => {
                let (first, second) = super::pick::two_numbers(count, (self.random)());
                let cost = |view: &View| {
                    let way = view.round_trip.max(Duration::from_micros(500));
                    way.as_micros() * (view.in_flight() as u128 + 1)
                };
                let is_second = cost(&views[second]) < cost(&views[first]);
                Some((if is_second { second } else { first }, None))
            }
            Policy::Fly => {
                let chosen = choose(views, moment(now), Resort::Panic, &mut self.random)?;
                let ticket = views[chosen].vitals().ask(moment(now))?;
                Some((chosen, Some(ticket)))
            }
        }
    }

    fn fraction(&mut self) -> f64 {
        ((self.random)() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> u64 {
        (-mean * (1.0 - self.fraction()).ln()) as u64
    }
}

/// The place of the node that a call to `Any` goes to.
fn choose<C: Candidate>(
    candidates: &[C],
    now: Moment,
    resort: Resort,
    random: impl FnMut() -> u64,
) -> Option<usize> {
    let (node, region) = ("caller".into(), "hkg".into());
    let wanted = Wanted {
        target: &Target::Any,
        name: "",
        version: 1,
        fingerprint: [0; 16],
        contract: "",
    };
    let here = Here {
        node: &node,
        observer: false,
        region: &region,
        primary: &region,
    };
    let scene = Scene {
        now,
        resort,
        looks: 0,
        nearest: &Mutex::default(),
        hold: Duration::ZERO,
    };
    let chosen = resolve::choose(candidates, |_| true, &wanted, &here, &scene, random)?;
    candidates
        .iter()
        .position(|candidate| std::ptr::eq(candidate, chosen))
}

fn moment(micros: u64) -> Moment {
    Moment::from_millis(micros / 1_000)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn split_mix(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
