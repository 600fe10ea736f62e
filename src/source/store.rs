// SPDX-License-Identifier: GPL-3.0-or-later

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::{Source, SourceFields};
use crate::error::{ErrorKey, Refusal, Result};
use crate::files;
use crate::secret::Zeroizing;
use crate::task::batch::{self, OtherFile, Rewrite};
use crate::task::{SourceId, Store};

/// An edit waits for the runs of all tasks of a source to end.
const LOCK_TIMEOUT: Duration = Duration::from_secs(120);
const PRIVATE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;
const ENDING: &str = ".json";
/// How the name of the folder of a source's tokens ends.
pub const TOKENS_ENDING: &str = ".tokens";

/// All sources of an instance, as files in `imapsync/.sources/`; only the module may read them.
#[derive(Debug, Clone)]
pub struct Sources {
    folder: PathBuf,
    tasks: Store,
}

/// Keeps others from changing sources, or from tying tasks to them, until it is dropped.
#[derive(Debug)]
pub struct SourceLock(#[expect(dead_code, reason = "held, never read")] File);

impl Sources {
    /// The sources of the tasks in a store.
    pub fn of(tasks: &Store) -> Self {
        Self {
            folder: tasks.folder().join(".sources"),
            tasks: tasks.clone(),
        }
    }

    /// The tasks around them.
    pub fn tasks(&self) -> &Store {
        &self.tasks
    }

    /// The folder of the sources' files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps everybody else from changing sources or tying tasks to them.
    ///
    /// # Errors
    /// When another process has them for too long, or whatever the file system says.
    pub fn lock(&self) -> Result<SourceLock> {
        let lock = self.open_lock()?;
        files::lock(&lock, LOCK_TIMEOUT).context("another process keeps the sources locked")?;
        Ok(SourceLock(lock))
    }

    /// Keeps everybody else from changing sources, while several may tie tasks to them.
    ///
    /// # Errors
    /// As [`Sources::lock`].
    pub fn lock_shared(&self) -> Result<SourceLock> {
        let lock = self.open_lock()?;
        files::lock_shared(&lock, LOCK_TIMEOUT).context("another process keeps the sources locked")?;
        Ok(SourceLock(lock))
    }

    fn open_lock(&self) -> Result<File> {
        self.create_folder()?;
        let lock = files::open_lock(&self.folder.join(".lock"));
        Ok(lock.context("cannot open the lock of the sources")?)
    }

    fn create_folder(&self) -> Result<()> {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE_FOLDER)
            .create(&self.folder);
        Ok(made.context("cannot make the folder of the sources")?)
    }

    /// The file of a source.
    pub fn path(&self, id: &SourceId) -> PathBuf {
        self.folder.join(format!("{id}{ENDING}"))
    }

    /// The ids of all sources, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read; one that is not there holds no source.
    pub fn ids(&self) -> Result<Vec<SourceId>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(anyhow::Error::new(error)
                    .context("cannot read the folder of the sources")
                    .into());
            }
        };
        let mut ids: Vec<SourceId> = entries
            .filter_map(|entry| SourceId::parse(entry.ok()?.file_name().to_str()?.strip_suffix(ENDING)?).ok())
            .collect();
        ids.sort();
        Ok(ids)
    }

    /// Reads a source.
    ///
    /// # Errors
    /// `source_not_found`, or a file that cannot be read.
    pub fn load(&self, id: &SourceId) -> Result<Source> {
        batch::recover(&self.tasks)?;
        self.read(id)?.ok_or_else(|| {
            Refusal::new(
                "source",
                ErrorKey::SourceNotFound,
                format!("there is no source {id}; list-sources shows those there are"),
            )
            .with_value(id.as_str())
            .into()
        })
    }

    /// Reads a source; `None` when there is none of that id.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn read(&self, id: &SourceId) -> Result<Option<Source>> {
        let name = format!("{id}{ENDING}");
        let text = files::read(&self.path(id)).with_context(|| format!("cannot read .sources/{name}"))?;
        let Some(text) = text.map(Zeroizing::new) else {
            return Ok(None);
        };
        // What serde says may repeat a value, which may be a secret.
        let fields: Option<SourceFields> = serde_json::from_slice(&text).ok();
        let damaged =
            || anyhow::anyhow!(".sources/{name} is damaged; save the source again with all its secrets");
        let fields = fields.ok_or_else(damaged)?;
        let source = Source::read(id.clone(), &fields, None).map_err(|_| damaged())?;
        Ok(Some(source))
    }

    /// Stores a source that no task follows yet. The caller holds the lock.
    ///
    /// # Errors
    /// Whatever the file system says; the former one is then still there.
    pub fn save(&self, _lock: &SourceLock, source: &Source) -> Result<()> {
        let text = source.stored().context("cannot write the source")?;
        let target = self.path(&source.id);
        Ok(files::write_atomic(&self.folder, &target, &text, PRIVATE)
            .with_context(|| format!("cannot write .sources/{}{ENDING}", source.id))?)
    }

    /// Stores a source together with the tasks that follow it: all of it or nothing. The caller holds the lock, and
    /// those of the tasks.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save_with(&self, _lock: &SourceLock, source: &Source, tasks: &[Rewrite<'_>]) -> Result<()> {
        let text = source.stored().context("cannot write the source")?;
        let other = OtherFile {
            target: &self.path(&source.id),
            content: &text,
        };
        self.tasks.save_batch(tasks, &other)
    }

    /// Deletes a source that no task follows any more, with its tokens. The caller holds the lock.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn remove(&self, _lock: &SourceLock, id: &SourceId) -> Result<()> {
        // A source that got the id of this one must not find its tokens.
        let tokens = self.tokens(id);
        match fs::remove_dir_all(&tokens) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(anyhow::Error::new(error)
                    .context(format!("cannot delete {}", tokens.display()))
                    .into());
            }
            _ => {}
        }
        files::remove(&self.path(id)).with_context(|| format!("cannot delete .sources/{id}{ENDING}"))?;
        Ok(files::sync_folder_of(&self.path(id))?)
    }

    /// The folder of a source's tokens.
    pub fn tokens(&self, id: &SourceId) -> PathBuf {
        self.folder.join(format!("{id}{TOKENS_ENDING}"))
    }

    /// An id that no source has, made from what people call it.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn free_id(&self, label: &str) -> Result<SourceId> {
        let taken = self.ids()?;
        let words: String = label
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let words: Vec<&str> = words.split('-').filter(|word| !word.is_empty()).collect();
        let mut stem = words.join("-");
        stem.truncate(SourceId::LONGEST - 8);
        if stem.is_empty() {
            "source".clone_into(&mut stem);
        }
        let candidates = std::iter::once(stem.clone()).chain((2..).map(|number| format!("{stem}-{number}")));
        let free = candidates
            .filter_map(|text| SourceId::parse(&text).ok())
            .find(|id| !taken.contains(id));
        Ok(free.context("no id is free")?)
    }
}
