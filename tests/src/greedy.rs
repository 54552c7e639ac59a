//! Members that want more than their part, in a process of their own, which is told when to begin and when to end.

use std::{
    collections::VecDeque,
    env,
    io::BufRead,
    net::SocketAddr,
    path::Path,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use fly_rpc::{ClusterSecret, Node};
use fly_rpc_transport::{RequestHead, Status};
use quinn::{Connection, VarInt};
use tokio::{process::Command, sync::watch, task::JoinSet, time::Instant};

use crate::{
    Child, Cluster, contract_of,
    stranger::{Authority, Dialler, member},
};

/// What is wanted too often.
#[derive(Clone, Copy, Debug)]
pub enum Greed {
    /// Lanes that are opened, carry a request, and are reset, as fast as they can be (CVE-2023-44487). When the connection
    /// is closed, the next one is made as soon as the node lets it.
    Resets,
    /// Ten thousand callers, each of whom calls again after a moment when it was refused, and at once when it was served.
    Callers,
    /// The same ten thousand without the moment.
    ImpatientCallers,
}

/// The process. It is killed when this is dropped, and ends by itself when the test does.
#[derive(Debug)]
pub struct Greedy(Child);

impl Greedy {
    /// Starts the process, which waits. It will ask `node` for a function that takes and returns nothing.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(
        binary: &Path,
        greed: Greed,
        cluster: &Cluster,
        node: &Node,
        function: &str,
    ) -> anyhow::Result<Self> {
        let contract = u128::from_be_bytes(contract_of(node, function));
        let mut command = Command::new(binary);
        command
            .args([format!("{greed:?}"), node.local_addr().to_string()])
            .args([function.to_owned(), contract.to_string()])
            .env("GREEDY_CLUSTER", cluster.name())
            .env("GREEDY_SECRET", cluster.secret().reveal().as_str());
        Ok(Self(Child::spawn("greedy", &mut command)?))
    }

    /// The id of the process.
    pub fn process(&self) -> Option<u32> {
        self.0.process()
    }

    /// Lets it ask from now on.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn begin(&mut self) -> anyhow::Result<()> {
        self.0.ask("begin").await
    }

    /// Lets it rest; how often it asked.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn end(&mut self) -> anyhow::Result<u64> {
        self.0.tell("end").await?;
        Ok(self.0.answer().await?.parse()?)
    }
}

/// What the process does, until its standard input ends.
///
/// # Errors
/// Arguments that [`Greedy`] would not give, and what the operating system says.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [greed, address, function, contract] = arguments else {
        bail!("greedy <Resets | Callers | ImpatientCallers> <address> <function> <contract>")
    };
    let aim = Aim {
        address: address.parse()?,
        function: function.clone(),
        contract: contract.parse::<u128>()?.to_be_bytes(),
        cluster: env::var("GREEDY_CLUSTER")?,
        secret: ClusterSecret::from_str(&env::var("GREEDY_SECRET")?)?,
    };
    let (tell, is_on) = watch::channel(None);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            tell.send_replace(Some(line == "begin"));
        }
    });
    // One core: the other is for those who are measured.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match &**greed {
                "Resets" => Box::pin(aim.resets(is_on)).await,
                "Callers" => Box::pin(aim.calls(is_on, Some(MOMENT))).await,
                "ImpatientCallers" => Box::pin(aim.calls(is_on, None)).await,
                other => bail!("{other} is no greed"),
            }
        })
}

/// Whom it asks, for what, and as whom.
struct Aim {
    address: SocketAddr,
    function: String,
    contract: [u8; 16],
    cluster: String,
    secret: ClusterSecret,
}

/// True from each `begin` to the next `end`; `None` before the first, an error behind the last.
type IsOn = watch::Receiver<Option<bool>>;

impl Aim {
    async fn resets(&self, mut is_on: IsOn) -> anyhow::Result<()> {
        let leaf = Authority::of_cluster(&self.secret, &self.cluster).leaf(NAME, |_| {});
        let dialler = Dialler::new(Some(leaf))?;
        let mut incarnation = 0;
        while is_on.wait_for(|on| *on == Some(true)).await.is_ok() {
            println!("done");
            let mut times = 0;
            let mut connection = None;
            while *is_on.borrow() == Some(true) {
                if connection.is_none() {
                    incarnation += 1;
                    connection = self.introduced(&dialler, incarnation).await.ok();
                }
                let Some((lanes, _control)) = &connection else {
                    continue;
                };
                let end = is_on.wait_for(|on| *on != Some(true));
                tokio::select! {
                    _ = end => break,
                    () = self.reset(lanes, &mut times) => connection = None,
                }
            }
            println!("{times}");
        }
        Ok(())
    }

    /// A connection whose control stream has carried a hello.
    async fn introduced(
        &self,
        dialler: &Dialler,
        incarnation: u64,
    ) -> anyhow::Result<(Connection, quinn::SendStream)> {
        let connection = dialler.connect(self.address)?.await?;
        let (mut control, _answer) = connection.open_bi().await?;
        let hello = hello(&self.cluster, NAME, incarnation);
        control.write_all(&hello).await?;
        Ok((connection, control))
    }

    /// Until the connection ends. A few lanes are always open, so that requests arrive before they are reset.
    async fn reset(&self, connection: &Connection, times: &mut u64) {
        let request = request(&self.function, self.contract);
        let mut open = VecDeque::new();
        while let Ok((mut send, recv)) = connection.open_bi().await {
            if send.write_all(&request).await.is_err() {
                return;
            }
            *times += 1;
            open.push_back((send, recv));
            if open.len() > LANES
                && let Some((mut send, mut recv)) = open.pop_front()
            {
                let _ = send.reset(VarInt::from_u32(0));
                let _ = recv.stop(VarInt::from_u32(0));
            }
            tokio::task::yield_now().await;
        }
    }

    async fn calls(&self, mut is_on: IsOn, moment: Option<Duration>) -> anyhow::Result<()> {
        let endpoint = member(&self.secret, &self.cluster, NAME, NAME);
        let link = endpoint.dial(self.address, None).await;
        let link = link.context("a member")?;
        while is_on.wait_for(|on| *on == Some(true)).await.is_ok() {
            println!("done");
            let made = Arc::new(AtomicU64::new(0));
            let mut callers = JoinSet::new();
            for _ in 0..CALLERS {
                let (link, made) = (Arc::clone(&link), Arc::clone(&made));
                let (function, contract) = (self.function.clone(), self.contract);
                callers.spawn(async move {
                    let head = RequestHead {
                        function: &function,
                        version: 1,
                        contract,
                        trace: None,
                        for_primary: false,
                    };
                    // Not all at once.
                    wait(moment).await;
                    while let Ok(call) = link
                        .call(&head, &Bytes::new(), Instant::now() + REMAINING)
                        .await
                    {
                        made.fetch_add(1, Ordering::Relaxed);
                        if call.await.is_ok_and(|answer| answer.status != Status::Ok) {
                            wait(moment).await;
                        }
                    }
                });
            }
            let end = is_on.wait_for(|on| *on != Some(true));
            // An error is the end of the input, at which the next turn ends too.
            let _ = end.await.map(drop);
            callers.shutdown().await;
            println!("{}", made.load(Ordering::Relaxed));
        }
        Ok(())
    }
}

/// For up to twice as long as this.
async fn wait(moment: Option<Duration>) {
    if let Some(moment) = moment {
        let time = moment.mul_f64(2.0 * rand::random::<f64>());
        tokio::time::sleep(time).await; // sleep: callers have a pace
    }
}

/// The first frame of a control stream (PROTOCOL.md, *Hello*).
fn hello(cluster: &str, node: &str, incarnation: u64) -> Vec<u8> {
    let sections: [(u8, &[u8]); 6] = [
        (1, &[1, 1]),
        (2, cluster.as_bytes()),
        (3, node.as_bytes()),
        (4, &varint(incarnation)),
        (5, b"cdg"),
        (6, b"syd"),
    ];
    let body = sections.map(|(number, content)| {
        let length = varint(content.len() as u64);
        [&[number], &length[..], content].concat()
    });
    frame(0x10, &body.concat())
}

/// A request without arguments (PROTOCOL.md, *Request*).
fn request(function: &str, contract: [u8; 16]) -> Vec<u8> {
    let remaining = u64::try_from(REMAINING.as_micros()).expect("seconds");
    let name = [&varint(function.len() as u64), function.as_bytes()].concat();
    let body = [&[1, 0], &varint(remaining)[..], &name, &[1], &contract].concat();
    frame(1, &body)
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).expect("small");
    [&length.to_le_bytes()[..], &[kind], body].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

const NAME: &str = "greedy";
/// Lanes that are open before the first of them is reset.
const LANES: usize = 16;
const CALLERS: usize = 10_000;
/// For which a caller that was refused waits, on average.
const MOMENT: Duration = Duration::from_millis(200);
/// What requests say that is left of their time.
const REMAINING: Duration = Duration::from_secs(5);
