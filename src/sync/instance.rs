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
