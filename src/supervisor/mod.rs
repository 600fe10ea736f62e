// SPDX-License-Identifier: GPL-3.0-or-later
//! Whose turn it is. The supervisor is the container's main process: a client that wants a run hands its task over, and it
//! goes on to wait, to run, and to be run again after a restart, whatever becomes of who asked.
//!
//! - [`entry`]: what is known of a task in the queue
//! - [`queue_file`]: the queue on disk, for the next supervisor and for the host, which only reads it
//! - [`run_queue`]: the order; [`stagger`]: schedules that start in the same minute take turns
//! - [`capacity`]: how many runs work at once; [`source_limits`]: how many of one source
//! - [`arrivals`]: sources that are listened to, so that runs begin when mail arrives
//! - [`message`]: what goes through the socket
//! - [`socket`], [`client`]: how the supervisor is asked
//! - [`child`]: a run as a process, and the end of one that could not tell it itself
//! - [`serve`]: the supervisor
//!
//! Nothing here moves mail. Without a supervisor a run is its own process, which waits for its turn in
//! [`crate::sync::run::queue`].

pub mod arrivals;
pub mod capacity;
pub mod child;
pub mod client;
pub mod entry;
pub mod message;
pub mod queue_file;
pub mod run_queue;
pub mod serve;
pub mod socket;
pub mod source_limits;
pub mod stagger;
