// SPDX-License-Identifier: GPL-3.0-or-later
//! The fields of a task.

use serde_json::{Value, json};

use super::{LONG, no_names, no_texts, refused, with, with_a_task};
use crate::support::action_output;

/// A field of create-task and a value that is refused.
fn bad_fields() -> Vec<(&'static str, Value)> {
    let mut bad = Vec::new();
    for name in no_names().into_iter().filter(|name| !name.is_empty()) {
        bad.push(("task_id", json!(name)));
        bad.push(("localuser", json!(name)));
    }
    for text in ["a\nb", "a\0b", "\u{1b}", "a\u{2028}b"] {
        for field in [
            "remoteusername",
            "remotehostname",
            "remotepassword",
            "exclude",
            "cron",
            "security",
        ] {
            bad.push((field, json!(text)));
        }
    }
    for host in [
        "a b",
        "a/b",
        "h:143",
        "*",
        "$(id)",
        "a'b",
        "256.1.1.1",
        "[::1",
        "::1::",
        "-x.y",
    ] {
        bad.push(("remotehostname", json!(host)));
    }
    for cron in ["0m", "61m", "25h", "1d", "01m", "* * * * *", "5m\n", "$(id)"] {
        bad.push(("cron", json!(cron)));
    }
    for patterns in ["(", "[", "*", "a,,b", ",,"] {
        bad.push(("exclude", json!(patterns)));
    }
    for port in [0, -1, 65_536, i64::MAX] {
        bad.push(("remoteport", json!(port)));
    }
    for field in ["remoteusername", "remotepassword", "exclude", "certificate"] {
        bad.push((field, json!("x".repeat(LONG * 4))));
    }
    bad.extend([
        ("delete_remote_older", json!(-1)),
        ("foldersynchronization", json!("everything")),
        ("security", json!("starttls")),
        ("certificate", json!("zz")),
    ]);
    for field in ["delete_local", "delete_remote", "sieve_enabled", "start"] {
        bad.push((field, json!("yes")));
    }
    for field in [
        "task_id",
        "localuser",
        "remoteusername",
        "remotehostname",
        "remotepassword",
        "exclude",
        "cron",
    ] {
        bad.extend(no_texts().map(|value| (field, value)));
    }
    bad
}

#[test]
fn what_is_wrong_with_a_task_is_refused_by_whoever_takes_its_fields() -> anyhow::Result<()> {
    let sandbox = with_a_task()?;
    let before = sandbox.state_files()?;
    let good = sandbox.task_input();
    let bad = bad_fields();
    for (field, value) in &bad {
        refused(&sandbox, "create-task", &with(&good, field, value.clone()), field)?;
    }
    for action in ["validate-task", "browse-folders"] {
        // They share the code; one value of each field tells that they do.
        let mut seen = std::collections::HashSet::new();
        for (field, value) in bad.iter().filter(|(field, _)| seen.insert(*field)) {
            refused(&sandbox, action, &with(&good, field, value.clone()), field)?;
        }
    }
    for (mode, user) in [("check", "u2"), ("skip", "u2"), ("update", "u1")] {
        let good = with(&good, "localuser", user.into());
        let rows: Vec<Value> = bad
            .iter()
            .map(|(field, value)| with(&good, field, value.clone()))
            .collect();
        let output = action_output(&sandbox, "import-tasks", json!({"mode": mode, "tasks": rows}))?;
        assert_eq!(output["refused"], rows.len(), "{mode}: {output:#}");
        for (result, (field, value)) in output["results"].as_array().unwrap().iter().zip(&bad) {
            assert_eq!(
                result["errors"][0]["parameter"], *field,
                "{mode} {field} {value}: {result}"
            );
        }
    }
    assert_eq!(sandbox.state_files()?, before);
    for (field, value) in [
        ("mode", json!("replace")),
        ("mode", json!(1)),
        ("tasks", json!("x")),
        ("tasks", json!({})),
    ] {
        refused(
            &sandbox,
            "import-tasks",
            &with(&json!({"mode": "skip", "tasks": []}), field, value),
            field,
        )?;
    }
    Ok(())
}

#[test]
fn a_change_of_many_tasks_is_refused_as_a_whole_when_it_is_unsound() -> anyhow::Result<()> {
    let sandbox = with_a_task()?;
    let before = sandbox.state_files()?;
    let good = json!({"tasks": [{"localuser": "u1", "task_id": "abc123"}]});
    let fields = ["cron", "foldersynchronization", "exclude", "remotepassword"];
    for (field, value) in bad_fields()
        .into_iter()
        .filter(|(field, _)| fields.contains(field))
    {
        refused(&sandbox, "update-tasks", &with(&good, field, value), field)?;
    }
    assert_eq!(sandbox.state_files()?, before);
    Ok(())
}
