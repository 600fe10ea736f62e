// SPDX-License-Identifier: GPL-3.0-or-later
//! From the files of a task to its job, with both accounts.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::error::ErrorKey;
use crate::imap::Spool;
use crate::names;
use crate::source::Sources;
use crate::sync::access::Access;
use crate::sync::account::{Account, Failure, LocalServer, RemoteServer};
use crate::sync::exit_code::Exit;
use crate::sync::job::Job;
use crate::task::options::Options;
use crate::task::{FileKind, LocalPin, LocalUser, RemoteDeletion, Store, Task, TaskName};

/// The folder of large messages on their way.
const SPOOL: &str = ".spool";

/// Where the local mail server is.
pub struct Destination {
    /// Its address.
    pub host: String,
    /// Its IMAP port.
    pub port: u16,
}

/// Reads a task.
///
/// # Errors
/// When there is none, or its file is damaged.
pub fn load(store: &Store, name: &TaskName) -> Result<Task, Failure> {
    match store.load(name) {
        Ok(Some(task)) => Ok(task),
        Ok(None) => Err(missing(format!("there is no task {name}"))),
        Err(error) => Err(missing(format!("{error}; save the task again, or delete it"))),
    }
}

/// What of a task may be done here. Next to the instance that this one is a copy of nothing is deleted: what the one moved in
/// the other would take for something that the source never had, or had no longer.
pub fn allowed(store: &Store, task: &Task) -> Task {
    let mut allowed = task.clone();
    if store.has_original() {
        (allowed.delete_local, allowed.delete_remote) = (false, RemoteDeletion::Keep);
    }
    allowed
}

/// There is no such task, or none that can be read.
pub fn missing(message: String) -> Failure {
    Failure {
        exit: Exit::NoInput,
        key: Some(ErrorKey::TaskNotFound),
        message,
    }
}

/// What a task asks for, with both accounts.
///
/// # Errors
/// When a password or the address of the local server is missing.
pub fn job(
    store: &Store,
    name: &TaskName,
    task: &Task,
    destination: Option<&Destination>,
) -> Result<Job, Failure> {
    let mut local = Account::local(&task.local_user, local_server(store, destination)?);
    let options = store.options(name);
    let mut remote = remote(store, task, &options)?;
    // On the volume of the state: what is temporary elsewhere is memory.
    let spool = Spool::in_folder(store.folder().join(SPOOL));
    (local.spool, remote.spool) = (spool.clone(), spool);
    Job::new(task, options.folders, remote, local)
}

/// The remote account of a task, and the way there.
///
/// # Errors
/// When a password is missing, or the source; or when whom the task trusts cannot be read any more.
pub fn remote(store: &Store, task: &Task, options: &Options) -> Result<Account, Failure> {
    if options.trust.is_damaged() {
        return Err(unreadable(&task.name()));
    }
    let server = RemoteServer::of(task, options);
    let mut remote = Account::remote(&server, &task.remote_user, Access::of_task(store, task)?);
    // A source that cannot be read was told of above.
    let link = options.source.as_ref();
    let source = link.and_then(|link| Sources::of(store).read(&link.id).ok().flatten());
    if let Some(source) = source {
        remote.reach_as(&source);
    }
    Ok(remote)
}

/// The server that the task knew cannot be told from another one, nor where its mail goes.
fn unreadable(name: &TaskName) -> Failure {
    Failure {
        exit: Exit::TlsFailure,
        key: Some(ErrorKey::CertificateChanged),
        message: format!(
            "{} cannot be read, which says whose certificate is accepted and where mail goes: edit the task, \
             check its settings and enter the password",
            name.file(FileKind::Options)
        ),
    }
}

/// How long names of hosts are looked up before a run; a name server that does not answer keeps no run waiting.
const LOOK_UPS: Duration = Duration::from_secs(5);

/// Other local users who have a task that pulls from the account of this one, by whatever name of its server.
///
/// # Errors
/// When the folder of the tasks cannot be read.
pub fn others_at(store: &Store, task: &Task) -> crate::error::Result<Vec<LocalUser>> {
    let mut users = vec![];
    let mut hosts = SameHost::new(task.remote_host.as_str());
    for name in store.names()? {
        // One that cannot be read pulls nothing.
        if let Ok(Some(other)) = store.load(&name)
            && !is_same_but_for_case(other.local_user.as_str(), task.local_user.as_str())
            && is_same_but_for_case(other.remote_user.as_str(), task.remote_user.as_str())
            && hosts.is(other.remote_host.as_str())
        {
            users.push(other.local_user);
        }
    }
    users.sort_unstable();
    users.dedup();
    Ok(users)
}

/// Whether another task of the local user has the Sieve filters run on what it pulls from the same account. One that cannot
/// be read may.
///
/// # Errors
/// When the folder of the tasks cannot be read.
pub fn filters_elsewhere(store: &Store, task: &Task) -> crate::error::Result<bool> {
    let mut hosts = SameHost::new(task.remote_host.as_str());
    let (own, prefix) = (task.name(), task.local_user.as_str().to_lowercase());
    let mut others = store.names()?.into_iter();
    Ok(others.any(|name| {
        let is_another = name != own && name.as_str().to_lowercase().starts_with(&prefix);
        is_another
            && match store.load(&name) {
                Ok(None) => false,
                Ok(Some(other)) => {
                    other.runs_sieve()
                        && is_same_but_for_case(other.local_user.as_str(), task.local_user.as_str())
                        && is_same_but_for_case(other.remote_user.as_str(), task.remote_user.as_str())
                        && hosts.is(other.remote_host.as_str())
                }
                Err(_) => true,
            }
    }))
}

/// Whether hosts are one and the same under several names.
struct SameHost<'a> {
    host: &'a str,
    addresses: Option<Vec<IpAddr>>,
    deadline: Instant,
}

impl<'a> SameHost<'a> {
    fn new(host: &'a str) -> Self {
        Self {
            host,
            addresses: None,
            deadline: Instant::now() + LOOK_UPS,
        }
    }

    /// One whose address cannot be found out is no other one's.
    fn is(&mut self, other: &str) -> bool {
        if is_same_but_for_case(other, self.host) {
            return true;
        }
        let look_up = |host: &str| match Instant::now() < self.deadline {
            true => names::resolve_now(host).unwrap_or_default(),
            false => vec![],
        };
        let own = self.addresses.get_or_insert_with(|| look_up(self.host));
        !own.is_empty() && look_up(other).iter().any(|address| own.contains(address))
    }
}

/// Mail servers tell neither names of hosts nor of users apart by their case.
fn is_same_but_for_case(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// The local mail server with the master user's password.
///
/// # Errors
/// When either is not known.
pub fn local_server(store: &Store, destination: Option<&Destination>) -> Result<LocalServer, Failure> {
    let unconfigured = |message: &str| Failure {
        exit: Exit::ConnectionHost2,
        key: Some(ErrorKey::MailServerNotConfigured),
        message: message.to_owned(),
    };
    let destination =
        destination.ok_or_else(|| unconfigured("MAIL_HOST is not set: configure the module"))?;
    let password = store
        .master_password()
        .map_err(|error| Failure::local(error.to_string()))?;
    let password = password
        .ok_or_else(|| unconfigured("vmail.pwd is missing: restart the service, which fetches it"))?;
    Ok(LocalServer {
        pin: LocalPin::load(store, &LocalServer::address(&destination.host, destination.port)),
        host: destination.host.clone(),
        port: destination.port,
        password,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Layout, Trust, sample};

    #[test]
    fn a_task_whose_options_cannot_be_read_logs_in_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_state(folder.path()));
        store.create_folders().unwrap();
        let task = sample::task();
        std::fs::write(store.path(&task.name(), FileKind::Password), "secret").unwrap();
        assert!(remote(&store, &task, &store.options(&task.name())).is_ok());
        std::fs::write(store.path(&task.name(), FileKind::Options), "").unwrap();
        let options = store.options(&task.name());
        let failure = remote(&store, &task, &options).err().unwrap();
        assert!(failure.key == Some(ErrorKey::CertificateChanged) && failure.exit == Exit::TlsFailure);
        // Nor does an edit of something else make it trust anybody.
        let edited = serde_json::to_vec(&options).unwrap();
        std::fs::write(store.path(&task.name(), FileKind::Options), edited).unwrap();
        assert_eq!(store.options(&task.name()).trust, Trust::damaged());
    }
}
