// SPDX-License-Identifier: GPL-3.0-or-later
//! The container the runs live in, and the service that keeps it.
//!
//! Everything that logs in to a mail server happens in there, with the network view of the runs: the host
//! asks `syncctl` by `podman exec`.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::agent::journal;
use crate::error::{Error, Key, Refusal, Result};
use crate::secret::{ROOM, Zeroizing};
use crate::sync::check::Findings;
use crate::task::{ExposeSecret as _, Port, SecretString, Task, TaskName};

const NAME: &str = "imapsync";
const SYNCCTL: &str = "/usr/local/bin/syncctl";
const UNIT: &str = "imapsync.service";
/// What podman itself ends with when the container is not there (podman-exec(1)); 126 and 127 tell that
/// the program in it could not be run.
const PODMAN_FAILED: i32 = 125;
/// Two logins and their time limits fit in here several times.
const ANSWER: Duration = Duration::from_secs(120);
/// Counting and comparing large mailboxes takes its time; nobody looks at a page for longer.
const LONG_ANSWER: Duration = Duration::from_secs(900);

/// What goes to a program's stdin; there are passwords in it.
type Input = Zeroizing<Vec<u8>>;

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
    pub fn validate(&self, candidate: &Candidate<'_>) -> Result<Findings> {
        let output = self.ask(&["validation", "-"], Some(candidate.wire()?), ANSWER)?;
        Ok(parse(&output, "validation")?)
    }

    /// What `syncctl <words>` answers about a task, or about a candidate that goes to its stdin. Some verbs tell
    /// a verdict by their exit code as well, so what counts is that there is an answer.
    ///
    /// # Errors
    /// `service_not_running`, or no answer.
    pub fn answer<T: DeserializeOwned>(
        &self,
        words: &[&str],
        candidate: Option<&Candidate<'_>>,
    ) -> Result<T> {
        let word = words.first().copied().unwrap_or_default();
        let input = candidate.map(Candidate::wire).transpose()?;
        let output = self.run(words, input, LONG_ANSWER)?;
        match output.stdout.is_empty() {
            true => Err(anyhow!("syncctl {word} gave no answer: {}", last_words(&output)).into()),
            false => Ok(parse(&output, word)?),
        }
    }

    /// Which engine runs use, and its version.
    ///
    /// # Errors
    /// `service_not_running`, or no answer.
    pub fn engine(&self) -> Result<Engine> {
        let output = self.ask(&["engine"], None, ANSWER)?;
        Ok(parse(&output, "engine")?)
    }

    /// Starts a run that outlives us; it inherits nothing of ours.
    ///
    /// # Errors
    /// `service_not_running`.
    pub fn start(&self, name: &TaskName) -> Result<()> {
        let status = self
            .exec(&["-d"], &["start", name.as_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("cannot run podman")?;
        match status.code() {
            Some(0) => Ok(()),
            Some(PODMAN_FAILED) => Err(not_running()),
            _ => Err(anyhow!("podman could not start {name}: {status}").into()),
        }
    }

    /// Stops a run and comes back when its process is gone.
    ///
    /// # Errors
    /// `service_not_running`, or a run that cannot be stopped.
    pub fn stop(&self, name: &TaskName) -> Result<()> {
        let output = self.run(&["stop", name.as_str()], None, ANSWER)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(anyhow!("cannot stop {name}: {}", last_words(&output)).into()),
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
        if output.status.code() == Some(PODMAN_FAILED) {
            journal::warning(format_args!("podman: {}", last_words(&output)));
            return Err(not_running());
        }
        Ok(output)
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

fn not_running() -> Error {
    Refusal::new(
        "(root)",
        Key::ServiceNotRunning,
        "the service of this instance is not running; configure the module, or look at the journal of imapsync.service",
    )
    .into()
}

/// Writes the input and reads both outputs, all at once, and never longer than `limit`.
fn communicate(mut child: Child, input: Option<Input>, limit: Duration) -> anyhow::Result<Output> {
    let stdin = child.stdin.take();
    let mut stdout = child.stdout.take();
    let mut stderr = child.stderr.take();
    // A child that does not read its input says why on stderr.
    let writer = thread::spawn(move || stdin.zip(input).map(|(mut pipe, input)| pipe.write_all(&input)));
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        stderr
            .as_mut()
            .map(|pipe| pipe.read_to_end(&mut text))
            .transpose()
            .map(|_| text)
    });
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let read = stdout
            .as_mut()
            .map(|pipe| pipe.read_to_end(&mut text))
            .transpose();
        sender.send(read.map(|_| text))
    });
    let Ok(read) = receiver.recv_timeout(limit) else {
        child.kill()?;
        child.wait()?;
        return Err(anyhow!("it took longer than {} seconds", limit.as_secs()));
    };
    let status = child.wait()?;
    let (Ok(_), Ok(errors)) = (writer.join(), errors.join()) else {
        return Err(anyhow!("a thread of ours died"));
    };
    Ok(Output {
        status,
        stdout: read?,
        stderr: errors?,
    })
}

fn parse<T: DeserializeOwned>(output: &Output, word: &str) -> anyhow::Result<T> {
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "the answer of syncctl {word} is not understood: {}",
            last_words(output)
        )
    })
}

/// The last line of stderr, where programs say what went wrong.
fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    line.unwrap_or("no reason was given").trim().to_owned()
}

/// Settings to test before they are stored.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The account on both sides.
    pub task: &'a Task,
    /// The remote password.
    pub password: &'a SecretString,
    /// The fingerprint that stands for an authority's word.
    pub certificate: Option<&'a str>,
}

/// The form that `syncctl validation -` and `syncctl list-folders -` read.
#[derive(Serialize)]
struct Wire<'a> {
    remote: WireRemote<'a>,
    local: WireLocal<'a>,
    foldersynchronization: &'a str,
    exclude: String,
}

#[derive(Serialize)]
struct WireRemote<'a> {
    host: &'a str,
    port: Port,
    security: &'a str,
    user: &'a str,
    password: &'a str,
    certificate: Option<&'a str>,
}

#[derive(Serialize)]
struct WireLocal<'a> {
    user: &'a str,
}

impl Candidate<'_> {
    fn wire(&self) -> anyhow::Result<Input> {
        let wire = Wire {
            remote: WireRemote {
                host: self.task.remote_host.as_str(),
                port: self.task.remote_port,
                security: self.task.security.as_str(),
                user: self.task.remote_user.as_str(),
                password: self.password.expose_secret(),
                certificate: self.certificate,
            },
            local: WireLocal {
                user: self.task.local_user.as_str(),
            },
            foldersynchronization: self.task.folders.as_str(),
            exclude: self.task.exclusions.as_stored(),
        };
        let mut text = Input::new(Vec::with_capacity(ROOM));
        serde_json::to_writer(&mut *text, &wire).context("cannot write the candidate")?;
        Ok(text)
    }
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

    /// Enables the service and starts it if it does not run.
    ///
    /// # Errors
    /// Whatever systemctl says.
    pub fn enable_now(&self) -> Result<()> {
        self.call(&["enable", "--now", UNIT])
    }

    /// Starts the container anew.
    ///
    /// # Errors
    /// Whatever systemctl says.
    pub fn restart(&self) -> Result<()> {
        self.call(&["restart", UNIT])
    }

    /// Starts the container anew if it runs.
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

    fn call<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<()> {
        let output = Command::new(&self.systemctl)
            .arg("--user")
            .args(words)
            .stdin(Stdio::null())
            .output()
            .context("cannot run systemctl")?;
        match output.status.success() {
            true => Ok(()),
            false => Err(anyhow!("systemctl --user failed: {}", last_words(&output)).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[test]
    fn large_texts_flow_both_ways_at_once() {
        let input = vec![b'x'; 1_000_000];
        let output = communicate(
            shell("cat; echo why >&2"),
            Some(Input::new(input.clone())),
            ANSWER,
        )
        .unwrap();
        assert_eq!(output.stdout.len(), input.len());
        assert_eq!(last_words(&output), "why");
    }

    #[test]
    fn a_program_that_never_ends_is_given_up() {
        let error = communicate(shell("exec sleep 600"), None, Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("took longer"), "{error}");
    }
}
