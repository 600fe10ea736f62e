// SPDX-License-Identifier: GPL-3.0-or-later
//! What is released together says the same: one version, and what the platform's list of applications asks for.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use sandbox::Sandbox;
use serde_json::Value;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The last version of the module in Python: an update must be newer.
const PYTHON: [u64; 3] = [1, 3, 2];
/// What the core's Software Center can show; the mail server is there too.
const CATEGORY: &str = "collaboration";

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path_of(path)).with_context(|| path.to_owned())
}

fn path_of(path: &str) -> PathBuf {
    sandbox::project().join(path)
}

fn json(path: &str) -> anyhow::Result<Value> {
    serde_json::from_str(&read(path)?).with_context(|| path.to_owned())
}

fn numbers(version: &str) -> Vec<u64> {
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[test]
fn everything_has_one_version() -> anyhow::Result<()> {
    ensure!(numbers(VERSION).as_slice() > PYTHON.as_slice(), "{VERSION}");
    ensure!(json("ui/package.json")?["version"] == VERSION);
    let lock = json("ui/package-lock.json")?;
    ensure!(lock["version"] == VERSION && lock["packages"][""]["version"] == VERSION);
    let said = Sandbox::start()?.syncctl(&["--version"])?;
    ensure!(said.stdout == format!("syncctl {VERSION}\n"), "{said:?}");
    for lock in ["Cargo.lock", "tests/fuzz/Cargo.lock"] {
        let ours = format!("name = \"ns8-imapsync\"\nversion = \"{VERSION}\"\n");
        ensure!(read(lock)?.contains(&ours), "{lock}");
    }
    let changes = read("CHANGELOG.md")?;
    let told = [format!("## [{VERSION}]"), format!("To be released as {VERSION}")];
    ensure!(told.iter().any(|words| changes.contains(words)), "CHANGELOG.md");
    Ok(())
}

#[test]
fn the_list_of_applications_gets_what_it_asks_for() -> anyhow::Result<()> {
    let metadata = json("ui/public/metadata.json")?;
    ensure!(metadata["categories"] == serde_json::json!([CATEGORY]));
    for language in ["en", "it"] {
        ensure!(metadata["description"][language].is_string(), "{language}");
    }
    ensure!(metadata["authors"][0]["email"].is_string());
    let repository = "https://github.com/NethServer/ns8-imapsync/blob/main/";
    for address in [
        "documentation_url",
        "bug_url",
        "code_url",
        "terms_url",
        "relnotes_url",
    ] {
        let address = metadata["docs"][address].as_str().context(address)?;
        ensure!(address.starts_with("https://"), "{address}");
        if let Some(file) = address.strip_prefix(repository) {
            ensure!(path_of(file).is_file(), "{address}");
        }
    }
    let (width, height) = png_size("ui/src/assets/module_default_logo.png")?;
    ensure!(width == height && width >= 128, "{width} x {height}");
    for screen in ["status-desktop", "tasks-selected-desktop"] {
        let (width, _) = png_size(&format!("docs/screens/{screen}.png"))?;
        ensure!(width >= 1024, "{screen}: {width}");
    }
    Ok(())
}

#[test]
fn every_dependency_says_why_it_is_there() -> anyhow::Result<()> {
    let manifest = read("Cargo.toml")?;
    let (_, listed) = manifest
        .split_once("[workspace.dependencies]\n")
        .context("none")?;
    let (listed, _) = listed.split_once("\n[").context("no end")?;
    let mut before = "";
    let mut seen = 0;
    for line in listed.lines().filter(|line| !line.is_empty()) {
        if !line.starts_with('#') {
            let is_ours = line.contains("{ path = ");
            ensure!(before.starts_with('#') || is_ours, "{line}");
            seen += 1;
        }
        before = line;
    }
    ensure!(seen > 40, "{seen}");
    Ok(())
}

/// A tag can be moved by one who takes over an action; a commit cannot. The platform's own workflow is followed.
#[test]
fn actions_of_the_workflows_are_pinned_by_commit() -> anyhow::Result<()> {
    let mut pinned = 0;
    for workflow in ["test", "publish"] {
        let text = read(&format!(".github/workflows/{workflow}.yml"))?;
        for line in text
            .lines()
            .filter_map(|line| line.split_once("uses: ").map(|(_, used)| used))
        {
            if line.starts_with("./") || line.starts_with("NethServer/") {
                continue;
            }
            let (_, version) = line.split_once('@').context(line.to_owned())?;
            let (commit, comment) = version.split_once(" # v").context(line.to_owned())?;
            let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            ensure!(is_commit && !comment.is_empty(), "{line}");
            pinned += 1;
        }
    }
    ensure!(pinned > 10, "{pinned}");
    let base = read("build-images.sh")?;
    ensure!(base.contains("BINARY_BASE:-docker.io/library/alpine:") && base.contains("@sha256:"));
    Ok(())
}

/// Links from one page to another, or to a part of it, lead there.
#[test]
fn the_documentation_leads_somewhere() -> anyhow::Result<()> {
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "ui/README.md",
    ]
    .map(path_of)
    .to_vec();
    for folder in ["docs", "docs/manual"] {
        for entry in fs::read_dir(path_of(folder))? {
            pages.extend(Some(entry?.path()).filter(|path| path.extension().is_some_and(|end| end == "md")));
        }
    }
    ensure!(pages.len() > 15, "{pages:?}");
    for page in &pages {
        let text = fs::read_to_string(page)?;
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.with_file_name(file),
            };
            ensure!(target.exists(), "{link} in {}", page.display());
            let has_anchor = part.is_empty()
                || fs::read_to_string(&target)?
                    .lines()
                    .any(|line| line.starts_with('#') && anchor(line) == part);
            ensure!(has_anchor, "{link} in {}", page.display());
        }
    }
    Ok(())
}

/// What a heading is called in addresses.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Width and height, by the first chunk of the file (PNG, 11.2.1).
fn png_size(path: &str) -> anyhow::Result<(u32, u32)> {
    let octets = fs::read(path_of(path)).with_context(|| path.to_owned())?;
    ensure!(
        octets.starts_with(b"\x89PNG\r\n\x1a\n") && octets.get(12..16) == Some(b"IHDR"),
        "{path}"
    );
    let number = |at: usize| -> anyhow::Result<u32> {
        let octets = octets.get(at..at + 4).context("short")?;
        Ok(u32::from_be_bytes(octets.try_into()?))
    };
    Ok((number(16)?, number(20)?))
}
