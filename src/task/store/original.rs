// SPDX-License-Identifier: GPL-3.0-or-later
//! The instance that this one is a copy of, as long as both are there: neither sees what the other has brought.

use std::path::PathBuf;

use super::{READABLE, Store};
use crate::error::Result;
use crate::files;

impl Store {
    /// The file that is there meanwhile, for the container, which does not know the other instances.
    fn original_file(&self) -> PathBuf {
        self.folder().join(".original")
    }

    /// Whether this instance is a copy of another one that is still there.
    pub fn has_original(&self) -> bool {
        self.original_file().symlink_metadata().is_ok()
    }

    /// What the cluster knows the other instance by; empty where it was not told, `None` where there is none.
    pub fn original(&self) -> Option<String> {
        let text = files::read(&self.original_file()).ok().flatten();
        let uuid = text.map(|text| String::from_utf8_lossy(&text).trim().to_owned());
        self.has_original().then(|| uuid.unwrap_or_default())
    }

    /// Notes that this instance is a copy of another one, or is one no longer.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn set_original(&self, uuid: Option<&str>) -> Result<()> {
        let path = self.original_file();
        match uuid {
            Some(uuid) => files::write_atomic(self.folder(), &path, uuid.as_bytes(), READABLE)?,
            None => files::remove(&path)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Layout;

    #[test]
    fn a_copy_knows_its_original_until_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_container(folder.path()));
        assert!(!store.has_original() && store.original().is_none());
        for uuid in ["11111111-2222-3333-4444-555555555555", ""] {
            store.set_original(Some(uuid)).unwrap();
            assert!(store.has_original());
            assert_eq!(store.original().as_deref(), Some(uuid));
        }
        store.set_original(None).unwrap();
        store.set_original(None).unwrap();
        assert!(!store.has_original() && store.original().is_none());
    }
}
