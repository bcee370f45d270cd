//! HTTP over the supervisor's unix socket, and starting it when absent.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::paths::Paths;
use crate::postgres::notice::Notice;
use crate::supervisor::messages::{
    API_VERSION, BackupHow, BackupsReport, Changes, CheckReport, Delete, FailoverHow, Happening, Health, Instance,
    Line, Parameter, PromoteHow, Put, RestoreHow, StatusReport, Stored,
};
use crate::supervisor::{AgentOptions, place};

/// How long a question may take that the agent answers from what it has at hand.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// How long an agent may take from being started to answering.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How glibc's allocator behaves in an agent (mallopt(3)): it gives back what it is done with. By its own rules it keeps what
/// unpacking ten clusters took for months (measured: 109 MB, with these 23 MB). Other libraries' allocators look at none of it.
pub const ALLOCATOR: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "65536")];
/// Between two looks for an agent that somebody else started.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The longest line that is kept whole, bytes.
const LONGEST_LINE: usize = 8 << 20;
/// How much of the agent's log is shown when it does not start.
const LOG_TAIL_BYTES: u64 = 2048;

/// A way to a running agent.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// The agent of these paths, when one runs.
pub async fn connect(paths: &Paths) -> Result<Option<Client>, ProviderError> {
    let client = Client { socket: paths.agent_socket() };
    match UnixStream::connect(&client.socket).await {
        Err(error) if is_nobody(&error) => return Ok(None),
        Err(error) => {
            let message = format!("the agent's socket {} cannot be opened: {error}", client.socket.display());
            return Err(ProviderError::new(ErrorKind::Denied, message).help("run this as the user who runs the agent"));
        }
        Ok(_) => {}
    }
    let health = match client.health().await {
        // It ended while it was asked.
        Err(error) if error.kind == ErrorKind::Unavailable && !place::is_held(paths) => return Ok(None),
        answer => answer?,
    };
    if health.api != API_VERSION || health.version != env!("CARGO_PKG_VERSION") {
        let message = format!(
            "the running agent (pid {}) is pgherd {} with API {}, this is pgherd {} with API {API_VERSION}",
            health.pid,
            health.version,
            health.api,
            env!("CARGO_PKG_VERSION")
        );
        return Err(ProviderError::new(ErrorKind::Conflict, message).help(format!(
            "end the agent with \"kill {}\" and repeat; PostgreSQL keeps serving and the next agent takes it over",
            health.pid
        )));
    }
    Ok(Some(client))
}

/// Nobody listens there: never, or no longer. What waits to be let in while the listener goes is reset.
fn is_nobody(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, ConnectionReset, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset)
}

/// Returns once there are instances that an agent keeps or may be started for: where nothing is yet, somebody may watch.
pub async fn anything(paths: &Paths) {
    let wanted = paths.instances();
    let nearest = || wanted.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    while nearest() != wanted {
        let watched = nearest();
        let mut notice = Notice::of(watched);
        // What was made before the notice began, it does not tell.
        if nearest() == watched {
            notice.next().await;
        }
    }
}

/// The agent of these options: the one that runs, or one started now with `program` (an executable that has the
/// `agent` command), which then outlives the caller.
pub async fn connect_or_start(program: &Path, options: &AgentOptions) -> Result<Client, ProviderError> {
    // What is wrong with one that is there is said again below, if it stays so.
    if let Ok(Some(client)) = connect(&options.paths).await {
        return Ok(client);
    }
    // Two starters at once: the second waits here, and then finds the first one's agent.
    let _turn = place::starting_turn(&options.paths.state).await?;
    let deadline = Instant::now() + START_DEADLINE;
    let mut trouble = None;
    loop {
        let (is_held, is_late) = (place::is_held(&options.paths), Instant::now() > deadline);
        match connect(&options.paths).await {
            Ok(Some(client)) => return Ok(client),
            // What holds the place does not answer yet, or not any more.
            Err(error) if error.kind == ErrorKind::Unavailable && !is_late => {}
            Err(error) => return Err(error),
            Ok(None) => {}
        }
        if is_held && !is_late {
            // A starter that was cut short leaves an agent that is about to answer. And what a killed agent was just starting
            // holds its place until that is a program of its own.
            tokio::time::sleep(LOOK_AGAIN).await;
        } else if let Some(trouble) = trouble {
            return Err(trouble);
        } else {
            trouble = start(program, options).await.err().or_else(|| Some(ended_at_once(&options.paths)));
        }
    }
}

fn ended_at_once(paths: &Paths) -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, "the agent started and ended at once")
        .help(format!("see {}", paths.agent_log().display()))
}

/// Starts the agent and waits until it says on its standard output, a pipe to us, that it answers.
async fn start(program: &Path, options: &AgentOptions) -> Result<(), ProviderError> {
    let log_path = options.paths.agent_log();
    let unavailable = |message: String| ProviderError::new(ErrorKind::Unavailable, message);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&log_path)
        .map_err(|error| unavailable(format!("{} cannot be written: {error}", log_path.display())))?;
    let log_start = log.metadata().map_or(0, |metadata| metadata.len());
    let mut child = tokio::process::Command::new(program)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| is_for_the_agent(&name.to_string_lossy())))
        .envs(ALLOCATOR)
        .args(AgentOptions { announce: true, ..options.clone() }.to_args())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|error| unavailable(format!("the agent cannot be started with {}: {error}", program.display())))?;
    let mut announcement = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("its standard output is a pipe, as asked above"));
    let trouble = match tokio::time::timeout(START_DEADLINE, stdout.read_line(&mut announcement)).await {
        Ok(Ok(bytes)) if bytes > 0 => return Ok(()),
        Ok(Ok(_)) => "the agent did not start".to_owned(),
        Ok(Err(error)) => format!("the agent's announcement cannot be read: {error}"),
        Err(_) => format!("the agent did not answer within {} s", START_DEADLINE.as_secs()),
    };
    Err(unavailable(format!("{trouble}\n{}", tail(&log_path, log_start).trim_end()))
        .help(format!("the whole log is {}", log_path.display())))
}

/// What the agent inherits: where things are, how to download, in which language. Not the rest, which holds passwords now and
/// then (`TF_VAR_…`, `PGPASSWORD`), and would be in the environment of a process that lives for months.
fn is_for_the_agent(variable: &str) -> bool {
    let exact = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "RUST_BACKTRACE"];
    let families = ["LC_", "XDG_", "PIP_", "SSL_CERT_", "CURL_", "REQUESTS_CA_"];
    let is_proxy = variable.to_ascii_lowercase().ends_with("_proxy");
    let ours = variable.starts_with("PGHERD_") && !variable.starts_with("PGHERD_VAR_");
    ours || is_proxy || exact.contains(&variable) || families.iter().any(|family| variable.starts_with(family))
}

/// The end of what was written to a log since `start`.
fn tail(log: &Path, start: u64) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(start.max(end.saturating_sub(LOG_TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

impl Client {
    /// Who answers.
    pub async fn health(&self) -> Result<Health, ProviderError> {
        self.get("/v1/health").await
    }

    /// How many changes of instances the agent has shown: at once, or as soon as they are not `known` ones. An answer that is
    /// the same number says that nothing has changed for a while.
    pub async fn changes(&self, known: Option<u64>) -> Result<u64, ProviderError> {
        let after = known.map_or(String::new(), |known| format!("?after={known}"));
        let changes: Changes = self.get(&format!("/v1/changes{after}")).await?;
        Ok(changes.generation)
    }

    /// Every instance.
    pub async fn list(&self) -> Result<Vec<Instance>, ProviderError> {
        self.get("/v1/instances").await
    }

    /// One instance; `None` when there is none of that name.
    pub async fn instance(&self, name: &str) -> Result<Option<Instance>, ProviderError> {
        none_where_absent(self.get(&format!("/v1/instances/{name}")).await)
    }

    /// The same as the agent knows it, without asking the server.
    pub async fn known_instance(&self, name: &str) -> Result<Option<Instance>, ProviderError> {
        none_where_absent(self.get(&format!("/v1/instances/{name}?known=true")).await)
    }

    /// Everything `pgherd status` shows of one instance.
    pub async fn status(&self, name: &str) -> Result<StatusReport, ProviderError> {
        self.get(&format!("/v1/instances/{name}/status")).await
    }

    /// Its settings, as the running server has them.
    pub async fn params(&self, name: &str) -> Result<Vec<Parameter>, ProviderError> {
        self.get(&format!("/v1/instances/{name}/params")).await
    }

    /// What happened to it, oldest first.
    pub async fn events(&self, name: &str) -> Result<Vec<Happening>, ProviderError> {
        self.get(&format!("/v1/instances/{name}/events")).await
    }

    /// Makes it, or makes it as wanted. Returns when it is usable.
    pub async fn put(&self, name: &str, put: &Put, on_line: impl FnMut(Line)) -> Result<(), ProviderError> {
        self.change(Method::PUT, &format!("/v1/instances/{name}"), put, on_line).await
    }

    /// Removes it and its data.
    pub async fn delete(&self, name: &str, how: &Delete, on_line: impl FnMut(Line)) -> Result<(), ProviderError> {
        self.change(Method::DELETE, &format!("/v1/instances/{name}"), how, on_line).await
    }

    /// Ends its primary for certain, so that its standby takes over.
    pub async fn failover(&self, name: &str, how: FailoverHow, on_line: impl FnMut(Line)) -> Result<(), ProviderError> {
        self.change(Method::POST, &format!("/v1/instances/{name}/failover"), &how, on_line).await
    }

    /// Makes one of its replicas an instance of its own. Returns when that is usable.
    pub async fn promote(&self, name: &str, how: &PromoteHow, on_line: impl FnMut(Line)) -> Result<(), ProviderError> {
        self.change(Method::POST, &format!("/v1/instances/{name}/promote"), how, on_line).await
    }

    /// Takes a backup. Returns when it is whole.
    pub async fn backup(&self, name: &str, how: &BackupHow, on_line: impl FnMut(Line)) -> Result<(), ProviderError> {
        self.change(Method::POST, &format!("/v1/instances/{name}/backup"), how, on_line).await
    }

    /// The backups of an instance, which may be gone.
    pub async fn backups(&self, name: &str) -> Result<BackupsReport, ProviderError> {
        self.get(&format!("/v1/instances/{name}/backups")).await
    }

    /// Everything that something is stored of, whether or not it is there.
    pub async fn stored(&self) -> Result<Vec<Stored>, ProviderError> {
        self.get("/v1/stored").await
    }

    /// Makes another instance of its backups. Returns when that is usable.
    pub async fn restore(&self, name: &str, how: &RestoreHow, on_line: impl FnMut(Line)) -> Result<(), ProviderError> {
        self.change(Method::POST, &format!("/v1/instances/{name}/restore"), how, on_line).await
    }

    /// Restores the newest backup for practice.
    pub async fn drill(&self, name: &str, on_line: impl FnMut(Line)) -> Result<(), ProviderError> {
        self.change(Method::POST, &format!("/v1/instances/{name}/drill"), &(), on_line).await
    }

    /// Reads back everything that is stored of an instance, which may be gone.
    pub async fn check(&self, name: &str, mut on_line: impl FnMut(Line)) -> Result<CheckReport, ProviderError> {
        let mut checked = None;
        let path = format!("/v1/instances/{name}/check");
        let asked = self.change(Method::POST, &path, &(), |line| match line {
            Line::Checked { report } => checked = Some(report),
            line => on_line(line),
        });
        asked.await?;
        checked.ok_or_else(|| broken(&std::io::Error::other("it did not tell what it found")))
    }

    /// Deletes a backup of an instance, which may be gone, or lets go of what was put aside.
    pub async fn delete_backup(&self, name: &str, label: &str, on_line: impl FnMut(Line)) -> Result<(), ProviderError> {
        let how = BackupHow { label: label.to_owned() };
        self.change(Method::POST, &format!("/v1/instances/{name}/delete-backup"), &how, on_line).await
    }

    /// Does `start`, `stop`, `restart`, `rotate`, `rotate-backup-key` or `switchover`.
    pub async fn operate(&self, name: &str, verb: &str, on_line: impl FnMut(Line)) -> Result<(), ProviderError> {
        self.change(Method::POST, &format!("/v1/instances/{name}/{verb}"), &(), on_line).await
    }

    /// The last `tail` lines of its log and, when `follow`, every further one until the caller drops this.
    pub async fn logs(
        &self,
        name: &str,
        tail: usize,
        follow: bool,
        mut on_line: impl FnMut(&str),
    ) -> Result<(), ProviderError> {
        let path = format!("/v1/instances/{name}/logs?tail={tail}&follow={follow}");
        let mut answer = self.ask(Method::GET, &path, Bytes::new()).await?;
        lines(&mut answer, |line| on_line(&String::from_utf8_lossy(line))).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ProviderError> {
        let answer = async {
            let answer = self.ask(Method::GET, path, Bytes::new()).await?;
            let body = answer.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
            serde_json::from_slice(&body).map_err(|error| broken(&error))
        };
        tokio::time::timeout(ANSWER_DEADLINE, answer).await.unwrap_or_else(|_| {
            let message = format!("the agent did not answer within {} s", ANSWER_DEADLINE.as_secs());
            Err(ProviderError::new(ErrorKind::TimedOut, message))
        })
    }

    /// Asks for a change and follows it to its end. Dropping this stops watching; the agent goes on.
    async fn change(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        mut on_line: impl FnMut(Line),
    ) -> Result<(), ProviderError> {
        let body = serde_json::to_vec(body).map_err(|error| broken(&error))?;
        let mut answer = self.ask(method, path, body.into()).await?;
        let mut result = Err(ProviderError::new(ErrorKind::Unavailable, "the agent ended before it was done")
            .help("repeat the command: it goes on where this stopped"));
        lines(&mut answer, |line| match serde_json::from_slice(line) {
            Ok(Line::Done) => result = Ok(()),
            Ok(Line::Failed { error }) => result = Err(error),
            Ok(line) => on_line(line),
            Err(error) => result = Err(broken(&error)),
        })
        .await?;
        result
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ProviderError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| {
            let message = format!("the agent does not answer on {}: {error}", self.socket.display());
            ProviderError::new(ErrorKind::Unavailable, message)
        })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        // Ends by itself with the answer's body, or when the caller stops listening.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "agent")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| broken(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let body = answer.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
        Err(serde_json::from_slice(&body)
            .unwrap_or_else(|_| ProviderError::new(ErrorKind::Invalid, String::from_utf8_lossy(&body).into_owned())))
    }
}

/// Hands on each line of a body as it arrives; one of more than [`LONGEST_LINE`] in pieces.
async fn lines(answer: &mut Response<Incoming>, mut on_line: impl FnMut(&[u8])) -> Result<(), ProviderError> {
    let mut rest: Vec<u8> = Vec::new();
    while let Some(frame) = answer.body_mut().frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        rest.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
        take_lines(&mut rest, &mut on_line);
    }
    Ok(())
}

/// Takes the whole lines off the beginning.
fn take_lines(rest: &mut Vec<u8>, on_line: &mut impl FnMut(&[u8])) {
    let whole = match rest.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        None if rest.len() > LONGEST_LINE => rest.len(),
        None => return,
    };
    let lines = rest[..whole].strip_suffix(b"\n").unwrap_or(&rest[..whole]);
    lines.split(|byte| *byte == b'\n').for_each(on_line);
    rest.drain(..whole);
}

fn none_where_absent<T>(answer: Result<T, ProviderError>) -> Result<Option<T>, ProviderError> {
    match answer {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn broken(error: &dyn std::error::Error) -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, format!("the talk with the agent broke off: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_when_they_are_whole() {
        let mut seen: Vec<String> = Vec::new();
        let mut rest = Vec::new();
        for part in ["one\ntw", "o\n\nthr", "ee", "\n"] {
            rest.extend_from_slice(part.as_bytes());
            take_lines(&mut rest, &mut |line: &[u8]| seen.push(String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!(seen, ["one", "two", "", "three"]);
        assert!(rest.is_empty());
    }

    #[test]
    fn a_line_without_an_end_does_not_grow_for_ever() {
        let mut rest = vec![b'x'; LONGEST_LINE + 1];
        let mut bytes = 0;
        take_lines(&mut rest, &mut |line: &[u8]| bytes += line.len());
        assert_eq!((bytes, rest.len()), (LONGEST_LINE + 1, 0));
    }

    #[test]
    fn the_agent_inherits_no_variable_that_may_hold_a_secret() {
        for kept in ["PATH", "HOME", "XDG_RUNTIME_DIR", "https_proxy", "PIP_INDEX_URL", "PGHERD_LOG", "LC_ALL"] {
            assert!(is_for_the_agent(kept), "{kept}");
        }
        for left in ["TF_VAR_password", "PGHERD_VAR_password", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD"] {
            assert!(!is_for_the_agent(left), "{left}");
        }
    }
}
