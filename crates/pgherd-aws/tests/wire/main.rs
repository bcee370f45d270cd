//! The wire half: signatures, protocols, calls and sessions, against AWS's own cases and against servers on loopback.

mod calls;
mod endpoints;
mod moto;
mod protocol;
mod secrets;
mod server;
mod sessions;
mod sigv4;

use std::path::PathBuf;

/// Recorded cases of AWS; `None`, said aloud, when they are not on this machine.
fn recorded(what: &str, path: &str) -> Option<PathBuf> {
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    if !shared.is_dir() {
        #[expect(clippy::print_stderr, reason = "whoever runs the tests must see what was not tested")]
        {
            eprintln!("SKIPPED {what}: ../shared is absent");
        }
        return None;
    }
    Some(shared.join("apis/recorded/aws").join(path))
}
