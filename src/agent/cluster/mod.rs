// SPDX-License-Identifier: GPL-3.0-or-later
//! Actions of other modules, run through the cluster's HTTP API (contract section 2).

mod api;

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use self::api::{Api, FIRST_PAUSE, wait};
use crate::agent::Agent;
use crate::error::Result;
use crate::secret::SecretText;

/// Asks other modules through the API.
#[derive(Debug)]
pub struct Cluster {
    api: Api,
    parent: String,
}

/// A mailbox of a mail server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Mailbox {
    /// Whose it is.
    pub user: String,
    /// A server that does not say has no disabled ones.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

impl Cluster {
    /// The API of the cluster that the agent belongs to.
    pub fn new(agent: &Agent) -> Self {
        Self {
            api: Api::new(agent),
            parent: agent.task.clone().unwrap_or_default(),
        }
    }

    /// The enabled mailboxes of a mail module.
    ///
    /// # Errors
    /// When the module does not answer in time.
    pub fn enabled_mailboxes(&self, module: &str, limit: Duration) -> Result<Vec<String>> {
        Ok(self
            .mailboxes(module, limit)?
            .into_iter()
            .filter(|mailbox| mailbox.enabled)
            .map(|mailbox| mailbox.user)
            .collect())
    }

    /// All mailboxes of a mail module.
    ///
    /// # Errors
    /// When the module does not answer in time.
    pub fn mailboxes(&self, module: &str, limit: Duration) -> Result<Vec<Mailbox>> {
        #[derive(Deserialize)]
        struct Answer {
            user_mailboxes: Vec<Mailbox>,
        }
        let answer: Answer =
            serde_json::from_value(self.run(module, "list-user-mailboxes", json!({}), limit)?)
                .with_context(|| format!("{module} did not answer with a list of mailboxes"))?;
        Ok(answer.user_mailboxes)
    }

    /// The password of the mail server's master user.
    ///
    /// # Errors
    /// When the module does not answer in time, or with another user than the one that runs log in as.
    pub fn master_password(&self, module: &str, limit: Duration) -> Result<SecretString> {
        #[derive(Deserialize)]
        struct Answer {
            username: String,
            password: SecretText,
        }
        let answer = self.run(module, "reveal-master-credentials", json!({}), limit)?;
        // A parse error would repeat parts of the answer.
        let Ok(answer) = serde_json::from_value::<Answer>(answer) else {
            return Err(anyhow!("{module} did not answer with master credentials").into());
        };
        if answer.username != "vmail" || answer.password.expose().is_empty() {
            return Err(anyhow!("{module} did not answer with the credentials of the user vmail").into());
        }
        Ok(answer.password.into_secret())
    }

    /// Runs an action and gives its output.
    fn run(&self, module: &str, action: &str, data: Value, limit: Duration) -> Result<Value> {
        let deadline = Instant::now() + limit;
        let output = self
            .run_until(module, action, &data, deadline)
            .with_context(|| format!("the action {action} of {module} gave no result"))?;
        Ok(output)
    }

    fn run_until(
        &self,
        module: &str,
        action: &str,
        data: &Value,
        deadline: Instant,
    ) -> anyhow::Result<Value> {
        #[derive(Deserialize)]
        struct Created {
            data: Id,
        }
        #[derive(Deserialize)]
        struct Id {
            id: String,
        }
        #[derive(Deserialize)]
        struct Ended {
            data: Outcome,
        }
        #[derive(Deserialize)]
        struct Outcome {
            #[serde(default)]
            output: Value,
            exit_code: i64,
        }

        let tasks = format!("/api/module/{module}/tasks");
        let order = json!({
            "action": action,
            "data": data,
            "parent": self.parent,
            "extra": {"isNotificationHidden": true, "title": action},
        });
        let created = self.api.answer(deadline, &tasks, Some(&order))?;
        if created.code != 201 {
            bail!("the cluster's API refused it with HTTP status {}", created.code);
        }
        let id = created.json::<Created>()?.data.id;

        let status = format!("/api/module/{module}/task/{id}/status");
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = self.api.answer(deadline, &status, None)?;
            match answer.code {
                200 => {
                    let outcome = answer.json::<Ended>()?.data;
                    if outcome.exit_code != 0 {
                        bail!("it ended with exit code {}", outcome.exit_code);
                    }
                    return match outcome.output {
                        Value::String(text) => serde_json::from_str(&text).context("its output is not JSON"),
                        output => Ok(output),
                    };
                }
                // Not ended yet.
                400 | 404 => wait(&mut pause, deadline).context("it has not ended in time")?,
                code => bail!("the cluster's API gave HTTP status {code} for its result"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::api::REQUEST;
    use super::*;

    /// Answers one request per connection, in order, and gives back what was asked.
    fn server(answers: Vec<(u16, Value)>) -> (Agent, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let agent = Agent {
            redis_user: Some("module/imapsync1".to_owned()),
            redis_password: Some("secret".into()),
            cluster_api: Some(format!("http://{}/", listener.local_addr().unwrap())),
            ..Agent::default()
        };
        let asked = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for (code, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut first, mut length, mut token) = (String::new(), 0, String::new());
                reader.read_line(&mut first).unwrap();
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    let lower = line.trim().to_ascii_lowercase();
                    match lower.split_once(": ") {
                        Some(("content-length", number)) => length = number.parse().unwrap(),
                        Some(("authorization", value)) => token = format!(" {value}"),
                        Some(_) => {}
                        None => break,
                    }
                }
                reader.take(length).read_to_end(&mut Vec::new()).unwrap();
                asked.push(first.replace(" HTTP/1.1\r\n", "") + &token);
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {code} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).unwrap();
            }
            asked
        });
        (agent, asked)
    }

    fn mailboxes(agent: &Agent, limit: Duration) -> Result<Vec<String>> {
        Cluster::new(agent).enabled_mailboxes("mail1", limit)
    }

    fn token(name: &str) -> (u16, Value) {
        (200, json!({"token": name}))
    }

    fn created() -> (u16, Value) {
        (201, json!({"data": {"id": "t1"}}))
    }

    const LOGIN: &str = "POST /api/login";
    const CREATE: &str = "POST /api/module/mail1/tasks";
    const STATUS: &str = "GET /api/module/mail1/task/t1/status";

    #[test]
    fn an_action_is_asked_for_until_it_has_ended() {
        let output = json!({"user_mailboxes": [{"user": "u1"}, {"user": "u2", "enabled": false}, {"user": "u3", "enabled": true}]});
        let (agent, asked) = server(vec![
            token("one"),
            created(),
            (404, json!({})),
            (400, json!({})),
            (
                200,
                json!({"data": {"output": output, "error": "", "exit_code": 0}}),
            ),
        ]);
        assert_eq!(mailboxes(&agent, REQUEST).unwrap(), ["u1", "u3"]);
        let with = |request: &str| format!("{request} bearer one");
        assert_eq!(
            asked.join().unwrap(),
            [
                LOGIN.to_owned(),
                with(CREATE),
                with(STATUS),
                with(STATUS),
                with(STATUS)
            ]
        );
    }

    #[test]
    fn a_token_that_expired_is_renewed_once_and_a_busy_api_asked_again() {
        let (agent, asked) = server(vec![
            token("one"),
            (401, json!({})),
            token("two"),
            (429, json!({})),
            (503, json!({})),
            created(),
            (
                200,
                json!({"data": {"output": "{\"user_mailboxes\": []}", "exit_code": 0}}),
            ),
        ]);
        assert!(mailboxes(&agent, REQUEST).unwrap().is_empty());
        let asked = asked.join().unwrap();
        assert_eq!(
            (asked[1].as_str(), asked[3].as_str()),
            (
                "POST /api/module/mail1/tasks bearer one",
                "POST /api/module/mail1/tasks bearer two"
            )
        );
    }

    #[test]
    fn a_refused_login_and_a_failed_action_are_told_at_once() {
        let (agent, _asked) = server(vec![(401, json!({"message": "secret"}))]);
        let error = mailboxes(&agent, Duration::from_secs(600))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("refused our login") && !error.contains("secret"),
            "{error}"
        );
        let (agent, _asked) = server(vec![
            token("one"),
            created(),
            (200, json!({"data": {"output": null, "exit_code": 7}})),
        ]);
        let error = mailboxes(&agent, Duration::from_secs(600))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("list-user-mailboxes") && error.contains("exit code 7"),
            "{error}"
        );
    }

    #[test]
    fn no_one_waits_for_ever() {
        let unreachable = Agent {
            redis_user: Some("u".to_owned()),
            redis_password: Some("p".into()),
            cluster_api: Some("http://127.0.0.1:1".to_owned()),
            ..Agent::default()
        };
        let started = Instant::now();
        let error = mailboxes(&unreachable, Duration::from_millis(300))
            .unwrap_err()
            .to_string();
        assert!(error.contains("cannot reach the cluster's API"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(300));
    }
}
