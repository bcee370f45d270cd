//! Development chores: `cargo xtask generate`, `cargo xtask bench`.

use std::process::ExitCode;

mod generate;

const USAGE: &str = "usage: cargo xtask generate [--check]
  generate   writes docs/src/reference/*.md from the program itself; --check only says whether they are fresh";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["generate"] => generate::write(),
        ["generate", "--check"] => generate::check(),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&message);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a chore talks to the developer who called it")]
fn say(message: &str) {
    eprintln!("{message}");
}
