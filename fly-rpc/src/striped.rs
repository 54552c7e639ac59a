//! A count that many threads raise and lower all the time, and that hardly anybody reads.
//!
//! One atomic would pass from core to core with every call. Each thread has a cell of its own here, on a
//! line of the cache of its own, and who reads adds them up.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

/// The count.
#[derive(Debug, Default)]
pub(crate) struct Striped {
    cells: [Line; CELLS],
}

/// One more, until it is dropped. It lowers the cell that it raised, so that no cell is ever below
/// what is counted in it: whoever was counted all the time that a sum took is in it.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a AtomicUsize);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line(AtomicUsize);

impl Striped {
    pub(crate) fn count(&self) -> Counted<'_> {
        let Line(cell) = &self.cells[OWN.get() % CELLS];
        cell.fetch_add(1, Ordering::SeqCst);
        Counted(cell)
    }

    pub(crate) fn get(&self) -> usize {
        let cells = self.cells.iter();
        cells.map(|Line(cell)| cell.load(Ordering::SeqCst)).sum()
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The number of this thread.
    static OWN: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed));
}

/// As many as a machine of a region has cores, or so; threads beyond that share.
const CELLS: usize = 16;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_many_threads_count_is_summed_and_who_lowers_it_may_be_another_one() {
        let striped = Striped::default();
        thread::scope(|scope| {
            let here = striped.count();
            let there = scope.spawn(|| striped.count()).join().expect("it counts");
            assert_eq!(striped.get(), 2);
            scope.spawn(move || drop(here)).join().expect("it drops");
            assert_eq!(striped.get(), 1);
            drop(there);
        });
        assert_eq!(striped.get(), 0);
    }
}
