// SPDX-License-Identifier: GPL-3.0-or-later
//! The way to a provider: HTTPS with verified certificates, bounded in size and time.

use std::io;
use std::time::{Duration, Instant};

use base64::Engine as _;
use jiff::fmt::rfc2822;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Proxy};

use super::TokenError;
use crate::names::Names;
use crate::secret::Zeroizing;
use crate::source::HttpsUrl;
use crate::text::io_reason;

/// One request.
const REQUEST: Duration = Duration::from_secs(20);
/// One question, with everything that is tried again.
const QUESTION: Duration = Duration::from_secs(45);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Answers with tokens have some KiB; a larger one is none.
const LARGEST_ANSWER: u64 = 256 * 1024;

/// What of the instance's settings concerns the way to a provider.
#[derive(Debug, Clone, Default)]
pub struct Network {
    proxy: Option<String>,
    direct: Vec<String>,
}

impl Network {
    /// The proxy that `HTTPS_PROXY` names, and the hosts that `NO_PROXY` excepts.
    pub fn of_settings(setting: impl Fn(&str) -> Option<String>) -> Self {
        let direct = setting("NO_PROXY").unwrap_or_default();
        Self {
            proxy: setting("HTTPS_PROXY"),
            direct: direct
                .split(',')
                .map(|host| host.trim().trim_start_matches('.').to_ascii_lowercase())
                .filter(|host| !host.is_empty())
                .collect(),
        }
    }

    fn proxy_to(&self, host: &str) -> Result<Option<Proxy>, TokenError> {
        let host = host.to_ascii_lowercase();
        let excepted = self
            .direct
            .iter()
            .any(|direct| direct == "*" || host == *direct || host.ends_with(&format!(".{direct}")));
        match &self.proxy {
            Some(proxy) if !excepted => {
                // The address may hold a password: it is not repeated.
                let proxy = Proxy::new(proxy).map_err(|_| {
                    TokenError::Failed(
                        "invalid HTTPS_PROXY: expected an address such as http://proxy.example.com:3128"
                            .to_owned(),
                    )
                })?;
                Ok(Some(proxy))
            }
            _ => Ok(None),
        }
    }
}

/// A client for one provider.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
    host: String,
}

/// What a provider answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The text.
    pub body: Zeroizing<Vec<u8>>,
    /// What it says its text is.
    pub kind: String,
    /// The provider's clock, in seconds since 1970.
    pub date: Option<i64>,
}

/// A name and a value of a form.
pub type Field = (&'static str, SecretString);

impl Http {
    /// A client for the provider at that address. `authorities` are certificates (PEM) of those that vouch for it;
    /// when empty, the system's do.
    ///
    /// # Errors
    /// When a setting or a certificate is unsound.
    pub fn new(url: &HttpsUrl, authorities: &str, network: &Network) -> Result<Self, TokenError> {
        let tls = TlsConfig::builder().root_certs(roots(authorities)?).build();
        let config = Agent::config_builder()
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(REQUEST))
            .max_response_header_size(64 * 1024)
            .proxy(network.proxy_to(url.host())?)
            .tls_config(tls)
            .user_agent("ns8-imapsync")
            .build();
        Ok(Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), Names),
            host: url.host().to_owned(),
        })
    }

    /// Sends a form, with `basic` as user and password of the request.
    ///
    /// # Errors
    /// [`TokenError::Unreachable`].
    pub fn post(
        &self,
        url: &HttpsUrl,
        form: &[Field],
        basic: Option<(&str, &SecretString)>,
    ) -> Result<Answer, TokenError> {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in form {
            body.append_pair(name, value.expose_secret());
        }
        let body = Zeroizing::new(body.finish());
        let authorization = basic.map(|(user, password)| Zeroizing::new(basic_header(user, password)));
        self.ask(|| {
            let mut request = self
                .agent
                .post(url.as_str())
                .header("Accept", "application/json")
                .header("Content-Type", "application/x-www-form-urlencoded");
            if let Some(authorization) = &authorization {
                request = request.header("Authorization", authorization.as_str());
            }
            request.send(body.as_bytes())
        })
    }

    /// Fetches a document.
    ///
    /// # Errors
    /// [`TokenError::Unreachable`].
    pub fn get(&self, url: &HttpsUrl) -> Result<Answer, TokenError> {
        self.ask(|| {
            self.agent
                .get(url.as_str())
                .header("Accept", "application/json")
                .call()
        })
    }

    /// Asks again, with longer pauses, where no harm can be done: a connection that did not come about, a provider
    /// that has too much to do (RFC 6585 section 4) or is in trouble. A question whose answer was lost is not repeated:
    /// what it handed in may be used up.
    fn ask(
        &self,
        request: impl Fn() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, TokenError> {
        let deadline = Instant::now() + QUESTION;
        let mut pause = FIRST_PAUSE;
        loop {
            let (reason, wanted) = match request() {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let wanted = retry_after(&response);
                    let answer = self.read(response)?;
                    if status != 429 && status < 500 {
                        return Ok(answer);
                    }
                    (format!("{} answers with HTTP status {status}", self.host), wanted)
                }
                Err(error) if is_harmless(&error) => {
                    (format!("cannot reach {}: {}", self.host, words(&error)), None)
                }
                Err(error) => {
                    return Err(TokenError::Unreachable(format!(
                        "{} gave no answer: {}",
                        self.host,
                        words(&error)
                    )));
                }
            };
            let wait = wanted.unwrap_or(pause);
            if Instant::now() + wait >= deadline || wait > LONGEST_PAUSE {
                return Err(TokenError::Unreachable(reason));
            }
            std::thread::sleep(wait);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn read(&self, mut response: ureq::http::Response<ureq::Body>) -> Result<Answer, TokenError> {
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let kind = header("content-type").unwrap_or_default();
        let date = header("date").and_then(|date| rfc2822::parse(&date).ok());
        let body = response
            .body_mut()
            .with_config()
            .limit(LARGEST_ANSWER)
            .read_to_vec();
        let body = body.map_err(|error| {
            TokenError::Unreachable(format!("{} gave no whole answer: {}", self.host, words(&error)))
        })?;
        Ok(Answer {
            status: response.status().as_u16(),
            body: Zeroizing::new(body),
            kind,
            date: date.map(|date| date.timestamp().as_second()),
        })
    }
}

impl Answer {
    /// The text as JSON; `None` where it is none of that form. What serde says may repeat a value, which may be a token.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        // RFC 8259 section 8.1 lets a reader skip the mark.
        let text = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        serde_json::from_slice(text).ok()
    }

    /// What stands there instead of JSON.
    pub fn nonsense(&self, host: &str) -> TokenError {
        let kind = self.kind.split(';').next().unwrap_or_default();
        let kind = if kind.is_empty() { "something" } else { kind };
        TokenError::Unreachable(format!(
            "{host} answered with {kind} and not as a token server does (HTTP status {}); compare the endpoints of the source",
            self.status
        ))
    }
}

/// RFC 6749 section 2.3.1: both are form-encoded first.
fn basic_header(user: &str, password: &SecretString) -> String {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let both = Zeroizing::new(format!("{}:{}", encoded(user), encoded(password.expose_secret())));
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(both.as_bytes())
    )
}

fn retry_after(response: &ureq::http::Response<ureq::Body>) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.trim();
    seconds.parse().ok().map(Duration::from_secs)
}

fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => io_reason(error),
        error => error.to_string(),
    }
}

/// Whether nothing was sent yet.
fn is_harmless(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

/// Those that vouch for providers: the ones given, or else the system's, or else the built-in ones.
fn roots(authorities: &str) -> Result<RootCerts, TokenError> {
    let certificates: Vec<Certificate<'static>> = if authorities.is_empty() {
        let system = rustls_native_certs::load_native_certs().certs;
        system
            .iter()
            .map(|der| Certificate::from_der(der).to_owned())
            .collect()
    } else {
        let mut certificates = vec![];
        for item in parse_pem(authorities.as_bytes()) {
            match item {
                Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
                _ => {
                    return Err(TokenError::Failed(
                        "invalid authority_certificates of the source: expected certificates in PEM form"
                            .to_owned(),
                    ));
                }
            }
        }
        certificates
    };
    Ok(match certificates.is_empty() {
        true => RootCerts::WebPki,
        false => RootCerts::new_with_certs(&certificates),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_for_all_but_the_hosts_that_are_excepted() {
        let network = Network::of_settings(|name| match name {
            "HTTPS_PROXY" => Some("http://proxy.example.com:3128".to_owned()),
            "NO_PROXY" => Some("localhost, .corp.example".to_owned()),
            _ => None,
        });
        for (host, through) in [
            ("login.microsoftonline.com", true),
            ("sso.corp.example", false),
            ("CORP.example", false),
            ("notcorp.example", true),
            ("localhost", false),
        ] {
            assert_eq!(network.proxy_to(host).unwrap().is_some(), through, "{host}");
        }
        let wrong = Network::of_settings(|_| Some("http://user:s3cret@[".to_owned()));
        assert!(!wrong.proxy_to("a").unwrap_err().to_string().contains("s3cret"));
    }

    #[test]
    fn user_and_password_of_a_request_are_encoded_twice() {
        let header = basic_header("a:b", &SecretString::from("p+ w"));
        let coded = header.strip_prefix("Basic ").unwrap();
        let plain = base64::engine::general_purpose::STANDARD.decode(coded).unwrap();
        assert_eq!(plain, b"a%3Ab:p%2B+w");
    }
}
