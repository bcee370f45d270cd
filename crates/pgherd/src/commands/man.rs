//! `pgherd man`.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use serde::Serialize;

use super::Context;
use crate::args::Cli;
use crate::error::{CommandError, Exit};

/// Write the manual pages to a folder
///
/// One page for pgherd and one for each verb. `man -l FOLDER/pgherd.1` shows one without installing it.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Folder to write to; it is made when it is not there
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

#[derive(Debug, Serialize)]
struct Written {
    folder: PathBuf,
    pages: Vec<String>,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &ManArgs) -> Result<Exit, CommandError> {
    let cannot =
        |cause| CommandError::io(format!("the manual pages cannot be written to {}", args.folder.display()), &cause);
    fs::create_dir_all(&args.folder).map_err(cannot)?;
    clap_mangen::generate_to(Cli::command(), &args.folder).map_err(cannot)?;
    let mut pages: Vec<String> = fs::read_dir(&args.folder)
        .map_err(cannot)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("pgherd") && name.ends_with(".1"))
        .collect();
    pages.sort();
    let written = Written { folder: args.folder.clone(), pages };
    if context.printer.is_json() {
        context.printer.json(&written)?;
    } else {
        context.printer.result(&format!("{} pages in {}\n", written.pages.len(), written.folder.display()))?;
        context.printer.next(&format!("man -l {}", args.folder.join("pgherd.1").display()));
    }
    Ok(Exit::Done)
}
