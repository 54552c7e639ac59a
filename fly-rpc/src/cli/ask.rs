//! Questions to nodes, of which each answers for itself.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use fly_rpc_transport::{Link, NodeId, RequestHead, SendRefused, Status};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::inquiry::{FINGERPRINT, Question, VERSION};

/// Why a node gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Its build knows no such question.
    Old,
    Late,
    Draining,
    Overloaded,
    /// More than it may say at a time.
    TooLong,
    Failed,
    Gone,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "its build is too old to tell",
            Self::Late => "it did not answer in time",
            Self::Draining => "it is about to stop",
            Self::Overloaded => "it is overloaded",
            Self::TooLong => "its answer is longer than it may say",
            Self::Failed => "it failed to answer",
            Self::Gone => "its connection was lost",
        })
    }
}

/// Asks one node.
pub(super) async fn ask(
    link: &Link,
    question: Question,
    body: Vec<u8>,
    patience: Duration,
) -> Result<Bytes, Unanswered> {
    let due = Instant::now() + patience;
    let head = RequestHead {
        function: question.name(),
        version: VERSION,
        contract: FINGERPRINT,
        trace: None,
        for_primary: false,
    };
    let body = Bytes::from(body);
    let answer = async {
        let pending = link.call(&head, &body, due).await;
        let pending = pending.map_err(|refused| match refused {
            SendRefused::Late => Unanswered::Late,
            _ => Unanswered::Gone,
        });
        pending?.await.map_err(|_| Unanswered::Gone)
    };
    let answer = timeout_at(due, answer).await;
    let answer = answer.map_err(|_elapsed| Unanswered::Late)??;
    match answer.status {
        Status::Ok => Ok(answer.body),
        Status::UnknownFunction => Err(Unanswered::Old),
        Status::Draining => Err(Unanswered::Draining),
        Status::Expired | Status::Interrupted => Err(Unanswered::Late),
        Status::Overloaded => Err(Unanswered::Overloaded),
        Status::BadResponse => Err(Unanswered::TooLong),
        _ => Err(Unanswered::Failed),
    }
}

/// Asks all of them at once what takes no arguments.
pub(super) async fn ask_all(
    links: &[Arc<Link>],
    question: Question,
    patience: Duration,
) -> BTreeMap<NodeId, Result<Bytes, Unanswered>> {
    let mut asked = JoinSet::new();
    for link in links {
        let link = Arc::clone(link);
        asked.spawn(async move {
            let answer = ask(&link, question, Vec::new(), patience).await;
            (link.node().clone(), answer)
        });
    }
    asked.join_all().await.into_iter().collect()
}

/// How long a node may take to answer, if nothing else is said.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
