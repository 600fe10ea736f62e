// SPDX-License-Identifier: GPL-3.0-or-later
//! The settings of the instance, and what the platform hands over.

use anyhow::ensure;
use sandbox::{MAIL_MODULE_UUID, Sandbox};
use serde_json::{Value, json};

use super::{no_names, no_texts, refused, with};
use crate::support::action_output;

#[test]
fn the_settings_of_the_instance_take_what_is_sound() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let host = sandbox.local().address().to_string();
    let good = json!({"mail_server": MAIL_MODULE_UUID, "mail_host": host});
    let before = sandbox.state_files()?;
    let wrong = |field: &'static str, value: Value| {
        refused(&sandbox, "configure-module", &with(&good, field, value), field).map(drop)
    };
    for name in no_names() {
        wrong("mail_server", name.as_str().into())?;
        // With a dot in it, for the agent's check is that there is one.
        wrong("mail_host", format!("{name}.example/").into())?;
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
        wrong("mail_host", host.into())?;
    }
    for field in ["mail_server", "mail_host", "sync_engine"] {
        no_texts().into_iter().try_for_each(|value| wrong(field, value))?;
    }
    wrong("mail_server", Value::Null)?;
    wrong("mail_host", Value::Null)?;
    for engine in ["", "Native", "native ", "imapsync;id"] {
        wrong("sync_engine", engine.into())?;
    }
    for limit in [
        json!(-1),
        json!(65),
        json!(i64::MAX),
        json!(1.5),
        json!("3"),
        json!([]),
    ] {
        wrong("max_concurrent_syncs", limit)?;
    }
    // The master password goes to the mail module and to no one else.
    for host in ["mail.example.com", "10.5.4.9", "127.0.0.1.example"] {
        let input = with(&good, "mail_host", host.into());
        let outcome = sandbox.action("configure-module", input)?;
        assert_eq!(outcome.exit_code, 3, "{host}: {outcome:#?}");
        assert_eq!(outcome.errors(), ["mail_server_is_not_valid"]);
    }
    for host in ["nodot", "a b.example", "bücher.example", "x..y", "10.0.0.1/8"] {
        let outcome = sandbox.action("configure-module", with(&good, "mail_host", host.into()))?;
        assert_eq!(outcome.exit_code, 10, "{host}: {outcome:#?}");
    }
    assert_eq!(sandbox.state_files()?, before);
    // Names are told apart by their letters, not by their case; any address that the module listens at is one.
    for (key, host) in [
        ("module/mail1/srv/tcp/imap", "Mail.Example.com"),
        ("module/mail1/public/srv/tcp/imap", "mail2.example.com"),
    ] {
        let fields = ["host", host, "module_uuid", MAIL_MODULE_UUID];
        sandbox.redis().command(&[&["HSET", key], &fields[..]].concat())?;
    }
    for host in ["mail.example.com", "mail2.example.com"] {
        action_output(
            &sandbox,
            "configure-module",
            with(&good, "mail_host", host.into()),
        )?;
        let known = action_output(&sandbox, "get-configuration", json!({}))?;
        assert_eq!(known["mail_host"], host);
        // What is its address already stays.
        sandbox.event("mail-settings-changed", json!({"module_uuid": MAIL_MODULE_UUID}))?;
        assert_eq!(environment(&sandbox, "MAIL_HOST").as_deref(), Some(host));
    }
    Ok(())
}

fn environment(sandbox: &Sandbox, name: &str) -> Option<String> {
    sandbox.node().state_environment().get(name).cloned()
}

#[test]
fn nothing_that_could_be_another_setting_comes_with_an_event_or_a_backup() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    // A clone next to the living original pauses its schedules.
    let environment = || {
        let mut settings = sandbox.node().state_environment();
        settings.remove("SCHEDULES_PAUSED");
        settings
    };
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
        action_output(
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
    action_output(&sandbox, "import-module", json!({}))?;
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
            action_output(&sandbox, action, nothing)?;
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
