//! moto, started once for a test program: what AWS's own Python client is tested on, and nothing of ours.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use pgherd_http::Url;

/// It ends with its standard input, which ends with this process however it ends.
struct Moto {
    url: Url,
    _process: Mutex<Child>,
}

/// Where moto is; `None`, said aloud, when it is not on this machine. Tests keep apart by regions and names of their own.
pub fn url() -> Option<Url> {
    static MOTO: OnceLock<Option<Moto>> = OnceLock::new();
    // Tests that ask at the same time wait for the one that starts it.
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    MOTO.get_or_init(start).as_ref().map(|moto| moto.url.clone())
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests must see what was not tested")]
fn start() -> Option<Moto> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let candidates = [root.join("../../target/tools/bin/python3"), PathBuf::from("python3")];
    let Some(python) = candidates.into_iter().find(|python| has_moto(python)) else {
        assert!(std::env::var_os("PGHERD_REQUIRE_MOTO").is_none(), "moto is required here and absent");
        eprintln!("SKIPPED moto: no moto in target/tools; scripts/setup.sh test installs it");
        return None;
    };
    let mut process = Command::new(python)
        .arg(root.join("tests/moto/serve.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("moto starts");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let port: u16 = line.trim().parse().expect("moto says its port");
    let url = Url::parse(&format!("http://127.0.0.1:{port}/")).expect("a URL");
    Some(Moto { url, _process: Mutex::new(process) })
}

fn has_moto(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import moto.server"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
