// SPDX-License-Identifier: GPL-3.0-or-later
//! A sandbox whose container is a real one, where a container engine works.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use sandbox::{HelperOutcome, MAIL_MODULE_UUID, Sandbox};
use serde_json::json;

use crate::TASK;
use crate::engine::Engine;

/// crond starts what is due at the next minute. Long enough for a machine that is busy otherwise.
const CROND: Duration = Duration::from_secs(600);

/// A sandbox whose container is real, if there can be one.
pub(crate) struct Node {
    /// The node around it.
    pub sandbox: Sandbox,
    /// Whether the container is real.
    pub real: bool,
    /// There is one container of that name.
    _turn: MutexGuard<'static, ()>,
}

/// Whose turn it is to have it.
static TURN: Mutex<()> = Mutex::new(());

impl Node {
    /// Starts it, configured.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let engine = Engine::find()?;
        let mut builder = Sandbox::builder().unconfigured();
        if engine.is_none() {
            builder = builder.cron_speed(60);
        }
        let sandbox = builder.start()?;
        let node = Self {
            real: engine.is_some(),
            sandbox,
            // A test that failed has taken its container down.
            _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner),
        };
        if let Some(engine) = engine {
            node.make_real(&engine)?;
        }
        node.count_calls()?;
        let host = node.sandbox.local().address().to_string();
        let input = json!({"mail_server": MAIL_MODULE_UUID, "mail_host": host});
        let outcome = node.sandbox.action("configure-module", input)?;
        ensure!(outcome.is_ok(), "{outcome:?}\n{}", node.journal());
        Ok(node)
    }

    /// Puts the real podman, and the executor of the real unit, before the sandbox's stand-ins.
    fn make_real(&self, engine: &Engine) -> anyhow::Result<()> {
        let script = sandbox::project().join("tests/container/make-real.sh");
        let made = Command::new(script)
            .arg(self.sandbox.node().base())
            .arg(self.sandbox.local().port().to_string())
            .envs(engine.variables())
            .env("IMAPSYNC_BINARY_IMAGE", engine.image())
            .status()?;
        ensure!(made.success(), "make-real.sh failed");
        Ok(())
    }

    /// Has each call of podman written down before it is made.
    fn count_calls(&self) -> anyhow::Result<()> {
        let podman = self.sandbox.node().shims().join("podman");
        let counted = podman.with_file_name(".podman");
        fs::rename(&podman, &counted)?;
        let (calls, counted) = (self.calls_file(), counted);
        let text = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{}'\nexec '{}' \"$@\"\n",
            calls.display(),
            counted.display()
        );
        fs::write(&podman, text)?;
        Ok(fs::set_permissions(&podman, fs::Permissions::from_mode(0o755))?)
    }

    fn calls_file(&self) -> PathBuf {
        self.sandbox.node().container().join("calls-of-podman")
    }

    /// The calls of podman while something is done.
    pub(crate) fn calls_of<T>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, Vec<String>)> {
        let calls = || fs::read_to_string(self.calls_file()).unwrap_or_default();
        let before = calls().lines().count();
        let done = work()?;
        Ok((done, calls().lines().skip(before).map(str::to_owned).collect()))
    }

    fn runtime(&self) -> PathBuf {
        self.sandbox.node().container().join("runtime")
    }

    /// What was said on the way to the container, in it, and in the task's log.
    pub(crate) fn journal(&self) -> String {
        let own = fs::read_to_string(self.runtime().join("journal")).unwrap_or_default();
        let said = match self.podman(&["logs", "imapsync"]) {
            Ok(logs) if self.real => format!("{}{}", logs.stdout, logs.stderr),
            _ => self.sandbox.journal(),
        };
        format!("{own}{said}{}", self.sandbox.log(TASK))
    }

    /// Calls podman as the module does.
    pub(crate) fn podman(&self, arguments: &[&str]) -> anyhow::Result<HelperOutcome> {
        self.sandbox.helper("podman", arguments)
    }

    /// Waits for what crond does.
    pub(crate) fn wait(&self, what: &str, mut condition: impl FnMut() -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + CROND;
        while !condition() {
            if Instant::now() > deadline {
                bail!("waited in vain for {what}\n{}", self.journal());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.real {
            // The sandbox ends processes; a container has to be taken down.
            let _ = self
                .sandbox
                .helper("systemctl", &["--user", "stop", "imapsync.service"]);
        }
    }
}
