// SPDX-License-Identifier: GPL-3.0-or-later
//! The sandbox as people and suites in other languages start it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::Context;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sandbox");

/// A sandbox that runs, ended with the test.
struct Running {
    child: Child,
    base: PathBuf,
}

impl Running {
    fn start(temporary: &Path, input: Stdio) -> anyhow::Result<Self> {
        let mut child = Command::new(PROGRAM)
            .arg("run")
            .arg("--imageroot")
            .arg(sandbox::imageroot()?)
            .env("TMPDIR", temporary)
            .stdin(input)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        for line in output.lines() {
            if let Some(base) = line?.strip_prefix("sandbox is ready: ") {
                return Ok(Self {
                    child,
                    base: base.into(),
                });
            }
        }
        anyhow::bail!("the sandbox ended: {}", child.wait()?)
    }

    fn verb(&self, words: &[&str]) -> anyhow::Result<Output> {
        Ok(Command::new(PROGRAM)
            .arg("--sandbox")
            .arg(&self.base)
            .args(words)
            .stdin(Stdio::null())
            .output()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_stays_with_an_input_that_is_at_its_end_and_takes_new_users() -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let mut running = Running::start(temporary.path(), Stdio::null())?;

    let added = running.verb(&["add-users", "local", "newcomer", "other", "--password", "x"])?;
    assert!(
        added.status.success(),
        "{}",
        String::from_utf8_lossy(&added.stderr)
    );
    let listed = running.verb(&["action", "list-tasks"])?;
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout)?;
    let mailboxes = listed["enabled_mailboxes"].to_string();
    for user in ["u1", "newcomer", "other"] {
        assert!(mailboxes.contains(&format!("\"{user}\"")), "{mailboxes}");
    }
    assert!(running.child.try_wait()?.is_none());
    Ok(())
}

#[test]
fn it_ends_when_a_pipe_or_a_socket_at_its_input_closes() -> anyhow::Result<()> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let temporary = tempfile::tempdir()?;
    let mut running = Running::start(temporary.path(), Stdio::from(std::os::fd::OwnedFd::from(theirs)))?;
    drop(ours);
    assert!(running.child.wait()?.success());
    assert!(!running.base.exists());

    let mut running = Running::start(temporary.path(), Stdio::piped())?;
    let mut input = running.child.stdin.take().context("no input")?;
    input.write_all(b"anything")?;
    drop(input);
    assert!(running.child.wait()?.success());
    assert_eq!(temporary.path().read_dir()?.count(), 0);
    Ok(())
}

#[test]
fn users_cannot_be_added_where_no_sandbox_runs() -> anyhow::Result<()> {
    let empty = tempfile::tempdir()?;
    let output = Command::new(PROGRAM)
        .arg("--sandbox")
        .arg(empty.path())
        .args(["add-users", "remote", "x", "--password", "y"])
        .output()?;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no running sandbox"));
    Ok(())
}
