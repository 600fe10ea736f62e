// SPDX-License-Identifier: GPL-3.0-or-later
//! The supervisor: the container's main process. It starts a program, crond, and ends when that ends; it collects the
//! children that others have left behind, which is the first process' duty; and it starts the runs.
//!
//! Everything happens on one thread, one event after the other: a request, the end of a child, a signal, a moment that
//! has come. Whatever changes the queue is on disk before anybody is told.

mod connection;
mod main_program;
mod requests;
mod runs;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::io::Write as _;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use tokio::net::UnixListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, LocalSet};

use self::connection::{Reply, converse};
use self::main_program::MainProgram;
use self::requests::StartOptions;
use super::arrivals::{Arrivals, Told, changes};
use super::capacity::{self, Capacity};
use super::child::{Child, Cut, Program};
use super::entry::{Origin, State};
use super::message::{Answer, Request, RunEnd, Stream};
use super::queue_file::{Content, QueueFile};
use super::run_queue::{Accounts, RunQueue};
use super::socket;
use super::stagger::Stagger;
use crate::clock::now;
use crate::source::Sources;
use crate::task::FileKind;
use crate::task::{Schedule, Store, TaskName};

/// How long a run may take to end by itself. The unit gives the container more time than this and the next together.
const GRACE: Duration = Duration::from_secs(10);
/// How long those who follow runs may take to read how they ended.
const FAREWELL: Duration = Duration::from_secs(2);
/// What a process may need from the end of its work to its exit.
const EXIT_PAUSE: Duration = Duration::from_millis(5);
/// Before a task is tried again that somebody else has.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// Before processes are started again when the system has denied it.
const DENIED_PAUSE: Duration = Duration::from_secs(5);
/// A queue that stands for so long is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// Serves until `command` ends or this process is told to end; the exit code of the process.
///
/// # Errors
/// When there is another supervisor, or the system denies what it takes.
pub fn serve(store: &Store, command: &[OsString], capacity: Capacity) -> anyhow::Result<u8> {
    let file = QueueFile::of(store);
    let _serving = file.serve()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let code = LocalSet::new().block_on(&runtime, async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut child_ended = signal(SignalKind::child())?;
        let listener = UnixListener::from_std(socket::listen(file.folder())?)?;
        let (events, mut requests) = unbounded_channel();
        let (told, mut news) = unbounded_channel();
        let mut supervisor = Supervisor {
            store,
            events: events.clone(),
            queue: RunQueue::new(capacity.now()),
            capacity,
            look_at: None,
            settings_read: None,
            turned_away: HashMap::new(),
            program: Program::this()?,
            main: MainProgram::start(command)?,
            file,
            children: HashMap::new(),
            followers: HashMap::new(),
            stoppers: HashMap::new(),
            settings: HashMap::new(),
            arrivals: Arrivals::new(store, told),
            stagger: Stagger::default(),
            recovered: BTreeSet::new(),
            ending: false,
            denied_since: None,
            unsaved: None,
        };
        supervisor.recover();
        let mut changes = changes::see(store);
        supervisor.arrivals.begin();
        let mut connections = JoinSet::new();
        while !supervisor.is_over() {
            // Whatever else there is to do, what is due is not put off.
            supervisor.force_if_due();
            supervisor.look_if_due();
            supervisor.start_arrived();
            supervisor.start_due();
            supervisor.plan_look();
            tokio::select! {
                // A run that is ended together with the supervisor was not stopped by anybody.
                biased;
                _ = terminate.recv() => supervisor.end(),
                _ = interrupt.recv() => supervisor.end(),
                _ = child_ended.recv() => supervisor.collect(),
                Some((request, reply)) = requests.recv() => supervisor.handle(request, &reply),
                Ok((stream, _)) = listener.accept() => {
                    connections.spawn_local(converse(stream, events.clone()));
                }
                Some(_) = connections.join_next() => {}
                Some(changed) = changes.recv() => supervisor.arrivals.heed(&changed),
                Some(told) = news.recv() => supervisor.hear(told),
                () = until(supervisor.next_moment()) => {}
            }
        }
        let code = supervisor.farewell();
        let read = async { while connections.join_next().await.is_some() {} };
        // A client that does not read is not waited for.
        let _ = tokio::time::timeout(FAREWELL, read).await;
        Ok(code)
    });
    // A token that is asked for, or a name, is not waited for.
    runtime.shutdown_background();
    code
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

struct Supervisor<'a> {
    store: &'a Store,
    file: QueueFile,
    queue: RunQueue,
    capacity: Capacity,
    /// When is looked next whether more or fewer runs should work, while tasks wait.
    look_at: Option<Instant>,
    /// When the settings of the sources were last read for how many of their runs may work.
    settings_read: Option<Instant>,
    /// How often the runs at work had been turned away by their source when they were last looked at.
    turned_away: HashMap<TaskName, u64>,
    /// Where requests come from, and go again that come too early.
    events: UnboundedSender<(Request, Reply)>,
    program: Program,
    main: MainProgram,
    children: HashMap<Pid, Child>,
    /// Who wants to know how a run ends.
    followers: HashMap<TaskName, Vec<Reply>>,
    /// Who waits for the end of a run.
    stoppers: HashMap<TaskName, Vec<Reply>>,
    /// Settings that are others for a run.
    settings: HashMap<TaskName, BTreeMap<String, String>>,
    /// Sources that are listened to.
    arrivals: Arrivals,
    /// Starts that schedules want in the same minute.
    stagger: Stagger,
    /// Tasks of the former supervisor, of which a process may still be left.
    recovered: BTreeSet<TaskName>,
    /// Whether the supervisor was told to end, or has to.
    ending: bool,
    /// Since when the system denies to start processes.
    denied_since: Option<Instant>,
    /// Why the queue on disk is not the one that counts.
    unsaved: Option<String>,
}

/// What matters of a task for its turn.
struct TaskFacts {
    /// The accounts on both sides.
    accounts: Accounts,
    /// For how many seconds starts of its schedule may wait.
    spread: i64,
}

impl Supervisor<'_> {
    /// Takes the queue of the former supervisor over.
    fn recover(&mut self) {
        let content = self.file.read().unwrap_or_else(|error| {
            journal(
                Stream::Errors,
                &format!("syncctl: the queue cannot be read and begins empty: {error}"),
            );
            Content::default()
        });
        self.queue.paused = content.paused;
        for mut entry in content.entries {
            let name = entry.task.clone();
            if !self.exists(&name) {
                continue;
            }
            if entry.state == State::Running {
                entry.state = State::Interrupted;
                self.write_cut_off(&name, entry.started, Cut::Interrupted);
            }
            let facts = self.facts_of(&name);
            self.queue.add(entry, facts.accounts);
            self.recovered.insert(name);
        }
        if !self.recovered.is_empty() {
            let count = self.recovered.len();
            journal(
                Stream::Output,
                &format!("{count} tasks go on that waited or ran when the service was stopped"),
            );
        }
        self.save();
    }

    fn exists(&self, name: &TaskName) -> bool {
        self.store.path(name, FileKind::Env).exists()
    }

    /// What matters of a task here. One that is damaged is in no one's way; its run tells what is wrong.
    fn facts_of(&self, name: &TaskName) -> TaskFacts {
        match self.store.load(name) {
            Ok(Some(task)) => TaskFacts {
                accounts: Accounts {
                    user: task.local_user.to_string(),
                    server: format!("{}:{}", task.remote_host, task.remote_port),
                    source: self.store.options(name).source.map(|link| link.id),
                },
                spread: task.schedule.map_or(0, Schedule::spread),
            },
            Ok(None) | Err(_) => TaskFacts {
                accounts: Accounts {
                    user: name.to_string(),
                    server: String::new(),
                    source: None,
                },
                spread: 0,
            },
        }
    }

    fn save(&mut self) {
        let content = Content {
            paused: self.queue.paused,
            entries: self.queue.entries(),
        };
        let written = self.file.write(&content).map_err(|error| error.to_string()).err();
        if let Some(error) = written.as_ref().filter(|_| self.unsaved.is_none()) {
            journal(
                Stream::Errors,
                &format!("syncctl: the queue cannot be written: {error}"),
            );
        }
        self.unsaved = written;
    }

    /// Ends all runs, then the main program, then itself.
    fn end(&mut self) {
        self.ending = true;
        self.arrivals.end();
        for child in self.children.values_mut() {
            child.end(GRACE);
        }
        self.end_main_if_alone();
    }

    fn end_main_if_alone(&mut self) {
        if self.ending && self.children.is_empty() {
            self.main.end();
        }
    }

    fn is_over(&self) -> bool {
        self.ending && self.children.is_empty() && self.main.is_gone()
    }

    fn next_moment(&self) -> Option<Instant> {
        let kills = self.children.values().filter_map(|child| child.kill_at);
        let starts = self
            .queue
            .next_moment(Instant::now(), now())
            .filter(|_| !self.ending && !self.queue.paused);
        // A moment that has come is one at which something else has to happen first, such as a run's end.
        let starts = starts.filter(|moment| *moment > Instant::now());
        kills
            .chain(self.main.kill_at())
            .chain(starts)
            .chain(self.look_at)
            .chain(self.arrivals.next_moment())
            .min()
    }

    /// Heeds what a source told.
    fn hear(&mut self, told: Told) {
        if let Some(words) = self.arrivals.hear(told) {
            journal(Stream::Output, &words);
        }
    }

    /// Puts those tasks into the queue whose source has told of new mail.
    fn start_arrived(&mut self) {
        let now = Instant::now();
        let due = self.arrivals.take_due(now);
        if !due.is_empty() {
            // Who waits or runs already does so: no one follows.
            let (reply, _) = unbounded_channel();
            self.enqueue(
                due.clone(),
                StartOptions::of(Origin::Arrival),
                &BTreeMap::new(),
                false,
                &reply,
            );
            for name in due.iter().filter(|name| self.queue.get(name).is_none()) {
                self.arrivals.not_queued(name);
            }
        }
        self.arrivals.save_if_due(now);
    }

    /// Measures while tasks wait, or a run may be turned away.
    fn plan_look(&mut self) {
        let waits = !self.queue.paused && self.queue.is_due(now()) && !self.children.is_empty();
        let mut running = self.children.values();
        let needed = !self.ending && (waits || running.any(|child| self.arrivals.may_crowd(&child.name)));
        match (needed, self.look_at) {
            (true, None) => {
                self.capacity.begin();
                self.look_at = Some(Instant::now() + capacity::PACE);
            }
            (false, Some(_)) => self.look_at = None,
            _ => {}
        }
    }

    /// Has more or fewer runs work, after what the processors did, and fewer of a source that turns runs away.
    fn look_if_due(&mut self) {
        if self.look_at.is_none_or(|moment| moment > Instant::now()) {
            return;
        }
        self.look_at = Some(Instant::now() + capacity::PACE);
        if self.queue.is_due(now()) {
            self.capacity.look(self.queue.is_full(now()));
            self.queue.set_at_once(self.capacity.now());
        }
        let running: Vec<TaskName> = self.children.values().map(|child| child.name.clone()).collect();
        let mut answers = HashMap::new();
        for name in running {
            let progress = self.store.progress(&name).unwrap_or_default();
            if progress.answer_ms > 0 {
                answers.insert(name.clone(), Duration::from_millis(progress.answer_ms));
            }
            let times = progress.turned_away;
            let before = self.turned_away.insert(name.clone(), times).unwrap_or_default();
            if times > before {
                self.queue.turned_away(&name);
                self.arrivals.turned_away(&name);
            }
        }
        // Where this node has no time left, it is not the source that is late.
        if self.capacity.has_room() {
            self.queue.answered(&answers, Instant::now());
        }
    }

    /// Reads how many runs of each source may work, now and then while somebody waits: that may be changed at any time.
    fn read_settings_of_sources(&mut self) {
        let is_recent = self
            .settings_read
            .is_some_and(|read| read.elapsed() < capacity::PACE);
        if is_recent || !self.queue.is_due(now()) {
            return;
        }
        let sources = Sources::of(self.store);
        let most = self.queue.sources().into_iter().filter_map(|id| {
            let most = sources.read(&id).ok()??.runs?;
            Some((id, most.get().into()))
        });
        self.queue.set_most(most.collect());
        self.settings_read = Some(Instant::now());
    }

    fn force_if_due(&mut self) {
        let now = Instant::now();
        for child in self.children.values_mut() {
            child.kill_if_due(now);
        }
        self.main.kill_if_due(now);
    }

    /// Tells those who follow what waits that it goes on later; the exit code of the process.
    fn farewell(mut self) -> u8 {
        self.arrivals.save_if_due(Instant::now());
        let waiting = self.queue.waiting();
        if waiting > 0 {
            journal(
                Stream::Output,
                &format!("{waiting} tasks go on after the next start"),
            );
        }
        for (name, replies) in self.followers {
            for reply in replies {
                drop(reply.send(Answer::Ended {
                    task: name.clone(),
                    end: RunEnd::interrupted(&name),
                }));
            }
        }
        self.main.exit_code()
    }
}

/// Says something where the journal hears it.
fn journal(stream: Stream, text: &str) {
    let text = crate::text::printable(text);
    // Without a journal there is no one to tell.
    let _ = match stream {
        Stream::Output => writeln!(std::io::stdout().lock(), "{text}"),
        Stream::Errors => writeln!(std::io::stderr().lock(), "{text}"),
    };
}
