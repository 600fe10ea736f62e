// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::journal;
use ns8_imapsync::error::Result;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::instance;
use crate::common::nothing::Nothing;
use crate::common::settings;

/// Ends the pause that a copy of a living instance begins with.
pub(crate) struct ResumeSchedules;

impl Action for ResumeSchedules {
    const NAME: &'static str = "resume-schedules";
    const ABOUT: &'static str = "Lets cron start tasks again, in a copy of an instance";
    type Input = Nothing;
    type Output = ();

    fn run(context: &Context, _: Nothing) -> Result<()> {
        context.store.create_folders()?;
        context
            .environment
            .change(&[(settings::SCHEDULES_PAUSED, None)])?;
        instance::look_for_original(context)?;
        // Without a mail server there is nothing to write yet: the service does it when it starts.
        if context.environment.read()?.get(settings::MAIL_HOST).is_none() {
            return Ok(());
        }
        context
            .store
            .rebuild_schedules(&|| context.schedule_host(), &|trouble| journal::error(trouble))
    }
}
