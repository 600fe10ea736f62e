// SPDX-License-Identifier: GPL-3.0-or-later
//! What the supervisor does when it is asked.

use std::collections::BTreeMap;

use super::connection::Reply;
use super::{EXIT_PAUSE, GRACE, STUCK, Supervisor};
use crate::clock::now;
use crate::supervisor::entry::{Entry, Origin, State};
use crate::supervisor::message::{Answer, Request, RunEnd, SETTINGS};
use crate::supervisor::run_queue::QueuedRun;
use crate::task::TaskName;

/// Who wants a run, and when it may begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct StartOptions {
    origin: Origin,
    not_before: Option<i64>,
}

impl StartOptions {
    /// A run as soon as may be.
    pub(super) fn of(origin: Origin) -> Self {
        Self {
            origin,
            not_before: None,
        }
    }

    /// Whether a task in the queue stays as it is.
    fn changes_nothing(self, entry: &Entry) -> bool {
        let is_by_hand = self.origin == Origin::Manual;
        entry.state == State::Running
            || (entry.origin <= self.origin && !(is_by_hand && entry.is_early(now())))
    }
}

impl Supervisor<'_> {
    /// Does what is wanted, and says so.
    pub(super) fn handle(&mut self, request: Request, reply: &Reply) {
        if let Request::Start { tasks, .. } = &request
            && !self.ending
            && self
                .children
                .values()
                .any(|child| tasks.contains(&child.name) && child.is_over(self.store))
        {
            return self.ask_again(request, reply.clone());
        }
        match request {
            Request::Start {
                tasks,
                origin,
                settings,
                follow,
                not_before,
            } => {
                let options = StartOptions { origin, not_before };
                self.enqueue(tasks, options, &own(settings), follow, reply);
            }
            Request::Stop { tasks } => self.stop(tasks, reply),
            Request::Pause => self.pause(true, reply),
            Request::Resume => self.pause(false, reply),
            Request::Health => drop(reply.send(self.health())),
        }
    }

    /// A client that sees that a run is over may want the next one before its process is gone.
    fn ask_again(&self, request: Request, reply: Reply) {
        let events = self.events.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(EXIT_PAUSE).await;
            // Without a supervisor that listens, the client hears that the connection is closed.
            drop(events.send((request, reply)));
        });
    }

    /// Puts tasks into the queue. Those that a schedule has put there already come earlier when somebody wants them by
    /// hand; so do those whose time has not come.
    pub(super) fn enqueue(
        &mut self,
        tasks: Vec<TaskName>,
        options: StartOptions,
        settings: &BTreeMap<String, String>,
        follow: bool,
        reply: &Reply,
    ) {
        let batch = self.queue.new_batch();
        let mut entered: Vec<(TaskName, Option<Entry>)> = vec![];
        for task in tasks {
            let former = self.queue.get(&task).map(|run| run.entry.clone());
            if former
                .as_ref()
                .is_some_and(|entry| options.changes_nothing(entry))
            {
                drop(reply.send(Answer::AlreadyRunning { task }));
                continue;
            }
            if let Some(run) = self.queue.get_mut(&task) {
                run.entry.origin = options.origin;
                run.entry.batch = batch;
                run.entry.not_before = options.not_before;
            } else {
                let facts = self.facts_of(&task);
                let entry = Entry {
                    task: task.clone(),
                    origin: options.origin,
                    since: now(),
                    state: State::Waiting,
                    started: None,
                    batch,
                    not_before: self.not_before(&options, facts.spread),
                };
                self.queue.add(entry, facts.accounts);
            }
            entered.push((task, former));
        }
        if entered.is_empty() {
            return;
        }
        self.settings_read = None;
        self.save();
        if let Some(error) = &self.unsaved {
            let why = format!("the queue cannot be written: {error}");
            self.take_back(entered);
            drop(reply.send(Answer::Failed { why }));
            return;
        }
        for (task, _) in entered {
            if !settings.is_empty() {
                self.settings.insert(task.clone(), settings.clone());
            }
            if follow {
                self.followers
                    .entry(task.clone())
                    .or_default()
                    .push(reply.clone());
            }
            let paused = self.queue.paused;
            drop(reply.send(Answer::Accepted { task, paused }));
        }
    }

    /// When a run may begin: schedules that start in the same minute take turns.
    fn not_before(&mut self, options: &StartOptions, spread: i64) -> Option<i64> {
        match options.origin {
            Origin::Schedule => self.stagger.next(now(), spread),
            Origin::Manual | Origin::Arrival => options.not_before,
        }
    }

    /// Has the queue as it was: what is not on disk is not promised to anybody.
    fn take_back(&mut self, entered: Vec<(TaskName, Option<Entry>)>) {
        for (task, former) in entered {
            match (former, self.queue.get_mut(&task)) {
                (Some(former), Some(run)) => run.entry = former,
                _ => drop(self.queue.remove(&task)),
            }
        }
    }

    /// Ends runs, and takes those that wait out of the queue. Who asked hears of each when it is gone.
    fn stop(&mut self, tasks: Vec<TaskName>, reply: &Reply) {
        let mut taken_out = vec![];
        for task in tasks {
            let running = self.children.values_mut().find(|child| child.name == task);
            if let Some(child) = running {
                child.stopped = true;
                child.end(GRACE);
                self.stoppers.entry(task).or_default().push(reply.clone());
                continue;
            }
            let run: Option<QueuedRun> = self.queue.remove(&task);
            if run.is_some() {
                self.settings.remove(&task);
                self.recovered.remove(&task);
                self.arrivals.run_is_off(&task);
                taken_out.push(task.clone());
            }
            drop(reply.send(Answer::Stopped { task }));
        }
        if !taken_out.is_empty() {
            self.save();
        }
        for task in taken_out {
            let end = RunEnd::stopped(&task);
            self.tell(&task, end);
        }
    }

    fn pause(&mut self, paused: bool, reply: &Reply) {
        self.queue.paused = paused;
        self.save();
        drop(reply.send(match &self.unsaved {
            None => Answer::Fine,
            Some(error) => Answer::Failed {
                why: format!("it will not last beyond a restart: the queue cannot be written: {error}"),
            },
        }));
    }

    fn health(&self) -> Answer {
        let failed = |why: String| Answer::Failed { why };
        if self.ending || self.main.is_gone() {
            return failed("the service is ending".to_owned());
        }
        if let Some(error) = &self.unsaved {
            return failed(format!("the queue cannot be written: {error}"));
        }
        match self.denied_since.map(|since| since.elapsed()) {
            Some(standing) if standing >= STUCK && self.queue.waiting() > 0 => failed(format!(
                "the queue is stuck: no run could be started for {} seconds",
                standing.as_secs()
            )),
            _ => Answer::Fine,
        }
    }
}

/// Those settings that may differ from run to run, where they are not the supervisor's.
fn own(mut settings: BTreeMap<String, String>) -> BTreeMap<String, String> {
    settings
        .retain(|name, value| SETTINGS.contains(&name.as_str()) && std::env::var(name).as_ref() != Ok(value));
    settings
}
