// SPDX-License-Identifier: GPL-3.0-or-later
//! pymap, which has its mail in memory, and mailboxes with identities (OBJECTID).

use std::path::Path;
use std::process::Command;

use sandbox::{Sandbox, Server};

use crate::source::{Source, greets, not_tried, port};
use crate::steps;

#[test]
fn in_memory() -> anyhow::Result<()> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers/bin/pymap");
    if !program.exists() {
        not_tried("pymap", "tests/servers/run.sh gets it from PyPI");
        return Ok(());
    }
    let sandbox = Sandbox::start()?;
    let port = port()?;
    let mut command = Command::new(program);
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--no-tls"]);
    command.args([
        "dict",
        "--demo-data",
        "--demo-user",
        "pym",
        "--demo-password",
        "Pw-pym",
    ]);
    let server = Server::start(sandbox.node(), command, || greets(port))?;
    let source = Source {
        // It ends a message that is nothing but a header with a lone CR.
        altered: &["<header@odd>"],
        // Its Trash is read-only from the start.
        deletes: false,
        _servers: vec![server],
        ..Source::new(port, "pym", "Pw-pym")
    };
    steps::all(&sandbox, "pymap", &source)
}
