// SPDX-License-Identifier: GPL-3.0-or-later
//! What can go wrong with a ledger.

use std::fmt;

/// The ledger cannot be read or written.
#[derive(Debug)]
pub struct LedgerError(Cause);

#[derive(Debug)]
enum Cause {
    Database(rusqlite::Error),
    File(std::io::Error),
    /// The file was written by a later version of this program.
    Later,
    /// Something else is in the place of the file.
    NoFile,
}

impl LedgerError {
    /// The file was written by a later version of this program.
    pub(super) fn later() -> Self {
        Self(Cause::Later)
    }

    /// Something else is in the place of the file.
    pub(super) fn no_file() -> Self {
        Self(Cause::NoFile)
    }

    /// Whether the file is no ledger of ours: no database, or a broken one.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let error = match &self.0 {
            Cause::Database(error) => error,
            Cause::NoFile => return true,
            Cause::File(_) | Cause::Later => return false,
        };
        match error {
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => true,
            error => matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)),
        }
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Database(error) => error.fmt(f),
            Cause::File(error) => error.fmt(f),
            Cause::NoFile => f.write_str("in its place is something that is no file"),
            Cause::Later => {
                f.write_str("it was written by a later version of this program; install that version")
            }
        }
    }
}

impl std::error::Error for LedgerError {}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self(Cause::Database(error))
    }
}

impl From<std::io::Error> for LedgerError {
    fn from(error: std::io::Error) -> Self {
        Self(Cause::File(error))
    }
}
