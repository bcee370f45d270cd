//! The control socket of a forwarder: who asks, and what is answered.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::protocol::{Ask, Question, State};

/// Far more than a question with thousands of networks has.
const LONGEST_QUESTION: u64 = 1024 * 1024;
/// How long the agent may take over a question.
const QUESTION_DEADLINE: Duration = Duration::from_secs(5);

/// A question on its way, and where the answer goes.
pub(super) type Asked = (Ask, oneshot::Sender<State>);

/// Listens at `path`, for the owner only.
pub(super) fn listen(path: &Path) -> std::io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    // The folder is closed to others as well, so there is no moment in between.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Hands every question on, one connection after the other: the agent is the only one to ask.
pub(super) async fn answer(listener: UnixListener, asked: mpsc::Sender<Asked>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        match tokio::time::timeout(QUESTION_DEADLINE, answer_one(stream, &asked)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("a question was not understood: {error}"),
            Err(_) => tracing::warn!("a question did not end"),
        }
    }
}

async fn answer_one(stream: UnixStream, asked: &mpsc::Sender<Asked>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(LONGEST_QUESTION).read_line(&mut line).await?;
    if line.is_empty() {
        // Somebody looked whether anybody is there.
        return Ok(());
    }
    let question: Question = serde_json::from_str(&line)?;
    let (answer, answered) = oneshot::channel();
    let gone = || std::io::Error::other("the forwarder ends");
    asked.send((question.ask, answer)).await.map_err(|_| gone())?;
    let mut line = serde_json::to_vec(&answered.await.map_err(|_| gone())?)?;
    line.push(b'\n');
    stream.write_all(&line).await
}
