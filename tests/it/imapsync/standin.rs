// SPDX-License-Identifier: GPL-3.0-or-later
//! The stand-in: a shell script called `imapsync`, and the folder through which a test directs it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use sandbox::{MAIL_MODULE_UUID, Sandbox, wait_until};
use serde_json::json;

const SCRIPT: &str = r#"#!/bin/bash
dir=@DIR@
if [ "$1" = --version ]; then echo 2.290; exit; fi
trap 'touch "$dir/terminated"; cat "$dir/last" 2> /dev/null; while [ -e "$dir/deaf" ]; do sleep 0.02; done; echo "Exiting with return value 6 (EXIT_BY_SIGNAL) 0/50 nb_errors"; exit 6' TERM
printf '%s\n' "$@" > "$dir/arguments"
env > "$dir/environment"
echo x >> "$dir/starts"
echo "Here is imapsync 2.290"
touch "$dir/started"
while :; do
    if [ -e "$dir/words" ]; then mv "$dir/words" "$dir/spoken"; cat "$dir/spoken"; fi
    if [ -e "$dir/end" ]; then break; fi
    sleep 0.02
done
code=$(cat "$dir/end")
silent=$(cat "$dir/silent" 2> /dev/null)
rm -f "$dir/end" "$dir/silent"
[ -n "$silent" ] || echo "Exiting with return value $code (EX_STAND_IN: as told) 0/50 nb_errors/max_errors PID $$"
exit "$code"
"#;

/// The folder through which the stand-in is directed.
pub(super) struct StandIn {
    dir: PathBuf,
}

/// A configured sandbox whose container has the stand-in as imapsync, and these variables.
pub(super) fn sandbox(variables: &[&str]) -> anyhow::Result<(Sandbox, StandIn)> {
    let write = |dir: &Path| {
        let program = dir.join("imapsync");
        fs::write(&program, SCRIPT.replace("@DIR@", &dir.to_string_lossy()))?;
        Ok(fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?)
    };
    let (sandbox, dir) = install_imapsync(variables, write)?;
    Ok((sandbox, StandIn { dir }))
}

/// A configured sandbox that uses the imapsync that `install` puts into a folder of the container; and that folder.
pub(super) fn install_imapsync(
    variables: &[&str],
    install: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<(Sandbox, PathBuf)> {
    let sandbox = Sandbox::builder().unconfigured().start()?;
    let dir = sandbox.node().container().join("imapsync");
    fs::create_dir(&dir)?;
    install(&dir)?;
    let path = sandbox.node().container().join("environment");
    let mut environment = fs::read_to_string(&path)?.replace("PATH=", &format!("PATH={}:", dir.display()));
    for variable in variables {
        environment += &format!("{variable}\n");
    }
    fs::write(&path, environment)?;
    let host = sandbox.local().address().to_string();
    let input = json!({"mail_server": MAIL_MODULE_UUID, "mail_host": host, "sync_engine": "imapsync"});
    let outcome = sandbox.action("configure-module", input)?;
    ensure!(outcome.is_ok(), "{outcome:?}");
    Ok((sandbox, dir))
}

impl StandIn {
    /// Waits until it runs; it counts as not started again from then on.
    pub(super) fn wait_until_started(&self) -> anyhow::Result<()> {
        let started = self.dir.join("started");
        wait_until("imapsync to start", || started.exists())?;
        Ok(fs::remove_file(started)?)
    }

    /// Has it print these lines.
    pub(super) fn say(&self, words: &str) -> anyhow::Result<()> {
        self.put("words", words)?;
        let words = self.dir.join("words");
        wait_until("imapsync to speak", || !words.exists())
    }

    /// What it prints when it is asked to end.
    pub(super) fn say_at_last(&self, words: &str) -> anyhow::Result<()> {
        self.put("last", words)
    }

    /// Has it end.
    pub(super) fn end(&self, code: i32) -> anyhow::Result<()> {
        self.put("end", &code.to_string())
    }

    /// Has it end without the line that says so.
    pub(super) fn end_silently(&self, code: i32) -> anyhow::Result<()> {
        self.put("silent", "yes")?;
        self.end(code)
    }

    /// The arguments of its last start.
    pub(super) fn arguments(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.read("arguments")?.lines().map(str::to_owned).collect())
    }

    /// The environment of its last start.
    pub(super) fn environment(&self) -> anyhow::Result<String> {
        self.read("environment")
    }

    /// How often it was started.
    pub(super) fn starts(&self) -> anyhow::Result<usize> {
        Ok(self.read("starts")?.lines().count())
    }

    /// Has it not end when it is asked to.
    pub(super) fn turn_deaf(&self) -> anyhow::Result<()> {
        self.put("deaf", "yes")
    }

    /// Whether it was asked to end.
    pub(super) fn was_terminated(&self) -> anyhow::Result<bool> {
        Ok(self.dir.join("terminated").try_exists()?)
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        let path: &Path = &self.dir.join(name);
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    }

    fn put(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let new = self.dir.join("new");
        fs::write(&new, text)?;
        Ok(fs::rename(new, self.dir.join(name))?)
    }
}
