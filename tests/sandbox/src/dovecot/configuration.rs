// SPDX-License-Identifier: GPL-3.0-or-later
//! What Dovecot is told.

use std::fmt::Write as _;

use anyhow::Context;

use super::{MailServer, Owner};
use crate::locked;
use crate::mail::Side;

/// Stands for the server's folder in lines for [`MailServer::reconfigure`].
const DIR: &str = "@DIR@";

/// Lines for [`MailServer::reconfigure`] that make the destination as NS8's mail module has it: what it logs, counts, checks and
/// shares costs time.
pub const AS_NS8: &str = r"
mail_fsync = optimized
mail_plugins = acl listescape notify mail_log quota
protocol imap {
  mail_plugins = $mail_plugins imap_acl imap_sieve imap_filter_sieve imap_quota
}
protocol !indexer-worker {
  mail_vsize_bg_after_count = 100
}
plugin {
  mail_log_events = delete undelete expunge copy mailbox_delete mailbox_rename mailbox_create flag_change append
  mail_log_fields = uid box msgid from subject flags
  quota = count:Quota
  quota_rule = *:storage=0
  quota_vsizes = yes
  acl_shared_dict = file:@DIR@/shared-mailboxes.db
  sieve_plugins = sieve_extprograms sieve_imapsieve
  sieve_global_extensions = +vnd.dovecot.pipe +vnd.dovecot.environment +editheader
}
namespace inbox {
  mailbox Junk {
    auto = subscribe
  }
  mailbox Trash {
    auto = subscribe
  }
}
namespace SHARED_USERS {
  type = shared
  separator = /
  prefix = Shared/%%n/
  location = maildir:@DIR@/mail/%%n/Maildir
  subscriptions = no
  list = children
}
namespace PUBLIC {
  type = public
  separator = /
  prefix = Public/
  location = maildir:@DIR@/mail/vmail/Maildir:INDEXPVT=~/Maildir/public
  subscriptions = no
  list = children
}
";

impl MailServer {
    pub(super) fn configuration(&self) -> anyhow::Result<String> {
        let (port, tls_port) = *locked(&self.ports);
        let Owner { user, group, .. } = &self.owner;
        let dir = self.dir();
        let dir = dir
            .to_str()
            .context("the sandbox's folder has a name that is no UTF-8")?;
        let address = self.address();
        let separator = self.side.separator();
        let mut text = format!(
            r"
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
instance_name = {side}
protocols = imap
listen = {address}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_process_limit = 300
default_client_limit = 1200
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
first_valid_uid = 1
first_valid_gid = 1
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
auth_failure_delay = 0
auth_username_format = %Lu
mail_fsync = never
mail_location = maildir:~/Maildir
# First the users with their own settings, then everybody else, also those who cannot log in any more.
userdb {{
  driver = passwd-file
  args = username_format=%u {dir}/settings
  default_fields = uid={user} gid={group} home={dir}/mail/%u
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={dir}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  mailbox Sent {{
    special_use = \Sent
  }}
  mailbox Trash {{
    special_use = \Trash
  }}
  mailbox Junk {{
    special_use = \Junk
  }}
}}
",
            side = self.side.name(),
        );
        text += match self.side {
            Side::Remote => "ssl = yes\ndisable_plaintext_auth = no\nmail_plugins = quota\n",
            Side::Local => "ssl = required\ndisable_plaintext_auth = yes\nmail_plugins = acl quota\n",
        };
        if self.side == Side::Local {
            write!(
                text,
                "auth_master_user_separator = *
passdb {{
  driver = passwd-file
  args = {dir}/masters
  master = yes
  result_success = continue
}}
plugin {{
  acl = vfile
  # The master user acts with the rights of the mailbox it opens.
  acl_user = %u
  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
"
            )?;
        }
        let plugins = match self.side {
            Side::Remote => "imap_quota",
            Side::Local => "imap_quota imap_acl imap_filter_sieve",
        };
        write!(
            text,
            "passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
protocol imap {{
  mail_plugins = $mail_plugins {plugins}
  mail_max_userip_connections = 200
}}
{}
",
            locked(&self.state).extra.replace(DIR, dir)
        )?;
        Ok(text)
    }
}
