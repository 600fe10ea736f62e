// SPDX-License-Identifier: GPL-3.0-or-later
//! What an action ends with when it does not do its work: what went wrong, the exit code that says it, and its JSON.
//!
//! Parts of the library have their own errors, which say more than an action passes on: a connection
//! ([`imap::Error`](crate::imap::Error)), work on one folder
//! ([`FolderError`](crate::sync::reconcile::error::FolderError)), a run
//! ([`Failure`](crate::sync::account::Failure)), the ledger ([`LedgerError`](crate::sync::state::LedgerError)), a token
//! server ([`TokenError`](crate::source::oauth::TokenError)). The key that the web page translates is an [`ErrorKey`] in all of them.
//!
//! A *refusal* is the administrator's to mend: it names the input field, carries a short key that the
//! web page translates, and leaves everything as it was (contract sections 1 and 3). A *failure* is
//! everything else: a sentence on stderr and exit code 1.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};

/// The result of everything in this library that an action may call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an action ended without doing its work.
#[derive(Debug)]
pub enum Error {
    /// The input cannot be accepted; at least one refusal.
    Refused(Vec<Refusal>),
    /// Something around us failed; the chain of causes is one line on stderr.
    Failed(anyhow::Error),
}

impl Error {
    /// A single refusal.
    pub fn refused(refusal: Refusal) -> Self {
        Self::Refused(vec![refusal])
    }

    /// The same once more, for another task that it concerns.
    #[must_use]
    pub fn repeat(&self) -> Self {
        match self {
            Self::Refused(refusals) => Self::Refused(refusals.clone()),
            Self::Failed(cause) => Self::Failed(anyhow::anyhow!("{cause:#}")),
        }
    }

    /// The code the process ends with: the first refusal's own, or 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(refusals) => refusals.first().map_or(1, |first| first.key.exit_code()),
            Self::Failed(_) => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusals) => {
                let sentences: Vec<String> = refusals.iter().map(ToString::to_string).collect();
                f.write_str(&sentences.join("; "))
            }
            Self::Failed(cause) => write!(f, "{cause:#}"),
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(cause: anyhow::Error) -> Self {
        Self::Failed(cause)
    }
}

impl From<std::io::Error> for Error {
    fn from(cause: std::io::Error) -> Self {
        Self::Failed(cause.into())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::refused(refusal)
    }
}

/// One field of the input that cannot be accepted, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The input field concerned.
    pub parameter: Cow<'static, str>,
    /// What was given, never a secret: for secret fields this stays `""`.
    pub value: Value,
    /// The short key that the web page translates.
    pub key: ErrorKey,
    /// A sentence for those who read the journal: what to do about it.
    pub advice: String,
}

impl Refusal {
    /// Refuses `parameter` without repeating its value.
    pub fn new(parameter: impl Into<Cow<'static, str>>, key: ErrorKey, advice: impl Into<String>) -> Self {
        Self {
            parameter: parameter.into(),
            value: Value::from(""),
            key,
            advice: advice.into(),
        }
    }

    /// The same refusal, repeating what was given. Never for a secret.
    #[must_use]
    pub fn with_value(mut self, value: impl Into<Value>) -> Self {
        self.value = value.into();
        self
    }

    /// A field that has to be there and is not.
    pub fn required(parameter: &'static str) -> Self {
        Self::new(
            parameter,
            ErrorKey::Required(parameter),
            format!("the field {parameter} is required"),
        )
    }

    /// The object of contract section 1: `{"field","parameter","value","error"}`.
    pub fn to_json(&self) -> Value {
        let field = match self.key {
            ErrorKey::Required(_) => "(root)",
            _ => &self.parameter,
        };
        json!({
            "field": field,
            "parameter": self.parameter,
            "value": self.value,
            "error": self.key.to_string(),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.parameter, self.advice, self.key)
    }
}

macro_rules! keys {
    ($(#[doc = $meaning:literal] $name:ident = $text:literal, $code:literal;)*) => {
        /// The keys of refusals; each knows its exit code (contract section 3).
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorKey {
            $(#[doc = $meaning] $name,)*
            /// A field is missing: `<field>_required`.
            Required(&'static str),
            /// A field is of the wrong JSON type: `<field>_invalid_type`.
            InvalidType(&'static str),
            /// A field's value is out of its range or form: `<field>_invalid`.
            Invalid(&'static str),
            /// A field that is not known here: `<field>_additional_property_not_allowed`.
            Unexpected,
        }

        impl ErrorKey {
            /// All without a field's name in them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it means, as a sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning.trim_ascii(),)*
                    Self::Required(_) => "A field is missing.",
                    Self::InvalidType(_) => "A field is of the wrong JSON type.",
                    Self::Invalid(_) => "A field's value is out of its range or form.",
                    Self::Unexpected => "A field that is not known here.",
                }
            }

            /// The exit code that goes with the key.
            pub fn exit_code(self) -> u8 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Required(_) | Self::InvalidType(_) | Self::Unexpected => 10,
                    Self::Invalid(_) => 1,
                }
            }

            /// The key that is spelled `text`, among those without a field's name in them.
            pub fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for ErrorKey {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name => f.write_str($text),)*
                    Self::Required(field) => write!(f, "{field}_required"),
                    Self::InvalidType(field) => write!(f, "{field}_invalid_type"),
                    Self::Invalid(field) => write!(f, "{field}_invalid"),
                    Self::Unexpected => f.write_str("(root)_additional_property_not_allowed"),
                }
            }
        }
    };
}

keys! {
    /// The remote server refused the login.
    BadUserCredentials = "bad_user_credentials", 2;
    /// The remote server refused the OAuth 2.0 token.
    TokenRefused = "token_refused", 2;
    /// The remote server offers no way to log in with these credentials.
    LoginMethodNotOffered = "login_method_not_offered", 1;
    /// The remote server cannot be reached.
    CheckHostnameOrPort = "Check_hostname_or_tcp_port", 3;
    /// No mail module has that uuid.
    MailServerIsNotValid = "mail_server_is_not_valid", 3;
    /// The address of the mail server is malformed.
    MailHostFormat = "mail_host_format", 10;
    /// The TLS handshake failed.
    SslEncryptionError = "SSL_encryption_error", 4;
    /// The remote server does not offer STARTTLS.
    StarttlsNotAllowed = "STARTTLS_not_allowed_use_IMAPS", 4;
    /// The remote server shows another certificate than the accepted one.
    CertificateChanged = "certificate_changed", 4;
    /// No authority vouches for the remote server's certificate, and no one has accepted it yet.
    CertificateUnknown = "certificate_unknown", 4;
    /// The remote server broke the protocol or closed the connection.
    RemoteServerError = "remote_server_error", 1;
    /// The local mail server does not know the user.
    LocalUserUnknown = "local_user_unknown", 1;
    /// The local mail server does not accept the master user's password.
    MasterCredentialsRefused = "master_credentials_refused", 1;
    /// It could not be proven that source and destination are different mailboxes: nothing is deleted.
    MailboxesNotDistinct = "mailboxes_not_distinct", 1;
    /// The service was stopped during the run, which goes on by itself after the next start.
    Interrupted = "interrupted", 1;
    /// The ledger of the local mailbox is damaged; a new one is started.
    LedgerDamaged = "ledger_damaged", 1;
    /// The local mail server cannot be reached.
    LocalServerUnreachable = "local_server_unreachable", 1;
    /// The local mail server shows another certificate than before.
    LocalCertificateChanged = "local_certificate_changed", 1;
    /// configure-module has not run yet.
    MailServerNotConfigured = "mail_server_not_configured", 1;
    /// The container is not running, so nothing can be tested or started.
    ServiceNotRunning = "service_not_running", 1;
    /// No such task.
    TaskNotFound = "task_not_found", 1;
    /// No such source.
    SourceNotFound = "source_not_found", 1;
    /// Tasks follow the source, so it cannot be deleted.
    SourceInUse = "source_in_use", 1;
    /// Somebody has to sign in at the provider before the mailbox can be opened.
    SignInNeeded = "sign_in_needed", 2;
    /// The provider did not issue a token.
    TokenNotIssued = "token_not_issued", 2;
    /// The provider that issues tokens cannot be reached, or its answer makes no sense.
    TokenServerUnreachable = "token_server_unreachable", 3;
    /// The same is being done to other tasks.
    JobRunning = "job_running", 1;
    /// Another user and id make the same file name.
    TaskNameTaken = "task_name_taken", 1;
    /// The account changed, so its stored password may not be used.
    PasswordRequired = "password_required", 1;
    /// The action has another name now.
    UseBrowseFolders = "use_browse_folders", 1;
    /// Deleting locally what is not remote would empty the mailbox.
    DeleteLocalWithInbox = "delete_local_with_inbox", 1;
    /// Both deletions together would delete every message.
    DeleteLocalWithDeleteRemote = "delete_local_with_delete_remote", 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_form_of_the_platform() {
        let refusal = Refusal::new(
            "remotepassword",
            ErrorKey::BadUserCredentials,
            "check the user name and the password",
        );
        assert_eq!(
            refusal.to_json(),
            json!({"field": "remotepassword", "parameter": "remotepassword", "value": "", "error": "bad_user_credentials"})
        );
        assert_eq!(Error::refused(refusal).exit_code(), 2);
    }

    #[test]
    fn a_missing_field_is_reported_as_the_platform_does() {
        let refusal = Refusal::required("localuser");
        assert_eq!(
            refusal.to_json(),
            json!({"field": "(root)", "parameter": "localuser", "value": "", "error": "localuser_required"})
        );
        assert_eq!(Error::from(refusal).exit_code(), 10);
    }

    #[test]
    fn every_key_can_be_read_back() {
        for &key in ErrorKey::ALL {
            assert_eq!(ErrorKey::from_text(&key.to_string()), Some(key));
        }
        assert_eq!(ErrorKey::from_text("no such key"), None);
    }

    #[test]
    fn a_failure_tells_its_causes_on_one_line() {
        let error = Error::from(anyhow::anyhow!("disk full").context("cannot write u1.env"));
        assert_eq!(error.to_string(), "cannot write u1.env: disk full");
        assert_eq!(error.exit_code(), 1);
    }
}
