// SPDX-License-Identifier: GPL-3.0-or-later
//! The cluster's HTTP API as far as modules use it (contract section 2), with faults to order.

use std::collections::{BTreeSet, HashMap};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::locked;

/// How the API misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiFault {
    /// It does not.
    #[default]
    None,
    /// The next `times` requests get this status (429, 500, 503 …).
    Status {
        /// The HTTP status.
        code: u16,
        /// For how many requests.
        times: u32,
    },
    /// Every task takes this long; its status is 400 until then.
    SlowTasks(Duration),
    /// Tasks never end.
    EndlessTasks,
    /// The module's actions fail with exit code 1.
    FailingActions,
    /// The tokens given so far are not valid any more; a new login works.
    ExpiredTokens,
    /// No one listens: connections are refused.
    Refused,
}

#[derive(Debug, Default)]
struct Book {
    fault: ApiFault,
    tokens: BTreeSet<String>,
    logins: u32,
    tasks: HashMap<String, (Instant, Value)>,
    requests: Vec<String>,
    mailboxes: Vec<Value>,
}

#[derive(Clone)]
struct Shared {
    book: Arc<Mutex<Book>>,
    user: String,
    password: String,
    master_password: String,
}

/// The API server of this sandbox, in its own thread.
pub struct ClusterApi {
    port: u16,
    shared: Shared,
    runtime: Mutex<Option<tokio::runtime::Runtime>>,
}

impl std::fmt::Debug for ClusterApi {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ClusterApi({})", self.port)
    }
}

impl ClusterApi {
    pub(crate) fn start(user: &str, password: &str, master_password: &str) -> anyhow::Result<Self> {
        let shared = Shared {
            book: Arc::default(),
            user: user.to_owned(),
            password: password.to_owned(),
            master_password: master_password.to_owned(),
        };
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port for the cluster API")?;
        let api = Self {
            port: listener.local_addr()?.port(),
            shared,
            runtime: Mutex::new(None),
        };
        api.serve(listener)?;
        Ok(api)
    }

    /// The base URL, `CLUSTER_API_URL`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Orders a fault, or with [`ApiFault::None`] ends it.
    pub fn set_fault(&self, fault: ApiFault) -> anyhow::Result<()> {
        {
            let mut book = locked(&self.shared.book);
            if fault == ApiFault::ExpiredTokens {
                book.tokens.clear();
            }
            book.fault = fault;
        }
        let mut runtime = locked(&self.runtime);
        if fault == ApiFault::Refused {
            if let Some(runtime) = runtime.take() {
                runtime.shutdown_timeout(Duration::from_secs(2));
            }
        } else if runtime.is_none() {
            drop(runtime);
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
            self.serve(listener)?;
        }
        Ok(())
    }

    /// What `list-user-mailboxes` answers: objects with `user` and perhaps `enabled`.
    pub fn set_mailboxes(&self, mailboxes: Vec<Value>) {
        locked(&self.shared.book).mailboxes = mailboxes;
    }

    /// Adds one to what `list-user-mailboxes` answers.
    pub fn add_mailbox(&self, mailbox: Value) {
        locked(&self.shared.book).mailboxes.push(mailbox);
    }

    /// Every request so far as `METHOD path`, `POST …/tasks ACTION`.
    pub fn requests(&self) -> Vec<String> {
        locked(&self.shared.book).requests.clone()
    }

    fn serve(&self, listener: TcpListener) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let router = Router::new()
            .route("/api/login", post(login))
            .route("/api/module/{module}/tasks", post(create_task))
            .route("/api/module/{module}/task/{id}/status", get(task_status))
            .with_state(self.shared.clone());
        listener.set_nonblocking(true)?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(async move { axum::serve(listener, router).await });
        *locked(&self.runtime) = Some(runtime);
        Ok(())
    }
}

impl Drop for ClusterApi {
    fn drop(&mut self) {
        if let Some(runtime) = locked(&self.runtime).take() {
            runtime.shutdown_background();
        }
    }
}

fn answer(code: StatusCode, message: &str, data: Value) -> Response {
    (
        code,
        Json(json!({"code": code.as_u16(), "message": message, "data": data})),
    )
        .into_response()
}

impl Shared {
    /// Books the request, and gives the answer of an ordered fault if there is one.
    fn book_in(&self, request: String) -> Option<Response> {
        let mut book = locked(&self.book);
        book.requests.push(request);
        let ApiFault::Status { code, times } = book.fault else {
            return None;
        };
        book.fault = match times {
            0 | 1 => ApiFault::None,
            _ => ApiFault::Status {
                code,
                times: times - 1,
            },
        };
        let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Some(answer(code, "ordered fault", Value::Null))
    }

    fn refuse_token(&self, headers: &HeaderMap) -> Option<Response> {
        let token = headers
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let known = token
            .strip_prefix("Bearer ")
            .is_some_and(|token| locked(&self.book).tokens.contains(token));
        (!known).then(|| answer(StatusCode::UNAUTHORIZED, "cookie token is empty", Value::Null))
    }
}

async fn login(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    if let Some(fault) = shared.book_in("POST /api/login".to_owned()) {
        return fault;
    }
    if body["username"] != shared.user.as_str() || body["password"] != shared.password.as_str() {
        return answer(
            StatusCode::UNAUTHORIZED,
            "incorrect Username or Password",
            Value::Null,
        );
    }
    let mut book = locked(&shared.book);
    book.logins += 1;
    let token = format!("token-{}", book.logins);
    book.tokens.insert(token.clone());
    Json(json!({"code": 200, "expire": "2099-01-01T00:00:00Z", "token": token})).into_response()
}

async fn create_task(
    State(shared): State<Shared>,
    Path(module): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let action = body["action"].as_str().unwrap_or_default().to_owned();
    if let Some(fault) = shared.book_in(format!("POST /api/module/{module}/tasks {action}")) {
        return fault;
    }
    if let Some(refusal) = shared.refuse_token(&headers) {
        return refusal;
    }
    let mut book = locked(&shared.book);
    let (exit_code, output) = match (module.as_str(), action.as_str(), book.fault) {
        (_, _, ApiFault::FailingActions) => (1, Value::Null),
        ("mail1", "list-user-mailboxes", _) => (0, json!({"user_mailboxes": book.mailboxes})),
        ("mail1", "reveal-master-credentials", _) => (
            0,
            json!({"username": "vmail", "password": shared.master_password}),
        ),
        // An action that a module does not have: the agent's own exit code.
        _ => (8, Value::Null),
    };
    let now = Instant::now();
    let ends = match book.fault {
        ApiFault::SlowTasks(time) => now + time,
        ApiFault::EndlessTasks => now + Duration::from_secs(86_400),
        _ => now,
    };
    let id = format!("{:08x}-0000-4000-8000-000000000000", book.tasks.len() + 1);
    book.tasks.insert(
        id.clone(),
        (
            ends,
            json!({"output": output, "error": "", "exit_code": exit_code}),
        ),
    );
    answer(
        StatusCode::CREATED,
        "task queued successfully",
        json!({"id": id, "action": action}),
    )
}

async fn task_status(
    State(shared): State<Shared>,
    Path((module, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(fault) = shared.book_in(format!("GET /api/module/{module}/task/{id}/status")) {
        return fault;
    }
    if let Some(refusal) = shared.refuse_token(&headers) {
        return refusal;
    }
    match locked(&shared.book).tasks.get(&id) {
        None => answer(StatusCode::NOT_FOUND, "task not found", Value::Null),
        Some((ends, _)) if *ends > Instant::now() => {
            answer(StatusCode::BAD_REQUEST, "task is running", Value::Null)
        }
        Some((_, result)) => answer(StatusCode::OK, "success", result.clone()),
    }
}
