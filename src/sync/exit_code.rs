// SPDX-License-Identifier: GPL-3.0-or-later
//! How a run ends: the exit codes that people know from imapsync.

/// The exit code of imapsync itself when a signal ended it; ours is that of [`Exit::Stopped`].
pub const IMAPSYNC_BY_SIGNAL: u8 = 6;

macro_rules! exits {
    ($($variant:ident = $code:literal, $name:literal, $key:literal, $meaning:literal;)*) => {
        /// The outcome of a run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Exit {
            $(#[doc = $meaning] $variant,)*
        }

        impl Exit {
            /// All of them, by code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The exit code of the process.
            pub fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The name that imapsync gives it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The key that the web page translates.
            pub fn key(self) -> &'static str {
                match self {
                    $(Self::$variant => $key,)*
                }
            }

            /// What it means, as a sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }
    };
}

exits! {
    Ok = 0, "EX_OK", "ok", "Everything was done.";
    CatchAll = 1, "EXIT_CATCH_ALL", "run_failed", "A failure without an exit code for it; the log says what went wrong.";
    Connection = 10, "EXIT_CONNECTION_FAILURE", "remote_unreachable", "A server cannot be reached.";
    TlsFailure = 12, "EXIT_TLS_FAILURE", "SSL_encryption_error", "TLS could not be agreed on, or a certificate is not accepted.";
    Authentication = 16, "EXIT_AUTHENTICATION_FAILURE", "bad_user_credentials", "A server refused the login.";
    NoInput = 66, "EX_NOINPUT", "task_not_found", "There is no such task, or its files cannot be read.";
    ConnectionHost1 = 101, "EXIT_CONNECTION_FAILURE_HOST1", "remote_unreachable", "The remote server cannot be reached.";
    ConnectionHost2 = 102, "EXIT_CONNECTION_FAILURE_HOST2", "local_server_unreachable", "The local server cannot be reached.";
    WithErrors = 111, "EXIT_WITH_ERRORS", "run_with_errors", "Errors of several kinds, or deletions that were withheld; the log names each.";
    TooManyErrors = 112, "EXIT_WITH_ERRORS_MAX", "run_with_errors", "So many errors that the rest was given up.";
    OverQuota = 113, "EXIT_OVERQUOTA", "over_quota", "The local mailbox is full.";
    AppendErrors = 114, "EXIT_ERR_APPEND", "append_failed", "The local server refused messages.";
    FetchErrors = 115, "EXIT_ERR_FETCH", "fetch_failed", "Messages could not be read from the remote server.";
    CreateErrors = 116, "EXIT_ERR_CREATE", "create_folder_failed", "Folders could not be created on the local server.";
    SelectErrors = 117, "EXIT_ERR_SELECT", "select_folder_failed", "Folders could not be opened.";
    TransferExceeded = 118, "EXIT_TRANSFER_EXCEEDED", "transfer_limit", "A limit of bytes was reached.";
    AppendVirus = 119, "EXIT_ERR_APPEND_VIRUS", "virus_found", "The local server took a message for a virus.";
    Stopped = 143, "EXIT_BY_SIGNAL", "stopped", "Somebody stopped the run; what was copied stays.";
    AuthenticationUser1 = 161, "EXIT_AUTHENTICATION_FAILURE_USER1", "bad_user_credentials", "The remote server refused the login.";
    AuthenticationUser2 = 162, "EXIT_AUTHENTICATION_FAILURE_USER2", "local_login_refused", "The local server refused the login.";
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

    #[test]
    fn each_code_stands_once_and_in_order() {
        assert!(Exit::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
    }
}
