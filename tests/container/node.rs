// SPDX-License-Identifier: GPL-3.0-or-later
//! A sandbox whose container is a real one, where a container engine works.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
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
}

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
        };
        if let Some(engine) = engine {
            node.make_real(&engine)?;
        }
        let host = node.sandbox.local().address().to_string();
        let input = json!({"mail_server": MAIL_MODULE_UUID, "mail_host": host});
        let outcome = node.sandbox.action("configure-module", input)?;
        ensure!(outcome.is_ok(), "{outcome:?}\n{}", node.journal());
        Ok(node)
    }

    /// Puts the real podman, and the executor of the real unit, before the sandbox's stand-ins.
    fn make_real(&self, engine: &Engine) -> anyhow::Result<()> {
        let node = self.sandbox.node();
        let here = sandbox::project().canonicalize()?.join("tests/container");
        let conf = node.container().join("containers.conf");
        let mut variables = vec![
            format!(
                "UNIT_FILE={}/systemd/user/imapsync.service",
                node.install_dir().display()
            ),
            format!("UNIT_HOME={}", node.home().display()),
            format!("UNIT_RUNTIME={}", self.runtime().display()),
        ];
        for (name, value) in engine.variables() {
            if name == "CONTAINERS_CONF" {
                // The mail server of the sandbox does not listen on port 143.
                let port = self.sandbox.local().port();
                let port = format!("[containers]\nenv = [\"MAIL_PORT={port}\"]\n");
                fs::write(&conf, fs::read_to_string(value)?.replace("[containers]\n", &port))?;
                variables.push(format!("{name}={}", conf.display()));
            } else {
                variables.push(format!("{name}={value}"));
            }
        }
        for name in ["podman", "systemctl"] {
            let exports: String = variables
                .iter()
                .map(|line| format!("export '{line}'\n"))
                .collect();
            let path = node.shims().join(name);
            fs::write(
                &path,
                format!(
                    "#!/bin/sh\n{exports}exec '{}' \"$@\"\n",
                    here.join(name).display()
                ),
            )?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        let path = node.state().join("environment");
        let text = fs::read_to_string(&path)?;
        let lines = text
            .lines()
            .map(|line| match line.strip_prefix("IMAPSYNC_BINARY_IMAGE=") {
                Some(_) => format!("IMAPSYNC_BINARY_IMAGE={}\n", engine.image()),
                None => format!("{line}\n"),
            });
        Ok(fs::write(&path, lines.collect::<String>())?)
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
