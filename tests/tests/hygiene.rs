//! What is generated means the same whatever its neighbours are called.

use std::collections::BTreeMap;
use std::sync::Arc;

use fly_rpc::Node;
use serde::{Deserialize, Serialize};

/// A `fly_rpc` found elsewhere.
mod re_export {
    pub(crate) mod rpc {
        pub(crate) use fly_rpc::{
            __private, Call, CallContext, Region, Target, assert_contracts, call, region_rpc,
        };
    }
}

/// An argument of the user's own.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Post {
    body: String,
}

/// What a node provides.
#[derive(Debug)]
pub struct Db(u64);

/// A module in which no name means what it usually means.
mod hostile {
    #![no_implicit_prelude]
    #![expect(
        dead_code,
        non_camel_case_types,
        unused_macros,
        reason = "the names are there to be in the way"
    )]

    use ::std::primitive::{str, u8, u16, u64, usize};

    use super::re_export;

    mod alloc {}
    mod core {}
    mod fly_rpc {}
    mod inventory {}
    mod serde {}
    mod std {}

    struct Arc;
    struct Call;
    struct Clone;
    struct Duration;
    struct Entry;
    struct Err;
    struct From;
    struct Function;
    struct Future;
    struct Into;
    struct None;
    struct Ok;
    struct Option;
    struct Region;
    struct Result;
    struct Scope;
    struct Send;
    struct Sized;
    struct Some;
    struct Spec;
    struct String;
    struct Sync;
    struct Target;
    struct Vec;
    struct bool;
    struct u32;

    macro_rules! env {
        ($($t:tt)*) => {
            compile_error!()
        };
    }
    macro_rules! concat {
        ($($t:tt)*) => {
            compile_error!()
        };
    }
    macro_rules! panic {
        ($($t:tt)*) => {
            compile_error!()
        };
    }
    macro_rules! submit {
        ($($t:tt)*) => {
            compile_error!()
        };
    }
    macro_rules! vec {
        ($($t:tt)*) => {
            compile_error!()
        };
    }

    #[::fly_rpc::region_rpc]
    pub(super) fn owned(post: super::Post, by: ::std::collections::BTreeMap<u8, u64>) -> u64 {
        post.body.len() as u64 + by.len() as u64
    }

    #[::fly_rpc::region_rpc(version = 2, name = "hygiene:borrowed")]
    pub(super) async fn borrowed(
        text: &str,
        bytes: &[u8],
        option: ::std::option::Option<&str>,
    ) -> ::std::string::String {
        let option = ::std::option::Option::unwrap_or(option, "-");
        ::std::format!("{text} {bytes:?} {option}")
    }

    #[::fly_rpc::region_rpc(idempotent, timeout = "2s")]
    pub(super) async fn lent(posts: &[super::Post], post: &super::Post, count: usize) -> u16 {
        let same = ::std::iter::Iterator::filter(posts.iter(), |other| *other == post);
        (::std::iter::Iterator::count(same) + count) as u16
    }

    #[::fly_rpc::region_rpc(@primary, blocking)]
    pub(super) fn stateful(
        #[state] db: &super::Db,
        add: u64,
        #[state] shared: ::std::sync::Arc<super::Db>,
    ) -> u64 {
        db.0 + shared.0 + add
    }

    #[::fly_rpc::region_rpc(detached, crate = re_export::rpc)]
    pub(super) async fn through_a_re_export(
        #[context] context: &::fly_rpc::CallContext,
        text: ::std::string::String,
    ) -> ::std::result::Result<u64, ::std::string::String> {
        let _: &re_export::rpc::CallContext = context;
        ::std::result::Result::Err(text)
    }

    #[re_export::rpc::region_rpc(crate = re_export::rpc)]
    pub(super) fn by_hostile_names(owned: u8, target: &str, by_hostile_names: &[u8]) -> usize {
        owned as usize + target.len() + by_hostile_names.len()
    }

    pub(super) async fn called_by_macro(
        text: &str,
    ) -> ::std::result::Result<[::std::string::String; 2], ::fly_rpc::RpcError> {
        let [first, second] = [
            ::fly_rpc::call!(borrowed(text, &[], ::std::option::Option::None) @any),
            re_export::rpc::call!(borrowed(text, &[1], ::std::option::Option::None) @primary),
        ];
        ::std::result::Result::Ok([first.await?, second.await?])
    }

    pub(super) fn asserted_by_macro(path: &::std::path::Path) {
        ::fly_rpc::assert_contracts!(path);
        re_export::rpc::assert_contracts!(path,);
    }
}

#[tokio::test]
async fn generated_code_means_the_same_beside_hostile_names() {
    let post = Post {
        body: "fly".to_owned(),
    };
    let node = Node::builder().state(Db(40)).start().await.unwrap();
    node.scope(async move {
        let by = BTreeMap::from([(1, 2)]);
        let owned = hostile::owned_on_primary(post.clone(), by).await;
        assert_eq!(owned.unwrap(), 4);

        let borrowed = hostile::borrowed_on_primary("a", b"b", Some("c")).await;
        assert_eq!(borrowed.unwrap(), "a [98] c");

        let posts = [post.clone(), post.clone()];
        let lent = hostile::lent_on(fly_rpc::Target::Any, &posts, &post, 1).await;
        assert_eq!(lent.unwrap(), 3);

        let stateful = hostile::stateful_on_primary(2).await;
        assert_eq!(stateful.unwrap(), 82);

        let failed = hostile::through_a_re_export_on_primary("no".to_owned()).await;
        assert_eq!(failed.unwrap(), Err("no".to_owned()));

        let hostile = hostile::by_hostile_names_on_primary(1, "22", b"333").await;
        assert_eq!(hostile.unwrap(), 6);

        let called = hostile::called_by_macro("a").await;
        assert_eq!(called.unwrap(), ["a [] -", "a [1] -"]);
    })
    .await;
    node.shutdown().await;
}

#[test]
fn contracts_are_asserted_beside_hostile_names() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fly-rpc.contracts");
    std::fs::write(&path, "").unwrap();
    // Whether it writes depends on the environment of whoever runs this; what it names is all that matters here.
    let outcome = std::panic::catch_unwind(|| hostile::asserted_by_macro(&path));
    let recorded = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        outcome.is_ok(),
        recorded.contains("\n# Test: fly-rpc-tests/hygiene\n")
    );
}

#[test]
fn an_annotated_function_is_still_a_function() {
    let db = Arc::new(Db(1));
    assert_eq!(hostile::stateful(&db, 1, Arc::clone(&db)), 3);
}
