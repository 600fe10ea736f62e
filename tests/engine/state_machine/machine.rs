// SPDX-License-Identifier: GPL-3.0-or-later
//! Plays a sequence, and has each run judged.

use anyhow::{Context, ensure};
use ns8_imapsync::task::{
    Exclusions, FolderMode, LocalUser, RemoteDeletion, RemoteHost, RemoteUser, Security, Task, TaskId,
    TaskName,
};

use super::action::{Action, At, Options, Remote, Second, Sequence, Which};
use super::mails::{Contents, Found, Mails, Place};
use super::oracle::{Oracle, Part, Snapshot};
use super::servers::Servers;
use crate::instance::{Instance, Run};

/// Days of [`Remote::DeleteOlder`].
const DAYS: u32 = 30;

/// Where mail is delivered, and what folders are renamed to.
const FOLDERS: [&str; 6] = ["INBOX", "Work", "Drafts", "Archive", "Later", "Old"];

/// By how many seconds a mail comes later that comes once more, and the next one after it: no two have the same date.
const LATER: i64 = 100;

/// Exit codes of a run that is content with the servers: all is well, or something was withheld and told.
const CONTENT: [i32; 2] = [0, 111];

#[derive(Clone)]
struct Pull {
    id: String,
    name: TaskName,
    source: At,
    options: Options,
}

impl Pull {
    fn part(&self, run: Option<&Run>) -> Part {
        Part {
            source: self.source,
            options: self.options,
            well: run.is_some_and(|run| run.exit == Some(0)),
            killed: run.is_none(),
        }
    }
}

struct Machine<S> {
    servers: S,
    instance: Instance,
    tasks: Vec<Pull>,
    mails: Mails,
    /// How many came once more at a later moment.
    twins: i64,
    oracle: Oracle,
    backed_up: bool,
    /// A clone of the instance, and its tasks.
    clone: Option<(Instance, Vec<Pull>)>,
}

/// Plays a sequence; an error says what was wrong.
pub(super) fn play<S: Servers>(sequence: &Sequence) -> anyhow::Result<()> {
    let servers = S::start()?;
    let mut machine = Machine {
        instance: servers.instance(),
        servers,
        tasks: vec![],
        mails: Mails::default(),
        twins: 0,
        oracle: Oracle::default(),
        backed_up: false,
        clone: None,
    };
    machine.add_task("first", At::Remote, sequence.first)?;
    match sequence.second {
        Second::None => {}
        Second::SameSource(options) => machine.add_task("second", At::Remote, options)?,
        Second::OtherSource(options) => machine.add_task("second", At::Other, options)?,
    }
    for (at, &action) in sequence.actions.iter().enumerate() {
        let played = machine.act(action);
        played.with_context(|| format!("step {at}, {action:?}"))?;
    }
    // Whatever happened, the tasks come to rest, and then nothing is left out.
    for round in 0..3 {
        for task in 0..machine.tasks.len() {
            let run = machine
                .run(task)
                .with_context(|| format!("at rest, run {round}"))?;
            let exit = run.exit.unwrap_or(-1);
            ensure!(round == 0 || CONTENT.contains(&exit), "at rest: {run:#?}");
            let idle = run.report.messages.copied == 0;
            ensure!(
                round < 2 || exit != 0 || idle,
                "a run without news copied: {run:#?}"
            );
        }
    }
    Ok(())
}

/// All mails of a mailbox.
fn places(contents: &Contents) -> Vec<Place> {
    let mut places: Vec<Place> = vec![];
    for (folder, found) in contents {
        for one in found {
            let equal = |place: &&Place| place.folder == *folder && place.token == one.token;
            let nth = places.iter().filter(equal).count();
            places.push(Place {
                folder: folder.clone(),
                token: one.token,
                nth,
            });
        }
    }
    places
}

impl<S: Servers> Machine<S> {
    fn add_task(&mut self, id: &str, source: At, options: Options) -> anyhow::Result<()> {
        let task = self.task(id, source, options)?;
        let name = self.instance.save(&task, &self.servers.source(source).password);
        self.tasks.push(Pull {
            id: id.to_owned(),
            name,
            source,
            options,
        });
        Ok(())
    }

    fn task(&self, id: &str, source: At, options: Options) -> anyhow::Result<Task> {
        let server = self.servers.source(source);
        Ok(Task {
            id: TaskId::parse(id)?,
            local_user: LocalUser::parse(&self.servers.local_user())?,
            remote_user: RemoteUser::parse(&server.user)?,
            remote_host: RemoteHost::parse(&server.host)?,
            remote_port: server.port.to_string().parse()?,
            security: Security::Opportunistic,
            folders: if options.inbox {
                FolderMode::Inbox
            } else {
                FolderMode::All
            },
            exclusions: Exclusions::default(),
            delete_local: options.delete_local,
            delete_remote: match options.remote {
                Remote::Keep => RemoteDeletion::from_fields(false, 0),
                Remote::Delete => RemoteDeletion::from_fields(true, 0),
                Remote::DeleteOlder => RemoteDeletion::from_fields(true, DAYS),
            },
            schedule: None,
            sieve: false,
        })
    }

    fn which(&self, which: Which) -> usize {
        match which {
            Which::Second if self.tasks.len() > 1 => 1,
            _ => 0,
        }
    }

    fn snapshot(&self) -> anyhow::Result<Snapshot> {
        [At::Local, At::Remote, At::Other]
            .into_iter()
            .map(|at| Ok((at, self.servers.contents(at, &self.mails)?)))
            .collect()
    }

    /// One of the mails in a mailbox.
    fn choose(&self, at: At, mail: u8) -> anyhow::Result<Option<Place>> {
        let all = places(&self.servers.contents(at, &self.mails)?);
        Ok(match all.len() {
            0 => None,
            count => Some(all[usize::from(mail) % count].clone()),
        })
    }

    /// One of the folders in a mailbox, but for the inbox, with its mails.
    fn choose_folder(&self, at: At, folder: u8) -> anyhow::Result<Option<(String, Vec<Found>)>> {
        let mut contents = self.servers.contents(at, &self.mails)?;
        contents.remove("INBOX");
        Ok(match contents.len() {
            0 => None,
            count => contents.into_iter().nth(usize::from(folder) % count),
        })
    }

    fn act(&mut self, action: Action) -> anyhow::Result<()> {
        match action {
            Action::Run(which) => {
                self.run(self.which(which))?;
            }
            Action::RunBoth => self.run_all()?,
            Action::Kill(which, part) => self.kill(self.which(which), part)?,
            Action::Clone => {
                let mut tasks = self.tasks.clone();
                for task in &mut tasks {
                    // Next to its original it deletes nothing.
                    (task.options.delete_local, task.options.remote) = (false, Remote::Keep);
                }
                self.clone = Some((self.instance.cloned(true), tasks));
                self.oracle.cloned();
            }
            Action::RunInClone(which) => self.run_in_clone(which, false)?,
            Action::RunWithClone(which) => self.run_in_clone(which, true)?,
            Action::Forget => {
                self.instance.forget();
                let now = self.snapshot()?;
                self.oracle.forgotten(&now, &self.mails);
            }
            Action::BackUpInstance => {
                self.instance.back_up();
                self.oracle.backed_up();
                self.backed_up = true;
            }
            Action::RestoreInstance(back) => {
                if std::mem::take(&mut self.backed_up) && self.instance.restore(back) {
                    let now = self.snapshot()?;
                    self.oracle.remembered(&now, &self.mails);
                }
            }
            Action::Recreate(which) => {
                let at = self.which(which);
                let Pull { source, options, .. } = self.tasks[at];
                let task = self.task(&self.tasks[at].id, source, options)?;
                self.instance.delete(&task);
                let id = format!("{}x", self.tasks[at].id);
                let task = self.task(&id, source, options)?;
                let name = self.instance.save(&task, &self.servers.source(source).password);
                (self.tasks[at].id, self.tasks[at].name) = (id, name);
                let others = self.tasks.iter().enumerate();
                let mut others = others.filter(|(other, _)| *other != at);
                if others.all(|(_, other)| other.source != source) {
                    let now = self.snapshot()?;
                    self.oracle.begun_again(source, &now, &self.mails);
                }
            }
            Action::Configure(which, options) => {
                let at = self.which(which);
                let source = self.tasks[at].source;
                let task = self.task(&self.tasks[at].id, source, options)?;
                self.instance.save(&task, &self.servers.source(source).password);
                self.tasks[at].options = options;
            }
            Action::BackUp { at } => self.servers.back_up(at)?,
            Action::Restore { at } => {
                let before = self.servers.contents(at, &self.mails)?;
                self.servers.restore(at)?;
                let after = self.servers.contents(at, &self.mails)?;
                let now = self.snapshot()?;
                self.oracle.restored(at, &before, &after, &now, &self.mails);
                self.unsettle(at)?;
            }
            Action::Revalidate { at } => {
                self.servers.revalidate(at)?;
                self.unsettle(at)?;
            }
            Action::Renumber { at } => {
                self.servers.renumber(at)?;
                self.unsettle(at)?;
            }
            _ => self.edit(action)?,
        }
        Ok(())
    }

    fn unsettle(&mut self, at: At) -> anyhow::Result<()> {
        let now = self.snapshot()?;
        self.oracle.unsettle(at, &now, &self.mails);
        Ok(())
    }

    /// What an owner does with a mail program.
    fn edit(&mut self, action: Action) -> anyhow::Result<()> {
        match action {
            Action::Deliver { at, folder, old } => {
                let token = self.mails.write(old);
                let folder = FOLDERS[usize::from(folder)];
                self.servers.add(at, folder, self.mails.get(token), &[])?;
                self.oracle.born(at, token);
            }
            Action::Twin {
                at,
                mail,
                folder,
                later,
            } => {
                if let Some(token) = usize::from(mail).checked_rem(self.mails.count()) {
                    let mut twin = self.mails.get(token).clone();
                    if later {
                        self.twins += 1;
                        twin.date += LATER * self.twins;
                    }
                    let flags: &[&str] = if twin.draft { &["\\Draft"] } else { &[] };
                    let folder = FOLDERS[usize::from(folder)];
                    self.servers.add(at, folder, &twin, flags)?;
                    self.oracle.born(at, token);
                    if at == At::Local && !later {
                        self.oracle.alike(token);
                    }
                }
            }
            Action::Delete { at, mail } => {
                if let Some(place) = self.choose(at, mail)? {
                    self.delete(at, &place)?;
                }
            }
            Action::Move { at, mail, folder } => {
                let to = FOLDERS[usize::from(folder)];
                if let Some(place) = self.choose(at, mail)?
                    && place.folder != to
                {
                    self.servers.relocate(at, &place, to, &self.mails)?;
                    self.oracle.relocated(at, place.token);
                }
            }
            Action::MoveAndBack { at, mail, folder } => {
                let to = FOLDERS[usize::from(folder)];
                if let Some(place) = self.choose(at, mail)?
                    && place.folder != to
                {
                    self.servers.relocate(at, &place, to, &self.mails)?;
                    // It is the youngest one there.
                    let there = places(&self.servers.contents(at, &self.mails)?).into_iter();
                    let mut there = there.filter(|one| one.folder == to && one.token == place.token);
                    let moved = there.next_back().context("a mail that was moved")?;
                    self.servers.relocate(at, &moved, &place.folder, &self.mails)?;
                    self.oracle.moved_and_back(at, place.token);
                }
            }
            Action::RenameFolder { at, folder, to } => {
                let to = FOLDERS[usize::from(to)];
                let taken = self.servers.contents(at, &self.mails)?.contains_key(to);
                if let Some((folder, found)) = self.choose_folder(at, folder)?
                    && !taken
                {
                    self.servers.rename(at, &folder, to)?;
                    self.oracle.replaced(at);
                    for one in found {
                        self.oracle.relocated(at, one.token);
                    }
                }
            }
            Action::DeleteFolder { at, folder } => {
                if let Some((folder, found)) = self.choose_folder(at, folder)? {
                    self.servers.delete_folder(at, &folder)?;
                    self.oracle.replaced(at);
                    let now = self.snapshot()?;
                    for one in found {
                        self.oracle.removed(at, one.token, &now);
                    }
                }
            }
            Action::Flag { at, mail, flag } => {
                let flag = ["\\Seen", "\\Flagged", "\\Deleted"][usize::from(flag)];
                if let Some(place) = self.choose(at, mail)? {
                    self.servers.flag(at, &place, flag, &self.mails)?;
                    if flag == "\\Deleted" {
                        self.oracle.marked(at, place.token);
                    }
                }
            }
            Action::EditDraft { at, same_size } => self.edit_draft(at, same_size)?,
            other => anyhow::bail!("{other:?} is no edit"),
        }
        Ok(())
    }

    fn edit_draft(&mut self, at: At, same_size: bool) -> anyhow::Result<()> {
        let found = places(&self.servers.contents(at, &self.mails)?).into_iter();
        let drafts = found.filter(|place| self.mails.get(place.token).draft);
        let former = drafts.max_by_key(|place| place.token);
        let next = self
            .mails
            .write_draft(former.as_ref().map(|place| place.token), same_size);
        let folder = former.as_ref().map_or("Drafts", |place| &place.folder);
        self.servers.add(at, folder, self.mails.get(next), &["\\Draft"])?;
        self.oracle.born(at, next);
        if let Some(former) = &former {
            self.delete(at, former)?;
        }
        Ok(())
    }

    fn delete(&mut self, at: At, place: &Place) -> anyhow::Result<()> {
        self.servers.delete(at, place, &self.mails)?;
        let now = self.snapshot()?;
        self.oracle.removed(at, place.token, &now);
        Ok(())
    }

    /// Runs a task to its end.
    fn run(&mut self, task: usize) -> anyhow::Result<Run> {
        let before = self.snapshot()?;
        let name = &self.tasks[task].name;
        let run = self.instance.wait(name, self.instance.start(name));
        ensure!(run.exit.is_some() && !run.said.contains("panicked"), "{run:#?}");
        let after = self.snapshot().with_context(|| run.log.clone())?;
        let part = self.tasks[task].part(Some(&run));
        self.oracle
            .judge(&[part], &before, &after, &self.mails)
            .with_context(|| run.log.clone())?;
        Ok(run)
    }

    /// Runs all tasks at the same time.
    fn run_all(&mut self) -> anyhow::Result<()> {
        let before = self.snapshot()?;
        let started: Vec<_> = self
            .tasks
            .iter()
            .map(|task| (&task.name, self.instance.start(&task.name)))
            .collect();
        let runs: Vec<Run> = started
            .into_iter()
            .map(|(name, child)| self.instance.wait(name, child))
            .collect();
        let after = self.snapshot()?;
        let parts: Vec<Part> = (0..runs.len())
            .map(|task| self.tasks[task].part(Some(&runs[task])))
            .collect();
        self.oracle
            .judge(&parts, &before, &after, &self.mails)
            .with_context(|| format!("{runs:#?}"))
    }

    /// Runs a task in the clone, and the same one here at the same time.
    fn run_in_clone(&mut self, which: Which, both: bool) -> anyhow::Result<()> {
        let Some((clone, tasks)) = &self.clone else {
            return Ok(());
        };
        let at = self.which(which);
        let before = self.snapshot()?;
        let mut started = vec![(clone, &tasks[at])];
        if both {
            started.push((&self.instance, &self.tasks[at]));
        }
        let started: Vec<_> = started
            .into_iter()
            .map(|(instance, task)| (instance, task, instance.start(&task.name)))
            .collect();
        let runs: Vec<(Run, Part)> = started
            .into_iter()
            .map(|(instance, task, child)| {
                let run = instance.wait(&task.name, child);
                let part = task.part(Some(&run));
                (run, part)
            })
            .collect();
        let after = self.snapshot()?;
        let parts: Vec<Part> = runs.iter().map(|(_, part)| *part).collect();
        let judged = self.oracle.judge(&parts, &before, &after, &self.mails);
        judged.with_context(|| format!("{runs:#?}"))
    }

    /// Kills a run on its way.
    fn kill(&mut self, task: usize, part: u8) -> anyhow::Result<()> {
        let before = self.snapshot()?;
        self.servers.kill(&self.instance, &self.tasks[task].name, part)?;
        let after = self.snapshot()?;
        let part = self.tasks[task].part(None);
        self.oracle.judge(&[part], &before, &after, &self.mails)
    }
}
