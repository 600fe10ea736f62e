// SPDX-License-Identifier: GPL-3.0-or-later
//! Editing and deleting sources, with the tasks that follow them.

use anyhow::Context as _;

use super::runs;
use crate::agent::journal;
use crate::container::Container;
use crate::error::{ErrorKey, Refusal, Result};
use crate::source::oauth::{Network, Tokens};
use crate::source::{Access, Source, Sources};
use crate::task::batch::Rewrite;
use crate::task::options::Options;
use crate::task::{RemoteUser, SecretString, SourceId, SourceLink, Task, TaskName, Trust};

/// A task that follows a source.
struct Follower {
    task: Task,
    options: Options,
}

/// The tasks that follow a source; those that cannot be read are none, and list-tasks reports them.
///
/// # Errors
/// When the folder of the tasks cannot be read.
pub fn followers(sources: &Sources, id: &SourceId) -> Result<Vec<TaskName>> {
    let store = sources.tasks();
    let mut names = store.names()?;
    names.retain(|name| {
        let link = store.options(name).source;
        link.is_some_and(|link| link.id == *id)
    });
    Ok(names)
}

/// Stores a source, new or edited. All its tasks follow in one step, whatever happens in between; the runs that the
/// edit concerns are stopped, and started again. Those at work follow another bandwidth, and those that wait another number of runs, as they are.
///
/// # Errors
/// Refusals of tasks that cannot follow; failures. Everything is then as it was.
pub fn save(sources: &Sources, source: &Source) -> Result<()> {
    let lock = sources.lock()?;
    crate::task::batch::recover(sources.tasks())?;
    // The limits are followed by themselves.
    if sources
        .read(&source.id)
        .is_ok_and(|former| former.is_some_and(|former| source.has_other_limits_alone(&former)))
    {
        return sources.save(&lock, source);
    }
    let names = followers(sources, &source.id)?;
    if names.is_empty() {
        return sources.save(&lock, source);
    }
    let store = sources.tasks();
    let running: Vec<&TaskName> = names
        .iter()
        .filter(|name| store.is_busy(name).unwrap_or_default())
        .collect();
    let locks = names
        .iter()
        .map(|name| runs::take(store, name))
        .collect::<Result<Vec<_>>>()?;
    let mut followers = Vec::new();
    for name in &names {
        // Without its file there is no task any more; one whose file is damaged follows when it is mended.
        let Some(task) = store.load(name).unwrap_or_default() else {
            continue;
        };
        let options = store.options(name);
        followers.push(follow(source, task, options)?);
    }
    let password = match source.access() {
        Access::OwnPassword => None,
        Access::Password(password) | Access::OnBehalf { password, .. } => Some(password),
        Access::Token => Some(SecretString::default()),
    };
    let rewrites: Vec<Rewrite<'_>> = followers
        .iter()
        .map(|follower| Rewrite {
            task: &follower.task,
            password: password.as_ref(),
            options: &follower.options,
        })
        .collect();
    sources.save_with(&lock, source, &rewrites)?;
    drop(locks);
    for name in running {
        let started = Container::find()
            .and_then(|container| runs::launch(store, &container, std::slice::from_ref(name)));
        if let Err(error) = started {
            journal::error(format_args!(
                "{name} follows its source, but its run was not started again: {error}"
            ));
        }
    }
    Ok(())
}

fn follow(source: &Source, former: Task, options: Options) -> Result<Follower> {
    let link = options.source.clone().context("a task lost its source")?;
    let login = source.login(&link.mailbox).map_err(|invalid| {
        Refusal::new(
            "login_template",
            ErrorKey::Invalid("login_template"),
            format!(
                "it makes no login name for the mailbox {}: {invalid}",
                link.mailbox
            ),
        )
    })?;
    let same_server = former.remote_host.is_same(&source.host) && former.remote_port == source.port;
    Ok(Follower {
        task: Task {
            remote_user: login,
            remote_host: source.host.clone(),
            remote_port: source.port,
            security: source.security,
            ..former
        },
        options: Options {
            trust: match &source.certificate {
                Some(pin) if !(same_server && options.trust == Trust::Authorities) => {
                    Trust::Pinned(pin.clone())
                }
                _ if same_server => options.trust.clone(),
                // Their passwords were given to a server that was known, and go to no other one.
                _ if matches!(source.access(), Access::OwnPassword) => options.trust.clone(),
                _ => Trust::Unknown,
            },
            ..options
        },
    })
}

/// Deletes a source that no task follows.
///
/// # Errors
/// `source_not_found`; `source_in_use` with the list of its tasks.
pub fn delete(sources: &Sources, id: &SourceId) -> Result<()> {
    let lock = sources.lock()?;
    // A source whose file is damaged can be deleted as well.
    if !sources.ids()?.contains(id) {
        sources.load(id)?;
    }
    let names = followers(sources, id)?;
    if !names.is_empty() {
        let list: Vec<&str> = names.iter().map(TaskName::as_str).collect();
        return Err(Refusal::new(
            "source_id",
            ErrorKey::SourceInUse,
            format!(
                "these tasks use it: {}; delete them or give them another source first",
                list.join(", ")
            ),
        )
        .with_value(list)
        .into());
    }
    sources.remove(&lock, id)
}

/// Forgets the sign-in for a mailbox that no task pulls any more, after one that did was deleted.
///
/// # Errors
/// Whatever the file system says.
pub fn forget_sign_in(sources: &Sources, link: &SourceLink) -> Result<()> {
    let _lock = sources.lock()?;
    let store = sources.tasks();
    let same = |mailbox: &RemoteUser| mailbox.as_str().to_lowercase() == link.mailbox.as_str().to_lowercase();
    let still_used = store.names()?.iter().any(|name| {
        let other = store.options(name).source;
        other.is_some_and(|other| other.id == link.id && same(&other.mailbox))
    });
    // A source that cannot be read keeps its tokens until it is mended or deleted.
    match sources.read(&link.id) {
        Ok(Some(source)) if !still_used => {
            match Tokens::of(sources, &source, &link.mailbox, &Network::default()) {
                Some(tokens) => Ok(tokens.forget()?),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
