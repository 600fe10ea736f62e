// SPDX-License-Identifier: GPL-3.0-or-later
//! Ending a run from outside: TERM, a time of grace, KILL; back when it is really gone.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::task::lock::Holder;
use crate::task::{Store, TaskName};

/// How long a run may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Stops the run of a task; `false` when there was none.
pub fn stop(store: &Store, name: &TaskName) -> crate::error::Result<bool> {
    if !store.is_busy(name)? {
        return Ok(false);
    }
    for (sign, patience) in [(Signal::TERM, GRACE), (Signal::KILL, GRACE)] {
        let deadline = Instant::now() + patience;
        let mut told = None;
        while store.is_busy(name)? {
            // The lock is taken before the holder writes its name into it.
            let holder = Holder::announced(&store.path(name, "lock")).filter(|holder| holder.is_alive());
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
    Err(anyhow::anyhow!("the run of {name} does not end").into())
}
