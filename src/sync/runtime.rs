// SPDX-License-Identifier: GPL-3.0-or-later
//! The one thread of this program that waits for servers, and the signals that end it.

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;

use crate::sync::account::Failure;
use crate::sync::exit_code::Exit;

/// Drives what a run does, until it is asked to end.
pub struct SignalRuntime {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    /// The terminal is gone.
    hang_up: Signal,
}

impl SignalRuntime {
    /// From here on a signal ends what is driven, now or next, and not the process.
    ///
    /// # Errors
    /// When the system denies what it takes.
    pub fn start() -> Result<Self, Failure> {
        let runtime = runtime().map_err(|error| Failure::local(format!("cannot start: {error}")))?;
        let watch = |kind| {
            let _inside = runtime.enter();
            signal(kind).map_err(|error| Failure::local(format!("cannot watch for signals: {error}")))
        };
        let (terminate, interrupt) = (watch(SignalKind::terminate())?, watch(SignalKind::interrupt())?);
        let hang_up = watch(SignalKind::hangup())?;
        Ok(Self {
            runtime,
            terminate,
            interrupt,
            hang_up,
        })
    }

    /// Drives a future to its end. Asked to end, it calls `stopping` and drops the future.
    ///
    /// # Errors
    /// Those of the future, or [`Exit::Stopped`].
    pub fn drive<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
        stopping: impl FnOnce(),
    ) -> Result<T, Failure> {
        let (terminate, interrupt, hang_up) = (&mut self.terminate, &mut self.interrupt, &mut self.hang_up);
        LocalSet::new().block_on(&self.runtime, async {
            let mut work = std::pin::pin!(work);
            tokio::select! {
                outcome = &mut work => return outcome,
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => {}
            }
            stopping();
            Err(Failure {
                exit: Exit::Stopped,
                key: None,
                message: "stopped by a signal".to_owned(),
            })
        })
    }

    /// Ends it without waiting for a name look-up that hangs.
    pub fn end(self) {
        self.runtime.shutdown_background();
    }
}

/// Runs a future that is no run of a task: a check, a count.
///
/// # Errors
/// When the system denies what it takes.
pub fn ask<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = runtime()?;
    let answer = LocalSet::new().block_on(&runtime, work);
    runtime.shutdown_background();
    Ok(answer)
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
