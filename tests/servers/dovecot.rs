// SPDX-License-Identifier: GPL-3.0-or-later
//! Dovecot 2.3 as it is installed, with mail in each of its formats, and with namespaces.

use sandbox::{MailServer, Sandbox};

use crate::source::Source;
use crate::steps;

/// Namespaces that a user's own settings switch on.
const NAMESPACES: &str = r"
mail_plugins = $mail_plugins virtual
namespace archive {
  prefix = Archive2.
  separator = .
  location = maildir:~/archive
  disabled = yes
}
namespace shared {
  type = public
  prefix = Team.
  separator = .
  location = maildir:~/team
  disabled = yes
}
namespace virtual {
  prefix = virtual.
  separator = .
  location = virtual:~/virtual
  disabled = yes
}
protocol imap {
  mail_plugins = $mail_plugins virtual
}
";

fn source(sandbox: &Sandbox, settings: &[&str]) -> anyhow::Result<Source> {
    let server = sandbox.remote();
    server.reconfigure(NAMESPACES)?;
    server.set_user_settings("r1@example.com", settings)?;
    Ok(Source {
        host: server.address().to_string(),
        separator: '.',
        ..Source::new(server.port(), "r1@example.com", "Pw-r1!")
    })
}

fn format(name: &str, location: &str) -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let setting = format!("mail={location}");
    steps::all(&sandbox, name, &source(&sandbox, &[&setting])?)
}

#[test]
fn maildir() -> anyhow::Result<()> {
    format("Dovecot maildir", "maildir:~/Maildir")
}

#[test]
fn mbox() -> anyhow::Result<()> {
    format("Dovecot mbox", "mbox:~/mbox:INBOX=~/mbox.inbox")
}

#[test]
fn sdbox() -> anyhow::Result<()> {
    format("Dovecot sdbox", "sdbox:~/sdbox")
}

#[test]
fn mdbox() -> anyhow::Result<()> {
    format("Dovecot mdbox", "mdbox:~/mdbox")
}

#[test]
fn prefix_of_the_inbox() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let source = Source {
        prefix: "INBOX.",
        ..source(&sandbox, &["namespace/inbox/prefix=INBOX."])?
    };
    steps::all(&sandbox, "Dovecot prefix", &source)
}

#[test]
fn namespaces() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let source = Source {
        not_ours: &["Team", "virtual", "Archive2"],
        ..source(
            &sandbox,
            &[
                "namespace/archive/disabled=no",
                "namespace/shared/disabled=no",
                "namespace/virtual/disabled=no",
            ],
        )?
    };
    let user = &source.user;
    virtual_folder(sandbox.remote(), user)?;
    let mut imap = source.imap()?;
    imap.run("CREATE Team.Plans")?;
    imap.append(
        "Team.Plans",
        "",
        b"Message-Id: <theirs@x>\r\n\r\nNot of this person.\r\n",
    )?;
    drop(imap);
    steps::all(&sandbox, "Dovecot namespaces", &source)
}

/// A folder that shows all mail of the inbox.
fn virtual_folder(server: &MailServer, user: &str) -> anyhow::Result<()> {
    let folder = server.maildir(user).with_file_name("virtual").join("All");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("dovecot-virtual"), "INBOX\n  all\n")?;
    server.own_tree(user)
}
