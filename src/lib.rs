// SPDX-License-Identifier: GPL-3.0-or-later
//! What the module knows; the program in `actions/` only wires argv to it.
//!
//! Read in this order:
//!
//! 1. [`error`]: what an action ends with; exit codes, keys and their JSON.
//!    [`text`]: foreign text in lines for people. [`names`]: from host names to addresses. [`clock`]: the time.
//! 2. [`task`]: a task, its typed fields, its files, the store of all tasks.
//! 3. [`agent`]: what the platform provides: environment, command descriptor, Redis, other modules.
//! 4. [`container`]: the container the runs live in, and its service.
//! 5. [`imap`]: one connection to one mail server.
//! 6. [`source`]: a remote server and how to sign in there; OAuth 2.0.
//! 7. [`sync`]: moving mail from host1 (remote) to host2 (local): plan, copy, engines, the run.
//! 8. [`supervisor`]: whose turn it is: the container's main process, which starts the runs and forgets none.
//! 9. [`control`]: what the host does with tasks and their runs.
//!
//! Layers point one way: `control` → {`container`, `supervisor`} → `sync` → `imap`. `control` reads the supervisor's
//! queue; `container` knows the answers of `sync`; `sync` also uses `source` and `task`; nothing points back.

pub mod agent;
pub mod clock;
pub mod container;
pub mod control;
pub mod error;
pub mod files;
pub mod imap;
pub mod names;
pub mod secret;
pub mod source;
pub mod supervisor;
pub mod sync;
pub mod task;
pub mod text;
