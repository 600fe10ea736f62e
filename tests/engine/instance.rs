// SPDX-License-Identifier: GPL-3.0-or-later
//! A state folder with tasks in it, and the program that runs them against whatever servers a test has.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ns8_imapsync::control::backup;
use ns8_imapsync::sync::state::{Ledger, note_restored};
use ns8_imapsync::task::FileKind;
use ns8_imapsync::task::options::Options;
use ns8_imapsync::task::report::Report;
use ns8_imapsync::task::{LEDGERS, Layout, SecretString, Store, Task, TaskName};
use serde_json::Value;
use tempfile::TempDir;

/// A run that takes longer hangs; no correct one comes near it.
const HANGS: Duration = Duration::from_secs(600);

/// A state folder, and where the local mail server is.
pub(crate) struct Instance {
    pub store: Store,
    dir: TempDir,
    mail_host: String,
    mail_port: u16,
}

/// How a backup of what is remembered comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    /// By restore-module.
    Restored,
    /// By hand: all of it, in new files.
    Copied,
    /// By hand: all of it, over the files that are there.
    CopiedOver,
    /// By hand: the ledger alone, over the file that is there.
    LedgerCopiedOver,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub exit: Option<i32>,
    pub log: String,
    pub said: String,
    pub report: Report,
}

impl Instance {
    /// One without tasks.
    pub(crate) fn new(mail_host: &str, mail_port: u16, master_password: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::new(Layout::in_container(dir.path()));
        store.create_folders().expect("folders");
        store
            .save_master_password(&SecretString::from(master_password))
            .expect("a saved password");
        Self {
            store,
            dir,
            mail_host: mail_host.to_owned(),
            mail_port,
        }
    }

    /// Creates or edits a task.
    pub(crate) fn save(&self, task: &Task, password: &str) -> TaskName {
        let name = task.name();
        let taken = self
            .store
            .acquire(&name, HANGS)
            .expect("a lock")
            .expect("no other holder");
        let password = SecretString::from(password);
        self.store
            .save(&taken, task, Some(&password), &Options::default(), &|| {
                Ok(Some(self.mail_host.clone()))
            })
            .expect("a saved task");
        name
    }

    /// Deletes a task.
    pub(crate) fn delete(&self, task: &Task) {
        let name = task.name();
        let taken = self.store.acquire(&name, HANGS).expect("a lock");
        Ledger::retire(self.store.folder(), &task.local_user, &name).expect("a noted end");
        self.store
            .remove(taken.expect("no other holder"), &name)
            .expect("a deleted task");
    }

    /// Starts a run.
    pub(crate) fn start(&self, name: &TaskName) -> Child {
        self.syncctl(&["start", name.as_str()])
            .spawn()
            .expect("the program starts")
    }

    /// What the program answers to a question, in JSON.
    pub(crate) fn ask(&self, question: &[&str]) -> Value {
        let output = self.syncctl(question).output().expect("the program starts");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{question:?}: {output:?}"))
    }

    fn syncctl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .arg("syncctl")
            .args(arguments)
            .env_clear()
            .env("IMAPSYNC_DIR", self.dir.path())
            .env("MAIL_HOST", &self.mail_host)
            .env("MAIL_PORT", self.mail_port.to_string())
            .env("SYNC_ENGINE", "native")
            .env("TMPDIR", self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Waits for the end of a run.
    pub(crate) fn wait(&self, name: &TaskName, mut child: Child) -> Run {
        let deadline = Instant::now() + HANGS;
        while child.try_wait().expect("a child").is_none() {
            if Instant::now() > deadline {
                child.kill().expect("a child that can be killed");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let output = child.wait_with_output().expect("its output");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Run {
            exit: output.status.code(),
            log: std::fs::read_to_string(self.store.path(name, FileKind::Log)).unwrap_or_default(),
            said: format!("{}{}", text(&output.stdout), text(&output.stderr)),
            report: self.store.report(name).unwrap_or_default(),
        }
    }

    /// Loses what is remembered of the local mailbox, as a restored backup without it does.
    pub(crate) fn forget(&self) {
        let _ = std::fs::remove_dir_all(self.ledgers());
    }

    /// Makes a backup of the databases, in the place of the last one.
    pub(crate) fn back_up(&self) {
        let failed = |report| panic!("{report}");
        backup::dump(&self.backup(), self.store.folder(), &failed).expect("a backup");
        let _ = std::fs::remove_dir_all(self.copy());
        copy_files(&self.ledgers(), &self.copy());
    }

    /// Brings the last backup back; it can be brought back once. Says whether it took the place of what is remembered: a
    /// backup without a ledger that is copied over the files leaves them as they are, and so does one of before no run.
    pub(crate) fn restore(&self, back: Back) -> bool {
        let ledgers = self.ledgers();
        let is_older = self.copy().read_dir().is_ok_and(|files| {
            let mut files = files.flatten();
            files.any(|file| {
                let there = std::fs::read(ledgers.join(file.file_name()));
                there.ok() != std::fs::read(file.path()).ok()
            })
        });
        match back {
            Back::Restored => {
                self.forget();
                backup::put_back(&self.backup(), self.store.folder()).expect("the databases in their places");
                assert!(note_restored(self.store.folder()).unwrap().is_empty());
            }
            Back::Copied => {
                self.forget();
                copy_files(&self.copy(), &ledgers);
            }
            Back::CopiedOver => copy_files(&self.copy(), &ledgers),
            Back::LedgerCopiedOver => {
                std::fs::create_dir_all(&ledgers).expect("a folder");
                for entry in std::fs::read_dir(self.copy()).into_iter().flatten().flatten() {
                    let name = entry.file_name();
                    if name.to_string_lossy().ends_with(".db") {
                        // What a killed run left there belongs to the other one.
                        for ending in ["-wal", "-shm"] {
                            let mut other = name.clone();
                            other.push(ending);
                            let _ = std::fs::remove_file(ledgers.join(other));
                        }
                        std::fs::copy(entry.path(), ledgers.join(&name)).expect("a copied ledger");
                    }
                }
            }
        }
        is_older || matches!(back, Back::Restored | Back::Copied)
    }

    /// An instance with all that this one knows, as clone-module leaves it: next to the original, or once that is gone.
    pub(crate) fn cloned(&self, is_beside: bool) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        copy_files(self.dir.path(), dir.path());
        let clone = Self {
            store: Store::new(Layout::in_container(dir.path())),
            dir,
            mail_host: self.mail_host.clone(),
            mail_port: self.mail_port,
        };
        assert!(note_restored(clone.store.folder()).unwrap().is_empty());
        let original = is_beside.then_some("the original");
        clone.store.set_original(original).expect("a noted original");
        clone
    }

    fn ledgers(&self) -> PathBuf {
        self.store.folder().join(LEDGERS)
    }

    fn copy(&self) -> PathBuf {
        self.dir.path().join("copied-by-hand")
    }

    fn backup(&self) -> PathBuf {
        self.dir.path().join("copies")
    }
}

/// Copies the files of a folder and of those in it; what has the same name is written over.
fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().expect("a kind of file") {
            kind if kind.is_dir() => copy_files(&source, &target),
            kind if kind.is_file() => drop(std::fs::copy(source, target).expect("a copied file")),
            _ => {}
        }
    }
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        sandbox::imageroot()
            .expect("the program")
            .join("bin/ns8-imapsync")
    })
}
