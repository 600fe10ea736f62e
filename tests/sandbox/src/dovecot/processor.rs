// SPDX-License-Identifier: GPL-3.0-or-later
//! What a server's processes cost.

use std::collections::BTreeMap;

use anyhow::Context;

/// Ticks of /proc/PID/stat in a second, on every Linux that Debian builds.
const TICKS: f64 = 100.0;

/// Processor time of a process and of all below it, those that ended included.
pub(super) fn seconds(root: i32) -> anyhow::Result<f64> {
    let mut parents = BTreeMap::new();
    let mut ticks = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        // One that ended meanwhile counts for its parent.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // proc(5): after the name in brackets come the state (3), the parent (4), …, utime, stime, cutime, cstime (14 to 17).
        let (_, rest) = stat
            .rsplit_once(") ")
            .context("an unexpected form of /proc/PID/stat")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |at: usize| fields.get(at - 3).and_then(|field| field.parse::<i64>().ok());
        let parent = number(4).and_then(|parent| i32::try_from(parent).ok());
        parents.insert(pid, parent.unwrap_or_default());
        ticks.insert(pid, (14..=17).filter_map(number).sum::<i64>());
    }
    let is_below = |mut pid: i32| {
        while pid != root {
            match parents.get(&pid) {
                Some(&parent) if parent != pid => pid = parent,
                _ => return false,
            }
        }
        true
    };
    let sum: i64 = ticks
        .iter()
        .filter(|&(&pid, _)| is_below(pid))
        .map(|(_, ticks)| ticks)
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    Ok(sum as f64 / TICKS)
}
