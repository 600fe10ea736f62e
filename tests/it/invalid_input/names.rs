// SPDX-License-Identifier: GPL-3.0-or-later
//! Which task an action is about.

use anyhow::ensure;
use sandbox::Outcome;
use serde_json::{Value, json};

use super::{no_names, no_texts, refused, with, with_a_task};
use crate::support::action_output;

#[test]
fn no_action_takes_a_path_or_a_pattern_for_a_task() -> anyhow::Result<()> {
    let sandbox = with_a_task()?;
    let before = sandbox.state_files()?;
    let good = json!({"localuser": "u1", "task_id": "abc123"});
    for action in [
        "start-task",
        "stop-task",
        "delete-task",
        "get-history",
        "get-log",
        "get-verification",
        "browse-folders",
        "preview-task",
        "verify-task",
    ] {
        for field in ["localuser", "task_id"] {
            for name in no_names() {
                let outcome = refused(&sandbox, action, &with(&good, field, name.into()), field)?;
                // Only the agent's own check, where a schema forbids the empty name, is another one's.
                let key = &outcome.errors()[0];
                ensure!(
                    *key == format!("{field}_invalid") || *key == format!("{field}_string_gte"),
                    "{action}: {key}"
                );
            }
            for value in no_texts() {
                refused(&sandbox, action, &with(&good, field, value), field)?;
            }
        }
        let unknown = sandbox.action(action, with(&good, "surprise", json!(1)))?;
        assert_eq!(unknown.exit_code, 10, "{action}: {unknown:#?}");
        let nothing = sandbox.action(action, json!({}))?;
        assert_eq!(
            (nothing.status, nothing.exit_code),
            (Outcome::VALIDATION_FAILED, 10),
            "{action}"
        );
    }
    assert_eq!(sandbox.state_files()?, before);
    Ok(())
}

#[test]
fn a_list_names_no_other_tasks_either_and_the_good_ones_are_handled() -> anyhow::Result<()> {
    let sandbox = with_a_task()?;
    let before = sandbox.state_files()?;
    let good = json!({"localuser": "u1", "task_id": "abc123"});
    let bad = ["localuser", "task_id"].into_iter().flat_map(|field| {
        let good = good.clone();
        no_names()
            .into_iter()
            .map(move |name| with(&good, field, name.into()))
    });
    let tasks: Vec<Value> = bad.chain([good.clone()]).collect();
    for (action, word) in [
        ("stop-task", "not_running"),
        ("update-tasks", "updated"),
        ("delete-task", "deleted"),
    ] {
        let output = action_output(&sandbox, action, json!({"tasks": tasks}))?;
        let results = output["results"].as_array().unwrap();
        assert_eq!(results.len(), tasks.len(), "{action}");
        for (result, task) in results.iter().zip(&tasks) {
            let verdict = if *task == good { word } else { "refused" };
            assert_eq!(result["result"], verdict, "{action} {task}");
        }
        if action == "update-tasks" {
            let progress = action_output(&sandbox, "get-progress", json!({"tasks": tasks}))?;
            assert_eq!(progress["tasks"].as_array().unwrap().len(), 1);
            assert_eq!(sandbox.state_files()?, before);
        }
    }
    for action in [
        "start-task",
        "stop-task",
        "delete-task",
        "get-progress",
        "update-tasks",
    ] {
        for value in [json!("x"), json!(1), json!({}), json!([1])] {
            let outcome = sandbox.action(action, json!({"tasks": value}))?;
            assert_eq!(
                outcome.status,
                Outcome::VALIDATION_FAILED,
                "{action}: {outcome:#?}"
            );
        }
    }
    Ok(())
}

#[test]
fn questions_in_passing_answer_that_there_is_nothing() -> anyhow::Result<()> {
    let sandbox = with_a_task()?;
    for name in no_names() {
        for (user, id) in [(name.as_str(), "abc123"), ("u1", name.as_str())] {
            let output = action_output(
                &sandbox,
                "list-informations",
                json!({"localuser": user, "task_id": id}),
            )?;
            assert_eq!(output, json!({"status": false}), "{name:?}");
        }
    }
    Ok(())
}
