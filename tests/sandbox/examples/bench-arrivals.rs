// SPDX-License-Identifier: GPL-3.0-or-later
//! Measures what it takes to listen to the sources of many tasks; `tests/bench/arrivals.sh` says how to run it.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::Parser;
use sandbox::{MAIL_MODULE_UUID, Sandbox, wait_until};
use serde_json::{Value, json};

/// The task that the others are copies of.
const FIRST: &str = "u1_abc123";
/// What Dovecot needs for so many connections.
const LIMITS: &str =
    "default_process_limit = 2000\ndefault_client_limit = 8000\nservice imap {\n  process_limit = 2000\n}\n";

#[derive(Parser)]
struct Options {
    /// How many tasks.
    #[arg(long, default_value_t = 500)]
    tasks: usize,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let sandbox = Sandbox::builder().supervised().unconfigured().start()?;
    sandbox.remote().reconfigure(LIMITS)?;
    let host = sandbox.local().address().to_string();
    let settings = json!({"mail_server": MAIL_MODULE_UUID, "mail_host": host});
    let configured = sandbox.action("configure-module", settings)?;
    ensure!(configured.is_ok(), "{configured:?}");
    sandbox.sync(sandbox.task_input())?;
    let empty = memory(&sandbox)?;
    sandbox.listen_to("u1", "abc123", true)?;
    copy(&sandbox, options.tasks)?;
    let begun = Instant::now();
    wait_until("all to be listened to", || watched(&sandbox) == options.tasks)?;
    wait_until("the first runs to end", || waiting(&sandbox) == 0)?;
    let full = memory(&sandbox)?;
    println!(
        "{} tasks are listened to after {:.0} s. The supervisor has {:.1} MiB of its own, {:.1} MiB with its program; \
         without tasks {:.1} and {:.1} MiB.",
        options.tasks,
        begun.elapsed().as_secs_f64(),
        full.own,
        full.all,
        empty.own,
        empty.all,
    );
    Ok(())
}

/// Makes as many tasks of the first one, each of another mailbox.
fn copy(sandbox: &Sandbox, tasks: usize) -> anyhow::Result<()> {
    let users: Vec<String> = (1..tasks).map(|number| format!("l{number:04}")).collect();
    sandbox.add_accounts(&users)?;
    let file = |name: &str, ending: &str| sandbox.task_file(name, ending);
    let env = fs::read_to_string(file(FIRST, "env"))?;
    for user in &users {
        let name = format!("{user}_x");
        let mut text = String::new();
        for line in env.lines() {
            let line = match line.split_once('=') {
                Some(("TASK_ID", _)) => "TASK_ID=x".to_owned(),
                Some(("LOCALUSER", _)) => format!("LOCALUSER={user}"),
                Some(("REMOTEUSERNAME", _)) => format!("REMOTEUSERNAME={user}@example.com"),
                _ => line.to_owned(),
            };
            text.push_str(&line);
            text.push('\n');
        }
        fs::write(file(&name, "pwd"), format!("Pw-{user}"))?;
        fs::copy(file(FIRST, "json"), file(&name, "json"))?;
        fs::write(file(&name, "env"), text)?;
    }
    Ok(())
}

fn record(sandbox: &Sandbox, name: &str) -> Value {
    let path = sandbox.node().state().join("imapsync/.queue").join(name);
    let text = fs::read(path).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn watched(sandbox: &Sandbox) -> usize {
    let record = record(sandbox, "arrivals.json");
    let tasks = record["tasks"].as_object().into_iter().flatten();
    tasks.filter(|(_, task)| task["state"] == "watching").count()
}

fn waiting(sandbox: &Sandbox) -> usize {
    let queue = record(sandbox, "queue.json");
    queue["entries"].as_array().map_or(0, Vec::len)
}

/// In MiB.
struct Memory {
    own: f64,
    all: f64,
}

/// What the supervisor takes.
fn memory(sandbox: &Sandbox) -> anyhow::Result<Memory> {
    let container = sandbox.node().container();
    let process = fs::read_dir("/proc")?
        .flatten()
        .map(|entry| entry.path())
        .find(|process| is_supervisor(process, &container));
    let process = process.context("no supervisor is at work")?;
    let status = fs::read_to_string(process.join("status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kilobytes / 1024.0)
    };
    Ok(Memory {
        own: field("RssAnon:").context("no RssAnon")?,
        all: field("VmRSS:").context("no VmRSS")?,
    })
}

fn is_supervisor(process: &Path, container: &Path) -> bool {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|&octet| octet == 0).collect();
    let ours = String::from_utf8_lossy(&environment).contains(&*container.to_string_lossy())
        || String::from_utf8_lossy(&line).contains(&*container.to_string_lossy());
    ours && words.get(1) == Some(&b"serve".as_slice())
}
