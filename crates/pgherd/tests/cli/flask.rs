//! The Flask and SQLAlchemy application of `examples/flask`, started against a database that pgherd brought up.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::documents::repository;
use crate::live::{Live, block, live};

/// A Python with the example's requirements, made once; `None` when they cannot be had here.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flask-python");
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    if !ready.exists() {
        let requirements = repository().join("examples/flask/requirements.txt");
        let ran =
            |command: &mut Command| command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success());
        let made = ran(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            && ran(Command::new(&python).args(["-m", "pip", "install", "-q", "-r"]).arg(requirements));
        if !made {
            return None;
        }
        std::fs::write(ready, "").expect("written");
    }
    Some(python)
}

/// The application, listening on a port of its own choice.
struct Application {
    child: Child,
    port: u16,
}

impl Application {
    fn start(live: &Live, python: &Path) -> Self {
        // As the README of a user's project would say it. Flask's own server says on which port it listens, once it does.
        let script = format!(
            "eval \"$({} env)\" && cd '{}' && exec '{}' -m flask --app app run --port 0",
            env!("CARGO_BIN_EXE_pgherd"),
            repository().join("examples/flask").display(),
            python.display()
        );
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]);
        let mut command = live.0.command_of(bash);
        command.env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("bash runs");
        let mut said = String::new();
        let port =
            BufReader::new(child.stderr.as_mut().expect("piped")).lines().map_while(Result::ok).find_map(|line| {
                said += &format!("{line}\n");
                line.split_once("Running on http://127.0.0.1:")?.1.trim().parse().ok()
            });
        Self { port: port.unwrap_or_else(|| panic!("the application did not start:\n{said}")), child }
    }

    fn ask(&self, request: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        write!(
            stream,
            "{request} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer.split_once("\r\n\r\n").map_or_else(|| answer.clone(), |(_, body)| body.trim().to_owned())
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_flask_application_reads_the_secret_and_stores_notes() {
    let Some(live) = live("flask") else { return };
    let Some(python) = python() else {
        return skipped();
    };
    live.0.write("database.hcl", block("notes", ""));
    let _ = live.run("up").with_code(0);

    let application = Application::start(&live, &python);
    assert!(application.ask("GET /health", "").contains(r#""role":"postgres","tls":true"#));
    assert_eq!(application.ask("POST /notes", r#"{"body": "hello"}"#), r#"{"body":"hello","id":1}"#);
    assert_eq!(live.sql("select body from note"), "hello\n");

    // Connections that are open go on after the password has changed; the application need not know.
    let _ = live.run("rotate --yes").with_code(0);
    assert_eq!(application.ask("GET /notes", ""), r#"[{"body":"hello","id":1}]"#);
}

#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
fn skipped() {
    eprintln!("SKIPPED flask: its requirements cannot be installed with pip here");
}
