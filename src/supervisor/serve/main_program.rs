// SPDX-License-Identifier: GPL-3.0-or-later
//! The program next to which the supervisor serves, crond: when it ends, so does the container, and the unit starts both
//! again.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, WaitStatus, kill_process};

use crate::supervisor::child::pid_of;

/// How long it may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);
/// What shells add to the number of the signal that ended a program.
const BY_SIGNAL: i32 = 128;

/// The program, alive or not.
#[derive(Debug)]
pub(super) struct MainProgram {
    pid: Option<Pid>,
    /// Whether it was asked to end.
    asked: bool,
    kill_at: Option<Instant>,
    exit_code: u8,
}

impl MainProgram {
    /// Starts it, with this process' environment and outputs.
    ///
    /// # Errors
    /// When it cannot be run.
    pub(super) fn start(command: &[OsString]) -> anyhow::Result<Self> {
        let (program, words) = command.split_first().context("no program was given")?;
        let child = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", program.to_string_lossy()))?;
        Ok(Self {
            pid: Some(pid_of(&child)?),
            asked: false,
            kill_at: None,
            exit_code: 0,
        })
    }

    /// Whether that was its end. What it ends with is the exit code of all, unless it was asked to end.
    pub(super) fn has_ended(&mut self, pid: Pid, status: WaitStatus) -> bool {
        if self.pid != Some(pid) {
            return false;
        }
        self.pid = None;
        self.kill_at = None;
        if !self.asked {
            let code = status.exit_status().unwrap_or_default();
            let signal = status.terminating_signal().map(|signal| BY_SIGNAL + signal);
            self.exit_code = u8::try_from(signal.unwrap_or(code)).unwrap_or(u8::MAX);
        }
        true
    }

    /// Asks it to end, and has it ended by force when it does not.
    pub(super) fn end(&mut self) {
        if let Some(pid) = self.pid
            && !self.asked
        {
            self.asked = true;
            self.kill_at = Some(Instant::now() + GRACE);
            // One that ended meanwhile is what is wanted.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// When it is ended by force.
    pub(super) fn kill_at(&self) -> Option<Instant> {
        self.kill_at
    }

    /// Ends it by force if it is time for that.
    pub(super) fn kill_if_due(&mut self, now: Instant) {
        if let Some(pid) = self.pid
            && self.kill_at.is_some_and(|moment| moment <= now)
        {
            self.kill_at = None;
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Whether it has ended.
    pub(super) fn is_gone(&self) -> bool {
        self.pid.is_none()
    }

    /// What the supervisor ends with.
    pub(super) fn exit_code(&self) -> u8 {
        self.exit_code
    }
}
