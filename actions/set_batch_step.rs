// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::batches::cutover::{self, Step};
use ns8_imapsync::error::{ErrorKey, Refusal, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::common::action::Action;
use crate::common::batch;
use crate::common::context::Context;
use ns8_imapsync::clock::now;

/// Notes that a step of the cut-over of a batch is done, or is not.
pub(crate) struct SetBatchStep;

/// Which step of which batch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// What the batch is called.
    batch: String,
    /// The step.
    #[schemars(extend("enum" = [
        "last_delta", "lower_ttl", "change_mx", "final_delta", "verify", "end_schedules", "done"
    ]))]
    step: String,
    /// Whether it is done.
    done: bool,
}

impl Action for SetBatchStep {
    const NAME: &'static str = "set-batch-step";
    const ABOUT: &'static str = "Notes a step of the cut-over of a batch";
    type Input = Input;
    type Output = ();

    fn run(context: &Context, input: Input) -> Result<()> {
        let batch = batch::named(&input.batch)?;
        let Ok(step) = serde_json::from_value::<Step>(Value::from(input.step)) else {
            return Err(
                Refusal::new("step", ErrorKey::Invalid("step"), "it is no step of the cut-over").into(),
            );
        };
        cutover::note(&context.store, &batch, step, input.done.then(now))
    }
}
