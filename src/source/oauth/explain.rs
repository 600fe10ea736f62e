// SPDX-License-Identifier: GPL-3.0-or-later
//! What the errors of providers mean, and what to do about them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An error of a provider, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The provider's own code, such as `AADSTS7000222` or `invalid_client`.
    pub provider_code: String,
    /// What happened.
    pub message: String,
    /// What to do about it; empty where no one knows.
    pub advice: String,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.provider_code.is_empty() {
            write!(f, " ({})", self.provider_code)?;
        }
        if !self.advice.is_empty() {
            write!(f, ": {}", self.advice)?;
        }
        Ok(())
    }
}

/// Code, what happened, what to do.
type Row = (&'static str, &'static str, &'static str);

/// Microsoft's codes: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
const MICROSOFT: [Row; 26] = [
    (
        "AADSTS7000215",
        "the application's secret is wrong",
        "in Entra, under Certificates & secrets, copy the secret's Value (not its ID) and save the source with it",
    ),
    (
        "AADSTS7000222",
        "the application's secret has expired",
        "in Entra, under Certificates & secrets, make a new secret and save the source with it",
    ),
    (
        "AADSTS700016",
        "the organisation does not know the application",
        "compare the application (client) ID and the tenant with the application's overview in Entra",
    ),
    (
        "AADSTS700027",
        "the application's certificate is not accepted",
        "in Entra, under Certificates & secrets, upload the very certificate that the source has; it may have expired",
    ),
    (
        "AADSTS700024",
        "the signed statement is not valid at this time",
        "set the clock of this node",
    ),
    (
        "AADSTS90002",
        "there is no such organisation",
        "correct the tenant: the Directory (tenant) ID in Entra, or one of the organisation's domains",
    ),
    (
        "AADSTS900023",
        "there is no such organisation",
        "correct the tenant: the Directory (tenant) ID in Entra, or one of the organisation's domains",
    ),
    (
        "AADSTS65001",
        "no one has consented to what the application asks for",
        "in Entra, under API permissions, choose Grant admin consent",
    ),
    (
        "AADSTS65004",
        "the consent was declined",
        "sign in again and accept, or have an administrator consent in Entra under API permissions",
    ),
    (
        "AADSTS50076",
        "a second factor is asked for",
        "sign in again at the provider, with the second factor",
    ),
    (
        "AADSTS50079",
        "a second factor has to be set up first",
        "sign in again at the provider and set up the second factor",
    ),
    (
        "AADSTS50158",
        "another check of the organisation is asked for",
        "sign in again at the provider",
    ),
    (
        "AADSTS53000",
        "conditional access does not let this device in",
        "have the organisation's administrator make an exception for the application",
    ),
    (
        "AADSTS53003",
        "conditional access blocks the sign-in",
        "have the organisation's administrator make an exception for the application, or for this node's address",
    ),
    (
        "AADSTS700082",
        "the sign-in has expired, since it was not used for too long",
        "sign in again",
    ),
    (
        "AADSTS70043",
        "the sign-in has expired by a rule of the organisation",
        "sign in again",
    ),
    (
        "AADSTS70008",
        "the code or the sign-in has expired",
        "sign in again",
    ),
    (
        "AADSTS50173",
        "the sign-in ended, as after a change of the password",
        "sign in again",
    ),
    ("AADSTS54005", "the code was used already", "sign in again"),
    (
        "AADSTS50034",
        "the organisation does not know the user",
        "compare the mailbox's address and the tenant",
    ),
    ("AADSTS50126", "user name or password is wrong", "sign in again"),
    (
        "AADSTS50057",
        "the user's account is disabled",
        "enable the account in Entra",
    ),
    (
        "AADSTS50105",
        "the user is not assigned to the application",
        "in Entra, under Enterprise applications, assign the user, or switch Assignment required off",
    ),
    (
        "AADSTS500011",
        "the organisation does not know Exchange Online as something to ask for",
        "compare the scope; the organisation needs a subscription with Exchange Online",
    ),
    (
        "AADSTS50011",
        "the address to come back to is not the one that is registered",
        "in Entra, under Authentication, add this very redirect URI",
    ),
    (
        "AADSTS7000218",
        "the application has to show who it is",
        "give the application's secret, or switch Allow public client flows on in Entra under Authentication",
    ),
];

/// Google's errors, which have no codes: what their descriptions hold.
const GOOGLE: [Row; 6] = [
    (
        "Invalid JWT: Token must be a short-lived token",
        "the signed statement is not valid at this time",
        "set the clock of this node",
    ),
    (
        "Invalid JWT Signature",
        "the key of the service account is not accepted",
        "make a new key in the Google Cloud console, under Service accounts, Keys, and save the source with it",
    ),
    (
        "Client is unauthorized to retrieve access tokens",
        "the service account may not act for the domain's users",
        "in the Google Admin console, under Security, API controls, Domain-wide delegation, add the client ID with exactly the scope of the source",
    ),
    (
        "Invalid email or User ID",
        "the domain does not know the user",
        "compare the mailbox's address; it has to be the user's primary address",
    ),
    (
        "account not found",
        "the service account does not exist any more",
        "make a new service account with a key, and save the source with it",
    ),
    (
        "Token has been expired or revoked",
        "the sign-in was revoked or has expired",
        "sign in again; an application in the state Testing loses its sign-ins after seven days: publish it",
    ),
];

/// The errors of the standards: RFC 6749 section 5.2, RFC 8628 section 3.5, OpenID Connect.
const STANDARD: [Row; 16] = [
    (
        "invalid_client",
        "the application is unknown, or its secret or certificate is wrong",
        "compare client ID and secret with the application at the provider",
    ),
    (
        "unauthorized_client",
        "the application may not sign in this way",
        "allow this kind of sign-in for the application at the provider; for a service account: domain-wide delegation with exactly the scope of the source",
    ),
    (
        "invalid_grant",
        "the sign-in is not valid any more: it was revoked, has expired, or was used before",
        "sign in again",
    ),
    (
        "invalid_scope",
        "what is asked for does not exist, or not for this application",
        "compare the scope with the application at the provider",
    ),
    (
        "invalid_request",
        "the provider does not understand the request",
        "compare the endpoints of the source with the provider's documentation",
    ),
    (
        "unsupported_grant_type",
        "the provider does not know this kind of sign-in",
        "choose another one for the source",
    ),
    (
        "access_denied",
        "it was declined at the provider",
        "sign in again and accept, or ask the organisation's administrator to consent",
    ),
    (
        "authorization_declined",
        "it was declined at the provider",
        "sign in again and accept",
    ),
    ("expired_token", "the code was not entered in time", "begin again"),
    (
        "bad_verification_code",
        "the provider does not know the code",
        "begin again",
    ),
    (
        "interaction_required",
        "the provider wants to see the mailbox's owner again",
        "sign in again",
    ),
    (
        "login_required",
        "the provider wants to see the mailbox's owner again",
        "sign in again",
    ),
    (
        "consent_required",
        "no one has consented to what the application asks for",
        "sign in again and accept, or have an administrator consent",
    ),
    (
        "redirect_uri_mismatch",
        "the address to come back to is not the one that is registered",
        "add this very redirect URI to the application at the provider",
    ),
    (
        "admin_policy_enforced",
        "the organisation does not let the application in",
        "in the Google Admin console, under Security, API controls, trust the application",
    ),
    (
        "org_internal",
        "the application is for another organisation's users only",
        "in the Google Cloud console, under OAuth consent screen, choose External, or an application of the organisation",
    ),
];

/// What most providers have no code of their own for.
const EXPIRED_SECRET: Row = (
    "invalid_client",
    "the application's secret has expired",
    "make a new secret for the application at the provider, and save the source with it",
);

/// The longest text of a provider that is repeated.
const LONGEST: usize = 400;

/// What an error of a provider means.
pub fn explain(error: &str, description: &str) -> Explained {
    let number = microsoft_code(description).or_else(|| microsoft_code(error));
    let known = MICROSOFT
        .iter()
        .find(|(code, ..)| number.as_deref() == Some(code))
        .or_else(|| GOOGLE.iter().find(|(text, ..)| description.contains(text)))
        .or_else(|| is_expired(error, description).then_some(&EXPIRED_SECRET))
        .or_else(|| STANDARD.iter().find(|(code, ..)| *code == error));
    let code = number.unwrap_or_else(|| tidy(error));
    match known {
        Some((_, message, advice)) => Explained {
            provider_code: code,
            message: (*message).to_owned(),
            advice: (*advice).to_owned(),
        },
        None => Explained {
            message: match tidy(description) {
                said if said.is_empty() => "the provider refused, without telling why".to_owned(),
                said => format!("the provider refused: {said}"),
            },
            provider_code: code,
            advice: String::new(),
        },
    }
}

/// Whether the application itself was refused since its secret is too old.
fn is_expired(error: &str, description: &str) -> bool {
    error == EXPIRED_SECRET.0 && description.contains("expired")
}

/// `AADSTS7000215` out of a description.
fn microsoft_code(text: &str) -> Option<String> {
    const MARK: &str = "AADSTS";
    let (_, rest) = text.split_once(MARK)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("{MARK}{digits}"))
}

/// One line of bounded length.
fn tidy(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_words_that_say_what_to_do() {
        let description = "AADSTS7000222: The provided client secret keys for app 'x' are expired. \
                           Trace ID: 1 Timestamp: 2026-11-26";
        let explained = explain("invalid_client", description);
        assert_eq!(explained.provider_code, "AADSTS7000222");
        assert!(explained.message.contains("expired") && explained.advice.contains("new secret"));
        let google = explain(
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes)",
        );
        assert_eq!(google.advice, "set the clock of this node");
        assert_eq!(explain("invalid_grant", "").advice, "sign in again");
        let expired = explain("invalid_client", "its client secret is expired");
        assert!(expired.message.contains("expired") && expired.advice.contains("new secret"));
        assert!(explain("invalid_client", "").message.contains("unknown"));
        for (code, ..) in MICROSOFT {
            let explained = explain("x", &format!("{code}: whatever"));
            assert_eq!(explained.provider_code, code);
            assert!(!explained.advice.is_empty());
        }
    }

    #[test]
    fn what_no_one_knows_is_repeated_in_one_short_line() {
        let explained = explain("strange\u{7}", &format!("a\nb {}", "x".repeat(10_000)));
        assert!(explained.message.starts_with("the provider refused: a b x"));
        assert!(explained.message.len() < 500 && explained.advice.is_empty());
        assert_eq!(explained.provider_code, "strange");
    }
}
