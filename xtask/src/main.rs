// SPDX-License-Identifier: GPL-3.0-or-later
//! `cargo xtask generate` writes the files that follow from the code; `cargo xtask check` compares them.

mod manual;
mod reference;
mod schemas;
mod types;
mod typescript;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ns8_imapsync::files;

const READABLE: u32 = 0o644;

/// Files by their path in the project.
type Files = BTreeMap<PathBuf, String>;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["generate"] => generate(&project()),
        ["check"] => check(&project()),
        _ => bail!("usage: cargo xtask generate | check"),
    }
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Everything that is generated.
fn all() -> anyhow::Result<Files> {
    let mut files = schemas::files();
    files.extend(manual::files()?);
    files.insert("docs/reference.md".into(), reference::page());
    files.insert("ui/src/api/facts.ts".into(), typescript::facts());
    files.insert("ui/src/api/json.ts".into(), types::module());
    Ok(files)
}

fn generate(project: &Path) -> anyhow::Result<()> {
    for (path, text) in all()? {
        let target = project.join(&path);
        let folder = target.parent().context("a file has a folder")?;
        std::fs::create_dir_all(folder)
            .and_then(|()| files::write_atomic(folder, &target, text.as_bytes(), READABLE))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn check(project: &Path) -> anyhow::Result<()> {
    let now = all()?;
    for (path, text) in &now {
        let committed = std::fs::read_to_string(project.join(path)).unwrap_or_default();
        if committed != *text {
            bail!(
                "{} is not what the code says: run cargo xtask generate",
                path.display()
            );
        }
    }
    for path in schemas::committed(project)? {
        if !now.contains_key(&path) {
            bail!("{} belongs to no action any more: remove it", path.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_files_say_what_the_code_says() {
        check(&project()).unwrap();
    }
}
