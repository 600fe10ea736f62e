// SPDX-License-Identifier: GPL-3.0-or-later
//! What a server turned out not to support, learnt on one connection and applied to all.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use super::mailbox::Mailbox;

/// How often connections may break at a mailbox.
const MAX_LOSSES: u8 = 1;

/// How often connections may break with commands sent ahead before it is tried without.
const MAX_PIPELINE_LOSSES: u8 = 2;

/// Copies share what is learnt.
#[derive(Clone, Debug, Default)]
pub struct Workarounds(Arc<Mutex<Learnt>>);

#[derive(Debug, Default)]
struct Learnt {
    /// Something was learnt since that was last asked.
    news: bool,
    pipelining: Pipelining,
    plain_list: bool,
    plain_search: bool,
    refuses_changes: bool,
    finds_numbers: Option<bool>,
    search_unanswered: bool,
    wrong_ids: bool,
    /// Mailboxes at which connections broke: how often.
    mailboxes: HashMap<Mailbox, u8>,
}

/// Whether commands may be sent before the former ones are answered.
#[derive(Debug, Default)]
struct Pipelining {
    sequential: bool,
    /// It needs a rest after each answer, too.
    unhurried: bool,
    /// The command whose refusal raised the suspicion.
    suspected: Option<&'static str>,
    /// Commands that are refused in any case.
    refused: HashSet<&'static str>,
    /// Connections that broke with commands sent ahead, none of which was answered.
    losses: u8,
    /// It was tried without, and connections broke all the same.
    innocent: bool,
}

impl Workarounds {
    fn with<T: Default>(&self, act: impl FnOnce(&mut Learnt) -> T) -> T {
        self.0
            .lock()
            .map(|mut learnt| act(&mut learnt))
            .unwrap_or_default()
    }

    /// Whether the server takes one command at a time.
    pub fn is_sequential(&self) -> bool {
        self.with(|learnt| learnt.pipelining.sequential)
    }

    /// Whether the server is to be given a rest between two commands.
    pub(super) fn is_unhurried(&self) -> bool {
        self.with(|learnt| learnt.pipelining.unhurried)
    }

    /// The server did not answer what was sent ahead.
    pub(super) fn ignores_pipelined(&self) {
        self.with(|learnt| learnt.pipelining.sequential = true);
    }

    /// A command was answered with BAD. `true` when that may be because it came too early: it is to be tried alone, then
    /// with a rest before it.
    pub(super) fn refused(&self, command: &'static str, ahead: bool) -> bool {
        self.with(|learnt| {
            let pipelining = &mut learnt.pipelining;
            if ahead && !pipelining.refused.contains(command) {
                pipelining.sequential = true;
                pipelining.suspected = Some(command);
                return true;
            }
            if pipelining.suspected == Some(command) {
                pipelining.unhurried = !pipelining.unhurried;
                if pipelining.unhurried {
                    return true;
                }
                pipelining.suspected = None;
                pipelining.sequential = false;
            }
            pipelining.refused.insert(command);
            false
        })
    }

    /// A command that was sent ahead was carried out.
    pub(super) fn took_pipelined(&self) {
        self.with(|learnt| learnt.pipelining.losses = 0);
    }

    /// A connection broke, with commands sent ahead or without.
    pub(super) fn lost(&self, ahead: bool) {
        self.with(|learnt| {
            let pipelining = &mut learnt.pipelining;
            if ahead && !pipelining.innocent {
                pipelining.losses = pipelining.losses.saturating_add(1);
                pipelining.sequential |= pipelining.losses >= MAX_PIPELINE_LOSSES;
            } else if !ahead && pipelining.sequential && pipelining.losses >= MAX_PIPELINE_LOSSES {
                pipelining.innocent = true;
                pipelining.sequential = false;
            }
        });
    }

    /// Whether connections broke that commands were sent ahead on, and nothing has shown yet that this is not why.
    pub fn suspects_pipelining(&self) -> bool {
        self.with(|learnt| learnt.pipelining.losses > 0 && !learnt.pipelining.innocent)
    }

    /// Whether LIST is to be asked in its plain form, whatever extensions are offered.
    pub(super) fn lists_plainly(&self) -> bool {
        self.with(|learnt| learnt.plain_list)
    }

    /// The server offers more than the plain LIST, and refused it. `false` when that is known.
    pub(super) fn list_plainly(&self) -> bool {
        self.with(|learnt| !std::mem::replace(&mut learnt.plain_list, true))
    }

    /// Whether SEARCH is to be asked in its plain form.
    pub(super) fn searches_plainly(&self) -> bool {
        self.with(|learnt| learnt.plain_search)
    }

    /// The server offers ESEARCH, and refused it. `false` when that is known.
    pub(super) fn search_plainly(&self) -> bool {
        self.with(|learnt| !std::mem::replace(&mut learnt.plain_search, true))
    }

    /// Whether the server offers CONDSTORE and does not take CHANGEDSINCE.
    pub fn refuses_changes(&self) -> bool {
        self.with(|learnt| learnt.refuses_changes)
    }

    /// It refused CHANGEDSINCE. `false` when that is known.
    pub fn set_refuses_changes(&self) -> bool {
        self.with(|learnt| !std::mem::replace(&mut learnt.refuses_changes, true))
    }

    /// Whether STATUS is not to be asked for the identity of a mailbox.
    pub(super) fn has_wrong_ids(&self) -> bool {
        self.with(|learnt| learnt.wrong_ids)
    }

    /// STATUS told an identity that is none.
    pub(super) fn set_has_wrong_ids(&self) {
        self.with(|learnt| learnt.wrong_ids = true);
    }

    /// Whether the server answers UID SEARCH with the numbers of the messages, where that is known.
    pub(super) fn finds_numbers(&self) -> Option<bool> {
        self.with(|learnt| learnt.finds_numbers)
    }

    /// Records whether it does.
    pub(super) fn set_finds_numbers(&self, does: bool) {
        self.with(|learnt| learnt.finds_numbers = Some(does));
    }

    /// Whether the server said twice that a search is done without telling what it found.
    pub fn leaves_search_unanswered(&self) -> bool {
        self.with(|learnt| learnt.search_unanswered)
    }

    /// It did.
    pub(super) fn search_unanswered(&self) {
        self.with(|learnt| learnt.search_unanswered = true);
    }

    /// A connection broke while the server was at this mailbox. `true` when that tells something new.
    pub fn lost_at(&self, mailbox: &Mailbox) -> bool {
        self.with(|learnt| {
            let losses = learnt.mailboxes.entry(mailbox.clone()).or_default();
            *losses = losses.saturating_add(1);
            let new = *losses <= MAX_LOSSES + 1;
            learnt.news |= new;
            new
        })
    }

    /// A connection broke while the server was at this mailbox, with other commands behind: it is to be asked for alone.
    pub fn suspect(&self, mailbox: &Mailbox) -> bool {
        self.with(|learnt| {
            let new = !learnt.mailboxes.contains_key(mailbox);
            learnt.mailboxes.entry(mailbox.clone()).or_insert(1);
            learnt.news |= new;
            new
        })
    }

    /// Whether something was learnt of mailboxes since this was last asked, so that another attempt may lead further.
    pub fn take_news(&self) -> bool {
        self.with(|learnt| std::mem::take(&mut learnt.news))
    }

    /// Whether a connection broke at this mailbox, so that it is to be asked for alone.
    pub fn is_suspect(&self, mailbox: &Mailbox) -> bool {
        self.with(|learnt| learnt.mailboxes.contains_key(mailbox))
    }

    /// Whether connections break whenever this mailbox is asked for.
    pub fn is_hopeless(&self, mailbox: &Mailbox) -> bool {
        self.with(|learnt| {
            learnt
                .mailboxes
                .get(mailbox)
                .is_some_and(|&losses| losses > MAX_LOSSES)
        })
    }

    /// How many mailboxes break connections.
    pub fn hopeless(&self) -> usize {
        self.with(|learnt| {
            let losses = learnt.mailboxes.values();
            losses.filter(|&&losses| losses > MAX_LOSSES).count()
        })
    }

    /// The mailbox was asked for alone, and answered.
    pub fn answered(&self, mailbox: &Mailbox) {
        self.with(|learnt| learnt.mailboxes.remove(mailbox).is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_refused_alone_too_is_no_reason_to_slow_down() {
        let server = Workarounds::default();
        assert!(server.refused("NAMESPACE", true));
        assert!(server.is_sequential() && !server.is_unhurried());
        assert!(server.refused("NAMESPACE", false));
        assert!(server.is_sequential() && server.is_unhurried());
        assert!(!server.refused("NAMESPACE", false));
        assert!(!server.is_sequential() && !server.is_unhurried());
        assert!(!server.refused("NAMESPACE", true), "known by now");
        assert!(server.refused("UID FETCH", true));
        assert!(server.is_sequential());
    }

    #[test]
    fn losses_are_held_against_pipelining_until_it_is_proven_innocent() {
        let server = Workarounds::default();
        server.lost(true);
        server.took_pipelined();
        assert!(!server.suspects_pipelining());
        server.lost(true);
        assert!(!server.is_sequential() && server.suspects_pipelining());
        server.lost(true);
        assert!(server.is_sequential() && server.suspects_pipelining());
        server.lost(false);
        assert!(!server.is_sequential() && !server.suspects_pipelining());
        server.lost(true);
        server.lost(true);
        assert!(!server.is_sequential());
    }

    #[test]
    fn a_mailbox_is_given_up_when_the_connection_breaks_at_it_alone() {
        let server = Workarounds::default();
        let mailbox = Mailbox::from_name("Work");
        assert!(server.lost_at(&mailbox));
        assert!(server.is_suspect(&mailbox) && !server.is_hopeless(&mailbox));
        server.answered(&mailbox);
        assert!(!server.is_suspect(&mailbox));
        assert!(server.take_news() && !server.take_news());
        assert!(server.suspect(&mailbox) && !server.suspect(&mailbox));
        assert!(server.lost_at(&mailbox));
        assert!(server.is_hopeless(&mailbox));
        assert!(!server.lost_at(&mailbox), "nothing new");
        assert_eq!(server.hopeless(), 1);
    }
}
