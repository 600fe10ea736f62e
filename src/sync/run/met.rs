// SPDX-License-Identifier: GPL-3.0-or-later
//! Certificates that the logins of a run see for the first time are saved at once.

use std::task::Poll;

use crate::imap::Certificate;
use crate::sync::account::{self, Failure};
use crate::task::{Store, TaskName};

/// Drives work to its end, and does something whenever it pauses; an error of that is the end.
pub(super) async fn with_pauses<E>(
    work: impl Future<Output = Result<(), E>>,
    mut at_pause: impl FnMut() -> Result<(), E>,
) -> Result<(), E> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Pending => match at_pause() {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        },
        ended @ Poll::Ready(_) => ended,
    })
    .await
}

/// A task that knows nothing of its server yet, such as one from before certificates were looked at, accepts what it
/// meets first, and nothing less from then on. What is known, or was and is damaged, stays.
pub(super) fn keep_trust(store: &Store, name: &TaskName, certificate: &Certificate) -> Result<(), Failure> {
    let mut options = store.options(name);
    if !options.trust.is_unknown() {
        return Ok(());
    }
    options.trust = account::learnt(certificate);
    store
        .save_options(name, &options)
        .map_err(|error| Failure::local(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::sync::runtime;
    use crate::task::{FileKind, Layout, Trust};

    fn certificate(sha256: &str) -> Certificate {
        Certificate {
            subject: String::new(),
            issuer: String::new(),
            not_before: String::new(),
            not_after: String::new(),
            sha256: sha256.to_owned(),
            trusted: false,
            fault: None,
            names: vec![],
        }
    }

    #[test]
    fn who_is_met_first_stays_and_a_damaged_record_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_state(folder.path()));
        store.create_folders().unwrap();
        let name = TaskName::parse("u1_abc123").unwrap();
        for sha256 in ["ab", "cd"] {
            keep_trust(&store, &name, &certificate(sha256)).unwrap();
            assert_eq!(store.options(&name).trust, Trust::Pinned("ab".to_owned()));
        }
        let path = store.path(&name, FileKind::Options);
        std::fs::write(&path, "{").unwrap();
        keep_trust(&store, &name, &certificate("cd")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{");
    }

    #[test]
    fn what_is_met_is_kept_before_the_work_goes_on() {
        let (met, kept) = (Cell::new(false), Cell::new(false));
        let work = async {
            met.set(true);
            tokio::task::yield_now().await;
            assert!(kept.get());
            Ok::<(), Failure>(())
        };
        let keep = || {
            kept.set(met.get());
            Ok(())
        };
        runtime::ask(with_pauses(work, keep)).unwrap().unwrap();
    }

    #[test]
    fn a_run_that_cannot_keep_whom_it_met_goes_no_further() {
        let work = async {
            tokio::task::yield_now().await;
            Err::<(), _>("the work went on")
        };
        let outcome = runtime::ask(with_pauses(work, || Err("disk full"))).unwrap();
        assert_eq!(outcome, Err("disk full"));
    }
}
