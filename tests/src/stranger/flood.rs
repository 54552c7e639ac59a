//! Floods of datagrams from many addresses, made by a process of their own, which is told when to begin and when to end.

use std::{
    io::{BufRead, ErrorKind, Write},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    sync::mpsc,
    time::{Duration, Instant},
};

use tokio::process::Command;

use super::initial::{Initial, client_hello};
use crate::Child;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub enum Flood {
    /// Random bytes, 0 to 1500 of them.
    Garbage,
    /// First packets of honest diallers that then fall silent, each for a connection of its own.
    Initials,
}

/// Where it is sent.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    /// Nowhere: nothing is sent.
    Nothing,
    /// To the node.
    Node,
}

/// What went over the wire in one phase of a flood.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// How long it took.
    pub time: Duration,
    /// Datagrams sent.
    pub sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Datagrams received.
    pub received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Those of them with a short header: stateless resets (RFC 9000 §10.3), or QUIC's own first packets behind a handshake
    /// that the other end has not finished.
    pub short: u64,
    /// Those of them that ask for a proof of the address (RFC 9000 §17.2.5).
    pub retries: u64,
}

/// The process that floods. It is killed when this is dropped, and ends by itself when the test does.
#[derive(Debug)]
pub struct Flooder(Child);

impl Flooder {
    /// Starts the process, which waits. It sends at most `rate` datagrams a second to `address`, from `sources` addresses.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(
        binary: &Path,
        flood: Flood,
        address: SocketAddr,
        sources: u16,
        rate: u32,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(binary);
        command
            .args([format!("{flood:?}"), address.to_string()])
            .args([sources.to_string(), rate.to_string()]);
        Ok(Self(Child::spawn("the flooder", &mut command)?))
    }

    /// The id of the process.
    pub fn process(&self) -> Option<u32> {
        self.0.process()
    }

    /// Lets it send there from now on; returns what went over the wire before.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn turn(&mut self, to: Aim) -> anyhow::Result<Tally> {
        self.0.tell(&format!("{to:?}")).await?;
        let line = self.0.answer().await?;
        let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
        let &[
            micros,
            sent,
            bytes_sent,
            received,
            bytes_received,
            short,
            retries,
        ] = &numbers?[..]
        else {
            anyhow::bail!("it says {line:?}")
        };
        Ok(Tally {
            time: Duration::from_micros(micros),
            sent,
            bytes_sent,
            received,
            bytes_received,
            short,
            retries,
        })
    }
}

impl Tally {
    /// Both phases together.
    pub fn and(self, other: Self) -> Self {
        Self {
            time: self.time + other.time,
            sent: self.sent + other.sent,
            bytes_sent: self.bytes_sent + other.bytes_sent,
            received: self.received + other.received,
            bytes_received: self.bytes_received + other.bytes_received,
            short: self.short + other.short,
            retries: self.retries + other.retries,
        }
    }

    /// Datagrams sent in a second.
    pub fn rate(&self) -> f64 {
        self.sent as f64 / self.time.as_secs_f64()
    }

    fn line(&self) -> String {
        format!(
            "{} {} {} {} {} {} {}",
            self.time.as_micros(),
            self.sent,
            self.bytes_sent,
            self.received,
            self.bytes_received,
            self.short,
            self.retries
        )
    }
}

/// What the flooding process does, until its standard input ends.
///
/// # Errors
/// Arguments that [`Flooder`] would not give, and what the operating system says.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [flood, address, sources, rate] = arguments else {
        anyhow::bail!("flooder <Garbage | Initials> <address> <sources> <rate>")
    };
    let mut source = Source::new(flood, address.parse()?, sources.parse()?)?;
    let burst = rate.parse::<u32>()?.div_ceil(BURSTS);
    let (tell, commands) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let mut aim = commands.recv();
    while let Ok(to) = &aim {
        writeln!(std::io::stdout().lock(), "{}", source.tally.line())?;
        source.tally = Tally::default();
        if to == "Nothing" {
            aim = commands.recv();
            continue;
        }
        let start = Instant::now();
        let mut due = start;
        aim = loop {
            for _ in 0..burst {
                source.send()?;
            }
            due += Duration::from_secs(1) / BURSTS;
            let early = due.saturating_duration_since(Instant::now());
            std::thread::sleep(early); // sleep: a flood has a rate
            // What could not be sent in time is not made up for.
            due = due.max(Instant::now() - Duration::from_millis(5));
            match commands.try_recv() {
                Ok(to) => break Ok(to),
                Err(mpsc::TryRecvError::Disconnected) => break Err(mpsc::RecvError),
                Err(mpsc::TryRecvError::Empty) => {}
            }
        };
        source.tally.time = start.elapsed();
        source.receive_all()?;
    }
    Ok(())
}

/// The sockets, and what comes out of them.
struct Source {
    sockets: Vec<UdpSocket>,
    address: SocketAddr,
    tally: Tally,
    /// Cut into pieces; without any, Initials are sent.
    garbage: Vec<u8>,
    initial: Initial,
    random: u64,
    count: u64,
}

impl Source {
    fn new(flood: &str, address: SocketAddr, sources: u16) -> anyhow::Result<Self> {
        let sockets = (0..sources).map(|number| {
            // On loopback every address of 127/8 can be had.
            let [high, low] = number.to_be_bytes();
            let socket = UdpSocket::bind((Ipv4Addr::new(127, 7, high, low.max(1)), 0))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        let mut source = Self {
            sockets: sockets.collect::<std::io::Result<_>>()?,
            address,
            tally: Tally::default(),
            garbage: Vec::new(),
            initial: Initial::new(client_hello()),
            random: 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()),
            count: u64::from(std::process::id()) << 32,
        };
        if flood == "Garbage" {
            source.garbage = (0..1 << 16)
                .map(|_| source.random().to_be_bytes()[3])
                .collect();
        }
        Ok(source)
    }

    /// Sends one datagram from the next socket, after taking what came for it.
    fn send(&mut self) -> std::io::Result<()> {
        self.count += 1;
        let socket = &self.sockets[self.count as usize % self.sockets.len()];
        let tally = &mut self.tally;
        receive(socket, tally)?;
        let sent = if self.garbage.is_empty() {
            socket.send_to(&self.initial.datagram(self.count), self.address)
        } else {
            let random = xorshift(&mut self.random);
            let start = random as usize % (self.garbage.len() - LARGEST);
            let length = (random >> 32) as usize % (LARGEST + 1);
            socket.send_to(&self.garbage[start..start + length], self.address)
        };
        match sent {
            Ok(bytes) => {
                tally.sent += 1;
                tally.bytes_sent += bytes as u64;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn receive_all(&mut self) -> std::io::Result<()> {
        let tally = &mut self.tally;
        self.sockets
            .iter()
            .try_for_each(|socket| receive(socket, tally))
    }

    fn random(&mut self) -> u64 {
        xorshift(&mut self.random)
    }
}

fn receive(socket: &UdpSocket, tally: &mut Tally) -> std::io::Result<()> {
    let mut bytes = [0; 2048];
    loop {
        match socket.recv(&mut bytes) {
            Ok(length) => {
                tally.received += 1;
                tally.bytes_received += length as u64;
                tally.short += u64::from(bytes[0] & 0x80 == 0);
                tally.retries += u64::from(bytes[0] & 0xf0 == 0xf0 && bytes[4] == 1);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// How often in a second some are sent. Many at once would measure the queue before the node, not the node.
const BURSTS: u32 = 5_000;
/// Bytes of the largest datagram of garbage.
const LARGEST: usize = 1500;
