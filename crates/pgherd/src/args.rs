//! What may be typed: the flags of every verb, and those that stand everywhere. The doc comments are the help.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};

use crate::commands::Verb;

/// Managed PostgreSQL everywhere from one HCL block
///
/// A file `database.hcl` describes databases, one `module` block each. `pgherd up` brings them up on this machine;
/// `plan` and `apply` show and make changes.
#[derive(Debug, Parser)]
#[command(name = "pgherd", version, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "A first database: pgherd init, then pgherd up.")]
pub struct Cli {
    /// Flags that stand everywhere.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags that stand everywhere.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Flags of every verb")]
pub struct Global {
    /// File or folder to read [default: database.hcl here, else every *.hcl and *.tf here]
    #[arg(short, long, global = true, value_name = "PATH")]
    pub file: Option<PathBuf>,

    /// Give a `variable` a value (also PGHERD_VAR_name or TF_VAR_name in the environment)
    #[arg(long = "var", global = true, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub vars: Vec<(String, String)>,

    /// Read values of variables from a *.tfvars file (terraform.tfvars and *.auto.tfvars are read anyway)
    #[arg(long = "var-file", global = true, value_name = "FILE")]
    pub var_files: Vec<PathBuf>,

    /// Run the blocks elsewhere than their cloud_provider says; `local` is this machine
    #[arg(long = "provider", global = true, value_name = "CLOUD", value_parser = cloud, value_delimiter = ',')]
    pub providers: Vec<pgherd_core::cloud::Cloud>,

    /// The one they run on, if one was named.
    #[arg(skip)]
    pub provider: Option<pgherd_core::cloud::Cloud>,

    /// Who is told when a cloud refuses calls for long.
    #[arg(skip)]
    pub told: pgherd_targets::Told,

    /// Print the result as one JSON document (what goes on, such as `logs --follow`: one a line)
    #[arg(long, global = true)]
    pub json: bool,

    /// When to colour (NO_COLOR is honoured)
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = false)]
    pub color: Color,

    /// Say more: notes, every field of a plan, every setting
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Where the databases of this machine are kept
    #[arg(long, global = true, value_name = "DIR", env = "PGHERD_STATE_DIR", hide_env_values = true)]
    pub state_dir: Option<PathBuf>,

    /// Refuse another version of PostgreSQL than the one written, rather than running the nearest newer one
    #[arg(long, global = true, alias = "strict-minor")]
    pub strict_engine_version: bool,

    /// Look for PostgreSQL servers in this folder first; may be repeated
    #[arg(
        long = "postgres-dir",
        global = true,
        value_name = "DIR",
        env = "PGHERD_POSTGRES_DIR",
        hide_env_values = true
    )]
    pub postgres_dirs: Vec<PathBuf>,

    /// Accept what a diagnostic with this code says the target cannot promise
    #[arg(
        long = "accept",
        global = true,
        value_name = "CODE",
        value_parser = PossibleValuesParser::new(pgherd_targets::acceptable()),
        hide_possible_values = true
    )]
    pub accepted: Vec<String>,

    /// `vars` and `var_files` in the order they were typed: the later one wins.
    #[arg(skip)]
    pub given: Vec<GivenVariable>,
}

/// One `--var` or `--var-file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenVariable {
    /// `--var name=text`.
    Var(String, String),
    /// `--var-file path`.
    File(PathBuf),
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On terminals
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Blocks to work on.
#[derive(Debug, Clone, Default, Args)]
pub struct Blocks {
    /// Labels of the blocks [default: all of the file]
    #[arg(value_name = "BLOCK")]
    pub blocks: Vec<String>,

    /// Label of a block, as a flag; may be repeated
    #[arg(short, long = "block", value_name = "BLOCK")]
    pub by_flag: Vec<String>,
}

impl Blocks {
    /// Those of these labels.
    pub fn of(labels: impl IntoIterator<Item = String>) -> Self {
        Self { blocks: labels.into_iter().collect(), by_flag: Vec::new() }
    }

    /// Labels, whichever way they were typed.
    pub fn labels(&self) -> Vec<&str> {
        self.blocks.iter().chain(&self.by_flag).map(String::as_str).collect()
    }
}

/// One block to work on.
#[derive(Debug, Clone, Args)]
pub struct OneBlock {
    /// Label of the block; needed when the file has several
    #[arg(value_name = "BLOCK")]
    pub block: Option<String>,

    /// Label of the block, as a flag
    #[arg(short, long = "block", value_name = "BLOCK", conflicts_with = "block")]
    pub by_flag: Option<String>,
}

impl OneBlock {
    /// The one of this label, or the only one.
    pub fn of(label: Option<String>) -> Self {
        Self { block: label, by_flag: None }
    }

    /// Its label, whichever way it was typed.
    pub fn label(&self) -> Option<&str> {
        self.block.as_deref().or(self.by_flag.as_deref())
    }
}

/// Flags of the verbs that change something.
#[derive(Debug, Clone, Args)]
pub struct Change {
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Wait until it is done (this is the default)
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,

    /// Return as soon as it is accepted, with exit code 3 when it goes on
    #[arg(long)]
    pub no_wait: bool,

    /// Stop waiting after this long, with exit code 6; the work goes on
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<std::time::Duration>,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// What was typed, or why it cannot be understood.
pub fn parse(typed: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let typed: Vec<OsString> = terraform_spelling(typed).collect();
    let matches = Cli::command().color(help_color(&typed)).try_get_matches_from(typed)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    cli.global.given = in_typed_order(&cli.global, &matches);
    cli.global.provider = match cli.global.providers.as_slice() {
        [] => None,
        [one] => Some(*one),
        _ if cli.verb.compares() => None,
        _ => {
            let words = "one target is meant here; `pgherd plan` shows several side by side";
            return Err(Cli::command().error(clap::error::ErrorKind::TooManyValues, words));
        }
    };
    Ok(cli)
}

fn in_typed_order(global: &Global, matches: &clap::ArgMatches) -> Vec<GivenVariable> {
    let verb = matches.subcommand().map_or(matches, |(_, verb)| verb);
    let indices = |name| verb.indices_of(name).into_iter().flatten();
    let vars = global.vars.iter().map(|(name, text)| GivenVariable::Var(name.clone(), text.clone()));
    let files = global.var_files.iter().map(|path| GivenVariable::File(path.clone()));
    let mut all: Vec<(usize, GivenVariable)> =
        indices("vars").zip(vars).chain(indices("var_files").zip(files)).collect();
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, given)| given).collect()
}

/// Terraform writes `-var x=y` and `-var-file f` with one dash; so may everybody here.
fn terraform_spelling(typed: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut passed_through = false;
    typed.into_iter().map(move |word| {
        passed_through |= word == "--";
        let text = word.to_string_lossy();
        let is_var = ["-var", "-var-file"].contains(&text.split('=').next().unwrap_or_default());
        if is_var && !passed_through { OsString::from(format!("-{text}")) } else { word }
    })
}

/// Help is printed before any flag is understood, so its colour is looked up in the words themselves.
fn help_color(typed: &[OsString]) -> clap::ColorChoice {
    let value = typed.iter().enumerate().find_map(|(index, word)| {
        let text = word.to_str()?;
        text.strip_prefix("--color=")
            .or_else(|| (text == "--color").then(|| typed.get(index + 1).and_then(|next| next.to_str())).flatten())
    });
    match value {
        Some("never") => clap::ColorChoice::Never,
        Some("always") => clap::ColorChoice::Always,
        _ => clap::ColorChoice::Auto,
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("write {text}=VALUE"))?;
    if name.is_empty() {
        return Err("write NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// The cloud of that name, or its advice.
pub fn cloud(text: &str) -> Result<pgherd_core::cloud::Cloud, String> {
    use pgherd_core::cloud::Cloud;
    let names = || Cloud::ALL.iter().map(|cloud| cloud.name()).collect::<Vec<_>>().join(", ");
    Cloud::from_name(text).ok_or_else(|| format!("one of {}", names()))
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let advice = "write a time with its unit, such as 30s, 5m or 1h";
    let signed: jiff::SignedDuration = text.parse().map_err(|_| advice.to_owned())?;
    std::time::Duration::try_from(signed).map_err(|_| advice.to_owned())
}

/// Whether somebody is there to answer a question.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_spelling(typed: &str, expected: &str) {
        let words = typed.split(' ').map(OsString::from);
        let seen: Vec<String> = terraform_spelling(words).map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(seen.join(" "), expected);
    }

    #[test]
    fn the_definition_of_the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn one_dash_is_enough_for_var() {
        check_spelling("plan -var a=b", "plan --var a=b");
        check_spelling("plan -var=a=b -var-file=x", "plan --var=a=b --var-file=x");
        check_spelling("plan -v -q", "plan -v -q");
    }

    #[test]
    fn variables_keep_the_order_they_were_typed_in() {
        let typed = ["pgherd", "--var", "a=1", "man", "--var-file", "f", "--var", "a=2", "dir"].map(OsString::from);
        let given = parse(typed).expect("is understood").global.given;
        let var = |value: &str| GivenVariable::Var("a".to_owned(), value.to_owned());
        // Flags before the verb are not kept beside flags after it: clap lets the verb's own win.
        assert_eq!(given, [GivenVariable::File(PathBuf::from("f")), var("2")]);
    }

    #[test]
    fn what_is_passed_through_is_left_alone() {
        check_spelling("connect -- -var x", "connect -- -var x");
    }
}
