//! This region's copy of what a page shows, so that a page does not wait for an ocean.
//!
//! A page is at most [`FRESH`] older than the book, or says how old it is: a visitor who comes later than that after
//! the last look has the primary asked for what is new, once for all visitors who come meanwhile. If it does not
//! answer soon (its process may be being replaced) the page is made of what is known. Who has just written is the
//! exception: a page without their entry would be a lie to them, so the copy catches up first.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use fly_rpc::CallError;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::{
    entries::{DatabaseError, Entry, News},
    functions::entries_since_on_primary,
};

/// What a page shows, as this region knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The newest first.
    pub(crate) entries: Vec<Entry>,
    /// How many entries the book has.
    pub(crate) total: i64,
    /// The id of the newest entry.
    latest: i64,
    /// The book was so, or newer, at this time. `None` if it was never read.
    as_of: Option<Instant>,
}

impl Known {
    /// How old this may be.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.as_of.map(|as_of| as_of.elapsed())
    }

    /// True if the book was read lately enough.
    pub(crate) fn is_fresh(&self) -> bool {
        self.age().is_some_and(|age| age < FRESH + PATIENCE)
    }

    /// True if this has an entry, or had it before newer ones took its place.
    pub(crate) fn has(&self, entry: i64) -> bool {
        self.latest >= entry
    }

    /// False if an entry that is said to have been written by then was not: anybody can ask for a page with any
    /// number.
    pub(crate) fn may_have(&self, entry: i64, by: Instant) -> bool {
        entry > 0 && (self.has(entry) || self.as_of.is_none_or(|as_of| as_of < by))
    }

    /// Adds what the primary answered to the question that was asked at this time, after this id.
    fn learn(&mut self, news: News, after: i64, asked: Instant) {
        if news.latest < after {
            // The book was put back to what it was earlier: what is known is of another one, and is read anew.
            *self = Self::default();
            return;
        }
        // Another answer may have come first, and have some of these.
        let fresh = news
            .entries
            .into_iter()
            .filter(|entry| entry.id > self.latest);
        let fresh: Vec<Entry> = fresh.collect();
        self.entries.splice(0..0, fresh);
        self.entries.truncate(News::MOST as usize);
        self.latest = self.latest.max(news.latest);
        if self.as_of.is_none_or(|as_of| as_of < asked) {
            self.as_of = Some(asked);
            self.total = news.total;
        }
    }
}

/// The copy. All clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalCopy {
    known: Arc<RwLock<Known>>,
    /// Held by whoever asks for all; when the last question was asked that nobody answered.
    asking: Arc<Mutex<Option<Instant>>>,
    /// Held by whoever asks for those who have just written.
    catching_up: Arc<Mutex<()>>,
}

impl LocalCopy {
    /// What a page shows to anybody.
    pub(crate) async fn read(&self) -> Known {
        // Whoever waits for another visitor's question waits no longer than for one of their own.
        let _gone_on_without = timeout(PATIENCE, self.freshen()).await;
        self.known()
    }

    /// What a page shows to who has just written this entry: the same, with the entry.
    pub(crate) async fn read_with(&self, entry: i64) -> Known {
        let _gone_on_without = timeout(CATCH_UP, self.catch_up(entry)).await;
        self.known()
    }

    async fn catch_up(&self, entry: i64) {
        let came = Instant::now();
        if self.known().has(entry) {
            return;
        }
        let _asking = self.catching_up.lock().await;
        let known = self.known();
        // Somebody's question that was asked since then has the answer.
        if known.may_have(entry, came)
            && !known.has(entry)
            && let Err(error) = self.ask(CATCH_UP).await
        {
            tracing::warn!("entry {entry} is said to be written and cannot be read yet: {error}");
        }
    }

    async fn freshen(&self) {
        let mut unanswered = self.asking.lock().await;
        let is_recent = |at: Instant| at.elapsed() < FRESH;
        let asked = self.known().as_of;
        if asked.is_some_and(is_recent) || unanswered.is_some_and(is_recent) {
            return; // somebody asked while this visitor waited, or just before
        }
        // Kept if this is dropped in the middle.
        *unanswered = Some(Instant::now());
        match self.ask(PATIENCE).await {
            Ok(()) => *unanswered = None,
            Err(error) => tracing::warn!("pages show what was known before: {error}"),
        }
    }

    async fn ask(&self, patience: Duration) -> Result<(), CallError<DatabaseError>> {
        let (asked, after) = (Instant::now(), self.known().latest);
        let call = entries_since_on_primary(after)
            .timeout(patience)
            .wait_ready();
        let news = call.flatten().await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.learn(news, after, asked);
        Ok(())
    }

    fn known(&self) -> Known {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

/// How old a page may be although the primary could be asked.
const FRESH: Duration = Duration::from_secs(1);
/// How long a page waits for the primary: half a second more than the longest way around the earth and back.
const PATIENCE: Duration = Duration::from_millis(800);
/// How long it waits for the visitor's own entry. The primary's process may be being replaced.
const CATCH_UP: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn news(ids: impl IntoIterator<Item = i64>, latest: i64) -> News {
        let entries = ids.into_iter().map(|id| Entry {
            id,
            name: "Ada".to_owned(),
            message: "hello".to_owned(),
            written_at: String::new(),
            signed_in: "lax".to_owned(),
            written_in: "syd".to_owned(),
        });
        News {
            entries: entries.collect(),
            total: latest,
            latest,
        }
    }

    fn ids(known: &Known) -> Vec<i64> {
        known.entries.iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn two_answers_that_overlap_show_each_entry_once_in_either_order() {
        let (first, second) = (Instant::now(), Instant::now() + Duration::from_millis(1));
        for newer_first in [false, true] {
            let mut known = Known::default();
            known.learn(news([5], 5), 0, first);
            let mut answers = [(news([7, 6], 7), first), (news([8, 7, 6], 8), second)];
            if newer_first {
                answers.reverse();
            }
            for (news, asked) in answers {
                known.learn(news, 5, asked);
            }
            assert_eq!(ids(&known), [8, 7, 6, 5]);
            assert_eq!((known.total, known.as_of), (8, Some(second)));
            assert!(known.has(8) && !known.has(9));
        }
    }

    #[test]
    fn an_entry_that_was_not_in_the_book_when_somebody_claims_to_have_written_it_is_denied() {
        let came = Instant::now();
        let mut known = Known::default();
        assert!(known.may_have(7, came), "nothing is known");
        known.learn(news([5], 5), 0, came - Duration::from_millis(1));
        assert!(known.may_have(7, came), "it may have come after that look");
        known.learn(news([], 5), 5, came);
        assert!(known.may_have(5, came) && !known.may_have(7, came));
        assert!(!known.may_have(0, came) && !known.may_have(-5, came));
    }

    #[test]
    fn no_more_is_kept_than_a_page_shows() {
        let mut known = Known::default();
        known.learn(news((1..=30).rev(), 30), 0, Instant::now());
        known.learn(news([31], 31), 30, Instant::now());
        assert_eq!(known.entries.len(), News::MOST as usize);
        assert_eq!(ids(&known)[0], 31);
        assert!(known.has(1), "it was there");
    }

    #[test]
    fn a_book_that_was_put_back_is_read_anew() {
        let mut known = Known::default();
        known.learn(news([9, 8], 9), 0, Instant::now());
        known.learn(news([], 3), 9, Instant::now());
        assert_eq!((ids(&known), known.latest), (vec![], 0));
        known.learn(news([3, 2, 1], 3), 0, Instant::now());
        assert_eq!(ids(&known), [3, 2, 1]);
    }
}
