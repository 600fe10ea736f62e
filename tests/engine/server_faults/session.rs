// SPDX-License-Identifier: GPL-3.0-or-later
//! One connection: reads commands, answers them from the model, and misbehaves as told.

mod changes;
mod entry;
mod wire;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use rustls::{ServerConnection, StreamOwned};

use self::wire::Stream;
use crate::server_faults::answer::{self, quoted};
use crate::server_faults::command::{self, Received, Word};
use crate::server_faults::fault::{Act, After, CAPABILITIES, Cut, OneTooMany};
use crate::server_faults::model::{DATE, Model};
use crate::server_faults::server::{Shared, TLS, lock};

/// The connection is over.
pub(super) struct Closed;

pub(super) type Step<T> = Result<T, Closed>;

/// The selected mailbox as this client knows it.
pub(super) struct Selected {
    pub name: String,
    pub write: bool,
    /// UIDs by message number.
    pub view: Vec<u32>,
}

pub(super) struct Session<'a> {
    stream: Option<Stream>,
    number: usize,
    shared: &'a Arc<Shared>,
    inbox: Vec<u8>,
    out: Vec<u8>,
    commands: usize,
    protected: bool,
    logged_in: bool,
    selected: Option<Selected>,
    /// What becomes of it, as it is one too many.
    too_many: Option<OneTooMany>,
}

/// Serves one connection to its end.
pub(super) fn serve(stream: TcpStream, number: usize, shared: &Arc<Shared>) {
    let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
    let too_many = {
        let faults = lock(&shared.faults);
        let is_too_many = faults.connections.is_some_and(|limit| open > limit);
        is_too_many.then_some(faults.one_too_many)
    };
    let mut session = Session {
        stream: Some(Stream::Plain(stream)),
        number,
        shared,
        inbox: vec![],
        out: vec![],
        commands: 0,
        protected: false,
        logged_in: false,
        selected: None,
        too_many,
    };
    let _ = if too_many == Some(OneTooMany::TurnedAway) {
        session.bye("[LIMIT] Too many simultaneous connections")
    } else {
        session.run()
    };
    session.close();
    shared.open.fetch_sub(1, Ordering::SeqCst);
}

impl Session<'_> {
    fn run(&mut self) -> Step<()> {
        let capabilities = self.capabilities();
        self.put(format!("* OK [CAPABILITY {capabilities}] Scripted server\r\n").as_bytes())?;
        loop {
            self.flush()?;
            if self.inbox.is_empty()
                && let Some(turns) = lock(&self.shared.turns).get_mut(self.number)
            {
                *turns += 1;
            }
            let Some(received) = self.receive()? else { continue };
            let Some(words) = received.words() else {
                self.violation("no IMAP", &received.text);
                self.put(b"* BAD What?\r\n")?;
                continue;
            };
            self.command(&received, &words)?;
        }
    }

    fn capabilities(&self) -> String {
        let faults = lock(&self.shared.faults);
        let mut names = vec!["IMAP4rev1"];
        let names_of = CAPABILITIES.iter().chain(&faults.with);
        names.extend(names_of.filter(|name| faults.has(name)));
        if self.shared.tls && !self.protected {
            names.retain(|name| !name.starts_with("AUTH="));
            names.extend(["STARTTLS", "LOGINDISABLED"]);
        }
        names.join(" ")
    }

    pub(super) fn violation(&self, what: &str, text: &[u8]) {
        let line = format!("{what}: {}", String::from_utf8_lossy(text));
        lock(&self.shared.violations).push(line);
    }

    fn command(&mut self, received: &Received, words: &[Word]) -> Step<()> {
        let [Word::Atom(tag), Word::Atom(verb), rest @ ..] = words else {
            self.violation("no command", &received.text);
            return self.put(b"* BAD What?\r\n");
        };
        let mut verb = verb.to_ascii_uppercase();
        let mut rest = rest;
        if verb == "UID"
            && let [Word::Atom(second), others @ ..] = rest
        {
            verb = format!("UID {}", second.to_ascii_uppercase());
            rest = others;
        }
        self.commands += 1;
        // One that a killed run left may still be at work when counting begins again.
        if let Some(commands) = lock(&self.shared.commands).get_mut(self.number) {
            *commands = self.commands;
        }
        let (delay, cut, act) = {
            let mut faults = lock(&self.shared.faults);
            let act = faults.act(&verb, &received.everything());
            (faults.delay, faults.cut, act)
        };
        if let Some(cut) = cut.filter(|cut| cut.connection.is_none_or(|n| n == self.number))
            && let After::Commands(limit) = cut.after
            && self.commands > limit
        {
            return Err(Closed);
        }
        std::thread::sleep(delay);
        self.store_late();
        let mut silent = false;
        match act {
            None => {}
            Some(Act::Answer(answer)) => return self.put(format!("{tag} {answer}\r\n").as_bytes()),
            Some(Act::Bye(text)) => return self.bye(text),
            Some(Act::Close) => return Err(Closed),
            Some(Act::DoAndClose) => silent = true,
            Some(Act::DoAndAnswer(answer)) => {
                self.execute(tag, &verb, rest)?;
                return self.put(format!("{tag} {answer}\r\n").as_bytes());
            }
            Some(Act::DoAndDie) => {
                silent = true;
                lock(&self.shared.faults).cut = Some(Cut {
                    after: After::Octets(0),
                    connection: None,
                });
            }
            Some(Act::Hold { done }) => {
                if done {
                    self.execute(tag, &verb, rest)?;
                }
                self.shared.held.store(true, Ordering::SeqCst);
                while self.shared.held.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                return Err(Closed);
            }
            Some(Act::Late { commands }) => {
                lock(&self.shared.late).push((commands, rest.to_vec()));
                return Err(Closed);
            }
            Some(Act::LateAfterAnother { commands }) => {
                self.append(rest);
                lock(&self.shared.late).push((commands, rest.to_vec()));
                return Err(Closed);
            }
            Some(Act::AfterAnother) => {
                self.append(rest);
            }
            Some(Act::AfterAnotherThatMarked) => {
                let unmarked: Vec<Word> = rest
                    .iter()
                    .filter(|word| !matches!(word, Word::List(_)))
                    .cloned()
                    .collect();
                self.append(&unmarked);
            }
            Some(Act::AfterAnotherAndClose) => {
                self.append(rest);
                silent = true;
            }
            Some(Act::DeleteMailbox(name)) => {
                lock(&self.shared.model).folders.remove(name);
            }
            Some(Act::ReplaceMailbox(name)) => lock(&self.shared.model).replace(name),
            Some(Act::Restore(backup)) => lock(&self.shared.model).restore(&backup),
        }
        let answer = self.execute(tag, &verb, rest)?;
        if silent {
            self.out.clear();
            return Err(Closed);
        }
        if answer.is_empty() {
            return Ok(());
        }
        self.announce()?;
        self.put(format!("{tag} {answer}\r\n").as_bytes())
    }

    /// Executes a command and gives its tagged answer; none when that went out already.
    fn execute(&mut self, tag: &str, verb: &str, words: &[Word]) -> Step<String> {
        let always = [
            "CAPABILITY",
            "NOOP",
            "LOGOUT",
            "STARTTLS",
            "AUTHENTICATE",
            "LOGIN",
            "ID",
        ];
        if !self.logged_in && !always.contains(&verb) {
            self.violation("before the login", verb.as_bytes());
            return Ok("BAD Log in first".to_owned());
        }
        if let Some(needed) = answer::missing(&lock(&self.shared.faults), verb, words) {
            self.violation(&format!("{needed} is not offered"), verb.as_bytes());
            return Ok(format!("BAD {needed} is not offered"));
        }
        match (self.too_many, verb) {
            (Some(OneTooMany::Refused), "LOGIN" | "AUTHENTICATE") => {
                return Ok("NO [AUTHENTICATIONFAILED] Login failed".to_owned());
            }
            (Some(OneTooMany::Ended), "SELECT" | "EXAMINE") => {
                return self.bye("Too many connections").map(|()| String::new());
            }
            (Some(OneTooMany::Closed), "SELECT" | "EXAMINE")
            | (Some(OneTooMany::ClosedLater), "UID FETCH") => {
                return Err(Closed);
            }
            _ => {}
        }
        let done = "OK Done".to_owned();
        Ok(match verb {
            "CAPABILITY" => {
                let capabilities = self.capabilities();
                self.put(format!("* CAPABILITY {capabilities}\r\n").as_bytes())?;
                done
            }
            "NOOP" | "CHECK" | "ENABLE" | "SUBSCRIBE" | "UNSUBSCRIBE" => {
                if verb.ends_with("SUBSCRIBE")
                    && let Some(folder) = lock(&self.shared.model).folders.get_mut(&mailbox(&words[0]))
                {
                    folder.subscribed = verb == "SUBSCRIBE";
                }
                done
            }
            "LOGOUT" => {
                self.put(format!("* BYE See you\r\n{tag} OK Bye\r\n").as_bytes())?;
                self.flush()?;
                return Err(Closed);
            }
            "STARTTLS" => {
                self.put(format!("{tag} OK Go on\r\n").as_bytes())?;
                self.flush()?;
                self.start_tls()?;
                String::new()
            }
            "AUTHENTICATE" => self.authenticate(words)?,
            "LOGIN" => self.login(&words[0].text(), &words[1].text()),
            "ID" => {
                self.put(b"* ID (\"name\" \"Scripted\" \"version\" \"1\")\r\n")?;
                done
            }
            "NAMESPACE" => {
                let namespaces = {
                    let model = lock(&self.shared.model);
                    let (prefix, separator) = (quoted(model.prefix), quoted(&model.separator.to_string()));
                    let own = format!("(({prefix} {separator})) NIL NIL");
                    model.namespaces.map_or(own, str::to_owned)
                };
                self.put(format!("* NAMESPACE {namespaces}\r\n").as_bytes())?;
                done
            }
            "LIST" | "LSUB" | "STATUS" => {
                let connections = {
                    // Always in this order, as sessions run at the same time.
                    let model = lock(&self.shared.model);
                    let faults = lock(&self.shared.faults);
                    answer::listing(&model, &faults, verb, words)
                };
                match connections {
                    Some(connections) => {
                        self.put(connections.as_bytes())?;
                        done
                    }
                    None => "NO [NONEXISTENT] No such mailbox".to_owned(),
                }
            }
            "SELECT" | "EXAMINE" => self.select(verb == "SELECT", &mailbox(&words[0]))?,
            "CREATE" => self.create(&mailbox(&words[0])),
            "DELETE" => match lock(&self.shared.model).folders.remove(&mailbox(&words[0])) {
                Some(_) => done,
                None => "NO [NONEXISTENT] No such mailbox".to_owned(),
            },
            "APPEND" => self.append(words),
            "FILTER" => self.filter(words),
            "FETCH" | "UID FETCH" | "UID SEARCH" | "UID STORE" | "UID EXPUNGE" | "EXPUNGE" => {
                let Some(selected) = self.selected.take() else {
                    // What was pipelined behind a SELECT that failed.
                    return Ok("BAD No mailbox is selected".to_owned());
                };
                let outcome = self.on_messages(verb, words, &selected);
                self.selected = Some(selected);
                outcome?
            }
            _ => {
                self.violation("unknown command", verb.as_bytes());
                "BAD Unknown command".to_owned()
            }
        })
    }

    fn select(&mut self, write: bool, name: &str) -> Step<String> {
        self.selected = None;
        let (connections, view, read_only) = {
            let model = lock(&self.shared.model);
            let faults = lock(&self.shared.faults);
            let Some(folder) = answer::shown(&model, &faults, name) else {
                return Ok("NO [NONEXISTENT] No such mailbox".to_owned());
            };
            let view: Vec<u32> = folder.messages.iter().map(|message| message.uid).collect();
            (answer::opening(&model, folder, &faults), view, faults.read_only)
        };
        self.put(connections.as_bytes())?;
        let write = write && !read_only;
        self.selected = Some(Selected {
            name: name.to_owned(),
            write,
            view,
        });
        let mode = if write { "READ-WRITE" } else { "READ-ONLY" };
        Ok(format!("OK [{mode}] Opened"))
    }

    /// Tells of what has changed in the open mailbox, and more than that when it likes to talk.
    fn announce(&mut self) -> Step<()> {
        let Some(mut selected) = self.selected.take() else {
            return self.chatter(None);
        };
        let now: Vec<u32> = {
            let model = lock(&self.shared.model);
            let faults = lock(&self.shared.faults);
            let folder = answer::shown(&model, &faults, &selected.name);
            folder.map_or(vec![], |folder| folder.messages.iter().map(|m| m.uid).collect())
        };
        let mut connections = String::new();
        for at in (0..selected.view.len()).rev() {
            if !now.contains(&selected.view[at]) {
                connections += &format!("* {} EXPUNGE\r\n", at + 1);
            }
        }
        selected.view.retain(|uid| now.contains(uid));
        if selected.view != now {
            connections += &format!("* {} EXISTS\r\n", now.len());
            selected.view = now;
        }
        let first = selected.view.first().copied();
        self.selected = Some(selected);
        self.put(connections.as_bytes())?;
        self.chatter(first)
    }

    /// What a server may say at any time.
    pub(super) fn chatter(&mut self, first: Option<u32>) -> Step<()> {
        if !lock(&self.shared.faults).chatter {
            return Ok(());
        }
        let mut connections = "* OK Still here\r\n* NO Disk is 95% full\r\n* BAD Somebody made a mistake\r\n\
            * OK [X-NOTE (a \"b\" {c}] {12} apples\r\n* X-GREETING (\"nested (quotes)\" NIL 7) end\r\n\
            * LIST (\\Noselect) NIL \"\"\r\n"
            .to_owned();
        if let (Some(uid), Some(selected)) = (first, &self.selected) {
            let model = lock(&self.shared.model);
            let flags = model.folders.get(&selected.name).and_then(|folder| {
                let message = folder.messages.iter().find(|message| message.uid == uid)?;
                Some(message.flags.iter().cloned().collect::<Vec<_>>().join(" "))
            });
            if let Some(flags) = flags {
                connections += &format!(
                    "* {count} EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen \\Deleted)\r\n* 1 FETCH (FLAGS ({flags}))\r\n\
                     * 1 FETCH (FLAGS ({flags}) UID {uid})\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] Flags\r\n",
                    count = selected.view.len()
                );
            }
        }
        self.put(connections.as_bytes())
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.shared
    }
}

/// The mailbox of an argument.
pub(super) fn mailbox(word: &Word) -> String {
    let name = word.text();
    if name.eq_ignore_ascii_case("INBOX") {
        "INBOX".to_owned()
    } else {
        name
    }
}
