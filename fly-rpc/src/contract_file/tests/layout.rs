//! What stands on a line of its own, and that nothing gets lost.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::super::layout::{lay_out, spread};

#[track_caller]
fn lays_out(text: &str, expected: &str) {
    assert_eq!(lay_out(text).join("\n"), expected.trim_matches('\n'));
}

#[test]
fn parameters_fields_and_variants_stand_on_lines_of_their_own() {
    lays_out(
        "create_post@2(author: u64, body: str) -> Result<Post { id: u64, tags: [str], parent: Option<Post> }, \
         PostError { Empty | TooLong(u64) | Refused { by: [u8; 16], because: str } }>",
        "
create_post@2(
    author: u64,
    body: str,
) -> Result<
    Post {
        id: u64,
        tags: [str],
        parent: Option<Post>,
    },
    PostError {
        Empty,
        TooLong(u64),
        Refused {
            by: [u8; 16],
            because: str,
        },
    },
>",
    );
}

#[test]
fn what_is_short_and_has_one_part_stays_on_its_line() {
    for text in [
        "f@1() -> ()",
        "upcase@1(text: str) -> str",
        "f@1(pair: (u8, u8)) -> Result<Id { id: u64 }, str>",
        "f@1(nothing: Nothing {}) -> {u8: [Option<str>]}",
        "a.b:c-d@4294967295() -> Never {}",
    ] {
        assert_eq!(lay_out(text), [text]);
    }
}

#[test]
fn a_lone_element_keeps_its_brackets_close() {
    lays_out(
        "f@1(tags: [Tag { key: str, value: str }]) -> {u8: Option<Point { x: u8, y: u8 }>}",
        "
f@1(tags: [Tag {
    key: str,
    value: str,
}]) -> {u8: Option<Point {
    x: u8,
    y: u8,
}>}",
    );
    lays_out(
        "f@1() -> Holder { only: Point { x: u8, y: u8 } }",
        "
f@1() -> Holder {
    only: Point {
        x: u8,
        y: u8,
    },
}",
    );
}

#[test]
fn a_tuple_breaks_when_it_is_wide_and_an_arrow_is_no_bracket() {
    let part = "opaque demo::fussy::Fussy<fn(u8) -> u8>";
    lays_out(
        &format!("f@1() -> ({part}, {part})"),
        &format!("f@1() -> (\n    {part},\n    {part},\n)"),
    );
}

#[test]
fn a_name_with_brackets_that_do_not_fit_leaves_the_contract_on_one_line() {
    for text in [
        "f@1(a: S { x): u8, y: u8 }) -> ()",
        "f@1(a: S { x: u8, y(: u8 }) -> ()",
        "f@1(a: S { x>: u8, y: u8 }) -> ()",
        "f@1(",
    ] {
        assert_eq!(lay_out(text), [text]);
    }
    let deep = format!("f@1() -> {}u8{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(lay_out(&deep), [deep]);
}

#[test]
fn a_name_cannot_break_its_line_or_hide() {
    let lines = lay_out("f@1(a: S { x\ny: u8, \u{202e}z\t\r: u8 }) -> ()");
    assert_eq!(
        lines,
        [
            "f@1(a: S {",
            r"    x\ny: u8,",
            r"    \u{202e}z\t\r: u8,",
            "}) -> ()"
        ]
    );
}

#[test]
fn for_a_comparison_what_is_alone_has_a_line_too() {
    let contract = "f@1(tags: [Tag { key: str }]) -> Result<{u8: (Id {}, Id)}, E { Empty | Full { by: [u8; 4] } }>";
    let expected = "
f@1(
    tags: [Tag {
        key: str,
    }],
) -> Result<
    {u8: (Id {}, Id)},
    E {
        Empty,
        Full {
            by: [u8; 4],
        },
    },
>";
    let spread_out = spread(&lay_out(contract));
    assert_eq!(spread_out.join("\n"), expected.trim());
    assert_eq!(spread(&spread_out), spread_out);
}

proptest! {
    #[test]
    fn nothing_but_spaces_and_separators_gets_lost(text in "[ab({\\[<>\\]}),|: -]{0,60}", name in any::<String>()) {
        let text = format!("f@1(x: S {{ {name}: u8, y: {text} }}) -> ()");
        let lines = lay_out(&text);
        prop_assert!(lines.iter().all(|line| line.trim_end() == line && !line.contains(['\n', '\r'])));
        let bare = |text: &str| text.replace([' ', ',', '|'], "");
        let visible = name.chars().all(|letter| !letter.is_control() && !letter.is_whitespace() && letter.len_utf8() < 3);
        prop_assert_eq!(bare(&spread(&lines).concat()), bare(&lines.concat()));
        if visible {
            prop_assert_eq!(bare(&lines.concat()), bare(&text));
        }
    }
}
