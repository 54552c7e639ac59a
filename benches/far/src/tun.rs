//! A long link for real packets: two network namespaces that are joined through two TUN devices by
//! this process.
//!
//! What one end's kernel sends through its device is read here, kept for as long as the link is
//! long, and written to the other end's device: TCP, UDP and whatever else run over it as they are.
//! The devices offer no offloads, so that packets arrive here one by one, none larger than the
//! MTU and with their checksums in place, whatever the sockets at the ends hand over in one piece.

use std::{fmt, io, net::Ipv4Addr, process::Child, process::Command, sync::Arc};

use anyhow::Context;
use tun_rs::{DeviceBuilder, InterruptEvent, SyncDevice};

use crate::{
    fate::Conditions,
    namespace::Namespace,
    way::{Sink, Source, Tally, Way},
};

/// Two hosts and the link between them. Everything is gone when it is dropped, or this process is.
pub struct TunLink {
    namespaces: [Namespace; 2],
    /// There and back.
    ways: Option<[Way; 2]>,
    end: Arc<InterruptEvent>,
}

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where calls are made.
    Caller,
    /// Where they are served.
    Server,
}

impl Side {
    /// Its host's address.
    pub fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, self as u8 + 1)
    }
}

impl TunLink {
    /// Makes both hosts and joins them. The seed says which packets are lost.
    ///
    /// # Errors
    /// Without root, without `/dev/net/tun`.
    pub fn open(conditions: Conditions, seed: u64) -> anyhow::Result<Self> {
        let needs = "a long link for real packets needs Linux, root and /dev/net/tun";
        let namespaces = [
            Namespace::new().context(needs)?,
            Namespace::new().context(needs)?,
        ];
        let device = |side: Side| {
            namespaces[side as usize]
                .within(|| device(side.address()))
                .map(Arc::new)
                .context(needs)
        };
        let (caller, server) = (device(Side::Caller)?, device(Side::Server)?);
        let end = Arc::new(InterruptEvent::new()?);
        let way = |seed, from: &Arc<SyncDevice>, to: &Arc<SyncDevice>| {
            let source = source(Arc::clone(from), Arc::clone(&end));
            Way::start(conditions, seed, source, sink(Arc::clone(to)))
        };
        let ways = [way(seed, &caller, &server), way(!seed, &server, &caller)];
        Ok(Self {
            namespaces,
            ways: Some(ways),
            end,
        })
    }

    /// Starts a process at one end.
    ///
    /// # Errors
    /// The operating system's.
    pub fn spawn(&self, side: Side, command: &mut Command) -> io::Result<Child> {
        self.within(side, || command.spawn())
    }

    /// What was done to packets, there and back.
    pub fn tallies(&self) -> [Arc<Tally>; 2] {
        let ways = self.ways.as_ref().expect("there until the link is dropped");
        [0, 1].map(|way| Arc::clone(ways[way].tally()))
    }

    pub(crate) fn within<T: Send>(
        &self,
        side: Side,
        work: impl FnOnce() -> io::Result<T> + Send,
    ) -> io::Result<T> {
        self.namespaces[side as usize].within(work)
    }
}

impl fmt::Debug for TunLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunLink")
            .field("ways", &self.ways)
            .finish_non_exhaustive()
    }
}

impl Drop for TunLink {
    fn drop(&mut self) {
        // Fails only if the pipe is full, and then it was told already.
        let _ = self.end.trigger();
        for way in self.ways.take().into_iter().flatten() {
            way.join();
        }
    }
}

/// The end of the link in the namespace of this thread.
fn device(address: Ipv4Addr) -> io::Result<SyncDevice> {
    let device = DeviceBuilder::new()
        .name("far0")
        .ipv4(address, 24, None)
        .mtu(MTU)
        .with(|linux| {
            linux.tx_queue_len(WAITING);
        })
        .build_sync()?;
    // So that a wait for a packet can be ended.
    device.set_nonblocking(true)?;
    Ok(device)
}

fn source(device: Arc<SyncDevice>, end: Arc<InterruptEvent>) -> Source {
    Box::new(move |buffer| match device.recv_intr(buffer, &end) {
        Ok(length) => Some(length),
        Err(_) if end.is_trigger() => None,
        Err(_) => Some(0),
    })
}

fn sink(device: Arc<SyncDevice>) -> Sink {
    // A packet that the kernel does not want (it checks little more than the version) is lost, as
    // on any link.
    Box::new(move |packet| drop(device.send(packet)))
}

/// As on nearly every path.
const MTU: u16 = 1500;
/// Packets that may wait to be read: no burst of the ends overflows it.
const WAITING: u32 = 20_000;
