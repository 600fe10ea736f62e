// SPDX-License-Identifier: GPL-3.0-or-later
//! What Prometheus scrapes, and what the cluster is told about it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use anyhow::ensure;
use sandbox::{Sandbox, wait_until};
use serde_json::json;

use crate::support::action_output;

const RULES: &str = "imageroot/etc/metrics/alert-rules.yml";

/// Debian's prometheus package has it.
fn promtool(arguments: &[&str], input: &str) -> anyhow::Result<Option<(bool, String)>> {
    let child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("promtool is not installed (package prometheus), so it checks nothing here");
        return Ok(None);
    };
    child.stdin.take().unwrap().write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok(Some((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )))
}

#[test]
fn the_exposition_tells_what_the_tasks_do() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.sync(sandbox.task_input())?;
    let failing = sandbox.task_with(json!({"localuser": "u2", "task_id": "f1", "start": false}));
    action_output(&sandbox, "create-task", failing)?;
    std::fs::write(sandbox.task_file("u2_f1", "pwd"), "wrong")?;
    sandbox.sync_again("u2", "f1")?;
    std::fs::write(sandbox.task_file("u3_damaged", "env"), "REMOTEPORT=x\n")?;
    let text = sandbox.syncctl(&["metrics"])?.stdout;
    for line in [
        "imapsync_tasks{state=\"idle\"} 2",
        "imapsync_tasks_last_result{result=\"ok\"} 1",
        "imapsync_tasks_last_result{result=\"bad_user_credentials\"} 1",
        "imapsync_task_last_run_failed{task=\"u1_abc123\"} 0",
        "imapsync_task_last_run_failed{task=\"u2_f1\"} 1",
        "imapsync_tasks_unreadable 1",
        "imapsync_queue_length 0",
        "# EOF",
    ] {
        ensure!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
    let facts = action_output(&sandbox, "get-facts", json!({}))?;
    for (fact, count) in [
        ("tasks_total_count", 3),
        ("tasks_failing_count", 1),
        ("tasks_login_refused_count", 1),
        ("tasks_unreadable_count", 1),
    ] {
        ensure!(facts[fact] == count, "{fact} in {facts}");
    }
    ensure!(!text.contains("wrong") && !text.contains("Pw-r1!"));
    if let Some((good, said)) = promtool(&["check", "metrics"], &text)? {
        ensure!(good && said.trim().is_empty(), "{said}");
    }
    Ok(())
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_exposition_is_served_over_http() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let program = sandbox.node().install_dir().join("bin/ns8-imapsync");
    let server = Command::new(program)
        .args(["syncctl", "metrics", "--listen", &free.to_string()])
        .env("IMAPSYNC_DIR", sandbox.node().state().join("imapsync"))
        .spawn()?;
    let _server = Server(server);
    wait_until("the server", || TcpStream::connect(free).is_ok())?;
    let ask = |address: SocketAddr, path: &str| -> anyhow::Result<String> {
        let mut connection = TcpStream::connect(address)?;
        write!(
            connection,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask(free, "/metrics")?;
    ensure!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("openmetrics-text"),
        "{answer}"
    );
    ensure!(answer.contains("imapsync_tasks{state=\"idle\"} 0"), "{answer}");
    ensure!(ask(free, "/u1_abc123.pwd")?.starts_with("HTTP/1.1 404"));
    Ok(())
}

#[test]
fn an_instance_with_a_port_tells_the_cluster_where_its_metrics_are() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let redis = |words: &[&str]| -> anyhow::Result<String> { Ok(sandbox.redis().command(words)?.join("\n")) };
    let state = sandbox.node().state();
    let publish = || sandbox.helper("publish-metrics", &[]);
    ensure!(publish()?.exit_code == 0);
    assert_eq!(std::fs::read_to_string(state.join("metrics.env"))?, "");

    let node = redis(&["HGET", "cluster/module_node", "mail1"])?;
    redis(&["HSET", &format!("node/{node}/vpn"), "ip_address", "10.5.4.1"])?;
    let environment = state.join("environment");
    let before = std::fs::read_to_string(&environment)?;
    std::fs::write(&environment, format!("{before}TCP_PORT=20033\n"))?;
    let outcome = publish()?;
    assert_eq!(outcome.exit_code, 0, "{outcome:?}");
    assert_eq!(
        std::fs::read_to_string(state.join("metrics.env"))?,
        "PUBLISH=--publish=20033:9187\n"
    );
    let published = |key: &str| redis(&["HGET", &format!("module/imapsync1/{key}"), "imapsync"]);
    let target = published("metrics_targets")?;
    ensure!(
        target.contains("10.5.4.1:20033") && target.contains("module_id: imapsync1"),
        "{target}"
    );
    let rules = published("metrics_alert_rules")?;
    assert_eq!(rules.trim(), std::fs::read_to_string(RULES)?.trim());
    let dashboard: serde_json::Value = serde_json::from_str(&published("metrics_dashboards")?)?;
    assert_eq!(dashboard["uid"], "ns8-imapsync");
    Ok(())
}

#[test]
fn the_alert_rules_are_sound_in_both_languages() -> anyhow::Result<()> {
    let rules = std::fs::read_to_string(RULES)?;
    let alerts = rules.matches("- alert:").count();
    for name in [
        "summary_en",
        "summary_it",
        "description_en",
        "description_it",
        "severity",
    ] {
        assert_eq!(rules.matches(&format!(" {name}:")).count(), alerts, "{name}");
    }
    for arguments in [
        ["check", "rules", RULES],
        ["test", "rules", "tests/it/alert-rules.test.yml"],
    ] {
        if let Some((good, said)) = promtool(&arguments, "")? {
            ensure!(good, "{said}");
        }
    }
    Ok(())
}
