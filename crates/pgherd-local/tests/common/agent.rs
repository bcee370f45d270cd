//! An agent for the tests, which cannot reach the program's own: all its folders are beside its state folder.
//!
//! `endpoint --control PATH` makes it a forwarder instead, `archive-wal` and `restore-wal` what PostgreSQL runs for its log.
//!
//! With `CUT_AFTER_STEPS=n` it ends as if by SIGKILL after the nth thing it wrote down durably, and with `PANIC_AFTER_STEPS=n`
//! what wrote it down panics.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use pgherd_local::endpoint;
use pgherd_local::paths::Paths;
use pgherd_local::supervisor::{self, AgentOptions};

fn main() -> ExitCode {
    if let Some(code) = supervisor::archive_helper(&std::env::args_os().collect::<Vec<_>>()) {
        return ExitCode::from(code);
    }
    let args: Vec<String> = std::env::args().collect();
    let after = |flag: &str| args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1)).cloned();
    if args.get(1).is_some_and(|arg| arg == "endpoint") {
        let control = PathBuf::from(after("--control").expect("--control is given"));
        return match endpoint::serve(&endpoint::Options { control }) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let state = PathBuf::from(after("--state-dir").expect("--state-dir is given"));
    let beside = |name: &str| state.parent().expect("it has a parent").join(name);
    let options = AgentOptions {
        paths: Paths { cache: beside("cache"), runtime: beside("run"), state },
        run_as: after("--postgres-user"),
        postgres_dirs: after("--postgres-dir").into_iter().map(PathBuf::from).collect(),
        strict_minor: args.iter().any(|arg| arg == "--strict-engine-version"),
        announce: args.iter().any(|arg| arg == "--announce"),
    };
    let steps = |variable: &str| std::env::var(variable).ok().map(|steps| steps.parse().expect("a number"));
    CUT_IN.store(steps("CUT_AFTER_STEPS").unwrap_or(usize::MAX), Ordering::SeqCst);
    PANIC_IN.store(steps("PANIC_AFTER_STEPS").unwrap_or(usize::MAX), Ordering::SeqCst);
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter("pgherd_test_agent=info,pgherd_local=debug")
        .with_writer(|| Cut)
        // As the program's own: no panic because its log is on a full disk.
        .log_internal_errors(false)
        .init();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    match runtime.block_on(supervisor::run(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

static CUT_IN: AtomicUsize = AtomicUsize::new(usize::MAX);
static PANIC_IN: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The log, and what ends the agent or one of its keepers in the middle of its work.
struct Cut;

impl Write for Cut {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(line)?;
        let is_step = String::from_utf8_lossy(line).contains("written down");
        if is_step && CUT_IN.fetch_sub(1, Ordering::SeqCst) == 1 {
            // Like SIGKILL: nothing is unwound or flushed.
            std::process::abort();
        }
        assert!(!is_step || PANIC_IN.fetch_sub(1, Ordering::SeqCst) != 1, "a planted fault");
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
