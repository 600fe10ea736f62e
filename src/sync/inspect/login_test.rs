// SPDX-License-Identifier: GPL-3.0-or-later
//! The login test of both sides, before a task is written: nothing is stored, nothing is left behind.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::ErrorKey;
use crate::imap::{self, Command, ConnectionInfo, Mailbox, Session, TlsInfo};
use crate::sync::account::{Account, Failure};
use crate::sync::reconcile::connections::look::Look;

/// What the test found.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LoginTestReport {
    /// host1.
    pub remote: LoginTest,
    /// host2.
    pub local: LoginTest,
}

/// What the test found on one side.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LoginTest {
    /// `ok`, or the key of what is wrong.
    pub status: String,
    /// The same as a sentence.
    pub message: String,
    /// How the connection is protected.
    pub tls: Option<TlsInfo>,
    /// The server's greeting.
    pub greeting: String,
    /// The server's name for itself.
    pub server: Option<String>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// What the server asks to be told to people, such as the page where a sign-in has to be confirmed.
    #[serde(default)]
    pub alerts: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl LoginTest {
    /// A side that could not even be tried.
    pub fn failed(failure: &Failure) -> Self {
        Self {
            status: failure.key.unwrap_or(ErrorKey::RemoteServerError).to_string(),
            message: failure.message.clone(),
            tls: None,
            greeting: String::new(),
            server: None,
            capabilities: vec![],
            alerts: vec![],
            seconds: 0.0,
        }
    }
}

/// Logs in on both sides at once, and out again.
pub async fn check(remote: &Account, local: Result<&Account, &Failure>) -> LoginTestReport {
    let local = async {
        match local {
            Ok(account) => side(account).await,
            Err(failure) => LoginTest::failed(failure),
        }
    };
    let (remote, local) = tokio::join!(side(remote), local);
    LoginTestReport { remote, local }
}

async fn side(account: &Account) -> LoginTest {
    let started = Instant::now();
    let mut info = ConnectionInfo::default();
    let outcome = enter(account, &mut info).await;
    let (status, message) = match &outcome {
        Ok(_) => ("ok".to_owned(), works(account)),
        Err(error) => {
            // The handshake ended here, but what it showed is for the administrator to judge.
            if let imap::Error::CertificateRefused(refused) = error {
                info.tls = Some(TlsInfo {
                    version: String::new(),
                    certificate: Some(refused.shown.clone()),
                });
            }
            let failure = Failure::from_imap(account.side, error);
            (
                failure.key.unwrap_or(ErrorKey::RemoteServerError).to_string(),
                // Its words may be the server's, which makes up the names of its mechanisms, too.
                account.access.mask().apply(&error.to_string()).into_owned(),
            )
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    LoginTest {
        status,
        message,
        tls: info.tls,
        greeting: info.greeting,
        server: outcome.unwrap_or_default(),
        capabilities: info.capabilities,
        alerts: account.endpoint.alerts.texts(),
        seconds,
    }
}

/// What a login that worked is told as.
pub(super) fn works(account: &Account) -> String {
    let caution = account.caution().map(|caution| format!("; {caution}"));
    format!("the login works{}", caution.unwrap_or_default())
}

/// Logs in, looks whether there is a mailbox to be read, and logs out again; gives the server's name for itself.
async fn enter(account: &Account, info: &mut ConnectionInfo) -> imap::Result<Option<String>> {
    let mut look = Look::with(account);
    loop {
        let session = look.log_in(info).await?;
        match look_around(session).await {
            Err(error) if look.is_to_be_repeated(&error).await => {}
            outcome => return outcome.map_err(unusable),
        }
    }
}

async fn look_around(mut session: Session) -> imap::Result<Option<String>> {
    // Asked for along with the login: its answer comes before all others.
    let server = session.server().await?.map(str::to_owned);
    let inbox = Mailbox::inbox();
    // Exchange lets people in who have no licence or no right to the mailbox, and refuses everything from then on.
    let list = Command::new("LIST").text("\"\"").mailbox(&inbox);
    session.run(list, |_| {}).await?;
    session.open(&inbox, false).await?;
    session.logout().await;
    Ok(server)
}

/// What a refusal right after the login means.
fn unusable(error: imap::Error) -> imap::Error {
    match error {
        imap::Error::Command { .. } | imap::Error::Unavailable(_) => imap::Error::Unavailable(format!(
            "the login works, but the mailbox cannot be opened; it may have no licence, IMAP may be switched off for \
             it, or the account has no right to it: {error}"
        )),
        other => other,
    }
}
