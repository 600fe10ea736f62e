// SPDX-License-Identifier: GPL-3.0-or-later
//! Which files of an action's folders are steps.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::Context;

/// The executables of all folders `DIR/<name>`, merged by file name (a later folder wins), in alphabetical order.
pub(super) fn find(dirs: &[PathBuf], name: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut steps = BTreeMap::new();
    for dir in dirs.iter().map(|dir| dir.join(name)).filter(|dir| dir.is_dir()) {
        for entry in dir
            .read_dir()
            .with_context(|| format!("cannot read {}", dir.display()))?
        {
            let path = entry?.path();
            // Follows symlinks: a step may be a link to the program, and a dangling link is no step.
            let Ok(metadata) = path.metadata() else { continue };
            if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
                steps.insert(path.file_name().unwrap_or_default().to_owned(), path);
            }
        }
    }
    Ok(steps.into_values().collect())
}
