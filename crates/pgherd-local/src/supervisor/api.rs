//! The agent's HTTP API, version 1, on a unix socket that only its owner can open.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/health` | [`Health`] |
//! | `GET /v1/changes` | [`Changes`]: how many changes of instances were shown |
//! | `GET /v1/changes?after=7` | the same, as soon as it is another number; after [`LONGEST_WAIT`] in any case |
//! | `GET /v1/instances` | list of `Instance` |
//! | `GET /v1/instances/{name}` | `Instance` |
//! | `GET /v1/instances/{name}?known=true` | the same without asking the server |
//! | `GET /v1/instances/{name}/status` | `StatusReport` |
//! | `GET /v1/instances/{name}/params` | list of `Parameter` |
//! | `GET /v1/instances/{name}/events` | list of `Happening`, oldest first |
//! | `GET /v1/instances/{name}/logs?tail=100&follow=true` | the log's lines, as text |
//! | `PUT /v1/instances/{name}` with a [`Put`] | [`Line`]s |
//! | `DELETE /v1/instances/{name}` with a [`Delete`] | [`Line`]s |
//! | `POST /v1/instances/{name}/start`, `stop`, `restart`, `rotate`, `rotate-backup-key`, `switchover` | [`Line`]s |
//! | `POST /v1/instances/{name}/failover` with a [`FailoverHow`] | [`Line`]s |
//! | `POST /v1/instances/{name}/promote` with a [`PromoteHow`] | [`Line`]s |
//! | `GET /v1/instances/{name}/backups` | [`BackupsReport`], of an instance that is gone, too |
//! | `GET /v1/stored` | list of [`Stored`]: everything that something is stored of |
//! | `POST /v1/instances/{name}/backup` with a [`BackupHow`] | [`Line`]s |
//! | `POST /v1/instances/{name}/restore` with a [`RestoreHow`] | [`Line`]s; the name is of the one whose backup it is |
//! | `POST /v1/instances/{name}/drill` | [`Line`]s |
//! | `POST /v1/instances/{name}/check` | [`Line`]s, one of them [`Line::Checked`]; of an instance that is gone, too |
//! | `POST /v1/instances/{name}/delete-backup` with a [`BackupHow`] | [`Line`]s; a backup, or what was put aside |
//!
//! A refusal is a status of 4xx or 5xx with a [`ProviderError`] as JSON. `Line`s are JSON, one a line, sent as they happen, and
//! the last one is the result. Requests that change one instance are done one after the other; those for different
//! instances side by side. Closing the connection stops the watching, not the work.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::StreamExt as _;
use pgherd_core::ha;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::agent::Agent;
use super::messages::{
    API_VERSION, BackupHow, BackupsReport, Changes, Delete, FailoverHow, Happening, Health, Instance, LONGEST_WAIT,
    Line, Parameter, PromoteHow, Put, RestoreHow, StatusReport, Stored,
};
use super::requests::Ask;
use super::{backups, logs, observe, promotion, status};

type Answer<T> = Result<Json<T>, Refusal>;

/// The routes.
pub fn router(agent: Arc<Agent>) -> Router {
    Router::new()
        .route("/v1/health", get(health))
        .route("/v1/changes", get(changes))
        .route("/v1/instances", get(list))
        .route("/v1/instances/{name}", get(instance).put(put).delete(delete))
        .route("/v1/instances/{name}/status", get(status))
        .route("/v1/instances/{name}/params", get(params))
        .route("/v1/instances/{name}/events", get(events))
        .route("/v1/instances/{name}/logs", get(log_lines))
        .route("/v1/instances/{name}/backups", get(kept))
        .route("/v1/stored", get(stored))
        .route("/v1/instances/{name}/{verb}", post(operate))
        .with_state(agent)
}

async fn health(State(agent): State<Arc<Agent>>) -> Json<Health> {
    Json(Health {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api: API_VERSION,
        pid: std::process::id(),
        started_at: agent.started_at,
        state_dir: agent.options.paths.state.clone(),
        tells_changes: true,
    })
}

#[derive(Deserialize)]
struct ChangesQuery {
    after: Option<u64>,
}

async fn changes(State(agent): State<Arc<Agent>>, Query(query): Query<ChangesQuery>) -> Json<Changes> {
    Json(Changes { generation: agent.generation(query.after, LONGEST_WAIT).await })
}

async fn list(State(agent): State<Arc<Agent>>) -> Answer<Vec<Instance>> {
    let all = agent.all();
    Ok(Json(futures_util::future::join_all(all.iter().map(|shown| observe::instance(&agent, shown))).await))
}

#[derive(Deserialize)]
struct InstanceQuery {
    #[serde(default)]
    known: bool,
}

async fn instance(
    State(agent): State<Arc<Agent>>,
    Path(name): Path<String>,
    Query(query): Query<InstanceQuery>,
) -> Answer<Instance> {
    let shown = agent.shown(&name)?;
    Ok(Json(if query.known { observe::known(&agent, &shown) } else { observe::instance(&agent, &shown).await }))
}

async fn status(State(agent): State<Arc<Agent>>, Path(name): Path<String>) -> Answer<StatusReport> {
    Ok(Json(status::of(&agent, &agent.shown(&name)?).await))
}

async fn kept(State(agent): State<Arc<Agent>>, Path(name): Path<String>) -> Answer<BackupsReport> {
    Ok(Json(backups::report(&agent, &name).await?))
}

async fn stored(State(agent): State<Arc<Agent>>) -> Answer<Vec<Stored>> {
    Ok(Json(backups::stored(&agent).await?))
}

async fn params(State(agent): State<Arc<Agent>>, Path(name): Path<String>) -> Answer<Vec<Parameter>> {
    Ok(Json(observe::parameters(&agent, &agent.shown(&name)?).await?))
}

async fn events(State(agent): State<Arc<Agent>>, Path(name): Path<String>) -> Answer<Vec<Happening>> {
    // Also of an instance that is gone: its history says how.
    Ok(Json(agent.history(&name)?.read()))
}

#[derive(Deserialize)]
struct LogQuery {
    #[serde(default)]
    tail: usize,
    #[serde(default)]
    follow: bool,
}

async fn log_lines(
    State(agent): State<Arc<Agent>>,
    Path(name): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Refusal> {
    let primary = agent.shown(&name)?.record.primary();
    let lines = logs::lines(agent.options.paths.instance(&name).node(primary).log, query.tail, query.follow);
    Ok(Response::new(Body::from_stream(lines.map(Ok::<_, Infallible>))))
}

async fn put(
    State(agent): State<Arc<Agent>>,
    Path(name): Path<String>,
    Json(put): Json<Put>,
) -> Result<Response, Refusal> {
    watched(agent.keeper(&name)?.ask(Ask::Put(Box::new(put))))
}

async fn delete(
    State(agent): State<Arc<Agent>>,
    Path(name): Path<String>,
    Json(how): Json<Delete>,
) -> Result<Response, Refusal> {
    agent.shown(&name)?;
    watched(agent.keeper(&name)?.ask(Ask::Delete(how)))
}

async fn operate(
    State(agent): State<Arc<Agent>>,
    Path((name, verb)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let ask = match verb.as_str() {
        "start" => Ask::Start,
        "stop" => Ask::Stop,
        "restart" => Ask::Restart,
        "rotate" => Ask::Rotate,
        "forget" => Ask::Forget,
        "adopt" => Ask::Adopt,
        "switchover" => Ask::Servers(ha::Ask::Switchover),
        "failover" => Ask::Servers(ha::Ask::Failover { accept_loss: failover_how(&body)?.accept_loss }),
        "promote" => return promote(agent, name, promote_how(&body)?),
        "backup" => return watched(backups::ask_backup(&agent, &name, understood::<BackupHow>(&body)?)),
        "restore" => return watched(backups::ask_restore(&agent, &name, understood::<RestoreHow>(&body)?)),
        "check" => return watched(backups::ask_check(&agent, &name)),
        "delete-backup" => return watched(backups::ask_delete(&agent, &name, understood::<BackupHow>(&body)?)),
        "drill" => return watched(backups::ask_drill(&agent, &name)),
        "rotate-backup-key" => return watched(backups::ask_new_key(&agent, &name)),
        other => {
            let message = format!("an instance cannot {other}");
            return Err(ProviderError::new(ErrorKind::Invalid, message)
                .help("it can start, stop, restart, rotate, rotate-backup-key, switchover, failover, promote, backup, restore, drill, check, delete-backup")
                .into());
        }
    };
    agent.shown(&name)?;
    watched(agent.keeper(&name)?.ask(ask))
}

fn failover_how(body: &[u8]) -> Result<FailoverHow, ProviderError> {
    let how: Result<Option<FailoverHow>, _> = if body.is_empty() { Ok(None) } else { serde_json::from_slice(body) };
    how.map(Option::unwrap_or_default).map_err(|error| {
        ProviderError::new(ErrorKind::Invalid, format!("the body is not understood: {error}"))
            .help(r#"send {"accept_loss": false}"#)
    })
}

fn understood<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ProviderError> {
    serde_json::from_slice(body)
        .map_err(|error| ProviderError::new(ErrorKind::Invalid, format!("the body is not understood: {error}")))
}

fn promote_how(body: &[u8]) -> Result<PromoteHow, ProviderError> {
    serde_json::from_slice(body).map_err(|error| {
        ProviderError::new(ErrorKind::Invalid, format!("the body is not understood: {error}"))
            .help(r#"send {"replica": "n3", "to": "NAME"}"#)
    })
}

/// First the instance lets its replica go, then that is one and serves. Asked for again, what is done is not done again.
fn promote(agent: Arc<Agent>, name: String, how: PromoteHow) -> Result<Response, Refusal> {
    agent.shown(&name)?;
    if promotion::is_through(&agent, &name, &how)? {
        return watched(agent.keeper(&how.to)?.ask(Ask::TakeUp));
    }
    let mut leaves = agent.keeper(&name)?.ask(Ask::Promote(how.clone()))?;
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        // A watcher that left does not stop the work, and there is nobody to tell.
        while let Some(line) = leaves.recv().await {
            let serves = match &line {
                Line::Phase { .. } | Line::Said { .. } | Line::Progress { .. } | Line::Checked { .. } => false,
                Line::Done => true,
                // Somebody else asked for the same, and was first.
                Line::Failed { .. } => promotion::is_through(&agent, &name, &how).unwrap_or(false),
            };
            if !serves {
                drop(sender.send(line));
                continue;
            }
            match agent.keeper(&how.to).and_then(|keeper| keeper.ask(Ask::TakeUp)) {
                Ok(mut lines) => {
                    while let Some(line) = lines.recv().await {
                        drop(sender.send(line));
                    }
                }
                Err(error) => drop(sender.send(Line::Failed { error })),
            }
        }
    });
    watched(Ok(receiver))
}

/// The progress of a change as NDJSON.
fn watched(lines: Result<mpsc::UnboundedReceiver<Line>, ProviderError>) -> Result<Response, Refusal> {
    let lines = UnboundedReceiverStream::new(lines?).map(|line| {
        let mut json = serde_json::to_vec(&line).expect("plain data serialises");
        json.push(b'\n');
        Ok::<_, Infallible>(Bytes::from(json))
    });
    Ok(([("content-type", "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

struct Refusal(ProviderError);

impl From<ProviderError> for Refusal {
    fn from(error: ProviderError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.0.kind {
            ErrorKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable | ErrorKind::Interrupted => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Denied | ErrorKind::Protected => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        };
        (status, Json(self.0)).into_response()
    }
}
