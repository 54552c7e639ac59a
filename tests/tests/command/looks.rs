//! What it shows: nodes, catalogue, ping, doctor, keygen, help.

use crate::fixture::Shop;

#[tokio::test]
async fn with_no_configuration_it_shows_the_nodes_of_this_machine() -> anyhow::Result<()> {
    let shop = Shop::open("nodes").await?;
    let ended = shop.run(&["nodes"]).await?;
    let lines: Vec<&str> = ended.well().lines().collect();
    assert_eq!(lines[0], "cluster shop: 3 nodes, primary in syd");
    let row = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        row(lines[2]),
        [
            "REGION",
            "NODE",
            "STATE",
            "ROUND",
            "TRIP",
            "FUNCTIONS",
            "BUILD"
        ]
    );
    assert_eq!(row(lines[3])[..4], ["syd", "*", "syd-1", "connected"]);
    let hkg = row(lines[4]);
    assert_eq!(
        (&hkg[..3], &hkg[4..]),
        (
            &["hkg", "hkg-1", "connected"].map(str::to_owned)[..],
            &["ms", "5", "old"].map(str::to_owned)[..]
        )
    );
    assert_eq!(row(lines[5])[..2], ["lax", "lax-1"]);
    assert_eq!(lines.len(), 6);

    let json = shop.run(&["nodes", "--json"]).await?;
    let json = json.out.trim();
    assert!(json.starts_with(r#"{"cluster":"shop","primary":"syd","primary_epoch":0,"nodes":[{"id":"syd-1","region":"syd","is_primary":true,"state":"connected""#), "{json}");
    assert!(
        json.contains(r#""functions":["create_post@1","create_post@2","fail@1""#),
        "{json}"
    );
    Ok(())
}

#[tokio::test]
async fn it_watches_until_it_is_interrupted_or_nobody_reads_any_more() -> anyhow::Result<()> {
    let mut shop = Shop::of("watch")?;
    shop.start("syd-1", "syd", "new").await?;
    let ended = shop.watch(&["nodes", "--watch", "--json"], 3, true).await?;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert!(
        ended.out.lines().all(|line| line.contains("\"syd-1\"")),
        "{ended:?}"
    );
    let ended = shop.watch(&["nodes", "--watch"], 1, false).await?;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn half_way_through_a_roll_out_the_catalogue_shows_who_has_what() -> anyhow::Result<()> {
    let shop = Shop::open("catalogue").await?;
    let ended = shop.run(&["catalogue"]).await?;
    let expected = "\
cluster shop: 3 nodes of 2 builds, 7 functions, 2 not the same everywhere

FUNCTION       A    B
create_post@1  yes  yes
create_post@2  yes  -
fail@1         yes  yes
totals@1       yes  yes
unlock@1       yes  -
upcase@1       yes  yes
wait@1         yes  yes

A  build new, 2 nodes
   lax: lax-1
   syd: syd-1
B  build old, 1 node
   hkg: hkg-1
";
    assert_eq!(ended.well(), expected);
    let ended = shop.run(&["catalogue", "--differing"]).await?;
    let rows: Vec<&str> = ended
        .well()
        .lines()
        .filter(|line| line.contains('@'))
        .collect();
    assert_eq!(rows, ["create_post@2  yes  -", "unlock@1       yes  -"]);
    let json = shop.run(&["catalogue", "--json", "--differing"]).await?;
    assert!(
        json.out.contains(
            r#"{"name":"create_post","version":2,"same_everywhere":false,"served_by":[{"build":"A""#
        ),
        "{json:?}"
    );
    Ok(())
}

#[tokio::test]
async fn pings_are_answered_by_each_node_that_is_meant() -> anyhow::Result<()> {
    let shop = Shop::open("ping").await?;
    let ended = shop.run(&["ping"]).await?;
    let rows = ended.well().lines().filter(|line| line.ends_with("0 of 5"));
    assert_eq!(rows.count(), 3, "{ended:?}");
    for (target, count) in [("syd-1", 1), ("lax", 1), ("@primary", 1), ("@any", 3)] {
        let ended = shop.run(&["ping", target, "--count", "2"]).await?;
        let rows = ended.well().lines().filter(|line| line.ends_with("0 of 2"));
        assert_eq!(rows.count(), count, "{target}: {ended:?}");
    }
    shop.run(&["ping", "cdg"])
        .await?
        .failed(3, "no node of cdg is there");
    let json = shop.run(&["ping", "syd-1", "--json"]).await?.json()?;
    let node = &json["nodes"][0];
    assert_eq!(
        (&node["sent"], &node["lost"]),
        (&5.into(), &0.into()),
        "{json}"
    );
    Ok(())
}

#[tokio::test]
async fn the_doctor_finds_a_function_that_a_region_lacks_and_nothing_else() -> anyhow::Result<()> {
    let mut shop = Shop::of("doctor")?;
    shop.start("syd-1", "syd", "new").await?;
    shop.start("lax-1", "lax", "new").await?;
    shop.meet(&["syd", "lax"]).await?;
    let ended = shop.run(&["doctor"]).await?;
    assert!(ended.well().ends_with("Nothing is wrong.\n"), "{ended:?}");
    assert!(
        ended.out.contains("every node sees the primary in syd"),
        "{ended:?}"
    );

    shop.start("hkg-1", "hkg", "old").await?;
    shop.meet(&["syd", "lax", "hkg"]).await?;
    let ended = shop.run(&["doctor"]).await?;
    ended.narrow();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .out
            .contains("create_post@2 is served by no node in hkg"),
        "{ended:?}"
    );
    assert!(ended.out.ends_with("0 problems, 2 warnings\n"), "{ended:?}");
    let json = shop.run(&["doctor", "--json"]).await?.json()?;
    let first = &json["findings"][0];
    assert_eq!(
        (&first["check"], &first["level"]),
        (&"functions".into(), &"warning".into())
    );

    // It takes nobody any more, and is no finding that anybody has to do something about.
    let (mut old, _) = shop.nodes.pop().expect("it runs");
    old.tell("drain").await?;
    old.expect("drains").await?;
    let ended = shop.run(&["doctor"]).await?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn the_doctor_reads_fly_toml() -> anyhow::Result<()> {
    let mut shop = Shop::of("fly-toml")?;
    shop.start("syd-1", "syd", "new").await?;
    let toml = std::env::temp_dir().join(format!("fly-rpc-command-{}.toml", std::process::id()));
    std::fs::write(
        &toml,
        "primary_region = \"syd\"\nkill_timeout = 3\n[http_service]\nauto_stop_machines = \"stop\"\n",
    )?;
    let ended = shop
        .run(&["doctor", "--config", &toml.to_string_lossy()])
        .await?;
    std::fs::remove_file(&toml)?;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .out
            .contains("syd-1 drains for up to 4 s, and Fly kills it after 3 s"),
        "{ended:?}"
    );
    assert!(
        ended.out.contains("auto_stop_machines = \"off\""),
        "{ended:?}"
    );
    shop.run(&["doctor", "--config", "/nowhere/fly.toml"])
        .await?
        .failed(2, "/nowhere/fly.toml");
    Ok(())
}

#[tokio::test]
async fn a_generated_secret_is_one_that_nodes_take() -> anyhow::Result<()> {
    let shop = Shop::of("keygen")?;
    let ended = shop.run(&["keygen"]).await?;
    ended.well().trim().parse::<fly_rpc::ClusterSecret>()?;
    let another = shop.run(&["keygen"]).await?;
    assert_ne!(another.well(), ended.out);
    assert!(
        shop.run(&["keygen", "--json"])
            .await?
            .out
            .starts_with("{\"secret\":\"")
    );
    Ok(())
}

#[tokio::test]
async fn help_and_version_need_nobody() -> anyhow::Result<()> {
    let shop = Shop::of("help")?;
    for line in [&["--help"][..], &["help", "call"], &["doctor", "-h"]] {
        assert!(shop.run(line).await?.well().contains("Usage: fly-rpc"));
    }
    assert!(
        shop.run(&["--version"])
            .await?
            .well()
            .starts_with("fly-rpc ")
    );
    shop.run(&["nodse"])
        .await?
        .failed(2, "no subcommand `nodse`");
    let json = shop.run(&["nodes", "--wach", "--json"]).await?;
    assert_eq!(json.json()?["exit_code"], 2);
    Ok(())
}
