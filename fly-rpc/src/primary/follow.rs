//! What keeps a node's view up to date: a task that listens to its source, and one that follows its
//! peers and notices who sees the primary elsewhere.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use fly_rpc_transport::{Link, NodeId, Region};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, sleep_until},
};

use super::{PrimarySource, seat::Seat};
use crate::fence::{discard, fenced};

/// Hears every word of a source, until it has none left. `first` is told of the first one.
pub(crate) async fn listen(
    seat: Arc<Seat>,
    mut source: Box<dyn PrimarySource>,
    first: oneshot::Sender<()>,
) {
    let mut first = Some(first);
    loop {
        match fenced(async { source.next().await }).await {
            Ok(Some(word)) => {
                if let Err(error) = seat.say(word) {
                    tracing::error!(%error, "a word about the primary is not heeded");
                }
            }
            Ok(None) => {
                tracing::info!("the source of the primary's region ended; its last word stands");
                break;
            }
            Err(panicked) => {
                tracing::error!(
                    panic = panicked.message(),
                    "the source of the primary's region panicked; its last word stands"
                );
                break;
            }
        }
        if let Some(first) = first.take() {
            // Nobody waits for it any more after a second.
            let _ = first.send(());
        }
        sleep(PAUSE).await;
    }
    discard(source);
}

/// Follows the views of the peers.
pub(crate) async fn follow(seat: Arc<Seat>, node: NodeId) {
    let began = Instant::now();
    let mut changes = seat.endpoint.changes();
    let mut dissent = Dissent::default();
    loop {
        let due = look(&seat, &node, began, &mut dissent);
        let due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            changed = changes.changed() => if changed.is_err() {
                return;
            },
            () = due => {}
        }
    }
}

/// Takes over the greatest view of all peers, and objects if it is time to. Returns when to look
/// again even if nothing changes.
fn look(seat: &Seat, node: &NodeId, began: Instant, dissent: &mut Dissent) -> Option<Instant> {
    seat.assume();
    // Whoever was unheard and is not presumed any more is one of the links, or gone.
    let unheard = seat.with(|belief| belief.unheard().to_vec());
    let presumed = seat.endpoint.presumed();
    let links = seat.endpoint.links();
    if let Some((node, epoch, region)) = greatest(&links) {
        let ours = seat.view();
        if (epoch, &region) > (ours.epoch, &ours.region) {
            seat.hear(&node, epoch, &region);
        }
    }
    let is_presumed = |node: &NodeId| presumed.iter().any(|link| link.node() == node);
    let is_heard = |node: &NodeId| unheard.contains(node) && !is_presumed(node);
    seat.with(|belief| belief.settle(is_heard));
    let present = seat.region();
    let vouched = links
        .iter()
        .any(|link| link.look_at_view(|view| view.vouched && view.region == *present));
    let now = Instant::now();
    let patience = seat.with(|belief| belief.patience(vouched, now - began));
    let patience = patience.map(|patience| began + patience);
    if patience.is_some_and(|until| until <= now) {
        seat.insist();
    }
    let mut others: BTreeMap<NodeId, Region> = BTreeMap::new();
    let present = seat.region();
    for link in links.iter() {
        if let Some(region) =
            link.look_at_view(|view| (view.region != *present).then(|| view.region.clone()))
        {
            others.insert(link.node().clone(), region);
        }
    }
    if let Some(region) = seat.with(|belief| belief.objection().cloned()) {
        others.insert(node.clone(), region);
    }
    let settled = dissent.look(seat, others, now);
    let patience = patience.filter(|until| *until > now);
    [patience, settled].into_iter().flatten().min()
}

fn greatest(links: &[Arc<Link>]) -> Option<(NodeId, u64, Region)> {
    let mut greatest: Option<(NodeId, u64, Region)> = None;
    for link in links {
        link.look_at_view(|view| {
            let epoch = view.epoch.unwrap_or_default();
            let is_greater = greatest
                .as_ref()
                .is_none_or(|(_, most, region)| (epoch, &view.region) > (*most, region));
            if epoch > 0 && epoch <= super::LARGEST && is_greater {
                greatest = Some((link.node().clone(), epoch, view.region.clone()));
            }
        });
    }
    greatest
}

/// Who sees the primary elsewhere, this node itself if its own source does.
#[derive(Debug, Default)]
struct Dissent {
    known: BTreeMap<NodeId, Region>,
    /// Since when it is not as it is known.
    since: Option<Instant>,
}

impl Dissent {
    /// Names in the log who sees the primary elsewhere: once for each change that lasts, as every
    /// move is news to somebody for a moment. Returns when to look again.
    fn look(
        &mut self,
        seat: &Seat,
        others: BTreeMap<NodeId, Region>,
        now: Instant,
    ) -> Option<Instant> {
        if others == self.known {
            self.since = None;
            return None;
        }
        let settled = *self.since.get_or_insert(now) + SETTLED;
        if now < settled {
            return Some(settled);
        }
        let new = others
            .iter()
            .filter(|(node, region)| self.known.get(*node) != Some(*region));
        let new = new.count() as u64;
        seat.disagreements.fetch_add(new, Ordering::Relaxed);
        match others.first_key_value() {
            Some((node, theirs)) => tracing::warn!(
                ours = %seat.view(), nodes = others.len(), %node, %theirs,
                "nodes see the primary elsewhere"
            ),
            None => {
                tracing::info!(ours = %seat.view(), "every connected node sees the primary where this one does");
            }
        }
        self.known = others;
        self.since = None;
        None
    }
}

/// Time between two words of a source that are heard.
const PAUSE: Duration = Duration::from_millis(100);
/// How long nodes may disagree before it is worth a line.
const SETTLED: Duration = Duration::from_secs(1);
