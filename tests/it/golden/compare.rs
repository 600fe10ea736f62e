// SPDX-License-Identifier: GPL-3.0-or-later
//! What is compared, and how.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use serde_json::Value;

use super::world::World;

/// Mode and text of each file.
pub(super) type Files = BTreeMap<String, (String, String)>;

/// The files that were recorded: of tasks their env, pwd and status; of cron everything.
pub(super) fn files(world: &World) -> anyhow::Result<Files> {
    let mut found = Files::new();
    for (name, file) in world.sandbox.state_files()? {
        let extension = name.rsplit('.').next().unwrap_or_default();
        if name.starts_with("cron/")
            || (name.starts_with("imapsync/") && ["env", "pwd", "status"].contains(&extension))
        {
            found.insert(name, (format!("0o{:o}", file.mode), file.text));
        }
    }
    Ok(found)
}

pub(super) fn without_status(mut files: Files) -> Files {
    files.retain(|name, _| !name.ends_with(".status"));
    files
}

/// The files of tasks without their ids and without the lines that early files lack, in an order that does not
/// depend on the ids either.
pub(super) fn anonymous(files: &Files) -> Vec<Vec<(String, String, String)>> {
    let id = |name: &str| {
        let (_, file) = name.split_once('/')?;
        Some(file.rsplit_once('.')?.0.rsplit_once('_')?.1.to_owned())
    };
    let ids: BTreeSet<_> = files.keys().map(|name| id(name)).collect();
    let mut tasks: Vec<Vec<_>> = ids
        .into_iter()
        .map(|of| {
            let own = files.iter().filter(|(name, _)| id(name) == of);
            own.map(|(name, (mode, text))| {
                let blank = |text: &str| match &of {
                    Some(id) => text.replace(id, "ID"),
                    None => text.to_owned(),
                };
                (
                    blank(name),
                    mode.clone(),
                    blank(text).replace("SIEVE_ENABLED=\n", ""),
                )
            })
            .collect()
        })
        .collect();
    tasks.sort();
    tasks
}

/// The output of list-tasks without ids, in an order that does not depend on them.
pub(super) fn nameless(output: &Value) -> Value {
    let mut output = output.clone();
    if let Some(tasks) = output.get_mut("user_properties").and_then(Value::as_array_mut) {
        for task in tasks.iter_mut().filter_map(Value::as_object_mut) {
            task.remove("task_id");
        }
        tasks.sort_by_key(|task| {
            ["localuser", "security", "cron", "delete_remote"].map(|field| task[field].to_string())
        });
    }
    output
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(
    found: &T,
    expected: &T,
    what: &str,
) -> anyhow::Result<()> {
    ensure!(
        found == expected,
        "{what} differ\nexpected {expected:#?}\nfound    {found:#?}"
    );
    Ok(())
}

/// Whether all that was recorded is there.
pub(super) fn contains(found: &Value, recorded: &Value) -> anyhow::Result<()> {
    fn covers(found: &Value, recorded: &Value) -> bool {
        match (found, recorded) {
            (Value::Object(found), Value::Object(recorded)) => recorded
                .iter()
                .all(|(name, value)| found.get(name).is_some_and(|found| covers(found, value))),
            (Value::Array(found), Value::Array(recorded)) => {
                found.len() == recorded.len() && found.iter().zip(recorded).all(|(a, b)| covers(a, b))
            }
            _ => found == recorded,
        }
    }
    ensure!(
        covers(found, recorded),
        "output differs\nexpected {recorded:#}\nfound    {found:#}"
    );
    Ok(())
}
