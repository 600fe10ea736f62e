// SPDX-License-Identifier: GPL-3.0-or-later
//! The mailboxes of one account, in memory.

use std::collections::{BTreeMap, BTreeSet};

/// A message of a mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub uid: u32,
    pub flags: BTreeSet<String>,
    /// INTERNALDATE as on the wire.
    pub date: String,
    pub body: Vec<u8>,
    pub modseq: u64,
}

impl Stored {
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f.eq_ignore_ascii_case(flag))
    }
}

/// A mailbox.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folder {
    pub uid_validity: u32,
    pub uid_next: u32,
    /// Its MAILBOXID, which no change of names changes.
    pub id: u32,
    pub messages: Vec<Stored>,
    pub special: Option<&'static str>,
    pub subscribed: bool,
}

impl Folder {
    pub(crate) fn find(&mut self, uid: u32) -> Option<&mut Stored> {
        self.messages.iter_mut().find(|message| message.uid == uid)
    }
}

/// An account. The names are those of the wire.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub folders: BTreeMap<String, Folder>,
    pub separator: char,
    pub prefix: &'static str,
    /// What NAMESPACE answers, where it is more than the prefix of the own folders.
    pub namespaces: Option<&'static str>,
    pub modseq: u64,
    validity: u32,
}

/// What the date of every message is unless a test says otherwise.
pub(super) const DATE: &str = "17-Jul-2023 02:44:25 -0700";

impl Model {
    pub(crate) fn new(separator: char, prefix: &'static str) -> Self {
        let mut model = Self {
            folders: BTreeMap::new(),
            separator,
            prefix,
            namespaces: None,
            modseq: 10,
            validity: 1000,
        };
        model.create("INBOX");
        model
    }

    /// Makes a mailbox; `false` when it is there.
    pub(crate) fn create(&mut self, name: &str) -> bool {
        if self.folders.contains_key(name) {
            return false;
        }
        self.validity += 1;
        self.folders.insert(
            name.to_owned(),
            Folder {
                uid_validity: self.validity,
                uid_next: 1,
                id: self.validity,
                ..Folder::default()
            },
        );
        true
    }

    /// Adds a message, the mailbox too if need be; gives its UID.
    pub(crate) fn add(&mut self, folder: &str, body: &[u8], flags: &[&str]) -> u32 {
        self.create(folder);
        self.append(folder, body.to_vec(), flags.iter().map(|f| (*f).to_owned()), DATE)
    }

    pub(crate) fn append(
        &mut self,
        folder: &str,
        body: Vec<u8>,
        flags: impl Iterator<Item = String>,
        date: &str,
    ) -> u32 {
        self.modseq += 1;
        let modseq = self.modseq;
        let folder = self.folders.get_mut(folder).expect("a mailbox that is there");
        let uid = folder.uid_next;
        folder.uid_next += 1;
        folder.messages.push(Stored {
            uid,
            flags: flags.collect(),
            date: date.to_owned(),
            body,
            modseq,
        });
        uid
    }

    /// What a backup of `former` brings back: everything, with its UIDVALIDITY, UIDNEXT and MODSEQ.
    pub(crate) fn restore(&mut self, former: &Self) {
        let validity = self.validity;
        self.clone_from(former);
        // Mailboxes that are made later get their own UIDVALIDITY all the same.
        self.validity = validity;
    }

    /// Numbers the messages from 1 and keeps UIDVALIDITY, as a server does that lost its list of UIDs.
    pub(crate) fn renumber_in_place(&mut self) {
        for folder in self.folders.values_mut() {
            folder.uid_next = 1;
            for message in &mut folder.messages {
                message.uid = folder.uid_next;
                folder.uid_next += 1;
            }
        }
    }

    /// Gives every mailbox another UIDVALIDITY and its messages other UIDs, as a rebuilt server does.
    pub(crate) fn renumber(&mut self) {
        for folder in self.folders.values_mut() {
            self.validity += 1;
            folder.uid_validity = self.validity;
            for message in &mut folder.messages {
                message.uid += 7;
            }
            folder.uid_next += 7;
        }
    }

    /// Puts another mailbox in the place of one: of the same name and UIDs, with other messages.
    pub(crate) fn replace(&mut self, name: &str) {
        self.validity += 1;
        let folder = self.folders.get_mut(name).expect("a mailbox that is there");
        folder.uid_validity = self.validity;
        for message in &mut folder.messages {
            message.body =
                format!("Message-Id: <other{}@scripted>\r\n\r\nOther\r\n", message.uid).into_bytes();
            message.flags.clear();
        }
    }

    pub(crate) fn octets(&self) -> usize {
        let messages = self.folders.values().flat_map(|folder| &folder.messages);
        messages.map(|message| message.body.len()).sum()
    }

    /// The contents of every mailbox in comparable form: bodies with CRLF line ends, counted.
    pub(crate) fn contents(&self) -> Contents {
        let mut contents = Contents::new();
        for (name, folder) in &self.folders {
            let counted = contents.entry(name.clone()).or_default();
            for message in &folder.messages {
                *counted.entry(with_crlf(&message.body)).or_default() += 1;
            }
        }
        contents
    }
}

/// How often each content is in each mailbox.
pub(super) type Contents = BTreeMap<String, BTreeMap<Vec<u8>, usize>>;

pub(super) fn with_crlf(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for (at, &byte) in body.iter().enumerate() {
        if byte == b'\n' && (at == 0 || body[at - 1] != b'\r') {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}
