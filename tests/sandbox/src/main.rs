// SPDX-License-Identifier: GPL-3.0-or-later
//! The sandbox for people and for suites in other languages.

mod control;

use std::io::{IsTerminal, Read, Write, stdin, stdout};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use control::Request;
use rustix::fs::{FileType, fstat};
use sandbox::dovecot::MailServer;
use sandbox::mail::plan;
use sandbox::{Agent, Issuer, Node, Plan, Sandbox, Side};
use serde_json::{Value, json};

/// A NethServer 8 node in a box, on loopback: two mail servers, Redis, the cluster's API, the agent.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The running sandbox to act in: the folder that `run` printed; without it, the one started last.
    #[arg(long, global = true, env = "SANDBOX")]
    sandbox: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start a node and stay until a terminal, pipe or socket at standard input closes, or a signal comes.
    Run {
        /// The image root to install; without it one is made from the checkout.
        #[arg(long)]
        imageroot: Option<PathBuf>,
        /// Leave the module unconfigured.
        #[arg(long)]
        unconfigured: bool,
        /// How many times as fast as the real time the container's crond goes.
        #[arg(long, default_value_t = 1)]
        cron_speed: u32,
        /// Put so many generated messages into the mailbox of r1@example.com.
        #[arg(long, default_value_t = 0)]
        messages: usize,
        /// Start an issuer of tokens, which the remote mail server takes; the sources for it are printed as well.
        #[arg(long)]
        issuer: bool,
    },
    /// Show a whole synchronization, and compare both sides message by message.
    Demo {
        /// The image root to install; without it one is made from the checkout.
        #[arg(long)]
        imageroot: Option<PathBuf>,
        /// How many messages; 2400, and 60 in each mailbox with --oauth.
        #[arg(long)]
        messages: Option<usize>,
        /// Pull the mailboxes of an organisation with one sign-in instead, and no password.
        #[arg(long)]
        oauth: bool,
    },
    /// Run an action; its input is the JSON on standard input, its output goes to standard output.
    Action {
        /// The action, such as list-tasks.
        name: String,
    },
    /// Deliver an event; its payload is the JSON on standard input.
    Event {
        /// The event, such as mail-settings-changed.
        name: String,
    },
    /// Run a program with the module's environment in its state folder, as NS8's runagent does.
    Runagent {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Print a mailbox as JSON: folders and messages.
    Mailbox {
        /// Which server.
        side: SideName,
        /// Whose mailbox.
        user: String,
    },
    /// Put generated mail into a mailbox.
    Deliver {
        /// Which server.
        side: SideName,
        /// Whose mailbox.
        user: String,
        /// How many messages.
        #[arg(long, default_value_t = 10)]
        messages: usize,
        /// The seed: the same one gives the same mail.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Create users, or give them another password; local ones have a mailbox of the cluster then.
    AddUsers {
        /// Which server.
        side: SideName,
        /// Their names.
        #[arg(required = true)]
        users: Vec<String>,
        /// The password of all of them.
        #[arg(long)]
        password: String,
    },
    /// Print the description of the running sandbox: addresses, ports, folders.
    Info,
}

#[derive(Clone, Copy, ValueEnum)]
enum SideName {
    Remote,
    Local,
}

impl From<SideName> for Side {
    fn from(name: SideName) -> Self {
        match name {
            SideName::Remote => Self::Remote,
            SideName::Local => Self::Local,
        }
    }
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> anyhow::Result<ExitCode> {
    let node = || Node::load(&options.sandbox.clone().unwrap_or_else(latest));
    match options.verb {
        Verb::Run {
            imageroot,
            unconfigured,
            cron_speed,
            messages,
            issuer,
        } => {
            let mut builder = Sandbox::builder().cron_speed(cron_speed);
            if let Some(dir) = imageroot {
                builder = builder.imageroot(dir);
            }
            if unconfigured {
                builder = builder.unconfigured();
            }
            let sandbox = builder.start()?;
            let issuer = issuer.then(|| Issuer::start(&sandbox)).transpose()?;
            stay(&sandbox, messages, issuer.as_ref())?;
            // Unless another one was started since.
            if std::fs::read_link(latest()).is_ok_and(|base| base == sandbox.node().base()) {
                std::fs::remove_file(latest())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Verb::Demo {
            imageroot,
            messages,
            oauth,
        } => {
            let agree = match oauth {
                true => sandbox::demo::oauth::run(imageroot.as_deref(), messages.unwrap_or(60))?,
                false => sandbox::demo::run(imageroot.as_deref(), messages.unwrap_or(2400))?,
            };
            Ok(if agree {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Verb::Action { name } => {
            let outcome = Agent::new(&node()?).action(&name, &input()?)?;
            print!("{}", outcome.stdout);
            eprint!("{}", outcome.stderr);
            Ok(code(outcome.exit_code))
        }
        Verb::Event { name } => {
            let outcome = Agent::new(&node()?).event(&name, &input()?)?;
            print!("{}", outcome.stdout);
            eprint!("{}", outcome.stderr);
            Ok(code(outcome.exit_code))
        }
        Verb::Runagent { command } => {
            let arguments: Vec<&str> = command.iter().skip(1).map(String::as_str).collect();
            let program = command.first().context("no program given")?;
            let mut stdin_text = Vec::new();
            if !stdin().is_terminal() {
                stdin().read_to_end(&mut stdin_text)?;
            }
            let outcome = Agent::new(&node()?).helper(program, &arguments, &stdin_text)?;
            print!("{}", outcome.stdout);
            eprint!("{}", outcome.stderr);
            Ok(code(outcome.exit_code))
        }
        Verb::Mailbox { side, user } => {
            let mailbox = MailServer::attach(&node()?, side.into())?.mailbox(&user)?;
            println!("{}", serde_json::to_string_pretty(&mailbox)?);
            Ok(ExitCode::SUCCESS)
        }
        Verb::Deliver {
            side,
            user,
            messages,
            seed,
        } => {
            let mails = plan(&Plan {
                messages,
                seed,
                ..Plan::default()
            });
            MailServer::attach(&node()?, side.into())?.deliver(&user, &mails)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::AddUsers {
            side,
            users,
            password,
        } => {
            let local = matches!(side, SideName::Local);
            let request = Request::AddUsers {
                local,
                users,
                password,
            };
            control::ask(node()?.base(), &request)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Info => {
            let base = node()?.base().to_path_buf();
            print!("{}", std::fs::read_to_string(base.join("info.json"))?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Where the sandbox that was started last is found.
fn latest() -> PathBuf {
    std::env::temp_dir().join(format!("ns8-sandbox-{}", rustix::process::getuid().as_raw()))
}

/// The exit code of a step; one that a signal ended has none, and is a failure.
fn code(exit_code: i32) -> ExitCode {
    u8::try_from(exit_code).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The JSON on standard input; nothing, or a terminal, is an empty object.
fn input() -> anyhow::Result<Value> {
    let mut text = String::new();
    if !stdin().is_terminal() {
        stdin().read_to_string(&mut text)?;
    }
    match text.trim() {
        "" => Ok(json!({})),
        text => serde_json::from_str(text).context("standard input is no JSON"),
    }
}

fn stay(sandbox: &Sandbox, messages: usize, issuer: Option<&Issuer>) -> anyhow::Result<()> {
    if messages > 0 {
        sandbox.add_mail(
            Side::Remote,
            "r1@example.com",
            &plan(&Plan {
                messages,
                ..Plan::default()
            }),
        )?;
    }
    let base = sandbox.node().base();
    let mut info = json!({
        "sandbox": base,
        "state": sandbox.node().state(),
        "remote": {
            "host": sandbox.remote().address(),
            "port": sandbox.remote().port(),
            "tls_port": sandbox.remote().tls_port(),
        },
        "local": {"host": sandbox.local().address(), "port": sandbox.local().port()},
        "cluster_api": sandbox.api().url(),
        "redis": sandbox.redis().address(),
        "task": sandbox.task_input(),
    });
    if let Some(issuer) = issuer {
        for kind in [
            "application",
            "service-account",
            "device-code",
            "authorization-code",
        ] {
            info["sources"][kind] = issuer.source(kind)?;
        }
    }
    let mut text = serde_json::to_string_pretty(&info)?;
    text.push('\n');
    std::fs::write(base.join("info.json"), &text)?;
    publish(base)?;
    control::serve_while(sandbox, || {
        let input = Input::detect();
        print!("{text}");
        match input {
            Input::Terminal => println!("Press Control-D or Control-C to stop it."),
            Input::Closes => {}
            Input::Other => println!("Stop it with: kill {}", std::process::id()),
        }
        // One line that says that everything is up; the caller may wait for it, and read no further.
        println!("sandbox is ready: {}", base.display());
        stdout().flush()?;
        input.wait()
    })
}

/// What standard input can tell about when to stop.
enum Input {
    Terminal,
    /// A pipe or a socket: it closes when its starter goes.
    Closes,
    /// A file or /dev/null is at its end from the start.
    Other,
}

impl Input {
    fn detect() -> Self {
        let kind = fstat(stdin()).map(|stat| FileType::from_raw_mode(stat.st_mode));
        match kind {
            _ if stdin().is_terminal() => Self::Terminal,
            Ok(FileType::Fifo | FileType::Socket) => Self::Closes,
            _ => Self::Other,
        }
    }

    /// Until it closes, or for ever. A signal ends this process, and the keeper clears up.
    fn wait(self) -> anyhow::Result<()> {
        if matches!(self, Self::Other) {
            loop {
                std::thread::park();
            }
        }
        stdin().read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

/// Makes this sandbox the one that the other verbs find.
fn publish(base: &Path) -> anyhow::Result<()> {
    let link = latest();
    let temporary = link.with_extension(std::process::id().to_string());
    symlink(base, &temporary)?;
    std::fs::rename(&temporary, &link).with_context(|| format!("cannot replace {}", link.display()))?;
    Ok(())
}
