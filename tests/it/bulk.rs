// SPDX-License-Identifier: GPL-3.0-or-later
//! Many tasks at once, and questions about tasks: import, update, lists of tasks, progress, looking ahead and back.

use anyhow::ensure;
use sandbox::mail::plan;
use sandbox::{Outcome, Plan, Sandbox, Side};
use serde_json::{Value, json};

use crate::support::{USER, action_output};

fn row(sandbox: &Sandbox, changes: Value) -> Value {
    let mut row = json!({
        "localuser": "u1",
        "remoteusername": USER,
        "remotepassword": "Pw-r1!",
        "remotehostname": sandbox.remote().address().to_string(),
        "remoteport": sandbox.remote().port(),
        "security": "tls",
        "start": false,
    });
    row.as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    row
}

fn results(output: &Value) -> Vec<(&str, Vec<&str>)> {
    output["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let errors = row["errors"].as_array().map_or(&[][..], Vec::as_slice);
            (
                row["result"].as_str().unwrap(),
                errors
                    .iter()
                    .map(|error| error["error"].as_str().unwrap())
                    .collect(),
            )
        })
        .collect()
}

#[test]
fn rows_are_imported_each_for_itself() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let rows = json!([
        row(&sandbox, json!({})),
        row(&sandbox, json!({"localuser": "u2", "remotepassword": "Not-the-one"})),
        row(&sandbox, json!({"localuser": "u2", "remoteusername": "r2@example.com", "remoteport": "x"})),
        row(&sandbox, json!({"localuser": "nosuchuser"})),
        row(&sandbox, json!({"localuser": "u3", "cron": "1h", "foldersynchronization": "inbox", "task_id": "mine"})),
        {"localuser": "u3"},
        row(&sandbox, json!({"remotehostname": "a b", "localuser": "u2"})),
    ]);
    let expected = |new: &'static str| {
        vec![
            (new, vec![]),
            ("refused", vec!["bad_user_credentials"]),
            ("refused", vec!["remoteport_invalid_type"]),
            ("refused", vec!["local_user_unknown"]),
            (new, vec![]),
            (
                "refused",
                vec![
                    "remoteusername_required",
                    "remotehostname_required",
                    "remotepassword_required",
                    "remoteport_required",
                    "security_required",
                ],
            ),
            ("refused", vec!["Check_hostname_or_tcp_port"]),
        ]
    };
    let before = sandbox.state_files()?;
    let checked = action_output(&sandbox, "import-tasks", json!({"mode": "check", "tasks": rows}))?;
    assert_eq!(results(&checked), expected("valid"));
    assert_eq!(sandbox.state_files()?, before);

    let outcome = sandbox.action("import-tasks", json!({"mode": "skip", "tasks": rows}))?;
    assert_eq!(results(&outcome.output), expected("created"));
    assert_eq!(
        (&outcome.output["created"], &outcome.output["refused"]),
        (&json!(2), &json!(5))
    );
    ensure!(
        outcome
            .commands
            .iter()
            .any(|words| words == &["set-progress", "100"]),
        "{:?}",
        outcome.commands
    );
    let files = sandbox.state_files()?;
    ensure!(files.contains_key("imapsync/u3_mine.env") && files.contains_key("cron/u3_mine.cron"));

    let again = action_output(&sandbox, "import-tasks", json!({"mode": "skip", "tasks": rows}))?;
    assert_eq!(again["skipped"], json!(2));
    // What a row of an update leaves out stays.
    let update = json!({"mode": "update", "tasks": [row(&sandbox, json!({"localuser": "u3", "security": ""})),
        row(&sandbox, json!({"localuser": "u3"}))]});
    let updated = action_output(&sandbox, "import-tasks", update)?;
    assert_eq!(
        results(&updated),
        [("updated", vec![]), ("refused", vec!["row_repeated"])]
    );
    let text = &sandbox.state_files()?["imapsync/u3_mine.env"].text;
    ensure!(
        text.contains("\nSECURITY=\n") && text.contains("\nCRON=1h\n"),
        "{text}"
    );
    Ok(())
}

#[test]
fn all_rows_of_an_import_join_its_batch() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let rows = |users: &[&str]| -> Vec<Value> {
        users
            .iter()
            .map(|user| row(&sandbox, json!({"localuser": user, "start": false})))
            .collect()
    };
    let batches = || -> anyhow::Result<Vec<(String, String)>> {
        let listed = action_output(&sandbox, "list-tasks", json!({}))?;
        let text = |task: &Value, field: &str| task[field].as_str().unwrap_or_default().to_owned();
        let tasks = listed["user_properties"].as_array().into_iter().flatten();
        let mut told: Vec<_> = tasks
            .map(|task| (text(task, "localuser"), text(task, "batch")))
            .collect();
        told.sort();
        Ok(told)
    };
    let pair = |user: &str, batch: &str| (user.to_owned(), batch.to_owned());

    let import = json!({"mode": "skip", "tasks": rows(&["u1"]), "batch": " Friday "});
    action_output(&sandbox, "import-tasks", import)?;
    assert_eq!(batches()?, [pair("u1", "Friday")]);

    // A check changes nothing, an import without a batch leaves it, and a task that is there joins another.
    let check = json!({"mode": "check", "tasks": rows(&["u1", "u2"]), "batch": "Later"});
    action_output(&sandbox, "import-tasks", check)?;
    action_output(
        &sandbox,
        "import-tasks",
        json!({"mode": "update", "tasks": rows(&["u1"])}),
    )?;
    assert_eq!(batches()?, [pair("u1", "Friday")]);
    let import = json!({"mode": "skip", "tasks": rows(&["u1", "u2"]), "batch": "Later"});
    let answer = action_output(&sandbox, "import-tasks", import)?;
    assert_eq!((&answer["created"], &answer["skipped"]), (&json!(1), &json!(1)));
    assert_eq!(batches()?, [pair("u1", "Later"), pair("u2", "Later")]);

    // A bad name is refused before anything is done.
    let bad = json!({"mode": "skip", "tasks": rows(&["u3"]), "batch": "a\nb"});
    let refused = sandbox.action("import-tasks", bad)?;
    ensure!(
        refused.status == Outcome::VALIDATION_FAILED && refused.stdout.contains("\"batch"),
        "{refused:?}"
    );
    assert_eq!(batches()?.len(), 2);
    Ok(())
}

#[test]
fn a_csv_file_is_imported_in_the_shell() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let (host, port) = (sandbox.remote().address(), sandbox.remote().port());
    let file = format!(
        "\u{feff}remoteport,security,localusername,remoteusername,remotehostname,remotepassword,start\r\n\
         {port},tls,u1,{USER},{host},Pw-r1!,no\r\n\
         {port},tls,u2,r2@example.com,{host},Not-the-one,no\r\n\
         {port},tls,u3\r\n"
    );
    let import =
        |arguments: &[&str]| sandbox.helper_with_input("import-csv-tasks", arguments, file.as_bytes());
    let checked = import(&["--check"])?;
    assert_eq!(checked.exit_code, 1, "{checked:?}");
    ensure!(
        checked.stdout.contains("1 valid, 2 refused"),
        "{}",
        checked.stdout
    );
    let imported = import(&[])?;
    ensure!(
        imported.stdout.contains("1 created, 2 refused"),
        "{}",
        imported.stdout
    );
    ensure!(!imported.stdout.contains("Pw-r1!") && !imported.stderr.contains("Not-the-one"));
    let good = file.lines().take(2).collect::<Vec<_>>().join("\n");
    let again = sandbox.helper_with_input("import-csv-tasks", &["-u"], good.as_bytes())?;
    assert_eq!(again.exit_code, 0, "{again:?}");
    ensure!(again.stdout.contains("1 updated"), "{}", again.stdout);
    Ok(())
}

#[test]
fn an_update_finds_its_tasks_whatever_their_case_and_a_repeated_row_counts_when_the_first_is_refused()
-> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let (host, port) = (sandbox.remote().address(), sandbox.remote().port());
    let import = |arguments: &[&str], rows: &[&str]| {
        let head =
            "localusername;remoteusername;remotepassword;remotehostname;remoteport;security;start;cron";
        let rows = rows.join("\n").replace("HOST", &format!("{host};{port}"));
        sandbox.helper_with_input(
            "import-csv-tasks",
            arguments,
            format!("{head}\n{rows}\n").as_bytes(),
        )
    };
    let first = import(
        &[],
        &[
            "u1;r1@example.com;Not-the-one;HOST;tls;no;9h",
            "U1;r1@example.com;Pw-r1!;HOST;tls;no;",
            "u1;R1@Example.com;Pw-r1!;HOST;tls;no;",
            "u1;r1@example.com;Pw-r1!;HOST;tls;no;soon",
        ],
    )?;
    let verdicts: Vec<&str> = first
        .stdout
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .collect();
    assert_eq!(
        verdicts[..4],
        ["REFUSED", "created", "REFUSED", "REFUSED"],
        "{first:?}"
    );
    for (row, reason) in [
        (0, "bad_user_credentials"),
        (2, "row_repeated"),
        (3, "cron_invalid"),
    ] {
        ensure!(
            first
                .stdout
                .lines()
                .nth(row)
                .is_some_and(|line| line.contains(reason)),
            "{first:?}"
        );
    }
    let task = || -> anyhow::Result<(String, String)> {
        let mut files = sandbox.state_files()?;
        files.retain(|name, _| name.ends_with(".env"));
        ensure!(files.len() == 1, "{:?}", files.keys());
        let (name, file) = files.into_iter().next().unwrap();
        Ok((name, file.text))
    };
    let (name, text) = task()?;
    ensure!(
        name.starts_with("imapsync/u1_") && text.contains("\nCRON=\n"),
        "{name}: {text}"
    );

    let edit = ["U1;R1@EXAMPLE.COM;;HOST;tls;no;2h"];
    let checked = import(&["-c", "-u"], &edit)?;
    ensure!(checked.stdout.contains("1 valid"), "{checked:?}");
    assert_eq!(task()?, (name.clone(), text.clone()));
    let updated = import(&["-u"], &edit)?;
    ensure!(updated.stdout.contains("1 updated"), "{updated:?}");
    assert_eq!(task()?, (name, text.replace("\nCRON=\n", "\nCRON=2h\n")));
    Ok(())
}

#[test]
fn lists_of_tasks_are_answered_task_by_task() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    for (id, user) in [("a", "u1"), ("b", "u2")] {
        let input = sandbox.task_with(json!({"task_id": id, "localuser": user, "start": false}));
        action_output(&sandbox, "create-task", input)?;
    }
    let tasks = json!({"tasks": [
        {"localuser": "u1", "task_id": "a"},
        {"localuser": "u1", "task_id": "gone"},
        {"localuser": "u2", "task_id": "b"},
    ]});
    let verdicts = |output: Value| -> Vec<(String, Value)> {
        let results = output["results"].as_array().unwrap();
        results
            .iter()
            .map(|result| {
                (
                    result["result"].as_str().unwrap().to_owned(),
                    result["error"].clone(),
                )
            })
            .collect()
    };
    let refused = || ("refused".to_owned(), json!("task_not_found"));
    let each = |word: &str| {
        vec![
            (word.to_owned(), json!(null)),
            refused(),
            (word.to_owned(), json!(null)),
        ]
    };
    assert_eq!(
        verdicts(action_output(&sandbox, "stop-task", tasks.clone())?),
        each("not_running")
    );
    let (first, second) = (sandbox.mark_run("u1_a"), sandbox.mark_run("u2_b"));
    assert_eq!(
        verdicts(action_output(&sandbox, "start-task", tasks.clone())?),
        each("started")
    );
    sandbox.wait_for_run(&first)?;
    sandbox.wait_for_run(&second)?;

    let mut update = tasks.clone();
    update["cron"] = json!("2h");
    update["foldersynchronization"] = json!("exclusion");
    update["exclude"] = json!("Spam");
    let updated = action_output(&sandbox, "update-tasks", update.clone())?;
    assert_eq!(
        results(&updated),
        [
            ("updated", vec![]),
            ("refused", vec!["task_not_found"]),
            ("updated", vec![])
        ]
    );
    let files = sandbox.state_files()?;
    ensure!(files["imapsync/u2_b.env"].text.contains("\nEXCLUDE=,Spam\n"));
    ensure!(files["cron/u1_a.cron"].text.contains("1 */2 * * *  root"));
    // What is decided about tasks leaves their files and their schedules alone.
    let before = sandbox.state_files()?["imapsync/u1_a.env"].text.clone();
    let decided = json!({"tasks": tasks["tasks"], "on_hold": true, "batch": "Week 12"});
    assert_eq!(
        results(&action_output(&sandbox, "update-tasks", decided)?)[2],
        ("updated", vec![])
    );
    let files = sandbox.state_files()?;
    ensure!(files["imapsync/u1_a.env"].text == before);
    ensure!(files["cron/u1_a.cron"].text.contains("1 */2 * * *  root"));
    let listed = action_output(&sandbox, "list-tasks", json!({}))?;
    let listed = &listed["user_properties"][0];
    assert_eq!(
        (
            &listed["on_hold"],
            &listed["batch"],
            &listed["next_run"],
            &listed["cron"]
        ),
        (&json!(true), &json!("Week 12"), &json!(null), &json!("2h"))
    );
    let resumed = json!({"tasks": tasks["tasks"], "on_hold": false, "batch": ""});
    action_output(&sandbox, "update-tasks", resumed)?;
    ensure!(!sandbox.state_files()?.contains_key("imapsync/u1_a.plan"));
    let wrong = json!({"tasks": tasks["tasks"], "remotepassword": "Not-the-one"});
    assert_eq!(
        results(&action_output(&sandbox, "update-tasks", wrong)?)[0],
        ("refused", vec!["bad_user_credentials"])
    );
    ensure!(sandbox.state_files()?["imapsync/u1_a.pwd"].text == "Pw-r1!");
    let outcome = sandbox.action("update-tasks", json!({"tasks": [], "cron": "never"}))?;
    assert_eq!(
        (outcome.status, outcome.errors()),
        (Outcome::VALIDATION_FAILED, vec!["cron_invalid".to_owned()])
    );

    assert_eq!(
        verdicts(action_output(&sandbox, "delete-task", tasks)?),
        each("deleted")
    );
    ensure!(
        sandbox
            .state_files()?
            .keys()
            .all(|file| !file.contains("u1_a") && !file.contains("u2_b"))
    );
    Ok(())
}

#[test]
fn questions_about_settings_store_nothing() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.add_mail(
        Side::Remote,
        USER,
        &plan(&Plan {
            messages: 30,
            ..Plan::default()
        }),
    )?;
    let before = sandbox.state_files()?;
    let found = action_output(&sandbox, "validate-task", sandbox.task_input())?;
    assert_eq!(
        (&found["remote"]["status"], &found["local"]["status"]),
        (&json!("ok"), &json!("ok"))
    );
    let certificate = found["remote"]["tls"]["certificate"].clone();
    assert_eq!(certificate["trusted"], json!(false));
    let wrong = sandbox.task_with(json!({"remotepassword": "Not-the-one", "localuser": "nosuchuser"}));
    let found = action_output(&sandbox, "validate-task", wrong.clone())?;
    assert_eq!(
        (&found["remote"]["status"], &found["local"]["status"]),
        (&json!("bad_user_credentials"), &json!("local_user_unknown"))
    );
    let excluding = sandbox.task_with(json!({"foldersynchronization": "exclusion", "exclude": "^INBOX$"}));
    let listed = action_output(&sandbox, "browse-folders", excluding)?;
    let inbox = listed["folders"]
        .as_array()
        .unwrap()
        .iter()
        .find(|folder| folder["name"] == "INBOX");
    assert_eq!(inbox.unwrap()["excluded"], json!(true));
    assert_eq!(
        action_output(&sandbox, "browse-folders", wrong)?["status"],
        json!("bad_user_credentials")
    );
    assert_eq!(sandbox.state_files()?, before);

    sandbox.sync(sandbox.task_input())?;
    let task = json!({"localuser": "u1", "task_id": "abc123"});
    assert_eq!(
        action_output(&sandbox, "browse-folders", task.clone())?["messages"],
        json!(30)
    );
    assert_eq!(
        action_output(&sandbox, "preview-task", task.clone())?["copy"],
        json!(0)
    );
    assert_eq!(
        action_output(&sandbox, "verify-task", task.clone())?["agree"],
        json!(true)
    );
    sandbox.add_mail(
        Side::Local,
        "u1",
        &plan(&Plan {
            messages: 3,
            seed: 7,
            ..Plan::default()
        }),
    )?;
    let verdict = action_output(
        &sandbox,
        "verify-task",
        json!({"localuser": "u1", "task_id": "abc123", "deep": true}),
    )?;
    assert_eq!(verdict["agree"], json!(false));
    let progress = action_output(
        &sandbox,
        "get-progress",
        json!({"tasks": [task, {"localuser": "u1", "task_id": "gone"}]}),
    )?;
    let tasks = progress["tasks"].as_array().unwrap();
    assert_eq!(
        (tasks.len(), &tasks[0]["state"], &tasks[0]["last_result"]),
        (1, &json!("idle"), &json!("ok"))
    );
    // The server's certificate was pinned when it was first seen.
    let entry = action_output(&sandbox, "list-tasks", json!({}))?["user_properties"][0].clone();
    assert_eq!(entry["certificate"], certificate["sha256"]);
    Ok(())
}

#[test]
fn one_broken_task_keeps_no_other_from_starting_or_stopping() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.add_mail(
        Side::Remote,
        USER,
        &plan(&Plan {
            messages: 20,
            ..Plan::default()
        }),
    )?;
    for user in ["u1", "u2", "u3"] {
        action_output(
            &sandbox,
            "create-task",
            sandbox.task_with(json!({"localuser": user, "start": false})),
        )?;
    }
    std::fs::write(
        sandbox.task_file("u2_abc123", "env"),
        "TASK_ID=abc123\nLOCALUSER=u2\nREMO",
    )?;
    let (first, third) = (sandbox.mark_run("u1_abc123"), sandbox.mark_run("u3_abc123"));
    let outcome = sandbox.action("start-all-tasks", Value::Null)?;
    ensure!(
        outcome.is_ok() && outcome.stderr.contains("u2_abc123"),
        "{outcome:#?}"
    );
    sandbox.wait_for_run(&first)?;
    sandbox.wait_for_run(&third)?;
    action_output(&sandbox, "stop-all-tasks", Value::Null)?;
    let listed = action_output(&sandbox, "list-tasks", json!({}))?;
    assert_eq!(listed["user_properties"].as_array().unwrap().len(), 2);
    assert_eq!(
        action_output(&sandbox, "get-facts", json!({}))?["tasks_total_count"],
        json!(3)
    );
    // An edit that brings everything mends it.
    action_output(
        &sandbox,
        "create-task",
        sandbox.task_with(json!({"localuser": "u2", "start": false})),
    )?;
    let listed = action_output(&sandbox, "list-tasks", json!({}))?;
    assert_eq!(listed["user_properties"].as_array().unwrap().len(), 3);
    Ok(())
}
