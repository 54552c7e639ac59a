//! Fingerprints that nodes in the field hold: changing one makes every build refuse every other.

use serde::{Deserialize, Serialize};

use super::{Fingerprint, fingerprint, trace};

#[derive(Serialize, Deserialize)]
struct Post {
    id: u64,
    tags: Vec<String>,
    parent: Option<Box<Post>>,
}

#[derive(Serialize, Deserialize)]
enum PostError {
    Empty,
    TooLong(u64),
    Refused { by: [u8; 16], because: String },
}

#[test]
fn the_fingerprint_and_the_text_of_a_function_are_fixed() {
    let contract = trace::<(u64, &'static str), Result<Post, PostError>>(
        "create_post",
        2,
        &["author", "body"],
    )
    .unwrap();
    assert_eq!(
        contract.text(),
        "create_post@2(author: u64, body: str) -> Result<Post { id: u64, tags: [str], parent: Option<Post> }, \
         PostError { Empty | TooLong(u64) | Refused { by: [u8; 16], because: str } }>"
    );
    assert_eq!(
        contract.fingerprint().to_string(),
        "4d1a50eb737651c46d1b6d0719ddc471"
    );
}

#[test]
fn the_fingerprint_of_a_type_is_fixed() {
    assert_eq!(
        fingerprint::<(Vec<u8>, f32, char, std::net::IpAddr)>().to_string(),
        "bae77d043f84bdf49a2d19a835f94719"
    );
}

#[test]
fn a_fingerprint_goes_through_its_bytes() {
    let bytes = *b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xff";
    let fingerprint = Fingerprint::from_bytes(bytes);
    assert_eq!(fingerprint.to_bytes(), bytes);
    assert_eq!(fingerprint.as_bytes(), &bytes);
    assert_eq!(fingerprint.to_string(), "000102030405060708090a0b0c0d0eff");
    assert_eq!(
        format!("{fingerprint:?}"),
        "Fingerprint(000102030405060708090a0b0c0d0eff)"
    );
}
