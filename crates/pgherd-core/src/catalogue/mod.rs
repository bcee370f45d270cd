//! Dated facts as data files with their sources, and pure look-ups in them.
//!
//! Each file says in its first lines where its rows come from and as of when. A file is read on the first look-up in it and
//! never otherwise, so that commands that need none of it start without it.

pub mod parameters;
pub mod settable;
pub mod sizes;
pub mod versions;

use serde::de::DeserializeOwned;

/// The rows of one of the data files compiled in; lines starting with `#` are its sources.
fn rows<T: DeserializeOwned>(text: &str) -> Vec<T> {
    csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(text.as_bytes())
        .deserialize()
        .map(|row| row.expect("a catalogue file holds what its schema test has read"))
        .collect()
}

/// The name nearest to what was written, if it is near enough to have been meant.
pub fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    names
        .map(|name| (strsim::jaro_winkler(&written, &name.to_ascii_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(a.1)))
        .map(|(_, name)| name)
}

/// Words as a list for people: `a, b or c`.
pub(crate) fn or(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_names_its_date_and_source() {
        for text in [
            include_str!("versions.csv"),
            include_str!("sizes.csv"),
            include_str!("size_map.csv"),
            include_str!("parameters.csv"),
            include_str!("hidden_values.csv"),
            include_str!("digitalocean_parameters.csv"),
        ] {
            let header: String = text.lines().take_while(|line| line.starts_with('#')).collect();
            assert!(header.contains("as of 20"), "no date in: {header}");
            assert!(header.len() > 100, "no source in: {header}");
        }
    }
}
