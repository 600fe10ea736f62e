// SPDX-License-Identifier: GPL-3.0-or-later
//! The node's own servers, and that nothing of them stays behind.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sandbox::mail::plan;
use sandbox::{ApiFault, NewMail, Plan, Sandbox, Side, wait_until};
use serde_json::{Value, json};

/// The processes that carry the mark of the sandbox at `base`.
fn marked(base: &Path) -> Vec<String> {
    let mark = format!("{}={}", sandbox::MARK, base.display());
    let mut found = Vec::new();
    for process in Path::new("/proc").read_dir().unwrap().flatten() {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        if environment
            .split(|&byte| byte == 0)
            .any(|variable| variable == mark.as_bytes())
        {
            found.push(process.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn mail_is_found_as_it_was_delivered() -> anyhow::Result<()> {
    let sandbox = Sandbox::builder().without_module().start()?;
    let mails = plan(&Plan {
        messages: 200,
        ..Plan::default()
    });
    sandbox.add_mail(Side::Remote, "r1@example.com", &mails)?;
    sandbox
        .remote()
        .create_folder("r1@example.com", "Empty & alone")?;
    let mailbox = sandbox.mailbox(Side::Remote, "r1@example.com")?;
    assert_eq!(mailbox.values().map(Vec::len).sum::<usize>(), 200);
    assert_eq!(sandbox.remote().count("r1@example.com")?, 200);
    assert!(mailbox["Empty & alone"].is_empty());
    assert!(mailbox.contains_key("日本語.受信済み"));

    let mail = NewMail::new("x@y")
        .folder("Grüße/Sub")
        .flags(&["\\Seen", "$Label1"])
        .date(1_234_567_890);
    sandbox.add_mail(Side::Local, "u1", std::slice::from_ref(&mail))?;
    let found = &sandbox.mailbox(Side::Local, "u1")?["Grüße/Sub"][0];
    assert_eq!((found.message_id.as_str(), found.date), ("<x@y>", 1_234_567_890));
    assert_eq!(found.flags, ["$Label1", "\\Seen"]);
    assert_eq!(found.size, mail.content.len() as u64);
    Ok(())
}

#[test]
fn redis_has_the_rights_and_the_keys_of_a_cluster() -> anyhow::Result<()> {
    let sandbox = Sandbox::builder().without_module().start()?;
    let address = sandbox.redis().address();
    let port = address.rsplit(':').next().unwrap().to_owned();
    let reader = |arguments: &[&str]| {
        let fixed = [
            "-p",
            &port,
            "--no-auth-warning",
            "--user",
            "default",
            "--pass",
            "nopass",
            "--raw",
        ];
        let output = Command::new("redis-cli")
            .args(fixed)
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(
        reader(&["HGET", "module/mail1/srv/tcp/imap", "host"]),
        "127.0.0.2"
    );
    assert_eq!(
        reader(&["HGET", "cluster/module_uuid", "mail1"]),
        sandbox::MAIL_MODULE_UUID
    );
    assert!(reader(&["SET", "a", "b"]).starts_with("NOPERM"));
    assert!(reader(&["KEYS", "*"]).starts_with("NOPERM"));
    sandbox
        .redis()
        .command(&["SADD", "module/imapsync1/roles/selfadm", "create-task"])?;
    assert_eq!(
        reader(&["SMEMBERS", "module/imapsync1/roles/selfadm"]),
        "create-task"
    );
    Ok(())
}

#[test]
fn the_api_answers_as_the_clusters_and_misbehaves_when_told_to() -> anyhow::Result<()> {
    let sandbox = Sandbox::builder().without_module().start()?;
    let url = sandbox.api().url();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let environment = &sandbox.node().environment;
    let post = |path: &str, token: &str, body: &Value| -> anyhow::Result<(u16, Value)> {
        let mut response = agent
            .post(format!("{url}{path}"))
            .header("authorization", format!("Bearer {token}"))
            .send_json(body)?;
        Ok((response.status().as_u16(), response.body_mut().read_json()?))
    };
    let get = |path: &str, token: &str| -> anyhow::Result<(u16, Value)> {
        let mut response = agent
            .get(format!("{url}{path}"))
            .header("authorization", format!("Bearer {token}"))
            .call()?;
        Ok((response.status().as_u16(), response.body_mut().read_json()?))
    };
    let credentials =
        json!({"username": environment["REDIS_USER"], "password": environment["REDIS_PASSWORD"]});
    assert_eq!(
        post("/api/login", "", &json!({"username": "x", "password": "y"}))?.0,
        401
    );
    let (_, login) = post("/api/login", "", &credentials)?;
    let token = login["token"].as_str().unwrap();
    let list = json!({"action": "list-user-mailboxes", "data": {}});
    let tasks = "/api/module/mail1/tasks";
    assert_eq!(post(tasks, "stale", &list)?.0, 401);
    let (created, task) = post(tasks, token, &list)?;
    assert_eq!(created, 201);
    let status = format!(
        "/api/module/mail1/task/{}/status",
        task["data"]["id"].as_str().unwrap()
    );
    let (ok, result) = get(&status, token)?;
    assert_eq!((ok, &result["data"]["exit_code"]), (200, &json!(0)));
    assert_eq!(
        result["data"]["output"]["user_mailboxes"][0],
        json!({"user": "u1"})
    );

    sandbox.set_api_fault(ApiFault::Status { code: 503, times: 2 })?;
    assert_eq!(
        [
            get(&status, token)?.0,
            get(&status, token)?.0,
            get(&status, token)?.0
        ],
        [503, 503, 200]
    );
    sandbox.set_api_fault(ApiFault::SlowTasks(Duration::from_millis(100)))?;
    let (_, task) = post(tasks, token, &list)?;
    let status = format!(
        "/api/module/mail1/task/{}/status",
        task["data"]["id"].as_str().unwrap()
    );
    assert_eq!(get(&status, token)?.0, 400);
    wait_until("the slow task", || {
        get(&status, token).is_ok_and(|(code, _)| code == 200)
    })?;
    sandbox.set_api_fault(ApiFault::ExpiredTokens)?;
    assert_eq!(get(&status, token)?.0, 401);
    sandbox.set_api_fault(ApiFault::Refused)?;
    assert!(get(&status, token).is_err());
    sandbox.set_api_fault(ApiFault::None)?;
    assert_eq!(post("/api/login", "", &credentials)?.0, 200);
    Ok(())
}

#[test]
fn the_container_answers_only_while_its_service_runs() -> anyhow::Result<()> {
    let sandbox = Sandbox::builder().without_module().start()?;
    let agent = sandbox.agent();
    let program = sandbox.node().install_dir().join("bin/ns8-imapsync");
    std::fs::create_dir_all(program.parent().unwrap())?;
    let text = "#!/bin/sh\n[ \"$1\" = sleep ] && exec sleep 60\necho \"$(basename \"$0\") $1 $MAIL_HOST $(cat)\"; exit 7\n";
    std::fs::write(&program, text)?;
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755))?;
    std::fs::write(
        sandbox.node().state().join("environment"),
        "MAIL_HOST=127.0.0.2\n",
    )?;
    assert_eq!(sandbox.syncctl(&["status"])?.exit_code, 125);

    let systemctl = |verb: &str| agent.helper("systemctl", &["--user", verb, "imapsync.service"], b"");
    assert_eq!(systemctl("try-restart")?.exit_code, 0);
    assert_eq!(systemctl("is-active")?.exit_code, 3);
    assert_eq!(systemctl("start")?.exit_code, 0);
    assert_eq!(systemctl("is-active")?.stdout, "active\n");
    let arguments = ["exec", "-i", "imapsync", "/usr/local/bin/syncctl", "validation"];
    let outcome = agent.helper("podman", &arguments, b"input")?;
    assert_eq!(
        (outcome.exit_code, outcome.stdout.as_str()),
        (7, "syncctl validation 127.0.0.2 input\n")
    );

    let arguments = ["exec", "-d", "imapsync", "/usr/local/bin/syncctl", "sleep"];
    assert_eq!(agent.helper("podman", &arguments, b"")?.exit_code, 0);
    assert!(!marked(sandbox.node().base()).is_empty());
    let sleeps = || {
        marked(sandbox.node().base()).iter().any(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
        })
    };
    wait_until("the program in the background", sleeps)?;
    assert_eq!(systemctl("stop")?.exit_code, 0);
    wait_until("the end of what ran in the container", || !sleeps())?;
    Ok(())
}

/// How many of these servers are there.
fn listening(addresses: &[SocketAddr]) -> usize {
    addresses
        .iter()
        .filter(|address| TcpStream::connect(address).is_ok())
        .count()
}

#[test]
fn nothing_stays_behind_when_the_sandbox_is_dropped() -> anyhow::Result<()> {
    let sandbox = Sandbox::builder().without_module().start()?;
    let base = sandbox.node().base().to_path_buf();
    let addresses = [
        SocketAddr::from((sandbox.remote().address(), sandbox.remote().port())),
        SocketAddr::from((sandbox.local().address(), sandbox.local().port())),
        sandbox.redis().address().parse()?,
    ];
    assert_eq!(listening(&addresses), 3);
    drop(sandbox);
    assert_eq!(listening(&addresses), 0);
    assert_eq!(marked(&base), Vec::<String>::new());
    assert!(!base.exists());
    Ok(())
}

#[test]
fn nothing_stays_behind_when_the_sandbox_is_killed() -> anyhow::Result<()> {
    let (empty, temporary) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
        .args(["run", "--unconfigured", "--imageroot"])
        .arg(empty.path())
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut text = String::new();
    let mut base = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line?;
        if let Some(path) = line.strip_prefix("sandbox is ready: ") {
            base = Some(PathBuf::from(path));
            break;
        }
        text += &line;
    }
    let base = base.expect("the sandbox gets ready");
    let info: Value = serde_json::from_str(&text)?;
    let address = |side: &str| -> anyhow::Result<SocketAddr> {
        Ok(format!("{}:{}", info[side]["host"].as_str().unwrap(), info[side]["port"]).parse()?)
    };
    let addresses = [
        address("remote")?,
        address("local")?,
        info["redis"].as_str().unwrap().parse()?,
    ];
    assert_eq!(listening(&addresses), 3);
    child.kill()?;
    child.wait()?;
    wait_until("the end of all servers", || {
        listening(&addresses) == 0 && marked(&base).is_empty() && !base.exists()
    })
}
