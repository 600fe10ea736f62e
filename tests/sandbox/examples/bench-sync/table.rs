// SPDX-License-Identifier: GPL-3.0-or-later
//! What was measured, as a table in Markdown.

use crate::programs::{Program, Taken};

/// The measurements of one mailbox.
pub(crate) struct Table {
    title: String,
    rows: Vec<Row>,
}

struct Row {
    what: &'static str,
    rtt: u64,
    program: Program,
    /// Each run of it.
    taken: Vec<Taken>,
    /// Messages and octets, where the rate tells something.
    moved: Option<(usize, u64)>,
}

impl Row {
    /// The run that took the median time.
    fn median(&self) -> Taken {
        let mut taken = self.taken.clone();
        taken.sort_by_key(|taken| taken.wall);
        taken[taken.len() / 2]
    }
}

impl Table {
    /// An empty table.
    pub(crate) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            rows: vec![],
        }
    }

    /// Adds a measurement, and says so to those who wait.
    pub(crate) fn row(
        &mut self,
        what: &'static str,
        rtt: u64,
        program: Program,
        taken: Taken,
        moved: Option<(usize, u64)>,
    ) {
        eprintln!(
            "{}: {what}, {rtt} ms, {}: {:.2} s",
            self.title,
            program.name(),
            taken.wall.as_secs_f64()
        );
        let same = |row: &&mut Row| (row.what, row.rtt, row.program) == (what, rtt, program);
        match self.rows.iter_mut().find(same) {
            Some(row) => row.taken.push(taken),
            None => self.rows.push(Row {
                what,
                rtt,
                program,
                taken: vec![taken],
                moved,
            }),
        }
    }

    /// Prints it; times of other programs also as multiples of ours.
    pub(crate) fn print(&self) {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        println!(
            "\n{}; load of the machine at the end {}\n",
            self.title,
            load.trim()
        );
        println!(
            "| | RTT ms | program | wall s | CPU s: program, source, destination | peak RSS MB | messages/s | MB/s | times ours | times RTT 0 |"
        );
        println!("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|");
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        let position = |what: &str| self.rows.iter().position(|row| row.what == what);
        rows.sort_by_key(|row| (position(row.what), row.rtt));
        for row in rows {
            let taken = row.median();
            let wall = taken.wall.as_secs_f64();
            let of = |rtt: u64, program: Program| {
                let same =
                    |other: &&Row| other.what == row.what && other.rtt == rtt && other.program == program;
                self.rows
                    .iter()
                    .find(same)
                    .map(|other| wall / other.median().wall.as_secs_f64())
            };
            let times = |factor: Option<f64>| factor.map_or(String::new(), |factor| format!("{factor:.1}"));
            let ours = if row.program == Program::Ours {
                None
            } else {
                of(row.rtt, Program::Ours)
            };
            let nearby = if row.rtt == 0 { None } else { of(0, row.program) };
            #[expect(clippy::cast_precision_loss, reason = "rates for people")]
            let (messages, megabytes) =
                row.moved
                    .map_or((String::new(), String::new()), |(messages, octets)| {
                        (
                            format!("{:.0}", messages as f64 / wall),
                            format!("{:.1}", octets as f64 / 1e6 / wall),
                        )
                    });
            println!(
                "| {} | {} | {} | {wall:.2} | {:.2}, {:.2}, {:.2} | {:.1} | {messages} | {megabytes} | {} | {} |",
                row.what,
                row.rtt,
                row.program.name(),
                taken.cpu[0],
                taken.cpu[1],
                taken.cpu[2],
                taken.memory as f64 / 1024.0,
                times(ours),
                times(nearby),
            );
        }
    }
}
