// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run would do, without doing it: mailboxes are only read, the state is a copy in memory.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::imap::{Command, UidSet, Untagged};
use crate::sync::account::Failure;
use crate::sync::folder_mapping::PatternHits;
use crate::sync::job::Shared;
use crate::sync::reconcile::compare::Comparison;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::deletions::{self, LocalPlan};
use crate::sync::reconcile::error::{FolderResult, contain};
use crate::sync::reconcile::flags;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::listing::{self, filed};
use crate::sync::reconcile::prepare::prepare;
use crate::task::RemoteDeletion;

/// What a run would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Preview {
    /// Folder by folder; those where nothing would be done have zeros.
    pub folders: Vec<FolderPreview>,
    /// Messages to copy.
    pub copy: u64,
    /// Their octets.
    pub bytes: u64,
    /// Messages whose flags would be changed locally.
    pub flag: u64,
    /// Messages that would be deleted locally, with folders that would go.
    pub delete_local: u64,
    /// Messages that would be deleted on the remote side.
    pub delete_remote: u64,
    /// What each exclusion pattern hits.
    pub patterns: Vec<PatternHits>,
    /// What would be refused or cannot be looked at, and patterns that hit nothing or more than half of the folders.
    pub warnings: Vec<String>,
}

/// What a run would do in one folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FolderPreview {
    /// The remote folder.
    pub remote: String,
    /// The local folder.
    pub local: String,
    /// Messages to copy.
    pub copy: u64,
    /// Their octets.
    pub bytes: u64,
    /// Messages whose flags would be changed locally.
    pub flag: u64,
    /// Messages that would be deleted locally.
    pub delete_local: u64,
    /// Messages that would be deleted on the remote side.
    pub delete_remote: u64,
}

/// Looks ahead. The job must be a dry one.
pub async fn preview(shared: &Shared) -> Result<Preview, Failure> {
    let mut connections = connections::connect(shared).await?;
    let listing = listing::list(shared, &mut connections).await?;
    let pairs = &listing.pairs;
    let names = pairs
        .iter()
        .map(|pair| (pair.remote.name().to_owned(), pair.local.name().to_owned()));
    shared.reporter.borrow_mut().set_folders(names);
    let mut preview = Preview::default();
    let mut plan = LocalPlan::default();
    let (mut complete, mut compared) = (true, vec![]);
    for (index, pair) in pairs.iter().enumerate() {
        let outcome = connections::at_folder(shared, &mut connections, pair, async |connections| {
            prepare(shared, index, pair.clone(), connections).await
        })
        .await;
        let outcome = contain(shared, pair.remote.name(), outcome)?;
        complete &= outcome.is_some();
        compared.push((pair, outcome.flatten()));
    }
    if complete {
        filed::all_compared(shared, pairs, &mut connections).await?;
    }
    for (pair, compared) in compared {
        let mut folder = FolderPreview {
            remote: pair.remote.name().to_owned(),
            local: pair.local.name().to_owned(),
            ..FolderPreview::default()
        };
        if let Some((sync, comparison)) = compared {
            let sync = Rc::new(sync);
            let outcome = connections::at_folder(shared, &mut connections, pair, async |connections| {
                weigh(shared, &sync, &comparison, connections, &mut folder, &mut plan).await
            })
            .await;
            complete &= contain(shared, pair.remote.name(), outcome)?.is_some();
        }
        preview.copy += folder.copy;
        preview.bytes += folder.bytes;
        preview.flag += folder.flag;
        preview.delete_remote += folder.delete_remote;
        preview.folders.push(folder);
    }
    deletions::delete_local(shared, plan, &listing, complete, &mut connections).await?;
    {
        let reporter = shared.reporter.borrow();
        for (folder, done) in preview.folders.iter_mut().zip(&reporter.report.folders) {
            folder.delete_local = done.deleted_local;
        }
        preview.delete_local = reporter.report.deleted_local;
        preview.warnings = reporter
            .report
            .problems
            .iter()
            .map(|problem| format!("{}: {}", problem.folder, problem.reason))
            .collect();
    }
    let odd = listing.pattern_hits.iter().filter_map(PatternHits::warning);
    preview.warnings.extend(odd);
    preview.patterns.clone_from(&listing.pattern_hits);
    connections::close(connections).await;
    Ok(preview)
}

async fn weigh(
    shared: &Shared,
    sync: &Rc<FolderSync>,
    comparison: &Comparison,
    connections: &mut Connections,
    folder: &mut FolderPreview,
    plan: &mut LocalPlan,
) -> FolderResult<()> {
    let deletion = shared.job.delete_remote;
    if !comparison.wanted.is_empty() {
        let wanted = sizes(sync, comparison, connections).await?;
        folder.copy = wanted.len() as u64;
        folder.bytes = wanted.iter().map(|&(size, _)| size).sum();
        let old = |date: i64, before: i64| date != 0 && date < before;
        folder.delete_remote = match deletion {
            RemoteDeletion::Keep => 0,
            RemoteDeletion::AfterTransfer => folder.copy,
            RemoteDeletion::OlderThan(days) => {
                let before = deletions::days_ago(days.get());
                wanted.iter().filter(|&&(_, date)| old(date, before)).count() as u64
            }
        };
    }
    if sync.pair.destination.is_some() {
        if !shared.job.inbox_only() {
            flags::apply_remote(shared, sync, &mut connections.remote, &mut connections.local).await?;
        }
        deletions::plan_local(shared, sync, connections, plan).await?;
    }
    deletions::delete_remote(shared, sync, connections).await?;
    let mut reporter = shared.reporter.borrow_mut();
    if let Some(done) = reporter.folder(sync.index) {
        folder.flag = done.flags;
        folder.delete_remote += done.deleted_remote;
    }
    Ok(())
}

/// Size and date of arrival of every message to copy.
async fn sizes(
    sync: &Rc<FolderSync>,
    comparison: &Comparison,
    connections: &mut Connections,
) -> FolderResult<Vec<(u64, i64)>> {
    let wanted = UidSet::union_of(&comparison.wanted);
    let chunks = wanted.chunks(usize::MAX);
    let questions = chunks
        .map(|chunk| Command::new("UID FETCH").text(&format!("{chunk} (UID RFC822.SIZE INTERNALDATE)")));
    let mut found = vec![];
    let asked = connections
        .remote
        .open_and_ask(&sync.pair.remote, false, questions, |data| {
            if let Untagged::Fetch(fetch) = data
                && let (Some(_), Some(size)) = (fetch.uid, fetch.size)
            {
                found.push((size, fetch.date.map_or(0, |date| date.unix())));
            }
        });
    asked.await?;
    Ok(found)
}
