// SPDX-License-Identifier: GPL-3.0-or-later
//! Keeps the schemas of `imageroot/actions/` as the types say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use ns8_imapsync::agent::journal;
use ns8_imapsync::files;

use crate::APPLETS;

const READABLE: u32 = 0o644;

/// The arguments.
pub fn arguments(command: Command) -> Command {
    command.arg(
        Arg::new("folder")
            .help("The folder of the actions, imageroot/actions")
            .required(true)
            .value_parser(value_parser!(PathBuf)),
    )
}

/// Writes `validate-input.json` and `validate-output.json` of every action.
pub fn run(arguments: &ArgMatches) -> ExitCode {
    let Some(folder) = arguments.get_one::<PathBuf>("folder") else {
        return ExitCode::FAILURE;
    };
    for (path, text) in all() {
        let target = folder.join(path);
        let written = target
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| {
                let workshop = target.parent().unwrap_or(Path::new("."));
                files::write_atomic(workshop, &target, text.as_bytes(), READABLE)
            });
        if let Err(error) = written {
            journal::error(format_args!("cannot write {}: {error}", target.display()));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The files below the folder of the actions, with their text.
fn all() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for applet in APPLETS {
        let Some(schemas) = applet.schemas() else { continue };
        for (file, schema) in [
            ("validate-input.json", schemas.input),
            ("validate-output.json", schemas.output),
        ] {
            if let Some(schema) = schema {
                files.insert(Path::new(applet.name()).join(file), format!("{schema:#}\n"));
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> BTreeMap<PathBuf, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../imageroot/actions");
        let mut found = BTreeMap::new();
        for action in std::fs::read_dir(&folder).unwrap() {
            for file in std::fs::read_dir(action.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|ending| ending == "json") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    found.insert(path.strip_prefix(&folder).unwrap().to_owned(), text);
                }
            }
        }
        found
    }

    #[test]
    fn the_files_say_what_the_types_say() {
        let (committed, now) = (committed(), all());
        let names = |files: &BTreeMap<PathBuf, String>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            names(&committed),
            names(&now),
            "run: ns8-imapsync write-schemas imageroot/actions"
        );
        for (path, text) in now {
            assert_eq!(
                committed[&path],
                text,
                "{}: run ns8-imapsync write-schemas",
                path.display()
            );
        }
    }

    #[test]
    fn a_schema_with_a_secret_leaves_the_checks_that_would_record_it_to_us() {
        let text = &all()[Path::new("create-task/validate-input.json")];
        for word in ["required", "additionalProperties", "writeOnly"] {
            assert!(!text.contains(&format!("\"{word}\"")), "{word} is in {text}");
        }
        let schema: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(schema["properties"]["remotepassword"].get("type"), None);
        assert_eq!(schema["properties"]["remoteport"]["maximum"], 65535);
        assert!(all()[Path::new("get-log/validate-input.json")].contains("\"required\""));
    }

    #[test]
    fn every_action_has_its_step() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../imageroot/actions");
        for applet in APPLETS.iter().filter(|applet| applet.schemas().is_some()) {
            let entries = std::fs::read_dir(folder.join(applet.name())).unwrap();
            let steps: Vec<PathBuf> = entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_symlink())
                .collect();
            assert_eq!(steps.len(), 1, "{}", applet.name());
            assert_eq!(
                std::fs::read_link(&steps[0]).unwrap(),
                Path::new("../../bin/ns8-imapsync")
            );
            assert_eq!(
                crate::applet_of_path(steps[0].as_os_str()).unwrap().name(),
                applet.name()
            );
        }
    }
}
