//! What the link itself adds: datagrams through both ways of it, with nothing lost on purpose.
//!
//! Every figure that is taken over the link has this in it.

use std::{
    fmt, io,
    net::UdpSocket,
    time::{Duration, Instant},
};

use crate::{
    clock::{be_exact, sleep_until},
    fate::Conditions,
    quantile::quantile,
    tun::{Side, TunLink},
};

/// What became of a stream of datagrams.
#[derive(Clone, Debug)]
pub struct Baseline {
    rate: u32,
    sent: u32,
    back: u32,
    reordered: u32,
    /// Beyond the two delays.
    added: Vec<Duration>,
}

impl Baseline {
    /// Sends `rate` datagrams of 64 bytes a second for `length` over a link with this delay.
    ///
    /// # Errors
    /// If there is no link, or no socket on it.
    pub fn measure(delay: Duration, rate: u32, length: Duration) -> anyhow::Result<Self> {
        let link = TunLink::open(Conditions::of_delay(delay), 0)?;
        let server = link.within(Side::Server, || {
            UdpSocket::bind((Side::Server.address(), 7))
        })?;
        let client = link.within(Side::Caller, || {
            let client = UdpSocket::bind((Side::Caller.address(), 0))?;
            client.connect((Side::Server.address(), 7))?;
            Ok(client)
        })?;
        let patience = 2 * delay + Duration::from_secs(1);
        server.set_read_timeout(Some(patience))?;
        client.set_read_timeout(Some(patience))?;
        let sent = (f64::from(rate) * length.as_secs_f64()) as u32;
        let begun = Instant::now() + Duration::from_millis(5);
        std::thread::scope(|scope| {
            scope.spawn(|| give_back(&server));
            let sender = client.try_clone()?;
            scope.spawn(move || send(&sender, begun, rate, sent));
            let mut baseline = Self {
                rate,
                sent,
                back: 0,
                reordered: 0,
                added: Vec::with_capacity(sent as usize),
            };
            baseline.receive(&client, begun, 2 * delay);
            Ok(baseline)
        })
    }

    fn receive(&mut self, client: &UdpSocket, begun: Instant, delays: Duration) {
        let mut next = 0;
        let mut buffer = [0; 64];
        while self.back < self.sent && client.recv(&mut buffer).is_ok() {
            let mut head = [0; 12];
            head.copy_from_slice(&buffer[..12]);
            let number = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
            let nanos = u64::from_le_bytes([
                head[4], head[5], head[6], head[7], head[8], head[9], head[10], head[11],
            ]);
            let sent = begun + Duration::from_nanos(nanos);
            self.added.push(sent.elapsed().saturating_sub(delays));
            self.back += 1;
            self.reordered += u32::from(number < next);
            next = number + 1;
        }
        self.added.sort_unstable();
    }
}

fn send(socket: &UdpSocket, begun: Instant, rate: u32, count: u32) {
    be_exact();
    let mut datagram = [0; 64];
    for number in 0..count {
        sleep_until(begun + Duration::from_secs(1) * number / rate);
        datagram[..4].copy_from_slice(&number.to_le_bytes());
        let nanos = begun.elapsed().as_nanos() as u64;
        datagram[4..12].copy_from_slice(&nanos.to_le_bytes());
        // Lost by its own host: counted as lost.
        let _ = socket.send(&datagram);
    }
}

fn give_back(socket: &UdpSocket) -> io::Result<()> {
    let mut buffer = [0; 64];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        socket.send_to(&buffer[..length], from)?;
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |of| quantile(&self.added, of).as_micros();
        write!(
            f,
            "{} datagrams/s: {} of {} lost, {} out of order; adds {} µs (p50), {} µs (p99), {} µs (at most)",
            self.rate,
            self.sent - self.back,
            self.sent,
            self.reordered,
            micros(0.5),
            micros(0.99),
            micros(1.0),
        )
    }
}
