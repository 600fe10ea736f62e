// SPDX-License-Identifier: GPL-3.0-or-later
//! At most N runs at once, over cron, start-all and manual starts alike; the rest wait in order.
//!
//! Every run draws a ticket: a file with the next number as its name, locked with flock for as long as
//! the run waits or works. A run may work when fewer than N older tickets are held. A process that dies
//! gives its lock back whatever happens to it, and an unlocked ticket counts for no one, so there is
//! nothing that a crash could leave wrong and no process that keeps the order.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

use crate::task::Store;

/// Runs at once that one processor core carries: most of the time a run waits for a server.
const RUNS_PER_CORE: u64 = 2;
/// What one run may need: imapsync takes 200 MiB and more.
const MEMORY_PER_RUN: u64 = 512 * 1024 * 1024;
/// More than this many at once is for the administrator to ask for.
const DERIVED_MOST: u64 = 16;

/// The same for runs of the native engine whose servers let the processors idle. How much memory one takes at most is
/// in docs/limits.md.
const IDLE_RUNS_PER_CORE: u64 = 8;
const MEMORY_PER_NATIVE_RUN: u64 = 64 * 1024 * 1024;
const IDLE_MOST: u64 = 32;

/// How often the first in the line looks; those behind look less often, the farther the less.
const LOOK: Duration = Duration::from_millis(100);
const RAREST_LOOK: Duration = Duration::from_secs(5);

/// The line of all runs of an instance.
#[derive(Debug, Clone)]
pub struct Queue {
    folder: PathBuf,
    at_once: NonZeroUsize,
}

/// A position in the queue, then the right to work; given back when dropped or when the process ends.
#[derive(Debug)]
pub struct Ticket {
    name: TicketName,
    path: PathBuf,
    _held: File,
}

/// What the name of a ticket's file says.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TicketName {
    number: u64,
    /// Tells the server that the run pulls from.
    source: String,
}

/// The folder of what waits: the tickets, and next to them the supervisor's queue.
pub fn folder(store: &Store) -> PathBuf {
    store.folder().join(".queue")
}

impl Queue {
    /// The line whose tickets are in `folder`, with `at_once` runs working.
    pub fn new(folder: &Path, at_once: NonZeroUsize) -> Self {
        Self {
            folder: folder.to_owned(),
            at_once,
        }
    }

    /// Draws the next ticket, for a run that pulls from this server.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn draw(&self, source: &str) -> io::Result<Ticket> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let gate = self.folder.join("gate");
        let gate = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(gate)?;
        flock(&gate, FlockOperation::LockExclusive)?;
        let mut last = 0;
        for name in self.tickets()? {
            last = name.number;
            if !self.is_held(&name)? {
                crate::files::remove(&self.path(&name))?;
            }
        }
        let name = TicketName {
            number: last + 1,
            source: source_tag(source),
        };
        let path = self.path(&name);
        let held = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        // Only those who pass the gate later look at this ticket.
        flock(&held, FlockOperation::LockExclusive)?;
        Ok(Ticket {
            name,
            path,
            _held: held,
        })
    }

    /// How many runs are before this ticket: 0 means that its run may work.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn runs_before(&self, ticket: &Ticket) -> io::Result<usize> {
        let mut before: Vec<TicketName> = vec![];
        let mut held = 0;
        for name in self.tickets()? {
            if name.number >= ticket.name.number {
                break;
            }
            // Farther ahead than it takes to decide: whether these are all alive does not matter.
            if held == self.at_once.get() {
                before.push(name);
            } else if self.is_held(&name)? {
                before.push(name);
                held += 1;
            }
        }
        let sources: Vec<&str> = before.iter().map(|name| name.source.as_str()).collect();
        Ok(self.position(&sources, &ticket.name.source))
    }

    /// How many runs are before one of a source, given the sources of all that came earlier. One slow server keeps no other
    /// waiting: in addition to the runs that are allowed at once, half as many work that are the first of their source.
    fn position(&self, before: &[&str], source: &str) -> usize {
        let at_once = self.at_once.get();
        let Some(waiting) = before.get(at_once..) else {
            return 0;
        };
        let mut seen: HashSet<&str> = before[..at_once].iter().copied().collect();
        let firsts = waiting.iter().filter(|one| seen.insert(one)).count();
        if seen.contains(source) || firsts >= at_once / 2 {
            return waiting.len() + 1;
        }
        0
    }

    /// Waits until the run with this ticket may work. Dropping the future ends the wait.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub async fn turn(&self, ticket: &Ticket) -> io::Result<()> {
        loop {
            let runs = self.runs_before(ticket)?;
            if runs == 0 {
                return Ok(());
            }
            let factor = u32::try_from(runs).unwrap_or(u32::MAX);
            tokio::time::sleep(LOOK.saturating_mul(factor).min(RAREST_LOOK)).await;
        }
    }

    fn path(&self, name: &TicketName) -> PathBuf {
        self.folder.join(format!("{:020}-{}", name.number, name.source))
    }

    /// The names of all tickets, held or not, oldest first.
    fn tickets(&self) -> io::Result<Vec<TicketName>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            names.extend(name.to_str().and_then(TicketName::parse));
        }
        names.sort_unstable();
        Ok(names)
    }

    fn is_held(&self, name: &TicketName) -> io::Result<bool> {
        crate::task::lock::is_held(&self.path(name))
    }
}

impl TicketName {
    fn parse(name: &str) -> Option<Self> {
        let (number, source) = name.split_once('-')?;
        Some(Self {
            number: number.parse().ok()?,
            source: source.to_owned(),
        })
    }
}

/// A short name of a server, fit for a file's name.
fn source_tag(source: &str) -> String {
    let digest = Sha256::digest(source.as_bytes());
    digest[..8].iter().map(|octet| format!("{octet:02x}")).collect()
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Merely tidy: unlocked, the file means nothing, and the next one to draw removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// How many runs work at once: what the administrator has set, or what the machine can carry.
pub fn runs_at_once(setting: Option<&str>) -> NonZeroUsize {
    match setting.map(|text| text.trim().parse()) {
        Some(Ok(number)) => number,
        Some(Err(_)) | None => derived(cores(), memory()),
    }
}

/// How many runs of the native engine may work at once while the processors are idle.
pub fn most_at_once() -> NonZeroUsize {
    let by_memory = memory().map_or(u64::MAX, |memory| memory / 2 / MEMORY_PER_NATIVE_RUN);
    counted((cores() * IDLE_RUNS_PER_CORE).min(by_memory).clamp(1, IDLE_MOST))
}

fn derived(cores: u64, memory: Option<u64>) -> NonZeroUsize {
    let by_memory = memory.map_or(u64::MAX, |memory| memory / MEMORY_PER_RUN);
    counted((cores * RUNS_PER_CORE).min(by_memory).clamp(1, DERIVED_MOST))
}

fn counted(runs: u64) -> NonZeroUsize {
    usize::try_from(runs)
        .ok()
        .and_then(NonZeroUsize::new)
        .unwrap_or(NonZeroUsize::MIN)
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

/// The memory of the machine, or of the container when that is less (cgroup v2).
fn memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    });
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(container).min()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use super::*;

    fn queue(folder: &Path, at_once: usize) -> Queue {
        Queue::new(&folder.join(".queue"), NonZeroUsize::new(at_once).unwrap())
    }

    fn wait(queue: &Queue, ticket: &Ticket) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(queue.turn(ticket)).unwrap();
    }

    #[test]
    fn the_first_ones_work_and_the_next_waits_for_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(folder.path(), 2);
        let folders = |tickets: &[Ticket]| -> Vec<usize> {
            tickets
                .iter()
                .map(|ticket| queue.runs_before(ticket).unwrap())
                .collect()
        };
        let mut tickets: Vec<Ticket> = (0..4).map(|_| queue.draw("").unwrap()).collect();
        assert_eq!(folders(&tickets), [0, 0, 1, 2]);
        tickets.remove(1);
        assert_eq!(folders(&tickets), [0, 0, 1]);
        tickets.remove(0);
        assert_eq!(folders(&tickets), [0, 0]);
    }

    #[test]
    fn a_slow_source_does_not_keep_others_waiting() {
        let queue = queue(Path::new("unused"), 4);
        assert_eq!(queue.position(&["slow"; 3], "slow"), 0);
        assert_eq!(queue.position(&["slow"; 4], "slow"), 1);
        assert_eq!(queue.position(&["slow"; 9], "slow"), 6);
        assert_eq!(queue.position(&["slow"; 9], "other"), 0);
        let mut before = ["slow"; 9].to_vec();
        before.push("other");
        assert_eq!(queue.position(&before, "other"), 7, "its first one is at work");
        assert_eq!(queue.position(&before, "third"), 0);
        before.push("third");
        assert_eq!(queue.position(&before, "fourth"), 8, "no more than half as many");
        let alone = Queue::new(Path::new("unused"), NonZeroUsize::MIN);
        assert_eq!(alone.position(&["slow"], "other"), 1);
    }

    #[test]
    fn many_runs_start_in_order_and_never_more_than_allowed_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(folder.path(), 3);
        let (working, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let started = Mutex::new(Vec::new());
        let together = std::sync::Barrier::new(3);
        let tickets: Vec<Ticket> = (0..12).map(|_| queue.draw("").unwrap()).collect();
        std::thread::scope(|scope| {
            for ticket in tickets.into_iter().rev() {
                scope.spawn(|| {
                    let ticket = ticket;
                    wait(&queue, &ticket);
                    started.lock().unwrap().push(ticket.name.number);
                    most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    // Three must be at work together before one may end.
                    together.wait();
                    working.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        let started = started.into_inner().unwrap();
        assert_eq!(most.into_inner(), 3);
        // Those let in together may overtake each other, no one else may.
        for (position, number) in started.iter().enumerate() {
            assert!((*number as i64 - 1 - position as i64).abs() < 3, "{started:?}");
        }
    }

    /// A process that draws a ticket and holds it until it is killed: this very test, run again.
    #[test]
    #[ignore = "run by the test below"]
    fn holder() {
        let folder = std::env::var_os("QUEUE_TEST_FOLDER").unwrap();
        let _ticket = queue(Path::new(&folder), 1).draw("").unwrap();
        fs::write(Path::new(&folder).join("holding"), "").unwrap();
        std::thread::sleep(Duration::from_secs(600));
    }

    fn start_holder(folder: &Path) -> Child {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "sync::run::queue::tests::holder"])
            .env("QUEUE_TEST_FOLDER", folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(300);
        while !folder.join("holding").exists() {
            assert!(Instant::now() < deadline, "the holder did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    }

    #[test]
    fn a_killed_process_gives_its_place_back() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(folder.path(), 1);
        let mut child = start_holder(folder.path());
        let ticket = queue.draw("").unwrap();
        assert_eq!(queue.runs_before(&ticket).unwrap(), 1);
        child.kill().unwrap();
        child.wait().unwrap();
        wait(&queue, &ticket);
        // The dead ticket is still a file; the next draw sweeps it away.
        let next = queue.draw("").unwrap();
        let left: Vec<u64> = queue.tickets().unwrap().iter().map(|name| name.number).collect();
        assert_eq!(left, [ticket.name.number, next.name.number]);
    }

    #[test]
    fn the_number_of_runs_follows_the_machine_unless_it_is_set() {
        const GIB: u64 = 1024 * 1024 * 1024;
        assert_eq!(derived(2, Some(24 * GIB)).get(), 4);
        assert_eq!(derived(8, Some(2 * GIB)).get(), 4);
        assert_eq!(derived(1, Some(GIB / 4)).get(), 1);
        assert_eq!(derived(64, None).get(), 16);
        assert_eq!(runs_at_once(Some("7")).get(), 7);
        for nonsense in ["0", "", "many", "-1"] {
            assert_eq!(runs_at_once(Some(nonsense)), runs_at_once(None));
        }
    }
}
