//! Bounded decoding beside plain postcard, in turns; and how soon it refuses what would cost much.

use std::{
    collections::{BTreeMap, HashSet},
    hint::black_box,
    time::{Duration, Instant},
};

use bench_figures::{Effort, Figure, Promise};
use fly_rpc::fuzzing::bounded;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;

fn main() -> anyhow::Result<()> {
    let effort = Effort::asked_for();
    let rows = ratio(&rows(1000), effort)?;
    let dense = ratio(&dense(2000), effort)?;
    let bytes = ratio(&ByteBuf::from(vec![7; MIB]), effort)?;
    let text = ratio(&"x".repeat(MIB), effort)?;
    let numbers = ratio(&vec![7_u8; MIB], effort)?;
    println!("rows of a dozen fields            {rows:.3}");
    println!("rows of two small fields          {dense:.3}");
    println!("1 MiB as bytes                    {bytes:.3}");
    println!("1 MiB as text                     {text:.3}");
    println!("1 MiB as a sequence of numbers    {numbers:.3}");

    let bombs = [
        (
            "256 KiB of zeros as options of 520 bytes",
            bomb::<Vec<Large>>(256 << 10, &[0]),
        ),
        (
            "4 MiB of zeros as options of 520 bytes",
            bomb::<Vec<Large>>(4 << 20, &[0]),
        ),
        ("a set of 2^28 units", claim::<HashSet<()>>(1 << 28)),
        ("a set of 2^63 units", claim::<HashSet<()>>(1 << 63)),
        ("44 KB of nested boxes", nested::<Tree>(44_000)),
        ("1 MiB of nested boxes", nested::<Tree>(MIB)),
        (
            "256 KiB of zeros as boxed options",
            bomb::<Vec<Box<Large>>>(256 << 10, &[0]),
        ),
        (
            "4 MiB of zeros as boxed options",
            bomb::<Vec<Box<Large>>>(4 << 20, &[0]),
        ),
    ];
    for (name, refused) in &bombs {
        println!("{name:42} {:8.1} µs", micros(*refused));
    }
    // What the sender may choose to point to is honest up to the bound, and costs what it costs.
    for (name, filled) in [
        (
            "256 KiB of optional boxes",
            bomb::<Vec<Option<Box<Large>>>>(256 << 10, &[1, 0]),
        ),
        (
            "256 KiB of lists of one",
            bomb::<Vec<Vec<Large>>>(256 << 10, &[1, 0]),
        ),
        (
            "4 MiB of lists of one",
            bomb::<Vec<Vec<Large>>>(4 << 20, &[1, 0]),
        ),
    ] {
        println!("{name:42} {:8.1} µs, to the bound", micros(filled));
    }

    println!("{}", Promise::DECODE.verdict(&rows));
    for bytes in [&bytes, &numbers] {
        println!("{}", Promise::DECODE_BYTES.verdict(bytes));
    }
    let slowest = bombs.iter().map(|(_, refused)| *refused).max();
    let slowest = Figure::of(slowest.map(micros));
    println!("{}", Promise::BOMB.verdict(&slowest));
    Ok(())
}

/// How many times longer bounded decoding takes, round by round. A round is the quickest of some
/// short turns of each: whoever else wants the machine makes turns longer, and never shorter.
fn ratio<T: Serialize + DeserializeOwned>(value: &T, effort: Effort) -> anyhow::Result<Figure> {
    let bytes = postcard::to_stdvec(value)?;
    let times = (TURN / bytes.len()).max(1);
    let plain = || drop(black_box(postcard::from_bytes::<T>(black_box(&bytes))));
    let ours = || drop(black_box(bounded::<T>(black_box(&bytes))));
    anyhow::ensure!(bounded::<T>(&bytes).is_some(), "refused");
    let turn = |decode: &dyn Fn()| {
        let start = Instant::now();
        (0..times).for_each(|_| decode());
        start.elapsed().as_secs_f64()
    };
    let rounds = (0..effort.rounds).map(|_| {
        let (mut plainly, mut bounded) = (f64::MAX, f64::MAX);
        for _ in 0..TURNS {
            plainly = plainly.min(turn(&plain));
            bounded = bounded.min(turn(&ours));
        }
        bounded / plainly
    });
    Ok(Figure::of(rounds))
}

fn bomb<T: DeserializeOwned>(size: usize, element: &[u8]) -> Duration {
    let mut bytes = varint((size / element.len()) as u64);
    bytes.extend(element.repeat(size / element.len()));
    refused::<T>(&bytes)
}

fn claim<T: DeserializeOwned>(count: u64) -> Duration {
    refused::<T>(&varint(count))
}

fn nested<T: DeserializeOwned>(levels: usize) -> Duration {
    refused::<T>(&vec![1; levels])
}

/// The quickest of some refusals: what it takes when nobody else wants the machine.
fn refused<T: DeserializeOwned>(bytes: &[u8]) -> Duration {
    let quickest = (0..11).map(|_| {
        let start = Instant::now();
        assert!(black_box(bounded::<T>(black_box(bytes))).is_none());
        start.elapsed()
    });
    quickest.min().unwrap_or_default()
}

fn varint(number: u64) -> Vec<u8> {
    postcard::to_stdvec(&number).unwrap_or_default()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// 520 bytes, and one on the wire.
type Large = Option<([u64; 32], [u64; 32])>;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read from bytes")]
enum Tree {
    Leaf,
    Node(Box<Self>),
}

/// What a service keeps of a customer.
#[derive(Serialize, Deserialize)]
struct Row {
    id: u64,
    name: String,
    email: String,
    created: i64,
    balance: f64,
    active: bool,
    level: Level,
    referrer: Option<u64>,
    note: Option<String>,
    tags: Vec<String>,
    position: (f32, f32),
    settings: BTreeMap<String, u32>,
}

#[derive(Serialize, Deserialize)]
enum Level {
    Free,
    Paid { plan: u8, seats: u16 },
}

fn rows(count: u64) -> Vec<Row> {
    let row = |id: u64| Row {
        id: id * 7919,
        name: format!("Customer {id}"),
        email: format!("customer.{id}@example.com"),
        created: 1_790_000_000 + id as i64,
        balance: id as f64 * 1.25,
        active: !id.is_multiple_of(3),
        level: match id % 2 {
            0 => Level::Free,
            _ => Level::Paid {
                plan: 2,
                seats: 500,
            },
        },
        referrer: id.is_multiple_of(4).then_some(id / 2),
        note: id
            .is_multiple_of(5)
            .then(|| "called twice, wants a discount".to_owned()),
        tags: (0..id % 4).map(|tag| format!("tag-{tag}")).collect(),
        position: (48.2, 16.37),
        settings: (0..id % 3).map(|key| (format!("key-{key}"), 300)).collect(),
    };
    (0..count).map(row).collect()
}

/// Little but structure: where bounds cost most.
fn dense(count: u32) -> Vec<(u32, Option<u32>)> {
    (0..count)
        .map(|id| (id, id.is_multiple_of(2).then_some(id)))
        .collect()
}

const MIB: usize = 1 << 20;
/// Bytes that are decoded in one turn: a few tenths of a millisecond of rows.
const TURN: usize = 1 << 17;
/// Turns of each side in a round.
const TURNS: usize = 10;
