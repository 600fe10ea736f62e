// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail as it arrives: the sources of the tasks that want it are listened to, each over one connection, and a run begins
//! when one tells of new mail. The runs themselves, and what a schedule starts, are as ever.
//!
//! - [`permit`]: which tasks · [`changes`]: when that may have changed
//! - [`worker`]: a connection after the other ([`backoff`]), few at once ([`logins`])
//! - [`watched`]: what is known of one task; [`pace`]: when news start a run
//! - [`record`]: what is remembered, and shown · [`reasons`]: what the journal is told
//!
//! A run covers what the source had told when it began. What is told later than that starts the next one, and so does what
//! came while no one listened: where the folders stood is remembered.

mod backoff;
pub(super) mod changes;
mod logins;
mod pace;
mod permit;
mod reasons;
pub mod record;
mod watched;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use self::changes::Changed;
use self::logins::Logins;
use self::permit::Permit;
use self::reasons::Reasons;
use self::record::{Listening, Record, Remembered};
use self::watched::Watched;
use self::worker::{Common, What, Worker};
use crate::source::{Source, Sources};
use crate::sync::exit_code::Exit;
use crate::task::{SourceId, Store, TaskName};

pub(super) use self::worker::Told;

/// Between two writings of the record.
const SAVE_PAUSE: Duration = Duration::from_secs(1);

/// All tasks that are listened for.
pub(super) struct Arrivals {
    common: Common,
    tasks: BTreeMap<TaskName, Watched>,
    /// The sources that they follow, as they were when somebody last logged in there.
    sources: BTreeMap<SourceId, Source>,
    /// What the former supervisor knew of tasks that are not among them yet.
    former: BTreeMap<TaskName, Remembered>,
    /// Tasks whose source turned a run away: it gets all connections.
    crowded: BTreeSet<TaskName>,
    /// Tasks whose runs are at work, whether or not they are listened for.
    running: BTreeSet<TaskName>,
    /// Why connections ended.
    reasons: Reasons,
    number: u64,
    saved: Record,
    save_at: Option<Instant>,
    ending: bool,
}

impl Arrivals {
    /// Listens for no one yet. What the workers tell is sent to `told`.
    pub(super) fn new(store: &Store, told: UnboundedSender<Told>) -> Self {
        let record = Record::read(store);
        Self {
            common: Common {
                store: store.clone(),
                told,
                logins: Rc::new(Logins::default()),
            },
            tasks: BTreeMap::new(),
            sources: BTreeMap::new(),
            former: record.tasks.clone(),
            crowded: BTreeSet::new(),
            running: BTreeSet::new(),
            reasons: Reasons::default(),
            number: 0,
            saved: record,
            save_at: None,
            ending: false,
        }
    }

    /// Listens for all tasks that want it.
    pub(super) fn begin(&mut self) {
        // Without its folder there are no tasks.
        for name in self.common.store.names().unwrap_or_default() {
            self.look_at(&name, true);
        }
        self.former.clear();
        // How it stood with the former supervisor is told to no one any more.
        self.save_at = Some(Instant::now());
    }

    /// Heeds what somebody has changed.
    pub(super) fn heed(&mut self, changed: &Changed) {
        if self.ending {
            return;
        }
        if changed.all {
            let known: Vec<TaskName> = self.tasks.keys().cloned().collect();
            let all = self.common.store.names().unwrap_or_default();
            for name in all.iter().chain(&known) {
                self.look_at(name, false);
            }
        }
        let mut sources = changed.sources.clone();
        sources.retain(|id| self.is_reached_otherwise(id));
        let follows = |watched: &Watched| watched.source.as_ref().is_some_and(|id| sources.contains(id));
        let following = self.tasks.iter().filter(|(_, watched)| follows(watched));
        let following: Vec<TaskName> = following.map(|(name, _)| name.clone()).collect();
        for name in changed.settings.iter().chain(&following) {
            self.look_at(name, true);
        }
        for name in &changed.permits {
            self.look_at(name, false);
        }
        // Tokens are also renewed, refused, or those of others.
        let waiting = self.tasks.iter().filter(|(_, watched)| {
            let source = watched.source.as_ref();
            watched.state == Listening::SignInNeeded && source.is_some_and(|id| changed.tokens.contains(id))
        });
        let waiting: Vec<TaskName> = waiting.map(|(name, _)| name.clone()).collect();
        for name in waiting {
            if permit::is_signed_in(&self.common.store, &name) {
                self.look_at(&name, true);
            }
        }
    }

    /// Whether a source that was changed is another one for those who log in there.
    fn is_reached_otherwise(&mut self, id: &SourceId) -> bool {
        let source = Sources::of(&self.common.store).read(id).ok().flatten();
        let former = self.sources.remove(id);
        let limits_alone = source
            .as_ref()
            .zip(former)
            .is_some_and(|(source, former)| source.has_other_limits_alone(&former));
        self.sources.extend(source.map(|source| (id.clone(), source)));
        !limits_alone
    }

    /// Listens for a task, or does so no longer. `again`: even where it is listened to, as what it logs in with may be another.
    fn look_at(&mut self, name: &TaskName, again: bool) {
        let Some(permit) = Permit::of(&self.common.store, name) else {
            if let Some(mut watched) = self.tasks.remove(name) {
                watched.leave();
                self.save_soon();
            }
            return;
        };
        if let Some(id) = permit.source.as_ref().filter(|id| !self.sources.contains_key(id)) {
            let source = Sources::of(&self.common.store).read(id).ok().flatten();
            self.sources.extend(source.map(|source| (id.clone(), source)));
        }
        let limited = permit.limited || self.crowded.contains(name);
        let is_new = !self.tasks.contains_key(name);
        let former = &self.former;
        let watched = self.tasks.entry(name.clone()).or_insert_with(|| {
            let covered = former.get(name).and_then(|former| former.covered);
            Watched::since(covered)
        });
        watched.source = permit.source;
        watched.limited = limited;
        let gets_in = watched.state == Listening::Refused && permit.gets_in;
        if is_new || again || gets_in {
            self.restart(name);
        }
    }

    /// Has another worker take over. While a run needs the connection there is none.
    fn restart(&mut self, name: &TaskName) {
        let Some(watched) = self.tasks.get_mut(name).filter(|_| !self.ending) else {
            return;
        };
        watched.leave();
        self.number += 1;
        watched.number = self.number;
        let yields = watched.limited && self.running.contains(name);
        watched.state = match yields {
            true => Listening::Yielding,
            false => Listening::Connecting,
        };
        if !yields {
            watched.worker = Some(Worker::start(&self.common, name.clone(), self.number));
        }
        self.save_soon();
    }

    /// Takes in what a worker tells; what the journal is to know of it.
    pub(super) fn hear(&mut self, told: Told) -> Option<String> {
        let Told { task, number, what } = told;
        let watched = self
            .tasks
            .get_mut(&task)
            .filter(|watched| watched.number == number)?;
        match what {
            What::Position(position) => {
                watched.told(position);
                None
            }
            What::State(state, why) => {
                let former = std::mem::replace(&mut watched.state, state);
                self.save_soon();
                if let (Listening::Connecting, Some(why)) = (state, &why) {
                    let hushed = self.reasons.is_due(why, Instant::now())?;
                    let again = match hushed {
                        0 => String::new(),
                        times => format!(" (and {times} times more since this was told last)"),
                    };
                    return Some(format!(
                        "{task}: the connection that tells of new mail is made again later: {why}{again}"
                    ));
                }
                let words = match state {
                    _ if former == state => return None,
                    Listening::NotOffered => {
                        "its source offers neither IDLE nor NOTIFY, so mail comes by the schedule only"
                    }
                    Listening::Refused => {
                        "its source refused the login; it is listened to again after a run that logs in"
                    }
                    Listening::SignInNeeded => {
                        "somebody has to sign in for its mailbox; it is listened to again after that"
                    }
                    _ => return None,
                };
                Some(match why {
                    Some(why) => format!("{task}: {words}: {why}"),
                    None => format!("{task}: {words}"),
                })
            }
        }
    }

    /// Tasks for which a run begins now.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<TaskName> {
        if self.ending {
            return vec![];
        }
        let mut due = vec![];
        let running = &self.running;
        for (name, watched) in self.tasks.iter_mut().filter(|(name, _)| !running.contains(name)) {
            if watched.due().is_some_and(|moment| moment <= now) {
                watched.is_due_now();
                due.push(name.clone());
            }
        }
        if !due.is_empty() {
            self.save_soon();
        }
        due
    }

    /// A run that was due could not be put into the queue.
    pub(super) fn not_queued(&mut self, name: &TaskName) {
        if let Some(watched) = self.tasks.get_mut(name) {
            watched.not_queued(Instant::now());
        }
    }

    /// When there is something to do next.
    pub(super) fn next_moment(&self) -> Option<Instant> {
        let idle = self
            .tasks
            .iter()
            .filter(|(name, _)| !self.ending && !self.running.contains(name));
        let due = idle.filter_map(|(_, watched)| watched.due());
        due.chain(self.save_at).min()
    }

    /// Whether a run of the task has to wait until its source is left.
    pub(super) fn holds(&mut self, name: &TaskName) -> bool {
        let Some(watched) = self.tasks.get_mut(name).filter(|watched| watched.limited) else {
            return false;
        };
        watched.state = Listening::Yielding;
        // What the worker still has to tell comes from the next one.
        watched.number = 0;
        watched.leave()
    }

    /// A run of the task does not begin after all.
    pub(super) fn run_is_off(&mut self, name: &TaskName) {
        let yields = |watched: &Watched| watched.state == Listening::Yielding;
        if !self.running.contains(name) && self.tasks.get(name).is_some_and(yields) {
            self.restart(name);
        }
    }

    /// A run of the task begins.
    pub(super) fn run_begins(&mut self, name: &TaskName) {
        self.running.insert(name.clone());
        if let Some(watched) = self.tasks.get_mut(name) {
            watched.run_begins();
            self.save_soon();
        }
    }

    /// A run of the task has ended that began at `started`, in seconds since 1970, with that exit code where it told one.
    pub(super) fn run_ended(&mut self, name: &TaskName, started: i64, exit: Option<u8>) {
        self.running.remove(name);
        let store = &self.common.store;
        let Some(watched) = self.tasks.get_mut(name) else {
            return;
        };
        // A run that came to nothing leaves the report of the one before.
        let report = store.report(name).filter(|report| {
            let is_its_own = report.started >= started && exit.map(i32::from) == Some(report.exit_code);
            is_its_own && exit != Some(Exit::Stopped.code())
        });
        let brought = report.is_some_and(|report| report.messages.copied > 0);
        watched.run_ended(Instant::now(), exit, brought);
        let got_in = brought || exit == Some(Exit::Ok.code());
        match watched.state {
            Listening::Yielding | Listening::Unmet => self.restart(name),
            Listening::Refused | Listening::SignInNeeded if got_in => self.restart(name),
            // The server turned the listener away while the run had its connections, or was down: it serves again.
            Listening::Connecting if got_in => watched.worker.iter().for_each(Worker::wake),
            _ => {}
        }
        self.save_soon();
    }

    /// The source of a task has turned its run away: from now on it is left while runs are at work.
    pub(super) fn turned_away(&mut self, name: &TaskName) {
        if let Some(watched) = self.tasks.get_mut(name) {
            watched.limited = true;
            self.crowded.insert(name.clone());
            self.holds(name);
        }
    }

    /// Whether a run of the task may be turned away because its source is listened to.
    pub(super) fn may_crowd(&self, name: &TaskName) -> bool {
        self.tasks.get(name).is_some_and(|watched| !watched.limited)
    }

    /// Ends all connections.
    pub(super) fn end(&mut self) {
        self.ending = true;
        for watched in self.tasks.values_mut() {
            watched.leave();
        }
        self.save_at = Some(Instant::now());
    }

    fn save_soon(&mut self) {
        self.save_at.get_or_insert_with(|| Instant::now() + SAVE_PAUSE);
    }

    /// Writes the record if it is time for that. One that cannot be written costs a run that finds nothing.
    pub(super) fn save_if_due(&mut self, now: Instant) {
        if self.save_at.is_none_or(|moment| moment > now) {
            return;
        }
        self.save_at = None;
        let remembered = |watched: &Watched| Remembered {
            state: watched.state,
            covered: watched.covered(),
        };
        let tasks = self
            .tasks
            .iter()
            .map(|(name, watched)| (name.clone(), remembered(watched)));
        let record = Record {
            tasks: tasks.collect(),
        };
        if record != self.saved && record.write(&self.common.store).is_ok() {
            self.saved = record;
        }
    }
}
