//! `pgherd completions`.

use clap::{Args, CommandFactory as _, ValueEnum};

use super::Context;
use crate::args::Cli;
use crate::error::{CommandError, Exit};

/// Print a script that completes verbs and flags in a shell
///
/// bash: pgherd completions bash > ~/.local/share/bash-completion/completions/pgherd
/// zsh:  pgherd completions zsh > a folder of $fpath, as _pgherd
/// fish: pgherd completions fish > ~/.config/fish/completions/pgherd.fish
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &CompletionsArgs) -> Result<Exit, CommandError> {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pgherd", &mut script);
    let script = String::from_utf8(script).expect("completion scripts are made of our own help, which is text");
    context.printer.text(&script)?;
    Ok(Exit::Done)
}
