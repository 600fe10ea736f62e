// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests to the cluster's HTTP API: login, token, and asking again what fails for the time being.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent as Http;
use ureq::unversioned::transport::DefaultConnector;

use crate::agent::Agent;
use crate::error::Result;
use crate::names::Names;
use crate::secret::SecretText;

/// Where the API is, unless the environment says otherwise.
const USUAL_ADDRESS: &str = "http://cluster-leader:9311";
/// One request; what is slow is the action, never the answer about it.
pub(super) const REQUEST: Duration = Duration::from_secs(10);
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Where people are shown lists of thousands of mailboxes, an answer may be large; a larger one is an accident.
const LARGEST_ANSWER: u64 = 64 * 1024 * 1024;

/// A client that logs in once, when it is first needed.
#[derive(Debug)]
pub(super) struct Api {
    http: Http,
    base: String,
    user: Option<String>,
    password: Option<SecretString>,
    token: RefCell<Option<SecretString>>,
}

impl Api {
    /// The API of the cluster that the agent belongs to.
    pub(super) fn new(agent: &Agent) -> Self {
        let config = Http::config_builder()
            .timeout_global(Some(REQUEST))
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        let base = agent.cluster_api.as_deref().unwrap_or(USUAL_ADDRESS);
        Self {
            http: Http::with_parts(config, DefaultConnector::default(), Names),
            base: base.trim_end_matches('/').to_owned(),
            user: agent.redis_user.clone(),
            password: agent.redis_password.clone(),
            token: RefCell::new(None),
        }
    }

    /// Asks until there is an answer: what the server cannot do now (RFC 9110 section 15.6, RFC 6585
    /// section 4) and a connection that fails are tried again, with longer pauses.
    pub(super) fn answer(
        &self,
        deadline: Instant,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let mut pause = FIRST_PAUSE;
        let mut logged_in_again = false;
        loop {
            let reason = match self.authorized(deadline, path, body) {
                Ok(answer) if answer.code == 401 && !logged_in_again => {
                    logged_in_again = true;
                    self.token.replace(None);
                    continue;
                }
                Ok(answer) if answer.is_temporary() => {
                    anyhow!("the cluster's API gives HTTP status {}", answer.code)
                }
                Ok(answer) => return Ok(answer),
                Err(CallError::Lasting(error)) => return Err(error),
                Err(CallError::Temporary(error)) => error,
            };
            if wait(&mut pause, deadline).is_err() {
                return Err(reason);
            }
        }
    }

    /// One request with the token.
    fn authorized(&self, deadline: Instant, path: &str, body: Option<&Value>) -> Result<Answer, CallError> {
        let known = self.token.borrow().clone();
        let token = match known {
            Some(token) => token,
            None => {
                let token = self.log_in(deadline)?;
                self.token.replace(Some(token.clone()));
                token
            }
        };
        self.request(deadline, path, Some(&token), body)
    }

    fn log_in(&self, deadline: Instant) -> Result<SecretString, CallError> {
        #[derive(Deserialize)]
        struct Login {
            token: SecretText,
        }
        let (Some(user), Some(password)) = (&self.user, &self.password) else {
            return Err(CallError::Lasting(anyhow!(
                "REDIS_USER and REDIS_PASSWORD are not set: run this through the agent or with runagent"
            )));
        };
        let body = json!({"username": user, "password": password.expose_secret()});
        let answer = self.request(deadline, "/api/login", None, Some(&body))?;
        match answer.code {
            200 | 201 => {
                let login: Login = answer.json().map_err(CallError::Lasting)?;
                Ok(login.token.into_secret())
            }
            code if answer.is_temporary() => Err(CallError::Temporary(anyhow!(
                "the cluster's API gives HTTP status {code} to a login"
            ))),
            code => Err(CallError::Lasting(anyhow!(
                "the cluster's API refused our login with HTTP status {code}"
            ))),
        }
    }

    fn request(
        &self,
        deadline: Instant,
        path: &str,
        token: Option<&SecretString>,
        body: Option<&Value>,
    ) -> Result<Answer, CallError> {
        self.exchange(deadline, &format!("{}{path}", self.base), token, body)
            .with_context(|| format!("cannot reach the cluster's API at {}", self.base))
            .map_err(CallError::Temporary)
    }

    fn exchange(
        &self,
        deadline: Instant,
        url: &str,
        token: Option<&SecretString>,
        body: Option<&Value>,
    ) -> Result<Answer, ureq::Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Some(left.clamp(FIRST_PAUSE, REQUEST));
        let bearer = |token: &SecretString| format!("Bearer {}", token.expose_secret());
        let mut answer = match body {
            Some(body) => {
                let mut request = self.http.post(url).config().timeout_global(limit).build();
                if let Some(token) = token {
                    request = request.header("Authorization", bearer(token));
                }
                request.send_json(body)?
            }
            None => {
                let mut request = self.http.get(url).config().timeout_global(limit).build();
                if let Some(token) = token {
                    request = request.header("Authorization", bearer(token));
                }
                request.call()?
            }
        };
        Ok(Answer {
            code: answer.status().as_u16(),
            body: answer
                .body_mut()
                .with_config()
                .limit(LARGEST_ANSWER)
                .read_to_vec()?,
        })
    }
}

/// Why a request came to nothing, and whether trying again may help.
enum CallError {
    Temporary(anyhow::Error),
    Lasting(anyhow::Error),
}

/// What the API answered.
pub(super) struct Answer {
    pub(super) code: u16,
    body: Vec<u8>,
}

impl Answer {
    fn is_temporary(&self) -> bool {
        self.code == 429 || self.code >= 500
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> anyhow::Result<T> {
        // The cause would repeat what may be a secret.
        serde_json::from_slice(&self.body)
            .map_err(|_| anyhow!("the answer of the cluster's API is not understood"))
    }
}

/// Waits before asking again, each time longer.
///
/// # Errors
/// When there is no time left.
pub(super) fn wait(pause: &mut Duration, deadline: Instant) -> anyhow::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left < *pause {
        bail!("out of time");
    }
    std::thread::sleep(*pause);
    *pause = (*pause * 2).min(LONGEST_PAUSE);
    Ok(())
}
