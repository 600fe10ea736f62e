// SPDX-License-Identifier: GPL-3.0-or-later
//! When tasks start by themselves.

use anyhow::ensure;
use sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::action_output;

fn change(sandbox: &Sandbox, cron: &str) -> anyhow::Result<Value> {
    let task = json!({"localuser": "u1", "task_id": "abc123"});
    action_output(sandbox, "update-tasks", json!({"tasks": [task], "cron": cron}))
}

#[test]
fn a_time_hours_and_days_become_plain_cron_lines() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let mut input = sandbox.task_input();
    input["start"] = json!(false);
    input["cron"] = json!("22:30@fri");
    action_output(&sandbox, "create-task", input.clone())?;
    let command = "root /usr/local/bin/syncctl start u1_abc123\n";
    let is_so = |stored: &str, fields: &[&str]| {
        let files = sandbox.state_files()?;
        let cron = &files["cron/u1_abc123.cron"].text;
        let lines: String = fields.iter().map(|line| format!("{line} {command}")).collect();
        ensure!(
            cron.split_once('\n')
                .is_some_and(|(host, rest)| host.starts_with("MAIL_HOST=") && rest == lines),
            "{cron}"
        );
        let env = &files["imapsync/u1_abc123.env"].text;
        ensure!(env.contains(&format!("\nCRON={stored}\n")), "{env}");
        let listed = action_output(&sandbox, "list-tasks", json!({}))?;
        let task = &listed["user_properties"][0];
        ensure!(task["cron"] == stored && task["next_run"].is_i64(), "{task}");
        Ok(cron.clone())
    };
    is_so("22:30@fri", &["30 22 * * 5"])?;
    change(&sandbox, "15m@22-6")?;
    is_so("15m@22-6", &["*/15 0,1,2,3,4,5,22,23 * * *"])?;
    change(&sandbox, "15m@23-1@sun,fri")?;
    let night = is_so("15m@23-1@fri,sun", &["*/15 23 * * 5,7", "*/15 0 * * 1,6"])?;

    // What the helper rebuilds is the same.
    std::fs::remove_file(sandbox.node().state().join("cron/u1_abc123.cron"))?;
    ensure!(sandbox.helper("expand-cron", &[])?.exit_code == 0);
    ensure!(is_so("15m@23-1@fri,sun", &["*/15 23 * * 5,7", "*/15 0 * * 1,6"])? == night);

    // What cron cannot say is refused, and nothing changes.
    let before = sandbox.state_files()?;
    for wrong in ["25:00", "22:30@22-6", "15m@6-6", "15m@funday", "15m@22-6\n"] {
        input["cron"] = json!(wrong);
        let outcome = sandbox.action("create-task", input.clone())?;
        ensure!(
            outcome.exit_code != 0 && outcome.stdout.contains("cron_invalid"),
            "{wrong}: {outcome:#?}"
        );
    }
    ensure!(sandbox.state_files()? == before);
    Ok(())
}
