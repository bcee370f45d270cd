//! The reference pages, printed by the program itself so that they cannot drift from it, and the Terraform module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::module;

/// What `pgherd reference` prints, each a page of the same name.
const PAGES: [&str; 7] = ["cli", "variables", "clouds", "outputs", "checks", "functions", "exit-codes"];

/// The page of what Terraform is offered.
const TERRAFORM: &str = "terraform";

/// Writes every page.
pub fn write() -> Result<(), String> {
    for (file, text) in module::files() {
        keep(&root().join(file), &text)?;
    }
    for page in PAGES {
        keep(&path(page), &print(page)?)?;
    }
    keep(&path(TERRAFORM), &terraform_provider_pgherd::reference())
}

fn keep(path: &Path, text: &str) -> Result<(), String> {
    let cannot = |error| format!("cannot write {}: {error}", path.display());
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(cannot)?;
    fs::write(path, text).map_err(cannot)
}

/// Says which pages are not what the program prints.
pub fn check() -> Result<(), String> {
    let mut stale = Vec::new();
    for page in PAGES {
        if fs::read_to_string(path(page)).unwrap_or_default() != print(page)? {
            stale.push(format!("docs/src/reference/{page}.md"));
        }
    }
    if fs::read_to_string(path(TERRAFORM)).unwrap_or_default() != terraform_provider_pgherd::reference() {
        stale.push(format!("docs/src/reference/{TERRAFORM}.md"));
    }
    for (file, text) in module::files() {
        if fs::read_to_string(root().join(&file)).unwrap_or_default() != text {
            stale.push(file);
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(format!("not fresh: {}; run cargo xtask generate", stale.join(", "))) }
}

fn path(page: &str) -> PathBuf {
    root().join(format!("docs/src/reference/{page}.md"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn print(page: &str) -> Result<String, String> {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "pgherd", "--", "reference", page])
        .output()
        .map_err(|error| format!("cannot run pgherd: {error}"))?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(|_| format!("pgherd reference {page} printed no text"))
    } else {
        Err(format!("pgherd reference {page} failed: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
