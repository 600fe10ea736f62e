// SPDX-License-Identifier: GPL-3.0-or-later
//! What cannot be: names of no task, damaged files, a log or a disk that takes nothing.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use anyhow::{Context, ensure};
use sandbox::{HelperOutcome, NewMail, Side};

use crate::support::{TASK, USER};
use crate::syncctl::world::World;

/// It says one thing, to the point.
fn clear(outcome: &HelperOutcome, code: i32, words: &str) -> anyhow::Result<()> {
    ensure!(
        outcome.exit_code == code && outcome.stderr.contains(words) && outcome.stdout.is_empty(),
        "should end with {code} and say {words:?}: {outcome:?}"
    );
    for never in ["panicked", "Pw-r1!", sandbox::MASTER_PASSWORD] {
        ensure!(!outcome.stderr.contains(never), "{outcome:?}");
    }
    ensure!(outcome.stderr.lines().count() == 1, "{outcome:?}");
    Ok(())
}

#[test]
fn a_name_of_no_task_is_refused() -> anyhow::Result<()> {
    let world = World::start()?;
    let before = world.sandbox.state_files()?;
    for verb in ["start", "stop", "status", "validation", "verify"] {
        for name in [
            "",
            "nobody_x",
            "u1/abc123",
            "../imapsync/u1_abc123",
            "..",
            "_",
            "u1_a*",
            ".hidden",
        ] {
            let mut outcome = world.syncctl(&[verb, name])?;
            if verb == "verify" && outcome.stdout.contains("\"status\":\"task_not_found\"") {
                // Who asked for an answer as JSON gets the cause as JSON, too.
                outcome.stdout.clear();
            }
            clear(&outcome, 66, "syncctl: ").with_context(|| format!("{verb} {name:?}"))?;
        }
        let missing = world.syncctl(&[verb])?;
        ensure!(
            missing.exit_code == 2 && missing.stderr.contains("NAME"),
            "{missing:?}"
        );
    }
    for words in [
        &["list-informations", "u1/abc123"][..],
        &["list-informations", ""],
    ] {
        clear(&world.syncctl(words)?, 66, "syncctl: ")?;
    }
    let unknown = world.syncctl(&["list-informations", "nobody_x"])?;
    ensure!(unknown.stdout == "{\"status\":false}\n", "{unknown:?}");
    let verb = world.syncctl(&["restart", TASK])?;
    ensure!(verb.exit_code == 2 && verb.stderr.contains("restart"), "{verb:?}");
    ensure!(world.sandbox.state_files()? == before, "nothing may be written");
    Ok(())
}

#[test]
fn a_damaged_task_leaves_log_and_status_of_the_last_run() -> anyhow::Result<()> {
    let world = World::start()?;
    let former = world.former()?;
    let text = fs::read(world.file("env"))?;
    for length in [0, 1, 40, text.len() - 30] {
        let cut = text.get(..length).context("shorter than thought")?;
        fs::write(world.file("env"), cut)?;
        let outcome = world.syncctl(&["start", TASK])?;
        if length < 60 {
            clear(&outcome, 66, "u1_abc123.env is damaged: ")?;
        } else {
            // Half a value is a value; what is damaged beyond recognition is refused.
            ensure!(!outcome.stderr.contains("panicked"), "{outcome:?}");
            continue;
        }
        ensure!(world.former()? == former && !world.sandbox.is_running(TASK));
        ensure!(!world.file("pid").exists() && !world.file("progress").exists());
    }
    fs::write(world.file("env"), b"\nTASK_ID=\xff\xfe\n")?;
    clear(&world.syncctl(&["start", TASK])?, 66, "not UTF-8")?;
    Ok(())
}

#[test]
fn a_missing_password_is_told_by_the_name_of_its_file() -> anyhow::Result<()> {
    let world = World::start()?;
    for (file, code) in [("vmail.pwd", 102), ("u1_abc123.pwd", 161)] {
        let path = world.sandbox.node().state().join("imapsync").join(file);
        let password = fs::read(&path)?;
        fs::remove_file(&path)?;
        let outcome = world.syncctl(&["start", TASK])?;
        ensure!(outcome.exit_code == code, "{outcome:?}");
        ensure!(world.sandbox.log(TASK).contains(&format!("{file} is missing")));
        ensure!(fs::read_to_string(world.file("status"))?.ends_with(&format!("\n{code}\n")));
        fs::write(path, password)?;
    }
    ensure!(world.syncctl(&["start", TASK])?.exit_code == 0);
    Ok(())
}

#[test]
fn a_log_that_cannot_be_written_fails_the_run_and_leaves_the_status() -> anyhow::Result<()> {
    let world = World::start()?;
    let status = fs::read(world.file("status"))?;
    fs::remove_file(world.file("log"))?;
    fs::create_dir(world.file("log"))?;
    clear(
        &world.syncctl(&["start", TASK])?,
        1,
        "cannot write u1_abc123.log: ",
    )?;
    ensure!(fs::read(world.file("status"))? == status && !world.sandbox.is_running(TASK));
    ensure!(!world.file("pid").exists() && !world.file("progress").exists());
    fs::remove_dir(world.file("log"))?;
    ensure!(world.syncctl(&["start", TASK])?.exit_code == 0);
    Ok(())
}

/// In its own mount namespace, which ends with it: the tasks on a file system of 2 MB with that many KB free.
const FULL_DISK: &str = r#"
mount -t tmpfs -o size=2m,mode=0700 tmpfs "$IMAPSYNC_DIR" || exit 77
cp -p "$FROM/$TASK.env" "$FROM/$TASK.pwd" "$FROM/$TASK.json" "$FROM/$TASK.status" "$FROM/vmail.pwd" "$IMAPSYNC_DIR/"
dd if=/dev/zero of="$IMAPSYNC_DIR/fill" bs=4k 2> /dev/null
truncate -s "-${FREE}k" "$IMAPSYNC_DIR/fill"
"$SYNCCTL" start "$TASK" > "$OUT/stdout" 2> "$OUT/stderr"
echo "$?" > "$OUT/code"
cp "$IMAPSYNC_DIR/$TASK.status" "$OUT/status"
cat "$IMAPSYNC_DIR/$TASK.log" > "$OUT/log" 2> /dev/null
cmp "$FROM/$TASK.env" "$IMAPSYNC_DIR/$TASK.env" && cmp "$FROM/$TASK.pwd" "$IMAPSYNC_DIR/$TASK.pwd" || exit 78
ls -A "$IMAPSYNC_DIR" > "$OUT/files"
rm "$IMAPSYNC_DIR/fill"
"$SYNCCTL" start "$TASK" > /dev/null 2>> "$OUT/stderr"
"#;

#[test]
fn a_full_disk_fails_the_run_and_nothing_else() -> anyhow::Result<()> {
    let world = World::start()?;
    let mails: Vec<NewMail> = (0..20).map(|n| NewMail::new(&format!("m{n}@x"))).collect();
    world.sandbox.remote().deliver(USER, &mails)?;
    let former = fs::read_to_string(world.file("status"))?;
    let folder = tempfile::tempdir()?;
    let out = tempfile::tempdir()?;
    let (mut failed, mut succeeded) = (0, 0);
    for free in (0..720).step_by(16) {
        let program = world.program()?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", "sh", "-c", FULL_DISK]).env_clear();
        for (name, value) in program.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command
            .env("FROM", world.sandbox.node().state().join("imapsync"))
            .env("IMAPSYNC_DIR", folder.path())
            .env("OUT", out.path())
            .env("SYNCCTL", program.get_program())
            .env("TASK", TASK)
            .env("FREE", free.to_string());
        let ended = command.output().context("cannot run unshare")?;
        if ended.status.code() == Some(77)
            || String::from_utf8_lossy(&ended.stderr).contains("unshare failed")
        {
            let line = "no file system can be mounted here: a full disk is not tried\n";
            return Ok(std::io::stderr().write_all(line.as_bytes())?);
        }
        let read = |name: &str| fs::read_to_string(out.path().join(name));
        let (code, said, status, files) = (read("code")?, read("stderr")?, read("status")?, read("files")?);
        let told = said.clone() + &read("log")?;
        let context = format!("{free} KB free: {code}{said}{status}{files}{ended:?}");
        ensure!(ended.status.success(), "with space again it works: {context}");
        ensure!(!said.contains("panicked") && !files.contains(".tmp"), "{context}");
        match code.trim() {
            "0" => {
                ensure!(status.ends_with("\n0\n") && status != former, "{context}");
                succeeded += 1;
            }
            code => {
                ensure!(code.parse::<u8>().is_ok_and(|code| code < 126), "{context}");
                ensure!(
                    told.contains("No space left") || told.contains("full"),
                    "{context}{told}"
                );
                ensure!(
                    status == former || status.ends_with(&format!("\n{code}\n")),
                    "{context}"
                );
                failed += 1;
            }
        }
    }
    ensure!(
        failed > 2 && succeeded > 2,
        "{failed} failed, {succeeded} succeeded"
    );
    // However often it was cut off, every message is there, once.
    ensure!(world.sandbox.mailbox(Side::Local, "u1")?["INBOX"].len() == 21);
    Ok(())
}
