//! `fly-rpc call`: a function called with JSON, by the contract of the node that serves it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    io::Read,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use fly_rpc_transport::{Link, Offer};
use tokio::{signal::ctrl_c, time::Instant};

use super::{
    arguments::{Arguments, Order},
    ask::{PATIENCE, Unanswered, ask},
    failure::{Failure, RETURNED_ERROR},
    join::Joined,
    json::{self, Json},
    nodes::millis,
    screen::Screen,
};
use crate::{
    contract::{Fingerprint, Graph, decode_tree},
    error::Executed,
    inquiry::{Question, Told},
    remote::foreign::{Foreign, call_foreign},
    target::Target,
};

/// Makes the call and prints its value.
pub(super) async fn run(
    arguments: &Arguments,
    order: &Order,
    screen: &Screen,
) -> Result<u8, Failure> {
    let given = given(order)?;
    let target = order
        .target
        .as_deref()
        .map(str::parse::<Target>)
        .transpose();
    let target = target.map_err(|error| Failure::usage(error.to_string()))?;
    let made = Joined::during(arguments, async |joined| {
        made(joined, arguments, order, target, &given, screen).await
    });
    // What says nothing of the call came before it.
    made.await.map_err(Failure::before_the_call)
}

async fn made(
    joined: &Joined,
    arguments: &Arguments,
    order: &Order,
    target: Option<Target>,
    given: &Json,
    screen: &Screen,
) -> Result<u8, Failure> {
    let patience = arguments.timeout.unwrap_or(PATIENCE);
    let meant = meant(joined, order, target, patience).await;
    let Meant {
        target,
        offer,
        told,
        graph,
    } = meant?;
    let body = json::arguments(&graph, given).map_err(|misfit| {
        let hint = format!("the function is {}", offer.contract);
        Failure::misfit(misfit.to_string()).hint(hint)
    })?;
    let foreign = Foreign {
        target: &target,
        name: &offer.name,
        version: offer.version,
        fingerprint: offer.fingerprint,
        contract: &offer.contract,
    };
    let timeout = arguments.timeout.or(told.timeout).unwrap_or(TIMEOUT);
    let begun = Instant::now();
    let value = tokio::select! {
        biased;
        value = call_foreign(&joined.node, foreign, Bytes::from(body), timeout) => value,
        Ok(()) = ctrl_c() => return Err(Failure::interrupted(Some(Executed::Unknown))),
    };
    let took = begun.elapsed();
    let value = value.map_err(|error| Failure::from(&error))?;
    let unshown = |why: &dyn Display| {
        let sentence = format!("its answer cannot be shown, {why}");
        Failure::called(Executed::Yes, sentence)
    };
    let value = json::output(&graph, &value).map_err(|error| unshown(&error))?;
    let shown = show(&value, &offer, &target, took, screen);
    shown.map_err(|failure| unshown(&failure))?;
    Ok(if is_error(&graph, &value) {
        RETURNED_ERROR
    } else {
        0
    })
}

/// What is called, where, and by which contract.
struct Meant {
    target: Target,
    offer: Offer,
    told: Told,
    graph: Graph,
}

/// Without a target, the function's own decides: which of its versions and contracts there are is asked there.
async fn meant(
    joined: &Joined,
    order: &Order,
    target: Option<Target>,
    patience: Duration,
) -> Result<Meant, Failure> {
    let is_given = target.is_some();
    let target = target.unwrap_or(Target::Any);
    let (offer, links) = offered(joined, order, &target)?;
    let (told, graph) = told(&links, &offer, patience).await?;
    let pin = told.pin.as_deref().filter(|_| !is_given);
    match pin.and_then(|pin| pin.parse::<Target>().ok()) {
        Some(pin) if pin != target => Box::pin(meant(joined, order, Some(pin), patience)).await,
        _ => Ok(Meant {
            target,
            offer,
            told,
            graph,
        }),
    }
}

/// The arguments as they were typed, or came on the standard input.
fn given(order: &Order) -> Result<Json, Failure> {
    let text = match order.json.as_deref() {
        None => return Ok(Json::Object(Vec::new())),
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin()
                .lock()
                .take(LARGEST)
                .read_to_string(&mut text);
            read.map_err(|error| Failure::usage(format!("the standard input: {error}")))?;
            text
        }
        Some(text) => text.to_owned(),
    };
    json::parse(&text).map_err(|error| Failure::misfit(error.to_string()))
}

/// Who offers a function under each of its contracts.
type Contracts = BTreeMap<[u8; 16], (Offer, Vec<Arc<Link>>)>;

/// What the nodes of the target offer under this name, and who does: the version that was asked for, or the highest;
/// under the contract that most of them have.
fn offered(
    joined: &Joined,
    order: &Order,
    target: &Target,
) -> Result<(Offer, Vec<Arc<Link>>), Failure> {
    let here = joined.node.inner().here();
    let links = joined.links();
    let of_target = |link: &&Arc<Link>| {
        !link.is_draining() && here.includes(target, link.node(), link.region())
    };
    let meant: Vec<&Arc<Link>> = links.iter().filter(of_target).collect();
    if meant.is_empty() {
        return Err(Failure::not_called(format!(
            "no node of {target} is there: fly-rpc nodes lists those that are"
        )));
    }

    let mut offers: BTreeMap<u32, Contracts> = BTreeMap::new();
    for link in &meant {
        for offer in link.catalogue().versions(&order.name) {
            let same = offers.entry(offer.version).or_default();
            let same = same.entry(offer.fingerprint);
            let (_, links) = same.or_insert_with(|| (offer.clone(), Vec::new()));
            links.push(Arc::clone(link));
        }
    }
    let version = order.version.or(offers.keys().last().copied());
    let contracts = version.and_then(|version| offers.get(&version));
    let most =
        contracts.and_then(|contracts| contracts.values().max_by_key(|(_, links)| links.len()));
    most.cloned().ok_or_else(|| {
        let versions = offers.keys().copied().collect();
        let catalogues = meant.iter().map(|link| link.catalogue());
        let names = catalogues.flat_map(|catalogue| {
            let names = catalogue.offers().map(|offer| offer.name.clone());
            names.collect::<Vec<_>>()
        });
        Failure::not_called(unknown(order, target, &versions, &names.collect()))
    })
}

fn unknown(
    order: &Order,
    target: &Target,
    versions: &BTreeSet<u32>,
    names: &BTreeSet<String>,
) -> String {
    let name = &order.name;
    if !versions.is_empty() {
        let offered: Vec<String> = versions
            .iter()
            .map(|version| format!("{name}@{version}"))
            .collect();
        let wanted = order.version.unwrap_or_default();
        return format!(
            "{name}@{wanted} is not offered by {target}; offered: {}",
            offered.join(", ")
        );
    }
    let mut shown: Vec<&str> = names.iter().map(String::as_str).take(NAMES).collect();
    if names.len() > NAMES {
        shown.push("…");
    }
    match shown.as_slice() {
        [] => format!("the nodes of {target} serve no function at all"),
        shown => format!(
            "no function `{name}` is offered by {target}; there are {}",
            shown.join(", ")
        ),
    }
}

/// The contract, from the first node that tells it, and its tree.
async fn told(
    links: &[Arc<Link>],
    offer: &Offer,
    patience: Duration,
) -> Result<(Told, Graph), Failure> {
    let mut reason = Unanswered::Gone.to_string();
    for link in links.iter().take(ASKED) {
        let question = Told::ask(&offer.name, offer.version);
        let answer = ask(link, Question::Contract, question, patience).await;
        let told = match answer {
            Ok(answer) => Told::read(&answer),
            Err(Unanswered::Old) => {
                reason = "its build does not tell contracts yet; call it from a program, or deploy a newer fly-rpc".to_owned();
                continue;
            }
            Err(unanswered) => {
                reason = unanswered.to_string();
                continue;
            }
        };
        let Some(told) = told else {
            reason = "it does not serve the function any more".to_owned();
            continue;
        };
        // What is encoded by one contract and read by another would be a wrong answer.
        if Fingerprint::of(&told.tree).to_bytes() != offer.fingerprint {
            reason = "the contract that it tells is not that of its fingerprint".to_owned();
            continue;
        }
        match decode_tree(&told.tree) {
            Ok(graph) => return Ok((told, graph)),
            Err(error) => reason = format!("its contract cannot be read: {error}"),
        }
    }
    let Offer { name, version, .. } = offer;
    let node = links
        .first()
        .map(|link| link.node().to_string())
        .unwrap_or_default();
    Err(Failure::not_called(format!(
        "the contract of {name}@{version} is not known, {node}: {reason}"
    )))
}

fn show(
    value: &Json,
    offer: &Offer,
    target: &Target,
    took: Duration,
    screen: &Screen,
) -> Result<bool, Failure> {
    if screen.json() {
        screen.print_json(&Json::object([
            (
                "function",
                Json::text(format!("{}@{}", offer.name, offer.version)),
            ),
            ("target", Json::text(target.to_string())),
            ("took_ms", millis(took)),
            ("value", value.clone()),
        ]))
    } else if screen.is_terminal() {
        screen.print(&format!("{value:#}\n"))
    } else {
        screen.print(&format!("{value}\n"))
    }
}

/// True if the function returned an `Err`.
fn is_error(graph: &Graph, value: &Json) -> bool {
    let is_err = match value {
        Json::Object(members) => matches!(members.as_slice(), [(name, _)] if name == "Err"),
        Json::Text(text) => text == "Err",
        _ => false,
    };
    is_err && json::is_result(graph)
}

/// If neither the call nor the function says how long, as for a node's own calls.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Nodes that are asked for one contract.
const ASKED: usize = 3;
/// Names of functions that an error lists.
const NAMES: usize = 20;
/// Bytes of JSON that are read: some times of what a node takes.
const LARGEST: u64 = 64 << 20;
