// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail like people's: deterministic, of realistic sizes, with the odd cases that real mailboxes have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::NewMail;

/// What to generate. The same plan gives the same mail, octet for octet.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many messages over all folders.
    pub messages: usize,
    /// The seed of everything that looks random.
    pub seed: u64,
    /// How many of a thousand messages carry an attachment of one to four megabytes.
    pub large_per_mille: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            messages: 1000,
            seed: 1,
            large_per_mille: 3,
        }
    }
}

/// Folders and their share of the messages, in per cent.
const FOLDERS: &[(&[&str], usize)] = &[
    (&["INBOX"], 30),
    (&["Sent"], 14),
    (&["Archive"], 6),
    (&["Archive", "2019"], 8),
    (&["Archive", "2019", "Q1"], 5),
    (&["Work"], 8),
    (&["Work", "Projects & Plans"], 6),
    (&["Entwürfe und Rechnungen"], 5),
    (&["日本語", "受信済み"], 5),
    (&["Launch 🚀"], 4),
    (&["Trash"], 6),
    (&["Junk"], 3),
];

/// The end of the ten years over which the mail arrived: 2026-01-01.
const LAST_DAY: i64 = 1_767_225_600;
const TEN_YEARS: u64 = 10 * 365 * 86_400;

const PEOPLE: &[&str] = &[
    "Ada Lovelace <ada@example.net>",
    "=?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <juergen@example.de>",
    "=?utf-8?b?5bGx55Sw5aSq6YOO?= <taro@example.jp>",
    "newsletter@shop.example",
    "\"O'Brien, Pat\" <pat@example.ie>",
];

const WORDS: &[&str] = &[
    "the", "meeting", "of", "report", "and", "budget", "we", "customer", "on", "invoice", "with", "delivery",
    "to", "schedule", "please", "attached", "team", "for", "server", "holiday", "by", "project", "kind",
    "regards",
];

/// Generates the mail of a plan.
pub fn plan(plan: &Plan) -> Vec<NewMail> {
    let mut random = Random(plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut mails: Vec<NewMail> = Vec::with_capacity(plan.messages);
    for (index, folder) in folders(plan.messages).into_iter().enumerate() {
        // One in fifty is a copy of its neighbour: a twin with the same Message-Id in the same folder.
        let twin = mails
            .last()
            .filter(|last| index % 50 == 49 && last.folder == folder)
            .cloned();
        mails.push(twin.unwrap_or_else(|| message(&mut random, plan, index, folder)));
    }
    mails
}

/// The folder of every message.
fn folders(messages: usize) -> Vec<Vec<String>> {
    let mut all = Vec::with_capacity(messages);
    for (levels, share) in FOLDERS {
        let levels: Vec<String> = levels.iter().map(|&level| level.to_owned()).collect();
        all.extend(std::iter::repeat_n(levels, messages * share / 100));
    }
    all.resize(messages, vec!["INBOX".to_owned()]);
    all
}

fn message(random: &mut Random, plan: &Plan, index: usize, folder: Vec<String>) -> NewMail {
    let date = LAST_DAY - i64::try_from(random.below(TEN_YEARS)).unwrap_or_default();
    let mut content = header(random, index, date);
    if random.below(1000) < plan.large_per_mille {
        let size = 1_000_000 + random.below(3_000_000);
        attachment(random, &mut content, size);
    } else if index % 29 == 7 {
        // 8-bit text in a single-byte character set, as old programs send it.
        content.push_str(
            "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        );
        let mut bytes = content.into_bytes();
        bytes.extend_from_slice(b"Gr\xfc\xdfe aus K\xf6ln, 100 \xa4\r\n");
        return NewMail {
            folder,
            content: bytes,
            flags: flags(random),
            date,
        };
    } else {
        content.push_str("Content-Type: text/plain; charset=utf-8\r\n\r\n");
        // Most messages are small, some are long: the product of two draws leans to the small side.
        let size = 300 + random.below(90) * random.below(160);
        text(random, &mut content, size);
    }
    NewMail {
        folder,
        content: content.into_bytes(),
        flags: flags(random),
        date,
    }
}

fn header(random: &mut Random, index: usize, date: i64) -> String {
    let sent = Timestamp::from_second(date - 60)
        .unwrap_or_default()
        .strftime("%a, %d %b %Y %H:%M:%S +0000");
    let mut header = String::new();
    if index.is_multiple_of(3) {
        header += &format!(
            "Received: from mx{}.example.net (mx.example.net [192.0.2.{}])\r\n\tby mail.example.com; {sent}\r\n",
            random.below(9),
            random.below(255)
        );
    }
    // One in forty has no Message-Id, as old or careless programs send it.
    if index % 40 != 13 {
        let style = ["Message-ID", "Message-Id", "message-id"][index % 3];
        header += &format!("{style}: <{index}.{:016x}@example.net>\r\n", random.next());
    }
    let from = PEOPLE[index % PEOPLE.len()];
    let mut subject = String::new();
    text(random, &mut subject, 20);
    header += &format!(
        "From: {from}\r\nTo: r1@example.com\r\nSubject: {}\r\nDate: {sent}\r\nMIME-Version: 1.0\r\n",
        subject.trim_end()
    );
    header
}

fn text(random: &mut Random, out: &mut String, size: u64) {
    let end = out.len() as u64 + size;
    let mut column = 0;
    while (out.len() as u64) < end {
        let word = WORDS[random.index(WORDS.len())];
        out.push_str(word);
        column += word.len() + 1;
        if column > 70 {
            out.push_str("\r\n");
            column = 0;
        } else {
            out.push(' ');
        }
    }
    out.push_str("\r\n");
}

fn attachment(random: &mut Random, out: &mut String, size: u64) {
    out.push_str(
        "Content-Type: multipart/mixed; boundary=\"=_part\"\r\n\r\n--=_part\r\nContent-Type: text/plain\r\n\r\n",
    );
    text(random, out, 400);
    out.push_str(
        "--=_part\r\nContent-Type: application/pdf; name=report.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    );
    let mut line = [0; 57];
    for _ in 0..size / 78 {
        for chunk in line.chunks_mut(8) {
            chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
        }
        STANDARD.encode_string(line, out);
        out.push_str("\r\n");
    }
    out.push_str("--=_part--\r\n");
}

fn flags(random: &mut Random) -> Vec<String> {
    let draw = random.below(100);
    let mut flags = Vec::new();
    let mut add = |flag: &str, wanted: bool| {
        if wanted {
            flags.push(flag.to_owned());
        }
    };
    add("\\Seen", draw < 80);
    add("\\Answered", draw.is_multiple_of(5));
    add("\\Flagged", draw.is_multiple_of(11));
    add("\\Draft", draw == 97);
    add("$Forwarded", draw.is_multiple_of(13));
    add("NonJunk", draw.is_multiple_of(17));
    flags
}

/// SplitMix64: small, fast, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, plan};
    use std::collections::BTreeSet;

    #[test]
    fn the_same_plan_gives_the_same_mail() {
        let wanted = Plan {
            messages: 300,
            ..Plan::default()
        };
        assert_eq!(plan(&wanted), plan(&wanted));
        assert_ne!(plan(&wanted), plan(&Plan { seed: 2, ..wanted }));
    }

    #[test]
    fn the_mail_has_what_real_mailboxes_have() {
        let mails = plan(&Plan {
            messages: 1000,
            ..Plan::default()
        });
        assert_eq!(mails.len(), 1000);
        let folders: BTreeSet<_> = mails.iter().map(|mail| &mail.folder).collect();
        assert!(folders.len() >= 8 && folders.iter().any(|folder| folder.len() == 3));
        let has_id = |mail: &&super::NewMail| {
            String::from_utf8_lossy(&mail.content)
                .to_lowercase()
                .contains("message-id:")
        };
        assert!(mails.iter().filter(|mail| !has_id(mail)).count() > 10);
        let contents: BTreeSet<_> = mails.iter().map(|mail| &mail.content).collect();
        assert!(contents.len() < mails.len(), "there are twins");
        assert!(mails.iter().any(|mail| mail.content.len() > 1_000_000));
        assert!(
            mails
                .iter()
                .any(|mail| mail.content.iter().any(|byte| *byte > 127))
        );
        let mut sizes: Vec<_> = mails.iter().map(|mail| mail.content.len()).collect();
        sizes.sort_unstable();
        assert!((1_000..10_000).contains(&sizes[500]), "median {}", sizes[500]);
    }
}
