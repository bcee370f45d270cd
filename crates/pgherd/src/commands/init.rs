//! `pgherd init`.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, BufRead as _, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pgherd_core::cloud::Cloud;
use serde::Serialize;

use super::Context;
use crate::args;
use crate::error::{CommandError, Exit};
use crate::printer::Printer;

/// Write a first database.hcl
///
/// Asks on a terminal for what no flag says. A file that is already there is never overwritten.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// What it is for; decides everything that is not written in the file
    #[arg(long, value_name = "PRESET")]
    preset: Option<Preset>,

    /// Name of the instance: lower-case letters, digits and dashes
    #[arg(long)]
    name: Option<String>,

    /// Where it will run
    #[arg(long, value_name = "CLOUD", value_parser = args::cloud)]
    cloud: Option<Cloud>,

    /// PostgreSQL version, such as 16 [default: the newest the target offers]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Preset {
    /// Small and disposable: one server, one day of backups
    Dev,
    /// The shape of production: a standby, a week of backups
    Staging,
    /// A standby, a read replica, a week of backups, protected from deletion
    Prod,
}

impl Preset {
    fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }
}

/// Everything that is asked.
#[derive(Debug, Serialize)]
struct Answers {
    preset: Preset,
    name: String,
    cloud: Cloud,
    version: Option<String>,
}

#[derive(Debug, Serialize)]
struct Written {
    file: PathBuf,
    #[serde(flatten)]
    answers: Answers,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &InitArgs) -> Result<Exit, CommandError> {
    let file = target(context.global.file.clone());
    if file.exists() {
        return Err(already_there(&file));
    }
    let answers = answers(context.printer, args)?;
    write_new(&file, &text(&answers))?;
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&Written { file, answers })?;
    } else {
        printer.result(&format!("wrote {}\n", file.display()))?;
        let flag = if context.global.file.is_some() { format!(" -f {}", file.display()) } else { String::new() };
        printer.next(&format!("pgherd up{flag}"));
    }
    Ok(Exit::Done)
}

fn target(file: Option<PathBuf>) -> PathBuf {
    match file {
        Some(folder) if folder.is_dir() => folder.join("database.hcl"),
        Some(file) => file,
        None => PathBuf::from("database.hcl"),
    }
}

fn already_there(file: &std::path::Path) -> CommandError {
    CommandError::refused(format!("{} is already there", file.display()))
        .hint("give another file with -f, or move this one away")
}

fn answers(printer: &Printer, args: &InitArgs) -> Result<Answers, CommandError> {
    let ask = |question: &str, default: &str| {
        if args::can_ask() { question_and_answer(printer, question, default) } else { Ok(default.to_owned()) }
    };
    let preset = match args.preset {
        Some(preset) => preset,
        None => one_of("preset", &ask("What is it for? dev, staging or prod", "dev")?, |text| {
            Preset::from_str(text, true).ok()
        })?,
    };
    let name = match &args.name {
        Some(name) => name.clone(),
        None => ask("Name of the database", "database")?,
    };
    let cloud = match args.cloud {
        Some(cloud) => cloud,
        None => one_of(
            "cloud",
            &ask("Where will it run? local, aws, gcp, azure or digitalocean", "local")?,
            Cloud::from_name,
        )?,
    };
    Ok(Answers { preset, name, cloud, version: args.version.clone() })
}

fn question_and_answer(printer: &Printer, question: &str, default: &str) -> Result<String, CommandError> {
    printer.ask(&format!("{question} [{default}]: "));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|cause| CommandError::io("the answer cannot be read", &cause))?;
    let answer = answer.trim();
    Ok(if answer.is_empty() { default } else { answer }.to_owned())
}

fn one_of<T>(what: &str, answer: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, CommandError> {
    read(answer).ok_or_else(|| {
        CommandError::failed(format!("`{answer}` is no {what}"))
            .hint(format!("--{what} on the command line says it too"))
    })
}

fn write_new(file: &std::path::Path, text: &str) -> Result<(), CommandError> {
    let made = OpenOptions::new().write(true).create_new(true).open(file);
    made.and_then(|mut made| made.write_all(text.as_bytes())).map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => already_there(file),
        _ => CommandError::io(format!("{} cannot be written", file.display()), &cause),
    })
}

fn text(answers: &Answers) -> String {
    let Answers { preset, name, cloud, version } = answers;
    let label = name.replace('-', "_");
    let mut text = format!(
        r#"# A database for pgherd.
#   pgherd explain   every setting, and who decided it
#   pgherd plan      what would be done
#   pgherd apply     does it

module "{label}" {{
  source = "./modules/database_postgres"

  # Name of the instance. It cannot change once the database exists.
  name = "{name}"

  # dev, staging or prod: decides everything that is not written here.
  preset = "{preset}"

  # local, aws, gcp, azure or digitalocean. `--provider local` runs it on this machine whatever stands here.
  cloud_provider = "{cloud}"

"#,
        preset = preset.name()
    );
    match version {
        Some(version) => {
            let _ = write!(text, "  # PostgreSQL version: a major, or an exact minor.\n  engine_version = \"{version}\"\n");
        }
        None => text.push_str(
            "  # PostgreSQL version: a major, or an exact minor. Not written: the newest there is.\n  # engine_version = \"16\"\n",
        ),
    }
    text.push_str(place(*cloud, *preset));
    text.push_str(MORE);
    text
}

/// What the target cannot do without, or cannot do.
fn place(cloud: Cloud, preset: Preset) -> &'static str {
    match cloud {
        Cloud::Aws => "\n  # Where.\n  aws_region = \"us-east-1\"\n",
        Cloud::Gcp => GOOGLE,
        Cloud::Azure => AZURE,
        Cloud::DigitalOcean => "\n  # Where.\n  do_region = \"nyc3\"\n",
        // The others promise encryption and backups, which only the user can give up.
        Cloud::Local if preset == Preset::Dev => DISPOSABLE,
        Cloud::Local => "",
    }
}

const GOOGLE: &str = r#"
  # Where.
  gcp_region = "us-central1"
  # gcp_project = "my-project"

  # The network it is reached from, which has private services access; or publicly_accessible = true.
  vpc_id = "default"
"#;

const AZURE: &str = r#"
  # Where. Both exist before the database does; the vault keeps its credentials.
  location            = "eastus"
  resource_group_name = "databases"
  key_vault_name      = "my-vault"

  # The way in, which cannot change later: from the internet, for allowed_cidr_blocks alone, or in a subnet that is delegated to it.
  publicly_accessible = true
  # subnet_ids = ["<id of the subnet>"]
"#;

const DISPOSABLE: &str = r"
  # A cloud encrypts its disks and takes daily backups. Here the one is up to this machine's disk, and the other is not
  # done in this version: write true, and 1 to 35 days, when the block moves to a cloud.
  storage_encrypted       = false
  backup_retention_period = 0
";

const MORE: &str = r#"
  # Who may connect, besides this machine itself.
  # allowed_cidr_blocks = ["10.0.0.0/8"]

  # PostgreSQL settings, in PostgreSQL's units.
  # parameters = [
  #   { name = "work_mem", value = "8MB" },
  # ]
}
"#;
