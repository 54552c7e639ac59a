//! What people read is what was sent, to the byte, and what does not fit is said with its place.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::*;
use crate::{
    codec,
    contract::{Graph, Label, decode_tree, tree},
};

/// The contract of a function that takes and returns a `T`.
fn graph<T: Serialize + DeserializeOwned + 'static>() -> Graph {
    let tree = tree::<(T,), T>("f", 1, &["value"]).expect("a contract");
    decode_tree(&tree).expect("a tree")
}

/// The value as JSON, after it came back from there as the same bytes.
#[track_caller]
fn there_and_back<T: Serialize + DeserializeOwned + 'static>(graph: &Graph, value: &T) -> String {
    let bytes = codec::encode(value).expect("encoded");
    let json = output(graph, &bytes).expect("shown");
    for text in [json.to_string(), format!("{json:#}")] {
        let parsed = parse(&text).expect("JSON");
        assert_eq!(parsed, json);
        let again = arguments(graph, &Json::list([parsed])).expect("encoded");
        assert_eq!(again, bytes, "{text}");
    }
    json.to_string()
}

#[track_caller]
fn misfit<T: Serialize + DeserializeOwned + 'static>(json: &str) -> String {
    let json = parse(json).expect("JSON");
    arguments(&graph::<T>(), &json)
        .expect_err("it does not fit")
        .to_string()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Named {
    name: (),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Marker;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Metres(u32);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pair(i16, String);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Colour {
    Red,
    Green,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Numbers {
    small: (u8, i8, u16, i16),
    middle: (u32, i32, u64, i64),
    large: (u128, i128),
    floats: (f32, f64),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Maps {
    names: BTreeMap<String, Metres>,
    letters: BTreeMap<char, bool>,
    counts: BTreeMap<i64, Colour>,
    colours: BTreeMap<Colour, Vec<u8>>,
    sides: BTreeMap<bool, Option<u8>>,
    places: BTreeMap<(u8, Metres), String>,
    set: BTreeSet<u128>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Marked(Marker),
    One(Box<Self>),
    Pair(Pair, Option<Option<u8>>),
    Branch {
        children: Vec<Self>,
        label: Option<String>,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Options {
    plain: Option<String>,
    unit: Option<()>,
    twice: Option<Option<bool>>,
    marker: Option<Marker>,
    list: Option<Vec<Option<char>>>,
}

type Small = (u8, i8, u16, i16);
type Middle = (u32, i32, u64, i64);

fn numbers() -> impl Strategy<Value = Numbers> {
    let small = any::<Small>();
    let floats = any::<(f32, f64)>().prop_map(|(a, b)| {
        // What kind of not-a-number it is does not come back.
        (
            if a.is_nan() { f32::NAN } else { a },
            if b.is_nan() { f64::NAN } else { b },
        )
    });
    (small, any::<Middle>(), any::<(u128, i128)>(), floats).prop_map(
        |(small, middle, large, floats)| Numbers {
            small,
            middle,
            large,
            floats,
        },
    )
}

fn colour() -> impl Strategy<Value = Colour> {
    prop_oneof![Just(Colour::Red), Just(Colour::Green)]
}

fn maps() -> impl Strategy<Value = Maps> {
    let few = 0..4_usize;
    let metres = || any::<u32>().prop_map(Metres);
    let map = proptest::collection::btree_map::<BoxedStrategy<String>, _>;
    let names = map(any::<String>().boxed(), metres(), few.clone());
    let letters = proptest::collection::btree_map(any::<char>(), any::<bool>(), few.clone());
    let counts = proptest::collection::btree_map(any::<i64>(), colour(), few.clone());
    let colours = proptest::collection::btree_map(colour(), any::<Vec<u8>>(), few.clone());
    let sides = proptest::collection::btree_map(any::<bool>(), any::<Option<u8>>(), few.clone());
    let place = (any::<u8>(), metres());
    let places = proptest::collection::btree_map(place, any::<String>(), few.clone());
    let set = proptest::collection::btree_set(any::<u128>(), few);
    (names, letters, counts, colours, sides, places, set).prop_map(
        |(names, letters, counts, colours, sides, places, set)| Maps {
            names,
            letters,
            counts,
            colours,
            sides,
            places,
            set,
        },
    )
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Leaf),
        Just(Tree::Marked(Marker)),
        any::<(i16, String, Option<Option<u8>>)>()
            .prop_map(|(number, text, rest)| Tree::Pair(Pair(number, text), rest)),
    ];
    leaf.prop_recursive(6, 32, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| Tree::One(Box::new(one))),
            (
                proptest::collection::vec(inner, 0..4),
                any::<Option<String>>()
            )
                .prop_map(|(children, label)| Tree::Branch { children, label }),
        ]
    })
}

fn options() -> impl Strategy<Value = Options> {
    let marker = any::<bool>().prop_map(|there| there.then_some(Marker));
    let rest = any::<(Option<String>, Option<()>, Option<Option<bool>>)>();
    (rest, marker, any::<Option<Vec<Option<char>>>>()).prop_map(
        |((plain, unit, twice), marker, list)| Options {
            plain,
            unit,
            twice,
            marker,
            list,
        },
    )
}

/// The contracts are the same in every case.
macro_rules! come_back {
    ($($name:ident: $type:ty = $values:expr;)*) => {$(
        #[test]
        fn $name() {
            let graph = graph::<$type>();
            proptest!(|(value in $values)| {
                there_and_back::<$type>(&graph, &value);
            });
        }
    )*};
}

come_back! {
    every_number_comes_back: Numbers = numbers();
    every_map_comes_back: Maps = maps();
    every_tree_comes_back: Tree = trees();
    every_option_comes_back: Options = options();
    every_result_comes_back: Result<Options, Colour> = proptest::result::maybe_ok(options(), colour());
}

/// Bytes of anybody, read as each of these types: an answer or an error, and no more memory than they are worth.
#[test]
fn garbage_is_read_or_refused_and_never_a_panic() {
    let graphs = [
        graph::<Numbers>(),
        graph::<Maps>(),
        graph::<Tree>(),
        graph::<Options>(),
    ];
    proptest!(|(bytes: Vec<u8>)| {
        for graph in &graphs {
            if let Ok(value) = output(graph, &bytes) {
                parse(&value.to_string()).expect("JSON");
            }
        }
    });
}

#[test]
fn announced_elements_that_take_no_bytes_are_not_all_made() {
    let bytes = codec::encode(&u64::MAX).expect("encoded");
    let error = output(&graph::<Vec<()>>(), &bytes).expect_err("refused");
    assert!(error.to_string().contains("too much memory"), "{error}");
    let error = output(&graph::<Vec<u64>>(), &bytes).expect_err("refused");
    assert!(error.to_string().contains("ends early"), "{error}");
}

/// The names are the contract's, which may be as long as a message, and come once for each element.
#[test]
fn a_few_bytes_do_not_become_a_text_of_gigabytes() {
    let mut graph = graph::<Vec<Named>>();
    for node in &mut graph.nodes {
        if let Label::Struct(_, names) = &mut node.label {
            names[0] = "x".repeat(1 << 20);
        }
    }
    let few = codec::encode(&vec![Named { name: () }; 8]).expect("encoded");
    output(&graph, &few).expect("8 MiB are shown");
    let many = codec::encode(&vec![Named { name: () }; 32_000]).expect("encoded");
    let error = output(&graph, &many).expect_err("refused");
    assert!(error.to_string().contains("too much memory"), "{error}");
}

#[test]
fn texts_of_anybody_never_panic() {
    let graphs = [
        graph::<Numbers>(),
        graph::<Maps>(),
        graph::<Tree>(),
        graph::<Options>(),
    ];
    proptest!(|(text in r#"[\[\]{}:,"a-zA-Z0-9.eE+ \\-]{0,40}"#)| {
        if let Ok(json) = parse(&text) {
            for graph in &graphs {
                let _ = arguments(graph, &json);
                let _ = arguments(graph, &Json::list([json.clone()]));
            }
        }
    });
}

/// `serde_json` takes what this parser takes and nothing else, but for names that come twice.
#[test]
fn a_text_is_json_for_all_or_for_none() {
    proptest!(|(text in r#"[\[\]{}:,"a0-9.eE+ \\u-]{0,16}"#)| {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match parse(&text) {
            Ok(ours) => {
                let is_too_large = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
                prop_assert!(theirs.is_ok() || is_too_large, "{ours}");
            }
            Err(error) => prop_assert!(theirs.is_err() || error.to_string().contains("before"), "{error}"),
        }
    });
}

#[test]
fn the_forms_are_those_of_serde_json() {
    let value = Tree::Branch {
        children: vec![
            Tree::Leaf,
            Tree::Pair(Pair(-3, "x".into()), None),
            Tree::Marked(Marker),
        ],
        label: None,
    };
    let spelled = there_and_back(&graph::<Tree>(), &value);
    assert_eq!(spelled, serde_json::to_string(&value).expect("JSON"));
    let result: Result<u64, Colour> = Err(Colour::Red);
    let spelled = there_and_back(&graph::<Result<u64, Colour>>(), &result);
    assert_eq!(spelled, r#"{"Err":"Red"}"#);
}

#[test]
fn what_json_cannot_tell_apart_is_spelled_otherwise() {
    let twice = graph::<Vec<Option<Option<()>>>>();
    let values = vec![None, Some(None), Some(Some(()))];
    let spelled = there_and_back(&twice, &values);
    assert_eq!(spelled, r#"[null,{"Some":null},{"Some":{"Some":null}}]"#);
    let floats = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e30];
    let spelled = there_and_back(&graph::<Vec<f32>>(), &floats);
    assert_eq!(spelled, r#"["NaN","Infinity","-Infinity",-0.0,1e30]"#);
    let spelled = there_and_back(&graph::<Vec<u8>>(), &vec![0_u8, 255, 7]);
    assert_eq!(spelled, r#""AP8H""#);
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    items: Vec<Item>,
    note: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Item {
    price: u32,
    data: Vec<u8>,
}

#[test]
fn what_does_not_fit_is_said_with_its_place_and_what_was_expected() {
    let item = |rest: &str| {
        format!(r#"{{"value": {{"note": null, "items": [{{"price": 1, "data": []}}, {rest}]}}}}"#)
    };
    let cases = [
        (
            item(r#"{"price": "x", "data": ""}"#),
            "value.items[1].price: expected a whole number from 0 to 4294967295 (u32), came the text \"x\"",
        ),
        (
            item(r#"{"price": 4294967296, "data": ""}"#),
            "came the number 4294967296",
        ),
        (item(r#"{"price": -1, "data": ""}"#), "came the number -1"),
        (item(r#"{"price": 1.0, "data": ""}"#), "came the number 1.0"),
        (
            item(r#"{"price": 1, "data": "?"}"#),
            "value.items[1].data: expected a text in base64, or an array of bytes, came the text \"?\"",
        ),
        (
            item(r#"{"price": 1, "data": [1, 256]}"#),
            "value.items[1].data[1]: expected a whole number from 0 to 255 (u8), came the number 256",
        ),
        (
            item(r#"{"data": ""}"#),
            "value.items[1].price is missing: expected a whole number",
        ),
        (
            item(r#"{"price": 1, "data": "", "prize": 2}"#),
            "value.items[1].prize is not known there: the fields are price, data",
        ),
        (
            item("7"),
            "value.items[1]: expected an object with price, data (Item), came the number 7",
        ),
        (
            r#"{"value": null}"#.to_owned(),
            "value: expected an object with items, note (Order), came null",
        ),
        (
            r#"{"value": {"items": [], "note": 7}}"#.to_owned(),
            "value.note: expected null or a text, came the number 7",
        ),
        ("{}".to_owned(), "value is missing: expected an object"),
        (
            "[]".to_owned(),
            "the arguments: expected an object with value, or an array of 1, came an array of 0",
        ),
        (
            "7".to_owned(),
            "the arguments: expected an object with value",
        ),
    ];
    for (json, expected) in cases {
        let said = misfit::<Order>(&json);
        assert!(said.contains(expected), "{json}\n  {said}\n  {expected}");
    }
}

#[test]
fn variants_keys_and_letters_that_do_not_fit_are_named() {
    let said = misfit::<Tree>(r#"["Lef"]"#);
    assert!(
        said.contains(r#"[0]: expected "Leaf", {"Marked": …}"#),
        "{said}"
    );
    let said = misfit::<Tree>(r#"[{"Pair": [1]}]"#);
    assert!(
        said.contains("[0].Pair: expected an array of 2, came an array of 1"),
        "{said}"
    );
    let said = misfit::<Tree>(r#"[{"Leaf": null}]"#);
    assert!(said.contains("came an object with Leaf"), "{said}");
    let said = misfit::<BTreeMap<u8, char>>(r#"[{"1": "ab"}]"#);
    assert!(
        said.contains("expected a text of one letter (char), came the text \"ab\""),
        "{said}"
    );
    let said = misfit::<BTreeMap<u8, char>>(r#"[{"x": "a"}]"#);
    assert!(
        said.contains("[0].x: expected a whole number from 0 to 255 (u8), came the text \"x\""),
        "{said}"
    );
    let said = misfit::<f32>("[1e39]");
    assert!(
        said.contains("expected a number (f32), came the number 1e39"),
        "{said}"
    );
}

#[test]
fn a_type_whose_making_is_not_shown_is_refused_both_ways() {
    /// Accepts nothing that a walk could think of.
    #[derive(Debug, Serialize)]
    struct Password(String);

    impl<'de> Deserialize<'de> for Password {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            match text.as_str() {
                "correct horse battery staple" => Ok(Self(text)),
                _ => Err(serde::de::Error::custom("wrong")),
            }
        }
    }

    let said = misfit::<Password>(r#"["correct horse battery staple"]"#);
    assert!(
        said.contains("cannot be spelled in JSON") && said.contains("Password"),
        "{said}"
    );
    let bytes = codec::encode(&"x").expect("encoded");
    let error = output(&graph::<Password>(), &bytes).expect_err("refused");
    assert!(
        error.to_string().contains("cannot be spelled in JSON"),
        "{error}"
    );
}

#[test]
fn recursion_ends_where_no_stack_is_in_danger() {
    let nested = format!("[{}\"Leaf\"{}]", "{\"One\":".repeat(120), "}".repeat(120));
    let json = parse(&nested).expect("JSON");
    let bytes = arguments(&graph::<Tree>(), &json).expect("not too deep");
    output(&graph::<Tree>(), &bytes).expect("not too deep");
    let endless = vec![2; 1 << 20];
    let error = output(&graph::<Tree>(), &endless).expect_err("too deep");
    assert!(error.to_string().contains("128 levels"), "{error}");
}

#[test]
fn a_contract_that_lies_about_its_parts_is_refused_and_never_a_panic() {
    let whole = tree::<(Tree,), Result<Options, Tree>>("f", 1, &["value"]).expect("a contract");
    let bytes = codec::encode(&(vec![1_u8; 40])).expect("encoded");
    let json =
        parse(r#"[{"Branch": {"children": ["Leaf", {"Pair": [[1, "a"], 2]}], "label": "x"}}]"#);
    let json = json.expect("JSON");
    // Every number of the tree in turn becomes one that no memory could hold, or one more than it was.
    for place in 0..whole.len() - 8 {
        for lie in [
            [0xff; 8],
            (1_u64 << 63).to_le_bytes(),
            1_u64.to_le_bytes(),
            0_u64.to_le_bytes(),
        ] {
            let mut damaged = whole.clone();
            damaged[place..place + 8].copy_from_slice(&lie);
            if let Ok(graph) = decode_tree(&damaged) {
                let _ = arguments(&graph, &json);
                let _ = output(&graph, &bytes);
            }
        }
    }
}
