// SPDX-License-Identifier: GPL-3.0-or-later
//! How a sandbox is started.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use super::Sandbox;
use crate::agent::Agent;
use crate::cluster::ClusterApi;
use crate::cron::Cron;
use crate::dovecot::MailServer;
use crate::keeper::Keeper;
use crate::mail::Side;
use crate::node::{MARK, Node};
use crate::redis::Redis;
use crate::{MAIL_MODULE_UUID, MASTER_PASSWORD, MODULE_UUID, container};

const REMOTE_USERS: &[(&str, &str)] = &[
    ("r1@example.com", "Pw-r1!"),
    ("r2@example.com", "Pw-r2!"),
    ("r3@example.com", "Pw-r3!"),
    ("asc@example.com", "p\"a's$w0\\rd #%&*|;<>`x y"),
    ("special@example.com", "p\"a's$w0\\rd é#%&*|;<>`x y"),
];
const LOCAL_USERS: &[(&str, &str)] = &[("u1", "Pw-u1"), ("u2", "Pw-u2"), ("u3", "Pw-u3")];

/// What a sandbox is started with.
#[derive(Clone, Debug)]
pub struct Builder {
    pub(super) imageroot: Option<PathBuf>,
    pub(super) install: bool,
    pub(super) configure: bool,
    pub(super) cron_speed: Option<u32>,
    pub(super) supervised: bool,
}

impl Builder {
    /// Installs the module from this image root instead of [`install::imageroot`]'s.
    #[must_use]
    pub fn imageroot(mut self, dir: impl Into<PathBuf>) -> Self {
        self.imageroot = Some(dir.into());
        self
    }

    /// The node alone, without the module.
    #[must_use]
    pub fn without_module(mut self) -> Self {
        self.install = false;
        self
    }

    /// The module freshly installed, before `configure-module`.
    #[must_use]
    pub fn unconfigured(mut self) -> Self {
        self.configure = false;
        self
    }

    /// The container's crond runs, `speed` times as fast as the real time; without it no schedule is followed.
    #[must_use]
    pub fn cron_speed(mut self, speed: u32) -> Self {
        self.cron_speed = Some(speed);
        self
    }

    /// The container's main process is the supervisor of all runs; without it each run is on its own.
    #[must_use]
    pub fn supervised(mut self) -> Self {
        self.supervised = true;
        self
    }

    /// Starts the sandbox.
    pub fn start(self) -> anyhow::Result<Sandbox> {
        // Short, for the paths of sockets are limited to 108 octets.
        let base = tempfile::Builder::new()
            .prefix("ns8-")
            .permissions(PermissionsExt::from_mode(0o755))
            .tempdir_in(temp_dir())
            .context("cannot create the sandbox's folder")?
            .keep();
        let keeper = Keeper::start(&base)?;
        let mut node = Node::new(&base);
        let redis_password = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?
            .trim()
            .to_owned();
        let user = "module/imapsync1";
        let redis = Redis::start(&node, user, &redis_password)?;
        let api = ClusterApi::start(user, &redis_password, MASTER_PASSWORD)?;
        api.set_mailboxes(
            LOCAL_USERS
                .iter()
                .map(|(user, _)| json!({"user": user}))
                .collect(),
        );
        let (remote, local) = std::thread::scope(|scope| {
            let remote = scope.spawn(|| MailServer::start(&node, Side::Remote, REMOTE_USERS, None));
            let local = MailServer::start(&node, Side::Local, LOCAL_USERS, Some(MASTER_PASSWORD));
            (remote.join(), local)
        });
        let (Ok(remote), local) = (remote, local?) else {
            bail!("the thread that starts Dovecot panicked")
        };
        let remote = remote?;
        redis.announce_mail_module(
            "mail1",
            MAIL_MODULE_UUID,
            &local.address().to_string(),
            local.port(),
        )?;

        node.environment = environment(&node, &redis, user, &redis_password, &api);
        container::prepare(&node, local.port())?;
        if self.supervised {
            std::fs::write(node.container().join("supervised"), "")?;
        }
        std::fs::create_dir_all(node.state())?;
        std::fs::set_permissions(node.state(), PermissionsExt::from_mode(0o700))?;
        let image = "ghcr.io/nethserver/imapsync:latest";
        let lines = format!(
            "IMAGE_URL={image}\nIMAPSYNC_BINARY_IMAGE=ghcr.io/nethserver/imapsync-binary:latest\n\
             MODULE_ID=imapsync1\nMODULE_UUID={MODULE_UUID}\nNODE_ID=1\n"
        );
        std::fs::write(node.state().join("environment"), lines)?;
        node.save()?;
        let cron = self.cron_speed.map(|speed| Cron::start(&node, speed));
        let agent = Agent::new(&node);
        let sandbox = Sandbox {
            _cron: cron,
            local,
            remote,
            redis,
            api,
            agent,
            node,
            _keeper: keeper,
        };
        if self.install {
            sandbox.install(self.imageroot)?;
            if self.configure {
                sandbox.configure()?;
            }
        }
        Ok(sandbox)
    }
}

/// Where the sandbox's folder is made. Started by root, the mail servers run as somebody else, who must be able
/// to get there.
fn temp_dir() -> PathBuf {
    let wanted = std::env::temp_dir();
    let open = |dir: &Path| {
        dir.metadata()
            .is_ok_and(|dir| dir.permissions().mode() & 0o001 != 0)
    };
    match rustix::process::geteuid().is_root() && !wanted.ancestors().all(open) {
        true => PathBuf::from("/tmp"),
        false => wanted,
    }
}

fn environment(
    node: &Node,
    redis: &Redis,
    redis_user: &str,
    redis_password: &str,
    api: &ClusterApi,
) -> BTreeMap<String, String> {
    let path = |path: PathBuf| path.to_string_lossy().into_owned();
    let shims = path(node.shims());
    let install_dir = path(node.install_dir());
    let search = format!("{install_dir}/bin:{shims}:{}", crate::system_path());
    let pairs = [
        ("AGENT_ID", "module/imapsync1".to_owned()),
        ("AGENT_INSTALL_DIR", install_dir),
        ("AGENT_STATE_DIR", path(node.state())),
        ("CLUSTER_API_URL", api.url()),
        ("HOME", path(node.home())),
        ("LANG", "C.UTF-8".to_owned()),
        ("MODULE_ID", "imapsync1".to_owned()),
        ("MODULE_UUID", MODULE_UUID.to_owned()),
        ("NODE_ID", "1".to_owned()),
        ("PATH", search),
        ("REDIS_ADDRESS", redis.address()),
        ("REDIS_PASSWORD", redis_password.to_owned()),
        ("REDIS_USER", redis_user.to_owned()),
        (MARK, path(node.base().to_path_buf())),
    ];
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
