//! Development chores: `cargo xtask generate`, `cargo xtask bench`.

use std::process::ExitCode;

mod bench;
mod generate;

const USAGE: &str = "usage: cargo xtask generate [--check]
       cargo xtask bench [NAME]...
  generate   writes docs/src/reference/*.md from the program itself; --check only says whether they are fresh
  bench      measures pgherd and fails above a bar; all benches when none is named";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["generate"] => generate::write(),
        ["generate", "--check"] => generate::check(),
        ["bench", names @ ..] => bench::run(names).map(print),
        ["bench-child", arguments @ ..] => bench::child(arguments).map(print),
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

#[expect(clippy::needless_pass_by_value, reason = "the end of a chain of results")]
#[expect(clippy::print_stdout, reason = "what was asked for")]
fn print(text: String) {
    print!("{text}");
}

#[expect(clippy::print_stderr, reason = "a chore talks to the developer who called it")]
fn say(message: &str) {
    eprintln!("{message}");
}
