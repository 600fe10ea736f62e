// SPDX-License-Identifier: GPL-3.0-or-later
//! The mailbox of hard cases.

use anyhow::ensure;
use jiff::Timestamp;
use sandbox::mail::{plan, utf7};
use sandbox::{Imap, NewMail, Plan};

/// Mail like people's, and what is odd about theirs.
pub(crate) fn hard_cases() -> Vec<NewMail> {
    let mut mails = plan(&Plan {
        messages: 150,
        seed: 13,
        large_per_mille: 10,
    });
    let head = |id: &str| format!("Message-Id: <{id}@odd>\r\nSubject: {id}\r\n\r\n").into_bytes();
    let odd = |id: &str, body: &[u8]| NewMail::new("").content([head(id), body.to_vec()].concat());
    let every: Vec<u8> = (1..=255).filter(|&byte| byte != b'\r' && byte != b'\n').collect();
    mails.extend([
        odd("every", &[&every[..], b"\r\n"].concat()),
        odd("eightbit", "Grüße, 日本語, 🚀\r\n".as_bytes()),
        odd("unended", b"no line end"),
        odd("long", &[&vec![b'x'; 70_000][..], b"\r\n"].concat()),
        odd(
            "from",
            b"From me to you\r\n>From you\r\n\r\nFrom a@b Thu Jan  1 00:00:00 1970\r\n",
        ),
        odd("dots", b".\r\n..\r\n{5}\r\n* OK\r\na1 OK done\r\n)\r\n"),
        odd("bodiless", b""),
        odd("blank", b"\r\n\r\n\r\n"),
        NewMail::new("").content(&b"Message-Id: <header@odd>\r\nSubject: no end of the header\r\n"[..]),
        NewMail::new("")
            .content(&b"Message-Id:\r\n <folded@odd>\r\nReceived: by a;\r\n\tMon\r\n\r\nbody\r\n"[..]),
        NewMail::new("").content(&b"Subject: no id\r\nFrom: a@b\r\n\r\nbody\r\n"[..]),
        NewMail::new("").content(&b"Subject: no id\r\nFrom: a@b\r\n\r\nbody\r\n"[..]),
        NewMail::new("").content(&b"Message-Id: <raw@odd>\r\nSubject: \xff\xfe raw\r\n\r\nbody\r\n"[..]),
        NewMail::new("old@odd").date(86_400).folder("Work"),
        NewMail::new("new@odd")
            .flags(&["\\Seen", "\\Flagged", "Junk"])
            .folder("Work"),
        NewMail::new("deep@odd").folder("One/Two/Three/Four/Five"),
        NewMail::new("wide@odd").folder("Long Long Long Long Long Long Long Long Long Long Long Name"),
    ]);
    mails
}

/// The name of a folder as the server has it, over the wire.
pub(crate) fn wire_name(levels: &[String], prefix: &str, separator: char) -> String {
    match levels {
        [inbox] if inbox == "INBOX" => "INBOX".to_owned(),
        levels => {
            let levels: Vec<String> = levels.iter().map(|level| utf7::encode(level)).collect();
            format!("{prefix}{}", levels.join(&separator.to_string()))
        }
    }
}

/// Puts mail into the mailbox, as a mail program does. Gives what the server did not take.
pub(crate) fn fill(
    imap: &mut Imap,
    mails: &[NewMail],
    prefix: &str,
    separator: char,
) -> anyhow::Result<Vec<String>> {
    let mut refused = vec![];
    let mut made: Vec<String> = vec!["INBOX".to_owned()];
    let mut taken = 0;
    for mail in mails {
        let folder = wire_name(&mail.folder, prefix, separator);
        if !made.contains(&folder) {
            if let Err(error) = imap.run(&format!("CREATE \"{folder}\"")) {
                refused.push(format!("{error:#}"));
            }
            made.push(folder.clone());
        }
        let date = Timestamp::from_second(mail.date)?.strftime("%d-%b-%Y %H:%M:%S +0000");
        let what = format!("({}) \"{date}\"", mail.flags.join(" "));
        match imap.append_with(&folder, &what, &mail.content) {
            Ok(()) => taken += 1,
            Err(error) => refused.push(format!("{folder}: {error:#}")),
        }
    }
    ensure!(taken > 0, "nothing was taken: {refused:?}");
    Ok(refused)
}
