// SPDX-License-Identifier: GPL-3.0-or-later
//! A run as a child process: what it is started with, what it says when it ends, and what is written when it could say
//! nothing any more.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, WaitStatus, kill_process};

use super::entry::Origin;
use super::message::RunEnd;
use crate::error::ErrorKey;
use crate::files;
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::run::{self, finish};
use crate::task::FileKind;
use crate::task::lock::Holder;
use crate::task::report::Report;
use crate::task::status::Status;
use crate::task::{Store, TaskName};

/// The end is told in one line; more than this is none.
const LONGEST_RUN_END_BYTES: u64 = 64 * 1024;

/// The program that runs a task.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
}

impl Program {
    /// This program itself.
    ///
    /// # Errors
    /// When the system does not say where it is.
    pub fn this() -> io::Result<Self> {
        Ok(Self {
            path: std::env::current_exe()?,
        })
    }

    /// Starts a run, one of so many at once. What it says at its end goes to a file in memory, where no one has to read along.
    ///
    /// # Errors
    /// When the system denies what it takes.
    pub fn start(
        &self,
        name: &TaskName,
        origin: Origin,
        at_once: NonZeroUsize,
        settings: &BTreeMap<String, String>,
    ) -> io::Result<Child> {
        let said = File::from(memfd_create("run-end", MemfdFlags::CLOEXEC)?);
        let origin: &[&str] = match origin {
            Origin::Manual => &[],
            Origin::Arrival | Origin::Schedule => &["--scheduled"],
        };
        let child = Command::new(&self.path)
            .arg0("syncctl")
            .arg("run")
            .args(origin)
            .args(["--", name.as_str()])
            // The run counts those at work itself, and would wait for a turn that it has been given.
            .env("MAX_CONCURRENT_SYNCS", at_once.to_string())
            .envs(settings)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .process_group(0)
            .spawn()?;
        Ok(Child {
            name: name.clone(),
            pid: pid_of(&child)?,
            said,
            stopped: false,
            kill_at: None,
        })
    }
}

/// The id of a child that is collected by its id.
///
/// # Errors
/// When it has none.
pub fn pid_of(child: &std::process::Child) -> io::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("a process without an id"))
}

/// A run at work.
#[derive(Debug)]
pub struct Child {
    /// Its task.
    pub name: TaskName,
    /// Its process.
    pub pid: Pid,
    said: File,
    /// Whether somebody wanted its end.
    pub stopped: bool,
    /// When it is ended by force.
    pub kill_at: Option<Instant>,
}

impl Child {
    /// Asks the run to end, and has it ended by force after `grace`.
    pub fn end(&mut self, grace: Duration) {
        if self.kill_at.is_none() {
            self.kill_at = Some(Instant::now() + grace);
            // One that ended meanwhile is what is wanted.
            let _ = kill_process(self.pid, Signal::TERM);
        }
    }

    /// Whether the run has given its lock back: it is over, but for its process. One that has only just begun has never
    /// had it.
    pub fn is_over(&self, store: &Store) -> bool {
        let had = Holder::announced(&store.path(&self.name, FileKind::Lock));
        let had = had.is_some_and(|holder| holder.pid == self.pid.as_raw_nonzero().get());
        had && !store.is_busy(&self.name).unwrap_or(true)
    }

    /// Ends the run by force if it is time for that.
    pub fn kill_if_due(&mut self, now: Instant) {
        if self.kill_at.is_some_and(|moment| moment <= now) {
            self.kill_at = None;
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }

    /// What the run said at its end; `None` when it did not end by itself.
    pub fn run_end(&mut self) -> Option<RunEnd> {
        let mut text = String::new();
        self.said.rewind().ok()?;
        (&mut self.said)
            .take(LONGEST_RUN_END_BYTES)
            .read_to_string(&mut text)
            .ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// How a process ended, in words.
pub fn in_words(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no reason was given".to_owned(),
    }
}

/// How a run was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// By a restart: it goes on afterwards.
    Interrupted,
    /// By its own fault, or by the system.
    Crashed,
}

/// Writes for a run that was cut off what it could not write itself: log, report, history, status. Nothing is written while
/// somebody else has the task, or when it was deleted.
///
/// # Errors
/// Whatever the file system says.
pub fn write_cut_off(store: &Store, name: &TaskName, started: i64, cut: Cut) -> crate::error::Result<()> {
    let Some(lock) = store.acquire(name, Duration::ZERO)? else {
        return Ok(());
    };
    if !store.path(name, FileKind::Env).exists() {
        return Ok(lock.remove()?);
    }
    let (exit, error, event) = match cut {
        Cut::Interrupted => (
            Exit::Stopped,
            Some(ErrorKey::Interrupted.to_string()),
            Event::Interrupted,
        ),
        Cut::Crashed => (Exit::CatchAll, None, Event::Crashed),
    };
    let report = Report {
        started,
        ended: crate::clock::now(),
        exit_code: i32::from(exit.code()),
        exit_name: exit.name().to_owned(),
        error,
        ..Report::default()
    };
    run::clear(store, name)?;
    let log = files::open_with(
        &store.path(name, FileKind::Log),
        std::fs::OpenOptions::new().append(true),
    );
    // A run that was cut off before it had a log has none to go on with.
    if let Ok(mut log) = log {
        writeln!(log, "{event}")?;
    }
    finish::save_report(store, name, &report)?;
    store.add_to_history(name, &report)?;
    store.save_status(
        name,
        Status {
            started,
            exit_code: report.exit_code,
        },
    )
}
