// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use url::Url;

use crate::task::Invalid;

/// An address that secrets may be sent to: HTTPS, whose certificate is verified, and without secrets of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsUrl(Url);

impl HttpsUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let url = Url::parse(text)
            .map_err(|_| Invalid("expected an address such as https://login.example.com/token".into()))?;
        if url.scheme() != "https" {
            return Err(Invalid(
                "it has to begin with https://, since secrets are sent there".into(),
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Invalid("it may not hold a user name or a password".into()));
        }
        if url.host_str().is_none_or(str::is_empty) || url.fragment().is_some() {
            return Err(Invalid(
                "it has to name a host, and may not have a # in it".into(),
            ));
        }
        Ok(Self(url))
    }

    /// The same with more at the end of its path.
    pub fn join(&self, path: &str) -> Result<Self, Invalid> {
        Self::parse(&format!("{}/{path}", self.0.as_str().trim_end_matches('/')))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address in parts.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The host, for messages.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_https_only() {
        for text in [
            "http://login.example.com/token",
            "login.example.com",
            "https://",
            "https://user:pw@login.example.com/",
            "https://login.example.com/#x",
            "file:///etc/passwd",
            "",
        ] {
            assert!(HttpsUrl::parse(text).is_err(), "{text} was accepted");
        }
        let base = HttpsUrl::parse("https://login.example.com/").unwrap();
        assert_eq!(
            base.join("a/b").unwrap().as_str(),
            "https://login.example.com/a/b"
        );
        assert_eq!(base.host(), "login.example.com");
    }
}
