// SPDX-License-Identifier: GPL-3.0-or-later
//! The instance around a run: its container, its settings.

/// Whether this is the instance's container: its first process is the supervisor or, in the stock layout, crond (contract
/// section 5). What container engines leave behind for programs to look at, such as `/run/.containerenv`, is hidden
/// when the root is read-only.
pub fn in_container() -> bool {
    matches!(name_of(1).as_slice(), b"syncctl" | b"crond")
}

fn name_of(pid: u32) -> Vec<u8> {
    let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_ascii_end().to_vec()
}

fn is_crond(pid: u32) -> bool {
    matches!(name_of(pid).as_slice(), b"crond" | b"cron")
}

/// A setting of the instance: from this process' environment or, since cron hands none down to what it starts, from
/// that of the container's first process.
pub fn setting(name: &str) -> Option<String> {
    let own = std::env::var(name).ok();
    let value = own.or_else(|| {
        if !in_container() {
            return None;
        }
        let environment = std::fs::read("/proc/1/environ").ok()?;
        environment.split(|&byte| byte == 0).find_map(|entry| {
            let value = std::str::from_utf8(entry)
                .ok()?
                .strip_prefix(name)?
                .strip_prefix('=')?;
            Some(value.to_owned())
        })
    });
    value.filter(|value| !value.is_empty())
}

/// Whether cron started this process, and no one by hand: one of those it descends from is a child of the daemon.
/// The daemon itself, which is the container's first process, is everybody's ancestor there.
pub fn started_by_cron() -> bool {
    const DEEP: usize = 16;
    let mut pid = std::process::id();
    for _ in 0..DEEP {
        let Some(parent) = parent_of(pid).filter(|&parent| parent > 1) else {
            return false;
        };
        if is_crond(parent) {
            return true;
        }
        pid = parent;
    }
    false
}

/// Whether this process is all that a line of a cron file starts, and no part of a script: then no one waits for its
/// end.
pub fn is_cron_line() -> bool {
    let Some(parent) = parent_of(std::process::id()) else {
        return false;
    };
    if is_crond(parent) {
        return true;
    }
    // crond has a shell run the line, which stays unless it is one that replaces itself by its last command.
    let line = std::fs::read(format!("/proc/{parent}/cmdline")).unwrap_or_default();
    let line = line.split(|&byte| byte == 0).rfind(|word| !word.is_empty());
    let own = std::env::args().collect::<Vec<_>>().join(" ");
    parent_of(parent).is_some_and(is_crond) && line.is_some_and(|line| line.trim_ascii() == own.as_bytes())
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_are_not_started_by_cron_but_have_a_parent() {
        assert!(parent_of(std::process::id()).is_some_and(|parent| parent > 0));
        assert_eq!(parent_of(u32::MAX), None);
    }
}
