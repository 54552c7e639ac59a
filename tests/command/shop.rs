//! An application with a function of each kind that the command has to cope with. What it is called by its environment
//! it is; with `SHOP_BUILD=old` it is the build before.

use std::{collections::BTreeMap, time::Duration};

use anyhow::bail;
use fly_rpc::{Node, NodeBuilder, region_rpc};
use fly_rpc_tests::{commands, variable};
use serde::{Deserialize, Deserializer, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Post {
    id: u64,
    author: u64,
    body: String,
    tags: Vec<Option<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
enum PostError {
    Empty,
    TooLong { most: u32 },
}

#[region_rpc(@primary, version = 2)]
async fn create_post(author: u64, body: &str) -> Result<Post, PostError> {
    match body.len() {
        0 => Err(PostError::Empty),
        1..=100 => Ok(Post {
            id: u64::MAX,
            author,
            body: body.to_owned(),
            tags: vec![None, Some("new".to_owned())],
        }),
        _ => Err(PostError::TooLong { most: 100 }),
    }
}

#[region_rpc(@primary, name = "create_post", version = 1)]
async fn create_post_v1(body: &str) -> Result<Post, PostError> {
    create_post(0, body).await
}

#[region_rpc]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

#[region_rpc]
fn totals(items: BTreeMap<String, Item>) -> u128 {
    items
        .into_values()
        .map(|item| item.price * u128::from(item.count))
        .sum()
}

#[derive(Debug, Serialize, Deserialize)]
struct Item {
    price: u128,
    count: u8,
}

/// Goes on until its caller gives up, and says when it begins and ends.
#[region_rpc]
async fn wait() {
    struct Waiting;

    impl Drop for Waiting {
        fn drop(&mut self) {
            println!("waits no more");
        }
    }

    println!("waits");
    let _waiting = Waiting;
    std::future::pending::<()>().await;
}

#[region_rpc]
async fn fail() -> u8 {
    panic!("as it is meant to")
}

#[region_rpc]
fn unlock(word: Password) -> bool {
    !word.0.is_empty()
}

/// Takes nothing that anybody could think of.
#[derive(Debug, Serialize)]
struct Password(String);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        if word == "correct horse battery staple" {
            return Ok(Self(word));
        }
        Err(serde::de::Error::custom("another word"))
    }
}

/// A node of a build that knows neither `create_post@2` nor `unlock@1`.
fn old(builder: NodeBuilder) -> NodeBuilder {
    builder
        .hide_function("create_post", 2)
        .hide_function("unlock", 1)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let build = variable("SHOP_BUILD")?;
    let builder = Node::from_env()?.build(&build);
    let builder = builder.drain_timeout(Duration::from_secs(4));
    let builder = if build == "old" {
        old(builder)
    } else {
        builder
    };
    let node = builder.start().await?;
    println!("{}", node.local_addr());
    let mut commands = commands();
    while let Some(command) = commands.recv().await {
        match command.split_once(' ').unwrap_or((&command, "")) {
            // Everybody that it sees: an observer is none of them.
            ("peers", _) => {
                let mut seen: Vec<String> = node
                    .peers()
                    .iter()
                    .map(|peer| peer.id.to_string())
                    .collect();
                seen.sort();
                println!("{}", seen.join(" "));
            }
            ("connections", _) => println!("{}", node.stats().connections),
            ("drain", _) => {
                println!("drains");
                node.drain().await;
            }
            ("wait", region) => {
                node.wait_for(region, Duration::from_secs(20)).await?;
                println!("done");
            }
            ("stop", _) => {
                node.shutdown().await;
                println!("done");
                return Ok(());
            }
            _ => bail!("{command:?} is no command"),
        }
    }
    Ok(())
}
