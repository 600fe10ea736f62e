// SPDX-License-Identifier: GPL-3.0-or-later
//! How many connections are made at once. A server that does not answer has few of them, whatever the number of its tasks, so
//! that those of other servers do not wait for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::sync::Semaphore;

/// At one server.
const AT_SERVER: usize = 4;
/// At all of them: five hundred that begin together would keep this process busy.
const IN_ALL: usize = 32;

/// Whose turn it is to log in.
pub(super) struct Logins {
    all: Semaphore,
    servers: RefCell<HashMap<String, Rc<Semaphore>>>,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            all: Semaphore::new(IN_ALL),
            servers: RefCell::default(),
        }
    }
}

impl Logins {
    /// Does something when it is the turn of a server's task.
    pub(super) async fn in_turn<T>(&self, server: &str, work: impl Future<Output = T>) -> T {
        let of_server = self.of(server);
        // Neither is ever closed.
        let _server = of_server.acquire().await.ok();
        let _all = self.all.acquire().await.ok();
        work.await
    }

    fn of(&self, server: &str) -> Rc<Semaphore> {
        let mut servers = self.servers.borrow_mut();
        servers.retain(|_, logins| Rc::strong_count(logins) > 1);
        let logins = servers.entry(server.to_lowercase());
        logins
            .or_insert_with(|| Rc::new(Semaphore::new(AT_SERVER)))
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_answer_keeps_no_other_waiting() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let logins = Rc::new(Logins::default());
            let waiting: Vec<_> = (0..100)
                .map(|_| {
                    let logins = logins.clone();
                    let login =
                        async move { logins.in_turn("dead.test", std::future::pending::<()>()).await };
                    tokio::task::spawn_local(login)
                })
                .collect();
            tokio::task::yield_now().await;
            assert_eq!(logins.in_turn("alive.test", async { 7 }).await, 7);
            drop(logins.of("another.test"));
            assert_eq!(
                logins.servers.borrow().len(),
                2,
                "whom no one waits for is forgotten"
            );
            waiting.iter().for_each(tokio::task::JoinHandle::abort);
        });
    }
}
