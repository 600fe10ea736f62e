// SPDX-License-Identifier: GPL-3.0-or-later
//! Work on many tasks, several at once, few of them at the same server.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex};

/// So many tasks are worked on at once.
const AT_ONCE: usize = 8;
/// So many of them at the same server: many servers take few connections from one address.
const AT_ONE_SERVER: usize = 3;

struct Waiting<T> {
    items: VecDeque<(String, T)>,
    busy: HashMap<String, usize>,
}

impl<T> Waiting<T> {
    fn next(&mut self) -> Option<(String, T)> {
        let is_free = |server: &String| self.busy.get(server).is_none_or(|busy| *busy < AT_ONE_SERVER);
        let at = self.items.iter().position(|(server, _)| is_free(server))?;
        let (server, item) = self.items.remove(at)?;
        *self.busy.entry(server.clone()).or_default() += 1;
        Some((server, item))
    }
}

/// Works on every item, each of which comes with its server, as long as `goes_on`.
pub fn each<T: Send>(
    items: impl IntoIterator<Item = (String, T)>,
    goes_on: impl Fn() -> bool + Sync,
    work: impl Fn(T) + Sync,
) {
    let waiting = Mutex::new(Waiting {
        items: items.into_iter().collect(),
        busy: HashMap::new(),
    });
    let freed = Condvar::new();
    let worker = || {
        // A lock is poisoned by a panic only, and then the scope panics as well.
        let Ok(mut state) = waiting.lock() else { return };
        loop {
            if state.items.is_empty() || !goes_on() {
                freed.notify_all();
                return;
            }
            let Some((server, item)) = state.next() else {
                match freed.wait(state) {
                    Ok(again) => state = again,
                    Err(_) => return,
                }
                continue;
            };
            drop(state);
            work(item);
            let Ok(again) = waiting.lock() else { return };
            state = again;
            if let Some(busy) = state.busy.get_mut(&server) {
                *busy -= 1;
            }
            freed.notify_all();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(worker);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn few_are_at_the_same_server_and_all_are_done() {
        let items = (0..60usize).map(|at| (format!("host{}", at % 2), at));
        let (busy, most) = ([AtomicUsize::new(0), AtomicUsize::new(0)], AtomicUsize::new(0));
        let done = Mutex::new(vec![]);
        each(
            items,
            || true,
            |at| {
                most.fetch_max(busy[at % 2].fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                done.lock().unwrap().push(at);
                busy[at % 2].fetch_sub(1, Ordering::SeqCst);
            },
        );
        let mut done = done.into_inner().unwrap();
        done.sort_unstable();
        assert_eq!(done, (0..60).collect::<Vec<_>>());
        assert!(most.into_inner() <= AT_ONE_SERVER);
    }

    #[test]
    fn nothing_is_begun_after_a_stop() {
        let done = AtomicUsize::new(0);
        let goes_on = || done.load(Ordering::SeqCst) < 3;
        let items = (0..50).map(|at| ("host".to_owned(), at));
        each(items, goes_on, |_| {
            done.fetch_add(1, Ordering::SeqCst);
        });
        let done = done.into_inner();
        assert!((3..3 + AT_ONE_SERVER).contains(&done), "{done}");
    }
}
