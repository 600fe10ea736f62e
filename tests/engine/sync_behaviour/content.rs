// SPDX-License-Identifier: GPL-3.0-or-later
//! Every message arrives octet for octet, with its flags and its date, as many times as it is there.

use anyhow::ensure;
use sandbox::case::mails;
use sandbox::{NewMail, Plan, Side};
use serde_json::json;

use crate::accounts::case;

fn sized(id: &str, size: usize) -> NewMail {
    let mail = NewMail::new(id);
    let mut content = mail.content.clone();
    while content.len() < size {
        let line = (size - content.len()).min(78);
        content.extend(std::iter::repeat_n(
            b'a' + (content.len() % 26) as u8,
            line.saturating_sub(2),
        ));
        content.extend(&b"\r\n"[..line.min(2)]);
    }
    mail.content(content)
}

#[test]
fn all_sizes_from_nothing_to_fifty_megabytes() -> anyhow::Result<()> {
    let case = case()?;
    let sizes = [
        300, 1023, 1024, 1025, 4095, 4096, 4097, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 131_072,
        1_000_000, 1_048_576, 1_048_577, 5_000_001, 52_428_800,
    ];
    let mut all: Vec<NewMail> = sizes
        .iter()
        .map(|&size| sized(&format!("s{size}@x"), size))
        .collect();
    // No body, no empty line, no header, a single octet, a single line end.
    for (at, content) in [
        "Message-Id: <nobody@x>\r\nSubject: x\r\n\r\n",
        "Message-Id: <headeronly@x>\r\nSubject: x\r\n",
        "Message-Id: <unended@x>",
        "\r\nonly a body\r\n",
        "x",
        "\r\n",
    ]
    .iter()
    .enumerate()
    {
        all.push(NewMail::new("").content(*content).date(1_600_000_000 + at as i64));
    }
    case.deliver(Side::Remote, &all)?;
    case.create(json!({}))?;
    case.run_copies(all.len() as u64)?;
    case.agree()?;
    case.run_copies(0)?;
    case.forget()?;
    case.run_copies(0)?;
    case.agree()
}

#[test]
fn a_message_of_no_octets_is_told_of_and_stops_nothing() -> anyhow::Result<()> {
    let case = case()?;
    let mut all = mails("INBOX", "m", 3);
    all.insert(1, NewMail::new("").content(""));
    case.deliver(Side::Remote, &all)?;
    case.deliver(Side::Remote, &mails("Work", "w", 2))?;
    case.create(json!({"delete_remote": true}))?;
    for copied in [5, 0] {
        // Dovecot takes no empty message.
        let run = case.run()?.ended(0)?;
        ensure!(run.copied() == copied, "{}", run.log);
        ensure!(copied == 0 || run.log.contains("has no content"), "{}", run.log);
        ensure!(case.ids(Side::Local, "INBOX")? == ["m1@x", "m2@x", "m3@x"]);
        ensure!(case.ids(Side::Local, "Work")? == ["w1@x", "w2@x"]);
        ensure!(
            case.ids(Side::Remote, "INBOX")? == [""],
            "what was not delivered stays"
        );
    }
    Ok(())
}

#[test]
fn every_octet_is_kept() -> anyhow::Result<()> {
    let case = case()?;
    let head = |id: &str| format!("Message-Id: <{id}@x>\r\nSubject: {id}\r\n\r\n").into_bytes();
    let with = |id: &str, body: &[u8]| NewMail::new("").content([head(id), body.to_vec()].concat());
    let every: Vec<u8> = (0..=255).filter(|&byte| byte != b'\r' && byte != b'\n').collect();
    let mails = [
        with("every", &every),
        with("nul", b"a\0b\0\0c\r\n"),
        with("eightbit", "Grüße, 日本語, 🚀\r\n".as_bytes()),
        with("latin", b"Gr\xfc\xdfe\r\n"),
        with("lf", b"one\ntwo\n\n"),
        with("mixed", b"one\r\ntwo\nthree\r\n"),
        with("cr", b"one\rtwo\r\r\nthree"),
        with("unended", b"no line end"),
        with("long", &vec![b'x'; 300_000]),
        with(
            "dots",
            b".\r\n..\r\nFrom me\r\n{5}\r\n* OK\r\na1 OK done\r\n)\r\n",
        ),
        NewMail::new("").content(
            &b"Message-Id: <h\xc3\xa4@x>\r\nSubject: \xff\xfe raw\r\nX-Nul: a\0b\r\n\r\nbody\r\n"[..],
        ),
        NewMail::new("")
            .content(&b"Message-Id:\r\n <folded@x>\r\nReceived: by a;\r\n\tMon\r\n\r\nbody\r\n"[..]),
        NewMail::new("").content(&b"message-ID : <blank@x>\r\n\r\nbody\r\n"[..]),
        NewMail::new("").content(&b"Message-Id: \r\nSubject: an empty one\r\n\r\nbody\r\n"[..]),
        NewMail::new("").content(&b"no header line at all\r\n\r\nbody\r\n"[..]),
    ];
    case.deliver(Side::Remote, &mails)?;
    case.create(json!({}))?;
    case.run_copies(mails.len() as u64)?;
    case.agree()?;
    case.forget()?;
    case.run_copies(0)?;
    case.agree()
}

#[test]
fn a_cr_at_the_very_end_brings_no_second_copy() -> anyhow::Result<()> {
    for end in [&b"\r"[..], b"\r\r\r"] {
        let case = case()?;
        let mail = NewMail::new("").content([b"Message-Id: <end@x>\r\n\r\nbody", end].concat());
        case.deliver(Side::Remote, &[mail])?;
        case.create(json!({}))?;
        case.run_copies(1)?;
        case.forget()?;
        case.run_copies(0)?;
        ensure!(case.ids(Side::Local, "INBOX")? == ["end@x"]);
    }
    Ok(())
}

#[test]
fn dates_of_all_past_times_and_zones() -> anyhow::Result<()> {
    let case = case()?;
    // Dovecot takes no date of the future. The remote server tells the time of its own place, five hours and three quarters ahead.
    let moments = [
        1_i64,
        86_399,
        86_400,
        915_148_799,
        951_782_400,
        951_827_399,
        1_709_164_800,
        1_711_846_800,
        1_767_225_599,
        1_781_000_000,
    ];
    let mails: Vec<NewMail> = moments
        .iter()
        .map(|&moment| NewMail::new(&format!("d{moment}@x")).date(moment))
        .collect();
    case.deliver(Side::Remote, &mails)?;
    case.create(json!({}))?;
    case.run_copies(mails.len() as u64)?;
    case.agree()?;
    let mut dates: Vec<i64> = case.mailbox(Side::Local)?["INBOX"]
        .iter()
        .map(|message| message.date)
        .collect();
    dates.sort_unstable();
    ensure!(dates == moments, "{dates:?}");
    Ok(())
}

#[test]
fn all_flags_and_keywords() -> anyhow::Result<()> {
    let case = case()?;
    let sets: &[&[&str]] = &[
        &[],
        &["\\Seen"],
        &["\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen"],
        &["\\Deleted"],
        &["$Forwarded", "$MDNSent", "Junk", "NonJunk"],
        &["$label1", "custom-keyword_2", "\\Seen", "\\Flagged"],
    ];
    let mut mails = vec![];
    for folder in ["INBOX", "Work"] {
        for (at, flags) in sets.iter().enumerate() {
            mails.push(NewMail::new(&format!("f{at}@x")).folder(folder).flags(flags));
        }
    }
    case.deliver(Side::Remote, &mails)?;
    // No one has seen this one yet: it is \Recent, which is not a flag that can be given.
    let new = case.maildir(Side::Remote, "INBOX").join("new");
    let from = new.with_file_name("cur");
    let any = from
        .read_dir()?
        .flatten()
        .find(|file| file.file_name().to_string_lossy().ends_with(":2,"));
    if let Some(file) = any {
        let name = file.file_name().to_string_lossy().into_owned();
        std::fs::rename(file.path(), new.join(name.trim_end_matches(":2,")))?;
    }
    case.create(json!({}))?;
    case.run_copies(mails.len() as u64)?;
    case.agree()
}

#[test]
fn as_many_twins_as_the_source_has() -> anyhow::Result<()> {
    let case = case()?;
    let same = NewMail::new("same@x");
    let other_body =
        NewMail::new("same@x").content("Message-Id: <same@x>\r\nSubject: same\r\n\r\nAnother body.\r\n");
    let received =
        NewMail::new("").content("Received: by a; Mon\r\nMessage-Id: <same@x>\r\n\r\nOne more.\r\n");
    let nameless = NewMail::new("").content("Subject: no id\r\nFrom: a@b\r\n\r\nBody.\r\n");
    let nameless_too = NewMail::new("").content("Subject: no id\r\nFrom: a@b\r\n\r\nBodies.\r\n");
    let all = [
        same.clone(),
        same.clone(),
        same.clone(),
        other_body,
        received,
        nameless.clone(),
        nameless.clone(),
        nameless_too,
        same.clone().folder("Work"),
        nameless.folder("Work"),
    ];
    case.deliver(Side::Remote, &all)?;
    // One of them is here already.
    case.deliver(Side::Local, std::slice::from_ref(&same))?;
    case.create(json!({}))?;
    case.run_copies(all.len() as u64 - 1)?;
    case.agree()?;
    case.run_copies(0)?;
    case.forget()?;
    case.run_copies(0)?;
    case.agree()?;

    // One more of the same is one more.
    case.deliver(Side::Remote, &[same])?;
    case.run_copies(1)?;
    case.agree()
}

#[test]
fn a_mailbox_like_peoples() -> anyhow::Result<()> {
    let case = case()?;
    let plan = Plan {
        messages: 1500,
        seed: 7,
        large_per_mille: 2,
    };
    let mails = sandbox::mail::plan(&plan);
    case.deliver(Side::Remote, &mails)?;
    case.create(json!({}))?;
    case.run_copies(1500)?;
    case.agree()?;
    case.run_copies(0)?;
    case.forget()?;
    case.run_copies(0)?;
    case.agree()
}
