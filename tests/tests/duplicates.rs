//! Two functions with one name and version are refused at start, naming both places.

use fly_rpc::{Node, StartError, region_rpc};

mod one {
    #[super::region_rpc]
    pub(super) fn twin() -> u8 {
        1
    }
}

mod two {
    #[super::region_rpc(name = "twin")]
    pub(super) fn another() -> u8 {
        2
    }
}

#[tokio::test]
async fn a_duplicate_identity_names_both_source_locations() {
    assert_eq!((one::twin(), two::another()), (1, 2));
    let error = Node::builder()
        .cluster("duplicates")
        .start()
        .await
        .expect_err("refused");
    assert!(matches!(&error, StartError::DuplicateFunctions(all) if all.len() == 1));
    let text = error.to_string();
    assert!(
        text.contains("twin@1") && text.matches("duplicates.rs:").count() == 2,
        "{text}"
    );
}
