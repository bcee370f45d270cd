//! A panic is our own bug: the user gets a sentence and exit code 1, not a backtrace.

use std::io::Write as _;
use std::panic;

/// Replaces the standard panic message. `RUST_BACKTRACE` keeps it, for those who look for the bug.
pub fn install() {
    let standard = panic::take_hook();
    panic::set_hook(Box::new(move |bug| {
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            standard(bug);
        }
        let mut stderr = std::io::stderr().lock();
        // A stderr that is gone cannot be told that it is gone.
        drop(writeln!(stderr, "error: pgherd made a mistake and stops: {}", sentence(bug)));
        drop(writeln!(
            stderr,
            "hint: running the same command again is safe; RUST_BACKTRACE=1 shows where it happened"
        ));
        std::process::exit(1);
    }));
}

fn sentence(bug: &panic::PanicHookInfo<'_>) -> String {
    let what = bug.payload_as_str().unwrap_or("no message");
    match bug.location() {
        Some(at) => format!("{what} ({}:{})", at.file(), at.line()),
        None => what.to_owned(),
    }
}
