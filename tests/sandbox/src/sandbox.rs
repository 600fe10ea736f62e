// SPDX-License-Identifier: GPL-3.0-or-later
//! The whole node: started with one call, driven in prose.

mod builder;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

use crate::agent::{Agent, HelperOutcome, Outcome, Running};
use crate::cluster::{ApiFault, ClusterApi};
use crate::cron::Cron;
use crate::dovecot::MailServer;
use crate::keeper::Keeper;
use crate::mail::{Mailbox, NewMail, Side};
use crate::node::Node;
use crate::redis::Redis;
use crate::{MAIL_MODULE_UUID, install};

pub use builder::Builder;

/// How long anything is waited for before a test gives up.
const START_TIMEOUT: Duration = Duration::from_secs(300);

/// A running node in a box. Dropping it stops everything.
///
/// The fields are dropped in order, the keeper last but one: it ends what is left and removes the folder.
#[derive(Debug)]
pub struct Sandbox {
    _cron: Option<Cron>,
    local: MailServer,
    remote: MailServer,
    redis: Redis,
    api: ClusterApi,
    agent: Agent,
    node: Node,
    _keeper: Keeper,
}

/// One file of the state folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFile {
    /// Permission bits, such as 0o600.
    pub mode: u32,
    /// The content; octets that are no UTF-8 are replaced.
    pub text: String,
}

/// A task's last run at some moment, for [`Sandbox::wait_for_run`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunMark {
    task: String,
    status: Option<(u64, i64, i64)>,
}

impl Sandbox {
    /// A node with the module installed and configured for its mail server `mail1`.
    pub fn start() -> anyhow::Result<Self> {
        Self::builder().start()
    }

    /// A sandbox to be started in another way.
    pub fn builder() -> Builder {
        Builder {
            imageroot: None,
            install: true,
            configure: true,
            cron_speed: None,
            supervised: false,
        }
    }

    /// The node's folders and environment.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The agent, to be used from other threads.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// The server from which mail is pulled; `r1@example.com` … `r3@example.com` with `Pw-r1!` …,
    /// `asc@` and `special@example.com` with difficult passwords.
    pub fn remote(&self) -> &MailServer {
        &self.remote
    }

    /// The mail module; users `u1` to `u3`.
    pub fn local(&self) -> &MailServer {
        &self.local
    }

    /// The server of one side.
    pub fn server(&self, side: Side) -> &MailServer {
        match side {
            Side::Remote => &self.remote,
            Side::Local => &self.local,
        }
    }

    /// The cluster's Redis.
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// The cluster's HTTP API.
    pub fn api(&self) -> &ClusterApi {
        &self.api
    }

    /// Orders a fault of the cluster's API.
    pub fn set_api_fault(&self, fault: ApiFault) -> anyhow::Result<()> {
        self.api.set_fault(fault)
    }

    /// Runs an action.
    pub fn action(&self, name: &str, input: impl Into<Value>) -> anyhow::Result<Outcome> {
        self.agent.action(name, &input.into())
    }

    /// Starts an action in the background.
    pub fn start_action(&self, name: &str, input: impl Into<Value>) -> anyhow::Result<Running> {
        self.agent.start_action(name, &input.into())
    }

    /// Runs a helper of `bin/`.
    pub fn helper(&self, name: &str, arguments: &[&str]) -> anyhow::Result<HelperOutcome> {
        self.agent.helper(name, arguments, b"")
    }

    /// Runs a helper of `bin/` with something on its standard input.
    pub fn helper_with_input(
        &self,
        name: &str,
        arguments: &[&str],
        input: impl AsRef<[u8]>,
    ) -> anyhow::Result<HelperOutcome> {
        self.agent.helper(name, arguments, input.as_ref())
    }

    /// For each name creates `NAME@example.com` with the password `Pw-NAME` on the remote side and the mailbox `NAME` on
    /// the local one, so that many tests can share a sandbox.
    pub fn add_accounts(&self, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            let password = format!("Pw-{name}");
            self.remote.set_user(&format!("{name}@example.com"), &password)?;
            self.local.set_user(name, &password)?;
            self.api.add_mailbox(json!({"user": name}));
        }
        let Some(last) = names.last() else {
            return Ok(());
        };
        // Dovecot looks at the file once a second.
        for (server, user) in [
            (&self.remote, format!("{last}@example.com")),
            (&self.local, last.clone()),
        ] {
            wait_until(&format!("{user} to be known"), || {
                server.doveadm_run(&["user", &user]).is_ok()
            })?;
        }
        Ok(())
    }

    /// Delivers an event of the cluster.
    pub fn event(&self, name: &str, payload: impl Into<Value>) -> anyhow::Result<HelperOutcome> {
        self.agent.event(name, &payload.into())
    }

    /// Runs `syncctl` in the container, in the foreground.
    pub fn syncctl(&self, arguments: &[&str]) -> anyhow::Result<HelperOutcome> {
        let fixed = ["exec", "imapsync", "/usr/local/bin/syncctl"];
        self.agent
            .helper("podman", &[&fixed[..], arguments].concat(), b"")
    }

    /// Puts mail into a mailbox.
    pub fn add_mail(&self, side: Side, user: &str, mails: &[NewMail]) -> anyhow::Result<()> {
        self.server(side).deliver(user, mails)
    }

    /// All folders and messages of a mailbox, as IMAP shows them.
    pub fn mailbox(&self, side: Side, user: &str) -> anyhow::Result<Mailbox> {
        self.server(side).mailbox(user)
    }

    /// The input of `create-task` for the task `u1_abc123`: everything of `r1@example.com`, over STARTTLS,
    /// without a schedule. Tests change what they are about.
    pub fn task_input(&self) -> Value {
        json!({
            "task_id": "abc123",
            "localuser": "u1",
            "remoteusername": "r1@example.com",
            "remotehostname": self.remote.address().to_string(),
            "remotepassword": "Pw-r1!",
            "remoteport": self.remote.port(),
            "security": "tls",
            "delete_local": false,
            "exclude": "",
            "delete_remote": false,
            "delete_remote_older": 0,
            "sieve_enabled": false,
            "cron": "",
            "foldersynchronization": "all",
        })
    }

    /// [`Sandbox::task_input`] with some fields replaced.
    pub fn task_with(&self, changes: Value) -> Value {
        let mut input = self.task_input();
        if let (Value::Object(input), Value::Object(changes)) = (&mut input, changes) {
            input.extend(changes);
        }
        input
    }

    /// Creates a task, which must succeed, and waits for the end of its first run.
    pub fn sync(&self, input: Value) -> anyhow::Result<Outcome> {
        let field = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
        let mark = self.mark_run(&format!("{}_{}", field("localuser"), field("task_id")));
        let outcome = self.action("create-task", input)?;
        if !outcome.is_ok() {
            bail!("create-task failed: {outcome:?}");
        }
        self.wait_for_run(&mark)?;
        Ok(outcome)
    }

    /// Starts a task with `start-task`, which must succeed, and waits for the end of its run.
    pub fn sync_again(&self, localuser: &str, task_id: &str) -> anyhow::Result<Outcome> {
        let mark = self.mark_run(&format!("{localuser}_{task_id}"));
        let outcome = self.action("start-task", json!({"localuser": localuser, "task_id": task_id}))?;
        if !outcome.is_ok() {
            bail!("start-task failed: {outcome:?}");
        }
        self.wait_for_run(&mark)?;
        Ok(outcome)
    }

    /// Has the source of a task listened to, or no longer, as list-tasks tells then.
    pub fn listen_to(&self, localuser: &str, task_id: &str, listens: bool) -> anyhow::Result<()> {
        let task = json!({"localuser": localuser, "task_id": task_id});
        let input = json!({"tasks": [task], "as_it_arrives": listens});
        let outcome = self.action("update-tasks", input)?;
        ensure!(outcome.output["results"][0]["result"] == "updated", "{outcome:?}");
        let listing = self.action("list-tasks", json!({}))?;
        let mut tasks = listing.output["user_properties"].as_array().into_iter().flatten();
        let told = tasks.any(|one| {
            one["localuser"] == localuser && one["task_id"] == task_id && one["as_it_arrives"] == listens
        });
        ensure!(told, "{listing:?}");
        Ok(())
    }

    /// Every file below the state folder (`imapsync/…`, `cron/…`, `environment`).
    pub fn state_files(&self) -> anyhow::Result<BTreeMap<String, StateFile>> {
        let mut files = BTreeMap::new();
        collect(&self.node.state(), "", &mut files)?;
        // What is known of the local mail server belongs to no task, and is learnt by the first one to meet it.
        files.remove("imapsync/.local-server.json");
        Ok(files)
    }

    /// Remembers which run of a task (`u1_abc123`) was its last.
    pub fn mark_run(&self, task: &str) -> RunMark {
        let metadata = self.task_file(task, "status").metadata().ok();
        // A new status file has another inode or time, whatever is in it.
        RunMark {
            task: task.to_owned(),
            status: metadata.map(|file| (file.ino(), file.mtime(), file.mtime_nsec())),
        }
    }

    /// Waits until a run that was not yet over at `mark` has left its status and is gone.
    pub fn wait_for_run(&self, mark: &RunMark) -> anyhow::Result<()> {
        wait_until(&format!("the end of a run of {}", mark.task), || {
            self.mark_run(&mark.task) != *mark && !self.is_running(&mark.task)
        })
        .with_context(|| {
            format!(
                "its log:\n{}\nthe journal:\n{}",
                self.log(&mark.task),
                self.journal()
            )
        })
    }

    /// Whether a run of the task holds its lock (contract section 4).
    pub fn is_running(&self, task: &str) -> bool {
        let Ok(lock) = File::open(self.task_file(task, "lock")) else {
            return false;
        };
        flock(&lock, FlockOperation::NonBlockingLockShared).is_err()
    }

    /// Waits until the task runs.
    pub fn wait_until_running(&self, task: &str) -> anyhow::Result<()> {
        wait_until(&format!("the start of {task}"), || self.is_running(task))
    }

    /// The log of a task's last run.
    pub fn log(&self, task: &str) -> String {
        std::fs::read(self.task_file(task, "log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// What the container and the service have said so far.
    pub fn journal(&self) -> String {
        std::fs::read_to_string(self.node.container().join("journal")).unwrap_or_default()
    }

    /// A file of a task in `imapsync/`.
    pub fn task_file(&self, task: &str, extension: &str) -> PathBuf {
        self.node
            .state()
            .join("imapsync")
            .join(format!("{task}.{extension}"))
    }

    /// Unpacks the image root and runs the module's steps of `create-module`, as `add-module` does.
    fn install(&self, imageroot: Option<PathBuf>) -> anyhow::Result<()> {
        let imageroot = imageroot.map_or_else(install::imageroot, Ok)?;
        install::unpack(&imageroot, &self.node.install_dir())?;
        if self.node.install_dir().join("actions/create-module").is_dir() {
            let outcome = self.action("create-module", json!({}))?;
            if !outcome.is_ok() {
                bail!("create-module failed: {outcome:?}");
            }
        }
        Ok(())
    }

    fn configure(&self) -> anyhow::Result<()> {
        let input = json!({"mail_server": MAIL_MODULE_UUID, "mail_host": self.local.address().to_string()});
        let outcome = self.action("configure-module", input)?;
        if !outcome.is_ok() {
            bail!("configure-module failed: {outcome:?}");
        }
        Ok(())
    }
}

fn collect(dir: &Path, prefix: &str, files: &mut BTreeMap<String, StateFile>) -> anyhow::Result<()> {
    for entry in dir.read_dir()? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // A file may vanish between its name and its content: then it is not there.
        let Ok(metadata) = entry.path().symlink_metadata() else {
            continue;
        };
        if metadata.is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else if let Ok(content) = std::fs::read(entry.path()) {
            let text = String::from_utf8_lossy(&content).into_owned();
            files.insert(
                name,
                StateFile {
                    mode: metadata.permissions().mode() & 0o7777,
                    text,
                },
            );
        }
    }
    Ok(())
}

/// Waits until `condition` holds; after five minutes it is an error that names `what` was waited for.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_TIMEOUT;
    while !condition() {
        if Instant::now() > deadline {
            bail!("waited in vain for {what}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
