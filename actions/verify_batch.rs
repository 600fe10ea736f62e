// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::batches::jobs::Kind;
use ns8_imapsync::error::Result;
use ns8_imapsync::sync::inspect::verify::report::VerifyReport;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::common::action::Action;
use crate::common::batch;
use crate::common::batch_job::{self, Ended};
use crate::common::context::Context;

/// Compares both sides of every task of a batch message by message.
pub(crate) struct VerifyBatch;

/// Which batch, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// What it is called.
    batch: String,
    /// Whether every octet of every message is compared.
    #[serde(default)]
    deep: Option<bool>,
}

impl Action for VerifyBatch {
    const NAME: &'static str = "verify-batch";
    const ABOUT: &'static str = "Compares both sides of every task of a batch";
    type Input = Input;
    type Output = Ended;

    fn run(context: &Context, input: Input) -> Result<Ended> {
        let batch = batch::named(&input.batch)?;
        let deep = input.deep == Some(true);
        let words: &[&str] = match deep {
            true => &["verify", "--deep"],
            false => &["verify"],
        };
        batch_job::run::<VerifyReport>(context, &batch, Kind::Verify, deep, words)
    }
}
