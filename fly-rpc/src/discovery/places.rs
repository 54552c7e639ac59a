//! Addresses of many names, looked up side by side.
//!
//! A name whose look-up fails keeps what it had, and holds up no other one.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use tokio::task::JoinSet;

use super::questions::{Family, Found, Missing, Questions};

/// What was found under each name that is of interest.
#[derive(Debug, Default)]
pub(super) struct Places {
    known: HashMap<Question, Vec<IpAddr>>,
}

/// A name, and which of its addresses are meant.
pub(super) type Question = (String, Family);

/// How a look at all names went.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Seconds for which the answers hold, the shortest of them.
    pub(super) ttl: Option<u32>,
    /// Why one of the names has no answer.
    pub(super) missing: Option<Missing>,
}

impl Places {
    /// Looks these up, and forgets all others.
    ///
    /// # Cancel safety
    /// What was found by then is kept.
    pub(super) async fn look_up(
        &mut self,
        questions: &Questions,
        wanted: HashSet<Question>,
    ) -> Look {
        self.known.retain(|question, _| wanted.contains(question));
        let mut look = Look::default();
        let mut answers: JoinSet<(Question, Result<Found<IpAddr>, Missing>)> = JoinSet::new();
        for question in wanted {
            if answers.len() >= AT_ONCE
                && let Some(Ok((question, answer))) = answers.join_next().await
            {
                self.take(&mut look, question, answer);
            }
            let questions = questions.clone();
            answers.spawn(async move {
                let answer = questions.addresses(&question.0, question.1).await;
                (question, answer)
            });
        }
        while let Some(ended) = answers.join_next().await {
            // A task that panicked is a name without an answer.
            if let Ok((question, answer)) = ended {
                self.take(&mut look, question, answer);
            }
        }
        look
    }

    /// What is known of a name.
    pub(super) fn of(&self, name: &str) -> Vec<IpAddr> {
        let families = [Family::V6, Family::V4];
        let known = families.map(|family| self.known.get(&(name.to_owned(), family)));
        known.into_iter().flatten().flatten().copied().collect()
    }

    fn take(
        &mut self,
        look: &mut Look,
        question: Question,
        answer: Result<Found<IpAddr>, Missing>,
    ) {
        match answer {
            Ok(found) => {
                look.ttl = Some(look.ttl.unwrap_or(u32::MAX).min(found.ttl));
                self.known.insert(question, found.values);
            }
            Err(missing) => {
                if missing.is_nothing() {
                    self.known.remove(&question);
                }
                look.missing = Some(missing);
            }
        }
    }
}

/// Questions in flight: a name server is not to be flooded with those of a whole fleet.
const AT_ONCE: usize = 16;
