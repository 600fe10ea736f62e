// SPDX-License-Identifier: GPL-3.0-or-later
//! What `build-images.sh` builds: labels and content of both images, and nothing else in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::engine::{Engine, tell};

const BASE: &str = "localhost/debian-cronie:trixie";
/// Our licence, and those of what is in the images.
const LICENCES: [&str; 2] = [
    "/usr/share/licenses/imapsync/LICENSE",
    "/usr/share/licenses/imapsync/THIRD-PARTY-NOTICES",
];
const REPOSITORY: &str = "ghcr.io/nethserver";

#[test]
fn the_images_hold_what_they_should_and_say_so() -> anyhow::Result<()> {
    let Some(engine) = Engine::find()? else {
        return Ok(());
    };
    the_binary_image(&engine)?;
    what_is_installed_in_the_base(&engine)?;
    the_module_image(&engine)
}

fn call(engine: &Engine, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(engine.variables())
        .current_dir(sandbox::project());
    run(&mut command)
}

fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

fn inspect(engine: &Engine, image: &str) -> anyhow::Result<Value> {
    let text = call(engine, "podman", &["image", "inspect", image])?;
    let mut images: Value = serde_json::from_str(&text)?;
    Ok(images[0].take())
}

/// The base, imapsync and cronie (both from the base here), our program.
fn the_binary_image(engine: &Engine) -> anyhow::Result<()> {
    let described = inspect(engine, engine.image())?;
    let config = &described["Config"];
    let main = json!([
        "/usr/local/bin/syncctl",
        "serve",
        "--",
        "crond",
        "-f",
        "-m",
        "off"
    ]);
    ensure!(config["Cmd"] == main, "{config}");
    ensure!(
        config["Entrypoint"].is_null() && config["WorkingDir"] == "/",
        "{config}"
    );
    ensure!(
        described["Labels"]["org.opencontainers.image.licenses"] == "GPL-3.0-or-later",
        "{described}"
    );
    ensure!(
        described["Labels"]["org.opencontainers.image.version"] == env!("CARGO_PKG_VERSION"),
        "{described}"
    );
    let health = call(
        engine,
        "podman",
        &[
            "image",
            "inspect",
            "--format",
            "{{.HealthCheck.Test}}",
            engine.image(),
        ],
    )?;
    ensure!(health.contains("/usr/local/bin/syncctl health"), "{health:?}");

    let added = added(engine, engine.image())?;
    let files: BTreeSet<&str> = added
        .iter()
        .map(String::as_str)
        .filter(|path| !is_folder(path))
        .collect();
    let expected = [&LICENCES[..], &["/usr/local/bin/syncctl"]].concat();
    ensure!(files == BTreeSet::from_iter(expected), "{added:?}");
    Ok(())
}

/// The folders that what is added needs.
fn is_folder(path: &str) -> bool {
    LICENCES.iter().any(|file| file.starts_with(&format!("{path}/")))
}

/// What an image has and its base has not.
fn added(engine: &Engine, image: &str) -> anyhow::Result<Vec<String>> {
    let changed = call(engine, "podman", &["image", "diff", image, BASE])?;
    let added = changed.lines().filter_map(|line| line.strip_prefix("A "));
    Ok(added.map(str::to_owned).collect())
}

/// The published image gets imapsync and cronie by a command in its base, here by one that leaves a mark.
fn what_is_installed_in_the_base(engine: &Engine) -> anyhow::Result<()> {
    let program = engine.program().to_string_lossy().into_owned();
    let built = run(Command::new("./build-images.sh")
        .arg("binary")
        .envs(engine.variables())
        .envs([
            ("PROGRAM", program.as_str()),
            ("IMAGETAG", "installed"),
            ("REPOBASE", "localhost"),
        ])
        .envs([
            ("BINARY_BASE", BASE),
            ("BINARY_INSTALL", "mkdir /opt/x && echo y > /opt/x/y"),
        ])
        .env("BUILDAH_ISOLATION", "chroot")
        .current_dir(sandbox::project()))?;
    let added = added(engine, built.trim())?;
    ensure!(added.contains(&"/opt/x/y".to_owned()), "{added:?}");
    call(engine, "podman", &["image", "rm", built.trim()])?;
    Ok(())
}

/// The image root, the page.
fn the_module_image(engine: &Engine) -> anyhow::Result<()> {
    let page = tempfile::tempdir()?;
    fs::write(page.path().join("index.html"), "<title>imapsync</title>")?;
    let program = engine.program().to_string_lossy().into_owned();
    let built = run(Command::new("./build-images.sh")
        .arg("module")
        .envs(engine.variables())
        .envs([
            ("PROGRAM", program.as_str()),
            ("IMAGETAG", "test"),
            ("REPOBASE", REPOSITORY),
        ])
        .env("PAGE", page.path())
        .current_dir(sandbox::project()))?;
    let image = format!("{REPOSITORY}/imapsync:test");
    ensure!(built.lines().last() == Some(image.as_str()), "{built}");

    let described = inspect(engine, &image)?;
    let labels = &described["Labels"];
    for (name, value) in [
        ("org.nethserver.authorizations", "mail@any:mailadm"),
        ("org.nethserver.rootfull", "0"),
        ("org.nethserver.tcp-ports-demand", "1"),
        ("org.opencontainers.image.version", env!("CARGO_PKG_VERSION")),
        ("org.nethserver.images", "ghcr.io/nethserver/imapsync-binary:test"),
    ] {
        ensure!(labels[name] == value, "{name} in {labels}");
    }
    let core = labels["org.nethserver.min-core"]
        .as_str()
        .context("no min-core")?;
    ensure!(core.split('.').count() == 3, "{core}");
    ensure!(described["Config"]["Entrypoint"] == json!(["/"]), "{described}");

    let root = tempfile::tempdir()?;
    let container = call(engine, "podman", &["create", &image])?;
    let archive = root.path().join("image.tar");
    let exported = call(
        engine,
        "podman",
        &["export", "--output", &archive.to_string_lossy(), container.trim()],
    );
    call(engine, "podman", &["rm", container.trim()])?;
    exported?;
    let unpacked = root.path().join("root");
    fs::create_dir(&unpacked)?;
    run(Command::new("tar")
        .arg("-C")
        .arg(&unpacked)
        .arg("-xf")
        .arg(&archive))?;
    let mut expected: BTreeSet<PathBuf> = listed(&sandbox::project().join("imageroot"))?
        .into_iter()
        .map(|path| Path::new("imageroot").join(path))
        .collect();
    expected.extend(["imageroot/bin/ns8-imapsync", "ui/index.html"].map(PathBuf::from));
    expected.extend(LICENCES.map(|path| PathBuf::from(path.trim_start_matches('/'))));
    let notices = fs::read_to_string(unpacked.join("usr/share/licenses/imapsync/THIRD-PARTY-NOTICES"))?;
    for part in [
        "rustls ",
        "rusqlite ",
        "tokio ",
        "Apache License",
        "Permission is hereby granted",
    ] {
        ensure!(notices.contains(part), "{part} is not in the notices");
    }
    let mut found = listed(&unpacked)?;
    // The engine mounts these into every container and leaves their places in what it exports.
    found.retain(|path| {
        ["imageroot", "ui"].iter().any(|ours| path.starts_with(ours)) || has_content(&unpacked.join(path))
    });
    ensure!(found == expected, "{:?}", found.symmetric_difference(&expected));
    Ok(())
}

fn has_content(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// All files and links below a folder.
fn listed(folder: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                false => drop(found.insert(entry.path().strip_prefix(folder)?.to_path_buf())),
            }
        }
    }
    Ok(found)
}

#[test]
fn systemd_understands_the_unit() -> anyhow::Result<()> {
    let runtime = tempfile::tempdir()?;
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--user", "./imageroot/systemd/user/imapsync.service"])
        .env("XDG_RUNTIME_DIR", runtime.path())
        .current_dir(sandbox::project())
        .output();
    match verified {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            tell("no systemd here: the unit is not verified\n");
            Ok(())
        }
        verified => {
            let verified = verified?;
            let said = String::from_utf8_lossy(&verified.stderr);
            // What the programs of a node are called is not this machine's to know.
            let complaints: Vec<&str> = said
                .lines()
                .filter(|line| !line.contains("is not executable"))
                .collect();
            ensure!(complaints.is_empty(), "{said}");
            Ok(())
        }
    }
}
