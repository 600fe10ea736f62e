// SPDX-License-Identifier: GPL-3.0-or-later
//! Failures that concern one folder, and those that end the run.

use crate::imap::Error;
use crate::sync::account::Failure;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::side::Side;
use crate::sync::state::LedgerError;

const REPLACED: &str = "the folder was replaced during the run; the next run compares it again";

/// How many folders may break connections in one run; with more, it is the server that is broken.
const MAX_UNUSABLE: u32 = 20;

/// A failure that concerns one folder, or ends the run.
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
    /// Connections break at this folder, while the server is there for others.
    Unusable {
        /// Where.
        side: Side,
        /// How it counts.
        kind: Exit,
        /// What happens.
        reason: String,
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

    /// A folder that cannot be created.
    pub fn create(side: Side, error: Error) -> Self {
        match error {
            Error::Command {
                command: "CREATE", ..
            } => Self::Imap {
                side,
                kind: Exit::CreateErrors,
                error,
            },
            _ => Self::select(side, error),
        }
    }

    /// A folder that cannot be worked on, while others can.
    pub fn unusable(side: Side, kind: Exit, reason: String) -> Self {
        Self::Unusable { side, kind, reason }
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
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Imap { side, error, .. } => Self::from_imap(side, &error),
            FolderError::Unusable { side, reason, .. } => Self::from_imap(side, &Error::Unstable(reason)),
            FolderError::Replaced(side) => Self::local(format!("{}: {REPLACED}", side.in_words())),
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
            let reason = format!("{}: {error}", side.in_words());
            shared.reporter.borrow_mut().problem(folder, kind, &reason);
            Ok(None)
        }
        Err(FolderError::Unusable { side, kind, reason }) => {
            let left_out = shared.unusable.get() + 1;
            shared.unusable.set(left_out);
            let text = format!("{}: {reason}; the folder is left out", side.in_words());
            shared.reporter.borrow_mut().problem(folder, kind, &text);
            if left_out > MAX_UNUSABLE {
                let text = "it failed at one folder after another".to_owned();
                return Err(Failure::from_imap(side, &Error::Unstable(text)));
            }
            Ok(None)
        }
        Err(FolderError::Replaced(side)) => {
            let reason = format!("{}: {REPLACED}", side.in_words());
            shared
                .reporter
                .borrow_mut()
                .problem(folder, Exit::SelectErrors, &reason);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
