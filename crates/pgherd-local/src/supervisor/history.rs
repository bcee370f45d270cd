//! What happened to an instance, as JSON lines that outlive it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::files;
use super::messages::Happening;

/// A longer history is moved to `<name>.1.jsonl`, over the one before.
const LONGEST_BYTES: u64 = 1 << 20;

/// The history of one instance.
#[derive(Debug, Clone)]
pub struct History {
    file: PathBuf,
    older: PathBuf,
}

impl History {
    /// Below a state folder.
    pub fn of(state: &Path, instance: &str) -> Self {
        let folder = state.join("events");
        Self { file: folder.join(format!("{instance}.jsonl")), older: folder.join(format!("{instance}.1.jsonl")) }
    }

    /// Adds a line. What cannot be written is said in the agent's log: no history is no reason to stop.
    pub fn add(&self, happening: &Happening) {
        tracing::info!(instance = happening.instance, "{}", happening.message);
        if let Err(error) = self.try_add(happening) {
            tracing::warn!("{} cannot be written: {error}", self.file.display());
        }
    }

    fn try_add(&self, happening: &Happening) -> std::io::Result<()> {
        if let Some(folder) = self.file.parent() {
            files::make_folder(folder, 0o700)?;
        }
        let mut line = serde_json::to_vec(happening)?;
        line.push(b'\n');
        if std::fs::metadata(&self.file).is_ok_and(|metadata| metadata.len() > LONGEST_BYTES) {
            std::fs::rename(&self.file, &self.older)?;
        }
        OpenOptions::new().create(true).append(true).mode(0o600).open(&self.file)?.write_all(&line)
    }

    /// Everything kept, oldest first. A line cut short by a power cut is left out.
    pub fn read(&self) -> Vec<Happening> {
        let files = [&self.older, &self.file].into_iter().filter_map(|file| std::fs::read_to_string(file).ok());
        let lines: Vec<String> = files.collect();
        lines.iter().flat_map(|text| text.lines()).filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
