//! Types that postcard would misread are refused at start, with the function and the type named.

use fly_rpc::{Node, NodeBuilder, StartError, region_rpc};
use fly_rpc_tests::Cluster;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Skips {
    a: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<u8>,
    c: Option<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Text(String),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { x: u8 },
}

#[derive(Serialize, Deserialize)]
struct Flattened {
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Serialize, Deserialize)]
struct Inner {
    x: u8,
}

#[derive(Serialize, Deserialize)]
enum SkipsAVariant {
    First,
    #[serde(skip)]
    #[expect(dead_code, reason = "it is there to be skipped")]
    Second,
    Third(u8),
}

#[region_rpc]
fn skips(value: Skips) -> Option<u8> {
    value.b.or(value.c).or(Some(value.a))
}

#[region_rpc]
fn untagged(value: Untagged) -> usize {
    match value {
        Untagged::Number(number) => number.into(),
        Untagged::Text(text) => text.len(),
    }
}

#[region_rpc]
fn tagged() -> Tagged {
    Tagged::A { x: 1 }
}

#[region_rpc]
fn flattened(value: Vec<Flattened>) -> usize {
    value.iter().map(|value| usize::from(value.inner.x)).sum()
}

#[region_rpc]
fn skips_a_variant(value: SkipsAVariant) -> u8 {
    match value {
        SkipsAVariant::Third(number) => number,
        _ => 0,
    }
}

#[region_rpc]
fn sound(value: Result<Vec<Option<u8>>, String>) -> usize {
    value.map_or(0, |values| values.len())
}

/// A node with all pitfalls but one out of the way.
fn with_only(function: &str) -> NodeBuilder {
    let all = [
        "skips",
        "untagged",
        "tagged",
        "flattened",
        "skips_a_variant",
    ];
    let others = all.into_iter().filter(|name| *name != function);
    others.fold(Cluster::new().builder("a", "syd"), |builder, name| {
        builder.hide_function(name, 1)
    })
}

async fn refusal(function: &str) -> String {
    let error = with_only(function).start().await.expect_err(function);
    assert!(
        matches!(&error, StartError::Contracts(all) if all.len() == 1),
        "{error}"
    );
    error.to_string()
}

#[tokio::test]
async fn each_pitfall_is_refused_with_its_function_and_type() {
    for (function, ty) in [
        ("skips", "Skips"),
        ("untagged", "Untagged"),
        ("tagged", "Tagged"),
        ("flattened", "Flattened"),
        ("skips_a_variant", "SkipsAVariant"),
    ] {
        let error = refusal(function).await;
        assert!(
            error.contains(&format!("{function}@1")) && error.contains(ty),
            "{error}"
        );
    }
}

#[tokio::test]
async fn all_of_them_are_listed_together() {
    let error = Node::builder()
        .cluster("pitfalls")
        .start()
        .await
        .expect_err("refused");
    assert!(
        matches!(&error, StartError::Contracts(all) if all.len() == 5),
        "{error}"
    );
}

#[tokio::test]
async fn a_sound_function_beside_them_works_when_they_are_hidden() {
    let node = with_only("none").start().await.expect("sound");
    assert_eq!(
        sound_on_primary(Ok(vec![None, Some(1)]))
            .via(&node)
            .await
            .expect("runs"),
        2
    );
}
