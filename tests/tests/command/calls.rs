//! Calls with JSON: what comes back, and what each failure says of whether the function ran.

use crate::fixture::Shop;

#[tokio::test]
async fn a_function_is_called_where_it_is_pinned_and_its_value_is_exact() -> anyhow::Result<()> {
    let shop = Shop::open("call").await?;
    let expected = "{\"Ok\":{\"id\":18446744073709551615,\"author\":7,\"body\":\"hi\",\"tags\":[null,\"new\"]}}\n";
    let json = "{\"author\":7,\"body\":\"hi\"}";
    let lines: [&[&str]; 4] = [
        &["call", "create_post@2", "--on", "@primary", json],
        // The highest version that is offered, where it is pinned.
        &["call", "create_post", json],
        &["call", "create_post", "[7, \"hi\"]", "--on", "syd"],
        &["call", "create_post", "--on=@node(syd-1)", json],
    ];
    for line in lines {
        assert_eq!(shop.run(line).await?.well(), expected, "{line:?}");
    }
    let piped = shop
        .run_with(&["call", "create_post", "-"], &[], json)
        .await?;
    assert_eq!(piped.well(), expected);
    let upcase = shop
        .run(&["call", "upcase", "[\"fly\"]", "--on", "hkg"])
        .await?;
    assert_eq!(upcase.well(), "\"FLY\"\n");
    let large =
        "{\"items\": {\"a\": {\"price\": 170141183460469231731687303715884105727, \"count\": 2}}}";
    let totals = shop.run(&["call", "totals", large]).await?;
    assert_eq!(totals.well(), "340282366920938463463374607431768211454\n");
    let json = shop.run(&["call", "upcase", "[\"fly\"]", "--json"]).await?;
    assert!(
        json.out
            .starts_with(r#"{"function":"upcase@1","target":"@any","took_ms":"#),
        "{json:?}"
    );
    assert!(json.out.ends_with("\"value\":\"FLY\"}\n"), "{json:?}");
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_function_is_printed_and_has_a_code_of_its_own() -> anyhow::Result<()> {
    let shop = Shop::open("error").await?;
    let empty = shop.run(&["call", "create_post", "[7, \"\"]"]).await?;
    assert_eq!(
        (empty.code, empty.out.as_str(), empty.err.as_str()),
        (Some(10), "{\"Err\":\"Empty\"}\n", "")
    );
    let long = format!("[7, \"{}\"]", "x".repeat(101));
    let long = shop.run(&["call", "create_post", &long]).await?;
    assert_eq!(
        (long.code, long.out.as_str()),
        (Some(10), "{\"Err\":{\"TooLong\":{\"most\":100}}}\n")
    );
    Ok(())
}

#[tokio::test]
async fn json_that_does_not_fit_is_said_with_its_place_and_nothing_runs() -> anyhow::Result<()> {
    let shop = Shop::open("misfit").await?;
    let cases = [
        (
            "{\"author\":\"x\",\"body\":\"hi\"}",
            "author: expected a whole number from 0 to 18446744073709551615 (u64), came the text \"x\"",
        ),
        ("{\"author\":7}", "body is missing: expected a text"),
        (
            "{\"author\":7,\"body\":\"hi\",\"boddy\":1}",
            "boddy is not known there: the fields are author, body",
        ),
        (
            "[7]",
            "the arguments: expected an object with author, body, or an array of 2, came an array of 1",
        ),
        (
            "{\"author\":7,",
            "no JSON: a name in quotes expected at line 1, column 13",
        ),
    ];
    for (json, said) in cases {
        let ended = shop.run(&["call", "create_post@2", json]).await?;
        ended.failed(6, said);
        assert!(ended.err.contains("(it did not run)"), "{ended:?}");
    }
    let opaque = shop
        .run(&["call", "unlock", "[\"x\"]", "--on", "syd"])
        .await?;
    opaque.failed(6, "[0] cannot be spelled in JSON");
    let json = shop
        .run(&["call", "create_post@2", "[7]", "--json"])
        .await?;
    let json = json.json()?;
    assert_eq!(
        (&json["exit_code"], &json["executed"]),
        (&6.into(), &"no".into())
    );
    assert_eq!(
        json["hint"],
        "the function is create_post@2(author: u64, body: str) -> Result<Post { id: u64, author: u64, body: str, tags: \
         [Option<str>] }, PostError { Empty | TooLong { most: u32 } }>"
    );
    Ok(())
}

#[tokio::test]
async fn a_call_that_fails_says_whether_it_ran() -> anyhow::Result<()> {
    let shop = Shop::open("failed").await?;
    let said = |code: i32, line: &[&str], part: &str| {
        let line: Vec<String> = line.iter().map(|text| (*text).to_owned()).collect();
        let part = part.to_owned();
        let shop = &shop;
        async move {
            let line: Vec<&str> = line.iter().map(String::as_str).collect();
            shop.run(&line).await?.failed(code, &part);
            anyhow::Ok(())
        }
    };
    said(
        7,
        &["call", "crate_post"],
        "no function `crate_post` is offered by @any; there are create_post, fail",
    )
    .await?;
    said(
        7,
        &["call", "create_post@9"],
        "create_post@9 is not offered by @any; offered: create_post@1, create_post@2",
    )
    .await?;
    said(
        7,
        &["call", "upcase", "[\"x\"]", "--on", "cdg"],
        "no node of @region(cdg) is there",
    )
    .await?;
    // The node of the old build, in another region than the primary's.
    said(
        7,
        &["call", "create_post@1", "[\"x\"]", "--on", "hkg"],
        "it belongs to",
    )
    .await?;
    said(
        8,
        &["call", "wait", "--timeout", "300ms"],
        "look before you try again",
    )
    .await?;
    said(9, &["call", "fail"], "panicked").await?;
    said(
        2,
        &["call", "upcase", "--on", "hong kong"],
        "is not a target",
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_value_that_cannot_be_written_is_that_of_a_call_that_ran() -> anyhow::Result<()> {
    let mut shop = Shop::of("unwritten")?;
    shop.start("syd-1", "syd", "new").await?;
    for (line, code) in [(&["call", "upcase", "[\"x\"]"][..], 9), (&["nodes"], 11)] {
        let full = std::fs::File::options().write(true).open("/dev/full")?;
        let ended = shop.run_into(line, full.into()).await?;
        ended.failed(
            code,
            "the output cannot be written: No space left on device",
        );
    }
    // Who reads no further changes nothing of what was done.
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let ended = shop
        .run_into(&["call", "create_post", "[7, \"\"]"], writer.into())
        .await?;
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (Some(10), ""),
        "{ended:?}"
    );
    Ok(())
}

/// The new build has gone everywhere but to the primary.
#[tokio::test]
async fn without_a_version_the_highest_is_called_that_there_is_where_it_runs() -> anyhow::Result<()>
{
    let mut shop = Shop::of("pinned")?;
    shop.start("syd-1", "syd", "old").await?;
    shop.start("lax-1", "lax", "new").await?;
    shop.meet(&["syd", "lax"]).await?;
    let ended = shop.run(&["call", "create_post", "[\"hi\"]"]).await?;
    assert!(ended.well().starts_with("{\"Ok\":"), "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_interrupted_is_given_up_where_it_runs() -> anyhow::Result<()> {
    let mut shop = Shop::of("interrupted")?;
    shop.start("syd-1", "syd", "new").await?;
    let (mut node, _) = shop.nodes.remove(0);
    let begun = async {
        node.expect("waits").await?;
        Ok(())
    };
    let ended = shop.interrupt(&["call", "wait", "--timeout", "5m"], begun);
    ended.await?.failed(
        130,
        "interrupted (it may have run: look before you try again)",
    );
    // It was told, and does not have to find out.
    node.expect("waits no more").await?;
    Ok(())
}
