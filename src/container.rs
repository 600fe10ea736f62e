// SPDX-License-Identifier: GPL-3.0-or-later
//! The container the runs live in, and the service that keeps it.
//!
//! Everything that logs in to a mail server happens in there, with the network view of the runs: the host
//! asks `syncctl` by `podman exec`.

mod child;

use std::io::{Read as _, Seek as _};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use self::child::{Input, communicate, last_words};
use crate::agent::journal;
use crate::error::{Error, ErrorKey, Refusal, Result};
use crate::secret::ROOM;
use crate::sync::inspect::candidate::Candidate;
use crate::sync::inspect::login_test::LoginTestReport;
use crate::sync::inspect::source_test;
use crate::task::{ExposeSecret as _, RemoteUser, SecretString, SourceId, TaskName};

const NAME: &str = "imapsync";
const SYNCCTL: &str = "/usr/local/bin/syncctl";
const UNIT: &str = "imapsync.service";
/// What podman itself ends with when the container is not there (podman-exec(1)); 126 and 127 tell that
/// the program in it could not be run.
const PODMAN_FAILED: i32 = 125;
/// Two logins and their time limits fit in here several times.
const ANSWER: Duration = Duration::from_secs(120);
/// Counting and comparing large mailboxes takes its time; no one looks at a page for longer.
const LONG_ANSWER: Duration = Duration::from_secs(900);

/// Podman puts a program into the container and comes back.
const LAUNCH: Duration = Duration::from_secs(60);
/// The unit bounds its start and its stop; both together, and some more.
const UNIT_JOB: Duration = Duration::from_secs(400);

/// Access to the container.
#[derive(Debug, Clone)]
pub struct Container {
    podman: PathBuf,
}

impl Container {
    /// Finds podman.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn find() -> Result<Self> {
        let podman = which::which("podman").context("podman is not installed, or not on PATH")?;
        Ok(Self { podman })
    }

    /// Tests a login on both sides with settings that are nowhere stored.
    ///
    /// # Errors
    /// `service_not_running`, or no answer.
    pub fn validate(&self, candidate: &Candidate) -> Result<LoginTestReport> {
        let output = self.ask(&["validation", "-"], Some(written(candidate)?), ANSWER)?;
        Ok(parse(&output, "validation")?)
    }

    /// What `syncctl <words>` answers about a task, or about a candidate that goes to its stdin. Some verbs tell
    /// a verdict by their exit code as well, so what counts is that there is an answer.
    ///
    /// # Errors
    /// `service_not_running`, or no answer.
    pub fn answer<T: DeserializeOwned>(&self, words: &[&str], candidate: Option<&Candidate>) -> Result<T> {
        let word = words.first().copied().unwrap_or_default();
        let input = candidate.map(written).transpose()?;
        let output = self.run(words, input, LONG_ANSWER)?;
        match output.stdout.is_empty() {
            true => Err(anyhow!("syncctl {word} gave no answer: {}", last_words(&output)).into()),
            false => Ok(parse(&output, word)?),
        }
    }

    /// Tests a source with one mailbox; `password` is the mailbox's own, where it has one.
    ///
    /// # Errors
    /// `service_not_running`, or no answer.
    pub fn test_source(
        &self,
        source: &SourceId,
        mailbox: &RemoteUser,
        password: &SecretString,
    ) -> Result<source_test::Report> {
        let mut question = serde_json::json!({
            "source": source.as_str(),
            "mailbox": mailbox.as_str(),
            "password": password.expose_secret(),
        });
        let mut input = Input::new(Vec::with_capacity(ROOM));
        let written = serde_json::to_writer(&mut *input, &question);
        crate::secret::wipe(&mut question);
        written.context("cannot write the question")?;
        let output = self.ask(&["test-source"], Some(input), ANSWER)?;
        Ok(parse(&output, "test-source")?)
    }

    /// Which engine runs use, and its version.
    ///
    /// # Errors
    /// `service_not_running`, or no answer.
    pub fn engine(&self) -> Result<Engine> {
        let output = self.ask(&["engine"], None, ANSWER)?;
        Ok(parse(&output, "engine")?)
    }

    /// Starts runs that outlive us where there is no supervisor, however many; they inherit nothing of ours that anybody
    /// waits for.
    ///
    /// # Errors
    /// `service_not_running`, or podman's reason.
    pub fn start(&self, names: &[TaskName]) -> Result<()> {
        let words = words(&["start", "--"], names);
        // A pipe that the run keeps open would have its reader wait for the run's end; a file has no one wait.
        let mut said = tempfile::tempfile().context("cannot make a temporary file")?;
        let child = self
            .exec(&["-d"], &words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said.try_clone().context("cannot run podman")?)
            .spawn()
            .context("cannot run podman")?;
        let mut output = communicate(child, None, LAUNCH).context("podman did not start the run")?;
        if output.status.success() {
            return Ok(());
        }
        said.rewind().context("cannot read what podman said")?;
        said.read_to_end(&mut output.stderr)
            .context("cannot read what podman said")?;
        match output.status.code() {
            Some(PODMAN_FAILED) => Err(not_running(&output)),
            _ => Err(anyhow!("podman could not start the run: {}", last_words(&output)).into()),
        }
    }

    /// Hands tasks over to the supervisor, which remembers them from then on. They begin when it is their turn, and not
    /// before that time, in seconds since 1970.
    ///
    /// # Errors
    /// `service_not_running`, or the supervisor's reason.
    pub fn hand_over(&self, names: &[TaskName], not_before: Option<i64>) -> Result<()> {
        let at = not_before.map(|moment| format!("--at={moment}"));
        let verb: Vec<&str> = ["start", "--detach"]
            .into_iter()
            .chain(at.as_deref())
            .chain(["--"])
            .collect();
        let output = self.run(&words(&verb, names), None, ANSWER)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(anyhow!("the supervisor took no task: {}", last_words(&output)).into()),
        }
    }

    /// Stops runs, and comes back when their processes are gone and nothing waits any more.
    ///
    /// # Errors
    /// `service_not_running`, or a run that cannot be stopped.
    pub fn stop(&self, names: &[TaskName]) -> Result<()> {
        let output = self.run(&words(&["stop", "--"], names), None, ANSWER)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(anyhow!("cannot stop what runs: {}", last_words(&output)).into()),
        }
    }

    fn ask(&self, words: &[&str], input: Option<Input>, limit: Duration) -> Result<Output> {
        let output = self.run(words, input, limit)?;
        if !output.status.success() {
            return Err(anyhow!(
                "syncctl {} failed with {}: {}",
                words.first().copied().unwrap_or_default(),
                output.status,
                last_words(&output)
            )
            .into());
        }
        Ok(output)
    }

    fn run(&self, words: &[&str], input: Option<Input>, limit: Duration) -> Result<Output> {
        let options: &[&str] = if input.is_some() { &["-i"] } else { &[] };
        let child = self
            .exec(options, words)
            .stdin(if input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run podman")?;
        let output = communicate(child, input, limit).with_context(|| {
            format!(
                "syncctl {} did not answer",
                words.first().copied().unwrap_or_default()
            )
        })?;
        // One that is being started or stopped is there, but takes no command.
        let improper = || String::from_utf8_lossy(&output.stderr).contains("container state improper");
        match output.status.code() {
            Some(PODMAN_FAILED) => Err(not_running(&output)),
            Some(255) if improper() => Err(not_running(&output)),
            _ => Ok(output),
        }
    }

    fn exec(&self, options: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new(&self.podman);
        command
            .arg("exec")
            .args(options)
            .arg(NAME)
            .arg(SYNCCTL)
            .args(words);
        command
    }
}

/// A candidate as JSON, in a buffer that is wiped.
fn written(candidate: &Candidate) -> anyhow::Result<Input> {
    let mut text = Input::new(Vec::with_capacity(ROOM));
    serde_json::to_writer(&mut *text, candidate).context("cannot write the candidate")?;
    Ok(text)
}

/// The words of a verb, then the names of tasks.
fn words<'a>(verb: &[&'a str], names: &'a [TaskName]) -> Vec<&'a str> {
    let names = names.iter().map(TaskName::as_str);
    verb.iter().copied().chain(names).collect()
}

fn not_running(output: &Output) -> Error {
    journal::warning(format_args!("podman: {}", last_words(output)));
    Refusal::new(
        "(root)",
        ErrorKey::ServiceNotRunning,
        "the service of this instance is not running; configure the module, or look at the journal of imapsync.service",
    )
    .into()
}

fn parse<T: DeserializeOwned>(output: &Output, word: &str) -> anyhow::Result<T> {
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "the answer of syncctl {word} is not understood: {}",
            last_words(output)
        )
    })
}

/// Which engine runs use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Engine {
    /// `imapsync` or `native`.
    pub engine: String,
    /// Its version.
    pub version: String,
}

/// The systemd unit that keeps the container.
#[derive(Debug, Clone)]
pub struct Service {
    systemctl: PathBuf,
}

impl Service {
    /// Finds systemctl.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn find() -> Result<Self> {
        let systemctl = which::which("systemctl").context("systemctl is not installed, or not on PATH")?;
        Ok(Self { systemctl })
    }

    /// Has the container started with the user's session, from now on.
    ///
    /// # Errors
    /// Whatever systemctl says.
    pub fn enable(&self) -> Result<()> {
        self.call(&["enable", UNIT])
    }

    /// Has the service started if it does not run, without waiting for it.
    ///
    /// # Errors
    /// Whatever systemctl says.
    pub fn start_soon(&self) -> Result<()> {
        self.call(&["start", "--no-block", UNIT])
    }

    /// Starts the container again.
    ///
    /// # Errors
    /// Whatever systemctl says.
    pub fn restart(&self) -> Result<()> {
        self.call(&["restart", UNIT])
    }

    /// Whether the service is down since it failed, and not because somebody stopped it.
    ///
    /// # Errors
    /// When systemctl does not end.
    pub fn has_failed(&self) -> Result<bool> {
        Ok(self.ask(&["is-failed", UNIT])?.status.success())
    }

    /// Starts the container again if it runs.
    ///
    /// # Errors
    /// Whatever systemctl says.
    pub fn try_restart(&self) -> Result<()> {
        self.call(&["try-restart", UNIT])
    }

    /// Reads the unit files again, as after an update.
    ///
    /// # Errors
    /// Whatever systemctl says.
    pub fn reload_units(&self) -> Result<()> {
        self.call(&["daemon-reload"])
    }

    fn call(&self, words: &[&str]) -> Result<()> {
        let output = self.ask(words)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(anyhow!("systemctl --user failed: {}", last_words(&output)).into()),
        }
    }

    fn ask(&self, words: &[&str]) -> Result<Output> {
        let child = Command::new(&self.systemctl)
            .arg("--user")
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run systemctl")?;
        Ok(communicate(child, None, UNIT_JOB)
            .with_context(|| format!("systemctl --user {} did not end", words.join(" ")))?)
    }
}
