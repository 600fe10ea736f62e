// SPDX-License-Identifier: GPL-3.0-or-later
//! A progress bar for those who start a run on a terminal.

use std::io::IsTerminal as _;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::sync::reporter::Watcher;
use crate::task::progress::Progress;

const TEMPLATE: &str = "{prefix} [{bar:30}] {pos}/{len} messages, {msg}, {elapsed} (eta {eta})";

/// Draws the progress on standard error; nothing when that is no terminal.
pub fn watcher() -> Option<Watcher> {
    std::io::stderr()
        .is_terminal()
        .then(|| draw(ProgressDrawTarget::stderr()))
}

/// The bar goes when the run ends: what remains is the line that sums up.
fn draw(target: ProgressDrawTarget) -> Watcher {
    let bar = ProgressBar::with_draw_target(Some(0), target).with_finish(ProgressFinish::AndClear);
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.set_style(style.progress_chars("=> "));
    }
    Box::new(move |progress| {
        bar.set_prefix(position(progress));
        bar.set_message(HumanBytes(progress.bytes_done).to_string());
        bar.set_length(progress.messages_total.max(progress.messages_done));
        bar.set_position(progress.messages_done);
    })
}

fn position(progress: &Progress) -> String {
    // A name of a folder comes from the server; it must not steer the terminal.
    let folder: String = progress.folder.chars().filter(|c| !c.is_control()).collect();
    if folder.is_empty() {
        return "connecting".to_owned();
    }
    format!("{folder} ({}/{})", progress.folder_index, progress.folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_shown_and_cannot_steer_the_terminal() {
        let progress = Progress {
            folder: "Wo\u{1b}[2Jrk".to_owned(),
            folder_index: 2,
            folders: 9,
            ..Progress::default()
        };
        assert_eq!(position(&progress), "Wo[2Jrk (2/9)");
        assert_eq!(position(&Progress::default()), "connecting");
        draw(ProgressDrawTarget::hidden())(&progress);
    }
}
