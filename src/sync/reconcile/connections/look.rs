// SPDX-License-Identifier: GPL-3.0-or-later
//! A look at one side alone, outside a run: begun again, on a new connection, where the server is to be asked in another way.

use crate::imap::{self, ConnectionInfo, Error, Session};
use crate::sync::account::Account;
use crate::sync::reconcile::connections::backoff::Backoff;

/// Decides how often a look is begun. Somebody waits for it: only what the account learns from is a reason to try again.
pub struct Look<'a> {
    account: &'a Account,
    backoff: Backoff,
    is_repeated: bool,
}

impl<'a> Look<'a> {
    /// A look with an account.
    pub fn with(account: &'a Account) -> Self {
        Self {
            account,
            backoff: Backoff::brief(),
            is_repeated: false,
        }
    }

    /// Logs in. A refused login is final; one that worked before may be one too many while the server still counts the former
    /// connection.
    ///
    /// # Errors
    /// When the login does not work.
    pub async fn log_in(&mut self, info: &mut ConnectionInfo) -> imap::Result<Session> {
        loop {
            let outcome = self.account.login_telling(info).await;
            let is_too_early = self.is_repeated && matches!(outcome, Err(Error::Unavailable(_)));
            if !is_too_early || !self.backoff.pause().await {
                return outcome;
            }
        }
    }

    /// Whether what ended like this after the login is to be begun again: the server cannot cope with how it was asked, or may
    /// have closed the connection because of commands sent ahead.
    pub async fn is_to_be_repeated(&mut self, error: &Error) -> bool {
        let may_help = match error {
            Error::Fallback(_) => true,
            Error::Lost(_) => self.account.workarounds.suspects_pipelining(),
            _ => false,
        };
        self.is_repeated = may_help && self.backoff.pause_after(error).await;
        self.is_repeated
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use secrecy::SecretString;

    use crate::imap::{ListExtras, Trust};
    use crate::sync::access::Access;
    use crate::sync::account::{Account, Failure, RemoteServer};
    use crate::sync::inspect::login_test;
    use crate::sync::reconcile::listing;
    use crate::task::{RemoteHost, RemoteUser, Security};

    const OFFERS: &str =
        "IMAP4rev1 SASL-IR AUTH=PLAIN ID ENABLE CONDSTORE NAMESPACE LIST-EXTENDED LIST-STATUS";

    /// What a server cannot cope with.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Fault {
        /// It offers ENABLE and does not know it.
        Enable,
        /// It offers LIST-STATUS and does not know it.
        ListStatus,
        /// It refuses what was sent ahead.
        RefusesAhead,
        /// It closes the connection when something was sent ahead.
        ClosesAhead,
        /// It closes the connection at LIST.
        ClosesAtList,
        /// It refuses the login.
        Login,
    }

    /// An account at such a server, and how often the server was asked for a login.
    fn account(fault: Fault) -> (Account, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let logins = Arc::new(AtomicUsize::new(0));
        let counted = logins.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = serve(&mut stream.unwrap(), fault, &counted);
            }
        });
        let server = RemoteServer {
            host: &RemoteHost::parse("127.0.0.1").unwrap(),
            port: port.to_string().parse().unwrap(),
            security: Security::Opportunistic,
            trust: Trust::Learn,
        };
        let user = RemoteUser::parse("ann").unwrap();
        let access = Access::password(&user, SecretString::from("secret"));
        (Account::remote(&server, &user, access), logins)
    }

    fn serve(stream: &mut TcpStream, fault: Fault, logins: &AtomicUsize) -> std::io::Result<()> {
        stream.write_all(format!("* OK [CAPABILITY {OFFERS}] ready\r\n").as_bytes())?;
        let mut buffer = [0; 4096];
        loop {
            // What was sent ahead comes in one piece.
            let count = stream.read(&mut buffer)?;
            let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            if count == 0 || fault == Fault::ClosesAhead && lines.len() > 1 {
                return Ok(());
            }
            for (at, line) in lines.iter().enumerate() {
                let (tag, command) = line.split_once(' ').unwrap_or((line, ""));
                let name = command.split(' ').next().unwrap_or_default();
                let data = match (name, fault) {
                    ("AUTHENTICATE" | "LOGIN", _) => {
                        logins.fetch_add(1, Ordering::SeqCst);
                        if fault == Fault::Login {
                            stream.write_all(format!("{tag} NO [AUTHENTICATIONFAILED] no\r\n").as_bytes())?;
                            continue;
                        }
                        format!("* CAPABILITY {OFFERS}\r\n")
                    }
                    ("LIST", Fault::ClosesAtList) => return Ok(()),
                    ("ENABLE", Fault::Enable) => "BAD".to_owned(),
                    ("LIST", Fault::ListStatus) if command.contains("RETURN") => "BAD".to_owned(),
                    (_, Fault::RefusesAhead) if at > 0 => "BAD".to_owned(),
                    ("LIST", _) => {
                        "* LIST () \"/\" INBOX\r\n* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)\r\n"
                            .to_owned()
                    }
                    ("STATUS", _) => "* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)\r\n".to_owned(),
                    ("EXAMINE", _) => {
                        "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 2] ok\r\n".to_owned()
                    }
                    _ => String::new(),
                };
                let answer = match data.as_str() {
                    "BAD" => format!("{tag} BAD not that\r\n"),
                    data => format!("{data}{tag} OK done\r\n"),
                };
                stream.write_all(answer.as_bytes())?;
            }
        }
    }

    fn wait<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(work)
    }

    /// How the login test ends.
    fn tested(account: &Account) -> String {
        let none = Failure::local("no local side");
        wait(login_test::check(account, Err(&none))).remote.status
    }

    /// How many folders are listed.
    fn listed(account: &Account) -> Result<usize, Failure> {
        let listed = wait(listing::log_in_and_list(account, ListExtras::Sizes));
        listed.map(|(side, _)| side.folders.len())
    }

    #[test]
    fn what_a_server_does_not_bear_is_tried_in_another_way() {
        for (fault, most) in [
            (Fault::Enable, 1),
            (Fault::ListStatus, 3),
            (Fault::RefusesAhead, 2),
            (Fault::ClosesAhead, 3),
        ] {
            let (account, logins) = account(fault);
            assert_eq!(tested(&account), "ok", "{fault:?}");
            assert!(logins.load(Ordering::SeqCst) <= most, "{fault:?}: {logins:?}");
            let (account, logins) = self::account(fault);
            assert_eq!(listed(&account).unwrap(), 1, "{fault:?}");
            assert!(logins.load(Ordering::SeqCst) <= most, "{fault:?}: {logins:?}");
            // What was learnt is kept.
            let known = logins.load(Ordering::SeqCst);
            assert_eq!(tested(&account), "ok", "{fault:?}");
            assert_eq!(logins.load(Ordering::SeqCst), known + 1, "{fault:?}");
        }
    }

    #[test]
    fn a_server_that_closes_whatever_is_tried_is_soon_left_alone() {
        let (account, logins) = account(Fault::ClosesAtList);
        assert_eq!(tested(&account), "remote_server_error");
        assert!(logins.load(Ordering::SeqCst) <= 4, "{logins:?}");
        assert!(listed(&account).is_err());
        assert!(logins.load(Ordering::SeqCst) <= 8, "{logins:?}");
    }

    #[test]
    fn a_refused_login_is_not_repeated() {
        let (account, logins) = account(Fault::Login);
        assert_eq!(tested(&account), "bad_user_credentials");
        assert!(listed(&account).is_err());
        // By each of the two ways to log in.
        assert!(logins.load(Ordering::SeqCst) <= 2);
    }
}
