// SPDX-License-Identifier: GPL-3.0-or-later
//! Migration from NethServer 7, whose getmail accounts arrive in `getmail.json`.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ns8_imapsync::agent::journal;
use ns8_imapsync::control::runs;
use ns8_imapsync::error::Result;
use ns8_imapsync::files;
use ns8_imapsync::secret::{self, Zeroizing};
use ns8_imapsync::task::FileKind;
use ns8_imapsync::task::options::Options;
use ns8_imapsync::task::{
    Exclusions, FolderMode, Layout, LocalUser, Port, RemoteDeletion, RemoteHost, RemoteUser, Schedule,
    SecretString, Security, Store, Task, TaskId, parse_password,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::mail_server;
use crate::common::platform::Ignored;

const FILE: &str = "getmail.json";
/// The mail module may be starting, as it was moved a moment ago itself.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Turns the accounts of `getmail.json` into tasks (contract section 3).
pub(crate) struct ImportModule;

impl Action for ImportModule {
    const NAME: &'static str = "import-module";
    const ABOUT: &'static str = "Takes over the getmail accounts of a NethServer 7";
    type Input = Ignored;
    type Output = ();

    fn run(context: &Context, _: Ignored) -> Result<()> {
        let path = context.agent.state.join(FILE);
        let bytes = files::read(&path)
            .with_context(|| format!("cannot read {FILE}"))?
            .map(Zeroizing::new)
            .ok_or_else(|| anyhow!("there is no {FILE} in the state folder"))?;
        // The cause would tell a position only.
        let mut accounts: Vec<Value> =
            serde_json::from_slice(&bytes).with_context(|| format!("{FILE} is not a list of accounts"))?;
        let mailboxes = Mailboxes::listed(context, &accounts);
        context.store.create_folders()?;
        // The schedule is written when the service starts, with the address of the mail server of that time.
        let store = Store::new(Layout::in_container(context.store.folder()));
        for (index, account) in accounts.iter().enumerate() {
            match imported(index, account, &mailboxes) {
                Ok((task, password)) => save(&store, &task, &password)?,
                Err(reason) => journal::error(format_args!(
                    "account {} of {FILE} is skipped: {reason}",
                    index + 1
                )),
            }
        }
        accounts.iter_mut().for_each(secret::wipe);
        files::remove(&path).with_context(|| format!("cannot remove {FILE}"))?;
        Ok(files::sync_folder_of(&path)?)
    }
}

/// What an earlier attempt has written is there already, and may have been edited since.
fn save(store: &Store, task: &Task, password: &SecretString) -> Result<()> {
    let name = task.name();
    if store.path(&name, FileKind::Env).exists() {
        return Ok(());
    }
    let lock = runs::take(store, &name)?;
    store.save(&lock, task, Some(password), &Options::default(), &|| Ok(None))
}

/// The names of the mailboxes of the mail server. Accounts may be named with the domain behind them, which
/// mailboxes are not.
#[derive(Default)]
struct Mailboxes(Vec<String>);

impl Mailboxes {
    /// Asks for them if an account needs that.
    fn listed(context: &Context, accounts: &[Value]) -> Self {
        let has_domain = |account: &Value| {
            account["props"]["Account"]
                .as_str()
                .is_some_and(|name| name.contains('@'))
        };
        if !accounts.iter().any(has_domain) {
            return Self::default();
        }
        mail_server::mailboxes(context, START_TIMEOUT)
            .map(Self)
            .unwrap_or_else(|error| {
                journal::warning(format_args!(
                    "the mailboxes cannot be listed, so every account is taken without its domain: {error}"
                ));
                Self::default()
            })
    }

    fn of_account<'a>(&'a self, account: &'a str) -> &'a str {
        let Some((user, _domain)) = account.rsplit_once('@') else {
            return account;
        };
        let listed = |name: &str| {
            let same = |mailbox: &&String| mailbox.to_lowercase() == name.to_lowercase();
            self.0.iter().find(same).map(String::as_str)
        };
        listed(account).or_else(|| listed(user)).unwrap_or(user)
    }
}

#[derive(Deserialize)]
struct Account {
    #[serde(rename = "type")]
    kind: String,
    props: Map<String, Value>,
}

fn imported(index: usize, account: &Value, mailboxes: &Mailboxes) -> anyhow::Result<(Task, SecretString)> {
    // What serde says could repeat a password.
    let Account { kind, props } =
        Account::deserialize(account).map_err(|_| anyhow!("it is not an object with type and props"))?;
    if kind != "getmail" {
        return Err(anyhow!("it is not of the type getmail"));
    }
    let text = |name: &str| {
        props.get(name).and_then(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    };
    let required = |name: &'static str| text(name).ok_or_else(|| anyhow!("{name} is missing"));
    let retriever = required("Retriever")?;
    let (port, security, scheduled) = match retriever.as_str() {
        "SimpleIMAPRetriever" => (143, Security::StartTls, true),
        "SimpleIMAPSSLRetriever" => (993, Security::Tls, true),
        "SimplePOP3Retriever" => (143, Security::StartTls, false),
        "SimplePOP3SSLRetriever" => (993, Security::Tls, false),
        _ => return Err(anyhow!("its Retriever is unknown")),
    };
    let enabled = text("status").is_none_or(|status| status == "enabled");
    let deletes = text("Delete").is_some_and(|days| days != "-1");
    // What FilterCheck says is of no use here: those filters ran on the old server.
    let minutes = text("Time").unwrap_or_default();
    let password = parse_password(&Zeroizing::new(required("Password")?)).context("Password")?;
    let task = Task {
        id: TaskId::parse(&id(index, account))?,
        local_user: LocalUser::parse(mailboxes.of_account(&required("Account")?)).context("Account")?,
        remote_user: RemoteUser::parse(&required("Username")?).context("Username")?,
        remote_host: RemoteHost::parse(&required("Server")?).context("Server")?,
        remote_port: Port::new(port).context("the port")?,
        security,
        folders: FolderMode::Inbox,
        exclusions: Exclusions::default(),
        delete_local: false,
        delete_remote: RemoteDeletion::from_fields(deletes, 0),
        schedule: if enabled && scheduled {
            schedule(&minutes).unwrap_or_else(|error| {
                journal::warning(format_args!(
                    "account {} of {FILE} gets no schedule: {error:#}",
                    index + 1
                ));
                None
            })
        } else {
            None
        },
        sieve: false,
    };
    Ok((task, password))
}

/// The next longer schedule that there is.
fn schedule(minutes: &str) -> anyhow::Result<Option<Schedule>> {
    if minutes.is_empty() {
        return Ok(None);
    }
    let minutes: u32 = minutes.parse().context("Time is not a number of minutes")?;
    let text = match minutes {
        0 => return Ok(None),
        1..=60 => format!("{minutes}m"),
        _ => format!("{}h", minutes.div_ceil(60).min(24)),
    };
    Ok(Schedule::parse(&text)?)
}

/// The same for every attempt, so that one that was cut off and is repeated makes no task twice.
fn id(index: usize, account: &Value) -> String {
    let digest = Sha256::digest(Zeroizing::new(format!("{index} {account}")).as_bytes());
    digest.iter().take(3).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account(changes: Value) -> Value {
        let mut props = json!({
            "Account": "u1", "Password": "p w\"'\\", "Server": "imap.x.test", "Username": "r1",
            "Retriever": "SimpleIMAPSSLRetriever", "Delete": "-1", "Time": "60", "status": "enabled",
            "FilterCheck": "disabled",
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => props.as_object_mut().unwrap().remove(name),
                value => props.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        json!({"type": "getmail", "props": props})
    }

    fn task(changes: Value) -> Task {
        imported(0, &account(changes), &Mailboxes::default()).unwrap().0
    }

    #[test]
    fn retrievers_become_ports_and_schedules() {
        for (retriever, port, security, cron) in [
            ("SimpleIMAPRetriever", 143, "tls", "1h"),
            ("SimpleIMAPSSLRetriever", 993, "ssl", "1h"),
            ("SimplePOP3Retriever", 143, "tls", ""),
            ("SimplePOP3SSLRetriever", 993, "ssl", ""),
        ] {
            let task = task(json!({"Retriever": retriever}));
            assert_eq!((task.remote_port.get(), task.security.as_str()), (port, security));
            assert_eq!(
                task.schedule.map(|cron| cron.to_string()).unwrap_or_default(),
                cron
            );
            assert_eq!(task.folders, FolderMode::Inbox);
        }
    }

    #[test]
    fn deletion_and_schedule_follow_the_account() {
        assert!(!task(json!({})).delete_remote.deletes());
        assert!(task(json!({"Delete": "0"})).delete_remote.deletes());
        assert!(task(json!({"Delete": 7})).delete_remote.deletes());
        assert_eq!(task(json!({"status": "disabled"})).schedule, None);
        for (minutes, cron) in [("5", "5m"), ("90", "2h"), ("99999", "24h")] {
            assert_eq!(task(json!({"Time": minutes})).schedule.unwrap().to_string(), cron);
        }
    }

    #[test]
    fn what_is_not_told_is_enabled_and_kept_without_a_schedule() {
        let bare = task(json!({"status": null, "Delete": null, "Time": null, "FilterCheck": null}));
        assert!(!bare.delete_remote.deletes() && !bare.sieve);
        assert_eq!(bare.schedule, None);
        assert_eq!(task(json!({"status": null})).schedule.unwrap().to_string(), "1h");
        assert_eq!(task(json!({"Time": "soon"})).schedule, None);
    }

    #[test]
    fn an_account_with_a_domain_is_the_mailbox_of_that_name() {
        let mailboxes = Mailboxes(["bulk41", "Anna", "post@rig.test"].map(str::to_owned).to_vec());
        for (account, mailbox) in [
            ("bulk41@rig.test", "bulk41"),
            ("bulk41", "bulk41"),
            ("anna@rig.test", "Anna"),
            ("Anna@other.test", "Anna"),
            ("post@rig.test", "post@rig.test"),
            ("new@rig.test", "new"),
            ("new", "new"),
        ] {
            assert_eq!(mailboxes.of_account(account), mailbox);
        }
        assert_eq!(Mailboxes::default().of_account("u1@rig.test"), "u1");
    }

    #[test]
    fn an_account_that_lacks_something_is_skipped_without_its_password() {
        for (changes, word) in [
            (json!({"Account": null}), "Account"),
            (json!({"Password": null}), "Password"),
            (json!({"Server": null}), "Server"),
            (json!({"Username": null}), "Username"),
            (json!({"Retriever": null}), "Retriever"),
            (json!({"Server": "a b"}), "Server"),
            (json!({"Retriever": "SimpleCarrierPigeon"}), "Retriever"),
            (json!({"Password": "p w\"'\\\n"}), "Password"),
        ] {
            let reason = format!(
                "{:#}",
                imported(0, &account(changes), &Mailboxes::default())
                    .err()
                    .unwrap()
            );
            assert!(reason.contains(word) && !reason.contains("p w"), "{reason}");
        }
    }

    #[test]
    fn ids_are_the_same_every_time_and_differ_by_row() {
        let account = account(json!({}));
        assert_eq!(id(0, &account), id(0, &account));
        assert_ne!(id(0, &account), id(1, &account));
        assert_eq!(id(0, &account).len(), 6);
    }
}
