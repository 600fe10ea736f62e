// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.cron`: when crond in the container starts a task (contract section 4).

use std::sync::LazyLock;

use anyhow::Context as _;
use tera::Tera;

use super::{Schedule, TaskName};

/// What a cron file runs.
pub(super) const COMMAND: &str = "root /usr/local/bin/syncctl start ";

const TEMPLATE: &str = include_str!("templates/task.cron");

const NAME: &str = "task.cron";

/// Parsed once: thousands of them are rendered in one go.
static TEMPLATES: LazyLock<tera::TeraResult<Tera>> = LazyLock::new(|| {
    let mut templates = Tera::default();
    templates.add_raw_template(NAME, TEMPLATE)?;
    Ok(templates)
});

/// The text of `NAME.cron`.
///
/// # Errors
/// When the template cannot be rendered, which a test rules out.
pub fn render(name: &TaskName, schedule: Schedule, mail_host: &str) -> anyhow::Result<String> {
    let templates = TEMPLATES
        .as_ref()
        .map_err(|error| anyhow::anyhow!("the template of cron files is broken: {error}"))?;
    let mut context = tera::Context::new();
    context.insert("mail_host", mail_host);
    context.insert("lines", &schedule.cron_fields());
    context.insert("name", name.as_str());
    templates
        .render(NAME, &context)
        .context("cannot render the cron file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_cron_files_are_written_byte_for_byte() {
        let text = |schedule| {
            let name = TaskName::parse("administrator_a0241w").unwrap();
            render(&name, Schedule::parse(schedule).unwrap().unwrap(), "10.5.4.1").unwrap()
        };
        assert_eq!(
            text("5m"),
            "MAIL_HOST=10.5.4.1\n*/5 * * * * root /usr/local/bin/syncctl start administrator_a0241w\n"
        );
        assert_eq!(
            text("2h"),
            "MAIL_HOST=10.5.4.1\n1 */2 * * *  root /usr/local/bin/syncctl start administrator_a0241w\n"
        );
        assert_eq!(
            text("15m@23-1@fri"),
            "MAIL_HOST=10.5.4.1\n\
             */15 23 * * 5 root /usr/local/bin/syncctl start administrator_a0241w\n\
             */15 0 * * 6 root /usr/local/bin/syncctl start administrator_a0241w\n"
        );
        assert!(text("5m").contains(COMMAND));
    }
}
