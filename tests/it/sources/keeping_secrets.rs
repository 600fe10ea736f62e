// SPDX-License-Identifier: GPL-3.0-or-later
//! Secrets and tokens are in the files of the sources and nowhere else.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::ensure;
use sandbox::Outcome;
use serde_json::json;

use super::{ANN, World, keys};

/// What is seen of the processes of a sandbox while something goes on.
#[derive(Default)]
struct Witness {
    seen: Mutex<BTreeSet<String>>,
    done: AtomicBool,
}

impl Witness {
    /// Looks at the arguments and the environment of all processes of the sandbox, again and again.
    fn watch(&self, base: &Path) {
        let base = base.to_string_lossy();
        while !self.done.load(Ordering::Relaxed) {
            for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
                let read = |file: &str| {
                    let text = std::fs::read(process.path().join(file)).unwrap_or_default();
                    String::from_utf8_lossy(&text).replace('\0', "\n")
                };
                let (arguments, environment) = (read("cmdline"), read("environ"));
                if (arguments.contains(&*base) || environment.contains(&*base))
                    && let Ok(mut seen) = self.seen.lock()
                {
                    seen.extend([arguments, environment]);
                }
            }
        }
    }

    fn has_seen(&self, word: &str) -> bool {
        self.seen
            .lock()
            .is_ok_and(|seen| seen.iter().any(|text| text.contains(word)))
    }
}

#[test]
fn no_secret_and_no_token_is_anywhere_but_in_the_files_of_sources() -> anyhow::Result<()> {
    let world = World::with("application")?;
    let witness = Witness::default();
    let said = std::thread::scope(|scope| {
        scope.spawn(|| witness.watch(world.sandbox.node().base()));
        let said = go_through_everything(&world, &witness);
        witness.done.store(true, Ordering::Relaxed);
        said
    })?;
    let tokens = world.stored_tokens()?;
    ensure!(tokens.len() >= 4, "{}", tokens.len());
    let mut secrets = vec!["Application-s3cret", "Web-s3cret", "PRIVATE KEY"];
    secrets.extend(tokens.iter().map(String::as_str));

    let mut texts = vec![("journal".to_owned(), world.sandbox.journal())];
    for (name, file) in world.sandbox.state_files()? {
        if name.contains(".sources/") || name.ends_with(".pwd") {
            ensure!(file.mode == 0o600, "{name} has the mode {:o}", file.mode);
        } else {
            texts.push((name, file.text));
        }
    }
    // What the agent records of an action is what it said.
    texts.extend(
        said.iter()
            .map(|outcome| ("output".to_owned(), format!("{outcome:?}"))),
    );
    texts.push(("Redis".to_owned(), redis_dump(&world)?));
    let seen = witness
        .seen
        .lock()
        .map_err(|_| anyhow::anyhow!("a thread failed"))?;
    texts.extend(seen.iter().map(|text| ("a process".to_owned(), text.clone())));
    for (name, text) in &texts {
        for secret in &secrets {
            ensure!(!text.contains(secret), "a secret is in {name}");
        }
    }
    Ok(())
}

/// Every way to sign in, stored, tested and run, and a few that are refused.
fn go_through_everything(world: &World, witness: &Witness) -> anyhow::Result<Vec<Outcome>> {
    let mut said = vec![];
    for kind in [
        "certified",
        "service-account",
        "authorization-code",
        "device-code",
    ] {
        said.push(world.sandbox.action("save-source", world.issuer.source(kind)?)?);
    }
    world.deliver(ANN, 1)?;
    world.sign_in_by_device(ANN)?;
    for (kind, user) in [
        ("application", "u1"),
        ("device-code", "u2"),
        ("service-account", "u3"),
    ] {
        said.push(world.create(kind, user, ANN)?);
        world.run_copies(user, 1)?;
        let question = json!({"source_id": kind, "mailbox": ANN});
        said.push(world.sandbox.action("test-source", question)?);
    }
    said.push(world.sandbox.action("list-sources", json!({}))?);
    said.push(world.sandbox.action("list-tasks", json!({}))?);
    ensure!(said.iter().all(Outcome::is_ok), "{said:?}");
    ensure!(keys(&said[0]).is_empty());
    // What is refused is recorded as well.
    for (field, wrong) in [
        ("port", json!("none")),
        ("unknown", json!(1)),
        ("hostname", json!("a b")),
    ] {
        let mut fields = world.issuer.source("application")?;
        fields[field] = wrong;
        let refused = world.sandbox.action("save-source", fields)?;
        ensure!(!refused.is_ok(), "{refused:?}");
        said.push(refused);
    }
    // A run and a question that hold their secrets while the provider thinks.
    world.issuer.set_mode("slow")?;
    world.end_tokens()?;
    let asked = world.issuer.requests()?.len();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| world.run("u2"));
        sandbox::wait_until("the request for a token", || {
            world.issuer.requests().is_ok_and(|now| now.len() > asked)
        })?;
        sandbox::wait_until("a look at the run", || witness.has_seen("start\nu2_abc123"))?;
        run.join().map_err(|_| anyhow::anyhow!("a thread failed"))?
    })?;
    Ok(said)
}

fn redis_dump(world: &World) -> anyhow::Result<String> {
    let redis = world.sandbox.redis();
    let mut dump = vec![];
    let found = redis.command(&["SCAN", "0", "MATCH", "*imapsync1*", "COUNT", "100000"])?;
    ensure!(found[0] == "0", "there are more keys");
    for key in &found[1..] {
        let kind = redis.command(&["TYPE", key])?.concat();
        dump.extend(match kind.as_str() {
            "hash" => redis.command(&["HGETALL", key])?,
            "set" => redis.command(&["SMEMBERS", key])?,
            "list" => redis.command(&["LRANGE", key, "0", "-1"])?,
            _ => redis.command(&["GET", key])?,
        });
    }
    Ok(dump.join("\n"))
}
