// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::{ErrorKey, Refusal, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::common::action::Action;
use crate::common::batch;
use crate::common::context::Context;
use crate::common::import::{self, Mode, Options, Row, Summary};

/// Imports many tasks at once. It answers with what became of each row, so refused rows are an answer, too.
pub(crate) struct ImportTasks;

/// The rows.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Import {
    /// What becomes of rows whose task exists: check, skip or update.
    #[schemars(extend("enum" = ["check", "skip", "update"]))]
    mode: String,
    /// The rows: the columns of the CSV file, and any optional field of create-task.
    #[schemars(extend("writeOnly" = true))]
    tasks: Vec<Row>,
    /// The name of the batch that the tasks of all rows join, those that are left alone too; a check looks at the name only.
    #[serde(default)]
    batch: Option<String>,
    /// Whether get-job tells how far it is and what came of it.
    #[serde(default)]
    keep: Option<bool>,
}

impl Action for ImportTasks {
    const NAME: &'static str = "import-tasks";
    const ABOUT: &'static str = "Creates or edits the tasks of a list of rows, or only tests them";
    type Input = Import;
    type Output = Summary;

    fn run(context: &Context, input: Import) -> Result<Summary> {
        let Ok(mode) = serde_json::from_value::<Mode>(Value::from(input.mode)) else {
            return Err(Refusal::new(
                "mode",
                ErrorKey::Invalid("mode"),
                "expected one of check, skip or update",
            )
            .into());
        };
        let batch = match input.batch.as_deref() {
            None | Some("") => None,
            Some(name) => Some(batch::named(name)?),
        };
        let options = Options {
            keep: input.keep == Some(true),
            batch,
        };
        import::import(context, mode, &options, input.tasks.into_iter().map(Ok).collect())
    }
}
