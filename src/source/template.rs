// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use crate::task::{Invalid, RemoteUser};

/// How the login name is made that opens somebody's mailbox as an administrator: `{user}*{admin}`.
///
/// `{user}` is the mailbox as the task names it, `{local}` and `{domain}` what stands before and after its `@`,
/// `{admin}` the administrator. Everything else stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginTemplate {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    User,
    Local,
    Domain,
    Admin,
}

impl LoginTemplate {
    /// The longest template, in bytes.
    pub const LONGEST: usize = 256;

    /// Reads a template.
    ///
    /// # Errors
    /// When it does not say whose mailbox it is, names something unknown, or leaves a brace open.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |advice: String| Err(Invalid(advice));
        if text.len() > Self::LONGEST {
            return wrong(format!("it is longer than {} bytes", Self::LONGEST));
        }
        if text.chars().any(char::is_control) {
            return wrong("it has a control character in it".to_owned());
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return wrong("a { is never closed".to_owned());
            };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match name {
                "user" => Part::User,
                "local" => Part::Local,
                "domain" => Part::Domain,
                "admin" => Part::Admin,
                _ => {
                    return wrong("expected user, local, domain or admin between braces".to_owned());
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if !parts.contains(&Part::User) && !parts.contains(&Part::Local) {
            return wrong(
                "it has to hold {user} or {local}, or every task would open the same mailbox".to_owned(),
            );
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// The template as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the server finds the mailbox's end by: the text between it and the administrator.
    fn separator(&self) -> Option<&str> {
        let at = self.parts.iter().position(|part| *part == Part::Admin)?;
        match self.parts.get(..at)? {
            [.., Part::User | Part::Local | Part::Domain, Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The login name that opens a mailbox.
    ///
    /// # Errors
    /// When the outcome is no login name, such as one that is too long.
    pub fn login(&self, mailbox: &RemoteUser, admin: &str) -> Result<RemoteUser, Invalid> {
        let user = mailbox.as_str();
        let (local, domain) = user.rsplit_once('@').unwrap_or((user, ""));
        let needs = |part: Part| self.parts.contains(&part);
        if needs(Part::Domain) && domain.is_empty() || needs(Part::Local) && local.is_empty() {
            return Err(Invalid(
                "the login template of its source takes it apart: expected an address such as ann@example.com"
                    .into(),
            ));
        }
        if let Some(separator) = self.separator()
            && user.contains(separator)
        {
            return Err(Invalid(format!(
                "it holds {separator}, which stands between user and administrator in the login template"
            )));
        }
        let login: String = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text,
                Part::User => user,
                Part::Local => local,
                Part::Domain => domain,
                Part::Admin => admin,
            })
            .collect();
        RemoteUser::parse(&login)
    }
}

impl fmt::Display for LoginTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_open_a_mailbox() {
        let login = |template: &str, user: &str| {
            let user = RemoteUser::parse(user).unwrap();
            let login = LoginTemplate::parse(template)
                .unwrap()
                .login(&user, "root")
                .unwrap();
            login.as_str().to_owned()
        };
        assert_eq!(login("{user}*{admin}", "ann@example.com"), "ann@example.com*root");
        assert_eq!(login("{admin}/{user}", "ann"), "root/ann");
        assert_eq!(
            login(r"DOMAIN\{admin}\{local}", "ann@example.com"),
            r"DOMAIN\root\ann"
        );
        assert_eq!(login("{local}%{domain}", "ann@example.com"), "ann%example.com");
        // What a mailbox is called is never read as a template.
        assert_eq!(login("{user}*{admin}", "{admin}"), "{admin}*root");
    }

    #[test]
    fn a_mailbox_that_would_be_another_one_is_refused() {
        let login = |template: &str, user: &str| {
            let user = RemoteUser::parse(user).unwrap();
            LoginTemplate::parse(template).unwrap().login(&user, "root")
        };
        for (template, user) in [
            ("{user}*{admin}", "ann*bob"),
            ("{local}@{domain}*{admin}", "ann"),
            ("{local}*{admin}", "@example.com"),
            ("{domain}/{local}", "ann@"),
        ] {
            assert!(login(template, user).is_err(), "{template} {user}");
        }
        // The administrator is found by the first separator, whatever follows.
        assert_eq!(login("{admin}/{user}", "a/b").unwrap().as_str(), "root/a/b");
        assert_eq!(login("{local}%{domain}", "a%b@c").unwrap().as_str(), "a%b%c");
    }

    #[test]
    fn what_opens_no_one_in_particular_is_refused() {
        for text in [
            "",
            "{admin}",
            "root",
            "{user",
            "{user}{colour}",
            "{user}\n{admin}",
            "{}",
        ] {
            assert!(LoginTemplate::parse(text).is_err(), "{text:?} was accepted");
        }
    }
}
