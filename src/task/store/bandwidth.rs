// SPDX-License-Identifier: GPL-3.0-or-later
//! How much all runs of the instance together may pull, in a file that they read while they run.

use std::path::PathBuf;

use super::{PRIVATE, Store};
use crate::error::Result;
use crate::files;
use crate::task::Bandwidth;

impl Store {
    /// The file that says how much all runs together may pull in a second; without it there is no limit.
    pub fn bandwidth_file(&self) -> PathBuf {
        self.layout.tasks.join(".bandwidth")
    }

    /// How much all runs together may pull in a second. A file that is damaged is no limit.
    pub fn bandwidth(&self) -> Option<Bandwidth> {
        let text = files::read(&self.bandwidth_file()).ok()??;
        let number = std::str::from_utf8(&text).ok()?.trim().parse().ok()?;
        Bandwidth::parse(number).ok()?
    }

    /// Stores it; runs follow it at once.
    ///
    /// # Errors
    /// Whatever the file system says; the former limit then still holds.
    pub fn save_bandwidth(&self, limit: Option<Bandwidth>) -> Result<()> {
        let path = self.bandwidth_file();
        let Some(limit) = limit else {
            return Ok(files::remove(&path)?);
        };
        let text = format!("{}\n", u32::from(limit));
        Ok(files::write_atomic(
            &self.layout.tasks,
            &path,
            text.as_bytes(),
            PRIVATE,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Layout;

    #[test]
    fn a_limit_is_kept_until_it_is_lifted() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_container(folder.path()));
        assert_eq!(store.bandwidth(), None);
        let limit = Bandwidth::parse(512).unwrap();
        store.save_bandwidth(limit).unwrap();
        assert_eq!(store.bandwidth(), limit);
        store.save_bandwidth(None).unwrap();
        store.save_bandwidth(None).unwrap();
        assert_eq!(store.bandwidth(), None);
        for damaged in ["", "many\n", "-1", "99999999999"] {
            std::fs::write(store.bandwidth_file(), damaged).unwrap();
            assert_eq!(store.bandwidth(), None, "{damaged:?}");
        }
    }
}
