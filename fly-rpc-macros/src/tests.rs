//! Expansions as a reader sees them. A change of a snapshot is a change of what every user's build contains.

use std::fs;

use insta::assert_snapshot;
use proc_macro2::TokenStream;

use crate::expand;

/// The expansion of `#[region_rpc(attribute)] item`, formatted.
pub(crate) fn pretty(attribute: &str, item: &str) -> String {
    let [attribute, item] = [attribute, item].map(|text| text.parse::<TokenStream>().unwrap());
    let expansion = expand::region_rpc(attribute, item);
    let formatted = prettyplease::unparse(&syn::parse2(expansion).unwrap());
    // The tokens of a macro's input are printed with spaces between them.
    formatted.replace(":: < ", "::<").replace(" > ()", ">()")
}

#[test]
fn an_async_function_of_two_arguments() {
    assert_snapshot!(pretty(
        "",
        "/// Makes an image smaller.
        pub async fn resize(image: &str, width: u32) -> Image { scale(image, width).await }",
    ));
}

#[test]
fn a_pinned_function_with_states() {
    assert_snapshot!(pretty(
        "@region(\"local-1\"), version = 2, name = \"posts:create\"",
        "async fn create_post(#[state] db: &Db, author: u64, mut body: String, #[state] log: Arc<Log>) \
         -> Result<Post, PostError> { body.clear(); db.insert(author, body).await }",
    ));
}

#[test]
fn a_function_of_every_kind_of_reference() {
    assert_snapshot!(pretty(
        "@primary",
        "fn count(text: &str, bytes: &[u8], slice: &[Post], reference: &Post, option: Option<&str>) -> usize { 0 }",
    ));
}

#[test]
fn a_function_that_blocks() {
    assert_snapshot!(pretty(
        "@primary, blocking, idempotent, timeout = \"1500ms\"",
        "pub fn hash(password: String) -> String { argon2(password) }",
    ));
}

#[test]
fn a_function_found_through_another_crate() {
    assert_snapshot!(pretty(
        "crate = self::rpc, detached, timeout = \"2m\"",
        "#[cfg(unix)]
        #[cfg_attr(feature = \"old\", deprecated, must_use)]
        pub(in crate::inner) async fn r#type(#[context] caller: &rpc::CallContext, r#fn: u8) {}",
    ));
}

#[test]
fn a_refused_function_keeps_its_callers_compiling() {
    assert_snapshot!(pretty(
        "@primary, version = 0",
        "fn push(#[state] db: &Db, list: &mut Vec<u8>, _: u8) -> usize { 0 }",
    ));
}

/// As many lines as a screen shows beside the function itself.
#[test]
fn the_expansion_of_two_arguments_reads_in_one_look() {
    let item =
        "pub async fn resize(image: &str, width: u32) -> Image {\n    todo(image, width)\n}\n";
    let lines = pretty("", item).lines().count() - item.lines().count();
    assert!(lines <= 45, "{lines} lines");
}

#[test]
fn the_readme_shows_the_real_expansion() {
    let [function, expansion] = shown(&fs::read_to_string(README).unwrap());
    let (attribute, item) = function.split_once(")]\n").unwrap();
    let (docs, attribute) = attribute.split_once("#[region_rpc(").unwrap();
    assert_eq!(expansion, pretty(attribute, &format!("{docs}{item}")));
}

/// The two blocks of code between the marks: a function, and what it becomes.
fn shown(readme: &str) -> [String; 2] {
    let (_, rest) = readme.split_once("<!-- expansion:begin -->").unwrap();
    let (part, _) = rest.split_once("<!-- expansion:end -->").unwrap();
    let blocks = part.split("```").skip(1).step_by(2).map(|block| {
        let (_language, code) = block.split_once('\n').unwrap();
        code.to_owned()
    });
    let blocks: Vec<_> = blocks.collect();
    blocks.try_into().unwrap()
}

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
