//! A deploy as a visitor sees it: three processes in three regions are replaced while a browser and a crowd sign the
//! book. No entry is lost, none stands there twice, and who was refused was told the truth.

#![cfg(unix)]

mod browser;
mod http;
mod load;
mod process;
mod records;
mod visitor;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::sync::{mpsc, watch};

use load::Told;
use process::{Machine, PRIMARY, REGIONS};
use records::Records;
use visitor::{Page, Visitor};

#[tokio::test]
async fn no_entry_is_lost_and_none_is_written_twice_while_all_processes_are_replaced()
-> anyhow::Result<()> {
    let directory = tempfile::Builder::new().prefix("guestbook-").tempdir()?;
    let mut story = Story::begin(directory.path()).await?;
    let told = async {
        story
            .a_visitor_in_another_region_sees_at_once_what_they_wrote()
            .await?;
        story
            .a_form_is_written_once_however_often_it_is_sent()
            .await?;
        story
            .a_form_that_nobody_took_is_sent_again_by_the_browser()
            .await?;
        story
            .the_primary_is_replaced_while_a_visitor_writes()
            .await?;
        story.all_processes_are_replaced_under_load().await?;
        story.without_a_primary_nobody_is_lied_to().await?;
        story.what_is_counted_is_read_by_prometheus().await?;
        for machine in &mut story.machines {
            machine.stop().await?;
        }
        story.records.compare(&directory.path().join("book.db"))
    };
    told.await.inspect_err(|_| {
        // The processes' logs say why.
        println!("kept: {}", directory.keep().display());
    })
}

struct Story {
    machines: [Machine; 3],
    visitor: Visitor,
    records: Records,
}

impl Story {
    async fn begin(directory: &std::path::Path) -> anyhow::Result<Self> {
        let [primary, lax, cdg] = REGIONS.map(|region| Machine::start(region, directory));
        Ok(Self {
            machines: [primary.await?, lax.await?, cdg.await?],
            visitor: Visitor::arrive(&directory.join("browser")).await?,
            records: Records::default(),
        })
    }

    async fn a_visitor_in_another_region_sees_at_once_what_they_wrote(
        &mut self,
    ) -> anyhow::Result<()> {
        let visitor = &mut self.visitor;
        let empty = visitor.open(self.machines[1].http).await?;
        ensure!(
            empty.served_in() == "lax" && empty.primary() == "syd",
            "wrong places"
        );
        visitor.photograph("empty").await?;

        for (place, name, message) in ENTRIES {
            visitor.open(self.machines[place].http).await?;
            let page = visitor.sign(name, message).await?;
            ensure!(
                page.thanks() && page.served_in() == REGIONS[place],
                "it was not written"
            );
            let way = format!("{} → syd", REGIONS[place]);
            ensure!(
                page.says(&way) && page.times(message) == 1,
                "{message} should stand there"
            );
            self.records.visitor(message);
        }
        visitor.photograph("signed").await?;

        // Reloading the page after a form writes nothing, and another region knows it within a second or two.
        let again = visitor.again().await?;
        ensure!(
            again.thanks() && again.times(ENTRIES[0].2) == 1,
            "reloading wrote"
        );
        let elsewhere = visitor.open(self.machines[2].http).await?;
        ensure!(
            elsewhere.served_in() == "cdg" && elsewhere.age() == "just now",
            "{}",
            elsewhere.age()
        );

        let page = visitor
            .sign("<b>Eve</b>", "<script>alert(1)</script>")
            .await?;
        ensure!(
            page.times("&lt;script&gt;alert(1)&lt;/script&gt;") == 1,
            "it is not text"
        );
        self.records.visitor("<script>alert(1)</script>");
        Ok(())
    }

    async fn a_form_is_written_once_however_often_it_is_sent(&mut self) -> anyhow::Result<()> {
        let (key, ports) = (
            "0123456789abcdef0123456789abcdef",
            [1, 2].map(|place: usize| self.machines[place].http),
        );
        let send = async |port, key, message| {
            let fields = [("key", key), ("name", "Alan"), ("message", message)];
            match http::post(port, "/entries", &fields).await {
                http::Attempt::Answered(answer) => Ok(answer),
                http::Attempt::NotSent | http::Attempt::Broken => {
                    Err(anyhow::anyhow!("it is not answered"))
                }
            }
        };
        // Through another region too.
        let (first, second) = (
            send(ports[0], key, "once").await?,
            send(ports[1], key, "once").await?,
        );
        ensure!(
            first.status == 303 && second.status == 303,
            "it is not accepted"
        );
        ensure!(
            first.header("location") == second.header("location"),
            "it is written twice"
        );
        self.records.visitor("once");

        let is_refused = |answer: http::Answer, status| {
            answer.status == status && answer.header("guestbook-written") == Some("no")
        };
        ensure!(
            is_refused(send(ports[0], key, "other words").await?, 409),
            "other words are written"
        );
        ensure!(
            is_refused(send(ports[0], key, " ").await?, 422),
            "nothing is written"
        );
        ensure!(
            is_refused(send(ports[0], "a forged key", "hello").await?, 422),
            "a forged key is taken"
        );
        Ok(())
    }

    async fn a_form_that_nobody_took_is_sent_again_by_the_browser(&mut self) -> anyhow::Result<()> {
        visit(&mut self.visitor, &self.machines[1]).await?;
        self.machines[1].stop().await?;
        let message = "is anybody there?";
        let nobody = self.visitor.sign("Alan", message).await?;
        ensure!(!nobody.is_answered(), "who answered?");
        self.machines[1].run().await?;
        let written = self.visitor.again().await?;
        ensure!(
            written.thanks() && written.times(message) == 1,
            "the form is lost"
        );
        self.records.visitor(message);
        Ok(())
    }

    async fn the_primary_is_replaced_while_a_visitor_writes(&mut self) -> anyhow::Result<()> {
        let [primary, lax, _] = &mut self.machines;
        visit(&mut self.visitor, lax).await?;
        let (replaced, is_replaced) = watch::channel(false);
        let writing = async {
            let (mut written, mut longest, mut last) = (0, Duration::ZERO, 3);
            while last > 0 {
                let begun = Instant::now();
                let message = format!("while the primary is replaced {written}");
                let page = self.visitor.sign("Grace", &message).await?;
                // The visitor's own process is not the one that is replaced.
                ensure!(
                    page.thanks() && page.times(&message) == 1,
                    "not written: {message}"
                );
                self.records.visitor(&message);
                written += 1;
                longest = longest.max(begun.elapsed());
                last -= usize::from(*is_replaced.borrow());
            }
            anyhow::Ok((written, longest))
        };
        let replacing = async {
            let begun = Instant::now();
            primary.replace().await?;
            replaced.send_replace(true);
            anyhow::Ok(begun.elapsed())
        };
        let ((written, longest), took) = tokio::try_join!(writing, replacing)?;
        println!(
            "the primary was replaced in {took:.1?}; the browser wrote {written}, the slowest in {longest:.1?}"
        );
        Ok(())
    }

    async fn all_processes_are_replaced_under_load(&mut self) -> anyhow::Result<()> {
        let ports = self.machines.each_ref().map(|machine| machine.http);
        let up = self
            .machines
            .each_ref()
            .map(|machine| machine.is_up.subscribe());
        let (stop, stopped) = watch::channel(false);
        let (answered, mut answers) = mpsc::unbounded_channel();

        let load = load::run("replaced", ports, 2_000, stopped.clone(), answered);
        let reading = async {
            let mut written = 0;
            while !*stopped.borrow() {
                let message = format!("while all are replaced {written}");
                let at = written % ports.len();
                insist(&mut self.visitor, ports[at], up[at].clone(), &message).await?;
                self.records.visitor(&message);
                written += 1;
            }
            anyhow::Ok(written)
        };
        let replacing = async {
            let replaced = replace_all(&mut self.machines, &mut answers).await;
            stop.send_replace(true);
            replaced
        };
        let (sent, browsed, replaced) = tokio::join!(load, reading, replacing);
        replaced?;
        println!("the browser wrote {} meanwhile", browsed?);
        let refused = sent
            .iter()
            .filter(|sent| !matches!(sent.told, Told::Written(_)))
            .count();
        self.records.load(sent);
        ensure!(refused == 0, "{refused} forms were refused");
        Ok(())
    }

    async fn without_a_primary_nobody_is_lied_to(&mut self) -> anyhow::Result<()> {
        // A deploy that takes too long: the others know that it is gone, and send nothing.
        let refused = self.refused_while_the_primary_is(Gone::Stopped).await?;
        ensure!(
            refused.says("Nothing was written."),
            "a form cannot be written without a primary"
        );
        // A crash: nobody knows what the dead had read.
        let refused = self.refused_while_the_primary_is(Gone::Killed).await?;
        ensure!(
            refused.says("It may have been written, or not."),
            "nobody can know what the dead had read"
        );
        Ok(())
    }

    /// A visitor and a crowd sign while the primary goes and stays away. The visitor tries again when it is back. Returns
    /// the page that they saw meanwhile.
    async fn refused_while_the_primary_is(&mut self, gone: Gone) -> anyhow::Result<Page> {
        visit(&mut self.visitor, &self.machines[1]).await?;
        let ports = [1, 2, 1].map(|place: usize| self.machines[place].http);
        let (stop, stopped) = watch::channel(false);
        let (answered, mut answers) = mpsc::unbounded_channel();
        let name = match gone {
            Gone::Stopped => "stopped",
            Gone::Killed => "killed",
        };
        let load = tokio::spawn(load::run(name, ports, 150, stopped, answered));
        more(&mut answers, 40).await?;
        match gone {
            Gone::Stopped => self.machines[PRIMARY].stop().await?,
            Gone::Killed => self.machines[PRIMARY].kill().await?,
        }

        // Pages are still served, of what is known, and say so.
        let message = format!("is the primary {name}?");
        let refused = self.visitor.sign("Barbara", &message).await?;
        stop.send_replace(true);
        ensure!(
            refused.is_answered() && !refused.thanks(),
            "there is no primary"
        );
        ensure!(
            refused.age().ends_with(" s ago"),
            "the page is older than it says"
        );
        self.visitor.photograph(name).await?;
        let sent = load.await?;
        let of = |told: Told| sent.iter().filter(|sent| sent.told == told).count();
        let (not_written, unknown) = (of(Told::NotWritten), of(Told::Unknown));
        println!("the primary was {name}: {not_written} not written, {unknown} unknown");
        match gone {
            Gone::Stopped => ensure!(
                not_written > 0 && unknown == 0,
                "all calls of a node that drains are answered"
            ),
            Gone::Killed => ensure!(unknown > 0, "the kill broke no call: it shows nothing"),
        }
        self.records.load(sent);

        // The page still has the words and their key: sending it again writes once.
        self.machines[PRIMARY].run().await?;
        let written = self.visitor.send().await?;
        ensure!(
            written.thanks() && written.times(&message) == 1,
            "sending again does not write once"
        );
        self.records.visitor(&message);
        Ok(refused)
    }

    async fn what_is_counted_is_read_by_prometheus(&mut self) -> anyhow::Result<()> {
        let http::Attempt::Answered(answer) =
            http::get(self.machines[1].metrics(), "/metrics").await
        else {
            anyhow::bail!("nobody serves metrics");
        };
        // Its own, and those of fly-rpc.
        for (metric, labels) in [
            ("guestbook_forms_total", [r#"written="yes""#, ""]),
            ("guestbook_pages_total", [r#"fresh="no""#, ""]),
            (
                "fly_rpc_calls_finished_total",
                [r#"function="sign""#, r#"outcome="ok""#],
            ),
        ] {
            let mut lines = answer.body.lines().filter(|line| line.starts_with(metric));
            let is_there = lines.any(|line| labels.iter().all(|label| line.contains(label)));
            ensure!(is_there, "no {metric} with {labels:?} in {}", answer.body);
        }
        for label in ["app=", "region=", "host=", "instance="] {
            let forged = ['{', ','].map(|before| format!("{before}{label}"));
            ensure!(
                !forged.iter().any(|label| answer.body.contains(label)),
                "Fly overwrites {label}"
            );
        }
        Ok(())
    }
}

/// Opens the page of a process that is there.
async fn visit(visitor: &mut Visitor, machine: &Machine) -> anyhow::Result<Page> {
    let page = visitor.open(machine.http).await?;
    ensure!(page.is_answered(), "nobody answers");
    Ok(page)
}

/// What somebody does who wants an entry to stand there: opens the page and signs; when nobody answers, waits until
/// somebody could and does the same again, which sends the same form.
async fn insist(
    visitor: &mut Visitor,
    port: u16,
    mut up: watch::Receiver<bool>,
    message: &str,
) -> anyhow::Result<()> {
    let mut page = visitor.open(port).await?;
    while !page.is_answered() {
        up.wait_for(|is_up| *is_up).await?;
        page = visitor.again().await?;
    }
    page = visitor.sign("Edsger", message).await?;
    while !page.is_answered() {
        up.wait_for(|is_up| *is_up).await?;
        page = visitor.again().await?;
    }
    ensure!(page.thanks(), "it was refused: {message}");
    ensure!(
        page.times(message) == 1,
        "it stands there {} times: {message}",
        page.times(message)
    );
    Ok(())
}

/// Replaces each process two times, so that it is also done to one that was started under load; then kills the primary's and
/// starts it again, which the calls that it had outlive, because they may be made again.
async fn replace_all(
    machines: &mut [Machine; 3],
    answers: &mut mpsc::UnboundedReceiver<Told>,
) -> anyhow::Result<()> {
    for round in 1..=2 {
        for machine in &mut *machines {
            more(answers, 90).await?;
            let begun = Instant::now();
            machine.replace().await?;
            println!(
                "round {round}: a process was replaced in {:.1?}",
                begun.elapsed()
            );
        }
    }
    more(answers, 90).await?;
    machines[PRIMARY].kill().await?;
    machines[PRIMARY].run().await?;
    more(answers, 90).await
}

/// Waits until so many forms more were answered.
async fn more(answers: &mut mpsc::UnboundedReceiver<Told>, forms: usize) -> anyhow::Result<()> {
    for _ in 0..forms {
        answers.recv().await.context("the load ended too early")?;
    }
    Ok(())
}

/// How the primary goes.
#[derive(Clone, Copy)]
enum Gone {
    /// As in a deploy, but nobody comes after it.
    Stopped,
    Killed,
}

/// Where, by whom, and what.
const ENTRIES: [(usize, &str, &str); 5] = [
    (
        PRIMARY,
        "Radia",
        "Between two regions the way should be short:\none hop there, and home again.",
    ),
    (
        2,
        "Ada",
        "Bonjour. The page came from around the corner, the ink from the other side of the world.",
    ),
    (
        1,
        "Grace",
        "Signed in Los Angeles, and it was in the book in Sydney before I looked up.",
    ),
    (
        2,
        "Margaret",
        "You changed the engine while we were flying, and nobody spilled their coffee.",
    ),
    (1, "Barbara", "I pressed the button twice. Once was enough."),
];
