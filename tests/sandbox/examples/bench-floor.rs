// SPDX-License-Identifier: GPL-3.0-or-later
//! The least that a first copy can be: some connections on each side, each of which takes one folder after the other,
//! fetches all of it and appends what comes. It compares nothing, remembers nothing, and believes everything. What it takes
//! is a limit for programs that have to be careful; `tests/bench/sync.sh` measures both.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode};

#[derive(Parser)]
struct Options {
    /// host1, its port, the user and the file with the password.
    #[arg(long, num_args = 4, required = true)]
    from: Vec<String>,
    /// The same of host2.
    #[arg(long, num_args = 4, required = true)]
    to: Vec<String>,
    /// Connections on each side.
    #[arg(long, default_value_t = 4)]
    connections: usize,
}

/// So much goes into one APPEND of many messages (RFC 3502).
const BATCH: usize = 1 << 20;

/// A folder, as both sides call it.
struct Folder {
    from: String,
    to: String,
}

struct Connection {
    stream: BufReader<SslStream<TcpStream>>,
}

impl Connection {
    fn log_in(side: &[String]) -> anyhow::Result<Self> {
        let [host, port, user, file] = side else {
            bail!("a side is HOST PORT USER PASSFILE");
        };
        let password = std::fs::read_to_string(PathBuf::from(file))?;
        let tcp = TcpStream::connect((host.as_str(), port.parse()?))?;
        tcp.set_nodelay(true)?;
        // Octet by octet: what follows belongs to TLS.
        let plain = |mut tcp: &TcpStream| -> anyhow::Result<()> {
            let mut octet = [0];
            while octet != *b"\n" {
                tcp.read_exact(&mut octet)?;
            }
            Ok(())
        };
        plain(&tcp)?;
        (&tcp).write_all(b"a STARTTLS\r\n")?;
        plain(&tcp)?;
        let mut connector = SslConnector::builder(SslMethod::tls_client())?;
        // Servers of the same machine, for the time of a measurement.
        connector.set_verify(SslVerifyMode::NONE);
        let stream = connector.build().connect(host, tcp)?;
        let mut connection = Self {
            stream: BufReader::with_capacity(1 << 16, stream),
        };
        connection.run(&format!("LOGIN \"{user}\" \"{password}\""))?;
        Ok(connection)
    }

    fn send(&mut self, octets: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.get_mut().write_all(octets)?)
    }

    fn line(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut line = vec![];
        self.stream.read_until(b'\n', &mut line)?;
        ensure!(!line.is_empty(), "the server closed the connection");
        Ok(line)
    }

    /// Reads to the end of a command; gives what came before.
    fn end(&mut self) -> anyhow::Result<Vec<String>> {
        let mut lines = vec![];
        loop {
            let line = String::from_utf8_lossy(&self.line()?).trim_end().to_owned();
            match line.strip_prefix("a ") {
                Some(end) if end.starts_with("OK") => return Ok(lines),
                Some(end) => bail!("{end}"),
                None => lines.push(line),
            }
        }
    }

    fn run(&mut self, command: &str) -> anyhow::Result<Vec<String>> {
        self.send(format!("a {command}\r\n").as_bytes())?;
        self.end()
    }

    /// All folders that hold mail, and the separator.
    fn folders(&mut self) -> anyhow::Result<(Vec<String>, String)> {
        let mut separator = String::from("/");
        let mut names = vec![];
        for line in self.run("LIST \"\" \"*\"")? {
            let (_, rest) = line.split_once(") \"").context("no list of folders")?;
            let (found, name) = rest.split_once("\" ").context("no name of a folder")?;
            found.clone_into(&mut separator);
            if !line.contains("\\Noselect") && !line.contains("\\NonExistent") {
                names.push(name.trim_matches('"').to_owned());
            }
        }
        Ok((names, separator))
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let mut from = Connection::log_in(&options.from)?;
    let mut to = Connection::log_in(&options.to)?;
    let (names, separator) = from.folders()?;
    let (present, local) = to.folders()?;
    let folders: VecDeque<Folder> = names
        .into_iter()
        .map(|name| Folder {
            to: name.replace(&separator, &local),
            from: name,
        })
        .collect();
    let missing: Vec<&Folder> = folders
        .iter()
        .filter(|folder| !present.contains(&folder.to))
        .collect();
    for folder in &missing {
        to.send(format!("a CREATE \"{}\"\r\n", folder.to).as_bytes())?;
    }
    for _ in &missing {
        to.end()?;
    }
    drop((from, to));
    let queue = Mutex::new(folders);
    std::thread::scope(|scope| {
        let worker = || -> anyhow::Result<()> {
            let mut from = Connection::log_in(&options.from)?;
            let mut to = Connection::log_in(&options.to)?;
            loop {
                let next = queue.lock().ok().and_then(|mut queue| queue.pop_front());
                let Some(folder) = next else { return Ok(()) };
                copy(&mut from, &mut to, &folder)?;
            }
        };
        let workers: Vec<_> = (0..options.connections).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            worker
                .join()
                .map_err(|_| anyhow::anyhow!("a worker panicked"))??;
        }
        Ok(())
    })
}

/// Copies one folder. Answers of the destination are read at its end: they are few and short.
fn copy(from: &mut Connection, to: &mut Connection, folder: &Folder) -> anyhow::Result<()> {
    from.run(&format!("EXAMINE \"{}\"", folder.from))?;
    from.send(b"a FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])\r\n")?;
    let (mut batch, mut appends) = (0, 0);
    let mut content = vec![];
    loop {
        let line = from.line()?;
        let text = String::from_utf8_lossy(&line);
        if text.starts_with("a ") {
            break;
        }
        let Some(size) = text
            .trim_end()
            .strip_suffix('}')
            .and_then(|text| text.rsplit('{').next())
        else {
            continue;
        };
        content.resize(size.parse()?, 0);
        from.stream.read_exact(&mut content)?;
        from.line()?;
        let flags = between(&text, "FLAGS (", ")").replace("\\Recent", "");
        let date = between(&text, "INTERNALDATE \"", "\"");
        if batch == 0 {
            to.send(format!("a APPEND \"{}\"", folder.to).as_bytes())?;
            appends += 1;
        }
        to.send(format!(" ({}) \"{date}\" {{{}+}}\r\n", flags.trim(), content.len()).as_bytes())?;
        to.send(&content)?;
        batch += content.len();
        if batch > BATCH {
            to.send(b"\r\n")?;
            batch = 0;
        }
    }
    if batch > 0 {
        to.send(b"\r\n")?;
    }
    for _ in 0..appends {
        to.end()?;
    }
    Ok(())
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or("", |(found, _)| found)
}
