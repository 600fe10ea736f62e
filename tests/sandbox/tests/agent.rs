// SPDX-License-Identifier: GPL-3.0-or-later
//! The agent against actions made of shell scripts: what every module may rely on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sandbox::{Agent, MARK, Node, Outcome, wait_until};
use serde_json::json;
use tempfile::TempDir;

/// A node of nothing but folders, for the agent needs no servers.
fn node() -> (TempDir, Node) {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::new(dir.path());
    std::fs::create_dir_all(node.state()).unwrap();
    let path = format!("{}/bin:/usr/bin:/bin", node.install_dir().display());
    node.environment = [
        ("PATH", path.as_str()),
        ("AGENT_ID", "module/imapsync1"),
        (MARK, "unit test"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    (dir, node)
}

fn script(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

fn step(node: &Node, path: &str, text: &str) {
    script(&node.install_dir().join("actions").join(path), text);
}

fn run(node: &Node, action: &str, input: serde_json::Value) -> Outcome {
    Agent::new(node).action(action, &input).unwrap()
}

#[test]
fn steps_run_in_order_and_those_of_the_platform_are_merged_by_name() {
    let (_dir, node) = node();
    step(&node, "create-module/20ours", "echo '\"ours\"]'");
    script(
        &node.base().join("platform/actions/create-module/05first"),
        "echo '[\"first\",'",
    );
    script(
        &node.base().join("platform/actions/create-module/10second"),
        "echo '\"second\",'",
    );
    std::fs::write(
        node.install_dir().join("actions/create-module/15notes"),
        "not executable",
    )
    .unwrap();
    let outcome = run(&node, "create-module", json!({}));
    assert_eq!(outcome.output, json!(["first", "second", "ours"]));
    assert_eq!((outcome.exit_code, outcome.status), (0, "completed"));
}

#[test]
fn a_step_sees_its_input_its_folder_and_the_environment_read_anew_before_it() {
    let (_dir, node) = node();
    step(
        &node,
        "probe/10write",
        "cat > input; echo 'MAIL_HOST=10.5.4.1' > environment",
    );
    step(
        &node,
        "probe/20read",
        r#"printf '{"cwd":"%s","host":"%s","fd":"%s","action":"%s","self":"%s"}' "$PWD" "$MAIL_HOST" "$AGENT_COMFD" "$AGENT_TASK_ACTION" "$0""#,
    );
    let outcome = run(&node, "probe", json!({"a": 1}));
    let expected = json!({
        "cwd": node.state(),
        "host": "10.5.4.1",
        "fd": "3",
        "action": "probe",
        "self": node.install_dir().join("actions/probe/20read"),
    });
    assert_eq!(outcome.output, expected);
    assert_eq!(
        std::fs::read_to_string(node.state().join("input")).unwrap(),
        r#"{"a":1}"#
    );
}

#[test]
fn a_refusal_keeps_its_exit_code_or_gets_ten() {
    let (_dir, node) = node();
    let refuse = r#"echo 'set-status validation-failed' >&$AGENT_COMFD; echo '[{"error":"no"}]'; exit "#;
    step(&node, "own/10step", &format!("{refuse}3"));
    step(&node, "zero/10step", &format!("{refuse}0"));
    step(&node, "zero/20never", "echo never");
    for (action, exit_code) in [("own", 3), ("zero", 10)] {
        let outcome = run(&node, action, json!({}));
        assert_eq!(
            (outcome.exit_code, outcome.status),
            (exit_code, "validation-failed")
        );
        assert_eq!(outcome.errors(), ["no"]);
    }
}

#[test]
fn a_failed_step_ends_the_action_and_an_unknown_action_is_the_agents_own_failure() {
    let (_dir, node) = node();
    step(&node, "fail/10step", "echo oops >&2; exit 5");
    step(&node, "fail/20never", "echo never");
    let outcome = run(&node, "fail", json!({}));
    assert_eq!((outcome.exit_code, outcome.status), (5, "aborted"));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", "oops\n"));
    assert_eq!(run(&node, "nothing", json!({})).exit_code, 8);
}

#[test]
fn schemas_are_checked_before_the_first_and_after_the_last_step() {
    let (_dir, node) = node();
    step(&node, "checked/10step", "touch ran; cat");
    let schema = |name: &str, text: &str| {
        std::fs::write(node.install_dir().join("actions/checked").join(name), text).unwrap();
    };
    schema("validate-input.json", r#"{"type":"object","required":["a"]}"#);
    schema(
        "validate-output.json",
        r#"{"properties":{"a":{"type":"integer"}}}"#,
    );
    let outcome = run(&node, "checked", json!({}));
    assert_eq!((outcome.exit_code, outcome.status), (10, "validation-failed"));
    assert!(!node.state().join("ran").exists());
    assert!(run(&node, "checked", json!({"a": 1})).is_ok());
    let outcome = run(&node, "checked", json!({"a": "one"}));
    assert_eq!(outcome.status, "aborted");
    assert!(outcome.stderr.contains("a_invalid_type"), "{}", outcome.stderr);
}

#[test]
fn the_agent_waits_for_whoever_holds_a_descriptor() {
    let (_dir, node) = node();
    step(
        &node,
        "leaky/10step",
        "(sleep 0.4; touch late) > /dev/null 2>&1 &",
    );
    let wait = "(while [ ! -e go ]; do sleep 0.05; done) > /dev/null 2>&1 3>&- &";
    step(&node, "tight/10step", wait);
    assert!(run(&node, "leaky", json!({})).is_ok());
    assert!(node.state().join("late").exists());
    // This one is still waiting when the action is over.
    assert!(run(&node, "tight", json!({})).is_ok());
    std::fs::write(node.state().join("go"), "").unwrap();
}

#[test]
fn cancelling_ends_the_whole_group_of_the_step() {
    let (_dir, node) = node();
    step(&node, "long/10step", "echo 'set-progress 7' >&3; sleep 60");
    step(&node, "long/20never", "touch never");
    let running = Agent::new(&node).start_action("long", &json!({})).unwrap();
    wait_until("the first progress", || !running.commands().is_empty()).unwrap();
    running.cancel();
    let outcome = running.wait().unwrap();
    assert_eq!((outcome.exit_code, outcome.status), (-1, "aborted"));
    assert_eq!(outcome.commands, [["set-progress", "7"]]);
    assert!(!node.state().join("never").exists());
}

#[test]
fn events_and_helpers_run_in_the_agents_environment() {
    let (_dir, node) = node();
    script(
        &node.install_dir().join("events/changed/10handle"),
        "cat >&$AGENT_COMFD; exit 4",
    );
    script(
        &node.install_dir().join("bin/help-me"),
        "echo \"$AGENT_ID $1\"; cat",
    );
    let agent = Agent::new(&node);
    let event = agent.event("changed", &json!({"module_uuid": "x"})).unwrap();
    assert_eq!(
        (event.exit_code, event.stderr.as_str()),
        (4, r#"{"module_uuid":"x"}"#)
    );
    let helper = agent.helper("help-me", &["now"], b"in").unwrap();
    assert_eq!(
        (helper.exit_code, helper.stdout.as_str()),
        (0, "module/imapsync1 now\nin")
    );
}
