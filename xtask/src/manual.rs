// SPDX-License-Identifier: GPL-3.0-or-later
//! The manual pages of `syncctl`, and what shells complete of its words.

use anyhow::Context as _;
use clap_complete::Shell;

use crate::Files;

const PROGRAM: &str = "syncctl";
/// Where `man` looks in a shell of the instance, since its `bin` is on `PATH`.
const PAGES: &str = "imageroot/share/man/man1";
const COMPLETIONS: &str = "docs/completion";

/// The pages and the completions.
pub(crate) fn files() -> anyhow::Result<Files> {
    let mut command = ns8_imapsync_actions::command(PROGRAM).context("there is no syncctl")?;
    command.build();
    let mut files = Files::new();
    let verbs = command
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help" && !verb.is_hide_set());
    for page in std::iter::once(&command).chain(verbs) {
        let name = page.get_display_name().unwrap_or_else(|| page.get_name());
        let mut text = vec![];
        clap_mangen::Man::new(page.clone())
            .manual("imapsync")
            .render(&mut text)?;
        files.insert(format!("{PAGES}/{name}.1").into(), String::from_utf8(text)?);
    }
    for (shell, file) in [
        (Shell::Bash, "syncctl.bash"),
        (Shell::Zsh, "_syncctl"),
        (Shell::Fish, "syncctl.fish"),
    ] {
        let mut words = vec![];
        clap_complete::generate(shell, &mut command, PROGRAM, &mut words);
        files.insert(format!("{COMPLETIONS}/{file}").into(), String::from_utf8(words)?);
    }
    Ok(files)
}
