// SPDX-License-Identifier: GPL-3.0-or-later
//! Folders that do not keep their names: renamed, of a special use, or all below one folder.

use std::collections::HashMap;

use super::local_names::LocalNames;
use super::selection::Selection;
use super::side::Side;
use super::special_use::SpecialUse;
use super::well_known;
use crate::imap::{Listed, Mailbox};
use crate::task::{FolderOptions, Renaming};

/// The nodes below which Gmail has its own folders.
const GMAIL_ROOTS: [&str; 2] = ["[Gmail]", "[Google Mail]"];

/// Where folders go that do not keep their names.
pub(super) struct Routes<'a> {
    remote: &'a Side,
    options: &'a FolderOptions,
    /// Remote folders of a special use, with the levels of the local folder of that use.
    special: HashMap<&'a Mailbox, Vec<String>>,
}

impl<'a> Routes<'a> {
    /// The routes of a selection.
    pub(super) fn new(remote: &'a Side, local: &Side, selection: &'a Selection) -> Self {
        let options = &selection.options;
        let special = match (options.special_folders, &options.target_folder) {
            (true, None) => special(remote, local),
            (false, None) if remote.is_gmail() => filled_by_imapsync(remote, local),
            _ => HashMap::new(),
        };
        Self {
            remote,
            options,
            special,
        }
    }

    /// The local name of a remote folder.
    pub(super) fn name(&self, names: &LocalNames<'_>, listed: &Listed) -> String {
        let separator = self.remote.separator_of(listed);
        let below: Vec<String> = match &self.options.target_folder {
            Some(target) => target.levels().map(str::to_owned).collect(),
            None => vec![],
        };
        if let Some((renaming, rest)) = self.renaming(listed) {
            let mut levels = below;
            levels.extend(renaming.to.levels().map(str::to_owned));
            if !rest.is_empty() {
                levels.extend(names.levels(rest, separator));
            }
            return names.join(&levels, separator);
        }
        if listed.mailbox.is_inbox() {
            return match below.is_empty() {
                true => "INBOX".to_owned(),
                false => names.join(&[below, vec!["INBOX".to_owned()]].concat(), separator),
            };
        }
        if let Some((levels, rest)) = self.special(listed) {
            let mut levels = levels.clone();
            if !rest.is_empty() {
                levels.extend(names.levels(rest, separator));
            }
            return names.join(&levels, separator);
        }
        let mut levels = below;
        levels.extend(plain(self.remote, names, listed));
        names.join(&levels, separator)
    }

    /// The local name of a remote folder that keeps its own.
    pub(super) fn plain(remote: &Side, names: &LocalNames<'_>, listed: &Listed) -> String {
        if listed.mailbox.is_inbox() {
            return "INBOX".to_owned();
        }
        names.join(&plain(remote, names, listed), remote.separator_of(listed))
    }

    /// Whether a folder gets another name by an option of the task.
    pub(super) fn is_routed(&self, listed: &Listed) -> bool {
        self.special(listed).is_some() || self.renaming(listed).is_some()
    }

    /// The renaming of a folder, and what of its name is below the renamed one; the longest name decides.
    fn renaming<'l>(&self, listed: &'l Listed) -> Option<(&'a Renaming, &'l str)> {
        let name = listed.mailbox.name();
        let separator = self.remote.separator_of(listed);
        let fits = self.options.rename.iter().filter_map(|renaming| {
            let rest = below(name, &renaming.from, separator)
                .or_else(|| below(self.remote.bare(name), &renaming.from, separator))?;
            Some((renaming, rest))
        });
        fits.min_by_key(|(_, rest)| rest.len())
    }

    /// Where the special use of a folder, or of one above it, leads.
    fn special<'l>(&self, listed: &'l Listed) -> Option<(&Vec<String>, &'l str)> {
        let separator = self.remote.separator_of(listed);
        self.special.iter().find_map(|(root, levels)| {
            let rest = below(listed.mailbox.name(), root.name(), separator)?;
            Some((levels, rest))
        })
    }
}

/// What of a name is below a folder; empty for the folder itself.
fn below<'n>(name: &'n str, folder: &str, separator: Option<char>) -> Option<&'n str> {
    let rest = name.strip_prefix(folder)?;
    match rest.is_empty() {
        true => Some(rest),
        false => rest.strip_prefix(separator?),
    }
}

fn plain(remote: &Side, names: &LocalNames<'_>, listed: &Listed) -> Vec<String> {
    let mut levels = names.levels(remote.bare(listed.mailbox.name()), remote.separator_of(listed));
    if remote.is_gmail() && levels.len() > 1 && GMAIL_ROOTS.contains(&levels[0].as_str()) {
        levels.remove(0);
    }
    levels
}

/// Remote folders of special uses and the levels of the local folders that have the same.
fn special<'a>(remote: &'a Side, local: &Side) -> HashMap<&'a Mailbox, Vec<String>> {
    let remote_uses = by_use(remote);
    let local_uses = by_use(local);
    let separator = local.separator();
    let mut routes = HashMap::new();
    for (special, usual) in SpecialUse::MAPPED {
        let Some(&from) = remote_uses.get(&special) else {
            continue;
        };
        let levels = match local_uses.get(&special) {
            Some(to) => {
                let bare = local.bare(to.name());
                separator.map_or_else(
                    || vec![bare.to_owned()],
                    |separator| bare.split(separator).map(str::to_owned).collect(),
                )
            }
            None => vec![usual.to_owned()],
        };
        routes.insert(from, levels);
    }
    routes
}

/// Folders of Gmail whose mail is in the local folder of that use already: stock imapsync puts it there (`--gmail1` means
/// `--automap`), also for tasks of the former module.
fn filled_by_imapsync<'a>(remote: &'a Side, local: &Side) -> HashMap<&'a Mailbox, Vec<String>> {
    let names = LocalNames::new(local);
    let messages = |name: &str| local.status(&Mailbox::from_name(name))?.messages;
    let mut routes = special(remote, local);
    routes.retain(|&folder, levels| {
        let mut listed = remote.folders.iter().map(|(listed, _)| listed);
        let Some(listed) = listed.find(|listed| listed.mailbox == *folder) else {
            return false;
        };
        let own = Routes::plain(remote, &names, listed);
        let has_own = local.folders.iter().any(|(local, _)| local.mailbox.name() == own);
        let filled = names.join(levels, remote.separator_of(listed));
        !has_own && messages(&filled).is_some_and(|messages| messages > 0)
    });
    routes
}

/// The folder of each special use: the one of which the server tells it, or where it tells it of none, the one with the
/// most usual name.
fn by_use(side: &Side) -> HashMap<SpecialUse, &Mailbox> {
    let mut found: HashMap<SpecialUse, (usize, &Mailbox)> = HashMap::new();
    for (listed, _) in &side.folders {
        let mailbox = &listed.mailbox;
        if listed.has("\\Noselect") || mailbox.is_inbox() || !side.is_own(mailbox) {
            continue;
        }
        let told = SpecialUse::of(listed).map(|special| (special, 0));
        let named = || {
            let (special, rank) = well_known::special_use(top_level(side, listed)?)?;
            Some((special, rank + 1))
        };
        let Some((special, rank)) = told.or_else(named) else {
            continue;
        };
        let better = found.get(&special).is_none_or(|&best| (rank, mailbox) < best);
        if better {
            found.insert(special, (rank, mailbox));
        }
    }
    found
        .into_iter()
        .map(|(special, (_, mailbox))| (special, mailbox))
        .collect()
}

/// The name of a folder that is not below another one.
fn top_level<'l>(side: &Side, listed: &'l Listed) -> Option<&'l str> {
    let bare = side.bare(listed.mailbox.name());
    let separator = side.separator_of(listed);
    let bare = match separator.and_then(|separator| bare.split_once(separator)) {
        Some(("INBOX", rest)) => rest,
        Some((root, rest)) if side.is_gmail() && GMAIL_ROOTS.contains(&root) => rest,
        _ => bare,
    };
    match separator.is_some_and(|separator| bare.contains(separator)) {
        true => None,
        false => Some(bare),
    }
}
