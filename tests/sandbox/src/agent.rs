// SPDX-License-Identifier: GPL-3.0-or-later
//! The NS8 agent: runs actions, events and helpers exactly as the contract's section 1 says.

mod outcome;
mod process;
mod schema;
mod steps;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use serde_json::Value;

pub use outcome::{HelperOutcome, Outcome};
use process::{Group, Spawn};

use crate::locked;
use crate::node::Node;

/// As many actions run at once; more wait.
const ACTIONS_AT_ONCE: usize = 32;

/// Exit codes of the agent itself (8 to 31 are its own).
const EXIT_NO_ACTION: i32 = 8;
const EXIT_BAD_INPUT: i32 = 10;
const EXIT_BAD_OUTPUT: i32 = 11;

/// The agent of one module.
#[derive(Clone, Debug)]
pub struct Agent {
    node: Node,
    slots: Arc<(Mutex<usize>, Condvar)>,
    patience: Duration,
}

/// An action that runs in the background.
#[derive(Debug)]
pub struct Running {
    group: Arc<Group>,
    commands: Arc<Mutex<Vec<Vec<String>>>>,
    thread: JoinHandle<anyhow::Result<Outcome>>,
}

impl Running {
    /// Cancels it as the cluster does: SIGTERM to the step's process group.
    pub fn cancel(&self) {
        self.group.cancel();
    }

    /// The commands that came over the agent's descriptor so far.
    pub fn commands(&self) -> Vec<Vec<String>> {
        locked(&self.commands).clone()
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    pub fn wait(self) -> anyhow::Result<Outcome> {
        self.thread
            .join()
            .map_err(|_| anyhow!("the agent's thread panicked"))?
    }
}

impl Agent {
    /// The agent of the module on `node`.
    pub fn new(node: &Node) -> Self {
        Self {
            node: node.clone(),
            slots: Arc::default(),
            patience: Duration::from_secs(300),
        }
    }

    /// Runs an action and waits for its end.
    pub fn action(&self, name: &str, input: &Value) -> anyhow::Result<Outcome> {
        self.start_action(name, input)?.wait()
    }

    /// Starts an action in the background.
    pub fn start_action(&self, name: &str, input: &Value) -> anyhow::Result<Running> {
        let group = Arc::new(Group::default());
        let commands = Arc::new(Mutex::new(Vec::new()));
        let task = Task {
            agent: self.clone(),
            name: name.to_owned(),
            input: input.clone(),
            group: Arc::clone(&group),
            commands: Arc::clone(&commands),
        };
        let thread = std::thread::Builder::new()
            .name(format!("action {name}"))
            .spawn(move || task.run())?;
        Ok(Running {
            group,
            commands,
            thread,
        })
    }

    /// Delivers an event: runs the handlers of `events/<name>`, and gives the first exit code that is not 0.
    pub fn event(&self, name: &str, payload: &Value) -> anyhow::Result<HelperOutcome> {
        let mut result = HelperOutcome::default();
        for step in steps::find(&self.node.event_dirs(), name)? {
            let mut environment = self.environment();
            environment.insert("AGENT_COMFD".into(), "2".into());
            environment.insert("AGENT_EVENT_NAME".into(), name.into());
            environment.insert("AGENT_EVENT_SOURCE".into(), "module/mail1".into());
            let ended = Spawn {
                program: step,
                arguments: &[],
                environment,
                directory: self.node.state(),
                input: payload.to_string().into_bytes(),
                commands: None,
                group: &Group::default(),
                patience: self.patience,
            }
            .run()?;
            result.stdout += &String::from_utf8_lossy(&ended.stdout);
            result.stderr += &String::from_utf8_lossy(&ended.stderr);
            if result.exit_code == 0 {
                result.exit_code = ended.exit_code;
            }
        }
        Ok(result)
    }

    /// Runs a program of `bin/` (or any other on the module's `PATH`) as `runagent` does.
    pub fn helper(&self, name: &str, arguments: &[&str], input: &[u8]) -> anyhow::Result<HelperOutcome> {
        let environment = self.environment();
        let path = environment.get("PATH").cloned().unwrap_or_default();
        let program = std::env::split_paths(&path)
            .map(|dir| dir.join(name))
            .find(|file| file.exists())
            .with_context(|| format!("there is no {name} on the module's PATH"))?;
        let ended = Spawn {
            program,
            arguments,
            environment,
            directory: self.node.state(),
            input: input.to_vec(),
            commands: None,
            group: &Group::default(),
            patience: self.patience,
        }
        .run()?;
        Ok(HelperOutcome {
            exit_code: ended.exit_code,
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
        })
    }

    /// The agent's environment, with `state/environment` as it is now on top.
    fn environment(&self) -> BTreeMap<String, String> {
        let mut environment = self.node.environment.clone();
        environment.extend(self.node.state_environment());
        environment
    }

    fn slot(&self) -> Slot {
        let (count, freed) = &*self.slots;
        let mut used = locked(count);
        while *used >= ACTIONS_AT_ONCE {
            used = freed
                .wait(used)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *used += 1;
        Slot {
            slots: Arc::clone(&self.slots),
        }
    }
}

struct Slot {
    slots: Arc<(Mutex<usize>, Condvar)>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        *locked(&self.slots.0) -= 1;
        self.slots.1.notify_one();
    }
}

/// One action on its way through its steps.
struct Task {
    agent: Agent,
    name: String,
    input: Value,
    group: Arc<Group>,
    commands: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Task {
    fn run(self) -> anyhow::Result<Outcome> {
        let _slot = self.agent.slot();
        let started = Instant::now();
        let mut outcome = self.run_steps()?;
        outcome.elapsed = started.elapsed();
        outcome.commands = locked(&self.commands).clone();
        Ok(outcome)
    }

    fn run_steps(&self) -> anyhow::Result<Outcome> {
        let dirs = self.agent.node.action_dirs();
        let steps = steps::find(&dirs, &self.name)?;
        if steps.is_empty() {
            return Ok(Outcome::aborted(EXIT_NO_ACTION));
        }
        let errors = schema::check(&dirs, &self.name, "validate-input.json", &self.input)?;
        if !errors.is_empty() {
            return Ok(Outcome::refused(EXIT_BAD_INPUT, &Value::Array(errors)));
        }
        let id = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?
            .trim()
            .to_owned();
        let mut stdout = Vec::new();
        let mut stderr = Vec::new();
        let mut exit_code = 0;
        for step in steps {
            let ended = self.run_step(step, &id)?;
            stdout.extend(ended.stdout);
            stderr.extend(ended.stderr);
            exit_code = ended.exit_code;
            if self.validation_failed() && exit_code == 0 {
                exit_code = EXIT_BAD_INPUT;
            }
            if exit_code != 0 || self.group.is_cancelled() {
                break;
            }
        }
        let mut outcome = Outcome::ended(exit_code, self.validation_failed(), &stdout, &stderr);
        if outcome.status == Outcome::COMPLETED {
            let errors = schema::check(&dirs, &self.name, "validate-output.json", &outcome.output)?;
            if !errors.is_empty() {
                outcome = Outcome::ended(EXIT_BAD_OUTPUT, false, &stdout, &stderr);
                outcome.stderr += &format!("output does not match its schema: {}\n", Value::Array(errors));
            }
        }
        Ok(outcome)
    }

    fn run_step(&self, program: PathBuf, id: &str) -> anyhow::Result<process::Ended> {
        let mut environment = self.agent.environment();
        environment.insert("AGENT_COMFD".into(), "3".into());
        environment.insert("AGENT_TASK_ID".into(), id.into());
        environment.insert("AGENT_TASK_ACTION".into(), self.name.clone());
        environment.insert("AGENT_TASK_USER".into(), "admin".into());
        Spawn {
            program,
            arguments: &[],
            environment,
            directory: self.agent.node.state(),
            input: self.input.to_string().into_bytes(),
            commands: Some(Arc::clone(&self.commands)),
            group: &self.group,
            patience: self.agent.patience,
        }
        .run()
    }

    fn validation_failed(&self) -> bool {
        locked(&self.commands)
            .iter()
            .any(|command| command.iter().eq(["set-status", "validation-failed"]))
    }
}
