// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::bulk_job;
use ns8_imapsync::error::Result;

use crate::common::action::Action;
use crate::common::bulk_job::JobReference;
use crate::common::context::Context;

/// Has a job leave the tasks alone that it has not seen; what was done stays.
pub(crate) struct StopJob;

impl Action for StopJob {
    const NAME: &'static str = "stop-job";
    const ABOUT: &'static str = "Stops an import or another change of many tasks";
    type Input = JobReference;
    type Output = ();

    fn run(context: &Context, input: JobReference) -> Result<()> {
        bulk_job::ask_to_stop(&context.store, JobReference::kind(&input.job)?)
    }
}
