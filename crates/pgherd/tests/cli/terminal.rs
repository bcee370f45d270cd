//! The program on a real pseudo-terminal: what it asks, and what it does with the answers.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::sandbox::Sandbox;

/// Only a hang takes this long.
const PATIENCE: Duration = Duration::from_secs(180);

/// A program that runs on a terminal of its own.
pub struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    child: Child,
}

impl Terminal {
    /// Starts the program on a new terminal.
    pub fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&ours).expect("may be used");
        unlockpt(&ours).expect("may be opened");
        let name = ptsname(&ours, Vec::new()).expect("it has a name");
        let theirs =
            OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(name.to_bytes())).expect("the other end");
        let copy = || Stdio::from(theirs.try_clone().expect("the same end"));
        let child = sandbox
            .command(arguments)
            .env("TERM", "xterm")
            .stdin(copy())
            .stdout(copy())
            .stderr(copy())
            .spawn()
            .expect("the program runs");
        let keyboard = File::from(ours);
        let mut reader = keyboard.try_clone().expect("the same end");
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The terminal ends with an error (EIO) when the last program on it has ended.
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { keyboard, screen, seen: Vec::new(), child }
    }

    /// Waits until the text stands on the screen.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &mut Self {
        while !self.text().contains(text) {
            match self.screen.recv_timeout(PATIENCE) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(_) => panic!("`{text}` never came up:\n{}", self.text()),
            }
        }
        self
    }

    /// Types a line.
    pub fn answer(&mut self, line: &str) -> &mut Self {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).expect("it is typed");
        self
    }

    /// Types keys, and no line end after them.
    pub fn type_keys(&mut self, keys: &str) -> &mut Self {
        self.keyboard.write_all(keys.as_bytes()).expect("it is typed");
        self
    }

    /// Everything on the screen once the program has ended, and its exit code.
    pub fn end(mut self) -> String {
        let status = self.child.wait().expect("it ends");
        while let Ok(bytes) = self.screen.recv_timeout(PATIENCE) {
            self.seen.extend(bytes);
        }
        format!("{}-- exit {}\n", self.text(), status.code().map_or("none".to_owned(), |code| code.to_string()))
    }

    /// Without colours and without the carriage returns of a terminal.
    fn text(&self) -> String {
        anstream::adapter::strip_str(&String::from_utf8_lossy(&self.seen)).to_string().replace('\r', "")
    }
}

#[test]
fn init_asks_what_no_flag_says() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::start(&sandbox, &["init", "--cloud", "local"]);
    terminal.expect("[dev]: ").answer("staging").expect("[database]: ").answer("orders");
    insta::assert_snapshot!(terminal.end());
    let text = std::fs::read_to_string(sandbox.work().join("database.hcl")).expect("it was written");
    assert!(text.contains("preset = \"staging\"") && text.contains("module \"orders\""), "{text}");
}

#[test]
fn init_takes_an_empty_answer_for_the_one_in_brackets() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::start(&sandbox, &["init"]);
    terminal.expect("[dev]: ").answer("").expect("[database]: ").answer("").expect("[local]: ").answer("");
    assert!(terminal.end().ends_with("-- exit 0\n"));
}

#[test]
fn init_refuses_an_answer_it_does_not_know() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::start(&sandbox, &["init"]);
    terminal.expect("[dev]: ").answer("production");
    insta::assert_snapshot!(terminal.end());
}

#[test]
fn errors_are_coloured_on_a_terminal_and_plain_with_no_color() {
    let mut sandbox = Sandbox::new();
    let raw = |sandbox: &Sandbox| {
        let mut terminal = Terminal::start(sandbox, &["plan"]);
        terminal.expect("hint");
        let _ = terminal.child.wait();
        String::from_utf8_lossy(&terminal.seen).contains('\x1b')
    };
    assert!(raw(&sandbox));
    sandbox.set("NO_COLOR", "1");
    assert!(!raw(&sandbox));
}
