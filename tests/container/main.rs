// SPDX-License-Identifier: GPL-3.0-or-later
//! The module with a real container: its own unit's command lines run its own image, built on a local base.
//!
//! `test-module.sh` runs this with the static program. Where no container can run, one line says so, and what the
//! sandbox's stand-in for the container can show is shown with that.

mod engine;
mod images;
mod node;
mod questions;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::{HelperOutcome, NewMail, Side, wait_until};
use serde_json::json;

use node::Node;

const TASK: &str = "u1_abc123";
const USER: &str = "r1@example.com";

#[test]
fn the_container_does_what_the_description_says() -> anyhow::Result<()> {
    let node = Node::start()?;
    let sandbox = &node.sandbox;
    sandbox.remote().deliver(USER, &[NewMail::new("first@x")])?;
    sandbox.sync(sandbox.task_input())?;
    let arrived = || sandbox.mailbox(Side::Local, "u1").map(|mail| mail["INBOX"].len());
    ensure!(arrived()? == 1, "{}", node.journal());
    let engine = sandbox.syncctl(&["engine"])?;
    ensure!(engine.stdout.contains("\"engine\":\"native\""), "{engine:?}");
    // No schedule yet: nothing else starts a run meanwhile.
    verbs(&node)?;
    sandbox.sync(sandbox.task_with(json!({"cron": "1m"})))?;

    // Files of the administrator, next to those of the module, as the description has them but for the time.
    let state = sandbox.node().state();
    let script = state.join("imapsync/script.custom");
    fs::write(&script, "#!/bin/sh\nid -u > /etc/imapsync/ran.custom\n")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let readme = fs::read_to_string(sandbox::project().join("README.md"))?;
    let line = readme.lines().find_map(|line| line.trim().strip_prefix("1 */1 "));
    let line = format!("*/1 * {}\n", line.context("the README shows no cron line")?);
    let cron_file = state.join("cron/mine.custom");
    fs::write(&cron_file, &line)?;

    sandbox.remote().deliver(USER, &[NewMail::new("second@x")])?;
    node.wait("cron to fetch a message", || {
        arrived().is_ok_and(|count| count == 2)
    })?;
    if node.real {
        let ran = state.join("imapsync/ran.custom");
        node.wait("the script of the administrator", || {
            fs::read_to_string(&ran).is_ok_and(|text| text == "0\n")
        })?;
        journal_and_walls(&node)?;
    }

    // All at once.
    sandbox.sync(sandbox.task_with(json!({"localuser": "u2"})))?;
    let runs = [TASK, "u2_abc123"].map(|task| sandbox.mark_run(task));
    let all = sandbox.action("start-all-tasks", json!({}))?;
    ensure!(all.is_ok(), "{all:?}");
    runs.iter().try_for_each(|run| sandbox.wait_for_run(run))?;

    // A schedule that is taken away, and a restart, leave what is the administrator's.
    sandbox.sync(sandbox.task_input())?;
    wait_until("the runs that cron has started", || !sandbox.is_running(TASK))?;
    let restarted = sandbox.helper("systemctl", &["--user", "restart", "imapsync.service"])?;
    ensure!(restarted.exit_code == 0, "{restarted:?}");
    let status = sandbox.syncctl(&["status", TASK])?;
    ensure!(status.stdout == "Stopped\n", "{status:?}");
    ensure!(fs::read_to_string(&cron_file)? == line && script.exists());
    ensure!(!state.join("cron").join(format!("{TASK}.cron")).exists());
    if node.real {
        as_the_readme_says(&node, &readme)?;
        stopping(&node)?;
    }
    Ok(())
}

/// The verbs of syncctl, the way the actions call them.
fn verbs(node: &Node) -> anyhow::Result<()> {
    let sandbox = &node.sandbox;
    let status = sandbox.syncctl(&["status", TASK])?;
    ensure!(
        status.exit_code == 0 && status.stdout == "Stopped\n",
        "{status:?}"
    );
    let started = sandbox.syncctl(&["start", TASK])?;
    ensure!(started.exit_code == 0, "{started:?}");
    ensure!(
        started
            .stdout
            .contains(&format!("{TASK}: 0 messages transferred, exit code 0")),
        "{started:?}"
    );
    let validation = sandbox.syncctl(&["validation", TASK])?;
    ensure!(
        validation.stdout.matches("\"status\":\"ok\"").count() == 2,
        "{validation:?}"
    );
    let counted = sandbox.syncctl(&["list-informations", TASK])?;
    ensure!(counted.stdout.contains("\"host2Messages\":1"), "{counted:?}");
    for (words, code) in [(&["start", "nobody_x"][..], 66), (&["start"], 2), (&[], 2)] {
        let refused = sandbox.syncctl(words)?;
        ensure!(
            refused.exit_code == code && !refused.stderr.is_empty(),
            "{words:?}: {refused:?}"
        );
    }
    let stopped = sandbox.syncctl(&["stop", TASK])?;
    ensure!(stopped.exit_code == 0, "{stopped:?}");
    Ok(())
}

/// What the stand-in has nothing of: crond itself, the journal, the walls of the container.
fn journal_and_walls(node: &Node) -> anyhow::Result<()> {
    let main = node.podman(&["exec", "imapsync", "cat", "/proc/1/cmdline"])?;
    ensure!(
        main.stdout.replace('\0', " ").trim_end() == "/usr/local/bin/syncctl serve -- crond -f -m off",
        "{main:?}"
    );
    let log = node.podman(&["logs", "imapsync"])?;
    for (count, what) in [(1, "the run at the creation"), (0, "the run by hand")] {
        let line = format!("{TASK}: {count} messages transferred, exit code 0");
        ensure!(log.stdout.contains(&line), "{what}: {log:?}");
    }
    let summaries = log.stdout.matches("messages transferred").count();
    ensure!(summaries >= 3, "cron's run as well: {log:?}");
    ensure!(log.stderr.contains("there is no task nobody_x"), "{log:?}");
    let health = node.podman(&["healthcheck", "run", "imapsync"])?;
    ensure!(health.exit_code == 0, "{health:?}");
    let outside = node.podman(&["exec", "imapsync", "touch", "/usr/local/bin/x"])?;
    ensure!(
        outside.exit_code != 0 && outside.stderr.contains("Read-only"),
        "{outside:?}"
    );
    let rights = node.podman(&["exec", "imapsync", "grep", "CapBnd", "/proc/1/status"])?;
    // DAC_OVERRIDE, KILL, SETGID and SETUID are capabilities 1, 5, 6 and 7 (capabilities(7)).
    ensure!(
        rights.stdout.trim_end().ends_with("00000000000000e2"),
        "{rights:?}"
    );
    Ok(())
}

/// Every line of the description that calls podman, word for word but for the task's name, in a terminal.
fn as_the_readme_says(node: &Node, readme: &str) -> anyhow::Result<()> {
    let lines: Vec<String> = readme
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("podman exec "))
        .map(|line| line.replace("foo_a1j44r", TASK))
        .collect();
    let said = |line: &str| -> anyhow::Result<HelperOutcome> {
        node.sandbox
            .helper("script", &["-q", "-e", "-c", line, "/dev/null"])
    };
    for (verb, expected) in [("start", "exit code 0"), ("stop", ""), ("status", "Stopped")] {
        let line = lines.iter().find(|line| line.contains(verb)).context(verb)?;
        let outcome = said(line)?;
        ensure!(
            outcome.exit_code == 0 && outcome.stdout.contains(expected),
            "{line}: {outcome:?}"
        );
    }
    Ok(())
}

/// A run that hangs is stopped from outside the container, gently and, where that does not help, by force.
fn stopping(node: &Node) -> anyhow::Result<()> {
    let sandbox = &node.sandbox;
    let gate = TcpListener::bind("127.0.0.1:0")?;
    let env = sandbox.task_file(TASK, "env");
    let text = fs::read_to_string(&env)?
        .replace(
            &format!("REMOTEHOSTNAME={}\n", sandbox.remote().address()),
            "REMOTEHOSTNAME=127.0.0.1\n",
        )
        .replace(
            &format!("REMOTEPORT={}\n", sandbox.remote().port()),
            &format!("REMOTEPORT={}\n", gate.local_addr()?.port()),
        );
    fs::write(&env, text)?;
    let status = fs::read(sandbox.task_file(TASK, "status"))?;
    for frozen in [false, true] {
        let reference = json!({"localuser": "u1", "task_id": "abc123"});
        let started = sandbox.action("start-task", reference.clone())?;
        ensure!(started.is_ok(), "{started:?}");
        wait_until("the run", || sandbox.task_file(TASK, "progress").exists())?;
        let running = sandbox.syncctl(&["status", TASK])?;
        ensure!(running.stdout == "Running\n", "{running:?}");
        if frozen {
            kill_process(on_the_host(TASK)?, Signal::STOP)?;
        }
        let stopped = sandbox.action("stop-task", reference)?;
        ensure!(stopped.is_ok() && !sandbox.is_running(TASK), "{stopped:?}");
        ensure!(fs::read(sandbox.task_file(TASK, "status"))? == status);
        for gone in ["timestamp", "progress", "pid"] {
            ensure!(!sandbox.task_file(TASK, gone).exists(), "{gone} is still there");
        }
    }
    Ok(())
}

/// The process that runs a task, as the host numbers it.
fn on_the_host(task: &str) -> anyhow::Result<Pid> {
    let wanted = format!("syncctl\0run\0--\0{task}\0");
    let mut processes = fs::read_dir("/proc")?.flatten();
    let pid = processes.find_map(|entry| {
        let words = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        (words == wanted).then(|| entry.file_name().to_str()?.parse().ok())?
    });
    pid.and_then(Pid::from_raw).context("the run has no process")
}
