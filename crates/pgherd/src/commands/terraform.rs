//! `pgherd terraform`.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Context;
use crate::error::{CommandError, Exit};

/// Terraform's file name of the provider begins like this, with and without a version.
const PROGRAM: &str = "terraform-provider-pgherd";

/// Where Terraform looks for providers without being told, below the home directory ("implied local mirror directories" in its
/// documentation of the CLI configuration), and the address by which the module asks for this one.
const MIRROR: &str = ".terraform.d/plugins/local/pgherd/pgherd";

/// The names that the requirements use for the module: the same files under both.
const NAMES: [&str; 2] = ["database_postgres", "database"];

/// The files of the module as this version has them.
const FILES: [(&str, &str); 4] = [
    ("main.tf", include_str!("../../../../modules/database_postgres/main.tf")),
    ("variables.tf", include_str!("../../../../modules/database_postgres/variables.tf")),
    ("outputs.tf", include_str!("../../../../modules/database_postgres/outputs.tf")),
    ("README.md", include_str!("../../../../modules/database_postgres/README.md")),
];

/// Have the same blocks work under Terraform
#[derive(Debug, Args)]
pub struct TerraformArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Install(InstallArgs),
}

/// Put provider and module where `terraform init` finds them, without a network
///
/// The provider goes below ~/.terraform.d/plugins, where Terraform looks without any configuration, and the module into the
/// folder modules of the working folder, for `source = "./modules/database_postgres"`. What is there already is brought to this
/// version; files that pgherd did not write stay as they are, and nothing is done then. Where a configuration of Terraform's own has
/// `provider_installation`, Terraform looks only where that says, and a warning tells what to write into it.
#[derive(Debug, Args)]
struct InstallArgs {
    /// The provider [default: terraform-provider-pgherd beside this program]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,

    /// Where the modules go
    #[arg(long, value_name = "FOLDER", default_value = "modules")]
    modules: PathBuf,
}

#[derive(Debug, Serialize)]
struct Installed {
    provider: PathBuf,
    modules: Vec<PathBuf>,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &TerraformArgs) -> Result<Exit, CommandError> {
    let What::Install(args) = &args.what;
    let program = program(args.program.as_deref())?;
    let folders = NAMES.map(|name| args.modules.join(name));
    folders.iter().try_for_each(|folder| ensure_ours(folder))?;
    let provider = place(&program)?;
    folders.iter().try_for_each(|folder| lay_out(folder))?;
    let modules = folders.into();
    let installed = Installed { provider, modules };
    let printer = context.printer;
    if let Some(file) = looks_elsewhere() {
        let message =
            format!("{} says where providers are looked for, and so Terraform does not look there", file.display());
        printer.warn("provider-installation", &message, &mirror());
    }
    if printer.is_json() {
        printer.json(&installed)?;
        return Ok(Exit::Done);
    }
    for path in std::iter::once(&installed.provider).chain(&installed.modules) {
        printer.result(&format!("wrote {}\n", path.display()))?;
    }
    printer.next("terraform init (with -upgrade where an earlier build was in use)");
    Ok(Exit::Done)
}

/// The provider to install.
fn program(given: Option<&Path>) -> Result<PathBuf, CommandError> {
    let program = match given {
        Some(program) => program.to_path_buf(),
        None => std::env::current_exe()
            .map_err(|cause| CommandError::io("cannot tell where this program is", &cause))?
            .with_file_name(PROGRAM),
    };
    if program.is_file() {
        return Ok(program);
    }
    Err(CommandError::not_found(format!("there is no {}", program.display()))
        .hint("cargo build --release --package terraform-provider-pgherd makes it; --program says where it is"))
}

/// Refuses a folder that somebody else filled: ours are the files that begin as we would write them. What a run that was killed left
/// is a part of ours under another name, and no reason to refuse.
fn ensure_ours(folder: &Path) -> Result<(), CommandError> {
    let refused = |what: &Path| {
        Err(CommandError::refused(format!("{} is there and not written by pgherd", what.display()))
            .hint("move it away, or give another folder with --modules and name that in `source`"))
    };
    let mut is_ours = false;
    for (name, text) in FILES {
        let file = folder.join(name);
        match fs::read(&file) {
            // A version that wrote in place may have been killed before the first byte was there.
            Ok(there) if there.is_empty() || first_line(&there) == first_line(text.as_bytes()) => is_ours = true,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Ok(_) | Err(_) => return refused(&file),
        }
    }
    let is_unfinished = |entry: &fs::DirEntry| FILES.iter().any(|(name, _)| entry.file_name() == *unfinished(name));
    let mut others = fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| !is_unfinished(entry));
    if is_ours || others.next().is_none() { Ok(()) } else { refused(folder) }
}

fn first_line(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// What a file is called until it is whole.
fn unfinished(name: &str) -> String {
    format!(".{name}.unfinished")
}

/// Copies the provider to where Terraform looks; a run that goes on keeps the old one.
fn place(program: &Path) -> Result<PathBuf, CommandError> {
    let home =
        home().ok_or_else(|| CommandError::failed("HOME is not set, below which Terraform looks for providers"))?;
    let version = env!("CARGO_PKG_VERSION");
    let folder = home.join(MIRROR).join(version).join(platform()?);
    let there = folder.join(format!("{PROGRAM}_v{version}"));
    let part = folder.join(unfinished(PROGRAM));
    let copied = fs::create_dir_all(&folder)
        .and_then(|()| fs::copy(program, &part))
        .and_then(|_| fs::set_permissions(&part, fs::Permissions::from_mode(0o755)))
        .and_then(|()| fs::rename(&part, &there));
    copied.map_err(|cause| cannot_write(&there, &cause))?;
    Ok(there)
}

/// A configuration of Terraform's or OpenTofu's own, where that names the places of providers and ours is none of them.
fn looks_elsewhere() -> Option<PathBuf> {
    let named = ["TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG", "TOFU_CLI_CONFIG_FILE"]
        .map(|name| std::env::var_os(name).filter(|file| !file.is_empty()));
    let home = home()?;
    let usual = [".terraformrc", ".tofurc"].map(|name| home.join(name));
    let named: Vec<PathBuf> = named.into_iter().flatten().map(PathBuf::from).collect();
    let files = if named.is_empty() { usual.to_vec() } else { named };
    let more = fs::read_dir(home.join(".terraform.d")).into_iter().flatten().flatten().map(|entry| entry.path());
    let more = more.filter(|path| path.extension().is_some_and(|extension| extension == "tfrc"));
    let ours = home.join(".terraform.d/plugins").display().to_string();
    files.into_iter().chain(more).find(|file| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let says =
            |words: &str| text.lines().any(|line| !line.trim_start().starts_with(['#', '/']) && line.contains(words));
        says("provider_installation") && !says(&ours)
    })
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// What has Terraform look there.
fn mirror() -> String {
    let path = home().unwrap_or_default().join(".terraform.d/plugins");
    format!(
        "write a block filesystem_mirror with path = \"{}\" and include = [\"local/pgherd/*\"] into provider_installation, and \
         exclude = [\"local/pgherd/*\"] into the other blocks there",
        path.display()
    )
}

/// As Terraform calls this machine (`GOOS_GOARCH`).
fn platform() -> Result<&'static str, CommandError> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("linux_amd64"),
        ("linux", "aarch64") => Ok("linux_arm64"),
        (system, arch) => Err(CommandError::failed(format!("there is no provider for {system} on {arch}"))),
    }
}

/// Writes the module. Each file gets its name when it is whole, so that a run that is killed leaves an earlier one or none.
fn lay_out(folder: &Path) -> Result<(), CommandError> {
    fs::create_dir_all(folder).map_err(|cause| cannot_write(folder, &cause))?;
    for (name, text) in FILES {
        let (file, part) = (folder.join(name), folder.join(unfinished(name)));
        let written = fs::write(&part, text).and_then(|()| fs::rename(&part, &file));
        written.map_err(|cause| cannot_write(&file, &cause))?;
    }
    Ok(())
}

fn cannot_write(path: &Path, cause: &io::Error) -> CommandError {
    CommandError::io(format!("{} cannot be written", path.display()), cause)
}
