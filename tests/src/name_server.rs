//! A real DNS server on loopback, over UDP and TCP, that does what a test says, also what it should
//! not.

mod zone;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use hickory_proto::{
    op::{Message, OpCode, ResponseCode},
    rr::RecordType,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::watch,
    task::JoinSet,
};

pub use zone::Zone;

/// The server. It ends when this is dropped.
#[derive(Debug)]
pub struct NameServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    tasks: JoinSet<()>,
}

/// How questions are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As the zone says.
    Honest,
    /// There is such a name, without any record.
    Empty,
    /// There is no such name.
    NoSuchName,
    /// The server failed.
    Fails,
    /// No answer.
    Silent,
    /// As the zone says, so much later.
    Slow(Duration),
    /// Answers that are no DNS messages.
    Garbage,
    /// Answers that are cut short over UDP, while TCP breaks off.
    CutShort,
}

/// What carried a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Over {
    /// A datagram.
    Udp,
    /// A stream.
    Tcp,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    asked: watch::Sender<HashMap<(String, RecordType, Over), u64>>,
}

#[derive(Debug)]
struct State {
    zone: Zone,
    mood: Mood,
    /// Names that are treated otherwise than the rest.
    moods: HashMap<String, Mood>,
}

impl NameServer {
    /// Starts a server for a zone, on loopback.
    pub async fn start(zone: Zone) -> Self {
        let (address, udp, tcp) = free().await;
        let mut this = Self::new(address, zone);
        this.serve(udp, tcp);
        this
    }

    /// Starts a server for a zone at this address.
    ///
    /// # Errors
    /// What the operating system says of the address.
    pub async fn at(address: SocketAddr, zone: Zone) -> io::Result<Self> {
        let (udp, tcp) = bind(address).await?;
        let mut this = Self::new(address, zone);
        this.serve(udp, tcp);
        Ok(this)
    }

    fn new(address: SocketAddr, zone: Zone) -> Self {
        let state = State {
            zone,
            mood: Mood::Honest,
            moods: HashMap::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            asked: watch::Sender::default(),
        });
        Self {
            shared,
            address,
            tasks: JoinSet::new(),
        }
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it says from now on.
    pub fn set_zone(&self, zone: Zone) {
        self.shared.state.lock().expect("no panic").zone = zone;
    }

    /// How it treats questions from now on.
    pub fn set_mood(&self, mood: Mood) {
        let mut state = self.shared.state.lock().expect("no panic");
        state.mood = mood;
        state.moods.clear();
    }

    /// How it treats questions for one name from now on.
    pub fn set_mood_for(&self, name: &str, mood: Mood) {
        let mut state = self.shared.state.lock().expect("no panic");
        state.moods.insert(name.to_owned(), mood);
    }

    /// How often it was asked for these records of a name.
    pub fn asked(&self, name: &str, kind: RecordType, over: Over) -> u64 {
        let asked = self.shared.asked.borrow();
        asked
            .get(&(name.to_owned(), kind, over))
            .copied()
            .unwrap_or_default()
    }

    /// Waits until it was asked so many times more, whatever for.
    pub async fn wait_for_questions(&self, more: u64) {
        let mut asked = self.shared.asked.subscribe();
        let wanted = asked.borrow().values().sum::<u64>() + more;
        let enough = asked.wait_for(|asked| asked.values().sum::<u64>() >= wanted);
        enough.await.expect("the sender lives as long as this");
    }

    /// Frees its port: whoever asks is told that nobody is there.
    pub async fn go(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Answers again, at the same address.
    pub async fn come_back(&mut self) {
        let (udp, tcp) = bind(self.address)
            .await
            .expect("a port that is given to nobody else");
        self.serve(udp, tcp);
    }

    fn serve(&mut self, udp: UdpSocket, tcp: TcpListener) {
        self.tasks
            .spawn(serve_udp(Arc::new(udp), Arc::clone(&self.shared)));
        self.tasks.spawn(serve_tcp(tcp, Arc::clone(&self.shared)));
    }
}

/// A port below those that the system gives to anybody, so that it is still free when a server comes
/// back.
async fn free() -> (SocketAddr, UdpSocket, TcpListener) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that run at one time begin at different places.
    let first = std::process::id().wrapping_mul(37);
    for _ in 0..PORTS {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset = first.wrapping_add(step.into()) % u32::from(PORTS);
        let port = FIRST_PORT + u16::try_from(offset).expect("less than the number of ports");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if let Ok((udp, tcp)) = bind(address).await {
            return (address, udp, tcp);
        }
    }
    panic!("no port from {FIRST_PORT} on is free");
}

async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    Ok((
        UdpSocket::bind(address).await?,
        TcpListener::bind(address).await?,
    ))
}

async fn serve_udp(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut buffer = vec![0; 65_536];
    let mut answers = JoinSet::new();
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let question = buffer[..length].to_vec();
        let (socket, shared) = (Arc::clone(&socket), Arc::clone(&shared));
        answers.spawn(async move {
            if let Some(answer) = shared.answer(&question, Over::Udp).await {
                let _ = socket.send_to(&answer, from).await;
            }
        });
        while answers.try_join_next().is_some() {}
    }
}

async fn serve_tcp(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(converse(stream, Arc::clone(&shared)));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(mut stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    loop {
        let mut question = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut question).await?;
        let Some(answer) = shared.answer(&question, Over::Tcp).await else {
            continue;
        };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        if shared.breaks_off() {
            return stream.write_all(&answer[..answer.len() / 2]).await;
        }
        stream.write_u16(length).await?;
        stream.write_all(&answer).await?;
    }
}

impl Shared {
    /// The bytes to send, if any.
    async fn answer(&self, question: &[u8], over: Over) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).ok()?;
        let query = question.queries.first()?.clone();
        let name = query.name().to_ascii().to_ascii_lowercase();
        let kind = query.query_type();
        let (mood, records) = {
            let state = self.state.lock().expect("no panic");
            let mood = state.moods.get(&name).copied().unwrap_or(state.mood);
            (mood, state.zone.records(&name, kind))
        };
        self.asked.send_modify(|asked| {
            *asked.entry((name, kind, over)).or_default() += 1;
        });

        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        answer.metadata.recursion_available = true;
        answer.add_query(query);
        match mood {
            Mood::Silent => return None,
            Mood::Garbage => return Some(question.metadata.id.to_be_bytes().repeat(40)),
            Mood::Empty => {}
            Mood::NoSuchName => answer.metadata.response_code = ResponseCode::NXDomain,
            Mood::Fails => answer.metadata.response_code = ResponseCode::ServFail,
            Mood::Slow(delay) => {
                tokio::time::sleep(delay).await; // sleep: to be late is what is asked for
                fill(&mut answer, records);
            }
            Mood::Honest | Mood::CutShort => fill(&mut answer, records),
        }
        let bytes = answer.to_vec().expect("a message that can be encoded");
        let most = usize::from(question.max_payload()).min(DATAGRAM);
        let is_cut = over == Over::Udp && (bytes.len() > most || mood == Mood::CutShort);
        if !is_cut {
            return Some(bytes);
        }
        answer.answers.clear();
        answer.metadata.truncation = true;
        answer.to_vec().ok()
    }

    fn breaks_off(&self) -> bool {
        self.state.lock().expect("no panic").mood == Mood::CutShort
    }
}

fn fill(answer: &mut Message, records: Option<Vec<hickory_proto::rr::Record>>) {
    match records {
        Some(records) => {
            answer.add_answers(records);
        }
        None => answer.metadata.response_code = ResponseCode::NXDomain,
    }
}

const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 9_000;
/// Bytes of the largest answer over UDP that a path is sure to carry.
const DATAGRAM: usize = 1232;
