// SPDX-License-Identifier: GPL-3.0-or-later
//! Tasks that are moved together.

use anyhow::ensure;
use sandbox::{NewMail, Sandbox, Side};
use serde_json::{Value, json};

use crate::support::{TASK, USER, action_output};

fn batch(sandbox: &Sandbox, name: &str) -> anyhow::Result<Value> {
    action_output(sandbox, "get-batch", json!({"batch": name}))
}

fn join(sandbox: &Sandbox, name: &str) -> anyhow::Result<()> {
    let task = json!({"localuser": "u1", "task_id": "abc123"});
    action_output(sandbox, "update-tasks", json!({"tasks": [task], "batch": name}))?;
    Ok(())
}

fn deliver(sandbox: &Sandbox, messages: usize) -> anyhow::Result<()> {
    let mails: Vec<NewMail> = (0..messages)
        .map(|number| NewMail::new(&format!("{number}.{messages}@batch")))
        .collect();
    sandbox.add_mail(Side::Remote, USER, &mails)
}

#[test]
fn a_batch_tells_how_much_of_its_mail_is_moved_and_how_fast() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    deliver(&sandbox, 5)?;
    sandbox.sync(sandbox.task_input())?;
    ensure!(batch(&sandbox, "Week 12")?["tasks"] == 0, "nothing is in it yet");
    join(&sandbox, "Week 12")?;

    let told = batch(&sandbox, " Week 12 ")?;
    ensure!(told["tasks"] == 1 && told["uncounted"] == 0, "{told}");
    ensure!(
        told["messages_done"] == 5 && told["messages_total"] == 5,
        "{told}"
    );
    let bytes = told["bytes_done"].as_u64().unwrap_or(0);
    ensure!(bytes > 0 && told["bytes_total"] == bytes, "{told}");
    let moved = told["throughput"]["bytes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let moved: u64 = moved.iter().filter_map(Value::as_u64).sum();
    ensure!(moved == bytes, "{told}");
    ensure!(told["rate"] == 0 && told["seconds_left"].is_null(), "{told}");

    // A run that failed has not counted anything; what was moved before was moved.
    std::fs::write(sandbox.task_file(TASK, "pwd"), "wrong")?;
    sandbox.sync_again("u1", "abc123")?;
    let told = batch(&sandbox, "Week 12")?;
    ensure!(told["uncounted"] == 1 && told["bytes_done"] == bytes, "{told}");

    // What is stored is told, no matter what is not there.
    sandbox.redis().stop();
    ensure!(batch(&sandbox, "Week 12")?["tasks"] == 1);
    Ok(())
}

#[test]
fn a_batch_without_a_name_is_refused() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    for action in [
        "get-batch",
        "get-batch-report",
        "assess-batch",
        "check-domains",
        "start-batch",
        "verify-batch",
    ] {
        for name in ["", "  ", "a\nb"] {
            let outcome = sandbox.action(action, json!({"batch": name}))?;
            ensure!(outcome.exit_code != 0, "{action} {name:?}");
            ensure!(outcome.stdout.contains("\"batch"), "{}", outcome.stdout);
        }
    }
    Ok(())
}

/// A second task of the batch, for the user of the sandbox's second mailbox.
fn second(sandbox: &Sandbox, password: &str) -> anyhow::Result<()> {
    let mut input = sandbox.task_input();
    input["task_id"] = json!("second");
    input["start"] = json!(false);
    action_output(sandbox, "create-task", input)?;
    std::fs::write(sandbox.task_file("u1_second", "pwd"), password)?;
    let task = json!({"localuser": "u1", "task_id": "second"});
    action_output(
        sandbox,
        "update-tasks",
        json!({"tasks": [task], "batch": "Week 12"}),
    )?;
    Ok(())
}

fn rows(sandbox: &Sandbox) -> anyhow::Result<Vec<Value>> {
    let report = action_output(sandbox, "get-batch-report", json!({"batch": "Week 12"}))?;
    Ok(report["tasks"].as_array().cloned().unwrap_or_default())
}

#[test]
fn a_batch_is_assessed_and_what_is_found_stays_until_it_is_asked_again() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    deliver(&sandbox, 4)?;
    let mut input = sandbox.task_input();
    input["start"] = json!(false);
    action_output(&sandbox, "create-task", input)?;
    join(&sandbox, "Week 12")?;
    second(&sandbox, "Not-the-one")?;
    ensure!(batch(&sandbox, "Week 12")?["assess"].is_null());
    ensure!(batch(&sandbox, "Week 12")?["uncounted"] == 2);

    let week = json!({"batch": "Week 12"});
    let ended = action_output(&sandbox, "assess-batch", week.clone())?;
    ensure!(ended["result"] == "finished", "{ended}");
    let found = rows(&sandbox)?;
    let (good, bad) = (&found[0]["assessment"], &found[1]["assessment"]);
    ensure!(good["verdict"] == "go" && good["messages"] == 4, "{good}");
    ensure!(good["remote"] == "ok" && good["local"] == "ok", "{good}");
    let (bytes, largest) = (good["bytes"].as_u64(), good["largest"].as_u64());
    ensure!(largest > Some(0) && bytes > largest, "{good}");
    ensure!(
        bad["verdict"] == "no_go" && bad["remote"] == "bad_user_credentials",
        "{bad}"
    );

    let told = batch(&sandbox, "Week 12")?;
    ensure!(
        told["assess"]["state"] == "finished" && told["assess"]["done"] == 2,
        "{told}"
    );
    ensure!(told["uncounted"] == 1 && told["messages_total"] == 4, "{told}");
    let file = &sandbox.state_files()?["imapsync/u1_abc123.assessment"];
    ensure!(file.mode == 0o600, "{:o}", file.mode);

    // A look is no move: nothing came to the destination.
    let here = sandbox.mailbox(Side::Local, "u1")?;
    ensure!(here.values().all(Vec::is_empty), "{here:?}");

    // One that was cut off goes on with what it has not looked at.
    let cut_off = told["assess"]["started"].clone();
    std::fs::remove_file(sandbox.task_file("u1_second", "assessment"))?;
    ensure!(batch(&sandbox, "Week 12")?["assess"]["state"] == "incomplete");
    std::fs::write(sandbox.task_file("u1_second", "pwd"), "Pw-r1!")?;
    action_output(&sandbox, "assess-batch", week)?;
    let told = batch(&sandbox, "Week 12")?;
    ensure!(
        told["assess"]["started"] == cut_off && told["assess"]["done"] == 2,
        "{told}"
    );
    ensure!(rows(&sandbox)?[1]["assessment"]["verdict"] == "go");
    ensure!(rows(&sandbox)?[0]["assessment"]["at"] == good["at"]);

    // What was found goes with its task.
    action_output(
        &sandbox,
        "delete-task",
        json!({"localuser": "u1", "task_id": "second"}),
    )?;
    ensure!(!sandbox.task_file("u1_second", "assessment").exists());
    Ok(())
}

#[test]
fn a_mailbox_that_does_not_fit_into_its_quota_is_found_before_the_move() -> anyhow::Result<()> {
    const LIMIT: u64 = 40 * 1024;
    let sandbox = Sandbox::start()?;
    let quota = |limit: u64| {
        let rule = format!("quota_rule=*:bytes={limit}");
        sandbox.local().set_user_settings("u1", &["quota=maildir", &rule])
    };
    quota(LIMIT)?;
    let mut large = NewMail::new("large@batch");
    large.content.extend(b"0123456789\r\n".repeat(5000));
    sandbox.add_mail(Side::Remote, USER, &[large])?;
    let mut input = sandbox.task_input();
    input["start"] = json!(false);
    action_output(&sandbox, "create-task", input)?;
    join(&sandbox, "Week 12")?;
    let assess = || {
        action_output(&sandbox, "assess-batch", json!({"batch": "Week 12"}))?;
        Ok::<_, anyhow::Error>(rows(&sandbox)?[0]["assessment"].clone())
    };
    let found = assess()?;
    ensure!(
        found["verdict"] == "no_go" && found["warnings"] == json!(["over_quota"]),
        "{found}"
    );
    ensure!(
        found["quota"] == json!({"used": 0, "limit": LIMIT}) && found["largest"].as_u64() > Some(LIMIT),
        "{found}"
    );
    // Nothing was pulled from there yet, which the answer says.
    ensure!(found["duration"]["basis"] == "any_server", "{found}");

    quota(10 * LIMIT)?;
    let found = assess()?;
    ensure!(
        found["verdict"] == "go" && found["quota"]["limit"] == 10 * LIMIT,
        "{found}"
    );
    Ok(())
}

#[test]
fn a_batch_is_verified_with_one_report_and_a_sheet_for_each_task() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    deliver(&sandbox, 3)?;
    sandbox.sync(sandbox.task_input())?;
    join(&sandbox, "Week 12")?;
    let verify = |deep: bool| {
        action_output(
            &sandbox,
            "verify-batch",
            json!({"batch": "Week 12", "deep": deep}),
        )
    };
    ensure!(verify(true)?["result"] == "finished");
    let found = rows(&sandbox)?[0]["verification"].clone();
    ensure!(
        found["status"] == "agree" && found["remote_messages"] == 3,
        "{found}"
    );

    sandbox.add_mail(Side::Remote, USER, &[NewMail::new("late@batch")])?;
    verify(false)?;
    let found = rows(&sandbox)?[0]["verification"].clone();
    ensure!(found["status"] == "differ" && found["missing"] == 1, "{found}");
    let task = json!({"localuser": "u1", "task_id": "abc123"});
    let sheet = action_output(&sandbox, "get-verification", task)?;
    ensure!(sheet["answer"]["differences"][0]["kind"] == "missing", "{sheet}");
    let told = batch(&sandbox, "Week 12")?;
    ensure!(
        told["verify"]["state"] == "finished" && told["verify"]["deep"] == false,
        "{told}"
    );

    // Without the container nothing is found out, and what was found stays.
    let stopped = sandbox.helper("systemctl", &["--user", "stop", "imapsync.service"])?;
    ensure!(stopped.exit_code == 0, "{stopped:?}");
    let outcome = sandbox.action("verify-batch", json!({"batch": "Week 12"}))?;
    ensure!(outcome.exit_code != 0, "{outcome:#?}");
    ensure!(rows(&sandbox)?[0]["verification"]["missing"] == 1);
    ensure!(batch(&sandbox, "Week 12")?["verify"]["state"] == "incomplete");
    Ok(())
}

#[test]
fn the_steps_of_a_cut_over_are_kept_with_the_batch() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let mut input = sandbox.task_input();
    input["start"] = json!(false);
    action_output(&sandbox, "create-task", input)?;
    join(&sandbox, "Week 12")?;
    let steps = || Ok::<_, anyhow::Error>(batch(&sandbox, "Week 12")?["cutover"].clone());
    let none = steps()?;
    ensure!(
        none.as_object()
            .is_some_and(|steps| steps.len() == 7 && steps.values().all(Value::is_null)),
        "{none}"
    );
    let note = |step: &str, done: bool| {
        let question = json!({"batch": "Week 12", "step": step, "done": done});
        sandbox.action("set-batch-step", question)
    };
    ensure!(note("last_delta", true)?.is_ok() && note("verify", true)?.is_ok());
    ensure!(steps()?["last_delta"].is_i64() && steps()?["done"].is_null());
    ensure!(note("last_delta", false)?.is_ok());
    ensure!(steps()?["last_delta"].is_null() && steps()?["verify"].is_i64());
    let before = sandbox.state_files()?;
    for wrong in ["", "Verify", "everything"] {
        let outcome = note(wrong, true)?;
        ensure!(outcome.exit_code != 0, "{outcome:#?}");
    }
    ensure!(sandbox.state_files()? == before);

    // A name server may not be there; what is asked for is told in any case.
    let told = action_output(&sandbox, "check-domains", json!({"batch": "Week 12"}))?;
    let domains = told["domains"].as_array().cloned().unwrap_or_default();
    ensure!(
        domains.len() == 1 && domains[0]["domain"] == "example.com" && told["left_out"] == 0,
        "{told}"
    );
    ensure!(
        domains[0]["status"].is_string() && domains[0]["mx"].is_array(),
        "{told}"
    );
    Ok(())
}
