// SPDX-License-Identifier: GPL-3.0-or-later
//! Files of one task that change together, whatever happens in between.
//!
//! A new password next to the old host, or the other way round, would send a secret to the wrong server.
//! So the new contents are staged next to the files, a marker says that they are complete, and the one who
//! takes the task's lock next finishes what a crash has left. What many tasks change together is a [`batch`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{FileKind, TaskName, batch};
use crate::files;
use crate::secret::Zeroizing;

/// What may be staged.
const STAGEABLE: [FileKind; 3] = [FileKind::Password, FileKind::Options, FileKind::Env];
const PRIVATE: u32 = 0o600;

/// The new content of one file.
pub(super) struct Staged {
    pub kind: FileKind,
    pub content: Zeroizing<Vec<u8>>,
}

/// Replaces all files or none. The caller holds the task's lock.
pub(super) fn replace_together(folder: &Path, name: &TaskName, changes: &[Staged]) -> io::Result<()> {
    stage(folder, name, changes, "")?;
    finish(folder, name)
}

/// Writes everything down that is to be replaced: by [`finish`], as soon as the batch exists that is named. No one
/// needs to wait for a batch without a name. The caller holds the task's lock.
pub(super) fn stage(folder: &Path, name: &TaskName, changes: &[Staged], batch: &str) -> io::Result<()> {
    discard(folder, name)?;
    for change in changes {
        files::write_atomic(
            folder,
            &staged(folder, name, change.kind),
            &change.content,
            PRIVATE,
        )?;
    }
    files::write_atomic(folder, &marker(folder, name), batch.as_bytes(), PRIVATE)
}

/// Whether a replacement is complete on disk but not in place.
pub(super) fn is_pending(folder: &Path, name: &TaskName) -> bool {
    marker(folder, name).exists()
}

/// Whether there is anything of a replacement, complete or not.
pub(super) fn is_begun(folder: &Path, name: &TaskName) -> bool {
    let staged = STAGEABLE.map(|kind| staged(folder, name, kind));
    let mut paths = [marker(folder, name)].into_iter().chain(staged);
    paths.any(|path| path.exists() || files::is_begun(folder, &path))
}

/// Completes a replacement that has its marker, and drops one that has not.
pub(super) fn finish(folder: &Path, name: &TaskName) -> io::Result<()> {
    let Some(batch) = files::read(&marker(folder, name))? else {
        return discard(folder, name);
    };
    // Until a batch is complete nothing of it is.
    if !batch.is_empty() && !batch::exists(folder, &batch)? {
        return discard(folder, name);
    }
    for kind in STAGEABLE {
        match fs::rename(staged(folder, name, kind), folder.join(name.file(kind))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    files::sync_folder_of(&marker(folder, name))?;
    files::remove(&marker(folder, name))?;
    files::sync_folder_of(&marker(folder, name))
}

/// Drops whatever is staged. The marker goes first: without it the rest means nothing.
pub(super) fn discard(folder: &Path, name: &TaskName) -> io::Result<()> {
    let staged = STAGEABLE.map(|kind| staged(folder, name, kind));
    for path in [marker(folder, name)].iter().chain(&staged) {
        files::remove(path)?;
        files::forget(folder, path)?;
    }
    Ok(())
}

fn staged(folder: &Path, name: &TaskName, kind: FileKind) -> PathBuf {
    folder.join(format!(".{name}.{kind}.new"))
}

fn marker(folder: &Path, name: &TaskName) -> PathBuf {
    folder.join(format!(".{name}.commit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(folder: &Path, file: &str) -> String {
        fs::read_to_string(folder.join(file)).unwrap_or_default()
    }

    #[test]
    fn a_crash_before_the_marker_leaves_the_old_files() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, name) = (folder.path(), TaskName::parse("u1_a").unwrap());
        let change = |kind, content: &str| Staged {
            kind,
            content: content.as_bytes().to_vec().into(),
        };
        replace_together(
            folder,
            &name,
            &[change(FileKind::Password, "old"), change(FileKind::Env, "OLD")],
        )
        .unwrap();
        fs::write(staged(folder, &name, FileKind::Password), "new").unwrap();
        finish(folder, &name).unwrap();
        assert_eq!(
            (
                text(folder, "u1_a.pwd").as_str(),
                text(folder, "u1_a.env").as_str()
            ),
            ("old", "OLD")
        );
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
    }

    #[test]
    fn a_crash_after_the_marker_ends_with_the_new_files() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, name) = (folder.path(), TaskName::parse("u1_a").unwrap());
        fs::write(folder.join("u1_a.env"), "OLD").unwrap();
        // As if the password had been renamed already when the process died.
        fs::write(folder.join("u1_a.pwd"), "new").unwrap();
        fs::write(staged(folder, &name, FileKind::Env), "NEW").unwrap();
        fs::write(marker(folder, &name), "").unwrap();
        finish(folder, &name).unwrap();
        assert_eq!(
            (
                text(folder, "u1_a.pwd").as_str(),
                text(folder, "u1_a.env").as_str()
            ),
            ("new", "NEW")
        );
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
    }
}
