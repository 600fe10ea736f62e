// SPDX-License-Identifier: GPL-3.0-or-later
//! Two scripted servers, a task between them, and the program that runs it.

mod judge;

use std::collections::BTreeMap;

use ns8_imapsync::task::options::Options;
use ns8_imapsync::task::{
    Exclusions, FolderMode, FolderOptions, LEDGERS, LocalUser, RemoteDeletion, RemoteHost, RemoteUser,
    Security, Task, TaskId, TaskName,
};

pub(super) use crate::instance::Run;

use crate::instance::Instance;
use crate::server_faults::fault::{Act, Faults, Rule};
use crate::server_faults::model::{Contents, Model};
use crate::server_faults::server::Server;

pub(super) const REMOTE_PASSWORD: &str = "Pw-of-remote-1";
const MASTER_PASSWORD: &str = "Pw-of-vmail-2";
/// In every message; never in a log.
const CONFIDENTIAL: &str = "Confidential-3";

/// What the task is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Copy,
    DeleteRemote,
    DeleteLocal,
    Inbox,
}

pub(super) const MODES: [Mode; 4] = [Mode::Copy, Mode::DeleteRemote, Mode::DeleteLocal, Mode::Inbox];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Remote,
    Local,
}

pub(super) const SIDES: [Side; 2] = [Side::Remote, Side::Local];

pub(super) struct World {
    /// What is wrong in it, for messages.
    pub title: String,
    pub remote: Server,
    pub local: Server,
    pub mode: Mode,
    pub instance: Instance,
    task: Task,
    name: TaskName,
    /// What both sides had before the first run.
    remote_before: Contents,
    local_before: Contents,
    /// The bodies of remote messages that were unread.
    unseen: Contents,
    /// Folders of other people, which no run may touch, with what they hold.
    foreign: Vec<(Side, String, BTreeMap<Vec<u8>, usize>)>,
    /// Remote folders that have another name locally.
    moved: BTreeMap<String, String>,
}

/// A message that names its number.
pub(super) fn message(id: &str, size: usize) -> Vec<u8> {
    let mut text = format!(
        "Received: from there by here; {id}\r\nMessage-Id: <{id}@scripted>\r\nSubject: {id}\r\n\r\n{CONFIDENTIAL} {id}\r\n"
    )
    .into_bytes();
    while text.len() < size {
        text.extend_from_slice(b"All work and no play makes Jack a dull boy.\r\n");
    }
    text
}

/// One without the fields by which messages are known.
pub(super) fn bare_message(id: &str) -> Vec<u8> {
    format!("Subject: {id}\r\nFrom: a@b\r\n\r\n{CONFIDENTIAL} {id}\r\n").into_bytes()
}

/// Some mail of every kind; some of it is on the local side already.
fn mail(remote: &mut Model, local: &mut Model) {
    remote.add("INBOX", &message("one", 300), &["\\Seen"]);
    remote.add("INBOX", &message("two", 300), &[]);
    remote.add("INBOX", &bare_message("three"), &["\\Flagged"]);
    for _ in 0..2 {
        remote.add("INBOX", &message("twin", 300), &[]);
    }
    remote.add(
        "INBOX",
        b"Message-Id: <lf@scripted>\n\nConfidential-3 line\nfeeds\n",
        &["$Forwarded"],
    );
    let work = format!("{}Work", remote.prefix);
    remote.add(&work, &message("four", 6000), &["\\Answered", "\\Seen"]);
    remote.add(
        &work,
        b"Message-Id: <8@scripted>\r\n\r\nConfidential-3 \xe4\xf6\xfc\r\n",
        &[],
    );
    remote.create(&format!("{}Entw&APw-rfe", remote.prefix));
    local.add("INBOX", &message("one", 300), &[]);
    local.add("INBOX", &message("mine", 300), &[]);
}

impl World {
    /// Correct servers with the usual mail.
    pub(super) fn new(mode: Mode) -> Self {
        Self::with(mode, Model::new('/', ""), mail)
    }

    /// Correct servers with other mail.
    pub(super) fn with(mode: Mode, remote: Model, fill: impl FnOnce(&mut Model, &mut Model)) -> Self {
        Self::between(mode, remote, Model::new('/', ""), fill)
    }

    /// The usual mail between other servers.
    pub(super) fn usual(mode: Mode, remote: Model, local: Model) -> Self {
        Self::between(mode, remote, local, mail)
    }

    /// Other mail between other servers.
    pub(super) fn between(
        mode: Mode,
        remote: Model,
        local: Model,
        fill: impl FnOnce(&mut Model, &mut Model),
    ) -> Self {
        Self::of_user("u1", mode, remote, local, fill)
    }

    /// The same for another local user.
    pub(super) fn of_user(
        user: &str,
        mode: Mode,
        mut remote: Model,
        mut local: Model,
        fill: impl FnOnce(&mut Model, &mut Model),
    ) -> Self {
        fill(&mut remote, &mut local);
        let (remote_before, local_before) = (remote.contents(), local.contents());
        let mut unread = remote.clone();
        for folder in unread.folders.values_mut() {
            folder.messages.retain(|message| !message.has("\\Seen"));
        }
        let remote = Server::start(remote, "me@there", REMOTE_PASSWORD, false);
        let local = Server::start(local, &format!("{user}*vmail"), MASTER_PASSWORD, true);
        let instance = Instance::new("127.0.0.1", local.address.port(), MASTER_PASSWORD);
        let task = Task {
            id: TaskId::parse("abc123").expect("an id"),
            local_user: LocalUser::parse(user).expect("a user"),
            remote_user: RemoteUser::parse("me@there").expect("a user"),
            remote_host: RemoteHost::parse("127.0.0.1").expect("a host"),
            remote_port: remote.address.port().to_string().parse().expect("a port"),
            security: Security::Opportunistic,
            folders: if mode == Mode::Inbox {
                FolderMode::Inbox
            } else {
                FolderMode::All
            },
            exclusions: Exclusions::default(),
            delete_local: mode == Mode::DeleteLocal,
            delete_remote: RemoteDeletion::from_fields(mode == Mode::DeleteRemote, 0),
            schedule: None,
            sieve: false,
        };
        let name = instance.save(&task, REMOTE_PASSWORD);
        Self {
            title: format!("{mode:?}"),
            remote,
            local,
            mode,
            instance,
            task,
            name,
            remote_before,
            local_before,
            unseen: unread.contents(),
            foreign: vec![],
            moved: BTreeMap::new(),
        }
    }

    /// With folders on a side that are not the account's own: no run copies from them, adds to them or deletes there.
    pub(super) fn foreign(mut self, side: Side, folders: &[&str]) -> Self {
        let before = match side {
            Side::Remote => &mut self.remote_before,
            Side::Local => &mut self.local_before,
        };
        for &folder in folders {
            let messages = before.remove(folder).expect("a folder that is there");
            self.foreign.push((side, folder.to_owned(), messages));
        }
        self
    }

    /// With a remote folder whose local name is another.
    pub(super) fn moves(mut self, remote: &str, local: &str) -> Self {
        self.moved.insert(remote.to_owned(), local.to_owned());
        self
    }

    /// Saves the task anew with some changes.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Task)) {
        change(&mut self.task);
        self.instance.save(&self.task, REMOTE_PASSWORD);
    }

    /// With options of the task.
    pub(super) fn options(self, folders: FolderOptions) -> Self {
        let options = Options {
            folders,
            ..self.instance.store.options(&self.name)
        };
        self.instance
            .store
            .save_options(&self.name, &options)
            .expect("saved options");
        self
    }

    /// With a remote message that the task does not pull from a folder.
    pub(super) fn leaves(mut self, folder: &str, body: &[u8]) -> Self {
        let before = self
            .remote_before
            .get_mut(folder)
            .expect("a folder that is there");
        assert!(before.remove(body).is_some());
        self
    }

    /// With one that it pulls after all.
    pub(super) fn pulls(mut self, folder: &str, body: &[u8]) -> Self {
        let before = self.remote_before.entry(folder.to_owned()).or_default();
        before.insert(body.to_vec(), 1);
        self
    }

    pub(super) fn titled(self, title: String) -> Self {
        Self { title, ..self }
    }

    pub(super) fn server(&self, side: Side) -> &Server {
        match side {
            Side::Remote => &self.remote,
            Side::Local => &self.local,
        }
    }

    /// A message arrives on the remote side.
    pub(super) fn arrives(&mut self, folder: &str, body: &[u8]) {
        self.remote.model().add(folder, body, &[]);
        let before = self.remote_before.entry(folder.to_owned()).or_default();
        *before.entry(body.to_vec()).or_default() += 1;
        let unseen = self.unseen.entry(folder.to_owned()).or_default();
        *unseen.entry(body.to_vec()).or_default() += 1;
    }

    /// Every message on the remote side gets a flag.
    pub(super) fn flag_all(&self) {
        let mut model = self.remote.model();
        model.modseq += 1;
        let modseq = model.modseq;
        for message in model.folders.values_mut().flat_map(|folder| &mut folder.messages) {
            message.flags.insert("\\Flagged".to_owned());
            message.modseq = modseq;
        }
    }

    /// How many messages on the local side have it.
    pub(super) fn flagged(&self) -> usize {
        let model = self.local.model();
        let all = model.folders.values().flat_map(|folder| &folder.messages);
        all.filter(|message| message.has("\\Flagged")).count()
    }

    /// A run brings what no server should have given; it stays.
    pub(super) fn brings(&mut self, folder: &str, body: &[u8]) {
        let before = self.local_before.entry(folder.to_owned()).or_default();
        before.insert(body.to_vec(), 1);
    }

    /// A message comes into the local mailbox by itself.
    pub(super) fn has_locally(&mut self, folder: &str, body: &[u8]) {
        self.local.model().add(folder, body, &[]);
        let before = self.local_before.entry(folder.to_owned()).or_default();
        *before.entry(body.to_vec()).or_default() += 1;
    }

    /// The owner of the remote mailbox deletes a message that was copied.
    pub(super) fn removed(&mut self, folder: &str, body: &[u8]) {
        let mut model = self.remote.model();
        let messages = &mut model.folders.get_mut(folder).expect("a folder").messages;
        messages.retain(|message| message.body != body);
        drop(model);
        if let Some(before) = self.remote_before.get_mut(folder) {
            before.remove(body);
        }
        let expected = self.local_before.entry(folder.to_owned()).or_default();
        expected.insert(body.to_vec(), 1);
    }

    /// Runs the task once. Nothing may be lost or doubled at its end, however it ended, and when it says that all is
    /// well, everything is where it belongs.
    pub(super) fn run(&self) -> Run {
        let run = self.run_unjudged();
        self.check(&run);
        if run.exit == Some(0) {
            self.agree(&run);
        }
        run
    }

    /// Runs the task, whatever both sides have then.
    pub(super) fn run_unjudged(&self) -> Run {
        self.instance.wait(&self.name, self.instance.start(&self.name))
    }

    /// Kills a run when a side is at this command of it: before that is done, or before it is answered. Whether the run came
    /// so far.
    pub(super) fn kill(&self, side: Side, command: usize, done: bool) -> bool {
        self.kill_between(side, command, done, Faults::default)
    }

    /// The same, where the server of that side usually behaves like this.
    pub(super) fn kill_between(
        &self,
        side: Side,
        command: usize,
        done: bool,
        usual: impl Fn() -> Faults,
    ) -> bool {
        let server = self.server(side);
        let hold = Rule::once("", "", Act::Hold { done }).after(command);
        server.behave(Faults {
            rules: vec![hold],
            ..usual()
        });
        let mut run = self.instance.start(&self.name);
        while run.try_wait().expect("a process").is_none() && !server.holds() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let is_held = server.holds();
        // Not an error for one that has just ended.
        let _ = run.kill();
        run.wait().expect("a process");
        for server in [&self.remote, &self.local] {
            server.release();
            server.behave(Faults::default());
        }
        server.behave(usual());
        is_held
    }

    /// Another task of the same user and account, of all folders and without filters.
    pub(super) fn unfiltered_task(&self, id: &str) -> TaskName {
        let task = Task {
            id: TaskId::parse(id).expect("an id"),
            folders: FolderMode::All,
            sieve: false,
            ..self.task.clone()
        };
        self.instance.save(&task, REMOTE_PASSWORD)
    }

    /// Another task of the same user.
    pub(super) fn task_at(&self, id: &str, mode: Mode, host: &str, server: &Server) -> TaskName {
        let task = Task {
            id: TaskId::parse(id).expect("an id"),
            remote_host: RemoteHost::parse(host).expect("a host"),
            remote_port: server.address.port().to_string().parse().expect("a port"),
            delete_local: mode == Mode::DeleteLocal,
            delete_remote: RemoteDeletion::from_fields(mode == Mode::DeleteRemote, 0),
            ..self.task.clone()
        };
        self.instance.save(&task, REMOTE_PASSWORD)
    }

    /// Runs another task of the same user, whatever both sides have then.
    pub(super) fn run_task(&self, name: &TaskName) -> Run {
        self.instance.wait(name, self.instance.start(name))
    }

    /// Deletes the task, as its action does.
    pub(super) fn delete_task(&self) {
        self.instance.delete(&self.task);
    }

    /// With the user's Sieve filters.
    pub(super) fn filtered(mut self) -> Self {
        self.task.sieve = true;
        self.instance.save(&self.task, REMOTE_PASSWORD);
        self
    }

    /// Runs the task in several instances at once, none of which sees the ledger of another.
    pub(super) fn run_together(&self, instances: usize) {
        for run in &self.run_together_unjudged(instances) {
            self.check(run);
        }
    }

    /// The same, whatever both sides have then.
    pub(super) fn run_together_unjudged(&self, instances: usize) -> Vec<Run> {
        let port = self.local.address.port();
        let clones = (1..instances).map(|_| Instance::new("127.0.0.1", port, MASTER_PASSWORD));
        let clones: Vec<Instance> = clones.collect();
        for clone in &clones {
            clone.save(&self.task, REMOTE_PASSWORD);
        }
        let all: Vec<&Instance> = clones.iter().chain([&self.instance]).collect();
        let children: Vec<_> = all.iter().map(|one| (one, one.start(&self.name))).collect();
        children
            .into_iter()
            .map(|(one, child)| one.wait(&self.name, child))
            .collect()
    }

    /// A copy of the instance, as clone-module leaves it.
    pub(super) fn cloned(&self, is_beside: bool) -> Instance {
        self.instance.cloned(is_beside)
    }

    /// The name of the task.
    pub(super) fn name(&self) -> &TaskName {
        &self.name
    }

    /// Runs the task in another instance.
    pub(super) fn run_in(&self, instance: &Instance) -> Run {
        let run = instance.wait(&self.name, instance.start(&self.name));
        self.check(&run);
        run
    }

    /// Runs it here and in other instances at once.
    pub(super) fn run_with(&self, others: &[&Instance]) -> Vec<Run> {
        let all = || others.iter().copied().chain([&self.instance]);
        let children: Vec<_> = all().map(|one| one.start(&self.name)).collect();
        let runs: Vec<Run> = all()
            .zip(children)
            .map(|(one, child)| one.wait(&self.name, child))
            .collect();
        for run in &runs {
            self.check(run);
        }
        runs
    }

    /// Where the ledger of the local mailbox is.
    pub(super) fn ledger(&self) -> std::path::PathBuf {
        let ledgers = self.instance.store.folder().join(LEDGERS);
        ledgers.join(format!("{}.db", self.task.local_user))
    }

    /// Loses what the task remembers, as a restored backup without it does.
    pub(super) fn forget(&self) {
        self.instance.forget();
    }

    /// A run by correct servers that must complete everything.
    pub(super) fn complete(&self) -> Run {
        self.remote.behave(Faults::default());
        self.local.behave(Faults::default());
        self.finish()
    }

    /// Some runs, between which a message may be there twice, and one that completes everything.
    pub(super) fn settle(&self) {
        for _ in 0..2 {
            self.run_unjudged();
        }
        self.complete();
    }

    /// The same with the servers as they are.
    pub(super) fn finish(&self) -> Run {
        let run = self.run();
        assert_eq!(
            run.exit,
            Some(0),
            "{}: the run that completes: {run:#?}",
            self.title
        );
        run
    }

    /// A run that finds everything done.
    pub(super) fn idle(&self) {
        let run = self.finish();
        let done = (
            run.report.messages.copied,
            run.report.deleted_local,
            run.report.deleted_remote,
        );
        assert_eq!(done, (0, 0, 0), "{}: {run:#?}", self.title);
    }
}

/// Most of a run with faults is waiting: all combinations at once.
pub(super) fn everywhere(sides: &[Side], modes: &[Mode], work: impl Fn(Side, Mode) + Sync) {
    std::thread::scope(|scope| {
        for &side in sides {
            for &mode in modes {
                let work = &work;
                scope.spawn(move || work(side, mode));
            }
        }
    });
}
