// SPDX-License-Identifier: GPL-3.0-or-later
//! Sources that are listened to: with tokens, through a proxy, as an administrator, over few connections.

use anyhow::ensure;
use sandbox::{NewMail, Sandbox, Side, wait_until};
use serde_json::{Value, json};

use super::connect::Connect;
use super::describing::{follower, plain};
use super::keeping_tokens::renewals;
use super::{ANN, World};
use crate::arriving::Arriving;
use crate::support::{TASK, USER, action_output, run_action};

/// A task of Ann's mailbox that is listened for.
fn listening(world: &World, kind: &str) -> anyhow::Result<()> {
    world.deliver(ANN, 1)?;
    if kind == "device-code" {
        world.sign_in_by_device(ANN)?;
    }
    ensure!(world.create(kind, "u1", ANN)?.is_ok());
    world.run_copies("u1", 1)?;
    ann(world).begin()
}

fn ann(world: &World) -> Arriving<'_> {
    Arriving::of(&world.sandbox, "u1", ANN)
}

#[test]
fn a_token_that_ends_while_a_source_is_listened_to_is_replaced() -> anyhow::Result<()> {
    for kind in ["device-code", "application"] {
        let world = World::supervised(kind)?;
        listening(&world, kind)?;
        ann(&world).arrives("INBOX", "one@x")?;
        world.end_tokens()?;
        world.issuer.forget_access_tokens()?;
        let (before, asked) = (world.stored_tokens()?, world.issuer.requests()?.len());
        // As servers do whose sessions end with their tokens.
        ann(&world).kick()?;
        wait_until("a new token", || {
            world.stored_tokens().is_ok_and(|now| now != before)
        })?;
        ann(&world).wait_for("watching")?;
        ann(&world).arrives("INBOX", "two@x")?;
        // Once for the listener and the run.
        let asked = world.issuer.requests()?.len() - asked;
        ensure!(asked == 1, "{kind}: {asked} times");
        ensure!(
            !world.sandbox.task_file(TASK, "refused").exists(),
            "{kind}: it counted as a refused login"
        );
    }
    Ok(())
}

#[test]
fn a_token_that_is_taken_back_before_its_end_is_replaced_too() -> anyhow::Result<()> {
    let world = World::supervised("application")?;
    listening(&world, "application")?;
    world.age_tokens()?;
    world.issuer.forget_access_tokens()?;
    let before = world.stored_tokens()?;
    ann(&world).kick()?;
    wait_until("a new token", || {
        world.stored_tokens().is_ok_and(|now| now != before)
    })?;
    ann(&world).wait_for("watching")?;
    ann(&world).arrives("INBOX", "two@x")
}

#[test]
fn a_revoked_sign_in_ends_the_listening_until_somebody_signs_in_again() -> anyhow::Result<()> {
    const BOB: &str = "bob@example.com";
    let world = World::supervised("device-code")?;
    listening(&world, "device-code")?;
    world.issuer.revoke(ANN)?;
    world.end_tokens()?;
    ann(&world).kick()?;
    ann(&world).wait_for("sign_in_needed")?;
    let listed = ann(&world).listed()?;
    ensure!(listed["state"] == "sign_in_needed", "{listed}");
    ensure!(
        !world.sandbox.task_file(TASK, "refused").exists(),
        "no password was refused"
    );
    let journal = world.sandbox.journal();
    ensure!(
        journal.matches("somebody has to sign in").count() == 1,
        "{journal}"
    );
    let asked = renewals(&world)?;
    let logins = world.sandbox.remote().log().matches("auth failed").count();

    // What else happens in the source concerns the others alone.
    world.deliver(BOB, 1)?;
    world.sign_in_by_device(BOB)?;
    ensure!(world.create("device-code", "u2", BOB)?.is_ok());
    world.run_copies("u2", 1)?;
    let bob = Arriving::of(&world.sandbox, "u2", BOB);
    bob.begin()?;
    bob.arrives("INBOX", "for-bob@x")?;
    ensure!(ann(&world).listed()?["listening"] == "sign_in_needed");
    ensure!(renewals(&world)? == asked, "the provider was asked again");
    let now = world.sandbox.remote().log().matches("auth failed").count();
    ensure!(now == logins, "the server was asked again");

    ann(&world).append("INBOX", "meanwhile@x")?;
    world.sign_in_by_device(ANN)?;
    ann(&world).wait_for("watching")?;
    wait_until("what came meanwhile", || {
        ann(&world).copies("INBOX", "meanwhile@x") == 1
    })?;
    ann(&world).arrives("INBOX", "after@x")
}

/// A sandbox with a supervisor, and a task that follows this source and has run once.
fn following(sandbox: &Sandbox, source: &Value) -> anyhow::Result<()> {
    action_output(sandbox, "save-source", source.clone())?;
    sandbox.add_mail(Side::Remote, USER, &[NewMail::new("first@x")])?;
    let mut task = follower(sandbox, USER);
    if source["sign_in"] == "administrator" {
        task.as_object_mut().unwrap().remove("remotepassword");
    }
    run_action(sandbox, "create-task", task)?;
    let run = sandbox.syncctl(&["start", TASK])?;
    ensure!(run.exit_code == 0, "{}", sandbox.log(TASK));
    Ok(())
}

fn supervised() -> anyhow::Result<Sandbox> {
    Sandbox::builder().supervised().start()
}

#[test]
fn a_source_behind_a_proxy_is_listened_to_through_it() -> anyhow::Result<()> {
    let sandbox = supervised()?;
    let proxy = Connect::start("u@x:p:w")?;
    let mut source = plain(&sandbox);
    source["proxy"] = format!("http://127.0.0.1:{}", proxy.port).into();
    source["proxy_user"] = "u@x".into();
    source["proxy_password"] = "p:w".into();
    following(&sandbox, &source)?;
    let task = Arriving::of(&sandbox, "u1", USER);
    let before = proxy.count();
    task.begin()?;
    ensure!(proxy.count() > before, "not through the proxy");
    task.arrives("INBOX", "through@x")?;

    // The way there is another one: the former is left at once, and a proxy that lets no one in is not gone around.
    source["proxy_password"] = "not-it".into();
    action_output(&sandbox, "save-source", source.clone())?;
    task.left()?;
    task.wait_for("connecting")?;
    wait_until("the journal to say why", || {
        sandbox
            .journal()
            .contains("that tells of new mail is made again later")
    })?;
    ensure!(task.connections() == 0);
    ensure!(!sandbox.journal().contains("not-it"), "no secret in the journal");
    let before = proxy.count();
    source["proxy"] = "direct".into();
    for field in ["proxy_user", "proxy_password"] {
        source.as_object_mut().unwrap().remove(field);
    }
    action_output(&sandbox, "save-source", source)?;
    task.wait_for("watching")?;
    task.arrives("INBOX", "directly@x")?;
    ensure!(proxy.count() == before, "not direct");
    Ok(())
}

#[test]
fn an_administrator_listens_to_the_mailboxes_of_others() -> anyhow::Result<()> {
    for (method, template) in [("template", "{user}*{admin}"), ("authzid", "")] {
        let sandbox = supervised()?;
        sandbox.remote().reconfigure(
            "auth_master_user_separator = *\npassdb {\n  driver = static\n  args = password=Admin-1\n  master = yes\n}\n",
        )?;
        let mut source = plain(&sandbox);
        source["sign_in"] = "administrator".into();
        source["admin_method"] = method.into();
        source["login_template"] = template.into();
        source["certificate"] = sandbox.remote().certificate()?.into();
        source["admin_user"] = "root".into();
        source["admin_password"] = "Admin-1".into();
        following(&sandbox, &source)?;
        let task = Arriving::of(&sandbox, "u1", USER);
        task.begin()?;
        task.arrives("INBOX", "as-administrator@x")?;
        // The run has its own until it ends.
        wait_until(&format!("{method}: one in the mailbox of its owner"), || {
            task.connections() == 1
        })?;

        source["admin_password"] = "Admin-2".into();
        action_output(&sandbox, "save-source", source.clone())?;
        task.wait_for("refused")?;
        ensure!(
            !sandbox.journal().contains("Admin-2"),
            "{method}: no secret in the journal"
        );
        source["admin_password"] = "Admin-1".into();
        action_output(&sandbox, "save-source", source)?;
        task.wait_for("watching")?;
        task.arrives("INBOX", "again@x")?;
    }
    Ok(())
}

/// The server allows one connection, and says so to no one.
fn one_connection(sandbox: &Sandbox) -> anyhow::Result<()> {
    sandbox
        .remote()
        .reconfigure("protocol imap {\n  mail_max_userip_connections = 1\n}\n")
}

#[test]
fn where_a_source_allows_one_connection_runs_and_the_listener_take_turns() -> anyhow::Result<()> {
    for told in [true, false] {
        let sandbox = supervised()?;
        let mut source = plain(&sandbox);
        source["connections"] = i64::from(told).into();
        following(&sandbox, &source)?;
        one_connection(&sandbox)?;
        let task = Arriving::of(&sandbox, "u1", USER);
        task.begin()?;
        for round in 0..2 {
            let by_hand = sandbox.syncctl(&["start", TASK])?;
            ensure!(by_hand.exit_code == 0, "{told} {round}: {}", sandbox.log(TASK));
            task.wait_for("watching")?;
            task.arrives("INBOX", &format!("round-{round}@x"))?;
            task.wait_for("watching")?;
        }
    }
    Ok(())
}

#[test]
fn the_listener_is_away_for_as_long_as_a_run_of_a_limited_source_takes() -> anyhow::Result<()> {
    let sandbox = supervised()?;
    let mut source = plain(&sandbox);
    source["connections"] = 1.into();
    following(&sandbox, &source)?;
    let task = Arriving::of(&sandbox, "u1", USER);
    task.begin()?;
    let reference = json!({"localuser": "u1", "task_id": "abc123"});
    let limit = |bandwidth: i64| {
        let change = json!({"tasks": [reference], "bandwidth": bandwidth});
        action_output(&sandbox, "update-tasks", change)
    };
    limit(1)?;
    let large = NewMail::new("large@x").content(format!(
        "Message-Id: <large@x>\r\nSubject: large\r\n\r\n{}",
        "What takes its time at this limit of the bandwidth, and much of it.\r\n".repeat(10_000)
    ));
    for end in ["stop-task", "by itself"] {
        if end == "stop-task" {
            sandbox.add_mail(Side::Remote, USER, std::slice::from_ref(&large))?;
        }
        run_action(&sandbox, "start-task", reference.clone())?;
        wait_until("the run", || sandbox.task_file(TASK, "progress").exists())?;
        task.wait_for("yielding")?;
        wait_until("its connection", || task.connections() > 0)?;
        ensure!(task.connections() == 1, "{end}: no other one");
        match end {
            "stop-task" => drop(run_action(&sandbox, "stop-task", reference.clone())?),
            _ => drop(limit(0)?),
        }
        task.wait_for("watching")?;
        ensure!(!sandbox.is_running(TASK), "{end}");
    }
    wait_until("what the run was for", || task.copies("INBOX", "large@x") == 1)?;

    // Whoever takes the option away, or the task, has the source left though a run is at work.
    sandbox.listen_to("u1", "abc123", false)?;
    task.left()
}
