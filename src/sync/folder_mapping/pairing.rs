// SPDX-License-Identifier: GPL-3.0-or-later
//! Remote folders with their local ones: no two of them share one.

use std::collections::{HashMap, HashSet};

use super::local_names::LocalNames;
use super::routes::Routes;
use super::selection::Selection;
use super::side::Side;
use super::special_use::SpecialUse;
use crate::imap::{Listed, Mailbox, MailboxStatus, Owner};
use crate::task::Labels;

/// Where folders went so far: the local folder of each remote one.
pub type Known = HashMap<Mailbox, Mailbox>;

/// A remote folder and where its mail goes.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The remote folder.
    pub remote: Mailbox,
    /// The local folder.
    pub local: Mailbox,
    /// What it is called when the local server refuses that name.
    pub fallback: Mailbox,
    /// The remote folder's status at the start.
    pub source: MailboxStatus,
    /// The local folder's; `None` when it does not exist yet.
    pub destination: Option<MailboxStatus>,
    /// Another remote folder went to the same local one in a former version, so that neither decides what does not belong
    /// there.
    pub joined: bool,
    /// The local name is not the one that the remote name leads to: the folder was renamed, or the name is another one's.
    pub renamed: bool,
    /// The remote folder may show mail that other folders have: what they have is not taken from here, and nothing is
    /// deleted from it.
    pub view: bool,
}

/// Where one remote folder goes.
struct Target {
    local: Mailbox,
    fallback: Mailbox,
    joined: bool,
    renamed: bool,
}

/// Pairs every selected remote folder with its local one: the inbox first, folders that show all mail last. What is
/// `known` of earlier runs stays as it is.
///
/// ```
/// use ns8_imapsync::imap::{Listed, Mailbox};
/// use ns8_imapsync::sync::folder_mapping::{Known, Provider, Selection, Side, pair};
/// use ns8_imapsync::task::{FolderMode, FolderOptions};
///
/// let side = |separator: char, names: &[&str]| {
///     let folders = names.iter().map(|name| {
///         let (mailbox, separator) = (Mailbox::from_name(name), Some(separator));
///         (Listed { mailbox, attributes: vec![], separator }, None)
///     });
///     Side::new(None, folders.collect(), Provider::Other)
/// };
/// let all = Selection { mode: FolderMode::All, excluded: vec![], options: FolderOptions::default() };
/// let (remote, local) = (side('.', &["INBOX", "Work.2026"]), side('/', &["INBOX"]));
/// let pairs = pair(&remote, &local, &all, &Known::default());
/// let names: Vec<&str> = pairs.iter().map(|pair| pair.local.name()).collect();
/// assert_eq!(names, ["INBOX", "Work/2026"]);
/// ```
pub fn pair(remote: &Side, local: &Side, selection: &Selection, known: &Known) -> Vec<Pair> {
    let local_folders: HashMap<&Mailbox, _> = local.folders.iter().map(|one| (&one.0.mailbox, one)).collect();
    let chooser = selection.on(remote);
    let targets = targets(remote, local, selection, known);
    let mut pairs = vec![];
    for ((listed, status), target) in remote.folders.iter().zip(targets) {
        let Some(target) = target.filter(|_| chooser.reason(listed).is_none()) else {
            continue;
        };
        // A node that only holds others is no folder yet.
        let found = local_folders
            .get(&target.local)
            .filter(|(listed, _)| !listed.has("\\Noselect"));
        let pair = Pair {
            remote: listed.mailbox.clone(),
            destination: found.map(|&&(_, status)| status.unwrap_or_default()),
            local: target.local,
            fallback: target.fallback,
            source: status.unwrap_or_default(),
            joined: target.joined,
            renamed: target.renamed,
            view: remote.is_view(listed),
        };
        pairs.push((order(remote, listed, selection.options.labels), pair));
    }
    pairs.sort_by(|a, b| (a.0, &a.1.remote).cmp(&(b.0, &b.1.remote)));
    pairs.into_iter().map(|(_, pair)| pair).collect()
}

/// Which folders come first. Where each message is pulled once, the first folder that has it gets it.
fn order(side: &Side, listed: &Listed, labels: Labels) -> u8 {
    let special = SpecialUse::of(listed);
    match (labels, special) {
        _ if listed.mailbox.is_inbox() => 0,
        (_, Some(SpecialUse::All)) => 5,
        _ if side.is_view(listed) => 4,
        (Labels::Each, _) => 2,
        (Labels::Once, Some(special)) if special.is_view() => 3,
        (Labels::Once, Some(_)) => 1,
        (Labels::Once, None) => 2,
    }
}

/// What every remote folder is or would be called locally, left out or not.
pub fn local_names(remote: &Side, local: &Side, selection: &Selection, known: &Known) -> HashSet<String> {
    let names = LocalNames::new(local);
    let routes = Routes::new(remote, local, selection);
    let mut all = HashSet::new();
    for (listed, _) in &remote.folders {
        let name = routes.name(&names, listed);
        let unrouted = Routes::plain(remote, &names, listed);
        for name in [name, unrouted] {
            all.insert(names.safe(&name));
            all.insert(names.distinct(&name, &listed.mailbox));
            all.insert(name);
        }
        if let Some(known) = known.get(&listed.mailbox) {
            all.insert(known.name().to_owned());
        }
    }
    all
}

/// Where the remote folders go, each by its position; `None` for what is no folder of the account's own.
fn targets(remote: &Side, local: &Side, selection: &Selection, known: &Known) -> Vec<Option<Target>> {
    let names = LocalNames::new(local);
    let routes = Routes::new(remote, local, selection);
    let mut claims = Claims::new(local);
    let mut wanted: Vec<Wanted<'_>> = vec![];
    for (at, (listed, _)) in remote.folders.iter().enumerate() {
        let own = matches!(
            remote.owner(&listed.mailbox),
            Owner::Account | Owner::FurtherPersonal
        );
        if !own || listed.has("\\Noselect") {
            continue;
        }
        let name = routes.name(&names, listed);
        let safe = names.safe(&name);
        let before = known.get(&listed.mailbox).filter(|before| {
            let may_be = [name.as_str(), &safe, &names.distinct(&name, &listed.mailbox)];
            local.is_own(before) && (claims.is_listed(before.name()) || may_be.contains(&before.name()))
        });
        let rank = match before {
            _ if listed.mailbox.is_inbox() => 0,
            Some(_) => 1,
            None if routes.is_routed(listed) => 2,
            None if SpecialUse::of(listed).is_some() => 3,
            None if safe == name => 4,
            None => 5,
        };
        wanted.push(Wanted {
            at,
            remote: &listed.mailbox,
            rank,
            before,
            name,
            safe,
        });
    }
    // Names are given in an order that does not depend on the server's.
    wanted.sort_by_key(|one| (one.rank, one.remote));
    let mut targets: Vec<Option<Target>> = remote.folders.iter().map(|_| None).collect();
    let mut locals = vec![];
    for one in &wanted {
        let name = match one.before {
            Some(before) => before.name().to_owned(),
            None if claims.is_free(&one.name) => one.name.clone(),
            None => names.distinct(&one.name, one.remote),
        };
        claims.claim(&name);
        locals.push(name);
    }
    for (one, name) in wanted.iter().zip(&locals) {
        let fallback = match name == &one.name && one.safe != one.name {
            true if claims.is_free(&one.safe) => one.safe.clone(),
            true => names.distinct(&one.name, one.remote),
            false => name.clone(),
        };
        claims.claim(&fallback);
        let shared = locals.iter().filter(|other| *other == name).count() > 1;
        targets[one.at] = Some(Target {
            local: Mailbox::from_name(name),
            fallback: Mailbox::from_name(&fallback),
            joined: shared,
            renamed: *name != one.name || *name != plain(remote, local, one.remote),
        });
    }
    targets
}

/// The local name without any care for what it may collide with: the prefix of one side is replaced by that of the other,
/// and so are separators.
fn plain(remote: &Side, local: &Side, mailbox: &Mailbox) -> String {
    if mailbox.is_inbox() {
        return mailbox.name().to_owned();
    }
    let bare = remote.bare(mailbox.name());
    let name = match (remote.separator(), local.separator()) {
        (Some(from), Some(to)) => bare.replace(from, &to.to_string()),
        _ => bare.to_owned(),
    };
    format!("{}{name}", local.prefix())
}

/// A remote folder on its way to a local name.
struct Wanted<'a> {
    at: usize,
    remote: &'a Mailbox,
    rank: u8,
    /// Where it went so far.
    before: Option<&'a Mailbox>,
    name: String,
    safe: String,
}

/// Local names that are given away. Names that differ in case only are one, as they are for some servers, unless the local
/// server lists both.
struct Claims {
    taken: HashMap<String, HashSet<String>>,
    listed: HashSet<String>,
}

impl Claims {
    fn new(local: &Side) -> Self {
        let names = local.folders.iter().map(|(listed, _)| listed.mailbox.name());
        Self {
            taken: HashMap::new(),
            listed: names.map(str::to_owned).collect(),
        }
    }

    fn is_listed(&self, name: &str) -> bool {
        self.listed.contains(name)
    }

    fn is_free(&self, name: &str) -> bool {
        let Some(alike) = self.taken.get(&name.to_lowercase()) else {
            return true;
        };
        !alike.contains(name) && self.is_listed(name) && alike.iter().all(|other| self.is_listed(other))
    }

    fn claim(&mut self, name: &str) {
        let alike = self.taken.entry(name.to_lowercase()).or_default();
        alike.insert(name.to_owned());
    }
}
