//! What the compiler says: each mistake has its own message, and what looks odd but is right has none.

use trybuild::TestCases;

#[test]
fn every_mistake_is_answered_with_its_cure() {
    TestCases::new().compile_fail("ui/fail/*.rs");
}

#[test]
fn every_allowed_form_compiles() {
    TestCases::new().pass("ui/pass/*.rs");
}
