// SPDX-License-Identifier: GPL-3.0-or-later
//! What goes wrong with one folder, and what with everything.

use crate::imap::Error;
use crate::sync::account::{Failure, Side};
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::state::LedgerError;

const REPLACED: &str = "the folder was replaced during the run; the next run compares it anew";

/// FolderError with one folder, or with everything.
pub enum FolderError {
    /// A command or a connection.
    Imap {
        /// Where.
        side: Side,
        /// How it counts when only this folder is concerned.
        kind: Exit,
        /// What.
        error: Error,
    },
    /// A folder has another UIDVALIDITY than at the start: nothing that is known of its UIDs holds.
    Replaced(Side),
    /// Something that ends the run.
    Failure(Failure),
}

/// Result of work on one folder.
pub type FolderResult<T> = Result<T, FolderError>;

impl FolderError {
    /// A folder that cannot be opened.
    pub fn select(side: Side, error: Error) -> Self {
        Self::Imap {
            side,
            kind: Exit::SelectErrors,
            error,
        }
    }

    /// Something that cannot be read, or the folder in which it was to be opened at once.
    pub fn fetch(side: Side, error: Error) -> Self {
        let kind = match error {
            Error::Command {
                command: "SELECT" | "EXAMINE",
                ..
            } => Exit::SelectErrors,
            _ => Exit::FetchErrors,
        };
        Self::Imap { side, kind, error }
    }

    /// Something that cannot be changed.
    pub fn change(side: Side, error: Error) -> Self {
        Self::Imap {
            side,
            kind: Exit::WithErrors,
            error,
        }
    }
}

impl From<LedgerError> for FolderError {
    fn from(error: LedgerError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<Failure> for FolderError {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<FolderError> for Failure {
    fn from(trouble: FolderError) -> Self {
        match trouble {
            FolderError::Imap { side, error, .. } => Self::from_imap(side, &error),
            FolderError::Replaced(side) => Self::local(format!("{}: {REPLACED}", side.host())),
            FolderError::Failure(failure) => failure,
        }
    }
}

/// A refusal concerns one folder and is noted; everything else ends the run.
pub fn contain<T>(shared: &Shared, folder: &str, outcome: FolderResult<T>) -> Result<Option<T>, Failure> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(FolderError::Imap {
            kind,
            error: error @ Error::Command { .. },
            side,
        }) => {
            let reason = format!("{}: {error}", side.host());
            shared.reporter.borrow_mut().problem(folder, kind, &reason);
            Ok(None)
        }
        Err(FolderError::Replaced(side)) => {
            let reason = format!("{}: {REPLACED}", side.host());
            shared
                .reporter
                .borrow_mut()
                .problem(folder, Exit::SelectErrors, &reason);
            Ok(None)
        }
        Err(trouble) => Err(trouble.into()),
    }
}
