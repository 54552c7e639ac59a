//! What greedy members cost the whole process. Each scenario runs in a process of its own, so that
//! other tests do not weigh on the scales.

use std::{
    env, fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes};
use quinn::{ReadError, RecvStream, SendStream};

use super::{
    crowd::{Raised, Stubborn, reset_rapidly, times},
    fixture::{Echo, Fixture, REQUEST, Raw, SOON, call, hello, reached, soon},
    greedy::{lane, member},
    lanes::request,
};
use crate::{
    CloseCode, Endpoint, Link, Request, RequestHead, Served, Service, Status,
    control::ControlReader,
};

/// Waits until nothing is counted any more.
async fn ended(running: &AtomicUsize) {
    soon(async {
        while running.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Runs `scenario`, which belongs to the test of that name, in a process of its own.
fn alone(test: &str, scenario: impl Future<Output = ()>) {
    if env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(scenario);
        return;
    }
    let program = env::current_exe().expect("this program");
    let output = Command::new(program)
        .args(["--exact", &format!("tests::memory::{test}"), "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("this program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{error}");
    assert!(said.contains("1 passed"), "the scenario ran: {said}");
}

/// Bytes of memory that this process holds.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).expect("resident pages");
    pages.parse::<u64>().expect("a number") * 4096
}

fn grown(since: u64) -> u64 {
    resident().saturating_sub(since) / MIB
}

/// Calls `link` until `done`, and tells the 99th percentile of what that took.
async fn percentile(
    link: &Arc<Link>,
    arguments: &'static [u8],
    mut done: impl FnMut(usize) -> bool,
) -> Duration {
    let mut took = Vec::new();
    while !done(took.len()) {
        let begun = Instant::now();
        let answer = call(link, arguments).await.expect("unharmed");
        assert_eq!(answer.status, Status::Ok);
        took.push(begun.elapsed());
    }
    took.sort();
    took[took.len() * 99 / 100]
}

async fn is_cut(recv: &mut RecvStream) {
    match soon(recv.read_chunk(usize::MAX, true)).await {
        Err(ReadError::Reset(code)) => assert_eq!(code.into_inner(), CloseCode::Slow as u64),
        other => panic!("not cut: {other:?}"),
    }
}

type Member = (Raw, (SendStream, ControlReader));

#[test]
fn promised_lengths_cost_no_memory_and_end_when_nothing_follows() {
    alone(
        "promised_lengths_cost_no_memory_and_end_when_nothing_follows",
        async {
            let mut fixture = Fixture::new();
            // One more allowance for each connection would only be waited for.
            fixture.limits.offences = u32::MAX;
            let (b, _) = fixture.endpoint("b");
            let mut members: Vec<Member> = Vec::new();
            for index in 0..8 {
                members.push(member(&fixture, &format!("m{index}"), &b).await);
            }
            let before = resident();
            let begun = Instant::now();
            let mut lanes = Vec::new();
            for (raw, _) in &members {
                for _ in 0..256 {
                    lanes.push(lane(raw, &[0, 0, 0x40, 0, REQUEST]).await);
                }
            }
            for (_, recv) in &mut lanes {
                is_cut(recv).await;
            }
            let (grown, took) = (grown(before), begun.elapsed());
            println!("D12: 8 connections x 256 lanes: +{grown} MiB, all cut after {took:?}");
            assert!(grown < 64, "{grown} MiB");
        },
    );
}

#[test]
fn members_that_send_a_byte_now_and_then_are_cut_and_honest_calls_do_not_notice() {
    alone(
        "members_that_send_a_byte_now_and_then_are_cut_and_honest_calls_do_not_notice",
        async {
            let count = 500;
            let mut fixture = Fixture::new();
            fixture.limits.connections_per_ip = usize::MAX;
            fixture.limits.connects_per_ip = 1_000;
            let (b, _) = fixture.endpoint("b");
            let (honest, _) = fixture.endpoint("honest");
            let honest = honest.dial(b.local_addr(), None).await.expect("welcome");
            let mut members = Vec::new();
            for index in 0..count {
                members.push(member(&fixture, &format!("m{index}"), &b).await);
            }
            let before = percentile(&honest, b"x", |calls| calls == 5_000).await;
            let slow: Vec<_> = members
                .into_iter()
                .map(|(raw, control)| tokio::spawn(trickle_everywhere(raw, control)))
                .collect();
            let during = percentile(&honest, b"x", |calls| {
                calls >= 5_000 && slow.iter().all(|slow| slow.is_finished())
            })
            .await;
            let mut longest = Duration::ZERO;
            for slow in slow {
                longest = longest.max(slow.await.expect("cut"));
            }
            println!(
                "O6: {count} connections x 10 lanes, a byte in 5 s: all cut after {longest:?}; honest p99 {before:?} before, {during:?} during"
            );
            // A machine that is busy for seconds is taken for an outage, and lanes are excused.
            assert!(longest < Duration::from_secs(25), "{longest:?}");
        },
    );
}

/// Sends slowly on ten lanes; tells when the last was cut.
async fn trickle_everywhere(raw: Raw, control: (SendStream, ControlReader)) -> Duration {
    let begun = Instant::now();
    let mut lanes = Vec::new();
    for _ in 0..10 {
        lanes.push(trickle(lane(&raw, &[0]).await));
    }
    for lane in lanes {
        soon(lane).await.expect("cut");
    }
    drop((raw, control));
    begun.elapsed()
}

/// Sends a byte in five seconds until the lane is cut.
fn trickle((mut send, mut recv): (SendStream, RecvStream)) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        let sending = async {
            // Together with the byte that opened the lane: a request of 64 KiB, as far as it comes.
            for byte in [0, 1, 0, REQUEST].into_iter().chain(std::iter::repeat(0)) {
                tick.tick().await;
                let _ = send.write_all(&[byte]).await;
            }
        };
        tokio::select! {
            () = sending => {}
            () = is_cut(&mut recv) => {}
        }
    })
}

/// Answers with 1 MiB, at once or, for a call with arguments, after it has waited once, under one of
/// 64 permits.
#[derive(Debug, Default)]
struct Megabytes {
    seen: AtomicUsize,
    running: Arc<AtomicUsize>,
}

impl Service for Megabytes {
    fn serve(&self, link: &Arc<Link>, request: Request) -> Served {
        self.seen.fetch_add(1, Ordering::SeqCst);
        let mut answer = request.respond(Status::Ok);
        if request.arguments.is_empty() {
            answer.body().put_bytes(7, 1 << 20);
            return Served::Answer(answer);
        }
        let serving = Arc::clone(link.serving());
        let before = serving.fetch_add(1, Ordering::SeqCst);
        let permit = Raised(serving);
        if before >= 64 {
            return Served::Answer(request.respond(Status::Overloaded));
        }
        self.running.fetch_add(1, Ordering::SeqCst);
        let running = Raised(Arc::clone(&self.running));
        Served::Handler {
            future: Box::pin(async move {
                let _held = (permit, running);
                tokio::task::yield_now().await;
                answer.body().put_bytes(7, 1 << 20);
                answer
            }),
            cancellable: true,
        }
    }
}

#[test]
fn a_gigabyte_of_answers_that_nobody_reads_is_not_kept() {
    alone(
        "a_gigabyte_of_answers_that_nobody_reads_is_not_kept",
        async {
            // Under permits most are refused: what they leave unread may fit into its window.
            for (arguments, most, spared) in [(&b""[..], 64, 0), (&b"wait"[..], 64 + 128, 15)] {
                let mut fixture = Fixture::new();
                fixture.limits.body_progress_window = Duration::from_secs(2);
                let service = Arc::<Megabytes>::default();
                let b = fixture.endpoint_serving(
                    hello("b"),
                    fixture.identity("b"),
                    Arc::clone(&service) as _,
                );
                let (raw, _control) = member(&fixture, "a", &b).await;
                let before = resident();
                let mut unread = Vec::new();
                for _ in 0..16 {
                    let seen = service.seen.load(Ordering::SeqCst);
                    let mut requests = Vec::new();
                    for id in 1..=64 {
                        requests.extend(request(id, arguments));
                    }
                    unread.push(lane(&raw, &requests).await);
                    if !arguments.is_empty() {
                        // One lane after the other, each with every permit that is free again.
                        reached(&service.seen, seen + 1).await;
                        ended(&service.running).await;
                    }
                }
                let begun = Instant::now();
                let mut peak = 0;
                // What is asked for stays unread until its lane is cut, the fullest first.
                while begun.elapsed() < SOON && unread.len() > spared {
                    let cut = unread[0].0.stopped();
                    let tick = Duration::from_millis(100);
                    if tokio::time::timeout(tick, cut).await.is_ok() {
                        unread.remove(0);
                    } else {
                        unread.rotate_left(1);
                    }
                    peak = peak.max(grown(before));
                }
                let (took, after) = (begun.elapsed(), grown(before));
                println!(
                    "O5: 1 GiB of answers unread: +{peak} MiB at most, {} of 16 lanes cut after {took:?}, +{after} MiB then",
                    16 - unread.len()
                );
                assert!(unread.len() <= spared);
                assert_eq!(raw.connection.close_reason(), None);
                assert!(peak < most, "{peak} MiB");
            }
        },
    );
}

#[test]
fn rapid_resets_cost_no_memory_and_a_second_peer_little_time() {
    alone(
        "rapid_resets_cost_no_memory_and_a_second_peer_little_time",
        rapid_resets(),
    );
}

async fn rapid_resets() {
    let mut fixture = Fixture::new();
    // However often it is forgiven.
    fixture.limits.offences = u32::MAX;
    let service = Stubborn::new(true);
    let b = fixture.endpoint_serving(hello("b"), fixture.identity("b"), Arc::clone(&service) as _);
    let (polite, _) = fixture.endpoint("polite");
    let polite = polite.dial(b.local_addr(), None).await.expect("welcome");
    let (raw, _control) = member(&fixture, "a", &b).await;
    let quiet = percentile(&polite, b"", |calls| calls == 5_000).await;
    let before = resident();
    let flood = tokio::spawn(async move { reset_rapidly(&raw, times()).await });
    let during = percentile(&polite, b"", |_| flood.is_finished()).await;
    let (grown, most) = (grown(before), service.most.load(Ordering::SeqCst));
    let resets = flood.await.expect("no panic");
    println!(
        "O1: {resets} resets: {most} handlers at most, +{grown} MiB; second peer's p99 {quiet:?} before, {during:?} during"
    );
    assert!(grown < 32 && most <= 256 && resets == times());
}

#[test]
fn a_thousand_calls_of_300_kib_at_once_all_succeed() {
    alone("a_thousand_calls_of_300_kib_at_once_all_succeed", async {
        let fixture = Fixture::new();
        let ((a, _), (b, _)) = (fixture.endpoint("a"), fixture.endpoint("b"));
        let link = a.dial(b.local_addr(), None).await.expect("welcome");
        let arguments = Bytes::from(vec![7; 271_828]);
        let before = resident();
        let begun = Instant::now();
        let calls: Vec<_> = (0..1_000)
            .map(|_| {
                let (link, arguments) = (Arc::clone(&link), arguments.clone());
                tokio::spawn(async move {
                    let head = RequestHead {
                        function: "echo",
                        version: 1,
                        contract: [0; 16],
                        trace: None,
                        for_primary: false,
                    };
                    let call = link
                        .call(&head, &arguments, tokio::time::Instant::now() + SOON)
                        .await
                        .expect("sent");
                    let answer = call.await.expect("answered");
                    assert_eq!((answer.status, answer.body.len()), (Status::Ok, 271_828));
                })
            })
            .collect();
        let mut peak = 0;
        for call in calls {
            soon(call).await.expect("answered");
            peak = peak.max(grown(before));
        }
        let took = begun.elapsed();
        println!("O9: 1 000 calls of 271 828 bytes both ways: +{peak} MiB at most, {took:?}");
        assert!(resident() < 512 * MIB && peak < 512);
    });
}

#[test]
fn a_thousand_failed_handshakes_leave_the_accept_loop_as_it_was() {
    alone(
        "a_thousand_failed_handshakes_leave_the_accept_loop_as_it_was",
        async {
            let (fixture, others) = (Fixture::new(), Fixture::new());
            let (b, echo): (Endpoint, Arc<Echo>) = fixture.endpoint("b");
            let before = resident();
            let begun = Instant::now();
            // Members of another cluster, from sixteen addresses.
            let mut strangers = Vec::new();
            for address in 1..=16 {
                let endpoint = quinn::Endpoint::client(([127, 0, 1, address], 0).into());
                let endpoint = endpoint.expect("loopback is more than one address");
                let to = b.local_addr();
                let (config, _) =
                    crate::quic::client(&others.identity("x"), None, &others.limits, to.ip());
                strangers.push(tokio::spawn(async move {
                    let mut failed = 0;
                    for _ in 0..63 {
                        let connecting =
                            endpoint.connect_with(config.clone(), to, crate::tls::SERVER_NAME);
                        failed += usize::from(connecting.expect("dialled").await.is_err());
                    }
                    failed
                }));
            }
            let mut failed = 0;
            for stranger in strangers {
                failed += soon(stranger).await.expect("no panic");
            }
            assert_eq!(failed, 16 * 63);
            let took = begun.elapsed();
            let (a, _) = fixture.endpoint("a");
            let begun = Instant::now();
            let link = soon(a.dial(b.local_addr(), None)).await.expect("welcome");
            let dial = begun.elapsed();
            call(&link, b"x").await.expect("answered");
            println!(
                "P7: {failed} failed handshakes in {took:?}, +{} MiB; the next dial took {dial:?}",
                grown(before)
            );
            assert_eq!(echo.seen.load(Ordering::Relaxed), 1);
            // 50 ms where nothing else runs.
            assert!(dial < Duration::from_secs(2), "{dial:?}");
        },
    );
}

#[test]
fn an_address_that_connects_too_often_is_refused_and_others_are_not() {
    alone(
        "an_address_that_connects_too_often_is_refused_and_others_are_not",
        async {
            let mut fixture = Fixture::new();
            fixture.limits.connects_per_ip = 2;
            fixture.limits.connections_per_ip = 8;
            let (b, _) = fixture.endpoint("b");
            let mut members = Vec::new();
            for index in 0..8 {
                members.push(member(&fixture, &format!("m{index}"), &b).await);
            }
            let endpoint =
                quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a free port");
            let (config, _) = {
                let ip = b.local_addr().ip();
                crate::quic::client(&fixture.identity("ninth"), None, &fixture.limits, ip)
            };
            let connect = |endpoint: &quinn::Endpoint| {
                endpoint
                    .connect_with(config.clone(), b.local_addr(), crate::tls::SERVER_NAME)
                    .expect("dialled")
            };
            let refused = soon(connect(&endpoint)).await.expect_err("refused");
            assert!(
                matches!(refused, quinn::ConnectionError::ConnectionClosed(_)),
                "{refused}"
            );
            let other = quinn::Endpoint::client(([127, 0, 1, 1], 0).into()).expect("a free port");
            soon(connect(&other)).await.expect("another address");
            // One leaves, and there is room again.
            let (raw, _control) = members.pop().expect("eight");
            raw.connection.close(0_u32.into(), b"");
            soon(async {
                while connect(&endpoint).await.is_err() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        },
    );
}

const MIB: u64 = 1 << 20;
/// Set in the process that runs one scenario.
const ALONE: &str = "FLY_RPC_TEST_ALONE";
