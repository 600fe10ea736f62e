// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::batches::jobs::Kind;
use ns8_imapsync::error::Result;
use ns8_imapsync::sync::inspect::assess::Assessment;

use crate::common::action::Action;
use crate::common::batch::BatchReference;
use crate::common::batch_job::{self, Ended};
use crate::common::context::Context;

/// Looks at both sides of every task of a batch before the move.
pub(crate) struct AssessBatch;

impl Action for AssessBatch {
    const NAME: &'static str = "assess-batch";
    const ABOUT: &'static str = "Looks at both sides of every task of a batch before the move";
    type Input = BatchReference;
    type Output = Ended;

    fn run(context: &Context, batch: BatchReference) -> Result<Ended> {
        batch_job::run::<Assessment>(context, &batch.name()?, Kind::Assess, false, &["assess"])
    }
}
