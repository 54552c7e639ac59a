//! The retry budget: at most one retry for five calls, plus ten a second (Finagle's default), so
//! that a failing cluster is not asked ever more often for what it cannot give.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket of retries. Calls fill it, retries empty it.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    /// Thousandths of a retry.
    balance: u64,
    filled: Instant,
}

impl RetryBudget {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            balance: PER_SECOND,
            filled: now,
        }
    }

    /// Notes a call that may be retried.
    pub(crate) fn deposit(&mut self, now: Instant) {
        self.fill(now);
        self.balance = (self.balance + PER_CALL).min(MOST);
    }

    /// True if one more retry may be made; it is then taken from the budget.
    pub(crate) fn withdraw(&mut self, now: Instant) -> bool {
        self.fill(now);
        let allowed = self.balance >= RETRY;
        if allowed {
            self.balance -= RETRY;
        }
        allowed
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled).min(WINDOW);
        let earned = u64::try_from(elapsed.as_millis()).unwrap_or(0) * PER_SECOND / 1000;
        if earned > 0 {
            self.balance = (self.balance + earned).min(MOST);
            self.filled = now;
        }
    }
}

const RETRY: u64 = 1000;
/// A fifth of a retry.
const PER_CALL: u64 = RETRY / 5;
/// Ten retries.
const PER_SECOND: u64 = 10 * RETRY;
/// What is not used within ten seconds is lost.
const WINDOW: Duration = Duration::from_secs(10);
const MOST: u64 = 10 * PER_SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_of_failures_is_retried_for_a_fifth_of_the_calls_and_ten_a_second() {
        let start = Instant::now();
        let mut budget = RetryBudget::new(start);
        let mut retries = 0;
        for call in 0..30_000_u32 {
            let now = start + Duration::from_millis(u64::from(call));
            budget.deposit(now);
            retries += u32::from(budget.withdraw(now));
        }
        let seconds = 30;
        assert!(retries <= 30_000 / 5 + 10 * seconds + 10, "{retries}");
        assert!(retries >= 30_000 / 5 + 10 * seconds - 10, "{retries}");
    }
}
