// SPDX-License-Identifier: GPL-3.0-or-later
//! Measures the engine and other programs on the same mail; `tests/bench/sync.sh` says how to run it.

mod programs;
mod table;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use sandbox::dovecot::AS_NS8;
use sandbox::mail::plan;
use sandbox::{NewMail, Plan, Proxy, Sandbox, Side};

use programs::{Job, Program};
use table::Table;

/// Round-trip times in milliseconds.
const FAR: [u64; 3] = [20, 50, 200];
/// The farthest at which all programs are measured; some take minutes beyond it.
const FAR_FOR_ALL: u64 = 50;
/// What is measured at every distance.
const ALONE: [Program; 2] = [Program::Ours, Program::Floor];
/// Messages that come between two runs.
const NEWS: usize = 50;
/// Local accounts for each run; each program at each distance fills one of its own.
const ACCOUNTS: usize = 40;

#[derive(Parser)]
struct Options {
    /// Messages in the mailbox of realistic mail.
    #[arg(long, default_value_t = 10_000)]
    messages: usize,
    /// Messages in the mailbox of small mail.
    #[arg(long, default_value_t = 100_000)]
    small: usize,
    /// Messages in the mailbox that all programs copy from far away.
    #[arg(long, default_value_t = 1_000)]
    far: usize,
    /// How often everything is measured; the table has the run with the median time.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// A tenth of the mailboxes, measured once.
    #[arg(long)]
    quick: bool,
    /// Without the other programs: this one and the limit.
    #[arg(long)]
    alone: bool,
}

fn main() -> anyhow::Result<()> {
    let mut options = Options::parse();
    if options.quick {
        options.runs = 1;
        for size in [&mut options.messages, &mut options.small, &mut options.far] {
            *size /= 10;
        }
    }
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("Load of the machine before: {}", load.trim());
    let mut bench = Bench::start(options.runs, options.alone)?;
    bench.realistic(options.messages)?;
    bench.far(options.far)?;
    bench.small(options.small)?;
    Ok(())
}

/// A sandbox, and which accounts are still unused.
struct Bench {
    sandbox: Sandbox,
    proxies: BTreeMap<u64, Proxy>,
    programs: Vec<Program>,
    used: usize,
    runs: usize,
}

/// A mailbox to copy from.
#[derive(Clone, Copy)]
struct Source<'a> {
    user: &'a str,
    messages: usize,
    octets: u64,
}

impl Bench {
    fn start(runs: usize, alone: bool) -> anyhow::Result<Self> {
        let sandbox = Sandbox::start()?;
        sandbox.local().reconfigure(AS_NS8)?;
        let names: Vec<String> = (0..ACCOUNTS * runs).map(|n| format!("bench{n}")).collect();
        sandbox.add_accounts(&names)?;
        let remote = sandbox.remote();
        let mut proxies = BTreeMap::new();
        // Also without delay there is a proxy, so that the distances differ in nothing but distance.
        for rtt in std::iter::once(0).chain(FAR) {
            let target = SocketAddr::from((remote.address(), remote.port()));
            proxies.insert(rtt, Proxy::start(target, Duration::from_micros(rtt * 500))?);
        }
        let programs = match alone {
            true => ALONE.to_vec(),
            false => Program::available(),
        };
        Ok(Self {
            sandbox,
            proxies,
            programs,
            used: 0,
            runs,
        })
    }

    /// Realistic mail: nearby for every program, and from far away for ours.
    fn realistic(&mut self, messages: usize) -> anyhow::Result<()> {
        let mail = plan(&Plan {
            messages,
            seed: 1,
            large_per_mille: 9,
        });
        let source = self.fill("r1@example.com", mail)?;
        let mut table = Table::new(&format!(
            "{messages} messages, {} MB, twelve folders",
            source.octets / 1_000_000
        ));
        self.at_all_distances(&mut table, source, 0)?;
        table.print();
        self.clear(source)
    }

    /// A smaller mailbox for all programs at all distances.
    fn far(&mut self, messages: usize) -> anyhow::Result<()> {
        let mail = plan(&Plan {
            messages,
            seed: 2,
            large_per_mille: 3,
        });
        let source = self.fill("r2@example.com", mail)?;
        let mut table = Table::new(&format!(
            "{messages} messages, {} MB, from far away",
            source.octets / 1_000_000
        ));
        self.at_all_distances(&mut table, source, FAR_FOR_ALL)?;
        table.print();
        self.clear(source)
    }

    /// Many small messages.
    fn small(&mut self, messages: usize) -> anyhow::Result<()> {
        let body = "All work and no play makes Jack a dull boy.\r\n".repeat(40);
        let mut octets = 0;
        for chunk in (0..messages).collect::<Vec<_>>().chunks(10_000) {
            let mut mails = vec![];
            for n in chunk {
                let mut mail =
                    NewMail::new(&format!("small{n}@example.net")).folder(&format!("Folder {}", n % 10));
                mail.content.extend(body.as_bytes());
                octets += mail.content.len() as u64;
                mails.push(mail);
            }
            self.sandbox.remote().deliver("r3@example.com", &mails)?;
        }
        let source = Source {
            user: "r3@example.com",
            messages,
            octets,
        };
        self.warm(source)?;
        let mut table = Table::new(&format!("{messages} messages of 2 KB, ten folders"));
        self.at_all_distances(&mut table, source, 0)?;
        table.print();
        self.clear(source)
    }

    /// Everything that is measured, of the other programs up to this distance. The programs take turns, so that what else
    /// the machine and its disk are at meets all of them.
    fn at_all_distances(
        &mut self,
        table: &mut Table,
        source: Source<'_>,
        others_up_to: u64,
    ) -> anyhow::Result<()> {
        for rtt in std::iter::once(0).chain(FAR) {
            let programs = match rtt <= others_up_to {
                true => self.programs.clone(),
                false => ALONE.to_vec(),
            };
            for _ in 0..self.runs {
                for &program in &programs {
                    self.once(table, source, program, rtt)?;
                }
            }
        }
        Ok(())
    }

    /// One program at one distance, once, in an account of its own.
    fn once(
        &mut self,
        table: &mut Table,
        source: Source<'_>,
        program: Program,
        rtt: u64,
    ) -> anyhow::Result<()> {
        let name = format!("bench{}", self.used);
        self.used += 1;
        ensure!(
            self.used <= ACCOUNTS * self.runs,
            "there are more measurements than accounts"
        );
        let proxy = self.proxies.get(&rtt).context("no proxy")?;
        let job = Job::new(&self.sandbox, &name, source.user, proxy.port(), program)?;
        let before = self.sandbox.remote().count(source.user)?;
        table.row(
            "first copy",
            rtt,
            program,
            job.run()?,
            Some((before, source.octets)),
        );
        job.check(before)?;
        if program == Program::Floor {
            std::fs::remove_dir_all(self.sandbox.local().maildir(&name))?;
            return Ok(());
        }
        table.row("nothing new", rtt, program, job.run()?, None);
        let news: Vec<NewMail> = (0..NEWS)
            .map(|n| NewMail::new(&format!("news{n}.{name}@x")).folder("Work"))
            .collect();
        self.sandbox.remote().deliver(source.user, &news)?;
        self.warm(source)?;
        table.row("50 new", rtt, program, job.run()?, None);
        job.check(before + NEWS)?;
        if program == Program::Ours {
            job.case.forget()?;
            table.row("nothing new, state lost", rtt, program, job.run()?, None);
            job.check(before + NEWS)?;
            table.row("nothing new, after that", rtt, program, job.run()?, None);
        }
        if let Some(counting) = job.count()? {
            table.row("counting", rtt, program, counting, None);
        }
        if let Some(login) = job.login()? {
            table.row("login", rtt, program, login, None);
        }
        std::fs::remove_dir_all(self.sandbox.local().maildir(&name))?;
        Ok(())
    }

    fn fill<'a>(&self, user: &'a str, mail: Vec<NewMail>) -> anyhow::Result<Source<'a>> {
        self.sandbox.remote().deliver(user, &mail)?;
        let octets = mail.iter().map(|mail| mail.content.len() as u64).sum();
        let source = Source {
            user,
            messages: mail.len(),
            octets,
        };
        self.warm(source)?;
        Ok(source)
    }

    /// The server gets to know its mail, so that the first program does not pay for it.
    fn warm(&self, source: Source<'_>) -> anyhow::Result<()> {
        let arguments = [
            "fetch",
            "-u",
            source.user,
            "uid size.virtual date.received hdr.message-id hdr.received",
            "ALL",
        ];
        self.sandbox.server(Side::Remote).doveadm_run(&arguments)?;
        ensure!(self.sandbox.remote().count(source.user)? >= source.messages);
        Ok(())
    }

    fn clear(&self, source: Source<'_>) -> anyhow::Result<()> {
        std::fs::remove_dir_all(self.sandbox.remote().maildir(source.user))?;
        Ok(())
    }
}
