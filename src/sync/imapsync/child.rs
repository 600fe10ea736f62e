// SPDX-License-Identifier: GPL-3.0-or-later
//! The imapsync process: started without a shell, in its own process group, never left behind.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process_group};

/// How long imapsync may take to end by itself; it prints its statistics then.
const GRACE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
/// What of the environment it needs; the rest is none of its business.
const HANDED_DOWN: [&str; 7] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Further handles on what keeps others away.
#[derive(Debug)]
pub struct Locks {
    /// The task's lock.
    pub task: File,
    /// The lock of the local mailbox.
    pub mailbox: File,
}

/// A running imapsync. Dropped before its end, it is ended.
#[derive(Debug)]
pub struct Running {
    child: Child,
    ended: bool,
}

impl Running {
    /// Starts `program`. What it says goes to `log` at once, without us: what it has said before we are killed is not
    /// lost. It holds both locks, that of the task as its standard input: while it lives, even orphaned, no other run of the
    /// task starts, and none on the same mailbox.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, arguments: &[OsString], log: File, locks: Locks) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().current_dir("/");
        for name in HANDED_DOWN {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        fcntl_setfd(&locks.mailbox, FdFlags::empty())?;
        let child = command
            .stdin(Stdio::from(locks.task))
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .process_group(0)
            .spawn()?;
        Ok(Self { child, ended: false })
    }

    /// How it ended, once it has.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        self.ended |= status.is_some();
        Ok(status)
    }

    fn end(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        for (sign, patience) in [(Signal::TERM, GRACE), (Signal::KILL, GRACE)] {
            if let Some(group) = group {
                // One that is gone already is what is wanted.
                let _ = kill_process_group(group, sign);
            }
            let deadline = Instant::now() + patience;
            while Instant::now() < deadline {
                if !matches!(self.status(), Ok(None)) {
                    return;
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str) -> (tempfile::NamedTempFile, Running) {
        let log = tempfile::NamedTempFile::new().unwrap();
        let arguments = ["-c", script].map(OsString::from);
        let locks = Locks {
            task: tempfile::tempfile().unwrap(),
            mailbox: tempfile::tempfile().unwrap(),
        };
        let running = Running::start(Path::new("/bin/sh"), &arguments, log.reopen().unwrap(), locks).unwrap();
        (log, running)
    }

    fn wait_for(log: &tempfile::NamedTempFile, text: &str) {
        let deadline = Instant::now() + GRACE;
        while !std::fs::read_to_string(log.path()).unwrap().contains(text) {
            assert!(Instant::now() < deadline, "the script said nothing");
            std::thread::sleep(PAUSE);
        }
    }

    #[test]
    fn an_abandoned_process_is_ended_with_its_children() {
        let (log, running) = start("trap 'echo ended; exit 6' TERM; echo ready; sleep 600 & wait");
        wait_for(&log, "ready");
        let group = running.child.id();
        drop(running);
        assert_eq!(std::fs::read_to_string(log.path()).unwrap(), "ready\nended\n");
        let left = kill_process_group(
            Pid::from_raw(i32::try_from(group).unwrap()).unwrap(),
            Signal::TERM,
        );
        // The sleep got its own TERM; at most it is not collected yet.
        assert!(left.is_err() || std::fs::read_to_string(log.path()).unwrap().contains("ended"));
    }

    #[test]
    fn it_sees_no_variable_that_it_does_not_need() {
        let (log, mut running) = start("env; echo done");
        wait_for(&log, "done");
        while running.status().unwrap().is_none() {
            std::thread::sleep(PAUSE);
        }
        let text = std::fs::read_to_string(log.path()).unwrap();
        assert!(text.contains("PATH=") && !text.contains("CARGO"), "{text}");
    }
}
