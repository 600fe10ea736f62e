// SPDX-License-Identifier: GPL-3.0-or-later
//! One server process in its own group.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::node::{MARK, Node};

/// A running server; dropping it ends its whole process group.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Tells the keeper of the group: servers that set their title overwrite the mark in their environment.
    record: PathBuf,
}

impl Server {
    /// Starts `command` with the sandbox's mark, and waits until `ready` says so.
    pub fn start(node: &Node, mut command: Command, ready: impl Fn() -> bool) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .env(MARK, node.base())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}; is it installed?"))?;
        let groups = node.base().join("groups");
        let record = groups.join(child.id().to_string());
        let mut server = Self { child, record };
        std::fs::create_dir_all(groups)?;
        std::fs::write(&server.record, "")?;
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let is_ready = ready();
            // Asked after that: what is ready may be somebody else's.
            if let Some(status) = server.child.try_wait()? {
                bail!("{name} ended at once ({status})");
            }
            if is_ready {
                return Ok(server);
            }
            if Instant::now() > deadline {
                bail!("{name} did not get ready within two minutes");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.record);
    }
}

/// A free port on `address`; the starter of a server there must be ready to find it taken, and ask again.
pub fn free_port(address: Ipv4Addr) -> anyhow::Result<u16> {
    let listener = TcpListener::bind((address, 0)).with_context(|| format!("no free port on {address}"))?;
    Ok(listener.local_addr()?.port())
}
