// SPDX-License-Identifier: GPL-3.0-or-later
//! What of the instance's settings is ours, in `state/environment`.

use ns8_imapsync::agent::environment::Environment;

use super::fields::Gather;
use super::input::repeated;

/// The uuid of the mail module.
pub(crate) const MAIL_SERVER: &str = "MAIL_SERVER";
/// The address of the mail server.
pub(crate) const MAIL_HOST: &str = "MAIL_HOST";
/// Which engine runs use.
pub(crate) const SYNC_ENGINE: &str = "SYNC_ENGINE";
/// How many runs there are at once.
pub(crate) const MAX_CONCURRENT_SYNCS: &str = "MAX_CONCURRENT_SYNCS";

/// Whether cron starts nothing: the instance is a copy next to the one that it was made from.
pub(crate) const SCHEDULES_PAUSED: &str = "SCHEDULES_PAUSED";

/// What an instance takes over from the one that it was made from.
pub(crate) const ALL: [&str; 4] = [MAIL_SERVER, MAIL_HOST, SYNC_ENGINE, MAX_CONCURRENT_SYNCS];

/// The largest limit of runs at once.
const MOST_AT_ONCE: i64 = 64;

/// The setting of the engine, `auto` by default.
pub(crate) const AUTO: &str = "auto";

/// The engines that can be asked for.
pub(crate) const ENGINES: [&str; 3] = [AUTO, "imapsync", "native"];

/// Whether cron starts nothing.
pub(crate) fn schedules_paused(environment: &Environment) -> bool {
    environment.get(SCHEDULES_PAUSED).is_some()
}

/// Reads the field `sync_engine`; `auto` is no setting.
pub(crate) fn engine<'a>(gather: &mut Gather, name: &'a str) -> Option<&'a str> {
    if !ENGINES.contains(&name) {
        let advice = format!("expected one of {}", ENGINES.join(", "));
        gather.invalid("sync_engine", repeated(name), advice);
    }
    Some(name).filter(|name| *name != AUTO)
}

/// Reads the field `max_concurrent_syncs`; 0 is no setting.
pub(crate) fn limit(gather: &mut Gather, number: i64) -> Option<i64> {
    if !(0..=MOST_AT_ONCE).contains(&number) {
        let advice = format!("expected a number from 0 to {MOST_AT_ONCE}");
        gather.invalid("max_concurrent_syncs", number.into(), advice);
    }
    Some(number).filter(|number| *number > 0)
}
