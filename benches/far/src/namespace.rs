//! A network of one's own: a network namespace of Linux that has no name.
//!
//! Nothing but open files keeps it: however this process ends, the kernel then removes it and the
//! devices in it. A thread that enters it never comes back, so work is done on a thread of its own;
//! a process that is started there stays there.

use std::{fs::File, io, thread};

use nix::sched::{CloneFlags, setns, unshare};

/// An open network namespace.
#[derive(Debug)]
pub(crate) struct Namespace(File);

impl Namespace {
    /// A new one, with nothing in it. Needs root.
    pub(crate) fn new() -> io::Result<Self> {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        made.join().expect("it does not panic").map(Self)
    }

    /// Does `work` in it. Sockets and processes that are made there stay there.
    pub(crate) fn within<T: Send>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send,
    ) -> io::Result<T> {
        thread::scope(|scope| {
            let done = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET)?;
                work()
            });
            done.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
