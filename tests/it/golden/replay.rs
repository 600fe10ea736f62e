// SPDX-License-Identifier: GPL-3.0-or-later
//! Drives the steps of a recording and compares.

use anyhow::{Context, ensure};
use sandbox::{Outcome, RunMark, Side, wait_until};
use serde_json::{Map, Value, json};

use super::compare::{Files, anonymous, contains, files, nameless, same, without_status};
use super::world::{Mail, World};

/// A recording and what is different on purpose.
pub(super) struct Case {
    pub file: &'static str,
    pub mail: Mail,
    pub instead: &'static [(&'static str, Instead)],
}

/// What happens instead of what was recorded, and why.
pub(super) enum Instead {
    /// The input is refused with these keys, and nothing is changed by it.
    Refused {
        reason: &'static str,
        exit_code: i32,
        keys: &'static [&'static str],
    },
    /// Files and mailboxes are as at the beginning, and no task is listed.
    Unchanged { reason: &'static str },
    /// The same, but it completes.
    Completed { reason: &'static str },
    /// It completes with another output.
    Output {
        reason: &'static str,
        output: &'static str,
    },
    /// The same, with the files that were recorded after another step.
    Files {
        reason: &'static str,
        same_as: &'static str,
    },
    /// It completes, and compared with what was recorded there are these files.
    Written {
        reason: &'static str,
        files: &'static [(&'static str, &'static str)],
    },
    /// The same, but for the ids of the tasks and the lines that their files have since.
    OtherIds { reason: &'static str },
    /// The same, but the messages have other sizes: those that the mailboxes tell.
    Sizes { reason: &'static str },
    /// The log is another program's: it must have an end, with exit code 0.
    Log,
}

type Mailboxes = Value;

/// Replays a case.
pub(super) fn replay(case: &Case) -> anyhow::Result<()> {
    let path = sandbox::project()
        .join("tests/it/golden")
        .join(case.file)
        .with_extension("json");
    let recording: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let world = World::start(case.mail, &recording["steps"][0]["files"])?;
    let mut replay = Replay {
        before: files(&world)?,
        world,
        pending: None,
    };
    let mailboxes = replay.mailboxes(&recorded_mailboxes(&recording))?;
    let steps = recording["steps"]
        .as_array()
        .context("a recording without steps")?;
    for step in steps {
        let name = step["step"].as_str().context("a step without a name")?;
        let (number, name) = name.split_once('-').context("a step without a number")?;
        replay.world.before(case.file, number)?;
        let instead = case
            .instead
            .iter()
            .find(|(at, _)| *at == number)
            .map(|(_, instead)| instead);
        let files_of = match instead {
            Some(Instead::Files { same_as, .. }) => steps
                .iter()
                .find(|step| {
                    step["step"]
                        .as_str()
                        .is_some_and(|name| name.starts_with(same_as))
                })
                .context("no such step")?,
            _ => step,
        };
        let context = || format!("step {number} {name} of {}{}", case.file, reason(instead));
        match name.split_once('-') {
            Some(("task", action)) => replay
                .action(action, step, files_of, instead)
                .with_context(context)?,
            Some(("helper", helper)) => replay.helper(helper, step, instead).with_context(context)?,
            _ => replay
                .settle(step, files_of, instead, &mailboxes)
                .with_context(context)?,
        }
    }
    Ok(())
}

fn reason(instead: Option<&Instead>) -> String {
    let reason = match instead {
        None => return String::new(),
        Some(Instead::Log) => "the log is another program's",
        Some(
            Instead::Refused { reason, .. }
            | Instead::Unchanged { reason }
            | Instead::Completed { reason }
            | Instead::Output { reason, .. }
            | Instead::Files { reason, .. }
            | Instead::Written { reason, .. }
            | Instead::OtherIds { reason }
            | Instead::Sizes { reason },
        ) => reason,
    };
    format!(" (different on purpose: {reason})")
}

struct Replay {
    world: World,
    before: Files,
    /// A run that was started and not yet waited for.
    pending: Option<RunMark>,
}

impl Replay {
    fn action(
        &mut self,
        action: &str,
        step: &Value,
        files_of: &Value,
        instead: Option<&Instead>,
    ) -> anyhow::Result<()> {
        let input = self.input(&step["input"]);
        let field = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
        let mark = self
            .world
            .sandbox
            .mark_run(&format!("{}_{}", field("localuser"), field("task_id")));
        let before = files(&self.world)?;
        let outcome = self.world.sandbox.action(action, input)?;
        match (action, outcome.is_ok()) {
            ("create-task" | "start-task", true) => self.pending = Some(mark),
            ("stop-task" | "delete-task", true) => self.pending = None,
            _ => {}
        }
        match instead {
            Some(Instead::Refused { exit_code, keys, .. }) => {
                ensure!(
                    outcome.status == Outcome::VALIDATION_FAILED
                        && outcome.exit_code == *exit_code
                        && outcome.errors() == *keys,
                    "expected exit code {exit_code} with {keys:?}, found {outcome:#?}"
                );
                same(
                    &without_status(files(&self.world)?),
                    &without_status(before),
                    "files",
                )
            }
            Some(Instead::Unchanged { .. }) => {
                ensure!(
                    outcome.is_ok() && outcome.output["user_properties"] == json!([]),
                    "{outcome:#?}"
                );
                same(&files(&self.world)?, &self.before, "files")
            }
            Some(Instead::Output { output, .. }) => {
                ensure!(outcome.is_ok(), "{outcome:#?}");
                contains(&outcome.output, &serde_json::from_str(output)?)
            }
            Some(Instead::Log) => {
                let log = outcome.output["log_content"].as_str().unwrap_or_default();
                ensure!(
                    outcome.is_ok() && log.contains("Exiting with return value 0"),
                    "{outcome:#?}"
                );
                Ok(())
            }
            Some(Instead::Completed { .. }) => {
                ensure!(outcome.is_ok(), "{outcome:#?}");
                contains(&outcome.output, &self.expected(&step["output"]))?;
                self.compare_files(files_of, false, &[])
            }
            Some(Instead::Written { files, .. }) => {
                ensure!(outcome.is_ok(), "{outcome:#?}");
                contains(&outcome.output, &self.expected(&step["output"]))?;
                self.compare_files(files_of, false, files)
            }
            Some(Instead::OtherIds { .. }) => {
                ensure!(outcome.is_ok(), "{outcome:#?}");
                contains(&nameless(&outcome.output), &nameless(&step["output"]))?;
                self.compare_nameless_files(step)
            }
            Some(Instead::Sizes { .. }) => {
                ensure!(outcome.is_ok(), "{outcome:#?}");
                let mut expected = step["output"].clone();
                for (field, side, user) in [
                    ("host1Sizes", Side::Remote, "r1@example.com"),
                    ("host2Sizes", Side::Local, "u1"),
                ] {
                    let whole = expected["host1Folders"] != 1;
                    let mailbox = self.world.sandbox.mailbox(side, user)?;
                    let counted = mailbox.iter().filter(|(folder, _)| whole || *folder == "INBOX");
                    let size: u64 = counted.flat_map(|(_, messages)| messages).map(|m| m.size).sum();
                    expected[field] = size.into();
                }
                contains(&outcome.output, &expected)?;
                self.compare_files(files_of, false, &[])
            }
            None | Some(Instead::Files { .. }) => {
                ensure!(
                    outcome.status == step["status"] && outcome.exit_code == step["exit_code"],
                    "expected {} ({}), found {outcome:#?}",
                    step["exit_code"],
                    step["status"]
                );
                if outcome.status == Outcome::VALIDATION_FAILED {
                    let keys: Vec<&str> = step["output"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|error| error["error"].as_str())
                        .collect();
                    same(
                        &outcome.errors().iter().map(String::as_str).collect(),
                        &keys,
                        "keys",
                    )?;
                    ensure!(
                        !outcome.stdout.contains("\"createTask\""),
                        "a refusal names an input field"
                    );
                } else {
                    contains(&outcome.output, &self.expected(&step["output"]))?;
                }
                self.compare_files(files_of, false, &[])
            }
        }
    }

    /// A program on the module's `PATH`.
    fn helper(&mut self, helper: &str, step: &Value, instead: Option<&Instead>) -> anyhow::Result<()> {
        let outcome = self.world.sandbox.helper(helper, &[])?;
        let (exit_code, written) = match instead {
            Some(Instead::Written { files, .. }) => (0.into(), *files),
            Some(Instead::OtherIds { .. }) => {
                ensure!(outcome.exit_code == 0, "{outcome:#?}");
                return self.compare_nameless_files(step);
            }
            _ => (step["exit_code"].clone(), &[][..]),
        };
        ensure!(
            outcome.exit_code == exit_code,
            "expected {exit_code}, found {outcome:#?}"
        );
        self.compare_files(step, false, written)
    }

    /// The moment at which the recording waited until nothing ran any more.
    fn settle(
        &mut self,
        step: &Value,
        files_of: &Value,
        instead: Option<&Instead>,
        at_first: &Mailboxes,
    ) -> anyhow::Result<()> {
        if let Some(mark) = self.pending.take()
            && !self.world.runs_for_ever()
        {
            self.world.sandbox.wait_for_run(&mark)?;
        }
        wait_until("the end of all runs", || {
            !self.world.sandbox.is_running("u1_abc123")
        })?;
        if let Some(Instead::Unchanged { .. }) = instead {
            same(&self.mailboxes(&step["mailboxes"])?, at_first, "mailboxes")?;
            return same(&files(&self.world)?, &self.before, "files");
        }
        same(
            &self.mailboxes(&step["mailboxes"])?,
            &step["mailboxes"],
            "mailboxes",
        )?;
        self.compare_files(files_of, true, &[])
    }

    /// The input with the ports of this sandbox.
    fn input(&self, recorded: &Value) -> Value {
        let mut input = recorded.clone();
        if let Some(port) = input.get_mut("remoteport") {
            match port.as_u64() {
                Some(143) => *port = self.world.remote_port.into(),
                Some(993) => *port = self.world.sandbox.remote().tls_port().into(),
                Some(20999) => *port = self.world.closed_port.into(),
                _ => {}
            }
        }
        input
    }

    /// An output with the ports of this sandbox; times are those of this run.
    fn expected(&self, recorded: &Value) -> Value {
        let mut output = recorded.clone();
        for task in output
            .get_mut("user_properties")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if task["remoteport"] == "143" && task["remotehostname"] == "127.0.0.3" {
                task["remoteport"] = self.world.remote_port.to_string().into();
            }
            if task["last_sync_timestamp"].is_number()
                && let Some(task) = task.as_object_mut()
            {
                task.remove("last_sync_timestamp");
            }
        }
        output
    }

    /// Compares the files with those of a step; `written` are there in addition, or instead.
    fn compare_files(&self, step: &Value, settled: bool, written: &[(&str, &str)]) -> anyhow::Result<()> {
        if !step["files"].is_object() {
            return Ok(());
        }
        let mut expected = self.world.recorded_files(&step["files"]);
        for (name, text) in written {
            expected.insert((*name).to_owned(), ("0o644".to_owned(), (*text).to_owned()));
        }
        let mut found = files(&self.world)?;
        if settled {
            // A status holds when the run began, which is another time now.
            for (_, (_, text)) in expected
                .iter_mut()
                .chain(&mut found)
                .filter(|(name, _)| name.ends_with(".status"))
            {
                let (began, exit_code) = text.split_once('\n').context("a status without a second line")?;
                began
                    .parse::<u64>()
                    .context("a status whose first line is no time")?;
                *text = format!("TIME\n{exit_code}");
            }
        } else {
            // Here a run may be over sooner than the recorded one.
            (expected, found) = (without_status(expected), without_status(found));
        }
        same(&found, &expected, "files")
    }

    fn compare_nameless_files(&self, step: &Value) -> anyhow::Result<()> {
        let recorded = self.world.recorded_files(&step["files"]);
        same(&anonymous(&files(&self.world)?), &anonymous(&recorded), "files")
    }

    /// The mailboxes that are named in the recording, in its form.
    fn mailboxes(&self, wanted: &Value) -> anyhow::Result<Mailboxes> {
        let mut all = Map::new();
        for name in wanted.as_object().into_iter().flat_map(|wanted| wanted.keys()) {
            let (side, user) = name.split_once(':').context("a mailbox without a side")?;
            let side = if side == "local" {
                Side::Local
            } else {
                Side::Remote
            };
            let mut folders = Map::new();
            for (folder, messages) in self.world.sandbox.mailbox(side, user)? {
                let mut lines: Vec<_> = messages
                    .into_iter()
                    .map(|message| (message.message_id, message.flags))
                    .collect();
                lines.sort();
                folders.insert(folder, serde_json::to_value(lines)?);
            }
            all.insert(name.clone(), folders.into());
        }
        Ok(all.into())
    }
}

fn recorded_mailboxes(recording: &Value) -> Value {
    let steps = recording["steps"].as_array();
    steps
        .into_iter()
        .flatten()
        .map(|step| &step["mailboxes"])
        .find(|boxes| boxes.is_object())
        .cloned()
        .unwrap_or_default()
}
