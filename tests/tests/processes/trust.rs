//! What proves membership is changed under traffic: cases L5 and L6 of RELIABILITY.md.

use std::time::{Duration, Instant};

use fly_rpc::{ClusterSecret, Executed, Identity};
use fly_rpc_tests::history::Outcome;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};

use crate::{
    desk::Order,
    traffic::Traffic,
    world::{Plan, Worker, World, at, sees},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_secret_is_rolled_out_node_by_node_and_fails_no_call() -> anyhow::Result<()> {
    let world = World::new("rotated")?;
    let (old, new) = (world.secret.clone(), ClusterSecret::generate());
    let mut workers: Vec<Worker> = Vec::new();
    for number in 1..=NODES {
        let plan = world.plan(&format!("syd-{number}"));
        let plan = plan.peers(workers.iter().map(|worker| worker.address));
        workers.push(world.start(plan).await?);
    }
    see_and_trade(&mut workers, NODES).await?;
    let steps = [(&old, Some(&new)), (&new, Some(&old)), (&new, None)];
    for (step, (secret, previous)) in steps.into_iter().enumerate() {
        let begun = Instant::now();
        for _ in 0..NODES {
            workers[0].child.ask("more 50").await?;
            let (report, plan) = workers.remove(0).stop().await?;
            assert_eq!(report, "drained: every call has ended");
            let plan = Plan {
                secret: secret.clone(),
                previous_secret: previous.cloned(),
                ..plan.peers(workers.iter().map(|worker| worker.address))
            };
            workers.push(world.start(plan).await?);
            see_and_trade(&mut workers, 1).await?;
        }
        println!("L5, step {}: {:.1?}", step + 1, begun.elapsed());
    }
    for worker in &mut workers {
        worker.child.ask("rest").await?;
    }

    // One that was forgotten has only the old secret.
    let desk = world.desk()?;
    let forgotten = world.builder("hkg-1", &desk);
    let forgotten = forgotten.peers([workers[0].address.to_string()]);
    let forgotten = forgotten.start().await?;
    let told = desk.count(&forgotten, &Order::to(at("syd-1"))).await;
    let is_denied = matches!(
        &told,
        Outcome::Failed {
            executed: Executed::No,
            ..
        }
    );
    assert!(is_denied && forgotten.peers().is_empty(), "{told:?}");

    for worker in workers {
        worker.stop().await?;
    }
    let kept = world.judge(L5)?;
    println!("L5: the forgotten one is told: {told:?}");
    assert_eq!(
        kept.calls - kept.right,
        1,
        "more than the forgotten one's call failed"
    );
    assert_eq!(kept.ran_again, 0);
    Ok(())
}

/// Waits until all processes see each other, and lets the last ones make calls.
async fn see_and_trade(workers: &mut [Worker], last: usize) -> anyhow::Result<()> {
    let ids: Vec<String> = workers
        .iter()
        .map(|worker| worker.plan.id.clone())
        .collect();
    for worker in &mut *workers {
        let mut others = ids.clone();
        others.retain(|id| *id != worker.plan.id);
        worker
            .child
            .ask(&format!("see {}", others.join(" ")))
            .await?;
    }
    let first = workers.len() - last;
    for worker in &mut workers[first..] {
        worker.child.ask("trade 1").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_replaced_under_traffic_and_no_connection_ends() -> anyhow::Result<()> {
    let world = World::new("renewed")?;
    let roots = [Root::new()?, Root::new()?];
    let both = format!("{}{}", roots[0].pem, roots[1].pem);
    let desk = world.desk()?;
    let identity = roots[0].leaf("syd-1")?.identity(&both)?;
    let callee = world.certified("syd-1", &desk, identity.clone());
    let callee = callee.start().await?;

    // It trusts one root only: if its connection were made again later, it would refuse the callee.
    let desk = world.desk()?;
    let caller = roots[0].leaf("hkg-1")?.identity(&roots[0].pem)?;
    let caller = world.certified("hkg-1", &desk, caller);
    let caller = caller.peers([callee.local_addr().to_string()]);
    let caller = caller.start().await?;
    sees(&caller, "syd-1", None).await;
    let mut traffic = Traffic::new();
    let (node, from) = (caller.clone(), desk.clone());
    traffic.add(8, Duration::from_millis(2), move || {
        let (node, desk) = (node.clone(), from.clone());
        async move { desk.count(&node, &Order::to(at("syd-1"))).await }
    });

    for round in 1..=RENEWALS {
        let (root, other) = (&roots[round % 2], &roots[(round + 1) % 2]);
        let leaf = root.leaf("syd-1")?;
        identity.replace_pem(leaf.chain.as_bytes(), leaf.key.as_bytes(), both.as_bytes())?;
        traffic.more(L6 as u64 / RENEWALS as u64).await;
        for (trusted, is_met) in [(root, true), (other, false)] {
            let id = format!("cdg-{round}");
            let desk = world.desk()?;
            let stranger = trusted.leaf(&id)?.identity(&trusted.pem)?;
            let stranger = world.certified(&id, &desk, stranger);
            let stranger = stranger.peers([callee.local_addr().to_string()]);
            let stranger = stranger.start().await?;
            let told = desk.count(&stranger, &Order::to(at("syd-1"))).await;
            assert_eq!(told == Outcome::Right, is_met, "round {round}: {told:?}");
        }
    }
    traffic.rest().await;
    // Gossip may have told it of the others.
    let peers = caller.peers().into_iter();
    let mut sent = peers
        .filter(|peer| peer.id.as_str() == "syd-1")
        .map(|peer| peer.requests_sent);
    let sent = sent.next().expect("it is connected");
    let kept = world.judge(L6)?;
    // It counts what was sent on this connection: there was no other.
    assert_eq!(sent as usize, kept.calls - 2 * RENEWALS);
    assert_eq!(kept.calls - kept.right, RENEWALS, "a call failed");
    Ok(())
}

/// An authority outside the library.
struct Root {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// What it signed, and the key of that.
struct Leaf {
    chain: String,
    key: String,
}

impl Root {
    fn new() -> anyhow::Result<Self> {
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        Ok(Self {
            pem: root.self_signed(&key)?.pem(),
            issuer: Issuer::new(root, key),
        })
    }

    fn leaf(&self, node: &str) -> anyhow::Result<Leaf> {
        let name = format!("{node}.fly-rpc.invalid").try_into()?;
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = vec![SanType::DnsName(name)];
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let key = KeyPair::generate()?;
        Ok(Leaf {
            chain: leaf.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl Leaf {
    fn identity(&self, roots: &str) -> anyhow::Result<Identity> {
        let Self { chain, key } = self;
        Ok(Identity::from_pem(
            chain.as_bytes(),
            key.as_bytes(),
            roots.as_bytes(),
        )?)
    }
}

const NODES: usize = 5;
const RENEWALS: usize = 10;
/// Calls that are recorded.
const L5: usize = 5000;
const L6: usize = 2000;
