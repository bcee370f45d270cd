//! Clusters that wait to become a database's: one for each build of a server in use, unpacked and on disk already.
//!
//! Invariants: what has its name without an ending is whole and on disk; it is taken by renaming, so that no two databases get
//! the same one. They are in the state folder, of which there is one agent, and not in the cache, where things are cleared away
//! piece by piece.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind::{CrossesDevices, NotFound};
use std::path::{Path, PathBuf};

use super::packed::{self, sync_all, sync_folder};
use super::runas::RunAs;
use super::{Result, io_error};

/// Takes the cluster that waits for a template of this name, to be `data`; says whether there was one. Blocking.
pub(crate) fn take(template: &str, run_as: &RunAs, prepared: &Path, data: &Path) -> Result<bool> {
    match std::fs::rename(prepared.join(name(template, run_as)), data) {
        // The folder of databases may be a file system of its own.
        Err(error) if matches!(error.kind(), NotFound | CrossesDevices) => return Ok(false),
        Err(error) => return Err(io_error("rename a prepared cluster to", data, &error)),
        Ok(()) => {}
    }
    // After the machine's end it must not be found where it was, with what a database wrote into it.
    for folder in [prepared, data.parent().unwrap_or(Path::new("/"))] {
        sync_folder(folder)?;
    }
    Ok(true)
}

/// Makes what is missing so that one cluster waits for each of these templates, and removes what waits for no other. One at a
/// time. Blocking. Repeatable.
pub fn stock(templates: &[PathBuf], run_as: &RunAs, prepared: &Path) -> Result<()> {
    let named = |path: &PathBuf| Some((OsString::from(name(path.file_name()?.to_str()?, run_as)), path.clone()));
    let mut wanted: BTreeMap<OsString, PathBuf> = templates.iter().filter_map(named).collect();
    for entry in std::fs::read_dir(prepared).into_iter().flatten().flatten() {
        // What is wanted and there needs nothing; what was left half-made has another name and goes as well.
        if wanted.remove(&entry.file_name()).is_none() {
            discard(&entry.path())?;
        }
    }
    for (name, template) in wanted {
        std::fs::create_dir_all(prepared).map_err(|error| io_error("make", prepared, &error))?;
        let place = prepared.join(name);
        let unfinished = place.with_extension("unfinished");
        packed::unpack(&template, run_as, &unfinished)?;
        sync_all(&unfinished)?;
        std::fs::rename(&unfinished, &place).map_err(|error| io_error("rename", &unfinished, &error))?;
        sync_folder(prepared)?;
    }
    Ok(())
}

/// What is being removed has the name of something half-made, so that the rest of it is never taken.
fn discard(cluster: &Path) -> Result<()> {
    let unfinished = cluster.with_extension("unfinished");
    let remove = || {
        if unfinished != cluster {
            match std::fs::remove_dir_all(&unfinished) {
                Err(error) if error.kind() != NotFound => return Err(error),
                _ => std::fs::rename(cluster, &unfinished)?,
            }
        }
        std::fs::remove_dir_all(&unfinished)
    };
    match remove() {
        // Removed a moment ago, as the half-made one of the same name.
        Err(error) if error.kind() != NotFound => Err(io_error("remove", cluster, &error)),
        _ => Ok(()),
    }
}

/// The files belong to the user that PostgreSQL runs as. No dot in it, so that an ending is one.
fn name(template: &str, run_as: &RunAs) -> String {
    let build = template.trim_end_matches(".tar.zst").replace('.', "_");
    format!("{build}-{}", run_as.uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> RunAs {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        RunAs { name: "me".to_owned(), uid, gid, drops: false }
    }

    /// A folder with a template, and where clusters wait.
    fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("cluster/base/1")).expect("folders");
        std::fs::write(at("cluster/PG_VERSION"), "18\n").expect("written");
        std::fs::write(at("cluster/base/1/1259"), vec![7; 100_000]).expect("written");
        packed::pack(&at("cluster"), &at("18.6-b-2.tar.zst")).expect("packed");
        let (template, prepared) = (at("18.6-b-2.tar.zst"), at("prepared"));
        (folder, template, prepared)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_prepared_cluster_is_taken_once() {
        let (folder, template, prepared) = place();
        stock(&[template], &me(), &prepared).expect("stocked");
        let taken = ["one", "two"].map(|name| take("18.6-b-2.tar.zst", &me(), &prepared, &folder.path().join(name)));
        assert_eq!(taken.map(|taken| taken.expect("looked")), [true, false]);
        assert_eq!(std::fs::read(folder.path().join("one/base/1/1259")).expect("a file"), vec![7; 100_000]);
    }

    #[test]
    fn what_was_left_half_made_is_never_taken_and_goes() {
        let (folder, template, prepared) = place();
        let half = prepared.join(name("18.6-b-2.tar.zst", &me())).with_extension("unfinished");
        std::fs::create_dir_all(half.join("base")).expect("folders");
        assert!(!take("18.6-b-2.tar.zst", &me(), &prepared, &folder.path().join("one")).expect("looked"));
        stock(&[template], &me(), &prepared).expect("stocked");
        assert_eq!(names(&prepared), [name("18.6-b-2.tar.zst", &me())]);
    }

    #[test]
    fn what_waits_for_no_template_in_use_goes() {
        let (_folder, template, prepared) = place();
        stock(&[template], &me(), &prepared).expect("stocked");
        stock(&[], &me(), &prepared).expect("emptied");
        assert_eq!(names(&prepared), [""; 0]);
    }

    #[test]
    fn another_users_cluster_is_not_taken() {
        let (folder, template, prepared) = place();
        stock(&[template], &me(), &prepared).expect("stocked");
        let other = RunAs { uid: me().uid + 1, ..me() };
        assert!(!take("18.6-b-2.tar.zst", &other, &prepared, &folder.path().join("one")).expect("looked"));
    }
}
