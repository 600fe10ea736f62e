// SPDX-License-Identifier: GPL-3.0-or-later
//! The fields of a task, as create-task and its relatives take them (contract section 3).

use ns8_imapsync::control::settings::Request;
use ns8_imapsync::error::{Error, ErrorKey, Refusal, Result};
use ns8_imapsync::secret::SecretText;
use ns8_imapsync::source::{Source, Sources};
use ns8_imapsync::task::{
    Bandwidth, Exclusions, FolderMode, FolderOptions, Invalid, LocalUser, Port, RemoteDeletion, RemoteHost,
    RemoteUser, Schedule, SecretString, Security, SourceId, Task, TaskId, parse_fingerprint, parse_password,
};
use serde_json::Value;

pub(crate) use folder_options::FolderOptionsFields;
pub(crate) use inputs::{ChangedFields, TaskFields};

use super::input::repeated;

pub(crate) mod columns;
pub(crate) mod facts;
mod folder_options;
mod inputs;
pub(crate) mod listed;

/// The longest password, in bytes; 200 characters of any script fit in.
const LONGEST_PASSWORD: usize = 1024;
/// The longest list of patterns, in bytes.
const LONGEST_EXCLUSIONS: usize = 16 * 1024;

impl TaskFields {
    /// Parses every field. What a source says comes from there.
    ///
    /// # Errors
    /// All refusals at once; `source_not_found`.
    pub(crate) fn parse(self, sources: &Sources) -> Result<Request> {
        let mut gather = Gather::default();
        let source = match self.source.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => Some(sources.load(&source_id_of("source", id)?)?),
            None => None,
        };
        let id = gather.text("task_id", &self.task_id, TaskId::parse);
        let local_user = gather.text("localuser", &self.localuser, LocalUser::parse);
        let mailbox = gather.text("remoteusername", &self.remoteusername, RemoteUser::parse);
        let password = self.remotepassword.as_ref().map_or("", SecretText::expose);
        let password = gather.password(password);
        let remote = match &source {
            None => gather.server(&self, mailbox),
            Some(source) => mailbox.and_then(|mailbox| gather.of_source(source, mailbox)),
        };
        let days = gather.days(self.delete_remote_older.unwrap_or_default());
        let exclusions = gather.exclusions(&self.exclude);
        let schedule = gather.text("cron", &self.cron, Schedule::parse);
        let folders = gather.text(
            "foldersynchronization",
            &self.foldersynchronization,
            FolderMode::parse,
        );
        let certificate = gather.certificate(self.certificate.as_deref().unwrap_or_default());
        let folder_options = gather.folder_options(self.folder_options.as_ref());
        let bandwidth = gather.bandwidth(self.bandwidth);
        if self.delete_local && folders == Some(FolderMode::Inbox) {
            gather.refuse(
                Refusal::new(
                    "delete_local",
                    ErrorKey::DeleteLocalWithInbox,
                    "with the inbox alone, nearly all local mail would be deleted; choose one of both",
                )
                .with_value(true),
            );
        }
        if self.delete_local && self.delete_remote {
            gather.refuse(
                Refusal::new(
                    "delete_local",
                    ErrorKey::DeleteLocalWithDeleteRemote,
                    "what is deleted on the remote side would then be deleted locally; choose one of both",
                )
                .with_value(true),
            );
        }
        match (
            id,
            local_user,
            remote,
            password,
            days,
            exclusions,
            schedule,
            folders,
            certificate,
            folder_options,
        ) {
            (
                Some(id),
                Some(local_user),
                Some(remote),
                Some(password),
                Some(days),
                Some(exclusions),
                Some(schedule),
                Some(folders),
                Some(certificate),
                Some(folder_options),
            ) if gather.0.is_empty() => Ok(Request {
                task: Task {
                    id,
                    local_user,
                    remote_user: remote.user,
                    remote_host: remote.host,
                    remote_port: remote.port,
                    security: remote.security,
                    folders,
                    exclusions,
                    delete_local: self.delete_local,
                    delete_remote: RemoteDeletion::from_fields(self.delete_remote, days),
                    schedule,
                    sieve: self.sieve_enabled.unwrap_or_default(),
                },
                password,
                certificate: certificate.or_else(|| source.as_ref()?.certificate.clone()),
                source: source.zip(remote.mailbox),
                confirm_certificate: self.confirm_certificate.unwrap_or_default(),
                options: self.options(folder_options),
                bandwidth,
            }),
            _ => Err(Error::Refused(gather.0)),
        }
    }
}

/// Reads the field `source_id`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn source_id(text: &str) -> Result<SourceId> {
    source_id_of("source_id", text)
}

/// Reads the field `mailbox`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn mailbox(text: &str) -> Result<RemoteUser> {
    mailbox_that(text, |_| Ok(()))
}

/// Reads the field `mailbox` for a source, which has to make a login of it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn mailbox_of(source: &Source, text: &str) -> Result<RemoteUser> {
    mailbox_that(text, |mailbox| source.login(mailbox).map(|_| ()))
}

fn mailbox_that(text: &str, fits: impl Fn(&RemoteUser) -> Result<(), Invalid>) -> Result<RemoteUser> {
    let mailbox = RemoteUser::parse(text).and_then(|mailbox| fits(&mailbox).map(|()| mailbox));
    mailbox.map_err(|invalid| {
        Refusal::new("mailbox", ErrorKey::Invalid("mailbox"), invalid.to_string())
            .with_value(repeated(text))
            .into()
    })
}

fn source_id_of(name: &'static str, text: &str) -> Result<SourceId> {
    SourceId::parse(text).map_err(|invalid| {
        Refusal::new(name, ErrorKey::Invalid(name), invalid.to_string())
            .with_value(repeated(text))
            .into()
    })
}

/// Where a task pulls from.
struct Remote {
    user: RemoteUser,
    host: RemoteHost,
    port: Port,
    security: Security,
    /// The mailbox as its source knows it, which is not always the login name.
    mailbox: Option<RemoteUser>,
}

/// Collects refusals, so that the administrator sees all of them.
#[derive(Default)]
pub(crate) struct Gather(Vec<Refusal>);

impl Gather {
    /// Adds a refusal.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.0.push(refusal);
    }

    /// Everything that was refused, if anything was.
    ///
    /// # Errors
    /// The refusals.
    pub(crate) fn end(self) -> Result<()> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(Error::Refused(self.0)),
        }
    }

    /// A text that is not a secret.
    pub(crate) fn text<T>(
        &mut self,
        name: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        match parse(text) {
            Ok(value) => Some(value),
            Err(invalid) => {
                self.invalid(name, repeated(text), invalid.to_string());
                None
            }
        }
    }

    /// The remote password; the inner `None` is the empty one.
    pub(crate) fn password(&mut self, text: &str) -> Option<Option<SecretString>> {
        let parsed = match text.len() {
            0 => return Some(None),
            length if length > LONGEST_PASSWORD => Err(format!("it is longer than {LONGEST_PASSWORD} bytes")),
            _ => parse_password(text).map_err(|invalid| invalid.to_string()),
        };
        match parsed {
            Ok(password) => Some(Some(password)),
            Err(advice) => {
                self.invalid("remotepassword", "".into(), advice);
                None
            }
        }
    }

    fn server(&mut self, fields: &TaskFields, user: Option<RemoteUser>) -> Option<Remote> {
        let host = self.host(fields.remotehostname.as_deref().unwrap_or_default());
        let port = self.port(fields.remoteport.unwrap_or_default());
        let security = fields.security.as_deref().unwrap_or_default();
        let security = self.text("security", security, Security::parse);
        Some(Remote {
            user: user?,
            host: host?,
            port: port?,
            security: security?,
            mailbox: None,
        })
    }

    fn of_source(&mut self, source: &Source, mailbox: RemoteUser) -> Option<Remote> {
        let text = mailbox.to_string();
        Some(Remote {
            user: self.text("remoteusername", &text, |_| source.login(&mailbox))?,
            host: source.host.clone(),
            port: source.port,
            security: source.security,
            mailbox: Some(mailbox),
        })
    }

    /// The inner `None` is a field that is not there.
    fn folder_options(&mut self, fields: Option<&FolderOptionsFields>) -> Option<Option<FolderOptions>> {
        match fields.map(FolderOptionsFields::parse).transpose() {
            Ok(options) => Some(options),
            Err(invalid) => {
                self.invalid("folder_options", "".into(), invalid.to_string());
                None
            }
        }
    }

    /// The patterns of folders to leave out.
    pub(crate) fn exclusions(&mut self, text: &str) -> Option<Exclusions> {
        if text.len() > LONGEST_EXCLUSIONS {
            self.invalid(
                "exclude",
                "".into(),
                format!("it is longer than {LONGEST_EXCLUSIONS} bytes"),
            );
            return None;
        }
        self.text("exclude", text, Exclusions::parse)
    }

    /// A host that can never be reached gets the key of one that cannot be reached.
    fn host(&mut self, text: &str) -> Option<RemoteHost> {
        match RemoteHost::parse(text) {
            Ok(host) => Some(host),
            Err(invalid) if text.chars().any(char::is_control) => {
                self.invalid("remotehostname", repeated(text), invalid.to_string());
                None
            }
            Err(invalid) => {
                self.0.push(
                    Refusal::new(
                        "remotehostname",
                        ErrorKey::CheckHostnameOrPort,
                        invalid.to_string(),
                    )
                    .with_value(repeated(text)),
                );
                None
            }
        }
    }

    fn port(&mut self, number: i64) -> Option<Port> {
        let port = u16::try_from(number).ok().and_then(Port::new);
        if port.is_none() {
            self.invalid(
                "remoteport",
                number.into(),
                "expected a port from 1 to 65535".to_owned(),
            );
        }
        port
    }

    fn days(&mut self, number: i64) -> Option<u32> {
        let days = u32::try_from(number).ok();
        if days.is_none() {
            self.invalid(
                "delete_remote_older",
                number.into(),
                "expected a number of days, 0 or more".to_owned(),
            );
        }
        days
    }

    /// Reads the field `bandwidth`; the inner `None` is no limit. One that is refused is told of by [`Gather::end`].
    #[expect(clippy::option_option, reason = "not given, no limit, a limit")]
    pub(crate) fn bandwidth(&mut self, number: Option<i64>) -> Option<Option<Bandwidth>> {
        let number = number?;
        let limit = Bandwidth::parse(number);
        limit
            .map_err(|invalid| self.invalid("bandwidth", number.into(), invalid.to_string()))
            .ok()
    }

    fn certificate(&mut self, text: &str) -> Option<Option<String>> {
        if text.is_empty() {
            return Some(None);
        }
        self.text("certificate", text, parse_fingerprint).map(Some)
    }

    /// Refuses a field for its value, which must not be a secret.
    pub(crate) fn invalid(&mut self, name: &'static str, value: Value, advice: String) {
        self.0
            .push(Refusal::new(name, ErrorKey::Invalid(name), advice).with_value(value));
    }
}

#[cfg(test)]
mod tests;
