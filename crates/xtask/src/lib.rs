//! Development chores: `cargo xtask generate`, `cargo xtask bench`, `cargo xtask scenarios`, `cargo xtask dist`.
//!
//! A library for the sake of the tests of pgherd and of its provider, which play `scenarios/`, pack an archive and run the documents' examples
//! with the programs they are built with.

use std::io::Write as _;

mod bench;
pub mod dist;
pub mod documents;
mod generate;
mod herd;
mod machine;
pub mod module;
pub mod scenarios;
mod writers;

const USAGE: &str = "usage: cargo xtask generate [--check]
       cargo xtask bench [NAME]...
       cargo xtask scenarios [NAME]...
       cargo xtask dist [--debug]
  generate   writes docs/src/reference/*.md and modules/ from the program itself; --check only says whether they are fresh
  bench      measures pgherd and fails above a bar; all benches when none is named
  scenarios  plays scenarios/ on real PostgreSQL; all when none is named
  dist       packs Terraform's provider with its checksum into target/dist, which is a mirror for `terraform init`;
             --debug packs what is built quickly, to try that out";

/// Does what these words ask for; what is to be printed, or what went wrong.
pub fn run(words: &[&str]) -> Result<String, String> {
    match words {
        ["generate"] => generate::write().map(|()| String::new()),
        ["generate", "--check"] => generate::check().map(|()| String::new()),
        ["bench", names @ ..] => bench::run(names),
        ["scenarios", names @ ..] => scenarios::run(&machine::program()?, names),
        ["dist"] => dist::write(dist::Build::Release),
        ["dist", "--debug"] => dist::write(dist::Build::Debug),
        ["bench-child", arguments @ ..] => bench::child(arguments),
        _ => Err(USAGE.to_owned()),
    }
}

/// Says something to the developer who called, and in tests, too: what takes minutes tells how far it is.
pub fn say(message: &str) {
    // Nobody listens: nothing is missed.
    let _ = writeln!(std::io::stderr(), "{message}");
}
