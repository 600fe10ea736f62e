// SPDX-License-Identifier: GPL-3.0-or-later

use std::borrow::Cow;

use ns8_imapsync::container::Container;
use ns8_imapsync::control::settings::TaskSettings;
use ns8_imapsync::error::Result;
use ns8_imapsync::sync::inspect::count::FolderList;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::fields::TaskFields;
use crate::common::input;
use crate::common::selection::TaskReference;

/// Lists the remote folders of a task, or of settings that are nowhere stored.
pub(crate) struct BrowseFolders;

/// A task's reference, or the fields of create-task.
#[derive(Deserialize)]
pub(crate) struct TaskOrFields(Map<String, Value>);

impl JsonSchema for TaskOrFields {
    fn schema_name() -> Cow<'static, str> {
        TaskFields::schema_name()
    }

    // The reference is part of the fields; which of them have to be there depends on the form.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        TaskFields::json_schema(generator)
    }
}

/// The folders, or why they cannot be listed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Folders {
    /// They could be listed.
    Known(FolderList),
    /// They could not.
    Unknown {
        /// The key of what is wrong.
        status: String,
        /// The same as a sentence.
        message: String,
    },
}

impl Action for BrowseFolders {
    const NAME: &'static str = "browse-folders";
    const ABOUT: &'static str = "Lists the remote folders of a task, or of settings that are nowhere stored";
    type Input = TaskOrFields;
    type Output = Folders;

    fn run(context: &Context, TaskOrFields(fields): TaskOrFields) -> Result<Folders> {
        let container = Container::find()?;
        if fields
            .keys()
            .all(|name| ["localuser", "task_id"].contains(&name.as_str()))
        {
            let name = input::parse::<TaskReference>(fields)?.find(&context.store)?;
            return container.answer(&["list-folders", name.as_str()], None);
        }
        let request = input::parse::<TaskFields>(fields)?.parse(&context.sources)?;
        let settings = TaskSettings::complete(&context.store, request)?;
        container.answer(&["list-folders", "-"], Some(&settings.candidate()))
    }
}
