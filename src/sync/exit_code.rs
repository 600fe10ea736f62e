// SPDX-License-Identifier: GPL-3.0-or-later
//! How a run ends: the exit codes that people know from imapsync.

/// The outcome of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exit {
    /// Everything was done.
    Ok,
    /// Something that has no code of its own.
    CatchAll,
    /// A server cannot be reached.
    Connection,
    /// TLS could not be agreed on.
    TlsFailure,
    /// A server refused the login.
    Authentication,
    /// No such task, or it cannot be read.
    NoInput,
    /// The remote server cannot be reached.
    ConnectionHost1,
    /// The local server cannot be reached.
    ConnectionHost2,
    /// Errors of several kinds.
    WithErrors,
    /// So many errors that the rest was given up.
    TooManyErrors,
    /// The local mailbox is full.
    OverQuota,
    /// Messages were refused by the local server.
    AppendErrors,
    /// Messages could not be read from the remote server.
    FetchErrors,
    /// Folders could not be created.
    CreateErrors,
    /// Folders could not be opened.
    SelectErrors,
    /// A limit of bytes was reached.
    TransferExceeded,
    /// The local server took a message for a virus.
    AppendVirus,
    /// Stopped by a signal.
    Stopped,
    /// The remote server refused the login.
    AuthenticationUser1,
    /// The local server refused the login.
    AuthenticationUser2,
}

impl Exit {
    /// The exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::CatchAll => 1,
            Self::Connection => 10,
            Self::TlsFailure => 12,
            Self::Authentication => 16,
            Self::NoInput => 66,
            Self::ConnectionHost1 => 101,
            Self::ConnectionHost2 => 102,
            Self::WithErrors => 111,
            Self::TooManyErrors => 112,
            Self::OverQuota => 113,
            Self::AppendErrors => 114,
            Self::FetchErrors => 115,
            Self::CreateErrors => 116,
            Self::SelectErrors => 117,
            Self::TransferExceeded => 118,
            Self::AppendVirus => 119,
            Self::Stopped => 143,
            Self::AuthenticationUser1 => 161,
            Self::AuthenticationUser2 => 162,
        }
    }

    /// The name that imapsync gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "EX_OK",
            Self::CatchAll => "EXIT_CATCH_ALL",
            Self::Connection => "EXIT_CONNECTION_FAILURE",
            Self::TlsFailure => "EXIT_TLS_FAILURE",
            Self::Authentication => "EXIT_AUTHENTICATION_FAILURE",
            Self::NoInput => "EX_NOINPUT",
            Self::ConnectionHost1 => "EXIT_CONNECTION_FAILURE_HOST1",
            Self::ConnectionHost2 => "EXIT_CONNECTION_FAILURE_HOST2",
            Self::WithErrors => "EXIT_WITH_ERRORS",
            Self::TooManyErrors => "EXIT_WITH_ERRORS_MAX",
            Self::OverQuota => "EXIT_OVERQUOTA",
            Self::AppendErrors => "EXIT_ERR_APPEND",
            Self::FetchErrors => "EXIT_ERR_FETCH",
            Self::CreateErrors => "EXIT_ERR_CREATE",
            Self::SelectErrors => "EXIT_ERR_SELECT",
            Self::TransferExceeded => "EXIT_TRANSFER_EXCEEDED",
            Self::AppendVirus => "EXIT_ERR_APPEND_VIRUS",
            Self::Stopped => "EXIT_BY_SIGNAL",
            Self::AuthenticationUser1 => "EXIT_AUTHENTICATION_FAILURE_USER1",
            Self::AuthenticationUser2 => "EXIT_AUTHENTICATION_FAILURE_USER2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_imapsync() {
        let known = [
            (Exit::Ok, 0),
            (Exit::ConnectionHost1, 101),
            (Exit::ConnectionHost2, 102),
            (Exit::OverQuota, 113),
            (Exit::AuthenticationUser1, 161),
            (Exit::AuthenticationUser2, 162),
            (Exit::Stopped, 143),
        ];
        for (exit, code) in known {
            assert_eq!(exit.code(), code);
        }
    }
}
