//! How the task that reads a lane spends its time: on reading, or on functions that compute where
//! they are first polled.

use std::time::Duration;

/// Whether handlers may still be polled by the reading task. Pure: time is an argument.
#[derive(Debug, Default)]
pub(super) struct Strain {
    /// Since answers were last written.
    spent: Duration,
    /// Requests whose handlers get a task before one is polled here again.
    tasks: u32,
}

impl Strain {
    /// True if a handler may be polled by the reading task.
    pub(super) fn is_light(&self) -> bool {
        self.tasks == 0
    }

    /// Notes how long one request took; true if it is time for the answers.
    pub(super) fn took(&mut self, time: Duration) -> bool {
        self.tasks = if time >= LONG {
            TASKS
        } else {
            self.tasks.saturating_sub(1)
        };
        self.spent += time;
        let is_time = self.spent >= TURN;
        if is_time {
            self.spent = Duration::ZERO;
        }
        is_time
    }
}

/// A first poll that takes this long costs so much more than a task that the next ones get theirs.
const LONG: Duration = Duration::from_micros(200);
/// How many after such a one: where all take long, few are waited for.
const TASKS: u32 = 32;
/// Requests are read for this long before answers are written: hundreds of small ones.
const TURN: Duration = Duration::from_micros(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_long_request_the_next_ones_get_tasks() {
        let mut strain = Strain::default();
        strain.took(LONG);
        for _ in 0..TASKS {
            assert!(!strain.is_light());
            strain.took(Duration::from_micros(1));
        }
        assert!(strain.is_light());
    }

    #[test]
    fn answers_get_their_turn() {
        let mut strain = Strain::default();
        let turns = (0..1000).filter(|_| strain.took(Duration::from_micros(5)));
        assert_eq!(turns.count(), 10);
    }
}
