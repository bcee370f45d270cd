//! The folders, lock and socket of an agent, and the right to start one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::fs::{FlockOperation, flock};
use tokio::net::UnixListener;

use super::files;
use crate::paths::Paths;
use crate::postgres::folders;
use crate::postgres::runas::RunAs;

/// How long, and how often, is tried to become the agent of a state folder.
const HELD_FOR_A_MOMENT: Duration = Duration::from_secs(1);
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Makes the state directory where it is missing and waits for the right to start its agent, given back when the file is
/// dropped.
pub async fn starting_turn(state_dir: &Path) -> Result<File, ProviderError> {
    let path = state_dir.to_owned();
    let turn = tokio::task::spawn_blocking(move || -> std::io::Result<File> {
        // Others may enter: PostgreSQL runs as another user below it when the agent is root.
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&path)?;
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path.join("starting.lock"))?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    });
    turn.await.map_err(|error| std::io::Error::other(error.to_string())).flatten().map_err(|error| {
        let message = format!("the state folder {} cannot be used: {error}", state_dir.display());
        ProviderError::new(ErrorKind::Denied, message)
            .help("name a folder of yours with --state-dir or PGHERD_STATE_DIR; pgherd doctor looks at it")
    })
}

/// Whether a process holds the state folder as its agent.
pub fn is_held(paths: &Paths) -> bool {
    let Ok(file) = File::open(paths.agent_lock()) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
}

/// Makes this process the only agent of its state folder, as long as the file is held; the kernel gives it back with the
/// process, however that ends.
pub fn lock(paths: &Paths) -> Result<File, ProviderError> {
    let path = paths.agent_lock();
    let refuse = |error: &dyn std::fmt::Display| {
        ProviderError::new(
            ErrorKind::Denied,
            format!("the state folder {} cannot be used: {error}", paths.state.display()),
        )
    };
    let open = || {
        // Others may enter: PostgreSQL runs as another user below it when the agent is root.
        files::make_folder(&paths.instances(), 0o755)?;
        OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path)
    };
    let mut file = open().map_err(|error| refuse(&error))?;
    match lock_in_time(&file) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid).map_err(|error| refuse(&error))?;
            let message = format!("an agent already runs for {} (pid {})", paths.state.display(), pid.trim());
            return Err(ProviderError::new(ErrorKind::Conflict, message)
                .help("every state folder has one agent; commands find it by themselves"));
        }
        Err(error) => return Err(refuse(&error)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(|error| refuse(&error))?;
    Ok(file)
}

/// Whoever just looks whether it is held, and what a killed agent was just starting, hold it for a moment.
fn lock_in_time(file: &File) -> rustix::io::Result<()> {
    let begun = Instant::now();
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if begun.elapsed() < HELD_FOR_A_MOMENT => std::thread::sleep(TRY_AGAIN),
            locked => return locked,
        }
    }
}

/// Opens the socket of the API, 0600 in a folder that is ours. Needs the lock: what is there already is a dead agent's.
pub fn listen(paths: &Paths, run_as: &RunAs) -> Result<UnixListener, ProviderError> {
    folders::make_sockets(paths, run_as)?;
    let socket = paths.agent_socket();
    let open = || {
        files::remove(&socket)?;
        // Only the owner can write to a new socket (the umask is 022), and connecting takes that right.
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    open().map_err(|error: std::io::Error| {
        ProviderError::new(ErrorKind::Denied, format!("the socket {} cannot be opened: {error}", socket.display()))
    })
}

/// Tells the starter, who waits at the other end of our standard output, that the agent answers; then lets go of that pipe.
pub fn announce(paths: &Paths) {
    let line = format!("ready {}\n", paths.agent_socket().display());
    // A starter that left does not matter.
    let _ = rustix::io::write(rustix::stdio::stdout(), line.as_bytes());
    if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}
