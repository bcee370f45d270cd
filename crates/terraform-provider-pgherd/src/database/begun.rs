//! Which creates were begun from this working folder: written before the first step, and taken away when the state is seen to know.
//!
//! Terraform that is killed in the middle of a create, or before it has written down what came of one, knows nothing of what there is. A
//! database of that name may also be somebody else's, another configuration's say, and is not taken over just like that; so the intent is
//! written down where only this configuration looks, and at the end what was made, by what another of the same name does not have.
//!
//! Invariant: of two blocks that mean one database, be it through two configurations of the provider, only one begins to make it.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use super::same;

/// The note about one create. Its first line says which run of Terraform began it, its second what was made.
#[derive(Debug)]
pub struct Begun {
    path: PathBuf,
    run: String,
}

/// Where two databases of one identity are two: in two accounts, or in two folders of this machine.
#[derive(Debug)]
pub enum Place {
    /// The account's number.
    Account(String),
    /// The folder, absolute.
    Folder(PathBuf),
}

/// Why a create may not be begun.
#[derive(Debug)]
pub enum Refused {
    /// A run of Terraform that has not ended began it.
    UnderWay,
    /// It cannot be written down.
    Unwritten(io::Error),
}

impl Begun {
    /// The note about the database of this identity there, in Terraform's own folder of the configuration; each workspace has its own.
    pub fn of(id: &str, place: &Place) -> Self {
        let folder = std::env::var_os("TF_DATA_DIR").filter(|folder| !folder.is_empty());
        let folder = folder.map_or_else(|| PathBuf::from(".terraform"), PathBuf::from);
        let named = std::env::var("TF_WORKSPACE").ok().filter(|name| !name.is_empty());
        let chosen = || fs::read_to_string(folder.join("environment")).ok();
        let workspace = named.or_else(chosen).unwrap_or_else(|| "default".to_owned());
        Self::within(&folder, workspace.trim(), id, place, &THIS_RUN)
    }

    fn within(folder: &Path, workspace: &str, id: &str, place: &Place, run: &str) -> Self {
        // A region may be anything that somebody wrote; names hold letters, digits and hyphens.
        let safe = |text: &str| text.replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-', "_");
        let place: PathBuf = match place {
            Place::Account(number) => safe(number).into(),
            // As it is, since what makes two folders' names alike makes two databases one; and where it leads, since one has many names.
            Place::Folder(folder) => {
                let folder = same::real(folder);
                folder.components().filter(|part| matches!(part, Component::Normal(_))).collect()
            }
        };
        let path = folder.join("pgherd").join(safe(workspace)).join(place).join(format!("{}.begun", safe(id)));
        Self { path, run: run.to_owned() }
    }

    /// Whether this is what was begun: `found` tells one database from another that once has its name, where that is known.
    pub fn is_about(&self, found: Option<&str>) -> bool {
        self.read().is_some_and(|(_, made)| made.is_empty() || Some(made.as_str()) == found)
    }

    /// Whether this very run of Terraform began it. Of the provider there is one process for each of its configurations, so it may have been
    /// another one, for another block.
    pub fn is_of_this_run(&self) -> bool {
        !self.run.is_empty() && self.read().is_some_and(|(run, _)| run == self.run)
    }

    /// Writes down that it is begun, if no run of Terraform that still lives has done so. `made` is what is gone on with, where that is known.
    pub fn write(&self, made: Option<&str>) -> Result<(), Refused> {
        let _turn = self.turn().map_err(Refused::Unwritten)?;
        if self.is_under_way() {
            return Err(Refused::UnderWay);
        }
        fs::write(&self.path, format!("{}\n{}", self.run, made.unwrap_or_default())).map_err(Refused::Unwritten)
    }

    /// Writes down what was made. Whether Terraform gets to write its state is not known here.
    pub fn made(&self, made: Option<&str>) {
        if !made.is_some_and(|made| self.is_of(made)) {
            self.remove();
        }
    }

    /// Writes down what is being made, if that can be: whatever has the name later is not that.
    pub fn is_of(&self, made: &str) -> bool {
        fs::write(&self.path, format!("{}\n{made}", self.run)).is_ok()
    }

    /// Takes it away; what is not there is away.
    pub fn remove(&self) {
        // At worst a later create of the same name, in the same folder, goes on with what there is.
        let _ = fs::remove_file(&self.path);
    }

    /// Takes it away unless a run that still lives wrote it: there is nothing of its database yet.
    pub fn remove_if_over(&self) {
        if self.path.exists()
            && let Ok(_turn) = self.turn()
            && !self.is_under_way()
        {
            self.remove();
        }
    }

    /// The run that began it, and what was made.
    fn read(&self) -> Option<(String, String)> {
        let text = fs::read_to_string(&self.path).ok()?;
        let (run, made) = text.split_once('\n').unwrap_or((&text, ""));
        Some((run.to_owned(), made.to_owned()))
    }

    fn is_under_way(&self) -> bool {
        self.read().is_some_and(|(run, _)| {
            let process = run.split_once(' ').and_then(|(process, _)| process.parse().ok());
            !run.is_empty() && process.and_then(self::run) == Some(run)
        })
    }

    /// Nobody else writes or removes by what was read before, while this is held. It ends with the process.
    fn turn(&self) -> io::Result<fs::File> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file =
            fs::File::options().create(true).truncate(false).write(true).open(self.path.with_extension("turn"))?;
        file.lock()?;
        Ok(file)
    }
}

/// The Terraform that has started this process. Found out while it lives: later another process is our parent.
static THIS_RUN: LazyLock<String> = LazyLock::new(|| {
    let terraform = rustix::process::getppid().and_then(|parent| run(parent.as_raw_nonzero().get()));
    terraform.unwrap_or_default()
});

/// Has this process know which run it belongs to.
pub fn know_this_run() {
    LazyLock::force(&THIS_RUN);
}

/// A process with the time of its start, which no other process of that number has; nothing: there is no such process.
fn run(process: i32) -> Option<String> {
    let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold anything, a parenthesis too.
    let mut fields = line.rsplit_once(')')?.1.split_whitespace();
    let is_dead = matches!(fields.next()?, "Z" | "X");
    // The 22nd, counted from 1; the third was the first here.
    let started = fields.nth(18)?;
    (!is_dead).then(|| format!("{process} {started}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: &str) -> Place {
        Place::Account(number.to_owned())
    }

    #[test]
    fn a_create_is_known_from_its_beginning_to_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let within = |workspace: &str, name: &str| {
            let id = format!("aws/eu-central-1/{name}");
            Begun::within(&folder.path().join("data"), workspace, &id, &account("1"), "1 0")
        };
        let of = |name: &str| within("default", name);
        assert!(!of("orders").is_about(None));
        of("orders").write(None).expect("it is written");
        assert!(of("orders").is_about(None) && of("orders").is_about(Some("7")) && !of("others").is_about(None));
        assert!(!within("staging", "orders").is_about(None), "another workspace");
        of("orders").made(Some("7"));
        of("orders").write(Some("7")).expect("it is gone on with");
        assert!(of("orders").is_about(Some("7")));
        assert!(!of("orders").is_about(Some("8")) && !of("orders").is_about(None), "another one of the name");
        of("orders").remove();
        of("orders").remove();
        assert!(!of("orders").is_about(Some("7")));
        of("others").write(None).expect("it is written");
        of("others").made(None);
        assert!(!of("others").is_about(None));
    }

    #[test]
    fn each_account_and_each_folder_has_its_own() {
        let data = tempfile::tempdir().expect("a folder");
        let folder = |path: &str| Place::Folder(PathBuf::from(path));
        let places =
            [account("1"), account("2"), folder("/srv/a_b"), folder("/srv/a/b"), folder("/srv/a"), folder("/srv/b")];
        let notes = places.map(|place| Begun::within(data.path(), "default", "local/orders", &place, "1 0"));
        for (written, note) in notes.iter().enumerate() {
            note.write(None).expect("it is written");
            let about = notes.iter().map(|note| note.is_about(None));
            assert!(about.enumerate().all(|(place, is_about)| is_about == (place == written)), "{note:?}");
            note.remove();
        }
    }

    #[test]
    fn a_folder_is_one_whatever_it_is_called() {
        let data = tempfile::tempdir().expect("a folder");
        let folder = data.path().join("state");
        fs::create_dir(&folder).expect("a folder");
        std::os::unix::fs::symlink(&folder, data.path().join("linked")).expect("a link");
        let note = |path: &str| {
            Begun::within(data.path(), "default", "local/orders", &Place::Folder(data.path().join(path)), "1 0")
        };
        note("state").write(None).expect("it is written");
        assert!(
            note("linked").is_about(None) && note("state/../state").is_about(None) && !note("other").is_about(None)
        );
    }

    #[test]
    fn what_a_living_run_has_begun_nobody_else_begins() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |run: &str| Begun::within(folder.path(), "default", "aws/eu-central-1/orders", &account("1"), run);
        let living = run(i32::try_from(std::process::id()).expect("a number")).expect("it is us");
        // A number that another process has had before.
        let (process, started) = living.split_once(' ').expect("both");
        let (ended, ours) = (format!("{process} {started}0"), of(&living));
        of(&ended).write(None).expect("it is written");
        assert!(of(&ended).is_of_this_run() && !ours.is_of_this_run());
        ours.write(None).expect("the one that wrote it is gone");
        assert!(ours.is_of_this_run());
        for made in [false, true] {
            if made {
                ours.made(Some("7"));
            }
            assert!(matches!(of(&living).write(None), Err(Refused::UnderWay)), "another process of the same run");
            assert!(matches!(of(&ended).write(None), Err(Refused::UnderWay)), "another run");
            of(&ended).remove_if_over();
            assert!(ours.is_of_this_run(), "it is there still");
        }
        of(&ended).made(None);
        of(&ended).write(None).expect("it is written");
        ours.remove_if_over();
        assert!(!ours.is_about(None), "nobody is at it");
    }
}
