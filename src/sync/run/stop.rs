// SPDX-License-Identifier: GPL-3.0-or-later
//! Ending a run from outside: TERM, a grace period, KILL; it returns when the run is really gone.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::files;
use crate::sync::run;
use crate::task::FileKind;
use crate::task::lock::Holder;
use crate::task::{Store, TaskName};

/// How long a run may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Stops the run of a task; `false` when there was none. Either way the next run looks at everything.
///
/// # Errors
/// When the run does not end, or what it left cannot be removed.
pub fn stop(store: &Store, name: &TaskName) -> crate::error::Result<bool> {
    let ended = end(store, name)?;
    // A run that was killed could not do it itself. With the lock, nothing of a later run is touched.
    if let Some(lock) = store.acquire(name, Duration::ZERO)? {
        files::remove(&store.path(name, FileKind::Timestamp))?;
        run::clear(store, name)?;
        drop(lock);
    }
    Ok(ended)
}

fn end(store: &Store, name: &TaskName) -> crate::error::Result<bool> {
    if !store.is_busy(name)? {
        return Ok(false);
    }
    for (sign, patience) in [(Signal::TERM, GRACE), (Signal::KILL, GRACE)] {
        let deadline = Instant::now() + patience;
        let mut told = None;
        while store.is_busy(name)? {
            // The lock is taken before the holder writes its name into it.
            let lock = store.path(name, FileKind::Lock);
            let holder = Holder::announced(&lock).filter(|holder| holder.is_alive());
            let holder = holder.or_else(|| orphan(&lock));
            if let Some(holder) = holder
                && told != Some(holder)
                && let Some(pid) = Pid::from_raw(holder.pid)
            {
                told = Some(holder);
                // One that ended meanwhile is what is wanted.
                let _ = kill_process(pid, sign);
            }
            if Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        if !store.is_busy(name)? {
            return Ok(true);
        }
    }
    Err(anyhow::anyhow!("the run of {name} does not end; restart imapsync.service").into())
}

/// The imapsync that a killed run has left behind: it holds the lock as its standard input.
fn orphan(lock: &Path) -> Option<Holder> {
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let lock = identity(lock)?;
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let pid = pids.find(|pid| identity(Path::new(&format!("/proc/{pid}/fd/0"))) == Some(lock))?;
    Holder::of(pid)
}
