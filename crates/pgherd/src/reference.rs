//! Pages of the reference, made from the tables the program itself works by.

mod clouds;

use clap::CommandFactory as _;
use pgherd_core::checks::CHECKS;
use pgherd_core::cloud::Cloud;
use pgherd_core::eval::functions;
use pgherd_core::variables::{self, OUTPUTS, Section, Variable};

pub use self::clouds::clouds;
use crate::args::Cli;
use crate::error::Exit;

/// Every verb with its help, as a terminal of 100 columns shows it.
pub fn cli() -> String {
    let mut root = Cli::command().term_width(100).color(clap::ColorChoice::Never);
    root.build();
    let mut page = String::from(
        "# Command line\n\nWhat `--help` says, verb by verb. The flags of every verb stand in the first section only.\n",
    );
    page.push_str(&section("pgherd", &mut root.clone()));
    page.push_str(&verbs_of("pgherd", &root));
    page
}

/// The verbs of a command, and theirs.
fn verbs_of(title: &str, command: &clap::Command) -> String {
    let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help");
    let of_verb = |verb: &clap::Command| {
        let title = format!("{title} {}", verb.get_name());
        let mut own = verb.clone().mut_args(|flag| if flag.is_global_set() { flag.hide(true) } else { flag });
        section(&title, &mut own) + &verbs_of(&title, verb)
    };
    shown.map(of_verb).collect()
}

fn section(title: &str, command: &mut clap::Command) -> String {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    format!("\n## {title}\n\n```text\n{}\n```\n", lines.join("\n").trim_end())
}

/// Every exit code with its meaning.
pub fn exit_codes() -> String {
    let mut page = String::from("# Exit codes\n\n| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        page.push_str(&format!("| {} | {} |\n", exit.number(), exit.meaning()));
    }
    page
}

/// Every variable of the block, section by section.
pub fn variables() -> String {
    let mut page = String::from(
        "# Variables\n\nEvery argument of a block. None is required. Where two names mean the same, either may be written; the \
         first is the one pgherd prefers.\n",
    );
    for section in Section::ALL {
        page.push_str(&format!("\n## {section}\n"));
        for variable in variables::all().filter(|variable| variable.section == *section) {
            page.push_str(&of_variable(variable));
        }
    }
    page
}

fn of_variable(variable: &Variable) -> String {
    let Variable { name, ty, canonical, sensitive, forces_new, clouds, default, meaning, validation, section: _ } =
        variable;
    let mut text = format!("\n### `{name}`\n\n{meaning}\n\n* type: `{ty}`\n");
    if let Some(canonical) = canonical {
        text.push_str(&format!("* another name of [`{canonical}`](#{canonical})\n"));
    } else if !default.is_empty() {
        text.push_str(&format!("* when not written: {}\n", prose(default)));
    }
    if !validation.is_empty() {
        text.push_str(&format!("* allowed: {}\n", prose(validation)));
    }
    let also: Vec<String> = variables::aliases(name).map(|alias| format!("`{}`", alias.name)).collect();
    if !also.is_empty() {
        text.push_str(&format!("* may also be written as {}\n", also.join(", ")));
    }
    if clouds.len() < Cloud::ALL.len() {
        let names: Vec<&str> = clouds.iter().map(|cloud| cloud.name()).collect();
        text.push_str(&format!("* acts on {}; elsewhere it is accepted and has no effect\n", names.join(", ")));
    }
    if *forces_new {
        text.push_str("* cannot change once the database exists\n");
    }
    if *sensitive {
        text.push_str("* never shown\n");
    }
    text
}

/// Every output.
pub fn outputs() -> String {
    let mut page = String::from(
        "# Outputs\n\nWhat `pgherd output` prints and a module returns. All are always present; `null` where the target has no \
         such thing. Secret ones are shown with `--reveal`.\n\n| output | type | secret | what it is |\n|---|---|---|---|\n",
    );
    for output in OUTPUTS {
        let secret = if output.sensitive { "yes" } else { "" };
        page.push_str(&format!("| `{}` | `{}` | {secret} | {} |\n", output.name, output.ty, cell(output.meaning)));
    }
    page
}

/// Every check with its examples, which are its tests.
pub fn checks() -> String {
    let mut page = String::from(
        "# Checks\n\nWhat is said about a block before anything is touched. An error stops the run, a warning never does, a note \
         is shown with `-v`. The examples are the arguments of a block.\n",
    );
    for check in CHECKS {
        page.push_str(&format!("\n## `{}`\n\n{}\n", check.code, check.words));
        for wrong in check.wrong {
            page.push_str(&format!("\n```hcl\n{}\n```\n\n", wrong.block.trim()));
            for said in wrong.says {
                page.push_str(&format!("* {}\n", prose(said)));
            }
        }
    }
    page
}

/// Every function that may be called in a block.
pub fn functions() -> String {
    let mut page = String::from(
        "# Functions\n\nTerraform's, as far as a block needs them: none looks at a file, a clock or chance.\n\n\
         | function | what it gives |\n|---|---|\n",
    );
    for function in functions::all() {
        page.push_str(&format!("| `{}` | {} |\n", cell(function.usage), cell(function.words)));
    }
    page
}

/// Text that is no HTML.
fn prose(text: &str) -> String {
    text.replace('<', "\\<")
}

/// Text that may stand in a cell of a table.
fn cell(text: &str) -> String {
    prose(text).replace('|', "\\|")
}
