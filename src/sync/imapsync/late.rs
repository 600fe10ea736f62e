// SPDX-License-Identifier: GPL-3.0-or-later
//! Old mail that arrives late. After a complete run imapsync is told to look a few days back only (`--maxage`), and would
//! never see a message that comes with an older date: moved there by its owner, or from another account. So the source is
//! asked before whether there is any, and imapsync looks at everything when there may be.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::imap::{Error, UidSet};
use crate::sync::account::Failure;
use crate::sync::event::Event;
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::state::AccountFact;

/// Where each folder of the source ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ends(BTreeMap<String, End>);

/// A folder's UIDVALIDITY and UIDNEXT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct End(u32, u32);

/// What has come to a folder.
#[derive(Debug, PartialEq, Eq)]
enum News {
    /// Nothing.
    Nothing,
    /// Messages with UIDs from the one to the other.
    Between(u32, u32),
    /// Nothing is known of the folder, or it is another one.
    Unknown,
}

impl Ends {
    /// Those of the folders that a run looks at, as the server lists them.
    fn of(pairs: &[Pair]) -> Self {
        let end = |pair: &Pair| {
            let end = End(pair.source.uid_validity?, pair.source.uid_next?);
            Some((pair.remote.name().to_owned(), end))
        };
        Self(pairs.iter().filter_map(end).collect())
    }

    /// Those of the last complete run.
    pub(super) fn former(shared: &Shared) -> Result<Self, Failure> {
        let text = shared.state.borrow().account_fact(AccountFact::ImapsyncEnds)?;
        // What cannot be read is as good as nothing: everything is looked at.
        Ok(text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    }

    /// Whether any of the messages of a folder is in front of its end; of a folder of which nothing is known all may be.
    pub(super) fn has_any(&self, folder: &str, uids: &UidSet) -> bool {
        let end = self.0.get(folder);
        uids.first()
            .is_some_and(|first| end.is_none_or(|End(_, next)| first < *next))
    }

    /// Remembers them as those of a complete run.
    pub fn remember(&self, shared: &Shared) -> Result<(), Failure> {
        let text = serde_json::to_string(self)
            .map_err(|error| Failure::local(format!("cannot remember where the folders end: {error}")))?;
        Ok(shared
            .state
            .borrow()
            .set_account_fact(AccountFact::ImapsyncEnds, &text)?)
    }

    fn news(&self, folder: &str, former: &Self) -> News {
        match (self.0.get(folder), former.0.get(folder)) {
            (Some(End(validity, next)), Some(End(before, known))) if validity == before && next >= known => {
                match next > known {
                    true => News::Between(*known, next - 1),
                    false => News::Nothing,
                }
            }
            _ => News::Unknown,
        }
    }
}

/// Where the folders end now, and whether mail has come to them that imapsync would not see when it looks back so many
/// days.
pub(super) async fn look(
    shared: &Shared,
    pairs: &[Pair],
    days: Option<u32>,
    connections: &mut Connections,
) -> Result<(Ends, bool), Failure> {
    let ends = Ends::of(pairs);
    let late = match days {
        // A folder that cannot be asked may have some.
        Some(days) => match is_late(shared, pairs, &ends, days, connections).await {
            Err(FolderError::Imap {
                error: Error::Command { .. },
                ..
            }) => true,
            outcome => outcome?,
        },
        None => false,
    };
    if late {
        shared.reporter.borrow_mut().tell(&Event::OldMailArrived);
    }
    Ok((ends, late))
}

async fn is_late(
    shared: &Shared,
    pairs: &[Pair],
    ends: &Ends,
    days: u32,
    connections: &mut Connections,
) -> FolderResult<bool> {
    let former = Ends::former(shared)?;
    for pair in pairs {
        let (first, last) = match ends.news(pair.remote.name(), &former) {
            News::Nothing => continue,
            News::Unknown => return Ok(true),
            News::Between(first, last) => (first, last),
        };
        connections.remote.open(&pair.remote, false).await?;
        let found = connections
            .remote
            .search(&criteria(first, last, days, Timestamp::now()))
            .await?;
        if !found.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// No one has mail that is so many days old.
const AGES: u32 = 365_000;

/// Messages between two UIDs that are too old in the eyes of imapsync, which goes by the date of arrival or by the Date
/// field. One day is left for the time zones of servers.
fn criteria(first: u32, last: u32, days: u32, now: Timestamp) -> String {
    let today = now.to_zoned(TimeZone::UTC).date();
    let day = today.saturating_sub(i64::from(days.saturating_sub(1).min(AGES)).days());
    let day = day.strftime("%-d-%b-%Y");
    format!("UID {first}:{last} OR BEFORE {day} SENTBEFORE {day}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(folders: &[(&str, u32, u32)]) -> Ends {
        let folders = folders.iter();
        Ends(
            folders
                .map(|&(name, validity, next)| (name.to_owned(), End(validity, next)))
                .collect(),
        )
    }

    #[test]
    fn news_are_what_came_behind_the_former_end() {
        let former = ends(&[
            ("INBOX", 7, 10),
            ("Work", 7, 10),
            ("Gone back", 7, 10),
            ("Replaced", 7, 10),
        ]);
        let now = ends(&[
            ("INBOX", 7, 10),
            ("Work", 7, 13),
            ("Gone back", 7, 9),
            ("Replaced", 8, 10),
            ("New", 7, 1),
        ]);
        let news = |folder: &str| now.news(folder, &former);
        assert_eq!(
            [news("INBOX"), news("Work")],
            [News::Nothing, News::Between(10, 12)]
        );
        for folder in ["Gone back", "Replaced", "New", "not listed"] {
            assert_eq!(news(folder), News::Unknown, "{folder}");
        }
        let text = serde_json::to_string(&now).unwrap();
        assert_eq!(serde_json::from_str::<Ends>(&text).unwrap(), now);
    }

    #[test]
    fn what_is_older_than_the_days_is_searched_for() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(
            criteria(3, 9, 1, now),
            "UID 3:9 OR BEFORE 1-Mar-2026 SENTBEFORE 1-Mar-2026"
        );
        assert_eq!(
            criteria(3, 9, 3, now),
            "UID 3:9 OR BEFORE 27-Feb-2026 SENTBEFORE 27-Feb-2026"
        );
        assert!(criteria(1, 1, u32::MAX, now).starts_with("UID 1:1 OR BEFORE "));
    }
}
