// SPDX-License-Identifier: GPL-3.0-or-later
//! Commands that make and change mailboxes and messages.

use super::*;

impl Session<'_> {
    pub(super) fn create(&self, name: &str) -> String {
        let mut model = lock(&self.shared.model);
        let prefix = model.prefix;
        if !prefix.is_empty() && !name.starts_with(prefix) {
            return "NO Invalid mailbox name".to_owned();
        }
        if model.create(name) {
            "OK Created".to_owned()
        } else {
            "NO [ALREADYEXISTS] It is there".to_owned()
        }
    }

    pub(super) fn append(&self, words: &[Word]) -> String {
        let name = mailbox(&words[0]);
        let faults = lock(&self.shared.faults).clone();
        let mut model = lock(&self.shared.model);
        if !model.folders.contains_key(&name) {
            return "NO [TRYCREATE] No such mailbox".to_owned();
        }
        let mut messages = vec![];
        let (mut flags, mut date) = (vec![], DATE.to_owned());
        for word in &words[1..] {
            match word {
                Word::List(list) => flags = list.iter().map(Word::text).collect(),
                Word::Literal(body) => {
                    messages.push((
                        std::mem::take(&mut flags),
                        std::mem::replace(&mut date, DATE.to_owned()),
                        body,
                    ));
                }
                other => date = other.text(),
            }
        }
        if messages.len() > 1 && !faults.has("MULTIAPPEND") {
            self.violation("MULTIAPPEND is not offered", name.as_bytes());
            return "BAD One at a time".to_owned();
        }
        if messages
            .iter()
            .any(|(flags, ..)| flags.iter().any(|flag| faults.refuses(flag)))
        {
            return "NO [CANNOT] Keywords are not permitted".to_owned();
        }
        let octets: usize = messages.iter().map(|(.., body)| body.len()).sum();
        if faults.quota.is_some_and(|quota| model.octets() + octets > quota) {
            return "NO [OVERQUOTA] Quota exceeded (mailbox for user is full)".to_owned();
        }
        if messages.iter().any(|(.., body)| body.is_empty()) {
            return "NO Cowardly refusing an empty message".to_owned();
        }
        let mut uids = vec![];
        for (flags, date, body) in messages {
            let body = match faults.one_cr {
                true => as_dovecot(body),
                false => body.clone(),
            };
            let date = match faults.own_dates {
                // Each a minute after the last one.
                true => format!(
                    "01-Jan-2024 10:{:02}:00 +0000",
                    model.folders[&name].uid_next % 60
                ),
                false => date,
            };
            uids.push(model.append(&name, body, flags.into_iter(), &date));
        }
        if let Some(text) = faults.loses {
            let finder = memchr::memmem::Finder::new(text);
            let folder = model.folders.get_mut(&name).expect("the mailbox");
            folder
                .messages
                .retain(|message| finder.find(&message.body).is_none());
        }
        if faults.has("UIDPLUS") {
            let validity = model.folders[&name].uid_validity;
            format!("OK [APPENDUID {validity} {}] Stored", command::set(&uids))
        } else {
            "OK Stored".to_owned()
        }
    }

    /// `FILTER SIEVE DELIVERY UID n`: the user's script files everything in one folder.
    pub(super) fn filter(&self, words: &[Word]) -> String {
        let Some(selected) = &self.selected else {
            return "BAD No mailbox is selected".to_owned();
        };
        let mut model = lock(&self.shared.model);
        model.create("Filed");
        let folder = &model.folders[&selected.name];
        let existing: Vec<u32> = folder.messages.iter().map(|message| message.uid).collect();
        for uid in command::uids(&words[3].text(), &existing) {
            let folder = model.folders.get_mut(&selected.name).expect("the mailbox");
            let message = folder.find(uid).expect("a message that is there");
            let filed = message.clone();
            message.flags.insert("\\Deleted".to_owned());
            model.append("Filed", filed.body, filed.flags.into_iter(), &filed.date);
        }
        "OK Filtered".to_owned()
    }

    /// Stores what arrives late, when its time has come.
    pub(super) fn store_late(&self) {
        let mut due = vec![];
        lock(&self.shared.late).retain_mut(|(commands, words)| {
            let is_due = *commands == 0;
            *commands = commands.saturating_sub(1);
            if is_due {
                due.push(std::mem::take(words));
            }
            !is_due
        });
        for words in due {
            self.append(&words);
        }
    }

    pub(super) fn on_messages(&mut self, verb: &str, words: &[Word], selected: &Selected) -> Step<String> {
        if !selected.write && matches!(verb, "UID STORE" | "UID EXPUNGE" | "EXPUNGE") {
            return Ok("NO [READ-ONLY] Opened to read only".to_owned());
        }
        if verb == "UID FETCH" {
            return answer::fetch(self, words, selected);
        }
        let faults = lock(&self.shared.faults).clone();
        let mut model = lock(&self.shared.model);
        let Some(folder) = model.folders.get_mut(&selected.name) else {
            return Ok("NO [NONEXISTENT] The mailbox was deleted".to_owned());
        };
        let existing: Vec<u32> = folder.messages.iter().map(|message| message.uid).collect();
        match verb {
            "UID SEARCH" => {
                let folder = answer::shown(&model, &faults, &selected.name).expect("the mailbox");
                let connections = answer::search(folder, words, faults.finds_numbers);
                drop(model);
                self.put(connections.as_bytes())?;
                Ok("OK Found".to_owned())
            }
            // By numbers it tells UIDs, and nothing else.
            "FETCH" => {
                let numbers: Vec<u32> = (1u32..).take(selected.view.len()).collect();
                let mut told = String::new();
                for number in command::uids(&words[0].text(), &numbers) {
                    let uid = selected.view[number as usize - 1];
                    told += &format!("* {number} FETCH (UID {uid})\r\n");
                }
                drop(model);
                self.put(told.as_bytes())?;
                Ok("OK Fetched".to_owned())
            }
            "UID STORE" => Ok(store(&mut model, &faults, selected, words)),
            _ => {
                let among = match words.first() {
                    Some(set) => command::uids(&set.text(), &existing),
                    None => existing,
                };
                if !faults.keeps_everything {
                    folder
                        .messages
                        .retain(|message| !(message.has("\\Deleted") && among.contains(&message.uid)));
                }
                Ok("OK Expunged".to_owned())
            }
        }
    }
}

fn store(
    model: &mut Model,
    faults: &crate::server_faults::fault::Faults,
    selected: &Selected,
    words: &[Word],
) -> String {
    let names: Vec<String> = words[2].list().iter().map(Word::text).collect();
    if names.iter().any(|name| faults.refuses(name)) {
        return "NO [CANNOT] Keywords are not permitted".to_owned();
    }
    if faults.keeps_everything && names.iter().any(|name| name == "\\Deleted") {
        return "OK Stored".to_owned();
    }
    model.modseq += 1;
    let modseq = model.modseq;
    let add = words[1].text().starts_with('+');
    let Some(folder) = model.folders.get_mut(&selected.name) else {
        return "NO The mailbox was deleted".to_owned();
    };
    let existing: Vec<u32> = folder.messages.iter().map(|message| message.uid).collect();
    for uid in command::uids(&words[0].text(), &existing) {
        if let Some(message) = folder.find(uid) {
            message.modseq = modseq;
            for name in &names {
                if add {
                    message.flags.insert(name.clone());
                } else {
                    message.flags.remove(name);
                }
            }
        }
    }
    "OK Stored".to_owned()
}

/// Of the carriage returns before a line end, or at the end of the message, one is lost.
fn as_dovecot(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for (at, &octet) in body.iter().enumerate() {
        let is_lost = octet == b'\r' && (at + 1 == body.len() || body[at + 1..].starts_with(b"\r\n"));
        if !is_lost {
            out.push(octet);
        }
    }
    out
}
