//! The command line of the chores: see the library.

use std::process::ExitCode;

#[expect(clippy::print_stdout, reason = "what was asked for")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match xtask::run(&words) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            xtask::say(&message);
            ExitCode::FAILURE
        }
    }
}
