// SPDX-License-Identifier: GPL-3.0-or-later
//! Any text is a task or an error; a task that was read is written so that it reads the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ns8_imapsync::task::env;

fuzz_target!(|text: &str| {
    for name in ["CRON", "LOCALUSER", ""] {
        env::lookup(text, name);
    }
    let Ok((task, kept)) = env::parse(text) else {
        return;
    };
    // A pattern of an older version need not be an expression; telling so must not panic.
    let _ = task.exclusions.matchers();
    let written = env::render(&task, &kept).expect("a task is always written");
    let (again, kept_again) = env::parse(&written).expect("what was written is read");
    assert_eq!(again, task);
    assert_eq!(kept_again, kept);
});
