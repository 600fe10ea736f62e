// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers that send without end: a run takes little memory, ends by itself, and is stopped as soon as it is told to.

use std::fs;
use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use anyhow::ensure;
use sandbox::wait_until;

use crate::support::TASK;
use crate::syncctl::world::World;

/// In KiB, of a program that is built without optimisation.
const MOST_MEMORY: u64 = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attack {
    EndlessList,
    EndlessLine,
    EndlessSearch,
    EndlessNotices,
    ManyLiterals,
    HugeLiteral,
    HugeNumbers,
    /// A little, now and then, for ever.
    Drip,
}

/// Writes the same until the other side has had enough.
fn without_end(out: &mut TcpStream, piece: &str) -> std::io::Result<()> {
    let many = piece.repeat(1 + 16_384 / piece.len());
    loop {
        out.write_all(many.as_bytes())?;
    }
}

fn answer(out: &mut TcpStream, attack: Attack, tag: &str, command: &str) -> std::io::Result<()> {
    let is = |verb: &str| command.starts_with(verb);
    if is("LIST") {
        match attack {
            Attack::EndlessList => without_end(out, "* LIST () \"/\" \"a folder of many\"\r\n")?,
            Attack::EndlessLine => {
                out.write_all(b"* LIST () \"/\" ")?;
                without_end(out, "x")?;
            }
            Attack::EndlessNotices => without_end(out, "* OK still working on it\r\n")?,
            Attack::Drip => loop {
                out.write_all(b"* OK\r\n")?;
                std::thread::sleep(std::time::Duration::from_millis(100));
            },
            _ => out.write_all(b"* LIST () \"/\" INBOX\r\n")?,
        }
    }
    let count = match attack {
        Attack::HugeNumbers => u32::MAX,
        _ => 1,
    };
    if is("CAPABILITY") {
        out.write_all(b"* CAPABILITY IMAP4rev1\r\n")?;
    } else if is("STATUS") {
        let next = count.saturating_add(1);
        write!(
            out,
            "* STATUS INBOX (MESSAGES {count} UIDNEXT {next} UIDVALIDITY 7)\r\n"
        )?;
    } else if is("SELECT") || is("EXAMINE") {
        let next = count.saturating_add(1);
        write!(
            out,
            "* {count} EXISTS\r\n* OK [UIDVALIDITY 7] .\r\n* OK [UIDNEXT {next}] .\r\n"
        )?;
    } else if is("UID SEARCH") {
        out.write_all(b"* SEARCH 1")?;
        match attack {
            Attack::EndlessSearch => without_end(out, " 12345678 3")?,
            _ => out.write_all(b"\r\n")?,
        }
    } else if is("UID FETCH") {
        out.write_all(
            b"* 1 FETCH (UID 1 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" RFC822.SIZE 100",
        )?;
        match (attack, command.contains("BODY.PEEK[]")) {
            (Attack::ManyLiterals, _) => without_end(out, " BODY[HEADER] {3}\r\nabc")?,
            (Attack::HugeLiteral, true) => {
                out.write_all(b" BODY[] {4294967290}\r\n")?;
                without_end(out, "x")?;
            }
            (_, true) => out.write_all(b" BODY[] {24}\r\nMessage-Id: <a@x>\r\n\r\nab\r\n)\r\n")?,
            _ => out.write_all(b" BODY[HEADER] {21}\r\nMessage-Id: <a@x>\r\n\r\n)\r\n")?,
        }
    }
    write!(out, "{tag} OK done\r\n")
}

fn converse(mut out: TcpStream, attack: Attack) -> std::io::Result<()> {
    let lines = BufReader::new(out.try_clone()?).lines();
    out.write_all(b"* OK ready\r\n")?;
    for line in lines {
        let line = line?;
        let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
        answer(&mut out, attack, tag, &command.to_ascii_uppercase())?;
    }
    Ok(())
}

/// The most memory that a process has had, in KiB, as long as it is there.
fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// Points the task at a server of this kind, as one that nothing is known of.
fn meet(world: &World, attack: Attack) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // It ends when the other side closes.
            std::thread::spawn(move || converse(stream, attack));
        }
    });
    let text = fs::read_to_string(world.file("env"))?;
    let lines = text.lines().map(|line| match line.split_once('=') {
        Some(("REMOTEHOSTNAME", _)) => "REMOTEHOSTNAME=127.0.0.1".to_owned(),
        Some(("REMOTEPORT", _)) => format!("REMOTEPORT={port}"),
        Some(("SECURITY", _)) => "SECURITY=".to_owned(),
        _ => line.to_owned(),
    });
    let text: Vec<String> = lines.collect();
    fs::write(world.file("env"), text.join("\n") + "\n")?;
    for known in ["json", "state"] {
        let _ = fs::remove_file(world.file(known));
    }
    Ok(())
}

#[test]
fn a_run_takes_little_memory_whatever_a_server_sends() -> anyhow::Result<()> {
    let world = World::start()?;
    for attack in [
        Attack::EndlessList,
        Attack::EndlessLine,
        Attack::EndlessSearch,
        Attack::EndlessNotices,
        Attack::ManyLiterals,
        Attack::HugeLiteral,
        Attack::HugeNumbers,
    ] {
        meet(&world, attack)?;
        let mut run = world.spawn(&["start", TASK])?;
        let (mut most, started) = (0, Instant::now());
        while run.try_wait()?.is_none() {
            most = most.max(peak(run.id()).unwrap_or_default());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let ended = run.wait_with_output()?;
        let log = fs::read_to_string(world.file("log"))?;
        // The table in docs/limits.md is from here.
        let seconds = started.elapsed().as_secs_f64();
        eprintln!("{attack:?}: {most} KiB, {seconds:.1} s, {}", ended.status);
        ensure!(most > 0 && most < MOST_MEMORY, "{attack:?}: {most} KiB\n{log}");
        ensure!(
            attack == Attack::HugeNumbers || ended.status.code() != Some(0),
            "{attack:?}: {ended:?}\n{log}"
        );
        ensure!(log.len() < 100_000, "{attack:?}: a log of {} octets", log.len());
    }
    Ok(())
}

#[test]
fn a_run_is_stopped_while_a_server_sends_a_little_for_ever() -> anyhow::Result<()> {
    let world = World::start()?;
    meet(&world, Attack::Drip)?;
    let run = world.spawn(&["start", TASK])?;
    wait_until("the run", || world.file("progress").exists())?;
    let stopped = world.syncctl(&["stop", TASK])?;
    ensure!(stopped.exit_code == 0, "{stopped:?}");
    let ended = run.wait_with_output()?;
    ensure!(ended.status.code() == Some(143), "{ended:?}");
    Ok(())
}
