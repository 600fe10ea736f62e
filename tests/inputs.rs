// SPDX-License-Identifier: GPL-3.0-or-later
//! Every field of every action with what must never be in it: a refusal that names the field and changes nothing,
//! or a task that works with exactly that value.
//!
//! The forms of each field of create-task are tested beside its types; here is what the agent and the mail servers
//! make of them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use anyhow::{Context as _, ensure};
use sandbox::{MAIL_MODULE_UUID, NewMail, Outcome, Sandbox, Side};
use serde_json::{Value, json};

/// Paths, globs, words of shells and regular expressions, quotes, blanks, control characters: none is a name.
const NO_NAMES: [&str; 42] = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/etc/passwd",
    "a\\b",
    "*",
    "a?",
    "[a]",
    "{a,b}",
    "a b",
    " a",
    "a ",
    "$(id)",
    "${HOME}",
    "`id`",
    "a;b",
    "a|b",
    "a&b",
    "a'b",
    "a\"b",
    "a%b",
    "-a",
    ".a",
    "a<b",
    "a>b",
    "a,b",
    "a#b",
    "~",
    "!",
    "^a$",
    "(a)",
    "::1",
    "a\nb",
    "a\rb",
    "a\tb",
    "a\0b",
    "\u{1b}[2J",
    "a\u{85}b",
    "a\u{2028}b",
    "\u{7f}",
];
const LONG: usize = 5000;

/// The actions with input, each of which a test below is about.
const WITH_INPUT: [&str; 16] = [
    "clone-module",
    "configure-module",
    "create-task",
    "delete-task",
    "get-log",
    "get-progress",
    "import-tasks",
    "list-folders",
    "list-informations",
    "preview-task",
    "restore-module",
    "start-task",
    "stop-task",
    "update-tasks",
    "validate-task",
    "verify-task",
];

#[test]
fn no_action_with_input_is_forgotten() -> anyhow::Result<()> {
    let mut found = Vec::new();
    for entry in sandbox::project().join("imageroot/actions").read_dir()? {
        let action = entry?;
        if action.path().join("validate-input.json").exists() {
            found.push(action.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    assert_eq!(found, WITH_INPUT);
    Ok(())
}

fn no_names() -> Vec<String> {
    let long = "x".repeat(LONG);
    NO_NAMES.into_iter().map(str::to_owned).chain([long]).collect()
}

fn with(input: &Value, field: &str, value: Value) -> Value {
    let mut input = input.clone();
    input[field] = value;
    input
}

fn done(sandbox: &Sandbox, action: &str, input: Value) -> anyhow::Result<Value> {
    let outcome = sandbox.action(action, input.clone())?;
    ensure!(outcome.is_ok(), "{action} {input}: {outcome:#?}");
    Ok(outcome.output)
}

/// Runs an action that must refuse this field by a key of its own.
fn refused(sandbox: &Sandbox, action: &str, input: &Value, field: &str) -> anyhow::Result<Outcome> {
    let outcome = sandbox.action(action, input.clone())?;
    ensure!(
        outcome.status == Outcome::VALIDATION_FAILED && outcome.exit_code != 0,
        "{action} {input}: {outcome:#?}"
    );
    let named = outcome.output.as_array().into_iter().flatten().any(|refusal| {
        refusal["parameter"] == field && refusal["error"].as_str().is_some_and(|key| !key.is_empty())
    });
    ensure!(named, "{action} {input} does not name {field}: {outcome:#?}");
    for word in ["panicked", "RUST_BACKTRACE", "Pw-r1!"] {
        ensure!(
            !outcome.stdout.contains(word) && !outcome.stderr.contains(word),
            "{word} in {outcome:#?}"
        );
    }
    Ok(outcome)
}

/// Types that a text is not.
fn no_texts() -> [Value; 5] {
    [json!(1), json!(1.5), json!(true), json!([]), json!({})]
}

/// A sandbox with the task `u1_abc123`, which never ran.
fn with_a_task() -> anyhow::Result<Sandbox> {
    let sandbox = Sandbox::start()?;
    done(
        &sandbox,
        "create-task",
        sandbox.task_with(json!({"start": false})),
    )?;
    Ok(sandbox)
}

#[test]
fn no_action_takes_a_path_or_a_pattern_for_a_task() -> anyhow::Result<()> {
    let sandbox = with_a_task()?;
    let before = sandbox.state_files()?;
    let good = json!({"localuser": "u1", "task_id": "abc123"});
    for action in [
        "start-task",
        "stop-task",
        "delete-task",
        "get-log",
        "list-folders",
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
        let output = done(&sandbox, action, json!({"tasks": tasks}))?;
        let results = output["results"].as_array().unwrap();
        assert_eq!(results.len(), tasks.len(), "{action}");
        for (result, task) in results.iter().zip(&tasks) {
            let verdict = if *task == good { word } else { "refused" };
            assert_eq!(result["result"], verdict, "{action} {task}");
        }
        if action == "update-tasks" {
            let progress = done(&sandbox, "get-progress", json!({"tasks": tasks}))?;
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
            let output = done(
                &sandbox,
                "list-informations",
                json!({"localuser": user, "task_id": id}),
            )?;
            assert_eq!(output, json!({"status": false}), "{name:?}");
        }
    }
    Ok(())
}

#[test]
fn the_settings_of_the_instance_take_what_is_sound() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let host = sandbox.local().address().to_string();
    let good = json!({"mail_server": MAIL_MODULE_UUID, "mail_host": host});
    let before = sandbox.state_files()?;
    for name in no_names() {
        refused(
            &sandbox,
            "configure-module",
            &with(&good, "mail_server", name.as_str().into()),
            "mail_server",
        )?;
        // With a dot in it, for the agent's check is that there is one.
        let host = format!("{name}.example/");
        refused(
            &sandbox,
            "configure-module",
            &with(&good, "mail_host", host.into()),
            "mail_host",
        )?;
    }
    for host in [
        "nodot",
        "::1",
        "h.x:143",
        "1.2.3.4.5",
        "256.1.1.1",
        "-x.y",
        "x..y",
        "10.0.0.1\nA=b",
        "[1.2.3.4]",
    ] {
        refused(
            &sandbox,
            "configure-module",
            &with(&good, "mail_host", host.into()),
            "mail_host",
        )?;
    }
    for field in ["mail_server", "mail_host", "sync_engine"] {
        for value in no_texts() {
            refused(&sandbox, "configure-module", &with(&good, field, value), field)?;
        }
    }
    for field in ["mail_server", "mail_host"] {
        refused(
            &sandbox,
            "configure-module",
            &with(&good, field, Value::Null),
            field,
        )?;
    }
    for engine in ["", "Native", "native ", "imapsync;id"] {
        refused(
            &sandbox,
            "configure-module",
            &with(&good, "sync_engine", engine.into()),
            "sync_engine",
        )?;
    }
    for limit in [
        json!(-1),
        json!(65),
        json!(i64::MAX),
        json!(1.5),
        json!("3"),
        json!([]),
    ] {
        refused(
            &sandbox,
            "configure-module",
            &with(&good, "max_concurrent_syncs", limit),
            "max_concurrent_syncs",
        )?;
    }
    assert_eq!(sandbox.state_files()?, before);
    // An international name is kept as it was given.
    done(
        &sandbox,
        "configure-module",
        with(&good, "mail_host", "bücher.example".into()),
    )?;
    assert_eq!(
        done(&sandbox, "get-configuration", json!({}))?["mail_host"],
        "bücher.example"
    );
    Ok(())
}

#[test]
fn nothing_that_could_be_another_setting_comes_with_an_event_or_a_backup() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let environment = || sandbox.node().state_environment();
    let before = environment();
    for uuid in [
        json!(null),
        json!(5),
        json!([]),
        json!("*"),
        json!(""),
        json!("a\nMAIL_HOST=b"),
    ] {
        sandbox.event("mail-settings-changed", json!({"module_uuid": uuid}))?;
        assert_eq!(environment(), before, "{uuid}");
    }
    assert_ne!(sandbox.event("mail-settings-changed", json!({}))?.exit_code, 0);
    for action in ["clone-module", "restore-module"] {
        refused(
            &sandbox,
            action,
            &json!({"environment": "MAIL_HOST=b"}),
            "environment",
        )?;
        for value in ["a\nPATH=/tmp", "a\0b"] {
            let origin = json!({"environment": {"MAIL_SERVER": value, "MAIL_HOST": value}});
            let outcome = sandbox.action(action, origin)?;
            ensure!(
                !outcome.is_ok() && !outcome.stderr.is_empty(),
                "{action} {value:?}: {outcome:#?}"
            );
            assert_eq!(environment(), before, "{action}");
        }
        // What is no text was no setting.
        done(
            &sandbox,
            action,
            json!({"environment": {"MAIL_SERVER": 5, "MAIL_HOST": ["x"], "PATH": "/tmp"}}),
        )?;
        assert_eq!(environment(), before, "{action}");
    }
    let accounts = sandbox.node().state().join("getmail.json");
    let files = sandbox.state_files()?;
    for text in ["", "{", "{}", "null", "\"x\"", "\u{feff}[]", "\0"] {
        std::fs::write(&accounts, text)?;
        let outcome = sandbox.action("import-module", json!({}))?;
        assert_eq!(outcome.exit_code, 1, "{text:?}: {outcome:#?}");
        assert_eq!(
            std::fs::read_to_string(&accounts)?,
            text,
            "what was not understood is kept"
        );
    }
    std::fs::write(
        &accounts,
        r#"[null, 5, "x", {}, {"type": "getmail"}, {"type": "getmail", "props": []}]"#,
    )?;
    done(&sandbox, "import-module", json!({}))?;
    assert_eq!(sandbox.state_files()?, files);
    Ok(())
}

#[test]
fn actions_without_input_take_none() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    for action in [
        "get-configuration",
        "get-facts",
        "list-tasks",
        "start-all-tasks",
        "stop-all-tasks",
    ] {
        for nothing in [json!({}), Value::Null] {
            done(&sandbox, action, nothing)?;
        }
        for input in [json!({"surprise": 1}), json!([]), json!("x")] {
            let outcome = sandbox.action(action, input.clone())?;
            ensure!(
                !outcome.is_ok() && !outcome.stderr.contains("panicked"),
                "{action} {input}: {outcome:#?}"
            );
        }
    }
    Ok(())
}

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
    for action in ["validate-task", "list-folders"] {
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
        let output = done(&sandbox, "import-tasks", json!({"mode": mode, "tasks": rows}))?;
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

#[test]
fn patterns_and_names_that_a_shell_would_read_are_used_to_the_letter() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let user = "$(id) `id` ;|& {1} <y> * [z] %s #@example.com";
    sandbox.remote().reconfigure("auth_username_chars =\n")?;
    sandbox.remote().set_user(user, "Pw-odd!")?;
    let mail = |name: &str, folder: &str| NewMail::new(name).folder(folder);
    sandbox.add_mail(
        Side::Remote,
        user,
        &[
            mail("kept@x", "It is kept"),
            mail("left@x", "It's left out"),
            mail("cash@x", "$(id)"),
        ],
    )?;
    let patterns = "^It's,\\$\\(id\\)$,`id`,\"q\",a\\\\b";
    let input = sandbox.task_with(json!({
        "remoteusername": user, "remotepassword": "Pw-odd!", "foldersynchronization": "exclusion",
        "exclude": patterns,
    }));
    sandbox.sync(input).with_context(|| sandbox.remote().log())?;
    let task = &done(&sandbox, "list-tasks", json!({}))?["user_properties"][0];
    assert_eq!(task["remoteusername"], user);
    assert_eq!(task["exclude"], format!(",{patterns}"));
    assert_eq!(task["last_sync_exit_code"], 0, "{}", sandbox.log("u1_abc123"));
    let local = sandbox.mailbox(Side::Local, "u1")?;
    let filled: Vec<&String> = local
        .iter()
        .filter(|(_, mails)| !mails.is_empty())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(filled, ["It is kept"]);
    Ok(())
}

#[test]
fn any_password_of_200_characters_logs_in_and_runs() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let long = |part: &str| part.chars().cycle().take(198).collect::<String>();
    let passwords = [
        "  leading and trailing  ".to_owned(),
        format!(" {} ", long("aZ9!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")),
        format!(" {} ", long("äöüßéèñçøåœ")),
        format!(" {} ", long("e\u{301}o\u{308}")),
        format!(" {} ", long("Пароль")),
        format!(" {} ", long("密码パスワード비밀")),
        format!(" {} ", long("كلمةالسر")),
        format!(" {} ", long("🔑👩‍🚀")),
        "-".to_owned(),
        "=x".to_owned(),
        "{PLAIN}x".to_owned(),
        "%s%n{0}".to_owned(),
    ];
    for (index, password) in passwords.iter().enumerate() {
        sandbox
            .remote()
            .set_user(&format!("pw{index}@example.com"), password)?;
    }
    for (index, password) in passwords.iter().enumerate() {
        let id = format!("pw{index}");
        let input = sandbox.task_with(json!({
            "task_id": id, "remoteusername": format!("pw{index}@example.com"), "remotepassword": password,
        }));
        sandbox.sync(input)?;
        let file = std::fs::read(sandbox.task_file(&format!("u1_{id}"), "pwd"))?;
        assert_eq!(file, password.as_bytes(), "{index}");
    }
    let listed = done(&sandbox, "list-tasks", json!({}))?;
    for task in listed["user_properties"].as_array().unwrap() {
        assert_eq!(task["last_sync_exit_code"], 0, "{task}");
        assert_eq!(task["remotepassword"], "");
    }
    // The blanks are part of it.
    let trimmed = sandbox.task_with(json!({
        "task_id": "pw0", "remoteusername": "pw0@example.com", "remotepassword": "leading and trailing",
    }));
    let outcome = sandbox.action("create-task", trimmed)?;
    assert_eq!(outcome.errors(), ["bad_user_credentials"]);
    // The shell's face takes them as they are, quoted as CSV has it.
    let host = sandbox.remote().address();
    let rows: String = passwords
        .iter()
        .enumerate()
        .map(|(index, password)| {
            let quoted = password.replace('"', "\"\"");
            format!(
                "u2,pw{index}@example.com,\"{quoted}\",{host},{},tls,no\n",
                sandbox.remote().port()
            )
        })
        .collect();
    let file = format!(
        "localusername,remoteusername,remotepassword,remotehostname,remoteport,security,start\n{rows}"
    );
    let imported = sandbox.helper_with_input("import-csv-tasks", &[], file)?;
    assert_eq!(imported.exit_code, 0, "{imported:?}");
    Ok(())
}
