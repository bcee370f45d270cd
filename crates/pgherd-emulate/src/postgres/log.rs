//! What servers write, read on from where it was read last.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::base::Base;

/// The file that the output of a server goes to.
const FILE: &str = "log/start.log";

/// A server, as the emulation knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Of {
    /// Its region.
    pub region: String,
    /// The `db-…` id of its instance.
    pub id: String,
}

/// The logs of all servers, by the name of their folders, and how far each has been read.
#[derive(Debug, Default)]
pub struct Logs(BTreeMap<String, (Of, u64)>);

impl Logs {
    /// Reads the log of this server from now on, too.
    pub fn follow(&mut self, folder: String, region: &str, id: &str) {
        self.0.entry(folder).or_insert_with(|| (Of { region: region.to_owned(), id: id.to_owned() }, 0));
    }

    /// The lines that came since, those of each server together.
    pub fn news(&mut self, base: &Base) -> Vec<(Of, Vec<String>)> {
        let servers = self.0.iter_mut();
        let news = servers.filter_map(|(folder, (of, at))| {
            let lines = read(&base.server(folder).join(FILE), at);
            (!lines.is_empty()).then(|| (of.clone(), lines))
        });
        news.collect()
    }
}

/// Whole lines from a place on, which moves. A file that cannot be read now is read later.
fn read(path: &Path, at: &mut u64) -> Vec<String> {
    let mut bytes = Vec::new();
    let mut all = || -> std::io::Result<()> {
        let mut file = File::open(path)?;
        // It was begun anew.
        if file.metadata()?.len() < *at {
            *at = 0;
        }
        file.seek(SeekFrom::Start(*at))?;
        file.read_to_end(&mut bytes).map(drop)
    };
    let is_read = all().is_ok();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if !is_read || whole == 0 {
        return Vec::new();
    }
    *at += whole as u64;
    let text = String::from_utf8_lossy(&bytes[..whole]);
    text.split_inclusive('\n').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn whole_lines_are_read_once_and_a_new_file_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut at) = (folder.path().join("log"), 0);
        assert_eq!(read(&path, &mut at), [""; 0]);
        std::fs::write(&path, "one\ntwo\nthr").unwrap();
        assert_eq!(read(&path, &mut at), ["one\n", "two\n"]);
        assert_eq!(read(&path, &mut at), [""; 0]);
        File::options().append(true).open(&path).unwrap().write_all(b"ee\n").unwrap();
        assert_eq!(read(&path, &mut at), ["three\n"]);
        std::fs::write(&path, "four\n").unwrap();
        assert_eq!(read(&path, &mut at), ["four\n"]);
    }
}
