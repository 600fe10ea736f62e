// SPDX-License-Identifier: GPL-3.0-or-later
//! A sequence between scripted servers: fast, and a run is killed at exactly one command.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ns8_imapsync::task::TaskName;

use super::action::At;
use super::mails::{Contents, Found, Mail, Mails, Place, digest};
use super::servers::{Servers, Source};
use crate::instance::Instance;
use crate::server_faults::{Act, Faults, Model, Rule, Server, Stored};

const PASSWORD: &str = "Pw-of-remote-1";
const MASTER_PASSWORD: &str = "Pw-of-vmail-2";

/// Commands of a run with some news, on each side.
const COMMANDS: usize = 24;

pub(super) struct Scripted {
    local: Server,
    remote: Server,
    other: Server,
    backups: BTreeMap<At, Model>,
}

impl Scripted {
    fn server(&self, at: At) -> &Server {
        match at {
            At::Local => &self.local,
            At::Remote => &self.remote,
            At::Other => &self.other,
        }
    }
}

/// The messages of the folder, and which of them is meant.
fn find<'a>(
    model: &'a mut Model,
    place: &Place,
    mails: &Mails,
) -> anyhow::Result<(&'a mut Vec<Stored>, usize)> {
    let content = &mails.get(place.token).content;
    let folder = model.folders.get_mut(&place.folder).context("no such folder")?;
    let equal = folder.messages.iter().enumerate();
    let mut equal = equal.filter(|(_, message)| &message.body == content);
    let (position, _) = equal.nth(place.nth).context("no such mail")?;
    Ok((&mut folder.messages, position))
}

fn take(model: &mut Model, place: &Place, mails: &Mails) -> anyhow::Result<Stored> {
    let (messages, position) = find(model, place, mails)?;
    Ok(messages.remove(position))
}

impl Servers for Scripted {
    fn start() -> anyhow::Result<Self> {
        let remote = |user| Server::start(Model::new('/', ""), user, PASSWORD, false);
        Ok(Self {
            local: Server::start(Model::new('/', ""), "u1*vmail", MASTER_PASSWORD, true),
            remote: remote("me@there"),
            other: remote("me@elsewhere"),
            backups: BTreeMap::new(),
        })
    }

    fn instance(&self) -> Instance {
        Instance::new("127.0.0.1", self.local.address.port(), MASTER_PASSWORD)
    }

    fn local_user(&self) -> String {
        "u1".to_owned()
    }

    fn source(&self, at: At) -> Source {
        let user = match at {
            At::Other => "me@elsewhere",
            _ => "me@there",
        };
        Source {
            host: "127.0.0.1".to_owned(),
            port: self.server(at).address.port(),
            user: user.to_owned(),
            password: PASSWORD.to_owned(),
        }
    }

    fn contents(&self, at: At, mails: &Mails) -> anyhow::Result<Contents> {
        let model = self.server(at).model();
        let mut contents = Contents::new();
        for (name, folder) in &model.folders {
            let found = folder.messages.iter().map(|message| {
                let token = mails.known(&digest(&message.body));
                Ok(Found {
                    token: token.with_context(|| format!("{at:?} {name} {}", message.uid))?,
                    flags: message.flags.iter().cloned().collect(),
                })
            });
            contents.insert(name.clone(), found.collect::<anyhow::Result<_>>()?);
        }
        Ok(contents)
    }

    fn add(&self, at: At, folder: &str, mail: &Mail, flags: &[&str]) -> anyhow::Result<()> {
        let date = Timestamp::from_second(mail.date)?.to_zoned(TimeZone::UTC);
        let date = date.strftime("%d-%b-%Y %H:%M:%S +0000").to_string();
        let mut model = self.server(at).model();
        model.create(folder);
        let flags = flags.iter().map(|&flag| flag.to_owned());
        model.append(folder, mail.content.clone(), flags, &date);
        Ok(())
    }

    fn delete(&self, at: At, place: &Place, mails: &Mails) -> anyhow::Result<()> {
        take(&mut self.server(at).model(), place, mails).map(drop)
    }

    fn relocate(&self, at: At, place: &Place, to: &str, mails: &Mails) -> anyhow::Result<()> {
        let mut model = self.server(at).model();
        let moved = take(&mut model, place, mails)?;
        model.create(to);
        model.append(to, moved.body, moved.flags.into_iter(), &moved.date);
        Ok(())
    }

    fn rename(&self, at: At, folder: &str, to: &str) -> anyhow::Result<()> {
        let mut model = self.server(at).model();
        let moved = model.folders.remove(folder).context("no such folder")?;
        model.folders.insert(to.to_owned(), moved);
        Ok(())
    }

    fn delete_folder(&self, at: At, folder: &str) -> anyhow::Result<()> {
        self.server(at).model().folders.remove(folder);
        Ok(())
    }

    fn flag(&self, at: At, place: &Place, flag: &str, mails: &Mails) -> anyhow::Result<()> {
        let mut model = self.server(at).model();
        model.modseq += 1;
        let modseq = model.modseq;
        let (messages, position) = find(&mut model, place, mails)?;
        let message = messages.get_mut(position).context("no such mail")?;
        message.flags.insert(flag.to_owned());
        message.modseq = modseq;
        Ok(())
    }

    fn back_up(&mut self, at: At) -> anyhow::Result<()> {
        let model = self.server(at).model().clone();
        self.backups.insert(at, model);
        Ok(())
    }

    fn restore(&mut self, at: At) -> anyhow::Result<()> {
        if let Some(backup) = self.backups.get(&at) {
            self.server(at).model().restore(backup);
        }
        Ok(())
    }

    fn revalidate(&self, at: At) -> anyhow::Result<()> {
        self.server(at).model().renumber();
        Ok(())
    }

    fn renumber(&self, at: At) -> anyhow::Result<()> {
        self.server(at).model().renumber_in_place();
        Ok(())
    }

    fn kill(&self, instance: &Instance, task: &TaskName, part: u8) -> anyhow::Result<()> {
        // Even parts count the commands of the local server, odd ones those of the source; each half of them before the
        // command is done.
        let part = usize::from(part);
        let skip = part * COMMANDS / 100;
        let hold = Faults::rule(Rule::once("", "", Act::Hold { done: part % 4 < 2 }).after(skip));
        let held: Vec<&Server> = match part % 2 {
            0 => vec![&self.local],
            _ => vec![&self.remote, &self.other],
        };
        for server in &held {
            server.behave(hold.clone());
        }
        let mut run = instance.start(task);
        // A run that needs fewer commands ends by itself.
        while run.try_wait()?.is_none() && !held.iter().any(|server| server.holds()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Not an error for one that has just ended.
        let _ = run.kill();
        run.wait()?;
        for server in [&self.local, &self.remote, &self.other] {
            server.release();
            server.behave(Faults::default());
        }
        Ok(())
    }
}
