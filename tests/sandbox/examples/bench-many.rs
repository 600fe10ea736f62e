// SPDX-License-Identifier: GPL-3.0-or-later
//! Measures many mailboxes of one far source, all started together; `tests/bench/many.sh` says how to run it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use sandbox::mail::plan;
use sandbox::{MAIL_MODULE_UUID, Plan, Proxy, Sandbox, Side};
use serde_json::json;

/// How often is looked who works.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Parser)]
struct Options {
    /// How many mailboxes.
    #[arg(long, default_value_t = 40)]
    mailboxes: usize,
    /// Messages in each of them.
    #[arg(long, default_value_t = 1_000)]
    messages: usize,
    /// Round-trip time to the source in milliseconds.
    #[arg(long, default_value_t = 30)]
    rtt: u64,
    /// How many runs work at once: the setting of the instance; 0 leaves it to the module.
    #[arg(long, default_value_t = 0)]
    at_once: usize,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("Load of the machine before: {}", load.trim());
    let sandbox = Sandbox::builder().supervised().unconfigured().start()?;
    sandbox.local().reconfigure(sandbox::dovecot::AS_NS8)?;
    let host = sandbox.local().address().to_string();
    let mut settings = json!({"mail_server": MAIL_MODULE_UUID, "mail_host": host});
    if options.at_once > 0 {
        settings["max_concurrent_syncs"] = options.at_once.into();
    }
    must(&sandbox, "configure-module", settings)?;
    let remote = sandbox.remote();
    let target = SocketAddr::from((remote.address(), remote.port()));
    let proxy = Proxy::start(target, Duration::from_micros(options.rtt * 500))?;
    let names: Vec<String> = (1..=options.mailboxes)
        .map(|number| format!("many{number}"))
        .collect();
    sandbox.add_accounts(&names)?;
    let mail = plan(&Plan {
        messages: options.messages,
        seed: 4,
        large_per_mille: 3,
    });
    let octets: usize = mail.iter().map(|mail| mail.content.len()).sum();
    for name in &names {
        remote.deliver(&format!("{name}@example.com"), &mail)?;
    }
    for name in &names {
        let input = sandbox.task_with(json!({
            "localuser": name,
            "remoteusername": format!("{name}@example.com"),
            "remotepassword": format!("Pw-{name}"),
            "remoteport": proxy.port(),
            "start": false,
        }));
        must(&sandbox, "create-task", input)?;
    }
    let (began, before) = (Instant::now(), busy()?);
    must(&sandbox, "start-all-tasks", json!({}))?;
    let Seen { most, runs } = wait(&sandbox, &names)?;
    let (seconds, worked) = (began.elapsed().as_secs_f64(), busy()? - before);
    for name in &names {
        let count = sandbox.server(Side::Local).count(name)?;
        ensure!(count == options.messages, "{name} has {count} messages");
    }
    let messages = options.mailboxes * options.messages;
    println!(
        "{} mailboxes, {messages} messages, {} MB, {} ms away: {seconds:.1} s, {:.0} messages/s, at most {most} runs at \
         once, processors busy for {worked:.1} s",
        options.mailboxes,
        octets * options.mailboxes / 1_000_000,
        options.rtt,
        messages as f64 / seconds,
    );
    let memory = runs.values().map(|run| run.memory);
    let processor = runs.values().map(|run| run.processor);
    println!(
        "each run, as last seen: {:.1} s of processor time, {} MiB of memory at most, {} MiB the largest of them",
        processor.sum::<f64>() / runs.len().max(1) as f64,
        median(memory.clone().collect()) / 1024,
        memory.max().unwrap_or_default() / 1024,
    );
    Ok(())
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What was seen of the runs.
#[derive(Default)]
struct Seen {
    /// The most that worked at once.
    most: usize,
    runs: BTreeMap<String, Run>,
}

/// What a run took.
struct Run {
    /// At most, in KiB.
    memory: u64,
    /// In seconds.
    processor: f64,
}

impl Run {
    /// Of a process that is at work.
    fn of(process: u32) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let times = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name of the program, in brackets, may have blanks in it; user and system time are the 14th and 15th (proc(5)).
        let (_, times) = times.rsplit_once(')')?;
        let times = times.split_whitespace().skip(11).take(2);
        let ticks: f64 = times.filter_map(|time| time.parse::<f64>().ok()).sum();
        Some(Self {
            memory: memory.trim().trim_end_matches(" kB").parse().ok()?,
            processor: ticks / 100.0,
        })
    }
}

fn must(sandbox: &Sandbox, action: &str, input: serde_json::Value) -> anyhow::Result<()> {
    let outcome = sandbox.action(action, input)?;
    ensure!(outcome.is_ok(), "{outcome:?}");
    Ok(())
}

/// Waits for the end of all runs, which must be good ones.
fn wait(sandbox: &Sandbox, names: &[String]) -> anyhow::Result<Seen> {
    let mut left: BTreeSet<String> = names.iter().map(|name| format!("{name}_abc123")).collect();
    let mut seen = Seen::default();
    while !left.is_empty() {
        std::thread::sleep(LOOK);
        let running: Vec<&String> = left.iter().filter(|task| sandbox.is_running(task)).collect();
        seen.most = seen.most.max(running.len());
        for task in running {
            let process = std::fs::read_to_string(sandbox.task_file(task, "pid")).unwrap_or_default();
            let process = process
                .split_whitespace()
                .next()
                .and_then(|text| text.parse().ok());
            if let Some(run) = process.and_then(Run::of) {
                seen.runs.insert(task.clone(), run);
            }
        }
        let mut ended = vec![];
        for task in &left {
            let Ok(status) = std::fs::read_to_string(sandbox.task_file(task, "status")) else {
                continue;
            };
            ensure!(status.lines().nth(1) == Some("0"), "{}", sandbox.log(task));
            ended.push(task.clone());
        }
        for task in ended {
            left.remove(&task);
        }
    }
    Ok(seen)
}

/// How long the processors have worked since the start of the machine, in seconds.
fn busy() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("/proc/stat is empty")?;
    let times: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .map_while(|time| time.parse().ok())
        .collect();
    let sum: f64 = [0, 1, 2, 5, 6].iter().filter_map(|&index| times.get(index)).sum();
    Ok(sum / 100.0)
}
