//! Standbys and replicas from a primary: copied, and done away with.
//!
//! Invariants: what is called `data` is whole and on disk, but for a new pair's (see [`OnDisk`]); what is kept as evidence is never
//! overwritten. A copy that was cut short is the absence of one: it is made beside the data directory and renamed at the end.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pgherd_core::ha::LastRole;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::task::JoinHandle;

use super::attempt::Attempt;
use super::role::{self, Upstream};
use super::tools::{self, Tool};
use super::{Place, blocking, directory, nobody_at_work, pg_control};
use crate::paths::Layout;
use crate::postgres::conf::SUPERUSER;
use crate::postgres::packed::{sync_all, sync_folder};
use crate::postgres::runas::RunAs;
use crate::postgres::session::Session;
use crate::postgres::{Result, control, io_error, segment, template};

/// Holds the number of the copy or rewind that was last completed in a data directory.
pub(super) const MADE: &str = "pgherd.made";

/// How long a primary that is about to start is waited for, and how often it is tried.
const START_DEADLINE: Duration = Duration::from_secs(30);
const START_RETRY: Duration = Duration::from_millis(50);

/// Copies the running server `from` to a node without any process, which then is a standby that was never started. Takes as
/// long as copying does; how far it is shows in the size of [`Layout::making`]. Repeatable: copy `serial` is made once.
///
/// A data directory that is there is kept as evidence with `keep_old`, and without it nothing is done.
///
/// With a seed nothing is copied, where that can be.
///
/// When the future is dropped, the tool it runs is killed; [`tools::kill`] waits for its end.
pub async fn clone(place: &Place, from: &Upstream, serial: u64, keep_old: bool, seed: Option<Seed>) -> Result<()> {
    tools::kill(&place.layout).await?;
    let (to, old) = (place.clone(), place.layout.data.clone());
    let begun = blocking(move || {
        let attempt = Attempt::begin(&to.layout);
        nobody_at_work(&to.layout)?;
        if directory::is_made_by(&to.layout, serial) {
            return Ok(None);
        }
        if old.exists() && !keep_old {
            let message = format!("{} is there and is not to be replaced", old.display());
            return Err(ProviderError::new(ErrorKind::Conflict, message));
        }
        remove_folder(&to.layout.making())?;
        remove_folder(&seedling(&to.layout))?;
        to.run_as.make_dir(&to.layout.making(), 0o700)?;
        Ok(Some(attempt))
    })
    .await?;
    let Some(attempt) = begun else { return Ok(()) };
    let is_new = seed.is_some();
    let on_disk = seed.as_ref().map(|seed| seed.on_disk.clone()).unwrap_or_default();
    if !plant(place, &attempt, seed).await? {
        // The primary of a new pair is just starting. Of one that serves, whoever is gone is not waited for.
        if is_new {
            until_it_answers(from).await;
        }
        copy(place, from).await?;
    }
    let place = place.clone();
    blocking(move || attempt.carry_on(|| finish(&place, serial, &on_disk))).await
}

/// Deletes the old data directories that were kept as evidence. Blocking. Repeatable.
pub fn discard(layout: &Layout) -> Result<()> {
    remove_folder(&layout.evidence())?;
    sync_if_there(layout.folder())
}

/// Whether old data directories are kept as evidence; `None`: don't know. Blocking.
pub fn has_evidence(layout: &Layout) -> Option<bool> {
    match std::fs::read_dir(layout.evidence()) {
        Ok(mut entries) => Some(entries.next().is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(false),
        Err(_) => None,
    }
}

/// Deletes a node whole: data, configuration, logs, evidence. Blocking. Repeatable.
///
/// Renamed first, so that half of it is never taken for a database.
pub fn remove(layout: &Layout) -> Result<()> {
    let folder = layout.folder();
    if folder == layout.root {
        let message = format!("{} is a whole instance, not one of its nodes", folder.display());
        return Err(ProviderError::new(ErrorKind::Invalid, message));
    }
    nobody_at_work(layout)?;
    segment::remove(&layout.data);
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let removed = layout.root.join(format!(".removed-{name}"));
    remove_folder(&removed)?;
    match std::fs::rename(folder, &removed) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io_error("rename", folder, &error)),
        _ => {}
    }
    sync_folder(&layout.root)?;
    remove_folder(&removed)
}

/// Moves a node without any process whole to where another instance has one: data, configuration, logs. Blocking. Repeatable.
pub fn hand_over(from: &Layout, to: &Layout) -> Result<()> {
    let (old, new) = (from.folder(), to.folder());
    nobody_at_work(from)?;
    match std::fs::rename(old, new) {
        // Moved before.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && to.data.exists() => {}
        other => other.map_err(|error| io_error("move", old, &error))?,
    }
    sync_folder(&to.root)?;
    sync_folder(&from.root)
}

/// What a cluster that has just been made was before its first start. A standby may begin there: the template is a cluster that was
/// stopped in good order, and everything since is in the WAL of its primary.
#[derive(Debug)]
pub struct Seed {
    /// What the primary was made of.
    pub template: PathBuf,
    /// Its data directory.
    pub primary: PathBuf,
    /// The template, unpacked already.
    pub sown: Option<Sown>,
    /// Who puts the copy on disk.
    pub on_disk: OnDisk,
}

/// Who puts a copy on disk: whoever makes it, unless all of a new pair is going to be put on disk at once.
///
/// A sync of a thousand new files has every other wait, those of a primary that is just starting above all. And a pair whose
/// password is not in force is made anew when the machine has ended.
#[derive(Debug, Clone)]
pub struct OnDisk {
    /// Whether it is too late for others to do it.
    has_begun: Arc<Mutex<bool>>,
}

impl Default for OnDisk {
    /// By whoever makes it.
    fn default() -> Self {
        Self { has_begun: Arc::new(Mutex::new(true)) }
    }
}

impl OnDisk {
    /// Later: what gets its name before [`OnDisk::begins`] is put on disk by what is done after that.
    pub fn later() -> Self {
        Self { has_begun: Arc::default() }
    }

    /// All that has its name is going to be put on disk. What gets one from now on is put there before.
    pub fn begins(&self) {
        *self.lock() = true;
    }

    /// Gives a copy its name.
    fn name(&self, making: &Path, name: impl FnOnce() -> Result<()>) -> Result<()> {
        // Held until it has its name: nobody begins in between.
        let has_begun = self.lock();
        if !*has_begun {
            return name();
        }
        drop(has_begun);
        sync_all(making)?;
        name()
    }

    /// A word that is true or not is whole whoever panicked.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.has_begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A template that is being unpacked beside other work, for whoever needs it next. Its files are in the way of nobody, and go with
/// the folder they are in.
#[derive(Debug)]
pub struct Sown {
    folder: PathBuf,
    unpacking: JoinHandle<Result<()>>,
}

impl Sown {
    /// Begins. Needs a tokio runtime.
    pub fn begin(template: PathBuf, run_as: RunAs, folder: PathBuf) -> Self {
        let to = folder.clone();
        let unpacking = tokio::task::spawn_blocking(move || {
            remove_folder(&to)?;
            template::unpack(&template, &run_as, &to)
        });
        Self { folder, unpacking }
    }

    /// Nobody needs it.
    pub fn discard(self) {
        tokio::spawn(async move {
            if let Some(folder) = self.whole().await {
                drop(blocking(move || remove_folder(&folder)).await);
            }
        });
    }

    /// Where it is, once all of it is; `None`: it cannot be had.
    async fn whole(self) -> Option<PathBuf> {
        match self.unpacking.await {
            Ok(Ok(())) => Some(self.folder),
            Ok(Err(error)) => {
                tracing::warn!("{error}");
                None
            }
            // A fault of ours.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Makes the copy from a seed; says whether that could be done. Whatever is in the way, there is another way to have a copy.
///
/// In a folder of its own until it is whole: an unpacking goes on for a moment when the future is dropped.
async fn plant(place: &Place, attempt: &Attempt, seed: Option<Seed>) -> Result<bool> {
    let Some(mut seed) = seed else { return Ok(false) };
    let sown = match seed.sown.take() {
        Some(sown) => sown.whole().await,
        None => None,
    };
    let to = place.clone();
    let grown = blocking(move || grow(&to, &seed, sown.as_deref())).await.unwrap_or_else(|error| {
        tracing::warn!("{}: no copy from the template: {error}", place.id);
        false
    });
    let (seedling, making) = (seedling(&place.layout), place.layout.making());
    let attempt = attempt.clone();
    let put = move || {
        if !grown {
            return remove_folder(&seedling).map(|()| false);
        }
        std::fs::rename(&seedling, &making).map_err(|error| io_error("rename", &seedling, &error))?;
        Ok(true)
    };
    blocking(move || attempt.carry_on(put)).await
}

/// Where a seed is unpacked.
fn seedling(layout: &Layout) -> PathBuf {
    layout.making().with_extension("seed")
}

/// Unpacks a seed, where that is not done yet; says whether it is the right one. Blocking.
fn grow(place: &Place, seed: &Seed, sown: Option<&Path>) -> Result<bool> {
    let to = seedling(&place.layout);
    remove_folder(&to)?;
    match sown {
        Some(sown) => std::fs::rename(sown, &to).map_err(|error| io_error("rename", sown, &error))?,
        None => template::unpack(&seed.template, &place.run_as, &to)?,
    }
    let [ours, theirs] = [to.as_path(), &seed.primary].map(|data| {
        let path = data.join("global/pg_control");
        std::fs::read(&path).map_err(|error| io_error("read", &path, &error))
    });
    let (ours, theirs) = (ours?, theirs?);
    // Of one that is just being written nothing can be said. A template may have been made anew since, or for another build.
    let of_one_initdb = control::birthmark(&ours).is_some_and(|mark| control::birthmark(&theirs) == Some(mark));
    // What follows must still be there.
    let wal = to.join("pg_wal");
    let names = std::fs::read_dir(&wal).map_err(|error| io_error("look at", &wal, &error))?;
    let has_all = names.flatten().all(|entry| seed.primary.join("pg_wal").join(entry.file_name()).exists());
    match control::identifier(&theirs) {
        Some(identifier) if of_one_initdb && has_all => template::become_standby(&to, identifier).map(|()| true),
        _ => Ok(false),
    }
}

/// A new primary may be about to start. Whether it does is for whoever copies from it to say.
async fn until_it_answers(from: &Upstream) {
    let end = tokio::time::Instant::now() + START_DEADLINE;
    let answers = || Session::connect(&from.socket, from.port, "postgres", START_DEADLINE);
    while answers().await.is_err() && tokio::time::Instant::now() < end {
        tokio::time::sleep(START_RETRY).await;
    }
}

async fn copy(place: &Place, from: &Upstream) -> Result<()> {
    let making = place.layout.making();
    let tool = Tool::start(place, "pg_basebackup", |command| {
        command.arg("--host").arg(&from.socket).arg("--port").arg(from.port.to_string());
        command.args(["--username", SUPERUSER, "--no-password", "--checkpoint", "fast", "--wal-method", "stream"]);
        // Synced at once at the end; nobody reads a manifest.
        command.args(["--no-sync", "--no-manifest", "--label", &format!("copy for {}", place.id)]);
        command.arg("--pgdata").arg(making);
    })?;
    tool.end().await
}

fn finish(place: &Place, serial: u64, on_disk: &OnDisk) -> Result<()> {
    let Place { layout, run_as, .. } = place;
    let making = layout.making();
    // The source's own, where it was a copy itself.
    for theirs in ["recovery.signal", "promote"] {
        role::remove(&making.join(theirs))?;
    }
    write(&making.join(MADE), &format!("{serial}\n"), run_as)?;
    write(&making.join("standby.signal"), "", run_as)?;
    on_disk.name(&making, || {
        nobody_at_work(layout)?;
        refuse_anothers(layout)?;
        keep_as_evidence(layout, serial)?;
        // What was torn is evidence now.
        role::remove(&layout.torn())?;
        std::fs::rename(&making, &layout.data).map_err(|error| io_error("rename", &making, &error))
    })?;
    sync_folder(layout.folder())
}

/// What is there may be another's since the copy was ordered, and is nobody's to move away: nor is what cannot be told.
fn refuse_anothers(layout: &Layout) -> Result<()> {
    let of = |data: &Path| pg_control::read(data).ok().map(|control| control.system_id);
    let (there, ours) = (of(&layout.data), of(&layout.making()));
    if !layout.data.exists() || there.is_some() && there == ours {
        return Ok(());
    }
    let what = there.map_or("is no database".to_owned(), |there| format!("holds another database, {there}"));
    let message = format!("{} {what}", layout.data.display());
    Err(ProviderError::new(ErrorKind::Conflict, message).help("move it away: a copy is to have its place"))
}

/// Moves the data directory out of the way of copy `serial`, into a folder that nothing else is ever put into.
///
/// One that ran as a primary stays until all evidence is discarded. Of those that ran as standbys the first and the last stay:
/// a replica that is copied again and again would fill the disk.
fn keep_as_evidence(layout: &Layout, serial: u64) -> Result<()> {
    if !layout.data.exists() {
        return Ok(());
    }
    let evidence = layout.evidence();
    std::fs::create_dir_all(&evidence).map_err(|error| io_error("make", &evidence, &error))?;
    let mut standbys: Vec<PathBuf> = entries(&evidence)?.into_iter().filter(|old| ran_as_standby(old)).collect();
    standbys.sort();
    let between = if ran_as_standby(&layout.data) { standbys.split_off(standbys.len().min(1)) } else { Vec::new() };
    let place = free_name(&evidence, serial);
    segment::remove(&layout.data);
    std::fs::rename(&layout.data, &place).map_err(|error| io_error("rename", &layout.data, &error))?;
    sync_folder(&evidence)?;
    sync_folder(layout.folder())?;
    between.iter().try_for_each(|old| remove_folder(old))
}

/// The number of the copy that replaces it, in the order of time, and more where that was tried before.
fn free_name(evidence: &Path, serial: u64) -> PathBuf {
    let name = |attempt: u32| evidence.join(format!("before-{serial:010}-{attempt}"));
    (0..).map(name).find(|path| !path.exists()).expect("a folder has fewer entries than there are numbers")
}

fn ran_as_standby(data: &Path) -> bool {
    pg_control::read(data).is_ok_and(|control| directory::last_role(data, &control) == LastRole::Standby)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let refuse = |error: std::io::Error| io_error("look at", folder, &error);
    let entries = std::fs::read_dir(folder).map_err(refuse)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(refuse)).collect()
}

/// Writes a file of a copy, which is put on disk with all of it.
fn write(path: &Path, text: &str, run_as: &RunAs) -> Result<()> {
    std::fs::write(path, text).map_err(|error| io_error("write", path, &error))?;
    run_as.own(path)
}

fn remove_folder(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", folder, &error)),
        _ => Ok(()),
    }
}

fn sync_if_there(folder: &Path) -> Result<()> {
    if folder.exists() { sync_folder(folder) } else { Ok(()) }
}
