// SPDX-License-Identifier: GPL-3.0-or-later
//! What is deleted, on either side, and what never is.
//!
//! [`remote`] ([`together`], [`candidates`], [`incomplete`]) and [`local`] ([`present`], [`folders`]) check what may go;
//! [`different_mailboxes`] is the proof that both sides are not the same; [`second_copies`] are those of messages that another
//! program brought, too; [`carry_out`] asks the guards, spares what may have moved while the run was at work
//! ([`arrived`]), and has the rest [recorded](intended) first; [`gate`] alone sends commands that delete. What has no
//! proof is kept and reported.

mod arrived;
pub mod candidates;
pub mod carry_out;
pub mod different_mailboxes;
pub mod folders;
pub mod gate;
pub mod incomplete;
pub mod intended;
pub mod local;
pub mod present;
mod recorded;
pub mod remote;
pub mod second_copies;
pub mod together;

use crate::imap::UidSet;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::side::Side;

pub use carry_out::delete_local;
pub use different_mailboxes::refuse_itself;
pub use intended::settle_intended;
pub(in crate::sync::reconcile) use local::report_older;
pub use local::{LocalPlan, plan_local};
pub use remote::{delete_remote, same_account_reason, take_back_own_marks};
pub use together::delete_remote_together;

/// Tells of messages that stay on the remote side for want of a proof.
fn report_kept_remotely(shared: &Shared, sync: &FolderSync, messages: u64, reason: &str) {
    let folder = sync.pair.remote.name();
    let mut reporter = shared.reporter.borrow_mut();
    reporter.withheld(folder, messages, reason);
    let reason = format!("{messages} messages were not deleted remotely: {reason}");
    reporter.problem(folder, Exit::WithErrors, &reason);
}

fn report_kept(shared: &Shared, sync: &FolderSync, side: Side, kept: &UidSet) {
    report_kept_in(shared, sync.pair.remote.name(), side, kept);
}

fn report_kept_in(shared: &Shared, folder: &str, side: Side, kept: &UidSet) {
    if kept.is_empty() {
        return;
    }
    let reason = format!(
        "{} did not delete {} messages: is the folder read-only?",
        side.in_words(),
        kept.len()
    );
    let mut reporter = shared.reporter.borrow_mut();
    reporter.problem(folder, Exit::WithErrors, &reason);
}

/// The moment before which mail counts as older than so many days.
pub fn days_ago(days: u32) -> i64 {
    crate::clock::now() - i64::from(days) * 86_400
}
