// SPDX-License-Identifier: GPL-3.0-or-later
//! The cluster's Redis: NS8's access list and the keys that modules look up (contract section 2).

use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, bail};

use crate::locked;
use crate::node::Node;
use crate::server::{Server, free_port};

const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A real redis-server of this sandbox.
#[derive(Debug)]
pub struct Redis {
    node: Node,
    port: u16,
    user: String,
    password: String,
    server: Mutex<Option<Server>>,
}

impl Redis {
    pub(crate) fn start(node: &Node, user: &str, password: &str) -> anyhow::Result<Self> {
        let mut failure = None;
        for _ in 0..3 {
            let redis = Self {
                node: node.clone(),
                port: free_port(ADDRESS)?,
                user: user.to_owned(),
                password: password.to_owned(),
                server: Mutex::new(None),
            };
            match redis.launch() {
                Ok(()) => return Ok(redis),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.context("redis-server was never tried")?)
    }

    /// `REDIS_ADDRESS`.
    pub fn address(&self) -> String {
        format!("{ADDRESS}:{}", self.port)
    }

    /// Stops the server, as if the cluster's Redis were down.
    pub fn stop(&self) {
        locked(&self.server).take();
    }

    /// Starts it again on the same port, with the keys of a fresh node only.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.stop();
        self.launch()?;
        Ok(())
    }

    /// Runs one command with all rights and gives its reply in redis-cli's plain form, line by line.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<Vec<String>> {
        let output = Command::new("redis-cli")
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "--no-auth-warning",
                "--user",
                &self.user,
            ])
            .args(["--pass", &self.password, "-e", "--raw"])
            .args(arguments)
            .output()
            .context("cannot run redis-cli; is redis-tools installed?")?;
        if !output.status.success() {
            bail!(
                "redis {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect())
    }

    /// Announces an IMAP provider, as a mail module does.
    pub fn announce_mail_module(
        &self,
        module: &str,
        uuid: &str,
        host: &str,
        port: u16,
    ) -> anyhow::Result<()> {
        let port = port.to_string();
        let service = format!("module/{module}/srv/tcp/imap");
        let fields = [
            "host",
            host,
            "port",
            &port,
            "mail_hostname",
            "mail.rig.test",
            "user_domain",
            "rig.test",
        ];
        self.command(&[&["HSET", &service][..], &fields].concat())?;
        self.command(&["HSET", "cluster/module_uuid", module, uuid])?;
        self.command(&["HSET", "cluster/module_node", module, "1"])?;
        Ok(())
    }

    /// Takes a mail module out of the cluster.
    pub fn remove_mail_module(&self, module: &str) -> anyhow::Result<()> {
        self.command(&["DEL", &format!("module/{module}/srv/tcp/imap")])?;
        self.command(&["HDEL", "cluster/module_uuid", module])?;
        self.command(&["HDEL", "cluster/module_node", module])?;
        Ok(())
    }

    fn launch(&self) -> anyhow::Result<()> {
        let dir = self.node.base().join("redis");
        std::fs::create_dir_all(&dir)?;
        // KEYS blocks a cluster's Redis for everyone: no one gets it, so that its use shows.
        let configuration = format!(
            "bind {ADDRESS}\nport {}\nsave \"\"\nappendonly no\ndir {}\nlogfile {}/log\n             user default on >nopass ~* &* -@all +@read +@connection -keys\n             user {} on >{} ~* &* +@all -keys\n",
            self.port,
            dir.display(),
            dir.display(),
            self.user,
            self.password,
        );
        let file = dir.join("redis.conf");
        std::fs::write(&file, configuration)?;
        let mut command = Command::new("redis-server");
        command.arg(&file).env("PATH", crate::system_path());
        let port = self.port;
        let server = Server::start(&self.node, command, || {
            TcpStream::connect((ADDRESS, port)).is_ok()
        })?;
        *locked(&self.server) = Some(server);
        self.command(&["HSET", "cluster/environment", "NODE_ID", "1"])?;
        self.command(&["HSET", "cluster/module_uuid", "imapsync1", crate::MODULE_UUID])?;
        self.command(&["HSET", "cluster/module_node", "imapsync1", "1"])?;
        Ok(())
    }
}
