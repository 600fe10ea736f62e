// SPDX-License-Identifier: GPL-3.0-or-later
//! The mail and files that the recording began with.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sandbox::{NewMail, Plan, Proxy, Sandbox, Side, mail::plan, wait_until};
use serde_json::{Value, json};

use super::compare::Files;
use crate::support::USER;

const DAY: i64 = 86_400;
const SIEVE: &str = r#"require ["fileinto", "mailbox"];
if header :matches "subject" "s.*" { fileinto :create "Filed"; }
"#;

/// What a case begins with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mail {
    /// Empty mailboxes.
    None,
    /// Eleven messages in four folders.
    Usual,
    /// Three messages of last year and two of yesterday.
    OldAndYoung,
    /// Three messages of last year.
    Old,
    /// Four messages, two of which a Sieve script files.
    Sieve,
    /// The two messages of these that are filed.
    SieveAll,
    /// Two messages for a user with a difficult password.
    Special(&'static str),
    /// So many, over such a slow line, that a run does not end by itself.
    Endless,
    /// A task's file written by an early version, and no mail.
    OldEnv,
    /// The tasks' files that the recording found when it began, and no mail.
    Files,
    /// The accounts of a NethServer 7, and no mail.
    Getmail,
}

/// A sandbox with the mail of a case.
pub(super) struct World {
    pub sandbox: Sandbox,
    pub remote_port: u16,
    pub closed_port: u16,
    mail: Mail,
    _proxy: Option<Proxy>,
}

fn series(name: &str, folder: &str, count: usize, user: &str) -> Vec<NewMail> {
    let dotted = folder.replace('/', ".");
    (0..count)
        .map(|at| NewMail::new(&format!("{name}.{at}.{dotted}@{user}")).folder(folder))
        .collect()
}

fn aged(mut mails: Vec<NewMail>, days: i64) -> Vec<NewMail> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for mail in &mut mails {
        mail.date = i64::try_from(now).unwrap() - days * DAY;
    }
    mails
}

/// The accounts that the recorded tasks came from: every kind of server with three ways of deletion and schedule,
/// and one with a difficult password.
fn getmail() -> Value {
    let account = |props: [(&str, &str); 7]| {
        let always = [("status", "enabled"), ("FilterCheck", "no")];
        let props: BTreeMap<_, _> = props.into_iter().chain(always).collect();
        json!({"type": "getmail", "props": props})
    };
    let mut accounts = Vec::new();
    for protocol in ["POP3", "POP3SSL", "IMAP", "IMAPSSL"] {
        let retriever = format!("Simple{protocol}Retriever");
        for (delete, time) in [("0", "5"), ("7", "15"), ("-1", "60")] {
            accounts.push(account([
                ("Account", "u1@rig.test"),
                ("Username", "r1"),
                ("Password", "pw1"),
                ("Server", "imap.x.test"),
                ("Retriever", &retriever),
                ("Delete", delete),
                ("Time", time),
            ]));
        }
    }
    accounts.push(account([
        ("Account", "u3"),
        ("Username", "u@x"),
        ("Password", "p w\"'\\"),
        ("Server", "s.test"),
        ("Retriever", "SimplePOP3Retriever"),
        ("Delete", "0"),
        ("Time", "5"),
    ]));
    accounts.into()
}

impl World {
    /// `recorded` are the files after the first step, for those that were there before it.
    pub(super) fn start(mail: Mail, recorded: &Value) -> anyhow::Result<Self> {
        let sandbox = Sandbox::start()?;
        let remote = sandbox.remote();
        let mails = match mail {
            Mail::None | Mail::OldEnv | Mail::Files | Mail::Getmail => Vec::new(),
            Mail::Usual => [
                series("in", "INBOX", 4, "r1"),
                series("sp", "Spam", 2, "r1"),
                series("w", "Work", 3, "r1"),
                series("ws", "Work/Sub", 2, "r1"),
            ]
            .concat(),
            Mail::OldAndYoung => {
                let (old, young) = (series("old", "INBOX", 3, "r1"), series("young", "INBOX", 2, "r1"));
                [aged(old, 365), aged(young, 1)].concat()
            }
            Mail::Old => aged(series("old", "INBOX", 3, "r1"), 365),
            Mail::Sieve => [series("s", "INBOX", 2, "r1"), series("n", "INBOX", 2, "r1")].concat(),
            Mail::SieveAll => series("s", "INBOX", 2, "r1"),
            Mail::Special(_) => Vec::new(),
            Mail::Endless => plan(&Plan {
                messages: 300,
                large_per_mille: 100,
                ..Plan::default()
            }),
        };
        sandbox.add_mail(Side::Remote, USER, &mails)?;
        let mut remote_port = remote.port();
        let mut proxy = None;
        match mail {
            Mail::Sieve | Mail::SieveAll => sandbox.local().set_sieve("u1", SIEVE)?,
            Mail::Special(user) => {
                let (name, _) = user.split_once('@').unwrap();
                sandbox.add_mail(Side::Remote, user, &series("spec", "INBOX", 2, name))?;
            }
            Mail::Endless => {
                let line = Proxy::start(
                    SocketAddr::from((remote.address(), remote.port())),
                    Duration::ZERO,
                )?;
                line.throttle(40_000);
                remote_port = line.port();
                proxy = Some(line);
            }
            Mail::OldEnv => {
                let text = "TASK_ID=old001\nLOCALUSER=u1\nREMOTEUSERNAME=r\nREMOTEHOSTNAME=h\nREMOTEPORT=143\n\
                            SECURITY=--tls1\nDELETE_LOCAL=\nEXCLUDE=\nCRON=\n";
                let path = sandbox.task_file("u1_old001", "env");
                std::fs::write(&path, text)?;
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644))?;
            }
            _ => {}
        }
        if matches!(mail, Mail::Getmail) {
            std::fs::write(sandbox.node().state().join("getmail.json"), getmail().to_string())?;
        }
        let closed_port = std::net::TcpListener::bind((remote.address(), 0))?
            .local_addr()?
            .port();
        let world = Self {
            sandbox,
            remote_port,
            closed_port,
            mail,
            _proxy: proxy,
        };
        if matches!(mail, Mail::Files) {
            for (name, (mode, text)) in world.recorded_files(recorded) {
                if name.starts_with("imapsync/u1_") {
                    let path = world.sandbox.node().state().join(name);
                    std::fs::write(&path, text)?;
                    let mode = u32::from_str_radix(mode.trim_start_matches("0o"), 8)?;
                    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode))?;
                }
            }
        }
        Ok(world)
    }

    /// The files of a step of the recording, with the ports of this sandbox.
    pub(super) fn recorded_files(&self, recorded: &Value) -> Files {
        let port = format!("REMOTEPORT={}\n", self.remote_port);
        let all = recorded.as_object().into_iter().flatten();
        all.map(|(name, file)| {
            let text = |field: &str| file[field].as_str().unwrap_or_default().to_owned();
            let content = match text("text").contains("REMOTEHOSTNAME=127.0.0.3\n") {
                true => text("text").replace("REMOTEPORT=143\n", &port),
                false => text("text"),
            };
            (name.clone(), (text("mode"), content))
        })
        .collect()
    }

    /// What happened outside of the module before a step of the recording.
    pub(super) fn before(&self, case: &str, step: &str) -> anyhow::Result<()> {
        match (case, step) {
            ("helper-reveal", "00") => Ok(std::fs::remove_file(
                self.sandbox.node().state().join("imapsync/vmail.pwd"),
            )?),
            ("create-delete-remote-inbox", "02") => {
                self.sandbox
                    .add_mail(Side::Remote, USER, &series("again", "INBOX", 2, "r1"))
            }
            ("start-stop-task", "01" | "08") => {
                let log = || !self.sandbox.log("u1_abc123").is_empty();
                self.sandbox.wait_until_running("u1_abc123")?;
                wait_until("the first line of the log", log)
            }
            _ => Ok(()),
        }
    }

    /// Whether a run that was started goes on until it is stopped.
    pub(super) fn runs_for_ever(&self) -> bool {
        matches!(self.mail, Mail::Endless)
    }
}
