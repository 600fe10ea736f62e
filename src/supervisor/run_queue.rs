// SPDX-License-Identifier: GPL-3.0-or-later
//! The order in which tasks come to run: what was started by hand, or has waited for an hour, before what new mail started,
//! and that before what a schedule did; among those, remote servers and then batches in turns, so that no one waits behind
//! hundreds of others; never two of one local user; never more of a server than it bears, nor of a source than its settings
//! allow; never more at once than allowed, but for some whose servers have no other run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use super::entry::{Entry, Origin, State};
use super::source_limits::SourceLimits;
use crate::task::{SourceId, TaskName};

/// After so many seconds a task that a schedule started has waited long enough to come as if started by hand, so that
/// starting again and again by hand cannot keep it waiting for ever.
const LONG_WAIT: i64 = 60 * 60;

/// So many runs for arriving mail work even where others take all places: they are short.
const ARRIVALS: usize = 2;

/// How often is looked at the time of day at least, by which people say when something begins.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A task in the queue.
#[derive(Debug, Clone)]
pub struct QueuedRun {
    /// What is known of it.
    pub entry: Entry,
    /// The accounts on both sides.
    pub accounts: Accounts,
    /// Not before that moment.
    pub not_before: Option<Instant>,
    /// Who came first has the smaller number.
    order: u64,
}

/// What a run has to do with on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    /// Whose mailbox it fills.
    pub user: String,
    /// The server that the mail comes from.
    pub server: String,
    /// The source that the task follows, where it follows one.
    pub source: Option<SourceId>,
}

/// All tasks that wait or run.
#[derive(Debug)]
pub struct RunQueue {
    at_once: NonZeroUsize,
    /// Whether nothing is started.
    pub paused: bool,
    runs: BTreeMap<TaskName, QueuedRun>,
    /// When a server, and a batch, had its last turn.
    servers: HashMap<String, u64>,
    batches: HashMap<u64, u64>,
    /// What was learnt of the servers.
    limits: SourceLimits,
    /// How many runs of a source may work at once, where its settings say so.
    most: HashMap<SourceId, usize>,
    clock: u64,
}

impl RunQueue {
    /// An empty queue, of which so many run at once.
    pub fn new(at_once: NonZeroUsize) -> Self {
        Self {
            at_once,
            paused: false,
            runs: BTreeMap::new(),
            servers: HashMap::new(),
            batches: HashMap::new(),
            limits: SourceLimits::default(),
            most: HashMap::new(),
            clock: 0,
        }
    }

    /// Has so many run at once from now on.
    pub fn set_at_once(&mut self, at_once: NonZeroUsize) {
        self.at_once = at_once;
    }

    /// Whether somebody waits whose time has come while as many run as may.
    pub fn is_full(&self, seconds: i64) -> bool {
        self.is_due(seconds) && self.running() >= self.at_once.get()
    }

    /// Whether somebody waits whose time has come.
    pub fn is_due(&self, seconds: i64) -> bool {
        let mut runs = self.runs.values();
        runs.any(|run| run.entry.state != State::Running && !run.entry.is_early(seconds))
    }

    /// A server has turned away a run of this task.
    pub fn turned_away(&mut self, name: &TaskName) {
        if let Some(run) = self.runs.get(name) {
            let server = &run.accounts.server;
            self.limits.turned_away(server, self.running_of(server));
        }
    }

    /// A run of this task has gone well.
    pub fn went_well(&mut self, name: &TaskName) {
        if let Some(run) = self.runs.get(name) {
            self.limits
                .went_well(&run.accounts.server, self.at_once.get(), Instant::now());
        }
    }

    /// The servers of these runs took so long to answer.
    pub fn answered(&mut self, times: &HashMap<TaskName, Duration>, now: Instant) {
        let mut by_server: HashMap<String, Vec<Duration>> = HashMap::new();
        for (name, time) in times {
            if let Some(run) = self.runs.get(name) {
                by_server
                    .entry(run.accounts.server.clone())
                    .or_default()
                    .push(*time);
            }
        }
        for (server, times) in by_server {
            self.limits
                .answered(&server, self.running_of(&server), times, now);
        }
    }

    /// The sources that tasks in the queue follow.
    pub fn sources(&self) -> BTreeSet<SourceId> {
        let sources = self.runs.values().filter_map(|run| run.accounts.source.clone());
        sources.collect()
    }

    /// So many runs of each source may work at once; of others as many as may at all.
    pub fn set_most(&mut self, most: HashMap<SourceId, usize>) {
        self.most = most;
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// A number for tasks that come together.
    pub fn new_batch(&mut self) -> u64 {
        let last = self.runs.values().map(|run| run.entry.batch).max();
        last.max(self.batches.keys().copied().max()).unwrap_or_default() + 1
    }

    /// Puts a task at the end, in the place of the one of that name.
    pub fn add(&mut self, entry: Entry, accounts: Accounts) {
        let order = self.tick();
        let run = QueuedRun {
            accounts,
            not_before: None,
            order,
            entry,
        };
        self.runs.insert(run.entry.task.clone(), run);
    }

    /// A task in the queue.
    pub fn get(&self, name: &TaskName) -> Option<&QueuedRun> {
        self.runs.get(name)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, name: &TaskName) -> Option<&mut QueuedRun> {
        self.runs.get_mut(name)
    }

    /// Takes a task out.
    pub fn remove(&mut self, name: &TaskName) -> Option<QueuedRun> {
        let run = self.runs.remove(name)?;
        // One that comes when no other is there owes no other a turn.
        let server = &run.accounts.server;
        if self.runs.values().all(|other| other.accounts.server != *server) {
            self.servers.remove(server);
            self.limits.forget(server);
        }
        let batch = run.entry.batch;
        if self.runs.values().all(|other| other.entry.batch != batch) {
            self.batches.remove(&batch);
        }
        Some(run)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.runs.len() - self.running()
    }

    fn at_work(&self) -> impl Iterator<Item = &QueuedRun> {
        self.runs.values().filter(|run| run.entry.state == State::Running)
    }

    fn running(&self) -> usize {
        self.at_work().count()
    }

    fn running_of(&self, server: &str) -> usize {
        self.at_work().filter(|run| run.accounts.server == server).count()
    }

    /// The sources of which as many runs work as their settings allow.
    fn full_sources(&self) -> BTreeSet<&SourceId> {
        let running = |source: &SourceId| {
            let runs = self.at_work();
            runs.filter(|run| run.accounts.source.as_ref() == Some(source))
                .count()
        };
        let full = self
            .most
            .iter()
            .filter(|(source, most)| running(source) >= **most);
        full.map(|(source, _)| source).collect()
    }

    /// What is to be remembered, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        let mut runs: Vec<&QueuedRun> = self.runs.values().collect();
        runs.sort_by_key(|run| run.order);
        runs.into_iter().map(|run| run.entry.clone()).collect()
    }

    /// Lets those run whose turn it is; from here on they are running.
    pub fn take_turns(&mut self, now: Instant, seconds: i64) -> Vec<TaskName> {
        let mut chosen = vec![];
        while !self.paused {
            let Some(name) = self.next(now, seconds) else {
                break;
            };
            let turn = self.tick();
            if let Some(run) = self.runs.get_mut(&name) {
                run.entry.state = State::Running;
                run.entry.started = Some(seconds);
                self.servers.insert(run.accounts.server.clone(), turn);
                self.batches.insert(run.entry.batch, turn);
            }
            chosen.push(name);
        }
        chosen
    }

    /// Whose turn it is. One slow server keeps no other waiting: in addition to the runs that are allowed at once, half as many
    /// work that pull from servers of which no one else does. Nor does mail that arrives wait for hundreds of first copies.
    fn next(&self, now: Instant, seconds: i64) -> Option<TaskName> {
        let users: BTreeSet<&str> = self.at_work().map(|run| run.accounts.user.as_str()).collect();
        let at_once = self.at_once.get();
        let running = self.running();
        let busy: BTreeSet<&str> = self.at_work().map(|run| run.accounts.server.as_str()).collect();
        let is_arrival = |run: &&QueuedRun| run.entry.origin == Origin::Arrival;
        let room_for_arrivals = self.at_work().filter(is_arrival).count() < ARRIVALS;
        let has_room = |run: &&QueuedRun| {
            let others_server =
                running < at_once + at_once / 2 && !busy.contains(run.accounts.server.as_str());
            running < at_once || others_server || room_for_arrivals && is_arrival(run)
        };
        if running >= at_once + at_once / 2 && !room_for_arrivals {
            return None;
        }
        let reached: BTreeSet<&str> = self.limits.reached(|server| self.running_of(server)).collect();
        let full = self.full_sources();
        let may_run = |run: &&QueuedRun| {
            has_room(run)
                && run.entry.state != State::Running
                && run.not_before.is_none_or(|moment| moment <= now)
                && !run.entry.is_early(seconds)
                && !users.contains(run.accounts.user.as_str())
                && !reached.contains(run.accounts.server.as_str())
                && !run
                    .accounts
                    .source
                    .as_ref()
                    .is_some_and(|source| full.contains(source))
        };
        let rank = |run: &&QueuedRun| {
            let waited = seconds.saturating_sub(run.entry.ready_since());
            let first = match waited >= LONG_WAIT {
                true => Origin::Manual,
                false => run.entry.origin,
            };
            let server = self.servers.get(&run.accounts.server).copied();
            let batch = self.batches.get(&run.entry.batch).copied();
            (first, server, batch, run.order)
        };
        let first = self.runs.values().filter(may_run).min_by_key(rank)?;
        Some(first.entry.task.clone())
    }

    /// When the next one may run that has to wait for a moment.
    pub fn next_moment(&self, now: Instant, seconds: i64) -> Option<Instant> {
        let waiting = self.runs.values().filter(|run| run.entry.state != State::Running);
        let moments = waiting.filter_map(|run| {
            let early = run
                .entry
                .not_before
                .map_or(0, |moment| moment.saturating_sub(seconds));
            let early = u64::try_from(early).ok().filter(|early| *early > 0);
            // The clock may be set meanwhile: it is looked at again.
            let early = early.map(|early| now + Duration::from_secs(early).min(LONGEST_SLEEP));
            run.not_before.max(early)
        });
        moments.min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(name: &str, origin: Origin, batch: u64) -> Entry {
        Entry {
            task: TaskName::parse(name).unwrap(),
            origin,
            since: 0,
            state: State::Waiting,
            started: None,
            batch,
            not_before: None,
        }
    }

    fn queue(at_once: usize) -> RunQueue {
        RunQueue::new(NonZeroUsize::new(at_once).unwrap())
    }

    fn at(user: String, server: String) -> Accounts {
        Accounts {
            user,
            server,
            source: None,
        }
    }

    /// The order in which all come to run, one at a time.
    fn order(queue: &mut RunQueue) -> Vec<String> {
        let mut order = vec![];
        while let [name] = queue.take_turns(Instant::now(), 0).as_slice() {
            order.push(name.to_string());
            queue.remove(name);
        }
        order
    }

    #[test]
    fn by_hand_comes_before_the_schedule_and_sources_and_batches_take_turns() {
        let mut queue = queue(1);
        let mut add = |name: &str, origin, batch, source: &str| {
            queue.add(entry(name, origin, batch), at(name.to_owned(), source.to_owned()));
        };
        add("s1", Origin::Schedule, 1, "a");
        for name in ["a1", "a2", "a3"] {
            add(name, Origin::Manual, 2, "a");
        }
        add("b1", Origin::Manual, 3, "b");
        add("a4", Origin::Manual, 4, "a");
        add("s2", Origin::Schedule, 5, "b");
        assert_eq!(order(&mut queue), ["a1", "b1", "a4", "a2", "a3", "s2", "s1"]);
    }

    #[test]
    fn a_schedule_that_has_waited_for_an_hour_waits_behind_no_start_by_hand() {
        let mut queue = queue(1);
        for (name, origin) in [
            ("s1", Origin::Schedule),
            ("a1", Origin::Manual),
            ("a2", Origin::Manual),
        ] {
            queue.add(entry(name, origin, 1), at(name.to_owned(), "a".to_owned()));
        }
        let mut next = |seconds| {
            let names = queue.take_turns(Instant::now(), seconds);
            queue.remove(&names[0]);
            names[0].to_string()
        };
        assert_eq!(next(LONG_WAIT - 1), "a1");
        assert_eq!(next(LONG_WAIT), "s1");
    }

    #[test]
    fn paused_or_told_to_wait_nothing_is_started() {
        let mut queue = queue(3);
        queue.add(entry("a1", Origin::Manual, 1), at("u".to_owned(), "a".to_owned()));
        queue.paused = true;
        assert!(queue.take_turns(Instant::now(), 0).is_empty());
        queue.paused = false;
        let now = Instant::now();
        let name = TaskName::parse("a1").unwrap();
        queue.get_mut(&name).unwrap().not_before = Some(now + Duration::from_secs(9));
        assert!(queue.take_turns(now, 0).is_empty() && queue.next_moment(now, 0).is_some());
        assert_eq!(queue.take_turns(now + Duration::from_secs(9), 5), [name]);
        assert_eq!(queue.entries()[0].started, Some(5));
        assert_eq!((queue.waiting(), queue.next_moment(now, 5)), (0, None));
    }

    #[test]
    fn one_whose_time_has_not_come_keeps_no_one_waiting_and_does_not_count_as_waiting() {
        let mut queue = queue(1);
        let early = Entry {
            not_before: Some(100),
            ..entry("a1", Origin::Manual, 1)
        };
        let is_early = |seconds| early.is_early(seconds);
        assert!(is_early(99) && !is_early(100));
        queue.add(early, at("a".to_owned(), "a".to_owned()));
        queue.add(
            entry("b1", Origin::Schedule, 2),
            at("b".to_owned(), "b".to_owned()),
        );
        let now = Instant::now();
        let names = |names: Vec<TaskName>| names.iter().map(TaskName::to_string).collect::<Vec<_>>();
        assert_eq!(names(queue.take_turns(now, 40)), ["b1"]);
        assert!(!queue.is_due(99) && !queue.is_full(99) && queue.is_full(100));
        assert_eq!(queue.next_moment(now, 40), Some(now + Duration::from_secs(60)));
        assert_eq!(queue.next_moment(now, 99), Some(now + Duration::from_secs(1)));
        queue.remove(&TaskName::parse("b1").unwrap());
        assert_eq!(names(queue.take_turns(now, 100)), ["a1"]);
    }

    #[test]
    fn a_slow_server_keeps_no_other_waiting() {
        let mut queue = queue(2);
        for (name, source) in [
            ("a1", "a"),
            ("a2", "a"),
            ("a3", "a"),
            ("b1", "b"),
            ("b2", "b"),
            ("c1", "c"),
        ] {
            queue.add(
                entry(name, Origin::Manual, 1),
                at(name.to_owned(), source.to_owned()),
            );
        }
        let names = |names: Vec<TaskName>| names.iter().map(TaskName::to_string).collect::<Vec<_>>();
        assert_eq!(names(queue.take_turns(Instant::now(), 0)), ["a1", "b1", "c1"]);
        queue.remove(&TaskName::parse("b1").unwrap());
        // Two work, which is what is allowed; one more may where no one else pulls from.
        assert_eq!(names(queue.take_turns(Instant::now(), 0)), ["b2"]);
    }

    #[test]
    fn arriving_mail_does_not_wait_for_first_copies() {
        let mut queue = queue(2);
        let mut add = |name: &str, origin| {
            queue.add(entry(name, origin, 1), at(name.to_owned(), "a".to_owned()));
        };
        for name in ["a1", "a2", "a3"] {
            add(name, Origin::Manual);
        }
        for name in ["n1", "n2", "n3"] {
            add(name, Origin::Arrival);
        }
        let mut names = || {
            let names = queue.take_turns(Instant::now(), 0);
            let all = names.iter().map(TaskName::to_string).collect::<Vec<_>>();
            (all, queue.remove(&names[names.len() - 1]))
        };
        assert_eq!(names().0, ["a1", "a2", "n1", "n2"]);
        assert_eq!(names().0, ["n3"], "in the place of n2");
    }

    #[test]
    fn a_source_that_turns_runs_away_gets_half_as_many_and_more_as_they_go_well() {
        type End = fn(&mut RunQueue, &TaskName);
        let mut queue = queue(4);
        for number in 1..=12 {
            let name = format!("a{number}");
            queue.add(entry(&name, Origin::Manual, 1), at(name.clone(), "a".to_owned()));
        }
        let mut running = queue.take_turns(Instant::now(), 0);
        assert_eq!(running.len(), 4);
        queue.turned_away(&running[0]);
        let mut next_after = |end: End| {
            let name = running.remove(0);
            end(&mut queue, &name);
            queue.remove(&name);
            let started = queue.take_turns(Instant::now(), 0);
            running.extend(started.iter().cloned());
            running.len()
        };
        let (badly, well): (End, End) = (|_, _| {}, RunQueue::went_well);
        assert_eq!(
            [next_after(badly), next_after(badly), next_after(badly)],
            [3, 2, 2]
        );
        assert_eq!([next_after(well), next_after(well), next_after(badly)], [3, 4, 4]);
    }

    #[test]
    fn a_source_gets_as_many_runs_as_its_settings_allow() {
        let mut queue = queue(4);
        let id = |id: &str| SourceId::parse(id).unwrap();
        for (name, source) in [("a1", "s"), ("a2", "s"), ("a3", "s"), ("b1", "t"), ("b2", "t")] {
            let accounts = Accounts {
                source: Some(id(source)),
                ..at(name.to_owned(), "a".to_owned())
            };
            queue.add(entry(name, Origin::Manual, 1), accounts);
        }
        let names = |names: Vec<TaskName>| names.iter().map(TaskName::to_string).collect::<Vec<_>>();
        assert_eq!(queue.sources(), BTreeSet::from([id("s"), id("t")]));
        queue.set_most(HashMap::from([(id("s"), 1)]));
        assert_eq!(names(queue.take_turns(Instant::now(), 0)), ["a1", "b1", "b2"]);
        queue.set_most(HashMap::from([(id("s"), 2)]));
        assert_eq!(names(queue.take_turns(Instant::now(), 0)), ["a2"]);
    }

    #[test]
    fn a_server_that_answers_late_gets_fewer_runs() {
        let mut queue = queue(8);
        for number in 1..=16 {
            let name = format!("a{number}");
            queue.add(entry(&name, Origin::Manual, 1), at(name.clone(), "a".to_owned()));
        }
        let running = queue.take_turns(Instant::now(), 0);
        assert_eq!(running.len(), 8);
        for millis in [10, 500] {
            let times = running
                .iter()
                .map(|name| (name.clone(), Duration::from_millis(millis)));
            queue.answered(&times.collect(), Instant::now());
        }
        for (ended, left) in [(1, 7), (2, 6), (3, 6)] {
            queue.remove(&running[ended - 1]);
            queue.take_turns(Instant::now(), 0);
            assert_eq!(queue.running_of("a"), left);
        }
    }

    proptest! {
        #[test]
        fn never_two_of_a_user_nor_too_many_and_all_come_to_run(
            tasks in prop::collection::vec((0_u8..6, 0_u8..3, any::<bool>(), 0_u64..4), 0..40),
            at_once in 1_usize..5,
        ) {
            let mut queue = queue(at_once);
            for (number, (user, source, by_hand, batch)) in tasks.iter().enumerate() {
                let origin = if *by_hand { Origin::Manual } else { Origin::Schedule };
                queue.add(entry(&format!("t{number}"), origin, *batch), at(user.to_string(), source.to_string()));
            }
            let (mut running, mut done): (Vec<TaskName>, usize) = (vec![], 0);
            loop {
                running.extend(queue.take_turns(Instant::now(), 0));
                prop_assert!(running.len() <= at_once + at_once / 2);
                let mut sources: BTreeSet<_> = running.iter().map(|name| queue.get(name).unwrap().accounts.server.clone()).collect();
                sources.retain(|source| !source.is_empty());
                prop_assert!(running.len() <= at_once || sources.len() > running.len() - at_once);
                let users: BTreeSet<_> = running.iter().map(|name| queue.get(name).unwrap().accounts.user.clone()).collect();
                prop_assert_eq!(users.len(), running.len());
                let Some(name) = running.pop() else { break };
                queue.remove(&name);
                done += 1;
            }
            prop_assert_eq!(done, tasks.len());
        }
    }
}
