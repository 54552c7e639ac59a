//! What a build is told that differs from what was recorded, and what becomes of the file.

use super::{
    super::{
        Asserting,
        compare::compare,
        file::Entry,
        record,
        record::Function,
        report::Refusal,
        verdict::{Fault, News},
    },
    Desk, SHOP, function, two,
};

const CI: &[(&str, &str)] = &[("CI", "true")];
const CHECK: &[(&str, &str)] = &[("FLY_RPC_CONTRACTS", "check")];
const WRITE: &[(&str, &str)] = &[("CI", "true"), ("FLY_RPC_CONTRACTS", "write")];

/// The build with its second function in another form.
fn changed(functions: &[Function; 2], contract: &str) -> [Function; 2] {
    [functions[0].clone(), function(contract)]
}

#[test]
fn without_a_file_one_is_written_and_the_next_run_leaves_it_alone() {
    let desk = Desk::new();
    let functions = [function("b@1() -> ()"), function("a@1() -> ()")];
    let news = desk.run(&functions).expect("written");
    assert!(
        matches!(&news[..], [News::Added { identity: a, .. }, News::Added { identity: b, .. }] if a == "a@1" && b == "b@1")
    );
    let text = desk.text();
    for variables in [&[], CI, CHECK, WRITE] {
        assert_eq!(desk.with(&functions, variables).expect("as recorded"), []);
        assert_eq!(desk.text(), text);
    }
}

#[test]
fn in_ci_nothing_is_written_and_the_cure_is_said() {
    let functions = [function("a@1() -> ()")];
    for (variables, because) in [
        (CI, "because CI is set"),
        (CHECK, "because FLY_RPC_CONTRACTS is `check`"),
    ] {
        let desk = Desk::new();
        let refusal = desk.refused(&functions, variables);
        assert!(
            refusal.contains("fly-rpc.contracts is not there") && refusal.contains(because),
            "{refusal}"
        );
        assert!(refusal.contains("commit it"), "{refusal}");
        assert!(!desk.path().exists());
        desk.with(&functions, WRITE).expect("written all the same");
    }
}

#[test]
fn the_environment_is_read_as_people_write_it() {
    let (desk, functions) = two();
    let more = [&functions[..], &[function("z@1() -> ()")]].concat();
    for value in ["1", "true", "yes", " ci "] {
        desk.refused(&more, &[("CI", value)]);
    }
    let refusal = desk.refused(&more, &[("FLY_RPC_CONTRACTS", "overwrite")]);
    assert!(
        refusal.starts_with("FLY_RPC_CONTRACTS=\"overwrite\": it must be `check`"),
        "{refusal}"
    );
    for value in ["", "  ", "0", "false"] {
        desk.run(&functions).expect("z is retired");
        let news = desk.with(&more, &[("CI", value), ("FLY_RPC_CONTRACTS", " ")]);
        assert_eq!(news.expect("written").len(), 1);
    }
}

#[test]
fn a_new_function_is_recorded_and_in_ci_missed() {
    let (desk, functions) = two();
    let more = [&functions[..], &[function("pay@2(order: u64) -> u64")]].concat();
    let refusal = desk.refused(&more, CI);
    assert!(
        refusal.contains("is behind the code\n  pay@2, at src/shop.rs:7:1, is not recorded\n"),
        "{refusal}"
    );
    assert!(!refusal.contains("not linked into this test"), "{refusal}");
    desk.run(&more).expect("written");
    let text = desk.text();
    let at = |identity: &str| text.find(&format!("\n\n{identity}(")).expect("an entry");
    assert!(
        at("pay@1") < at("pay@2") && at("pay@2") < at("ship@1"),
        "{text}"
    );
    assert_eq!(desk.with(&more, CI).expect("recorded"), []);
}

#[test]
fn a_changed_contract_is_refused_everywhere_with_a_diff_and_the_cure() {
    let (desk, functions) = two();
    let changed = changed(&functions, "ship@1(parcels: u32, fast: bool) -> ()");
    for variables in [&[], CI, CHECK, WRITE] {
        let refusal = desk.refused(&changed, variables);
        for part in [
            "ship@1, at src/shop.rs:7:1, has another contract than the one recorded in line 19:",
            "\n      ship@1(\n          parcels: u32,\n    +     fast: bool,\n      ) -> ()\n",
            "Cure: give the changed function `version = 2`, and keep the old one under `name = \"ship\", version = 1`",
        ] {
            assert!(refusal.contains(part), "{part}\n is not in\n{refusal}");
        }
    }
    // Nor does anything else of such a build get into the file.
    let more = [&changed[..], &[function("z@1() -> ()")]].concat();
    desk.refused(&more, WRITE);
    // The cure is one.
    let cured = [
        &functions[..],
        &[function("ship@2(parcels: u32, fast: bool) -> ()")],
    ]
    .concat();
    assert_eq!(desk.run(&cured).expect("written").len(), 1);
    // Nobody has it yet: the entry may go, and comes back as the code is.
    let (kept, _) = desk
        .text()
        .split_once("\nship@1(")
        .map(|(kept, gone)| (kept.to_owned(), gone.to_owned()))
        .expect("an entry");
    desk.put(kept);
    desk.run(&changed).expect("written anew");
    assert!(desk.text().contains("    fast: bool,\n"));
}

#[test]
fn the_next_version_is_above_all_that_ever_were() {
    let (desk, functions) = two();
    let later = [function("ship@7() -> ()"), function("shipment@9() -> ()")];
    desk.run(&[&functions[..], &later].concat())
        .expect("written");
    desk.run(&functions).expect("retired");
    let refusal = desk.refused(&changed(&functions, "ship@1() -> ()"), &[]);
    assert!(refusal.contains("`version = 8`"), "{refusal}");
}

#[test]
fn a_difference_that_the_text_does_not_show_is_one() {
    let (desk, mut functions) = two();
    functions[1].mark.fingerprint = functions[0].mark.fingerprint;
    let refusal = desk.refused(&functions, WRITE);
    assert!(
        refusal.contains("ship@1") && refusal.contains("one that the text does not show"),
        "{refusal}"
    );
}

#[test]
fn a_function_that_is_gone_stays_as_retired_and_may_return_as_it_was() {
    let (desk, functions) = two();
    let before = desk.text();
    let refusal = desk.refused(&functions[..1], CI);
    assert!(
        refusal.contains("ship@1, line 19, is not in the code any more, and not marked as retired"),
        "{refusal}"
    );
    assert!(
        refusal.contains("not linked into this test counts as removed"),
        "{refusal}"
    );

    desk.run(&functions[..1]).expect("written");
    let retired = desk.text();
    assert_eq!(
        retired,
        before.replace(
            "parcels: u32) -> ()\n",
            "parcels: u32) -> ()\nretired: yes\n"
        )
    );
    assert_eq!(desk.with(&functions[..1], CI).expect("recorded"), []);

    let refusal = desk.refused(&functions, CI);
    assert!(
        refusal
            .contains("ship@1, line 19, is marked as retired, and is in the code again as it was"),
        "{refusal}"
    );
    desk.run(&functions).expect("written");
    assert_eq!(desk.text(), before);
}

#[test]
fn a_retired_function_does_not_come_back_changed() {
    let (desk, functions) = two();
    desk.run(&functions[..1]).expect("written");
    let changed = changed(&functions, "ship@1(parcels: u64) -> ()");
    for variables in [&[], CI, CHECK, WRITE] {
        let refusal = desk.refused(&changed, variables);
        assert!(refusal.contains("ship@1, at src/shop.rs:7:1, was retired and comes back with another contract than the one recorded in line 19:"), "{refusal}");
        assert!(
            refusal.contains("    -     parcels: u32,\n    +     parcels: u64,\n"),
            "{refusal}"
        );
        assert!(
            refusal.contains("Cure: give the function `version = 2`."),
            "{refusal}"
        );
    }
}

#[test]
fn a_pin_that_moves_is_recorded_and_in_ci_missed() {
    let (desk, mut functions) = two();
    functions[1].pin = Some("@primary".to_owned());
    let refusal = desk.refused(&functions, CI);
    assert!(
        refusal.contains("ship@1, line 19, was pinned to nowhere and is now to @primary"),
        "{refusal}"
    );
    desk.run(&functions).expect("written");
    assert!(desk.text().contains("-> ()\npinned: @primary\nfingerprint"));
    functions[1].pin = Some("@region(syd)".to_owned());
    desk.run(&functions).expect("written");
    assert!(desk.text().contains("pinned: @region(syd)\n"));
}

#[test]
fn idempotence_is_granted_and_not_taken_back() {
    let (desk, mut functions) = two();
    functions[1].idempotent = true;
    assert!(
        desk.refused(&functions, CI)
            .contains("ship@1, line 19, is idempotent now")
    );
    desk.run(&functions).expect("written");
    functions[1].idempotent = false;
    for variables in [&[], CI, WRITE] {
        let refusal = desk.refused(&functions, variables);
        assert!(
            refusal.contains(
                "ship@1, at src/shop.rs:7:1, is not `idempotent` any more, and was (line 19)"
            ),
            "{refusal}"
        );
        assert!(refusal.contains("`version = 2`"), "{refusal}");
    }
    desk.put(desk.text().replace("idempotent: yes\n", ""));
    assert_eq!(desk.with(&functions, CI).expect("taken back by hand"), []);
}

#[test]
fn who_retires_functions_of_another_test_is_told_whose_file_it_is() {
    let (desk, functions) = two();
    let other = Asserting {
        module: "shop",
        binary: Some("shop"),
        ..SHOP
    };
    assert_eq!(
        record(&desk.path(), other, &functions, |_| None).expect("the same"),
        []
    );
    let news = record(&desk.path(), other, &functions[..1], |_| None).expect("retired");
    assert!(matches!(news[0], News::Retired { .. }), "{news:?}");
    let said = news[1].to_string();
    assert!(
        said.contains("line 10 names the test shop/contracts, and this is shop/shop (binary)"),
        "{said}"
    );
    desk.put(desk.text().replace("# Test: shop/contracts\n", ""));
    let news = record(&desk.path(), other, &functions, |_| None).expect("back");
    assert!(matches!(news[..], [News::Revived { .. }]), "{news:?}");
}

#[test]
fn a_test_into_which_nothing_is_linked_retires_nothing() {
    let (desk, _) = two();
    let refusal = desk.refused(&[], &[]);
    assert!(refusal.contains("`use that_crate as _;`"), "{refusal}");
}

/// The entries of a file that a build wrote whose fingerprints are taken in this way.
fn recorded(functions: &[Function], scheme: u32) -> Vec<Entry> {
    let entry = |function: &Function| {
        let mut record = function.record(Vec::new());
        record.mark.scheme = scheme;
        Entry {
            check: record.check(),
            line: 3,
            fingerprint_line: 4,
            check_line: 5,
            record,
        }
    };
    functions.iter().map(entry).collect()
}

#[test]
fn another_way_of_taking_fingerprints_is_no_change_of_every_contract() {
    let functions = two().1;
    let mut later = functions.clone();
    for function in &mut later {
        function.mark.scheme = 2;
        function.mark.fingerprint = crate::Fingerprint::from_bytes([2; 16]);
    }
    let comparison = compare(&recorded(&functions, 1), &later, 2);
    assert_eq!(comparison.faults, []);
    assert!(
        comparison
            .news
            .iter()
            .all(|news| matches!(news, News::Respelled { .. }))
            && comparison.news.len() == 2
    );
    assert!(
        comparison
            .records
            .iter()
            .all(|record| record.mark == later[0].mark)
    );

    // What is retired keeps its own.
    let comparison = compare(&recorded(&functions, 1), &later[..1], 2);
    assert_eq!(comparison.records[1].mark, functions[1].mark);

    // A text that differs may be a contract that does.
    later[1].contract = vec!["ship@1() -> ()".to_owned()];
    let comparison = compare(&recorded(&functions, 1), &later, 2);
    assert!(matches!(&comparison.faults[..], [Fault::Undecided { .. }]));
    let text = comparison.faults[0].to_string();
    assert!(
        text.contains("scheme 1 there, 2 here") && text.contains("    + ship@1() -> ()\n"),
        "{text}"
    );
}

#[test]
fn fingerprints_of_a_fly_rpc_to_come_are_refused() {
    let functions = two().1;
    let comparison = compare(&recorded(&functions, 2), &functions, 1);
    assert!(
        matches!(
            &comparison.faults[..],
            [
                Fault::Newer {
                    scheme: 2,
                    known: 1,
                    ..
                },
                _
            ]
        ),
        "{comparison:?}"
    );
    assert!(
        comparison.faults[0]
            .to_string()
            .contains("use the fly-rpc that wrote it")
    );
}

#[test]
fn another_layout_of_the_same_contract_is_written_and_no_fault() {
    let functions = two().1;
    let mut later = functions.clone();
    later[0].contract = vec!["pay@1(order: u64, by: str) -> Result<u64, str>".to_owned()];
    let comparison = compare(&recorded(&functions, 1), &later, 1);
    assert!(
        matches!(&comparison.news[..], [News::Respelled { identity, .. }] if identity == "pay@1")
    );
    assert_eq!(
        (
            comparison.records[0].contract.len(),
            comparison.faults.len()
        ),
        (1, 0)
    );
}

#[test]
fn a_long_diff_shows_what_is_around_the_differences() {
    let fields = |changed: &str| {
        let field = |number| {
            if number == 20 {
                changed.to_owned()
            } else {
                format!("field_{number}: u8")
            }
        };
        (0..40).map(field).collect::<Vec<_>>().join(", ")
    };
    let desk = Desk::new();
    desk.run(&[function(&format!("f@1({}) -> ()", fields("old: u8")))])
        .expect("written");
    let refusal = desk.refused(
        &[function(&format!("f@1({}) -> ()", fields("new: u8")))],
        &[],
    );
    let shown = "\n      f@1(\n      …\n          field_17: u8,\n          field_18: u8,\n          field_19: u8,\n    -     old: u8,\
        \n    +     new: u8,\n          field_21: u8,\n          field_22: u8,\n          field_23: u8,\n      …\n\n  Nodes";
    assert!(refusal.contains(shown), "{refusal}");
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let (desk, functions) = two();
    let changed = [function("pay@1() -> ()"), function("ship@1() -> ()")];
    let refusal = desk.refused(&changed, &[]);
    assert!(
        refusal.contains("pay@1, at") && refusal.contains("\n\nship@1, at"),
        "{refusal}"
    );
    assert!(matches!(desk.run(&changed), Err(Refusal::Faults { faults, .. }) if faults.len() == 2));
    desk.run(&functions).expect("as recorded");
}
