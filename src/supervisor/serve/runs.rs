// SPDX-License-Identifier: GPL-3.0-or-later
//! The life of a run: its start, its end, and what becomes of its task then.

use std::time::{Duration, Instant};

use rustix::process::{WaitOptions, WaitStatus, wait};

use super::{BUSY_PAUSE, DENIED_PAUSE, EXIT_PAUSE, Supervisor, journal};
use crate::clock::now;
use crate::supervisor::child::{Child, Cut, in_words, write_cut_off};
use crate::supervisor::entry::State;
use crate::supervisor::message::{Answer, RunEnd, Stream};
use crate::sync::exit_code::Exit;
use crate::task::TaskName;

impl Supervisor<'_> {
    /// Starts the runs whose turn it is.
    pub(super) fn start_due(&mut self) {
        while !self.ending {
            self.read_settings_of_sources();
            let chosen = self.queue.take_turns(Instant::now(), now());
            if chosen.is_empty() {
                return;
            }
            let (held, chosen): (Vec<_>, Vec<_>) =
                chosen.into_iter().partition(|name| self.arrivals.holds(name));
            for name in held {
                self.put_back(&name, State::Waiting, EXIT_PAUSE);
            }
            if chosen.is_empty() {
                continue;
            }
            self.save();
            for name in chosen {
                self.start(&name);
            }
        }
    }

    fn start(&mut self, name: &TaskName) {
        let Some(origin) = self.queue.get(name).map(|run| run.entry.origin) else {
            return;
        };
        if !self.exists(name) {
            self.queue.remove(name);
            self.save();
            // The one who deleted it knows.
            let end = RunEnd {
                journal: None,
                ..RunEnd::failure(&format!("there is no task {name} any more"), Exit::NoInput)
            };
            self.tell(name, end);
            return;
        }
        let settings = self.settings.get(name).cloned().unwrap_or_default();
        match self.program.start(name, origin, self.capacity.now(), &settings) {
            Ok(child) => {
                self.denied_since = None;
                self.arrivals.run_begins(name);
                self.children.insert(child.pid, child);
            }
            Err(error) => {
                if self.denied_since.is_none() {
                    journal(
                        Stream::Errors,
                        &format!("syncctl: {name} cannot be started yet: {error}"),
                    );
                }
                self.denied_since.get_or_insert_with(Instant::now);
                self.put_back(name, State::Waiting, DENIED_PAUSE);
            }
        }
    }

    /// Has a task wait again.
    pub(super) fn put_back(&mut self, name: &TaskName, state: State, pause: Duration) {
        if let Some(run) = self.queue.get_mut(name) {
            run.entry.state = state;
            run.not_before = Some(Instant::now() + pause);
        }
    }

    /// Collects the children that have ended, those of others too.
    pub(super) fn collect(&mut self) {
        let mut told = vec![];
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if let Some(child) = self.children.remove(&pid) {
                        let name = child.name.clone();
                        let end = self.conclude(child, status);
                        told.push((name, end));
                    } else if self.main.has_ended(pid, status) {
                        self.end();
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) | Err(_) => break,
            }
        }
        if !told.is_empty() {
            self.save();
        }
        for (name, end) in told {
            if let Some(end) = end {
                self.tell(&name, end);
            }
            for reply in self.stoppers.remove(&name).unwrap_or_default() {
                drop(reply.send(Answer::Stopped { task: name.clone() }));
            }
        }
        self.end_main_if_alone();
    }

    /// What becomes of a task whose run has ended. Without an end it waits again.
    fn conclude(&mut self, mut child: Child, status: WaitStatus) -> Option<RunEnd> {
        let name = &child.name.clone();
        let end = child.run_end();
        let exit = match &end {
            // Somebody else has the task: that was no run.
            Some(end) => Some(end.exit_code).filter(|_| !end.busy),
            None => child.stopped.then_some(Exit::Stopped.code()),
        };
        let started = self.queue.get(name).and_then(|run| run.entry.started);
        self.arrivals.run_ended(name, started.unwrap_or_default(), exit);
        let cut_short = end
            .as_ref()
            .is_none_or(|end| end.exit_code == Exit::Stopped.code());
        if self.ending && !child.stopped && cut_short {
            self.write_cut_off(name, started, Cut::Interrupted);
            self.put_back(name, State::Interrupted, Duration::ZERO);
            return Some(RunEnd::interrupted(name));
        }
        if end.as_ref().is_some_and(|end| end.busy) && self.recovered.contains(name) {
            self.put_back(name, State::Interrupted, BUSY_PAUSE);
            return None;
        }
        if end.as_ref().is_some_and(|end| end.exit_code == Exit::Ok.code()) {
            self.queue.went_well(name);
        }
        self.queue.remove(name);
        self.recovered.remove(name);
        self.settings.remove(name);
        self.turned_away.remove(name);
        Some(match end {
            Some(end) => end,
            None if child.stopped => RunEnd::stopped(name),
            None => {
                self.write_cut_off(name, started, Cut::Crashed);
                let words = format!("{name}: the run was ended by {}", in_words(status));
                RunEnd::failure(&words, Exit::CatchAll)
            }
        })
    }

    pub(super) fn write_cut_off(&self, name: &TaskName, started: Option<i64>, cut: Cut) {
        if let Err(error) = write_cut_off(self.store, name, started.unwrap_or_else(now), cut) {
            journal(
                Stream::Errors,
                &format!("syncctl: {name}: how the run ended cannot be written: {error}"),
            );
        }
    }

    /// Tells how a run ended.
    pub(super) fn tell(&mut self, name: &TaskName, end: RunEnd) {
        if let Some(stream) = end.journal {
            journal(stream, &end.says);
        }
        for reply in self.followers.remove(name).unwrap_or_default() {
            drop(reply.send(Answer::Ended {
                task: name.clone(),
                end: end.clone(),
            }));
        }
    }
}
