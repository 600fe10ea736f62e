// SPDX-License-Identifier: GPL-3.0-or-later
//! Settings on their way to becoming a task: completed, tested on both sides, stored.

use anyhow::anyhow;

use super::runs;
use crate::agent::journal;
use crate::container::Container;
use crate::error::{Error, ErrorKey, Refusal, Result};
use crate::imap::Certificate;
use crate::source::{Access, Kind, Source, Sources};
use crate::sync::account::learnt;
use crate::sync::inspect::candidate::{Candidate, LocalFields, RemoteFields};
use crate::sync::inspect::login_test::{LoginTest, LoginTestReport};
use crate::task::FileKind;
use crate::task::options::{Options, OptionsChange};
use crate::task::{
    Bandwidth, ExposeSecret as _, MailHost, Refusals, RemoteUser, SecretString, SourceLink, Store, Task,
    TaskName, Trust,
};

/// What is asked for, each value sound for itself.
#[derive(Debug)]
pub struct Request {
    /// What `NAME.env` will say.
    pub task: Task,
    /// The password, if one was given.
    pub password: Option<SecretString>,
    /// The certificate that the administrator accepts.
    pub certificate: Option<String>,
    /// Whether a certificate that no authority vouches for is shown before the password is sent, where none was
    /// accepted before.
    pub confirm_certificate: bool,
    /// The source that the server's address comes from, and the mailbox there.
    pub source: Option<(Source, RemoteUser)>,
    /// What `NAME.json` will say.
    pub options: OptionsChange,
    /// How much its runs may pull, if that changes; the inner `None` is no limit.
    pub bandwidth: Option<Option<Bandwidth>>,
}

/// Settings with all that a login needs.
#[derive(Debug)]
pub struct TaskSettings {
    task: Task,
    password: SecretString,
    trust: Trust,
    confirm_certificate: bool,
    source: Option<(Source, RemoteUser)>,
    options: OptionsChange,
    bandwidth: Option<Option<Bandwidth>>,
    /// Whether nothing changes that a login could fail by.
    same_login: bool,
}

impl TaskSettings {
    /// Completes a request with what is stored of the task that it edits.
    ///
    /// # Errors
    /// `task_name_taken`; `password_required` for a new task, and for one whose account or certificate changes or whose
    /// connection is to be protected less: a stored password is never sent to another server, nor more openly than
    /// it was entrusted to this program.
    pub fn complete(store: &Store, request: Request) -> Result<Self> {
        let Request {
            task,
            password,
            certificate,
            confirm_certificate,
            source,
            options,
            bandwidth,
        } = request;
        let name = task.name();
        let is_given = password.is_some();
        store.refuse_taken_name(&task)?;
        let edit = store.path(&name, FileKind::Env).exists();
        // A damaged file is mended by an edit that brings everything.
        let former = store.load(&name).ok().flatten();
        let same_account = former.as_ref().is_some_and(|former| former.same_account(&task));
        let same_server = former.as_ref().is_some_and(|former| {
            former.remote_host.is_same(&task.remote_host) && former.remote_port == task.remote_port
        });
        let recorded = match same_server {
            true => store.options(&name).trust,
            false => Trust::Unknown,
        };
        // Whom the task trusted cannot be read: whoever enters the password starts again, and no one else does.
        let is_damaged = recorded.is_damaged();
        let known = match is_damaged {
            true => Trust::Unknown,
            false => recorded,
        };
        let of_source = source
            .as_ref()
            .and_then(|(source, _)| source.certificate.as_ref());
        let trust = match certificate {
            // What holds for all tasks of a source is no reason to trust less in one of them.
            Some(pin) if known == Trust::Authorities && of_source == Some(&pin) => known.clone(),
            Some(pin) => Trust::Pinned(pin),
            None => known.clone(),
        };
        let weaker = is_damaged
            || (!known.is_unknown() && trust != known)
            || former
                .as_ref()
                .is_some_and(|former| task.security.is_weaker_than(former.security));
        let access = source
            .as_ref()
            .map_or(Access::OwnPassword, |(source, _)| source.access());
        let stored = || -> Result<Option<SecretString>> {
            match &former {
                // A task that got along without a password left an empty one.
                Some(former) if same_account && !weaker => {
                    let stored = store.password(former)?;
                    Ok(stored.filter(|password| !password.expose_secret().is_empty()))
                }
                _ => Ok(None),
            }
        };
        let password = match (access, password) {
            (Access::OwnPassword, Some(password)) => Some(password),
            (Access::OwnPassword, None) => stored()?,
            (_, Some(_)) => {
                return Err(Refusal::new(
                    "remotepassword",
                    ErrorKey::Invalid("remotepassword"),
                    "the source signs in for this task: leave the password out",
                )
                .into());
            }
            (Access::Password(password) | Access::OnBehalf { password, .. }, None) => Some(password),
            (Access::Token, None) => Some(SecretString::default()),
        };
        let password = password.ok_or_else(|| {
            let advice = match edit {
                true if weaker => {
                    "another certificate, or a connection that is protected less: give the password as well"
                }
                true => "the account changed, or its password is lost: give the password as well",
                false => "a new task needs the password of the remote account",
            };
            Refusal::new("remotepassword", ErrorKey::PasswordRequired, advice)
        })?;
        let same_login = same_account
            && trust == known
            && !known.is_unknown()
            && former
                .as_ref()
                .is_some_and(|former| former.security == task.security)
            && !is_given
            && is_linked(store, &task, source.as_ref())
            && got_in(store, &name);
        Ok(Self {
            task,
            password,
            trust,
            confirm_certificate,
            source,
            options,
            bandwidth,
            same_login,
        })
    }

    /// The settings.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The form in which the container takes them.
    pub fn candidate(&self) -> Candidate {
        let task = &self.task;
        // What opens many mailboxes is shown to no server that nothing is known of.
        let opens_many = |(source, _): &(Source, _)| source.kind() != Kind::Password;
        Candidate {
            remote: RemoteFields {
                host: task.remote_host.as_str().to_owned(),
                port: task.remote_port,
                security: task.security.as_str().to_owned(),
                user: task.remote_user.as_str().to_owned(),
                password: self.password.clone().into(),
                source: self
                    .source
                    .as_ref()
                    .map(|(source, _)| source.id.as_str().to_owned()),
                trust: self.trust.clone(),
                confirm_certificate: self.confirm_certificate || self.source.as_ref().is_some_and(opens_many),
            },
            local: Some(LocalFields {
                user: task.local_user.as_str().to_owned(),
            }),
            foldersynchronization: Some(task.folders.as_str().to_owned()),
            exclude: Some(task.exclusions.as_stored()),
        }
    }

    /// Logs in on both sides where the edit changes something of the login: the rest can be edited while a server is down.
    ///
    /// # Errors
    /// Those of [`TaskSettings::test`].
    pub fn test_if_changed(self, container: &Container) -> Result<Tested> {
        match self.same_login {
            true => Ok(Tested {
                settings: self,
                certificate: None,
            }),
            false => self.test(container),
        }
    }

    /// Stores the bandwidth where nothing else changes; whether that is so.
    fn change_bandwidth_alone(&self, store: &Store) -> Result<bool> {
        let name = self.task.name();
        let other = self
            .bandwidth
            .is_some_and(|limit| limit != store.plan(&name).bandwidth);
        if !other || !self.same_login {
            return Ok(false);
        }
        let former = store.options(&name);
        let mut options = former.clone();
        self.options.apply(&mut options);
        let same = options == former && store.load(&name)?.as_ref() == Some(&self.task);
        if same {
            save_bandwidth(store, &name, self.bandwidth)?;
        }
        Ok(same)
    }

    /// Logs in on both sides.
    ///
    /// # Errors
    /// One refusal per side that does not let us in. Nothing was written.
    pub fn test(self, container: &Container) -> Result<Tested> {
        let found = container.validate(&self.candidate())?;
        let refusals = refusals(&found, &self.task);
        if !refusals.is_empty() {
            return Err(Error::Refused(refusals));
        }
        let certificate = found.remote.tls.and_then(|tls| tls.certificate);
        Ok(Tested {
            settings: self,
            certificate,
        })
    }
}

/// Settings that work.
#[derive(Debug)]
pub struct Tested {
    settings: TaskSettings,
    /// What the remote server showed, if it was asked.
    certificate: Option<Certificate>,
}

impl Tested {
    /// Stores the task. A run of its former settings is stopped, unless they are the same but for the bandwidth, which it
    /// follows.
    ///
    /// # Errors
    /// Failures; file, password and options are then as they were.
    pub fn store(self, store: &Store, mail_host: MailHost<'_>) -> Result<()> {
        if self.settings.change_bandwidth_alone(store)? {
            return Ok(());
        }
        let TaskSettings {
            task,
            password,
            trust: known,
            source,
            options: change,
            bandwidth,
            ..
        } = self.settings;
        let name = task.name();
        store.create_folders()?;
        let sources = Sources::of(store);
        // An edit of the source comes before, and is seen here, or after, and sees this task.
        let _unchanged = match &source {
            Some((source, _)) => {
                let lock = sources.lock_shared()?;
                if !sources.load(&source.id)?.is_like(source) {
                    return Err(anyhow!("the source {} was changed meanwhile; try again", source.id).into());
                }
                Some(lock)
            }
            None => None,
        };
        let lock = runs::take(store, &name)?;
        let former = store.options(&name);
        let mut options = Options {
            trust: self.certificate.as_ref().map_or(known, learnt),
            source: source.map(|(source, mailbox)| SourceLink {
                id: source.id,
                mailbox,
            }),
            ..former.clone()
        };
        change.apply(&mut options);
        // The password that was tested is stored with the settings that were tested: another edit may have
        // come in between.
        store.save(&lock, &task, Some(&password), &options, mail_host)?;
        save_bandwidth(store, &name, bandwidth)?;
        if let Some(certificate) = &self.certificate
            && former.trust != options.trust
        {
            journal::notice(format_args!(
                "{name}: the certificate of {} is accepted: {}; subject {}, SHA-256 {}",
                task.remote_host,
                certificate.complaint(),
                certificate.subject,
                certificate.sha256
            ));
        }
        Ok(())
    }
}

/// Stores how much the runs of a task may pull, if that changes.
fn save_bandwidth(store: &Store, name: &TaskName, bandwidth: Option<Option<Bandwidth>>) -> Result<()> {
    match bandwidth {
        Some(bandwidth) => store.change_plan(name, |plan| plan.bandwidth = bandwidth),
        None => Ok(()),
    }
}

/// Why a run could not log in, other than that a server was not there.
const OF_LOGINS: [ErrorKey; 10] = [
    ErrorKey::BadUserCredentials,
    ErrorKey::TokenRefused,
    ErrorKey::LoginMethodNotOffered,
    ErrorKey::SslEncryptionError,
    ErrorKey::StarttlsNotAllowed,
    ErrorKey::CertificateChanged,
    ErrorKey::CertificateUnknown,
    ErrorKey::SignInNeeded,
    ErrorKey::TokenNotIssued,
    ErrorKey::LocalUserUnknown,
];

/// Whether nothing speaks against the login as it is stored: what was refused, or another certificate, is not left at
/// that; a server that is down is no reason to think so.
fn got_in(store: &Store, name: &TaskName) -> bool {
    let error = store.report(name).and_then(|report| report.error);
    let key = error.as_deref().and_then(ErrorKey::from_text);
    store.refusals(name) == Refusals::default() && key.is_none_or(|key| !OF_LOGINS.contains(&key))
}

/// Whether the task follows that source already.
fn is_linked(store: &Store, task: &Task, source: Option<&(Source, RemoteUser)>) -> bool {
    match (store.options(&task.name()).source, source) {
        (None, None) => true,
        (Some(link), Some((source, mailbox))) => link.id == source.id && link.mailbox == *mailbox,
        _ => false,
    }
}

/// The refusals that follow from a login test; the remote side's first, because its keys have exit codes.
fn refusals(found: &LoginTestReport, task: &Task) -> Vec<Refusal> {
    let side = |side: &LoginTest, refusal: &dyn Fn(ErrorKey) -> Refusal| match side.status.as_str() {
        "ok" => None,
        status => Some(refusal(
            ErrorKey::from_text(status).unwrap_or(ErrorKey::RemoteServerError),
        )),
    };
    let remote = side(&found.remote, &|key| {
        let refusal = |parameter| Refusal::new(parameter, key, found.remote.message.clone());
        match key {
            ErrorKey::BadUserCredentials => refusal("remotepassword"),
            ErrorKey::SslEncryptionError | ErrorKey::StarttlsNotAllowed => {
                refusal("security").with_value(task.security.as_str())
            }
            // The fingerprint is what the administrator compares, and may accept.
            ErrorKey::CertificateChanged | ErrorKey::CertificateUnknown => {
                refusal("certificate").with_value(shown(found))
            }
            _ => refusal("remotehostname").with_value(task.remote_host.as_str()),
        }
    });
    let local = side(&found.local, &|key| {
        Refusal::new("localuser", key, found.local.message.clone()).with_value(task.local_user.as_str())
    });
    remote.into_iter().chain(local).collect()
}

fn shown(found: &LoginTestReport) -> String {
    let tls = found.remote.tls.as_ref();
    tls.and_then(|tls| tls.certificate.as_ref())
        .map(|certificate| certificate.sha256.clone())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::task::{Layout, RemoteHost, sample};

    fn task(host: &str) -> Task {
        Task {
            remote_host: RemoteHost::parse(host).unwrap(),
            ..sample::task()
        }
    }

    fn pinned() -> Trust {
        Trust::Pinned("ab".to_owned())
    }

    /// A task that has its password and trusts one certificate.
    fn stored() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_state(folder.path()));
        store.create_folders().unwrap();
        let task = task("imap.foo.com");
        let lock = store.acquire(&task.name(), Duration::ZERO).unwrap().unwrap();
        let options = Options {
            trust: pinned(),
            ..Options::default()
        };
        let password = SecretString::from("secret");
        store
            .save(&lock, &task, Some(&password), &options, &|| Ok(None))
            .unwrap();
        drop(lock);
        (folder, store)
    }

    fn edit(store: &Store, host: &str, password: Option<&str>) -> Result<TaskSettings> {
        let request = Request {
            task: task(host),
            password: password.map(SecretString::from),
            certificate: None,
            confirm_certificate: false,
            source: None,
            options: OptionsChange::default(),
            bandwidth: None,
        };
        TaskSettings::complete(store, request)
    }

    fn needs_password(outcome: Result<TaskSettings>) -> bool {
        let error = outcome.unwrap_err();
        matches!(&error, Error::Refused(refusals) if refusals[0].key == ErrorKey::PasswordRequired)
    }

    #[test]
    fn another_spelling_of_the_host_keeps_trust_and_password() {
        let (_folder, store) = stored();
        for host in ["imap.foo.com", "IMAP.foo.com", "imap.foo.com."] {
            let settings = edit(&store, host, None).unwrap();
            assert!(settings.trust == pinned() && settings.same_login, "{host}");
            // Who enters the password again does not make the task forget whom it trusts either.
            let settings = edit(&store, host, Some("other")).unwrap();
            assert_eq!(settings.trust, pinned(), "{host}");
        }
        assert!(needs_password(edit(&store, "imap.foo.org", None)));
    }

    #[test]
    fn a_damaged_record_is_healed_with_the_password_only() {
        let (_folder, store) = stored();
        let name = task("imap.foo.com").name();
        std::fs::write(store.path(&name, FileKind::Options), "null").unwrap();
        assert!(needs_password(edit(&store, "imap.foo.com", None)));
        let settings = edit(&store, "imap.foo.com", Some("secret")).unwrap();
        assert!(settings.trust.is_unknown() && !settings.same_login);
        let tested = Tested {
            settings,
            certificate: None,
        };
        tested.store(&store, &|| Ok(None)).unwrap();
        assert_eq!(store.options(&name), Options::default());
    }
}
