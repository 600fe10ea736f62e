// SPDX-License-Identifier: GPL-3.0-or-later
//! Sees when somebody changes tasks or sources: the kernel tells (inotify(7)).

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::source::{Sources, TOKENS_ENDING};
use crate::task::{FileKind, SCHEDULES_PAUSED, SourceId, Store, TaskName};

/// An edit writes several files.
const SETTLE: Duration = Duration::from_millis(100);
/// How often is looked where the kernel does not tell.
const RECHECK_INTERVAL: Duration = Duration::from_secs(30);
/// Names of files have 255 octets at most, in addition to what else is told.
const BUFFER: usize = 16 * 1024;

/// What has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct Changed {
    /// Anything may have.
    pub(super) all: bool,
    /// These tasks: how they log in, and what they pull.
    pub(super) settings: BTreeSet<TaskName>,
    /// These tasks: whether they may run by themselves.
    pub(super) permits: BTreeSet<TaskName>,
    /// These sources.
    pub(super) sources: BTreeSet<SourceId>,
    /// The tokens of these: somebody may have signed in.
    pub(super) tokens: BTreeSet<SourceId>,
}

impl Changed {
    fn anything() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    fn add(&mut self, more: Self) {
        self.all |= more.all;
        self.settings.extend(more.settings);
        self.permits.extend(more.permits);
        self.sources.extend(more.sources);
        self.tokens.extend(more.tokens);
    }

    fn note_task_file(&mut self, file: &str) {
        if file == SCHEDULES_PAUSED {
            self.all = true;
        }
        let Some((stem, ending)) = file.rsplit_once('.') else {
            return;
        };
        let Ok(name) = TaskName::parse(stem) else { return };
        let is = |kinds: &[FileKind]| kinds.iter().any(|kind| kind.ending() == ending);
        if is(&[FileKind::Env, FileKind::Options, FileKind::Password]) {
            self.settings.insert(name);
        } else if is(&[FileKind::Plan, FileKind::Refused]) {
            self.permits.insert(name);
        }
    }

    fn note_source_file(&mut self, file: &str) {
        let id = file.strip_suffix(".json").and_then(|id| SourceId::parse(id).ok());
        self.sources.extend(id);
    }

    fn note_token_file(&mut self, source: &SourceId, file: &str) {
        // Who only asks for a token leaves a lock.
        if file.ends_with(".json") {
            self.tokens.insert(source.clone());
        }
    }
}

/// Tells of the changes in a state folder from here on, for as long as somebody listens. To be called where local tasks can
/// be spawned.
pub(in crate::supervisor) fn see(store: &Store) -> UnboundedReceiver<Changed> {
    let (tell, told) = unbounded_channel();
    let (raw, mut seen) = unbounded_channel();
    // The kernel is asked on its own thread, which waits there.
    let watches = Watches::open(store).and_then(|watches| {
        let thread = std::thread::Builder::new().name("changes".to_owned());
        thread.spawn(move || watches.report(&raw))
    });
    tokio::task::spawn_local(async move {
        if watches.is_ok() {
            while let Some(mut changed) = seen.recv().await {
                tokio::time::sleep(SETTLE).await;
                while let Ok(more) = seen.try_recv() {
                    changed.add(more);
                }
                if tell.send(changed).is_err() {
                    return;
                }
            }
        }
        // Where the kernel does not tell, or does no longer.
        while tell.send(Changed::anything()).is_ok() {
            tokio::time::sleep(RECHECK_INTERVAL).await;
        }
    });
    told
}

/// What the kernel tells of the folders of tasks, of sources, and of each source's tokens.
struct Watches {
    descriptor: OwnedFd,
    sources: Sources,
    tasks: i32,
    tokens: RefCell<HashMap<i32, SourceId>>,
}

fn watch(descriptor: &OwnedFd, folder: &Path) -> io::Result<i32> {
    let events = WatchFlags::CLOSE_WRITE
        | WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO
        | WatchFlags::ONLYDIR;
    Ok(inotify::add_watch(descriptor, folder, events)?)
}

impl Watches {
    fn open(store: &Store) -> io::Result<Self> {
        let descriptor = inotify::init(CreateFlags::CLOEXEC)?;
        let watches = Self {
            tasks: watch(&descriptor, store.folder())?,
            descriptor,
            sources: Sources::of(store),
            tokens: RefCell::default(),
        };
        watches.watch_sources();
        Ok(watches)
    }

    /// Watches the folder of the sources and those of their tokens; whether there are sources yet.
    fn watch_sources(&self) -> bool {
        let watched = watch(&self.descriptor, self.sources.folder()).is_ok();
        for id in self.sources.ids().unwrap_or_default() {
            self.watch_tokens(id);
        }
        watched
    }

    /// Watches the folder of a source's tokens, which may not be there yet.
    fn watch_tokens(&self, id: SourceId) {
        if let Ok(watched) = watch(&self.descriptor, &self.sources.tokens(&id)) {
            self.tokens.borrow_mut().insert(watched, id);
        }
    }

    /// Tells what is seen until no one listens, or nothing is to be seen any more.
    fn report(&self, tell: &UnboundedSender<Changed>) {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = inotify::Reader::new(&self.descriptor, &mut buffer);
        loop {
            let changed = match reader.next() {
                Ok(event) => self.heed(&event),
                Err(Errno::INTR) => continue,
                Err(_) => return,
            };
            let Some(changed) = changed else { return };
            if changed != Changed::default() && tell.send(changed).is_err() {
                return;
            }
        }
    }

    /// What an event means; `None` when the folder is gone.
    fn heed(&self, event: &inotify::Event<'_>) -> Option<Changed> {
        let mut changed = Changed::default();
        let events = event.events();
        let file = event.file_name().and_then(|name| name.to_str().ok());
        let file = file.unwrap_or_default();
        let of_tasks = event.wd() == self.tasks;
        let tokens_of = self.tokens.borrow().get(&event.wd()).cloned();
        if events.contains(ReadFlags::QUEUE_OVERFLOW) {
            changed.all = true;
        } else if events.contains(ReadFlags::IGNORED) {
            self.tokens.borrow_mut().remove(&event.wd());
            return (!of_tasks).then_some(changed);
        } else if let Some(id) = tokens_of {
            changed.note_token_file(&id, file);
        } else if !of_tasks {
            changed.note_source_file(file);
            let id = file
                .strip_suffix(TOKENS_ENDING)
                .and_then(|id| SourceId::parse(id).ok());
            if let Some(id) = id.filter(|_| events.contains(ReadFlags::CREATE)) {
                // What was written before it is watched is told by no one.
                changed.tokens.insert(id.clone());
                self.watch_tokens(id);
            }
        } else if self.sources.folder().file_name() == Some(file.as_ref()) {
            changed.all = self.watch_sources();
        } else if events != ReadFlags::CREATE {
            // What is only begun is told again when it is written.
            changed.note_task_file(file);
        }
        Some(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Layout;

    #[test]
    fn edits_are_seen_and_what_runs_write_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, see_edits());
    }

    async fn see_edits() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str| std::fs::write(folder.path().join(file), "x").unwrap();
        write("u1_a.env");
        let store = Store::new(Layout::in_container(folder.path()));
        let mut changes = see(&store);
        let names = |names: &BTreeSet<TaskName>| names.iter().map(TaskName::to_string).collect::<Vec<_>>();
        // What is written together may be told in two parts.
        let mut seen = Changed::default();
        for file in [
            "u1_a.log",
            "u1_a.status",
            "u1_a.json",
            "notes",
            "u2_b.pwd",
            "u3_c.plan",
        ] {
            write(file);
        }
        while seen.permits.is_empty() {
            seen.add(changes.recv().await.unwrap());
        }
        assert_eq!(names(&seen.settings), ["u1_a", "u2_b"]);
        assert_eq!(names(&seen.permits), ["u3_c"]);
        assert!(!seen.all && seen.sources.is_empty());
        std::fs::remove_file(folder.path().join("u1_a.env")).unwrap();
        assert_eq!(names(&changes.recv().await.unwrap().settings), ["u1_a"]);
        std::fs::create_dir(folder.path().join(".sources")).unwrap();
        assert!(changes.recv().await.unwrap().all);
        write(".sources/office.json");
        let seen = changes.recv().await.unwrap();
        assert_eq!(
            seen.sources.iter().map(SourceId::as_str).collect::<Vec<_>>(),
            ["office"]
        );
        std::fs::create_dir(folder.path().join(".sources/office.tokens")).unwrap();
        let signed_in = |what: &str| write(&format!(".sources/office.tokens/{what}"));
        let seen = changes.recv().await.unwrap();
        assert!(seen.sources.is_empty());
        assert_eq!(
            seen.tokens.iter().map(SourceId::as_str).collect::<Vec<_>>(),
            ["office"]
        );
        // Who waits for a token changes nothing.
        signed_in(".ann.lock");
        write("u4_d.pwd");
        let seen = changes.recv().await.unwrap();
        assert!(seen.tokens.is_empty() && names(&seen.settings) == ["u4_d"]);
        signed_in("ann.json");
        assert_eq!(changes.recv().await.unwrap().tokens.len(), 1);
        write(SCHEDULES_PAUSED);
        assert!(changes.recv().await.unwrap().all);
    }
}
