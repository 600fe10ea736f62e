// SPDX-License-Identifier: GPL-3.0-or-later
//! What a session asks of mailboxes: which there are, in what state, and to be opened.

use std::collections::{HashMap, VecDeque};

use super::command::Command;
use super::error::Result;
use super::listed::Listed;
use super::mailbox::Mailbox;
use super::namespace::Namespaces;
use super::response::{MailboxStatus, Response, StatusLine, Untagged};
use super::session::{Session, accepted};
use crate::imap::capability::Capability;

/// What an overview tells in addition to names and states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListExtras {
    /// Nothing.
    Nothing,
    /// How large they are. A server may have to look at every message for it.
    Sizes,
}

/// All that a server tells of an account's mailboxes.
#[derive(Debug, Default)]
pub struct Overview {
    /// Whose mailboxes have which prefixes (RFC 2342), where the server tells.
    pub namespaces: Option<Namespaces>,
    /// The mailboxes.
    pub mailboxes: Vec<(Listed, Option<MailboxStatus>)>,
    /// Lines of the list that cannot be read: so many mailboxes may be missing.
    pub unreadable: u64,
}

/// What LIST and its like told.
#[derive(Default)]
struct Listing {
    listed: Vec<Listed>,
    statuses: Vec<(Mailbox, MailboxStatus)>,
    overview: Overview,
}

impl Listing {
    fn note(&mut self, data: Untagged) {
        match data {
            // The root of all names is no mailbox (RFC 3501, 6.3.8).
            Untagged::List(item) if item.mailbox.wire().is_empty() => {}
            Untagged::List(item) => self.listed.push(item),
            Untagged::UnreadableList => self.overview.unreadable += 1,
            Untagged::MailboxStatus(mailbox, status) => self.statuses.push((mailbox, status)),
            Untagged::Namespace(told) if !told.is_empty() => self.overview.namespaces = Some(told),
            _ => {}
        }
    }
}

fn selectable(listed: &[Listed]) -> impl Iterator<Item = &Mailbox> {
    listed
        .iter()
        .filter(|item| !item.has(NOSELECT))
        .map(|item| &item.mailbox)
}

/// Each mailbox once, whatever the server listed twice: the same name, or INBOX in another case. A mailbox has all the
/// attributes that any of its lines has, but `\\Noselect` only when all of them say so.
fn each_once(listed: Vec<Listed>) -> Vec<Listed> {
    let mut at: HashMap<Mailbox, usize> = HashMap::new();
    let mut once: Vec<Listed> = vec![];
    for item in listed {
        let Some(&known) = at.get(&item.mailbox) else {
            at.insert(item.mailbox.clone(), once.len());
            once.push(item);
            continue;
        };
        if let Some(known) = once.get_mut(known) {
            let selectable = !known.has(NOSELECT) || !item.has(NOSELECT);
            known.attributes.extend(item.attributes);
            if selectable {
                known.attributes.retain(|one| !one.eq_ignore_ascii_case(NOSELECT));
            }
            known.separator = known.separator.or(item.separator);
        }
    }
    once
}

const NOSELECT: &str = "\\Noselect";

impl Session {
    /// All mailboxes with their status, see [`Session::overview`].
    pub async fn list_status(&mut self) -> Result<Vec<(Listed, Option<MailboxStatus>)>> {
        Ok(self.overview(ListExtras::Nothing).await?.mailboxes)
    }

    /// What there is: one round trip with LIST-STATUS (RFC 5819), else one for the lists and one for all statuses, which
    /// go out together.
    pub async fn overview(&mut self, extras: ListExtras) -> Result<Overview> {
        self.overview_and_ask(extras, vec![], |_, _| {}).await
    }

    /// The same with questions about messages, each in the mailbox that goes with it, in the same round trip. `take` gets
    /// the number of a question with each piece of data. Where the server takes one command at a time none is asked, and
    /// what it refuses has no answer.
    pub async fn overview_and_ask(
        &mut self,
        extras: ListExtras,
        questions: Vec<(Mailbox, Command)>,
        take: impl FnMut(usize, Untagged),
    ) -> Result<Overview> {
        let mut items = "MESSAGES UIDNEXT UIDVALIDITY".to_owned();
        if self.capabilities().has(Capability::Condstore) || self.capabilities().has(Capability::Qresync) {
            items.push_str(" HIGHESTMODSEQ");
        }
        if self.capabilities().has(Capability::ObjectId) && !self.workarounds().has_wrong_ids() {
            items.push_str(" MAILBOXID");
        }
        // RFC 8438 and IMAP4rev2; elsewhere the sizes have to be summed up.
        if extras == ListExtras::Sizes && self.has_status_size() {
            items.push_str(" SIZE");
        }
        let offered = self.capabilities().has(Capability::ListStatus)
            && self.capabilities().has(Capability::ListExtended);
        let mut extended = offered && !self.workarounds().lists_plainly();
        let (mut listing, mut answers) = self.listing(extended, &items, questions, take).await?;
        if extended
            && answers
                .first()
                .is_some_and(|answer| !answer.is_ok() && !answer.is_temporary())
            && self.workarounds().list_plainly()
        {
            extended = false;
            (listing, answers) = self.listing(extended, &items, vec![], |_, _| {}).await?;
        }
        // Without namespace or subscriptions there is less comfort; without a list there is nothing.
        if let Some(answer) = answers.into_iter().next() {
            accepted("LIST", answer)?;
        }
        let Listing {
            mut listed,
            statuses,
            mut overview,
        } = listing;
        listed.retain(|item| !item.has("\\NonExistent"));
        let mut listed = each_once(listed);
        let mut found: HashMap<Mailbox, MailboxStatus> = statuses.into_iter().collect();
        if !selectable(&listed).any(Mailbox::is_inbox) {
            // There is one, whatever the list says of it (RFC 3501, 5.1), if it can be opened.
            let opened = self.examine_all(&[&Mailbox::inbox()]).await?;
            if !opened.is_empty() {
                let separator = listed.iter().find_map(|item| item.separator);
                listed.retain(|item| !item.mailbox.is_inbox());
                listed.push(Listed {
                    mailbox: Mailbox::inbox(),
                    attributes: vec![],
                    separator,
                });
                found.extend(opened);
            }
        }
        if !extended {
            let mailboxes: Vec<&Mailbox> = selectable(&listed).collect();
            found.extend(self.statuses(&mailboxes, &items).await?);
        }
        // Cyrus 3.10 prints freed memory there, which may look like an identity; what SELECT says is right.
        if found.values().any(|status| status.has_wrong_id) {
            self.workarounds().set_has_wrong_ids();
            found.values_mut().for_each(|status| status.id = None);
        }
        // What no valid status is known of is opened instead: servers leave it out, spell the name in another way, or,
        // like Dovecot while another session makes the index of a mailbox for the first time, claim that a full mailbox
        // is empty and has the UIDVALIDITY 0.
        let doubtful: Vec<&Mailbox> = selectable(&listed)
            .filter(|mailbox| !found.get(mailbox).is_some_and(MailboxStatus::is_valid))
            .collect();
        found.extend(self.examine_all(&doubtful).await?);
        let with_status = listed.into_iter().map(|item| {
            let status = found.remove(&item.mailbox);
            (item, status)
        });
        overview.mailboxes = with_status.collect();
        Ok(overview)
    }

    /// The mailboxes that are subscribed; none where the server does not tell.
    pub async fn subscriptions(&mut self) -> Result<Vec<Mailbox>> {
        let mut found = vec![];
        let command = Command::new("LSUB").text("\"\" \"*\"");
        self.call(command, |data| {
            if let Untagged::Subscribed(item) = data
                && !item.has("\\Noselect")
            {
                found.push(item.mailbox);
            }
        })
        .await?;
        Ok(found)
    }

    /// LIST and what goes along with it.
    async fn listing(
        &mut self,
        extended: bool,
        items: &str,
        questions: Vec<(Mailbox, Command)>,
        mut take: impl FnMut(usize, Untagged),
    ) -> Result<(Listing, Vec<StatusLine>)> {
        let mut commands = vec![if extended {
            let special = match self.capabilities().has(Capability::SpecialUse) {
                true => "SPECIAL-USE ",
                false => "",
            };
            Command::new("LIST").text(&format!("\"\" \"*\" RETURN ({special}STATUS ({items}))"))
        } else {
            Command::new("LIST").text("\"\" \"*\"")
        }];
        if self.capabilities().has(Capability::Namespace) {
            commands.push(Command::new("NAMESPACE"));
        }
        let mut listing = Listing::default();
        if self.workarounds().is_sequential() || questions.is_empty() {
            let answers = self.call_all(commands, |data| listing.note(data)).await?;
            return Ok((listing, answers));
        }
        let lists = commands.len();
        for (mailbox, question) in questions {
            commands.push(Self::open_command(&mailbox, false).optional());
            commands.push(question.optional());
        }
        let mut tags = vec![];
        for command in commands {
            tags.push(self.send(command).await?);
        }
        let answers = self
            .finish_after(&tags, |data, answered, is_ok| match answered.checked_sub(lists) {
                None => listing.note(data),
                // Where the mailbox could not be opened, another one may still be open.
                Some(question) if question % 2 == 1 && is_ok => take(question / 2, data),
                Some(_) => {}
            })
            .await?;
        Ok((listing, answers))
    }

    /// STATUS of each, asked together.
    async fn statuses(
        &mut self,
        mailboxes: &[&Mailbox],
        items: &str,
    ) -> Result<Vec<(Mailbox, MailboxStatus)>> {
        let mut found = vec![];
        for group in self.groups(mailboxes) {
            let mut waiting = VecDeque::new();
            for &mailbox in &group {
                let command = Command::new("STATUS")
                    .mailbox(mailbox)
                    .text(&format!("({items})"));
                waiting.push_back((self.send(command).await?, mailbox));
            }
            while !waiting.is_empty() {
                match self
                    .next()
                    .await
                    .map_err(|error| self.note_loss(error, &waiting))?
                {
                    Response::Untagged(Untagged::MailboxStatus(mailbox, status)) => {
                        found.push((mailbox, status));
                    }
                    Response::Tagged { tag: other, .. } => waiting.retain(|&(tag, _)| !Self::is(tag, &other)),
                    Response::Untagged(_) | Response::Continue(_) => {}
                }
            }
            self.note_answered(&group);
        }
        Ok(found)
    }

    /// Whether STATUS tells sizes.
    pub fn has_status_size(&self) -> bool {
        self.capabilities().has(Capability::StatusSize) || self.capabilities().has(Capability::Imap4Rev2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::script::converse;

    const LIST: &str = "LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))";

    fn status(listed: &[(Listed, Option<MailboxStatus>)], name: &str) -> Option<MailboxStatus> {
        let found = listed.iter().find(|(listed, _)| listed.mailbox.name() == name);
        found.and_then(|&(_, status)| status)
    }

    #[test]
    fn a_full_mailbox_that_claims_to_be_empty_is_opened() {
        // What Dovecot 2.3.19 said of a mailbox of 50 messages while another session made its index.
        let script = [
            (
                LIST,
                "* LIST () \"/\" INBOX\n* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 0)\n\
                 * LIST () \"/\" Work\n* STATUS Work (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9)\n% OK done",
            ),
            (
                "EXAMINE \"INBOX\"",
                "* 50 EXISTS\n* OK [UIDVALIDITY 7] ok\n* OK [UIDNEXT 51] ok\n% OK [READ-ONLY] done",
            ),
        ];
        let listed = converse("LIST-EXTENDED LIST-STATUS", &script, async |session| {
            session.list_status().await.unwrap()
        });
        let inbox = status(&listed, "INBOX").unwrap();
        assert_eq!(
            (inbox.messages, inbox.uid_next, inbox.uid_validity),
            (Some(50), Some(51), Some(7))
        );
        assert_eq!(status(&listed, "Work").unwrap().messages, Some(3));
    }

    #[test]
    fn without_list_status_all_are_asked_and_answers_come_in_any_order() {
        let script = [
            (
                "LIST \"\" \"*\"",
                "* LIST () \"/\" A\n* LIST (\\Noselect) \"/\" N\n* LIST () \"/\" B\n% OK done",
            ),
            ("EXAMINE \"INBOX\"", "% NO [NONEXISTENT] none"),
            ("STATUS \"A\" (MESSAGES UIDNEXT UIDVALIDITY)", ""),
            (
                "STATUS \"B\" (MESSAGES UIDNEXT UIDVALIDITY)",
                "* STATUS B (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1)\n% OK first\n\
                 * STATUS A (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1)\nA3 OK last",
            ),
        ];
        let listed = converse("", &script, async |session| session.list_status().await.unwrap());
        assert_eq!(status(&listed, "A").unwrap().messages, Some(1));
        assert_eq!(status(&listed, "B").unwrap().messages, Some(2));
        assert!(status(&listed, "N").is_none());
    }

    #[test]
    fn a_mailbox_that_is_listed_twice_is_one() {
        let script = [(
            LIST,
            "* LIST () \"/\" INBOX\n* LIST (\\Noselect) \"/\" Work\n* LIST (\\Archive) \"/\" \"Work\"\n\
             * LIST () \"/\" Inbox\n* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9)\n\
             * STATUS Work (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9)\n% OK done",
        )];
        let listed = converse("LIST-EXTENDED LIST-STATUS", &script, async |session| {
            session.list_status().await.unwrap()
        });
        let names: Vec<_> = listed.iter().map(|(listed, _)| listed.mailbox.name()).collect();
        assert_eq!(names, ["INBOX", "Work"]);
        assert!(listed[1].0.has("\\Archive") && !listed[1].0.has("\\Noselect"));
        assert!(listed.iter().all(|(_, status)| status.is_some()));
    }

    #[test]
    fn there_is_an_inbox_whatever_the_list_says() {
        for listed in ["", "* LIST (\\Noselect) \"/\" INBOX\n"] {
            let list = format!(
                "{listed}* LIST () \"/\" A\n* STATUS A (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1)\n% OK done"
            );
            let script = [
                (LIST, list.as_str()),
                (
                    "EXAMINE \"INBOX\"",
                    "* 2 EXISTS\n* OK [UIDVALIDITY 7] ok\n* OK [UIDNEXT 3] ok\n% OK [READ-ONLY] done",
                ),
            ];
            let listed = converse("LIST-EXTENDED LIST-STATUS", &script, async |session| {
                session.list_status().await.unwrap()
            });
            assert_eq!(status(&listed, "INBOX").unwrap().messages, Some(2));
            assert!(listed.iter().all(|(listed, _)| !listed.has(NOSELECT)));
        }
    }

    #[test]
    fn a_mailbox_that_cannot_be_opened_has_no_status() {
        let script = [
            (LIST, "* LIST () \"/\" Secret\n% OK done"),
            ("EXAMINE \"INBOX\"", "% NO [NONEXISTENT] none"),
            ("EXAMINE \"Secret\"", "% NO [NOPERM] no"),
        ];
        let listed = converse("LIST-EXTENDED LIST-STATUS", &script, async |session| {
            session.list_status().await.unwrap()
        });
        assert!(status(&listed, "Secret").is_none());
    }
}
