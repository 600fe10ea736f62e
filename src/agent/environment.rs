// SPDX-License-Identifier: GPL-3.0-or-later
//! `state/environment`: settings of the instance, shared with the platform's own programs (contract section 1).

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::error::Result;
use crate::files;

/// The mode of a file that is not there yet.
const PRIVATE: u32 = 0o600;
/// Other writers hold the lock for milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// The file of one instance.
#[derive(Debug, Clone)]
pub struct EnvironmentFile {
    path: PathBuf,
    lock: PathBuf,
}

/// What the file says at one moment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    lines: Vec<String>,
}

/// One value to write; `None` takes the name out of the file.
pub type Change<'a> = (&'a str, Option<&'a str>);

impl EnvironmentFile {
    /// The file in that state folder.
    pub fn in_state(state: &Path) -> Self {
        Self {
            path: state.join("environment"),
            lock: state.join(".environment.lock"),
        }
    }

    /// Reads the file; one that is not there is empty.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> Result<Environment> {
        let bytes = files::read(&self.path).context("cannot read the file environment")?;
        let text =
            String::from_utf8(bytes.unwrap_or_default()).context("the file environment is not UTF-8")?;
        Ok(Environment {
            lines: text
                .lines()
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }

    /// Changes some values and keeps all others, no matter who else writes. Nothing is written when nothing changes.
    ///
    /// # Errors
    /// When the lock, the folder or the disk does not let us; the file is then as it was.
    pub fn change(&self, changes: &[Change<'_>]) -> Result<()> {
        let _lock = self.lock()?;
        let before = self.read()?;
        let mut after = before.clone();
        for (name, value) in changes {
            after.set(name, *value)?;
        }
        if after.lines == before.lines {
            return Ok(());
        }
        let mode = std::fs::metadata(&self.path).map_or(PRIVATE, |found| found.permissions().mode() & 0o7777);
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut text = after.lines.join("\n");
        text.push('\n');
        files::write_atomic(folder, &self.path, text.as_bytes(), mode)
            .context("cannot write the file environment")?;
        Ok(())
    }

    fn lock(&self) -> Result<File> {
        let file = files::open_lock(&self.lock).context("cannot open .environment.lock")?;
        files::lock(&file, LOCK_TIMEOUT).context("another program keeps .environment.lock")?;
        Ok(file)
    }
}

impl Environment {
    /// The value of a name; `None` when it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lines
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .filter(|value| !value.is_empty())
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> anyhow::Result<()> {
        if value.is_some_and(|value| value.contains(['\n', '\r', '\0'])) {
            bail!("a value of the file environment cannot have a line break in it: {name}");
        }
        self.lines
            .retain(|line| line.split_once('=').is_none_or(|(theirs, _)| theirs != name));
        self.lines.extend(value.map(|value| format!("{name}={value}")));
        self.lines.sort();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_change_keeps_what_others_wrote_sorted_with_the_mode() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("environment");
        fs::write(&path, "TRAEFIK=t1\nMAIL_HOST=old\nA=b=c\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let file = EnvironmentFile::in_state(state.path());
        file.change(&[
            ("MAIL_HOST", Some("10.5.4.1")),
            ("MAIL_SERVER", Some("u")),
            ("GONE", None),
        ])
        .unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "A=b=c\nMAIL_HOST=10.5.4.1\nMAIL_SERVER=u\nTRAEFIK=t1\n"
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        let now = file.read().unwrap();
        assert_eq!((now.get("A"), now.get("MAIL")), (Some("b=c"), None));
    }

    #[test]
    fn a_value_with_a_line_break_changes_nothing() {
        let state = tempfile::tempdir().unwrap();
        let file = EnvironmentFile::in_state(state.path());
        file.change(&[("A", Some("1"))]).unwrap();
        assert!(
            file.change(&[("B", Some("2")), ("A", Some("x\nMAIL_HOST=evil"))])
                .is_err()
        );
        assert_eq!(
            fs::read_to_string(state.path().join("environment")).unwrap(),
            "A=1\n"
        );
    }

    #[test]
    fn no_change_of_many_writers_is_lost() {
        let state = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..32 {
                let file = EnvironmentFile::in_state(state.path());
                scope.spawn(move || file.change(&[(&format!("NAME{writer}"), Some("x"))]).unwrap());
            }
        });
        let now = EnvironmentFile::in_state(state.path()).read().unwrap();
        assert!((0..32).all(|writer| now.get(&format!("NAME{writer}")) == Some("x")));
    }
}
