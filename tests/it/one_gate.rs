// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail is deleted in one place only.

use std::fs;
use std::path::{Path, PathBuf};

const GATE: &str = "src/sync/reconcile/deletions/gate.rs";
/// What reads responses knows the names of these and of commands, and sends nothing.
const READERS: [&str; 2] = ["src/imap/response.rs", "src/imap/session/receive.rs"];

/// What deletes mail when it is sent: an EXPUNGE, a DELETE, a mark.
const DELETING: [&str; 5] = [
    "\"EXPUNGE\"",
    "\"UID EXPUNGE\"",
    "\"DELETE\"",
    "+FLAGS (\\\\Deleted",
    "'+', \"\\\\Deleted",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn only_the_gate_deletes() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![];
    for folder in ["src", "actions"] {
        sources(&root.join(folder), &mut files)?;
    }
    let mut at_the_gate = 0;
    for file in files {
        let text = fs::read_to_string(&file)?;
        // The unit tests of a file come last.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let found = DELETING.iter().filter(|word| code.contains(**word)).count();
        if file == root.join(GATE) {
            at_the_gate = found;
        } else if !READERS.iter().any(|reader| file == root.join(reader)) {
            anyhow::ensure!(found == 0, "{} deletes mail by itself", file.display());
        }
    }
    anyhow::ensure!(at_the_gate >= 3, "the gate is not where it was");
    Ok(())
}
