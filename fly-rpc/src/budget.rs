//! The retry budget: by default one retry for five calls, plus ten a second (Finagle's), so that a
//! failing cluster is not asked ever more often for what it cannot give.

use std::time::Duration;

use fly_rpc_transport::Limits;
use tokio::time::Instant;

/// A bucket of retries. Calls fill it, retries empty it.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    /// Retries that one call earns.
    per_call: f64,
    per_second: f64,
    /// What is not used within this time is lost.
    window: Duration,
    balance: f64,
    filled: Instant,
}

impl RetryBudget {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        let per_second = f64::from(limits.retries_per_second);
        Self {
            per_call: f64::from(limits.retry_percent) / 100.0,
            per_second,
            window: limits.retry_window,
            balance: per_second,
            filled: now,
        }
    }

    /// Notes a call that may be retried.
    pub(crate) fn deposit(&mut self, now: Instant) {
        self.fill(now);
        self.balance = (self.balance + self.per_call).min(self.most());
    }

    /// True if one more retry may be made; it is then taken from the budget.
    pub(crate) fn withdraw(&mut self, now: Instant) -> bool {
        self.fill(now);
        let allowed = self.balance >= 1.0;
        if allowed {
            self.balance -= 1.0;
        }
        allowed
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled).min(self.window);
        self.balance = (self.balance + elapsed.as_secs_f64() * self.per_second).min(self.most());
        self.filled = now;
    }

    /// What may be saved up. Never less than one retry, or calls alone would earn none.
    fn most(&self) -> f64 {
        (self.per_second * self.window.as_secs_f64()).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_of_failures_is_retried_for_a_fifth_of_the_calls_and_ten_a_second() {
        let start = Instant::now();
        let mut budget = RetryBudget::new(&Limits::default(), start);
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
