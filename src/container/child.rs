// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs of the host, which are never waited for longer than a limit: an action that hangs has an administrator
//! wait for ever.

use std::io::{self, Read, Write as _};
use std::process::{Child, Output};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::secret::Zeroizing;

/// What goes to a program's stdin; there may be passwords in it.
pub(super) type Input = Zeroizing<Vec<u8>>;

/// What a program has said is there when it ends; a process that outlives it with its outputs open is not waited for.
const REST: Duration = Duration::from_secs(1);

/// Writes the input and reads both outputs, all at once, and never longer than `limit`.
pub(super) fn communicate(mut child: Child, input: Option<Input>, limit: Duration) -> anyhow::Result<Output> {
    let deadline = Instant::now() + limit;
    if let Some((mut pipe, input)) = child.stdin.take().zip(input) {
        // A child that does not read its input says why on stderr.
        thread::spawn(move || pipe.write_all(&input));
    }
    let stdout = child.stdout.take().map(drain);
    let stderr = child.stderr.take().map(drain);
    if !ends_before(&child, deadline)? {
        child.kill().context("cannot end it")?;
        child.wait().context("cannot wait for its end")?;
        return Err(anyhow!("it took longer than {} seconds", limit.as_secs()));
    }
    Ok(Output {
        status: child.wait().context("cannot wait for its end")?,
        stdout: rest(stdout, "output")?,
        stderr: rest(stderr, "errors")?,
    })
}

/// The last line of stderr, where programs say what went wrong.
pub(super) fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    line.unwrap_or("no reason was given").trim().to_owned()
}

fn ends_before(child: &Child, deadline: Instant) -> anyhow::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.context("a process without an id")?;
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        // It is left to be collected by its owner, so that its id stays its own.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let waited = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), options));
        sender.send(waited.map(|_| ()))
    });
    match ended.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(waited) => Ok(waited.map(|()| true).context("cannot wait for its end")?),
        Err(_) => Ok(false),
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let read = pipe.read_to_end(&mut text);
        sender.send(read.map(|_| text))
    });
    receiver
}

fn rest(pipe: Option<Receiver<io::Result<Vec<u8>>>>, what: &str) -> anyhow::Result<Vec<u8>> {
    let Some(pipe) = pipe else { return Ok(vec![]) };
    let read = pipe
        .recv_timeout(REST)
        .map_err(|_| anyhow!("its {what} did not end with it"))?;
    read.with_context(|| format!("cannot read its {what}"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(120);

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
        let output = communicate(shell("cat; echo why >&2"), Some(Input::new(input.clone())), LIMIT).unwrap();
        assert_eq!(output.stdout.len(), input.len());
        assert_eq!(last_words(&output), "why");
    }

    #[test]
    fn a_program_that_never_ends_is_given_up_whatever_it_closes() {
        for script in ["exec sleep 600", "exec sleep 600 >&- 2>&- <&-"] {
            let began = Instant::now();
            let error = communicate(shell(script), None, Duration::from_millis(50)).unwrap_err();
            assert!(error.to_string().contains("took longer"), "{error}");
            assert!(began.elapsed() < LIMIT);
        }
    }

    #[test]
    fn who_outlives_the_program_is_not_waited_for() {
        let began = Instant::now();
        let ended = communicate(shell("sleep 120 & exit 3"), None, LIMIT);
        assert!(ended.is_err() && began.elapsed() < LIMIT / 2, "{ended:?}");
        let mut child = shell("sleep 120 > /dev/null 2>&1 & exit 3");
        (child.stdout, child.stderr) = (None, None);
        let ended = communicate(child, None, LIMIT).unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert!(began.elapsed() < LIMIT / 2);
    }
}
