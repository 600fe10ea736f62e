// SPDX-License-Identifier: GPL-3.0-or-later
//! The instance around a run: its container, its settings.

/// Whether this is the instance's container: its first process is crond (contract section 5). What container engines
/// leave behind for programs to look at, such as `/run/.containerenv`, is hidden when the root is read-only.
pub fn in_container() -> bool {
    std::fs::read("/proc/1/comm").is_ok_and(|name| name == b"crond\n")
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

/// Whether cron started this process, and nobody by hand: one of those it descends from is a child of the daemon.
/// The daemon itself, which is the container's first process, is everybody's ancestor there.
pub fn started_by_cron() -> bool {
    const DEEP: usize = 16;
    let mut pid = std::process::id();
    for _ in 0..DEEP {
        let Some(parent) = parent_of(pid).filter(|&parent| parent > 1) else {
            return false;
        };
        let name = std::fs::read(format!("/proc/{parent}/comm")).unwrap_or_default();
        if matches!(name.trim_ascii_end(), b"crond" | b"cron") {
            return true;
        }
        pid = parent;
    }
    false
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
