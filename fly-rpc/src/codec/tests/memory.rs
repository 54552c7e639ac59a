//! What refusing a bomb takes of a whole process: memory, as the system counts it, and time. Each bomb has a process of its own, so that nothing else is counted.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    env, fs,
    hint::black_box,
    process::Command,
    time::{Duration, Instant},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{bounds, decode};

#[test]
fn no_bomb_takes_more_than_32_mib_or_long() {
    if let Ok(name) = env::var(BOMB) {
        let bomb = bombs().into_iter().find(|bomb| bomb.name == name);
        return go_off(&bomb.expect("a bomb of that name"));
    }
    for bomb in bombs() {
        let (memory, time) = in_its_own_process(bomb.name);
        println!("{:44} {memory:6} KiB {time:10.1?}", bomb.name);
        assert!(
            memory <= bomb.most_memory,
            "{}: {memory} KiB of {}",
            bomb.name,
            bomb.most_memory
        );
        // Without optimisation, on a machine that does other things as well.
        assert!(
            time < bomb.most_time * 50,
            "{}: {time:?} of {:?}",
            bomb.name,
            bomb.most_time
        );
    }
}

struct Bomb {
    name: &'static str,
    bytes: fn() -> Vec<u8>,
    is_refused: fn(&[u8]) -> bool,
    /// In KiB.
    most_memory: u64,
    most_time: Duration,
}

/// A bomb that is refused before it does anything.
fn bomb<T: DeserializeOwned>(name: &'static str, bytes: fn() -> Vec<u8>) -> Bomb {
    Bomb {
        name,
        bytes,
        is_refused: |bytes| black_box(decode::<T>(black_box(bytes), bounds())).is_err(),
        // Room for what was announced, of which serde makes at most 1 MiB.
        most_memory: 2 << 10,
        most_time: Duration::from_millis(1),
    }
}

/// One that is an honest value up to the bound.
fn slow<T: DeserializeOwned>(name: &'static str, bytes: fn() -> Vec<u8>) -> Bomb {
    Bomb {
        most_memory: 32 << 10,
        most_time: Duration::from_millis(50),
        ..bomb::<T>(name, bytes)
    }
}

fn bombs() -> Vec<Bomb> {
    vec![
        bomb::<Vec<Large>>("256 KiB of empty options", || zeros(256 << 10)),
        bomb::<Vec<Large>>("4 MiB of empty options", || zeros(4 << 20)),
        bomb::<Vec<Box<Large>>>("256 KiB of boxed options", || zeros(256 << 10)),
        bomb::<Vec<Box<Large>>>("4 MiB of boxed options", || zeros(4 << 20)),
        bomb::<HashSet<()>>("a set of 2^20 units", || claim(1 << 20, &[])),
        bomb::<HashSet<()>>("a set of 2^40 units", || claim(1 << 40, &[])),
        bomb::<BTreeSet<()>>("an ordered set of 2^64 units", || claim(u64::MAX, &[])),
        bomb::<BTreeMap<(), ()>>("a map of 2^40 units", || claim(1 << 40, &[])),
        bomb::<Vec<()>>("a list of 2^64 units", || claim(u64::MAX, &[])),
        bomb::<Tree>("44 KB of boxes in boxes", || vec![1; 44_000]),
        bomb::<Tree>("1 MiB of boxes in boxes", || vec![1; 1 << 20]),
        bomb::<Vec<u8>>("2^64 bytes that are not there", || claim(u64::MAX, &[])),
        bomb::<String>("a text of 2^64 that is not there", || claim(u64::MAX, &[])),
        bomb::<HashMap<u64, u64>>("2^64 entries that are not there", || claim(u64::MAX, &[])),
        slow::<Vec<Option<Box<Large>>>>("256 KiB of optional boxes", || pairs(256 << 10)),
        slow::<Vec<Option<Box<Large>>>>("2 MiB of optional boxes", || pairs(2 << 20)),
        slow::<Vec<Vec<Large>>>("256 KiB of lists of one", || pairs(256 << 10)),
        slow::<Vec<String>>("1 MiB of texts of one letter", || {
            claim(1 << 19, &[1, b'x'].repeat(1 << 19))
        }),
    ]
}

fn zeros(size: usize) -> Vec<u8> {
    claim(size as u64, &vec![0; size])
}

fn pairs(size: usize) -> Vec<u8> {
    claim(size as u64 / 2, &[1, 0].repeat(size / 2))
}

fn claim(count: u64, rest: &[u8]) -> Vec<u8> {
    [&postcard::to_stdvec(&count).unwrap(), rest].concat()
}

/// 520 bytes, and a single one on the wire.
type Large = Option<([u64; 32], [u64; 32])>;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read from bytes")]
enum Tree {
    Leaf,
    Node(Box<Self>),
}

/// KiB by which the process grew, and the quickest of some refusals.
fn in_its_own_process(name: &str) -> (u64, Duration) {
    let this = concat!(module_path!(), "::no_bomb_takes_more_than_32_mib_or_long");
    let (_crate, test) = this.split_once("::").unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(BOMB, name)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    let figures = said.lines().find_map(|line| line.split_once(FIGURES));
    let (memory, nanos) = figures
        .and_then(|(_, figures)| figures.split_once(' '))
        .unwrap_or_else(|| panic!("{name}: {said}{}", String::from_utf8_lossy(&child.stderr)));
    let nanos = nanos.parse().unwrap();
    (memory.parse().unwrap(), Duration::from_nanos(nanos))
}

fn go_off(bomb: &Bomb) {
    let bytes = (bomb.bytes)();
    // What the first refusal needs, whatever it is of.
    assert!((bomb.is_refused)(&[]));
    assert!(decode::<Vec<()>>(&claim(1 << 40, &[]), bounds()).is_err());
    let (before, program) = (peak(), status("RssFile:"));
    let quickest = (0..5).map(|_| {
        let start = Instant::now();
        assert!((bomb.is_refused)(&bytes));
        start.elapsed()
    });
    let quickest = quickest.min().unwrap();
    // Its code is read from the disk, which is no memory that a bomb takes.
    let program = status("RssFile:").saturating_sub(program);
    let memory = (peak() - before).saturating_sub(program);
    println!("{FIGURES}{memory} {}", quickest.as_nanos());
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    status("VmHWM:")
}

/// What the system says of this process, in KiB.
fn status(of: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let figure = status
        .lines()
        .find_map(|line| line.strip_prefix(of)?.split_whitespace().next());
    figure.map_or(0, |figure| figure.parse().unwrap())
}

/// The variable that makes a process the one in which a bomb goes off.
const BOMB: &str = "FLY_RPC_TEST_BOMB";
const FIGURES: &str = "figures: ";
