// SPDX-License-Identifier: GPL-3.0-or-later
//! Twisted's IMAP4Server, which is a protocol without mail of its own: `twisted_server.py` gives it some.

use sandbox::Sandbox;

use crate::source::{Source, folder, installed, not_tried, port, serve};
use crate::steps;

#[test]
fn in_memory() -> anyhow::Result<()> {
    let root = match installed("/usr/lib/python3/dist-packages/twisted/mail/imap4.py") {
        Ok(root) => root,
        Err(reason) => {
            not_tried("Twisted", &reason);
            return Ok(());
        }
    };
    let sandbox = Sandbox::start()?;
    let (files, dir) = folder(&root)?;
    std::fs::write(files.path().join("server.py"), include_str!("twisted_server.py"))?;
    let port = port()?;
    let start = format!("exec python3 {dir}/server.py {port} twi Pw-twi 2> {dir}/log");
    let server = serve(&sandbox, &root, &start, port)?;
    let source = Source {
        _servers: vec![server],
        _folder: Some(files),
        ..Source::new(port, "twi", "Pw-twi")
    };
    steps::all(&sandbox, "Twisted", &source)
}
