// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::batches::jobs::{Job, Kind};
use ns8_imapsync::error::{ErrorKey, Refusal, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::common::action::Action;
use crate::common::batch;
use crate::common::context::Context;

/// Ends the assessment or the verification of a batch after the mailboxes under way; what was found stays.
pub(crate) struct StopBatchJob;

/// Which job of which batch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// What the batch is called.
    batch: String,
    /// What is done to every task.
    #[schemars(extend("enum" = ["assess", "verify"]))]
    job: String,
}

impl Action for StopBatchJob {
    const NAME: &'static str = "stop-batch-job";
    const ABOUT: &'static str = "Ends the assessment or the verification of a batch";
    type Input = Input;
    type Output = ();

    fn run(context: &Context, input: Input) -> Result<()> {
        let batch = batch::named(&input.batch)?;
        let Ok(kind) = serde_json::from_value::<Kind>(Value::from(input.job)) else {
            return Err(Refusal::new("job", ErrorKey::Invalid("job"), "expected assess or verify").into());
        };
        Job::of(&context.store, &batch, kind).ask_to_stop()
    }
}
