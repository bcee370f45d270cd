//! Which creates were begun from this working folder: written before the first step, and taken away when the state is seen to know.
//!
//! Terraform that is killed in the middle of a create, or before it has written down what came of one, knows nothing of what there is. A
//! database of that name may also be somebody else's, another configuration's say, and is not taken over just like that; so the intent is
//! written down where only this configuration looks, and at the end what was made, by what another of the same name does not have.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The note about one create.
#[derive(Debug)]
pub struct Begun(PathBuf);

impl Begun {
    /// The note about the database of this identity, in Terraform's own folder of the configuration; each workspace has its own.
    pub fn of(id: &str) -> Self {
        let folder = std::env::var_os("TF_DATA_DIR").filter(|folder| !folder.is_empty());
        let folder = folder.map_or_else(|| PathBuf::from(".terraform"), PathBuf::from);
        let named = std::env::var("TF_WORKSPACE").ok().filter(|name| !name.is_empty());
        let chosen = || fs::read_to_string(folder.join("environment")).ok();
        let workspace = named.or_else(chosen).unwrap_or_else(|| "default".to_owned());
        Self::within(&folder, workspace.trim(), id)
    }

    fn within(folder: &Path, workspace: &str, id: &str) -> Self {
        // A region may be anything that somebody wrote; names hold letters, digits and hyphens.
        let safe = |text: &str| text.replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-', "_");
        Self(folder.join("pgherd").join(safe(workspace)).join(format!("{}.begun", safe(id))))
    }

    /// Whether this is what was begun: `found` tells one database from another that once has its name, where that is known.
    pub fn is_about(&self, found: Option<&str>) -> bool {
        fs::read_to_string(&self.0).is_ok_and(|made| made.is_empty() || Some(made.as_str()) == found)
    }

    /// Writes down that it is begun.
    pub fn write(&self) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.0, "")
    }

    /// Writes down what was made. Whether Terraform gets to write its state is not known here.
    pub fn made(&self, made: Option<&str>) {
        let written = made.is_some_and(|made| fs::write(&self.0, made).is_ok());
        if !written {
            self.remove();
        }
    }

    /// Takes it away; what is not there is away.
    pub fn remove(&self) {
        // At worst a later create of the same name, in the same folder, goes on with what there is.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_create_is_known_from_its_beginning_to_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |name: &str| Begun::within(&folder.path().join("data"), "default", &format!("local/{name}"));
        assert!(!of("orders").is_about(None));
        of("orders").write().expect("it is written");
        assert!(of("orders").is_about(None) && of("orders").is_about(Some("7")) && !of("others").is_about(None));
        let elsewhere = Begun::within(&folder.path().join("data"), "staging", "local/orders");
        assert!(!elsewhere.is_about(None), "another workspace");
        of("orders").made(Some("7"));
        assert!(of("orders").is_about(Some("7")));
        assert!(!of("orders").is_about(Some("8")) && !of("orders").is_about(None), "another one of the name");
        of("orders").remove();
        of("orders").remove();
        assert!(!of("orders").is_about(Some("7")));
        of("others").write().expect("it is written");
        of("others").made(None);
        assert!(!of("others").is_about(None));
    }
}
