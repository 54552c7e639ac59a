//! A fake Fly: its environment, its private network and its DNS, and real processes on it. Needs the
//! right to make network namespaces, which root has; says so otherwise.

#![cfg(target_os = "linux")]

mod platform;

use platform::{APP, Machine, Platform};

/// Six machines in three regions. The primary is in `iad`.
const MACHINES: [(&str, u16, &str); 6] = [
    ("148e306f77e301", 1, "iad"),
    ("148e306f77e302", 2, "iad"),
    ("148e306f77e303", 3, "syd"),
    ("148e306f77e304", 4, "syd"),
    ("148e306f77e305", 5, "ams"),
    ("148e306f77e306", 6, "ams"),
];

/// Tells all name servers which machines run.
async fn publish(machines: &mut [Machine], running: &[usize]) -> anyhow::Result<()> {
    let entries: Vec<String> = running.iter().map(|at| machines[*at].entry()).collect();
    let zone = format!("{APP} {}", entries.join(" "));
    for machine in machines {
        machine.tell_resolver(&zone).await?;
    }
    Ok(())
}

/// Waits until each of these machines sees all others of them and nobody else.
async fn meet(machines: &mut [Machine], running: &[usize]) -> anyhow::Result<()> {
    let ids: Vec<&str> = machines.iter().map(|machine| machine.id).collect();
    for at in running {
        let others = running.iter().filter(|other| *other != at);
        let others: Vec<&str> = others.map(|other| ids[*other]).collect();
        machines[*at]
            .ask(&format!("see {}", others.join(" ")))
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn six_machines_form_a_cluster_from_the_secret_alone_and_outlive_what_fails()
-> anyhow::Result<()> {
    let Some(mut platform) = Platform::new("iad").await? else {
        println!("not tried: this process may not make network namespaces");
        return Ok(());
    };
    let mut machines = Vec::new();
    for (id, n, region) in MACHINES {
        machines.push(platform.machine(id, n, region).await?);
    }
    let all = [0, 1, 2, 3, 4, 5];
    publish(&mut machines, &all).await?;
    for machine in &mut machines {
        platform.start(machine).await?;
    }
    meet(&mut machines, &all).await?;
    machines[2].ask("write").await?;
    machines[2].ask("in ams").await?;

    // DNS is gone.
    for machine in &mut machines {
        machine.tell_resolver("go").await?;
    }
    machines[4].ask("write").await?;
    machines[0].ask(&format!("call {}", MACHINES[5].0)).await?;

    // A region is gone, and then the primary's, still without DNS.
    machines[2].kill().await?;
    machines[3].kill().await?;
    meet(&mut machines, &[0, 1, 4, 5]).await?;
    machines[4].ask("write").await?;
    machines[0].kill().await?;
    machines[1].kill().await?;
    meet(&mut machines, &[4, 5]).await?;
    machines[4].ask("cannot-write").await?;

    // DNS is back, the primary's machines too, one of them at another address.
    for machine in &mut machines {
        machine.tell_resolver("come-back").await?;
    }
    machines[0].take_address(77).await?;
    let running = [0, 1, 4, 5];
    publish(&mut machines, &running).await?;
    for at in [0, 1] {
        platform.start(&mut machines[at]).await?;
    }
    meet(&mut machines, &running).await?;
    machines[4].ask("write").await?;
    machines[5].ask(&format!("call {}", MACHINES[0].0)).await?;
    for at in running {
        machines[at].ask("stop").await?;
    }
    Ok(())
}
