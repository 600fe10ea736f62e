// SPDX-License-Identifier: GPL-3.0-or-later
//! The test of a source with one mailbox, step by step.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::ErrorKey;
use crate::imap::{self, ConnectionInfo, ListExtras, Mailbox, Session, TlsInfo};
use crate::source::oauth::TokenError;
use crate::source::{Grant, Kind, Source};
use crate::sync::account::{Account, Failure};
use crate::sync::inspect::login_test::works;
use crate::sync::reconcile::connections::look::Look;
use crate::sync::side::Side;

/// What the test of a source found.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Whether every step worked.
    pub ok: bool,
    /// The steps in their order; after one that failed the others are left out.
    pub steps: Vec<Step>,
    /// How the connection to the IMAP server is protected.
    pub tls: Option<TlsInfo>,
}

/// One step.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `token`, `login`, `list` or `inbox`.
    #[schemars(extend("enum" = ["token", "login", "list", "inbox"]))]
    pub step: String,
    /// `ok`, or the key of what is wrong.
    pub status: String,
    /// The same as a sentence.
    pub message: String,
    /// What to do, at the provider most of the time; empty where there is nothing to do.
    pub advice: String,
    /// The provider's own code, such as `AADSTS7000222`; empty where there is none.
    pub provider_code: String,
    /// How long it took.
    pub seconds: f64,
}

/// Tests a source by what a task of it would do: a new token, the login, the list of folders, the inbox.
pub async fn test(source: &Source, account: &Account) -> Report {
    let mut report = Report {
        ok: false,
        steps: vec![],
        tls: None,
    };
    report.ok = steps(source, account, &mut report).await.is_some();
    report
}

/// `None` after a step that failed.
async fn steps(source: &Source, account: &Account, report: &mut Report) -> Option<()> {
    if let Some(tokens) = account.access.tokens() {
        let started = Instant::now();
        let tokens = tokens.clone();
        let got = tokio::task::spawn_blocking(move || tokens.renewed()).await;
        let got = got.unwrap_or_else(|error| Err(TokenError::Failed(error.to_string())));
        let step = match &got {
            Ok(_) => Step::ok("token", "the provider issued a token", started),
            Err(error) => Step::of_token(error, started),
        };
        report.steps.push(step);
        got.ok()?;
    }
    let started = Instant::now();
    let mut info = ConnectionInfo::default();
    let mut look = Look::with(account);
    let entered = look.log_in(&mut info).await;
    report.tls = info.tls;
    if let Err(imap::Error::CertificateRefused(changed)) = &entered {
        report.tls = Some(TlsInfo {
            version: String::new(),
            certificate: Some(changed.shown.clone()),
        });
    }
    let mut session = report.add(source, "login", &works(account), entered, started)?;

    let started = Instant::now();
    let listed = loop {
        match session.overview(ListExtras::Nothing).await {
            Err(error) if look.is_to_be_repeated(&error).await => {}
            outcome => break outcome.map(drop),
        }
        drop(session);
        session = match look.log_in(&mut ConnectionInfo::default()).await {
            Ok(fresh) => fresh,
            Err(error) => return report.add(source, "list", "", Err(error), started),
        };
    };
    report.add(source, "list", "the folders can be listed", listed, started)?;

    let started = Instant::now();
    let opened = examine(&mut session).await;
    let messages = report.add(source, "inbox", "the inbox can be opened", opened, started)?;
    if let Some(step) = report.steps.last_mut() {
        step.message = format!("the inbox can be opened; it holds {messages} messages");
    }
    session.logout().await;
    Some(())
}

async fn examine(session: &mut Session) -> imap::Result<u64> {
    let inbox = Mailbox::from_name("INBOX");
    let selected = session.open(&inbox, false).await?;
    Ok(u64::from(selected.messages))
}

impl Report {
    fn add<T>(
        &mut self,
        source: &Source,
        step: &str,
        success: &str,
        outcome: imap::Result<T>,
        started: Instant,
    ) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.steps.push(Step::ok(step, success, started));
                Some(value)
            }
            Err(error) => {
                let failure = Failure::from_imap(Side::Remote, &error);
                self.steps.push(Step {
                    status: failure.key.unwrap_or(ErrorKey::RemoteServerError).to_string(),
                    message: error.to_string(),
                    advice: advice(source, step, &error).to_owned(),
                    ..Step::ok(step, "", started)
                });
                None
            }
        }
    }
}

impl Step {
    fn ok(step: &str, message: &str, started: Instant) -> Self {
        Self {
            step: step.to_owned(),
            status: "ok".to_owned(),
            message: message.to_owned(),
            advice: String::new(),
            provider_code: String::new(),
            seconds: started.elapsed().as_secs_f64(),
        }
    }

    fn of_token(error: &TokenError, started: Instant) -> Self {
        let (message, advice, provider_code) = match error {
            TokenError::Denied(denial) => {
                let explained = denial.explained.clone();
                (explained.message, explained.advice, explained.provider_code)
            }
            TokenError::Unreachable(reason) | TokenError::Failed(reason) => {
                (reason.clone(), String::new(), String::new())
            }
        };
        Self {
            status: error.key().to_string(),
            message,
            advice,
            provider_code,
            ..Self::ok("token", "", started)
        }
    }
}

/// What to do about a server that does not take a token, or lets no one at the mailbox.
fn advice(source: &Source, step: &str, error: &imap::Error) -> &'static str {
    let refused = matches!(error, imap::Error::Token(_) | imap::Error::Credentials(_));
    let said = error.to_string();
    match (&source.oauth().map(|oauth| &oauth.grant), is_exchange(source)) {
        _ if said.contains("not connected") => {
            "the mailbox has no licence, IMAP is switched off for it, or no one gave the right to it: look at the \
             mailbox's email apps in the Microsoft 365 admin center, and at Add-MailboxPermission"
        }
        (Some(Grant::Application(_)), true) if refused => {
            "in Exchange Online PowerShell, run New-ServicePrincipal with the application ID and the object ID of the \
             enterprise application, then Add-MailboxPermission with FullAccess to this mailbox; in Entra, the \
             application needs the application permission IMAP.AccessAsApp with admin consent"
        }
        (Some(_), true) if refused => {
            "the account that signed in has no right to this mailbox, or IMAP is switched off for it; sign in as its owner"
        }
        (Some(Grant::ServiceAccount(_)), false) if refused => {
            "the mailbox has to be a user's primary address, with IMAP switched on in the Google Admin console"
        }
        (Some(_), false) if refused => {
            "sign in as the mailbox's owner; IMAP has to be switched on for the mailbox"
        }
        (None, _) if refused && source.kind() == Kind::Administrator => {
            "compare the administrator's name and password, how the login name is made, and whether the administrator \
             may open this mailbox"
        }
        _ if step == "inbox" || step == "list" => {
            "the account that signs in needs the right to read this mailbox"
        }
        _ => "",
    }
}

fn is_exchange(source: &Source) -> bool {
    let name = source.host.dns_name().unwrap_or_default().to_ascii_lowercase();
    let national = ["outlook.com", "outlook.cn"];
    ["office365.com", "office365.us"]
        .iter()
        .chain(&national)
        .any(|domain| name == *domain || name.ends_with(&format!(".{domain}")))
}
