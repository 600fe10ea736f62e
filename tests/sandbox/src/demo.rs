// SPDX-License-Identifier: GPL-3.0-or-later
//! The demonstration: a whole mailbox is pulled, watched, and compared message by message.

mod compare;
pub mod oauth;
mod table;

use std::io::{IsTerminal, Write, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::mail::{Plan, plan};
use crate::{MAIL_MODULE_UUID, Mailbox, Sandbox, Side};

pub use compare::differences;
pub use table::table;

const USER: &str = "r1@example.com";
const LOCAL_USER: &str = "u1";
const TASK: &str = "u1_demo01";

/// Runs the demonstration with so many messages; `Ok(true)` means that both sides agree.
pub fn run(imageroot: Option<&Path>, messages: usize) -> anyhow::Result<bool> {
    say("Starting a node: two mail servers, Redis, the cluster's API, the agent");
    let mut builder = Sandbox::builder().unconfigured();
    if let Some(dir) = imageroot {
        builder = builder.imageroot(dir);
    }
    let sandbox = builder.start()?;
    sandbox.add_mail(
        Side::Remote,
        USER,
        &plan(&Plan {
            messages,
            ..Plan::default()
        }),
    )?;

    say("configure-module: the mail server of the node");
    let settings = json!({
        "mail_server": MAIL_MODULE_UUID,
        "mail_host": sandbox.local().address().to_string(),
    });
    act(&sandbox, "configure-module", settings)?;

    let remote = sandbox.mailbox(Side::Remote, USER)?;
    println!(
        "\nBefore\n{}",
        table(&remote, &sandbox.mailbox(Side::Local, LOCAL_USER)?)
    );

    say(&format!("create-task: everything of {USER} goes to {LOCAL_USER}"));
    let mark = sandbox.mark_run(TASK);
    let input = sandbox.task_with(json!({"task_id": "demo01"}));
    let started = Instant::now();
    act(&sandbox, "create-task", input)?;
    watch(&sandbox, messages)?;
    sandbox.wait_for_run(&mark)?;
    let elapsed = started.elapsed();

    let local = sandbox.mailbox(Side::Local, LOCAL_USER)?;
    println!("\nAfter\n{}", table(&remote, &local));
    let tasks = act(&sandbox, "list-tasks", json!({}))?;
    println!(
        "list-tasks\n{}\n",
        serde_json::to_string_pretty(&tasks["user_properties"])?
    );
    let exit_code = last_exit_code(&tasks);
    if exit_code != Some(0) {
        println!("{}", sandbox.log(TASK));
        bail!("the run ended with exit code {exit_code:?}");
    }
    report(&remote, &local, elapsed);

    say("start-task: a second run, nothing has changed");
    let started = Instant::now();
    sandbox.sync_again(LOCAL_USER, "demo01")?;
    let elapsed = started.elapsed();
    let again = sandbox.mailbox(Side::Local, LOCAL_USER)?;
    let copied = uids(&again).saturating_sub(uids(&local));
    println!("{copied} messages copied, {:.2} s", elapsed.as_secs_f64());

    // Both sides are read afresh: nothing that was seen before the run counts.
    let found = differences(&sandbox.mailbox(Side::Remote, USER)?, &again);
    for difference in found.iter().take(20) {
        println!("differs: {difference}");
    }
    let agree = found.is_empty() && again == local;
    match agree {
        true => println!("\nBoth sides agree message by message: content, flags and date of arrival."),
        false => println!(
            "\nThe two sides differ in {} places.\n{}",
            found.len(),
            sandbox.log(TASK)
        ),
    }
    Ok(agree)
}

fn say(line: &str) {
    println!("==> {line}");
}

fn act(sandbox: &Sandbox, action: &str, input: Value) -> anyhow::Result<Value> {
    let outcome = sandbox.action(action, input)?;
    if !outcome.is_ok() {
        bail!(
            "{action} ended with {} ({}):\n{}\n{}",
            outcome.exit_code,
            outcome.status,
            outcome.stdout,
            outcome.stderr
        );
    }
    Ok(outcome.output)
}

fn last_exit_code(tasks: &Value) -> Option<i64> {
    tasks["user_properties"][0]["last_sync_exit_code"].as_i64()
}

/// Shows how the mail arrives, until the run is over.
fn watch(sandbox: &Sandbox, messages: usize) -> anyhow::Result<()> {
    sandbox
        .wait_until_running(TASK)
        .or_else(|error| match sandbox.log(TASK).is_empty() {
            // A short run may be over before anyone looks.
            false => Ok(()),
            true => Err(error),
        })?;
    let on_terminal = stdout().is_terminal();
    let mut shown = usize::MAX;
    loop {
        let running = sandbox.is_running(TASK);
        let arrived = sandbox
            .local()
            .count(LOCAL_USER)
            .context("cannot count the mail that arrived")?;
        let step = if on_terminal {
            1
        } else {
            messages.div_ceil(10).max(1)
        };
        if shown == usize::MAX || arrived / step != shown / step || !running {
            let end = if on_terminal { "\r" } else { "\n" };
            print!("    {arrived}/{messages} messages{end}");
            stdout().flush()?;
            shown = arrived;
        }
        if !running {
            println!();
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn report(remote: &Mailbox, local: &Mailbox, elapsed: Duration) {
    let count = |mailbox: &Mailbox| mailbox.values().map(Vec::len).sum::<usize>();
    let bytes: u64 = local.values().flatten().map(|message| message.size).sum();
    let seconds = elapsed.as_secs_f64();
    println!(
        "{}/{} messages in {seconds:.1} s: {:.0} messages and {:.1} MB a second\n",
        count(local),
        count(remote),
        count(local) as f64 / seconds,
        bytes as f64 / 1e6 / seconds,
    );
}

/// The sum of the highest UIDs: whatever is copied, even if it is deleted again, makes it grow.
fn uids(mailbox: &Mailbox) -> u64 {
    mailbox
        .values()
        .filter_map(|messages| messages.iter().map(|message| u64::from(message.uid)).max())
        .sum()
}
