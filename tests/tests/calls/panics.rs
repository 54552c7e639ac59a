//! Panics in functions and in their types: each ends one call.

use fly_rpc::{Executed, RpcError};

use crate::{
    functions::{panics_on_primary, upcase_on_primary},
    pair::{Pair, pair},
};

#[tokio::test]
async fn a_panic_before_or_after_an_await_ends_one_call_and_keeps_its_message() {
    let pair = pair().await;
    let Pair { hkg, syd, .. } = &pair;
    for node in [&hkg, &syd] {
        for late in [false, true] {
            let error = panics_on_primary(late).via(node).await.expect_err("panics");
            assert!(
                matches!(&error, RpcError::Panicked { function, node } if function == "panics" && node.as_str() == "syd-1")
            );
            assert_eq!(error.executed(), Executed::Yes);
            assert!(!error.to_string().contains("secret message"));
            assert_eq!(
                upcase_on_primary("still")
                    .via(node)
                    .await
                    .expect("the node lives"),
                "STILL"
            );
        }
    }
    assert!(syd.drain().await.is_clean(), "permits came back");
}
