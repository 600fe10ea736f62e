// SPDX-License-Identifier: GPL-3.0-or-later
//! Sources as such: fields, secrets that never come back, the tasks that follow.

use anyhow::ensure;
use sandbox::{NewMail, Sandbox, Side};
use serde_json::{Value, json};

use super::connect::Connect;
use super::keys;
use crate::support::{TASK, USER, action_output};

pub(super) fn plain(sandbox: &Sandbox) -> Value {
    json!({
        "source_id": "old",
        "label": "The old server",
        "preset": "imap",
        "hostname": sandbox.remote().address().to_string(),
        "port": sandbox.remote().port(),
        "security": "tls",
        "sign_in": "password",
    })
}

pub(super) fn follower(sandbox: &Sandbox, mailbox: &str) -> Value {
    let mut task = sandbox.task_with(json!({"source": "old", "remoteusername": mailbox, "start": false}));
    for name in ["remotehostname", "remoteport", "security"] {
        task.as_object_mut().unwrap().remove(name);
    }
    task
}

fn env(sandbox: &Sandbox) -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(sandbox.task_file(TASK, "env"))?)
}

#[test]
fn a_task_takes_its_server_from_its_source_and_follows_it() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    action_output(&sandbox, "save-source", plain(&sandbox))?;
    let created = sandbox.action("create-task", follower(&sandbox, USER))?;
    ensure!(created.is_ok(), "{created:?}");
    let port = sandbox.remote().port();
    ensure!(env(&sandbox)?.contains(&format!("REMOTEPORT={port}\nSECURITY=--tls1\n")));

    let mut moved = plain(&sandbox);
    moved["port"] = sandbox.remote().tls_port().into();
    moved["security"] = "ssl".into();
    action_output(&sandbox, "save-source", moved)?;
    let tls_port = sandbox.remote().tls_port();
    ensure!(env(&sandbox)?.contains(&format!("REMOTEPORT={tls_port}\nSECURITY=--ssl1\n")));
    let run = sandbox.syncctl(&["start", TASK])?;
    ensure!(run.exit_code == 0, "{}", sandbox.log(TASK));

    let refused = sandbox.action("delete-source", json!({"source_id": "old"}))?;
    ensure!(keys(&refused) == ["source_in_use"], "{refused:?}");
    ensure!(refused.output[0]["value"] == json!([TASK]), "{refused:?}");
    action_output(&sandbox, "delete-task", json!({"localuser": "u1"}))?;
    action_output(&sandbox, "delete-source", json!({"source_id": "old"}))?;
    let listing = action_output(&sandbox, "list-sources", json!({}))?;
    ensure!(listing["sources"] == json!([]), "{listing}");
    let gone = sandbox.action("delete-source", json!({"source_id": "old"}))?;
    ensure!(keys(&gone) == ["source_not_found"], "{gone:?}");
    Ok(())
}

#[test]
fn an_administrator_opens_mailboxes_and_the_password_is_changed_once() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.remote().reconfigure(
        "auth_master_user_separator = *\npassdb {\n  driver = static\n  args = password=Admin-1\n  master = yes\n}\n",
    )?;
    let mut source = plain(&sandbox);
    source["preset"] = "dovecot".into();
    source["sign_in"] = "administrator".into();
    source["certificate"] = sandbox.remote().certificate()?.into();
    source["admin_user"] = "root".into();
    source["admin_password"] = "Admin-1".into();
    action_output(&sandbox, "save-source", source.clone())?;
    let mut task = follower(&sandbox, USER);
    let refused = sandbox.action("create-task", task.clone())?;
    ensure!(keys(&refused) == ["remotepassword_invalid"], "{refused:?}");
    task.as_object_mut().unwrap().remove("remotepassword");
    let created = sandbox.action("create-task", task)?;
    ensure!(created.is_ok(), "{created:?}");
    ensure!(env(&sandbox)?.contains("REMOTEUSERNAME=r1@example.com*root\n"));
    let password = || std::fs::read_to_string(sandbox.task_file(TASK, "pwd"));
    ensure!(password()? == "Admin-1");
    // What would open another mailbox is sent nowhere.
    let question = json!({"source_id": "old", "mailbox": "r1*r2"});
    let refused = sandbox.action("test-source", question)?;
    ensure!(keys(&refused) == ["mailbox_invalid"], "{refused:?}");

    // An edit without the password keeps it; one with another server has to bring it.
    source["label"] = "Renamed".into();
    source.as_object_mut().unwrap().remove("admin_password");
    action_output(&sandbox, "save-source", source.clone())?;
    let mut elsewhere = source.clone();
    elsewhere["hostname"] = "127.0.0.9".into();
    let refused = sandbox.action("save-source", elsewhere)?;
    ensure!(keys(&refused) == ["password_required"], "{refused:?}");
    source["admin_password"] = "Admin-2".into();
    action_output(&sandbox, "save-source", source)?;
    ensure!(password()? == "Admin-2");
    let listed = action_output(&sandbox, "list-tasks", json!({}))?;
    ensure!(listed["user_properties"][0]["remoteusername"] == USER, "{listed}");
    ensure!(listed["user_properties"][0]["source"] == "old", "{listed}");
    Ok(())
}

#[test]
fn what_is_wrong_with_a_source_is_told_field_by_field_and_changes_nothing() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    for (changes, expected) in [
        (json!({"hostname": "a b"}), "hostname_invalid"),
        (json!({"port": 0}), "port_number_gte"),
        (json!({"sign_in": "magic"}), "sign_in_enum"),
        (json!({"preset": "nobody"}), "preset_invalid"),
        (json!({"source_id": "../x"}), "source_id_invalid"),
        (
            json!({"sign_in": "administrator", "admin_user": "a", "admin_password": "b", "login_template": "{admin}"}),
            "login_template_invalid",
        ),
        (
            json!({"sign_in": "application", "client_id": "a", "token_endpoint": "https://x.example/t"}),
            "password_required",
        ),
        (
            json!({"sign_in": "application", "client_id": "a", "client_secret_password": "b", "token_endpoint": "http://x.example/t"}),
            "token_endpoint_invalid",
        ),
        (
            json!({"sign_in": "service-account", "service_account_password": "{}"}),
            "service_account_password_invalid",
        ),
        (json!({"colour": "red"}), "(root)_additional_property_not_allowed"),
    ] {
        let mut fields = plain(&sandbox);
        fields
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        let refused = sandbox.action("save-source", fields)?;
        ensure!(
            keys(&refused).contains(&expected.to_owned()),
            "{expected}: {refused:?}"
        );
    }
    let listing = action_output(&sandbox, "list-sources", json!({}))?;
    ensure!(listing["sources"] == json!([]), "{listing}");
    ensure!(
        listing["presets"]
            .as_array()
            .is_some_and(|presets| presets.len() >= 8)
    );
    let missing = sandbox.action("create-task", sandbox.task_with(json!({"source": "nobody"})))?;
    ensure!(keys(&missing) == ["source_not_found"], "{missing:?}");
    Ok(())
}

#[test]
fn a_secret_that_may_not_go_where_the_source_points_now_is_asked_for() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let with = |changes: Value| {
        let mut fields = plain(&sandbox);
        let fields_of = fields.as_object_mut().unwrap();
        fields_of.extend(changes.as_object().unwrap().clone());
        fields
    };
    let device = json!({
        "sign_in": "device-code",
        "client_id": "a",
        "client_secret_password": "b",
        "scope": "mail",
        "token_endpoint": "https://x.example/t",
        "device_endpoint": "https://x.example/d",
    });
    ensure!(sandbox.action("save-source", with(device.clone()))?.is_ok());
    let mut elsewhere = device;
    elsewhere["client_secret_password"] = json!("");
    elsewhere["token_endpoint"] = json!("https://y.example/t");
    let refused = sandbox.action("save-source", with(elsewhere.clone()))?;
    ensure!(keys(&refused) == ["password_required"], "{refused:?}");
    // Another application may have none.
    elsewhere["client_id"] = json!("public");
    let saved = sandbox.action("save-source", with(elsewhere))?;
    ensure!(saved.is_ok(), "{saved:?}");
    Ok(())
}

/// The passwords of tasks were given to a server with a certificate that was accepted.
#[test]
fn passwords_of_tasks_do_not_follow_a_source_to_a_server_that_no_one_accepted() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let other = Sandbox::builder().unconfigured().start()?;
    let with = |port: u16, security: &str| {
        let mut fields = plain(&sandbox);
        fields["port"] = port.into();
        fields["security"] = security.into();
        fields
    };
    action_output(&sandbox, "save-source", plain(&sandbox))?;
    let created = sandbox.action("create-task", follower(&sandbox, USER))?;
    ensure!(created.is_ok(), "{created:?}");
    for security in ["ssl", ""] {
        let port = match security {
            "ssl" => other.remote().tls_port(),
            _ => other.remote().port(),
        };
        action_output(&sandbox, "save-source", with(port, security))?;
        let run = sandbox.syncctl(&["start", TASK])?;
        let log = sandbox.log(TASK);
        ensure!(run.exit_code == 12, "{security}: {run:?} {log}");
        ensure!(log.contains("certificate"), "{security}: {log}");
    }
    // Named in the source, it is accepted for all.
    let mut accepted = with(other.remote().tls_port(), "ssl");
    accepted["certificate"] = json!(other.remote().certificate()?);
    action_output(&sandbox, "save-source", accepted)?;
    sandbox.syncctl(&["start", TASK])?;
    let log = sandbox.log(TASK);
    ensure!(!log.contains("certificate"), "{log}");
    Ok(())
}

#[test]
fn names_that_are_none_reach_no_file() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    action_output(&sandbox, "save-source", plain(&sandbox))?;
    let before = sandbox.state_files()?;
    for text in ["", "../../x", "a/b", "a\nb", "a\u{0}b", ".hidden"] {
        for action in ["delete-source", "test-source", "begin-sign-in"] {
            let input = json!({"source_id": text, "mailbox": "ann"});
            let input = if action == "delete-source" {
                json!({"source_id": text})
            } else {
                input
            };
            let refused = sandbox.action(action, input)?;
            ensure!(
                keys(&refused) == ["source_id_invalid"],
                "{action} {text:?}: {refused:?}"
            );
        }
        let standing = action_output(&sandbox, "complete-sign-in", json!({"state": text}))?;
        ensure!(standing["status"] == "expired", "{standing}");
    }
    let refused = sandbox.action("test-source", json!({"source_id": "old", "mailbox": "a\nb"}))?;
    ensure!(keys(&refused) == ["mailbox_invalid"], "{refused:?}");
    ensure!(sandbox.state_files()? == before, "a file appeared");
    Ok(())
}

#[test]
fn rows_of_an_import_need_no_more_than_users_and_a_source() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.add_mail(Side::Remote, USER, &[NewMail::new("one@example.com")])?;
    action_output(&sandbox, "save-source", plain(&sandbox))?;
    let file = format!("localusername,remoteusername,remotepassword,source\nu1,{USER},Pw-r1!,old\n");
    let imported = sandbox.helper_with_input("import-csv-tasks", &[], &file)?;
    ensure!(
        imported.exit_code == 0 && imported.stdout.contains("created"),
        "{imported:?}"
    );
    let again = sandbox.helper_with_input("import-csv-tasks", &["-u"], &file)?;
    ensure!(
        again.exit_code == 0 && again.stdout.contains("updated"),
        "{again:?}"
    );
    Ok(())
}

#[test]
fn the_former_name_of_browse_folders_signs_in_nowhere() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let refused = sandbox.action("list-folders", sandbox.task_input())?;
    ensure!(keys(&refused) == ["use_browse_folders"], "{refused:?}");
    let browsed = action_output(&sandbox, "browse-folders", sandbox.task_input())?;
    ensure!(browsed["folders"].is_array(), "{browsed}");
    Ok(())
}

#[test]
fn a_source_is_reached_through_a_proxy_of_its_own() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.add_mail(Side::Remote, USER, &[NewMail::new("a@b")])?;
    let proxy = Connect::start("u@x:p:w")?;
    let mut source = plain(&sandbox);
    for (wrong, key) in [
        (json!({"proxy": "ftp://h:1"}), "proxy_invalid"),
        (json!({"proxy": "http://u:s3cret@h:1"}), "proxy_invalid"),
        (
            json!({"proxy": "http://h:1", "proxy_user": "u"}),
            "password_required",
        ),
    ] {
        let mut fields = source.clone();
        fields
            .as_object_mut()
            .unwrap()
            .extend(wrong.as_object().unwrap().clone());
        let refused = sandbox.action("save-source", fields)?;
        ensure!(keys(&refused) == [key], "{refused:?}");
    }
    source["proxy"] = format!("http://127.0.0.1:{}", proxy.port).into();
    source["proxy_user"] = "u@x".into();
    source["proxy_password"] = "p:w".into();
    action_output(&sandbox, "save-source", source.clone())?;
    let created = sandbox.action("create-task", follower(&sandbox, USER))?;
    ensure!(created.is_ok(), "{created:?}");
    let tested = proxy.count();
    ensure!(tested > 0, "the login was not tested through the proxy");
    let run = sandbox.syncctl(&["start", TASK])?;
    ensure!(run.exit_code == 0, "{}", sandbox.log(TASK));
    ensure!(proxy.count() > tested, "the run did not go through the proxy");

    // It is told but for its password, which an edit without it leaves.
    let listing = action_output(&sandbox, "list-sources", json!({}))?;
    let listed = &listing["sources"][0];
    ensure!(
        listed["proxy"] == source["proxy"] && listed["proxy_user"] == "u@x",
        "{listing}"
    );
    ensure!(!listing.to_string().contains("p:w"), "{listing}");
    let before = proxy.count();
    action_output(&sandbox, "save-source", plain(&sandbox))?;
    ensure!(sandbox.syncctl(&["start", TASK])?.exit_code == 0);
    ensure!(proxy.count() > before, "an edit without the proxy changed it");

    // With another one the password is given again.
    let mut elsewhere = source.clone();
    elsewhere["proxy"] = "http://127.0.0.2:1".into();
    elsewhere["proxy_password"] = "".into();
    let refused = sandbox.action("save-source", elsewhere)?;
    ensure!(keys(&refused) == ["password_required"], "{refused:?}");

    source["proxy"] = "direct".into();
    action_output(&sandbox, "save-source", source)?;
    let before = proxy.count();
    ensure!(
        sandbox.syncctl(&["start", TASK])?.exit_code == 0,
        "{}",
        sandbox.log(TASK)
    );
    ensure!(proxy.count() == before, "not direct");
    Ok(())
}
