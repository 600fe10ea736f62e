// SPDX-License-Identifier: GPL-3.0-or-later
//! Look-ups in the cluster's Redis: which mail servers there are (contract section 2).

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use redis::{Connection, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};
use secrecy::ExposeSecret as _;

use super::Agent;
use crate::error::Result;
use crate::names;

/// Redis is on this node: whatever takes longer is broken.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// One round trip for all but huge clusters.
const SCAN_COUNT: usize = 10_000;
const MODULE_UUIDS: &str = "cluster/module_uuid";
const PATTERN: &str = "module/*/srv/tcp/imap";

type Hash = HashMap<String, String>;

/// A mail server of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailServer {
    /// `mail1`.
    pub module_id: String,
    /// What stays the same when the module moves.
    pub module_uuid: String,
    /// Where it listens.
    pub host: String,
    /// The name people know the server by.
    pub mail_hostname: String,
    /// The name that the administrator gave to the module, or empty.
    pub ui_name: String,
    node: String,
}

impl MailServer {
    /// `mail1 (mail.example.com)`.
    pub fn label(&self) -> String {
        let name = if self.ui_name.is_empty() {
            &self.module_id
        } else {
            &self.ui_name
        };
        let host = if self.mail_hostname.is_empty() {
            &self.host
        } else {
            &self.mail_hostname
        };
        format!("{name} ({host})")
    }

    /// Whether that is its address.
    pub fn is_at(&self, host: &str) -> bool {
        self.host.eq_ignore_ascii_case(host)
    }

    /// `mail12` is 12: of two modules with one uuid, the younger one counts.
    fn sequence(&self) -> u64 {
        let digits = self.module_id.trim_start_matches(|c: char| !c.is_ascii_digit());
        digits.parse().unwrap_or_default()
    }
}

/// All mail servers: those of this node first, then the leader's, then the others.
///
/// # Errors
/// When Redis does not answer.
pub fn mail_servers(agent: &Agent) -> Result<Vec<MailServer>> {
    let mut connection = connect(agent, Access::Read)?;
    let found = read(&mut connection).context("cannot read the mail servers from Redis")?;
    Ok(found.ordered(agent.node.as_deref().unwrap_or_default()))
}

/// The mail server with that uuid.
///
/// # Errors
/// When Redis does not answer.
pub fn mail_server(agent: &Agent, uuid: &str) -> Result<Option<MailServer>> {
    Ok(youngest(mail_servers(agent)?, uuid))
}

/// The services of the mail server with that uuid, which may listen at several addresses.
///
/// # Errors
/// When Redis does not answer.
pub fn services(agent: &Agent, uuid: &str) -> Result<Vec<MailServer>> {
    let mut servers = mail_servers(agent)?;
    if let Some(server) = youngest(servers.clone(), uuid) {
        servers.retain(|other| other.module_id == server.module_id);
        return Ok(servers);
    }
    Ok(Vec::new())
}

/// Whether a module other than ours has that uuid.
///
/// # Errors
/// When Redis does not answer.
pub fn has_another(agent: &Agent, uuid: &str) -> Result<bool> {
    let own = agent.id()?.trim_start_matches("module/");
    let mut connection = connect(agent, Access::Read)?;
    let uuids: Hash = redis::cmd("HGETALL")
        .arg(MODULE_UUIDS)
        .query(&mut connection)
        .context("cannot read the modules from Redis")?;
    Ok(uuids
        .iter()
        .any(|(module, theirs)| module != own && theirs == uuid))
}

/// The address of our node in the cluster's private network.
///
/// # Errors
/// When Redis does not answer, or does not know our node.
pub fn node_address(agent: &Agent) -> Result<String> {
    let node = agent.node.as_deref().context("NODE_ID is not set")?;
    let mut connection = connect(agent, Access::Read)?;
    let address: Option<String> = redis::cmd("HGET")
        .arg(format!("node/{node}/vpn"))
        .arg("ip_address")
        .query(&mut connection)
        .context("cannot read the address of the node from Redis")?;
    Ok(address.with_context(|| format!("the cluster knows no address of node {node}"))?)
}

/// Sets a field of one of our hashes and has others told by an event, if that changes anything.
///
/// # Errors
/// When Redis does not let us.
pub fn publish(agent: &Agent, key: &str, field: &str, text: &str, event: &str) -> Result<()> {
    let id = agent.id()?;
    let hash = format!("{id}/{key}");
    let mut connection = connect(agent, Access::Write)?;
    let published = (|| {
        let former: Option<String> = redis::cmd("HGET").arg(&hash).arg(field).query(&mut connection)?;
        if former.as_deref() == Some(text) {
            return Ok(());
        }
        redis::cmd("HSET")
            .arg(&hash)
            .arg(field)
            .arg(text)
            .exec(&mut connection)?;
        let told = serde_json::json!({"module_id": id.trim_start_matches("module/"), "name": field});
        redis::cmd("PUBLISH")
            .arg(format!("{id}/event/{event}"))
            .arg(told.to_string())
            .exec(&mut connection)
    })();
    Ok(published.with_context(|| format!("cannot change {hash} in Redis"))?)
}

/// Lets a role run some of our actions.
///
/// # Errors
/// When Redis does not let us.
pub fn grant(agent: &Agent, role: &str, actions: &[&str]) -> Result<()> {
    let key = format!("{}/roles/{role}", agent.id()?);
    let mut connection = connect(agent, Access::Write)?;
    redis::cmd("SADD")
        .arg(&key)
        .arg(actions)
        .query::<i64>(&mut connection)
        .with_context(|| format!("cannot change {key} in Redis"))?;
    Ok(())
}

fn youngest(servers: Vec<MailServer>, uuid: &str) -> Option<MailServer> {
    servers
        .into_iter()
        .filter(|server| !uuid.is_empty() && server.module_uuid == uuid)
        .max_by_key(MailServer::sequence)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

fn connect(agent: &Agent, access: Access) -> anyhow::Result<Connection> {
    let address = agent
        .redis_address
        .as_deref()
        .context("REDIS_ADDRESS is not set: run this through the agent or with runagent")?;
    let (host, port) = address
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)))
        .context("REDIS_ADDRESS is not of the form host:port")?;
    let login = RedisConnectionInfo::default().set_skip_set_lib_name();
    let login = match access {
        Access::Read => login.set_username("default").set_password("nopass"),
        Access::Write => {
            let user = agent.redis_user.as_deref().context("REDIS_USER is not set")?;
            let password = agent
                .redis_password
                .as_ref()
                .context("REDIS_PASSWORD is not set")?;
            login.set_username(user).set_password(password.expose_secret())
        }
    };
    let unreachable = || format!("cannot reach Redis at {address}");
    let mut tries = names::resolve_now(host).with_context(unreachable)?.into_iter();
    let connection = loop {
        let address = tries
            .next()
            .context("it has no address")
            .with_context(unreachable)?;
        let target = ConnectionAddr::Tcp(address.to_string(), port)
            .into_connection_info()?
            .set_redis_settings(login.clone());
        match redis::Client::open(target)?.get_connection_with_timeout(CONNECT) {
            Ok(connection) => break connection,
            Err(_) if tries.len() > 0 => {}
            Err(error) => return Err(error).with_context(unreachable),
        }
    };
    connection.set_read_timeout(Some(ANSWER))?;
    connection.set_write_timeout(Some(ANSWER))?;
    Ok(connection)
}

struct Found {
    servers: Vec<MailServer>,
    leader: String,
}

/// Two round trips: the keys and what is about all modules, then the values.
fn read(connection: &mut Connection) -> redis::RedisResult<Found> {
    let (mut cursor, mut keys, uuids, nodes, leader): (u64, Vec<String>, Hash, Hash, Option<String>) = {
        let ((cursor, keys), uuids, nodes, leader): ((u64, Vec<String>), Hash, Hash, Option<String>) =
            redis::pipe()
                .cmd("SCAN")
                .arg(0)
                .arg("MATCH")
                .arg(PATTERN)
                .arg("COUNT")
                .arg(SCAN_COUNT)
                .cmd("HGETALL")
                .arg(MODULE_UUIDS)
                .cmd("HGETALL")
                .arg("cluster/module_node")
                .cmd("HGET")
                .arg("cluster/environment")
                .arg("NODE_ID")
                .query(connection)?;
        (cursor, keys, uuids, nodes, leader)
    };
    while cursor != 0 {
        let (next, more): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(PATTERN)
            .arg("COUNT")
            .arg(SCAN_COUNT)
            .query(connection)?;
        keys.extend(more);
        cursor = next;
    }
    // SCAN may give a key twice.
    keys.sort();
    keys.dedup();
    let keys: Vec<(&str, &str)> = keys
        .iter()
        .filter_map(|key| Some((key.as_str(), module_of(key)?)))
        .collect();
    if keys.is_empty() {
        return Ok(Found {
            servers: Vec::new(),
            leader: leader.unwrap_or_default(),
        });
    }
    let mut pipe = redis::pipe();
    for (key, module) in &keys {
        pipe.cmd("HGETALL").arg(*key);
        pipe.cmd("GET").arg(format!("module/{module}/ui_name"));
    }
    let values: Vec<redis::Value> = pipe.query(connection)?;
    let mut servers = Vec::with_capacity(keys.len());
    for ((_, module), pair) in keys.iter().zip(values.chunks_exact(2)) {
        let mut fields: Hash = redis::from_redis_value_ref(&pair[0])?;
        let ui_name: Option<String> = redis::from_redis_value_ref(&pair[1])?;
        let mut field = |name: &str| fields.remove(name).unwrap_or_default();
        let host = field("host");
        let about = |table: &Hash, ours: String| match table.get(*module) {
            Some(value) => value.clone(),
            None => ours,
        };
        // A service without an address, or of a module that is not there, serves no one.
        let uuid = about(&uuids, field("module_uuid"));
        if host.is_empty() || uuid.is_empty() {
            continue;
        }
        servers.push(MailServer {
            module_id: (*module).to_owned(),
            module_uuid: uuid,
            host,
            mail_hostname: field("mail_hostname"),
            ui_name: ui_name.unwrap_or_default(),
            node: about(&nodes, field("node")),
        });
    }
    Ok(Found {
        servers,
        leader: leader.unwrap_or_default(),
    })
}

/// The module of `module/<id>/srv/tcp/imap`, which may have a qualifier before `srv`.
fn module_of(key: &str) -> Option<&str> {
    match key.split('/').collect::<Vec<_>>()[..] {
        ["module", id, "srv", "tcp", "imap"] | ["module", id, _, "srv", "tcp", "imap"] if !id.is_empty() => {
            Some(id)
        }
        _ => None,
    }
}

impl Found {
    fn ordered(mut self, node: &str) -> Vec<MailServer> {
        let distance = |server: &MailServer| match server.node.as_str() {
            theirs if theirs == node => 0,
            theirs if theirs == self.leader => 1,
            _ => 2,
        };
        self.servers
            .sort_by_cached_key(|server| (distance(server), server.sequence(), server.module_id.clone()));
        self.servers.dedup();
        self.servers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(id: &str, uuid: &str, node: &str) -> MailServer {
        MailServer {
            module_id: id.to_owned(),
            module_uuid: uuid.to_owned(),
            host: "10.5.4.1".to_owned(),
            node: node.to_owned(),
            ..MailServer::default()
        }
    }

    fn ids(servers: &[MailServer]) -> Vec<&str> {
        servers.iter().map(|server| server.module_id.as_str()).collect()
    }

    #[test]
    fn the_nearest_come_first_then_the_oldest() {
        let found = Found {
            servers: vec![
                server("mail9", "a", "3"),
                server("mail10", "b", "1"),
                server("mail2", "c", "1"),
                server("mail4", "d", "2"),
            ],
            leader: "1".to_owned(),
        };
        assert_eq!(ids(&found.ordered("2")), ["mail4", "mail2", "mail10", "mail9"]);
    }

    #[test]
    fn of_two_modules_with_one_uuid_the_younger_counts() {
        let servers = vec![
            server("mail9", "a", "1"),
            server("mail12", "a", "2"),
            server("mail20", "b", "1"),
        ];
        assert_eq!(youngest(servers.clone(), "a").unwrap().module_id, "mail12");
        assert_eq!(youngest(servers.clone(), "c"), None);
        assert_eq!(youngest(servers, ""), None);
    }

    #[test]
    fn keys_may_have_a_qualifier() {
        for (key, module) in [
            ("module/mail1/srv/tcp/imap", Some("mail1")),
            ("module/mail1/public/srv/tcp/imap", Some("mail1")),
            ("module/mail1/a/b/srv/tcp/imap", None),
            ("module//srv/tcp/imap", None),
            ("node/1/srv/tcp/imap", None),
        ] {
            assert_eq!(module_of(key), module, "{key}");
        }
    }

    #[test]
    fn a_label_has_the_name_and_the_host() {
        let mut mail = server("mail1", "a", "1");
        assert_eq!(mail.label(), "mail1 (10.5.4.1)");
        mail.mail_hostname = "mail.example.com".to_owned();
        assert_eq!(mail.label(), "mail1 (mail.example.com)");
        mail.ui_name = "Sales".to_owned();
        assert_eq!(mail.label(), "Sales (mail.example.com)");
    }
}
