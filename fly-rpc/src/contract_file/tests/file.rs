//! The text of the file: what is written, what is read, and what is refused with its line.

use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest},
    sample::Index,
};

use super::{
    super::{
        file::{FORMAT, File, KNOWN_FORMAT},
        parse::parse,
        record::Record,
    },
    Desk, function, two,
};

#[test]
fn the_file_reads_like_this() {
    let desk = Desk::new();
    let mut pay = function("pay@2(order: u64, by: str) -> Result<u64, str>");
    (pay.pin, pay.idempotent) = (Some("@primary".to_owned()), true);
    let gone = function("greet@10() -> str");
    let early = function("greet@9() -> str");
    desk.run(&[pay.clone(), gone, early.clone()])
        .expect("written");
    desk.run(&[early, pay]).expect("written");
    let text = desk.text();
    let (head, entries) = text.split_once("\n\n").expect("a head");
    assert_eq!(head.lines().next(), Some("# fly-rpc contracts, format 1"));
    assert_eq!(head.lines().last(), Some("# Test: shop/contracts"));
    assert!(
        head.lines()
            .all(|line| line.starts_with('#') && line.len() <= 130),
        "{head}"
    );
    assert_eq!(
        entries,
        "\
greet@9() -> str
fingerprint: 1-c03d254e0df946758e73910de9346372
check: 1fa1a00439021133

greet@10() -> str
retired: yes
fingerprint: 1-29db16d97eacc7f1d262f5a3fe751348
check: 2696672665a96a5a

pay@2(
    order: u64,
    by: str,
) -> Result<u64, str>
pinned: @primary
idempotent: yes
fingerprint: 1-400948b3568374f4d696065a436e84c3
check: 0897005a35c244b5
"
    );
}

#[test]
fn the_head_names_the_format_that_is_read() {
    let file = File::of("shop/contracts");
    assert_eq!(file.head[0], format!("{FORMAT}{KNOWN_FORMAT}"));
    assert_eq!(file.test(), Some((file.head.len(), "shop/contracts")));
}

#[test]
fn line_ends_of_windows_a_mark_in_front_and_the_order_mean_nothing() {
    let (desk, functions) = two();
    let text = desk.text();
    desk.put(format!("\u{feff}{}", text.replace('\n', "\r\n")));
    assert_eq!(desk.with(&functions, &[("CI", "1")]).expect("the same"), []);
    // What is written then ends its lines as it found them.
    desk.run(&functions[..1]).expect("written");
    let written = desk.text();
    assert_eq!(
        written.matches('\n').count(),
        written.matches("\r\n").count()
    );
    assert!(written.contains("ship@1(parcels: u32) -> ()\r\nretired: yes\r\n"));

    // As a merge may leave them.
    let (head, entries) = text.split_once("\n\n").expect("a head");
    let (pay, ship) = entries.split_once("\n\n").expect("two");
    desk.put(format!("{head}\n{ship}\n\n\n\n{pay}"));
    assert_eq!(desk.with(&functions, &[("CI", "1")]).expect("the same"), []);
    let news = desk.run(&functions).expect("written");
    let [sorted] = news.as_slice() else {
        panic!("{news:?}")
    };
    let said = sorted.to_string();
    assert!(
        said.contains("pay@1, line 18, stands behind entries that come after it"),
        "{said}"
    );
    assert_eq!(desk.text(), text);
}

#[test]
fn a_remark_above_an_entry_and_the_head_stay() {
    let (desk, functions) = two();
    let text = desk.text();
    let text = text.replace("# What nodes", "# Of the shop.\n# What nodes");
    desk.put(text.replace(
        "ship@1(",
        "# Called by the boxes in the field,\n# which nobody updates.\nship@1(",
    ));
    desk.run(&functions[..1]).expect("written");
    let text = desk.text();
    assert!(text.contains("\n\n# Called by the boxes in the field,\n# which nobody updates.\nship@1(parcels: u32) -> ()\nretired: yes\n"));
    assert!(text.contains("\n# Of the shop.\n"));
    desk.run(&functions).expect("written");
    assert!(desk.text().contains("# which nobody updates.\nship@1"));
}

/// The file with a change, and what is said of it.
#[track_caller]
fn says(change: impl Fn(&str) -> String, expected: &str) {
    let (desk, functions) = two();
    desk.put(change(&desk.text()));
    for variables in [
        &[][..],
        &[("CI", "true")],
        &[("FLY_RPC_CONTRACTS", "write")],
    ] {
        let refusal = desk.refused(&functions, variables);
        assert!(refusal.contains(expected), "{refusal}");
        assert!(refusal.contains("fly-rpc.contracts"), "{refusal}");
    }
}

#[test]
fn a_merge_that_was_not_finished_is_refused_with_its_line() {
    let marked =
        |mark: &'static str| move |text: &str| text.replace("ship@1(", &format!("{mark}\nship@1("));
    for mark in ["<<<<<<< HEAD", "=======", ">>>>>>> branch", "||||||| base"] {
        says(
            marked(mark),
            &format!("line 19: a merge was not finished (`{}`)", &mark[..7]),
        );
    }
}

#[test]
fn what_is_no_contract_file_is_refused() {
    says(
        |_| "[package]\nname = \"shop\"\n".to_owned(),
        "line 1: it does not begin with the line `# fly-rpc contracts, format 1`",
    );
    says(
        |text| text.split_once("\n\n").expect("a head").1.to_owned(),
        "line 1: it does not begin",
    );
    says(
        |text| text.replace("format 1", "format 2"),
        "line 1: its format is \"2\", and this fly-rpc knows 1",
    );
    says(
        |text| text.replace("format 1", "format one"),
        "line 1: its format is \"one\"",
    );
}

#[test]
fn a_file_that_is_not_utf8_is_refused_with_its_line() {
    let (desk, functions) = two();
    let mut bytes = desk.text().into_bytes();
    let at = bytes
        .windows(5)
        .position(|five| five == b"order")
        .expect("a field");
    bytes[at] = 0xff;
    desk.put(bytes);
    let refusal = desk.refused(&functions, &[]);
    assert!(refusal.contains("line 13: this is not UTF-8"), "{refusal}");
    desk.put(b"\xff\xfe#\0 \0f\0");
    assert!(
        desk.refused(&functions, &[])
            .contains("line 1: this is not UTF-8")
    );
}

#[test]
fn an_entry_that_is_there_twice_is_refused_with_both_lines() {
    let twice = |text: &str| {
        let (_, entry) = text.split_at(text.find("ship@1(").expect("an entry"));
        format!("{text}\n{entry}")
    };
    says(twice, "line 23: ship@1 is there twice, first in line 19");
}

#[test]
fn lines_that_belong_to_no_entry_are_refused() {
    says(
        |text| format!("{text}\nand more\n"),
        "line 23: here an entry should begin, with `name@version(`; found \"and more\"",
    );
    says(
        |text| text.replace("ship@1(", "ship@0("),
        "line 19: here an entry should begin",
    );
    says(
        |text| text.replace("ship@1(", "ship@+1("),
        "line 19: here an entry should begin",
    );
    says(
        |text| text.replace("ship@1(", "sh ip@1("),
        "line 19: here an entry should begin",
    );
    says(
        |text| text.replace("    by: str", "\n    by: str"),
        "line 12: pay@1 has no `fingerprint`",
    );
    says(
        |text| text.replace(") -> Result", "colour: red\n) -> Result"),
        "line 15: \"colour: red\" is no part of an entry",
    );
    says(
        |text| text.replace("check: ", "check: x"),
        "is no part of an entry",
    );
    says(
        |text| text.replace("check: ", "check: +"),
        "is no part of an entry",
    );
    says(
        |text| text.replace("fingerprint: 1-", "fingerprint: "),
        "is no part of an entry",
    );
    says(
        |text| text.replace("fingerprint: 1-", "retired: perhaps\nfingerprint: 1-"),
        "line 16: \"retired: perhaps\"",
    );
    says(
        |text| {
            text.replace(
                "fingerprint: 1-",
                "retired: yes\nretired: yes\nfingerprint: 1-",
            )
        },
        "line 17: `retired` is there twice",
    );
    says(
        |text| text.replace("ship@1(", "# a remark\n\nship@1("),
        "line 19: a comment that stands above no entry",
    );
    says(
        |text| text[..text.rfind("check").expect("a check")].to_owned(),
        "line 19: ship@1 has no `check`",
    );
}

/// The text with another digit behind the first of these.
fn with_another_digit(text: &str, before: &str) -> String {
    let (start, rest) = text.split_once(before).expect("it is there");
    let digit = if rest.starts_with('0') { '1' } else { '0' };
    format!("{start}{before}{digit}{}", &rest[1..])
}

#[test]
fn an_entry_that_was_edited_is_refused_with_the_line() {
    says(
        |text| text.replace("by: str", "by: u64"),
        "pay@1 was edited by hand: line 14 is \"by: u64,\", and its fingerprint is that of \"by: str,\"",
    );
    says(
        |text| text.replace("    by: str,\n", ""),
        "pay@1 was edited by hand: line 14 is \") -> Result<u64, str>\"",
    );
    says(
        |text| with_another_digit(text, "fingerprint: 1-"),
        "the fingerprint in line 16 is not that of the contract above it",
    );
    says(
        |text| text.replace("fingerprint: 1-", "fingerprint: 2-"),
        "the fingerprint in line 16 is not that of the contract above it",
    );
    says(
        |text| with_another_digit(text, "check: "),
        "pay@1 was edited by hand: the check in line 17 is not that of the entry above it",
    );
    // The name is a part of what is checked, and no function has the new one.
    says(
        |text| text.replace("ship@1(", "ship@7("),
        "ship@7 was edited by hand: the check in line 21 does not fit what stands from line 19 on",
    );
}

#[test]
fn an_entry_without_its_function_is_checked_too() {
    let (desk, functions) = two();
    desk.run(&functions[..1]).expect("ship is retired");
    desk.put(desk.text().replace("parcels: u32", "parcels: u64"));
    for functions in [&functions[..1], &functions] {
        let refusal = desk.refused(functions, &[]);
        assert!(refusal.contains("ship@1 was edited by hand"), "{refusal}");
    }
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let name = "[a-zA-Z0-9_.:-]{1,12}";
    let contract = any::<String>();
    let one = (name, 1..u32::MAX, contract, any::<[Option<()>; 3]>());
    vec(one, 0..5).prop_map(|all| {
        let records = all
            .into_iter()
            .map(|(name, version, text, [pin, idempotent, retired])| {
                let function = function(&format!(
                    "{name}@{version}(a: S {{ {text}: u8, b: u8 }}) -> ()"
                ));
                let mut record = function.record(vec!["# why".to_owned(); version as usize % 3]);
                record.pin = pin.map(|()| "@region(syd)".to_owned());
                record.idempotent = idempotent.is_some();
                record.retired = retired.is_some();
                record
            });
        let mut records: Vec<Record> = records.collect();
        records.sort_by_key(|record| (record.name.clone(), record.version));
        records.dedup_by_key(|record| (record.name.clone(), record.version));
        records
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(records in records(), crlf: bool) {
        let mut file = File::of("shop/contracts");
        file.crlf = crlf;
        let text = file.print(&records);
        let read = parse(text.as_bytes()).expect("it was written");
        prop_assert_eq!(&read.head, &file.head);
        prop_assert!(read.entries.iter().all(|entry| entry.check == entry.record.check()));
        let lines: Vec<&str> = text.lines().collect();
        for entry in &read.entries {
            prop_assert!(lines[entry.line - 1].starts_with(&entry.record.identity()));
            prop_assert!(lines[entry.check_line - 1].starts_with("check: "));
            prop_assert!(lines[entry.fingerprint_line - 1].starts_with("fingerprint: "));
        }
        let read: Vec<Record> = read.entries.into_iter().map(|entry| entry.record).collect();
        prop_assert_eq!(read, records);
    }

    /// Whatever becomes of the bytes, there is an answer, and an entry that reads otherwise than it was written is noticed.
    #[test]
    fn what_was_damaged_is_refused_or_seen(records in records(), at: Index, with in vec(any::<u8>(), 0..4), gone in 0..4_usize) {
        let mut bytes = File::of("shop/contracts").print(&records).into_bytes();
        let at = at.index(bytes.len());
        let to = bytes.len().min(at + gone);
        bytes.splice(at..to, with);
        if let Ok(file) = parse(&bytes) {
            for entry in file.entries.iter().filter(|entry| entry.check == entry.record.check()) {
                let was = records.iter().find(|record| record.identity() == entry.record.identity());
                let was = was.expect("a name that is changed does not fit the check");
                prop_assert_eq!(&was.contract, &entry.record.contract);
                prop_assert_eq!(was.mark, entry.record.mark);
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200), lines in "(# fly-rpc contracts, format 1\n)?([a@1(): \n#-]|check: 0{16}\n|fingerprint: 1-0{32}\n){0,40}") {
        let _ = (parse(&bytes), parse(lines.as_bytes()));
    }
}
