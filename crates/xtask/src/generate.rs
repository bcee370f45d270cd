//! The reference pages, printed by the program itself so that they cannot drift from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `pgherd reference` prints, each a page of the same name.
const PAGES: [&str; 6] = ["cli", "variables", "outputs", "checks", "functions", "exit-codes"];

/// Writes every page.
pub fn write() -> Result<(), String> {
    for page in PAGES {
        let path = path(page);
        fs::write(&path, print(page)?).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

/// Says which pages are not what the program prints.
pub fn check() -> Result<(), String> {
    let mut stale = Vec::new();
    for page in PAGES {
        if fs::read_to_string(path(page)).unwrap_or_default() != print(page)? {
            stale.push(format!("docs/src/reference/{page}.md"));
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(format!("not fresh: {}; run cargo xtask generate", stale.join(", "))) }
}

fn path(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/src/reference/{page}.md"))
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
