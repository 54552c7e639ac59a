//! A long link for one pair of UDP sockets, in this process: for machines without root, and for
//! frameworks over UDP only.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    fate::Conditions,
    way::{End, Sink, Source, Tally, Way},
};

/// A link to one address, for one dialler at a time.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    ways: Option<[Way; 2]>,
    end: End,
}

impl Relay {
    /// Opens it. The seed says which datagrams are lost.
    ///
    /// # Errors
    /// What the operating system says about a socket.
    pub fn open(to: SocketAddr, conditions: Conditions, seed: u64) -> io::Result<Self> {
        let end = End::default();
        let (front, back) = (bind()?, bind()?);
        back.connect(to)?;
        let address = front.local_addr()?;
        let dialler = Arc::new(Mutex::new(None));

        let (ended, from) = (end.clone(), front.try_clone()?);
        let seen = Arc::clone(&dialler);
        let there: Source = Box::new(move |buffer| {
            if ended.has_come() {
                return None;
            }
            let Ok((length, dialler)) = from.recv_from(buffer) else {
                return Some(0);
            };
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(dialler);
            Some(length)
        });
        let out = back.try_clone()?;
        // A dead process is an error on loopback; on a long link nobody would hear of it.
        let leave: Sink = Box::new(move |datagram| drop(out.send(datagram)));

        let ended = end.clone();
        let come: Source = Box::new(move |buffer| {
            if ended.has_come() {
                return None;
            }
            Some(back.recv(buffer).unwrap_or(0))
        });
        let home: Sink = Box::new(move |datagram| {
            let dialler = *dialler.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(dialler) = dialler {
                let _ = front.send_to(datagram, dialler);
            }
        });
        let ways = [
            Way::start(conditions, seed, there, leave),
            Way::start(conditions, !seed, come, home),
        ];
        Ok(Self {
            address,
            ways: Some(ways),
            end,
        })
    }

    /// What to dial instead of the address itself.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was done to datagrams, there and back.
    pub fn tallies(&self) -> [Arc<Tally>; 2] {
        let ways = self
            .ways
            .as_ref()
            .expect("there until the relay is dropped");
        [0, 1].map(|way| Arc::clone(ways[way].tally()))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end.now();
        for way in self.ways.take().into_iter().flatten() {
            way.join();
        }
    }
}

fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(LOOK_UP))?;
    Ok(socket)
}

/// How often a thread that waits for a datagram looks whether the relay is still wanted.
const LOOK_UP: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_datagram_takes_the_delay_each_way() {
        let server = bind().expect("a socket");
        let delay = Duration::from_millis(30);
        let to = server.local_addr().expect("bound");
        let relay = Relay::open(to, Conditions::of_delay(delay), 1).expect("a relay");
        let client = bind().expect("a socket");
        let begun = Instant::now();
        client.send_to(b"ping", relay.address()).expect("sent");
        let mut buffer = [0; 16];
        let (length, from) = server.recv_from(&mut buffer).expect("it arrives");
        assert!(begun.elapsed() >= delay);
        server.send_to(&buffer[..length], from).expect("sent");
        client.set_read_timeout(Some(10 * delay)).expect("set");
        let (length, _) = client.recv_from(&mut buffer).expect("it comes back");
        assert_eq!(&buffer[..length], b"ping");
        assert!(begun.elapsed() >= 2 * delay);
    }
}
