// SPDX-License-Identifier: GPL-3.0-or-later

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Command;

use super::action::Action;
use super::frame;
use super::help;
use super::schema::{self, Schemas};

/// One row of the table: a name and what it does.
pub(crate) struct Applet {
    name: &'static str,
    about: &'static str,
    kind: Kind,
}

enum Kind {
    Action {
        run: fn() -> ExitCode,
        schemas: fn() -> Schemas,
    },
    Helper {
        arguments: fn(Command) -> Command,
        run: fn(&clap::ArgMatches) -> ExitCode,
    },
    Event(fn() -> ExitCode),
}

impl Applet {
    /// An action of the module.
    pub(crate) const fn action<A: Action>() -> Self {
        Self {
            name: A::NAME,
            about: A::ABOUT,
            kind: Kind::Action {
                run: frame::run::<A>,
                schemas: schema::of::<A>,
            },
        }
    }

    /// A step of ours in an action of the platform.
    pub(crate) const fn platform_action<A: Action>() -> Self {
        Self {
            name: A::NAME,
            about: A::ABOUT,
            kind: Kind::Action {
                run: frame::run::<A>,
                schemas: schema::none,
            },
        }
    }

    /// A step of an event: an action that no one checks the input of.
    pub(crate) const fn event<A: Action>() -> Self {
        Self {
            name: A::NAME,
            about: A::ABOUT,
            kind: Kind::Event(frame::run::<A>),
        }
    }

    /// A program with its own arguments.
    pub(crate) const fn helper(
        name: &'static str,
        about: &'static str,
        arguments: fn(Command) -> Command,
        run: fn(&clap::ArgMatches) -> ExitCode,
    ) -> Self {
        Self {
            name,
            about,
            kind: Kind::Helper { arguments, run },
        }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// What it does, in a line.
    pub(crate) fn about(&self) -> &'static str {
        self.about
    }

    /// The schemas of an action.
    pub(crate) fn schemas(&self) -> Option<Schemas> {
        match self.kind {
            Kind::Action { schemas, .. } => Some(schemas()),
            Kind::Event(_) | Kind::Helper { .. } => None,
        }
    }

    /// The words it understands, and its help.
    pub(crate) fn command(&self) -> Command {
        let command = Command::new(self.name)
            .about(self.about)
            .version(env!("CARGO_PKG_VERSION"));
        let Kind::Helper { arguments, .. } = self.kind else {
            return command.after_help("Reads JSON from stdin and answers with JSON on stdout.");
        };
        let command = arguments(command);
        let Some(more) = help::of(self.name) else {
            return command;
        };
        let short = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        command.after_long_help(short + &more)
    }

    /// Runs it with the words that follow its name.
    pub(crate) fn run(&self, words: &[OsString]) -> ExitCode {
        let words = std::iter::once(OsString::from(self.name)).chain(words.iter().cloned());
        match self.command().try_get_matches_from(words) {
            Ok(matches) => match self.kind {
                Kind::Action { run, .. } | Kind::Event(run) => run(),
                Kind::Helper { run, .. } => run(&matches),
            },
            Err(error) => usage(&error),
        }
    }
}

/// Prints a help text, a version or what is wrong with the arguments.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Ok(()) => u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(_) => ExitCode::FAILURE,
    }
}
