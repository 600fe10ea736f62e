// SPDX-License-Identifier: GPL-3.0-or-later
//! What must hold after a run, however it ended.

use super::{CONFIDENTIAL, MASTER_PASSWORD, Mode, REMOTE_PASSWORD, Run, SIDES, Side, World};
use crate::server_faults::model::Contents;
use crate::server_faults::server::lock;

impl World {
    /// What a side has except for other people's folders, which are as they were.
    fn own(&self, side: Side) -> Contents {
        let mut contents = self.server(side).model().contents();
        for (_, folder, before) in self.foreign.iter().filter(|(at, ..)| *at == side) {
            let now = contents.remove(folder);
            assert_eq!(now.as_ref(), Some(before), "{}: {folder} of {side:?}", self.title);
        }
        contents
    }

    /// The local name of a remote mailbox.
    fn local_name(&self, remote: &str) -> String {
        if let Some(local) = self.moved.get(remote) {
            return local.clone();
        }
        let (remote_model, local_model) = (self.remote.model(), self.local.model());
        let bare = remote.strip_prefix(remote_model.prefix).unwrap_or(remote);
        if remote == "INBOX" {
            return remote.to_owned();
        }
        format!(
            "{}{}",
            local_model.prefix,
            bare.replace(remote_model.separator, &local_model.separator.to_string())
        )
    }

    /// What the local side has in the end.
    fn wanted(&self) -> Contents {
        let source = match self.mode {
            Mode::Inbox => &self.unseen,
            _ => &self.remote_before,
        };
        // What was there before the task stays, in a mirror too.
        let mut wanted = self.local_before.clone();
        for (folder, messages) in source {
            if self.mode == Mode::Inbox && folder != "INBOX" {
                continue;
            }
            let local = wanted.entry(self.local_name(folder)).or_default();
            for (body, &count) in messages {
                let entry = local.entry(body.clone()).or_default();
                *entry = count.max(*entry);
            }
        }
        wanted
    }

    /// What holds at the end of every run: nothing is lost, nothing is doubled, nothing is told that is secret.
    pub(in crate::server_faults) fn check(&self, run: &Run) {
        let title = &self.title;
        let (remote, local) = (self.own(Side::Remote), self.own(Side::Local));
        let wanted = self.wanted();
        let count = |contents: &Contents, folder: &str, body: &[u8]| {
            contents
                .get(folder)
                .and_then(|folder| folder.get(body))
                .copied()
                .unwrap_or(0)
        };
        let short = |body: &[u8]| String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
        for (folder, messages) in &local {
            for (body, &found) in messages {
                let most = count(&wanted, folder, body).max(count(&self.local_before, folder, body));
                assert!(
                    found <= most,
                    "{found} times in {folder} instead of {most}: {}\n{title}: {run:#?}",
                    short(body)
                );
            }
        }
        for (folder, messages) in &self.remote_before {
            let local_folder = self.local_name(folder);
            for (body, &before) in messages {
                let (on_remote, on_local) =
                    (count(&remote, folder, body), count(&local, &local_folder, body));
                let deletes = self.mode == Mode::DeleteRemote;
                assert!(
                    if deletes {
                        on_remote + on_local >= before
                    } else {
                        on_remote == before
                    },
                    "{on_remote} of {before} in {folder} are left on the remote side, {on_local} on the local one: {}\n{title}: {run:#?}",
                    short(body)
                );
            }
        }
        for (folder, messages) in &self.local_before {
            for (body, &before) in messages {
                let on_local = count(&local, folder, body);
                assert!(
                    on_local >= before,
                    "lost from the local {folder}: {}\n{title}: {run:#?}",
                    short(body)
                );
            }
        }
        let problems = format!("{:?}", run.report);
        let coded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, MASTER_PASSWORD);
        for secret in [
            REMOTE_PASSWORD,
            MASTER_PASSWORD,
            CONFIDENTIAL,
            &coded[..8],
            "panicked",
            "RUST_BACKTRACE",
        ] {
            for text in [&run.log, &run.said, &problems] {
                assert!(!text.contains(secret), "{secret} in {title}: {run:#?}");
            }
        }
        for side in SIDES {
            let violations = lock(&self.server(side).shared.violations);
            assert!(
                violations.is_empty(),
                "{side:?}: {violations:#?}\n{title}: {run:#?}"
            );
        }
        if run.exit != Some(0) {
            assert!(
                run.log.contains("Error: "),
                "no word of what went wrong: {title}: {run:#?}"
            );
        }
    }

    /// What holds after a run that ended without an error.
    pub(super) fn agree(&self, run: &Run) {
        let title = &self.title;
        let (mut remote, mut local) = (self.own(Side::Remote), self.own(Side::Local));
        let mut wanted = self.wanted();
        for contents in [&mut remote, &mut local, &mut wanted] {
            contents.retain(|_, messages| !messages.is_empty());
        }
        assert_eq!(shown(&local), shown(&wanted), "{title}: {run:#?}");
        if self.mode == Mode::DeleteRemote {
            assert!(
                remote.is_empty(),
                "left there: {:#?}\n{title}: {run:#?}",
                shown(&remote)
            );
        }
        if self.mode == Mode::Inbox {
            let model = self.remote.model();
            assert!(
                model.folders["INBOX"]
                    .messages
                    .iter()
                    .all(|message| message.has("\\Seen")),
                "{title}: {run:#?}"
            );
        }
    }
}

fn shown(contents: &Contents) -> Vec<String> {
    let line = |folder: &str, (body, count): (&Vec<u8>, &usize)| {
        format!(
            "{folder} {count} {}",
            String::from_utf8_lossy(body).replace("\r\n", "|")
        )
    };
    contents
        .iter()
        .flat_map(|(folder, messages)| messages.iter().map(move |entry| line(folder, entry)))
        .collect()
}
