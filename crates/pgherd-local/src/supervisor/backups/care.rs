//! Looking over what is stored of an instance, and deleting of it what somebody names.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use pgherd_archive::{ArchiveError, Depth, Finding, Generation, Trouble};
use pgherd_core::backups::{Backup, BackupKind, Deletion, Holdings};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::{archive, second, store};
use crate::supervisor::agent::Agent;
use crate::supervisor::files;
use crate::supervisor::messages::{self, CheckReport};
use crate::supervisor::requests::Watcher;
use crate::supervisor::site::{Site, blocking, cannot};

/// So many findings are written into the history; the report has all.
const FINDINGS_NOTED: usize = 5;

/// How nice it is to everything else on the machine: a little where somebody waits for it, and very much where nobody does.
const AWAITED: i32 = 5;
const UNSEEN: i32 = 19;

/// The report of the last look over what is stored of an instance, where there was one.
pub fn last_check(site: &Site) -> Option<CheckReport> {
    serde_json::from_slice(&std::fs::read(file(site)).ok()?).ok()
}

/// Where it is written down.
pub fn file(site: &Site) -> PathBuf {
    site.layout.root.join("check.json")
}

/// Reads back everything that is stored of an instance, which may be gone, and tells what is wrong with it.
pub async fn check(agent: &Arc<Agent>, name: &str, watcher: &Watcher) -> Result<CheckReport, ProviderError> {
    check_at(agent, name, Depth::Read, AWAITED, watcher).await
}

/// The same as it is done by schedule: what is in a bucket is listed.
pub async fn check_by_itself(agent: &Arc<Agent>, name: &str) -> Result<CheckReport, ProviderError> {
    let is_folder = store::folder(&agent.options.paths).is_some();
    let depth = if is_folder { Depth::Read } else { Depth::Listed };
    check_at(agent, name, depth, UNSEEN, &Watcher::nobody()).await
}

async fn check_at(
    agent: &Arc<Agent>,
    name: &str,
    depth: Depth,
    niceness: i32,
    watcher: &Watcher,
) -> Result<CheckReport, ProviderError> {
    watcher.phase("reading back what is stored");
    let look = |depth| {
        let (own, site, hears) = (agent.clone(), Site::of(agent.clone(), name), watcher.clone());
        nicely(niceness, move || look_over(&own, &site, depth, &hears))
    };
    let mut report = look(depth).await?;
    if report.findings.iter().any(is_about_what_is_not_there) {
        // What was deleted while it was looked at is missing only once.
        let again = look(Depth::Listed).await?.findings;
        report.findings.retain(|one| !is_about_what_is_not_there(one) || again.contains(one));
    }
    let site = Site::of(agent.clone(), name);
    for finding in report.findings.iter().take(FINDINGS_NOTED) {
        site.note(format!("what is stored of it is not whole: {}: {}", finding.at, finding.message));
    }
    if agent.shown(name).is_ok() {
        let text = serde_json::to_vec_pretty(&report).expect("plain data serialises");
        files::replace(&file(&site), &text, 0o600).map_err(|error| cannot("write", &file(&site), &error))?;
    }
    Ok(report)
}

fn is_about_what_is_not_there(finding: &messages::Finding) -> bool {
    matches!(finding.trouble.as_str(), "missing" | "gap")
}

/// Runs what computes for long, and whoever else does comes first.
async fn nicely<T: Send + 'static>(
    niceness: i32,
    work: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("reading".to_owned()).spawn(move || {
        // Who may not be nice does it all the same.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness);
        drop(tell.send(work()));
    });
    let cut_short = || ProviderError::new(ErrorKind::Unavailable, "what is stored was not looked at to its end");
    thread.map_err(|error| cut_short().help(error.to_string()))?;
    told.await.map_err(|_| cut_short())?
}

fn look_over(agent: &Agent, site: &Site, depth: Depth, watcher: &Watcher) -> Result<CheckReport, ProviderError> {
    let name = &site.name;
    // Of one that archives there is a repository: that there is none is what is wrong.
    let is_kept = archive::settings_file(site).exists();
    let repository = if is_kept { Some(store::open(agent, false, None)?) } else { store::open_if_there(agent)? };
    let nothing = || ProviderError::new(ErrorKind::NotFound, format!("nothing is stored of {name}"));
    let repository = repository.ok_or_else(nothing)?;
    let (generations, unreadable) = repository.readable_generations(name).map_err(store::refused)?;
    if generations.is_empty() && unreadable.is_empty() {
        return Err(nothing());
    }
    let mut report = CheckReport { at: Timestamp::now(), backups: 0, segments: 0, bytes: 0, findings: Vec::new() };
    report.findings.extend(unreadable.into_iter().map(|finding| told("", finding)));
    for generation in generations {
        let folder = format!("{name}/{:04}/", generation.info().number);
        let holdings = generation.holdings().map_err(store::refused)?;
        report.backups += holdings.backups.len() as u64;
        report.segments += holdings.wal.len() as u64;
        let mut progress = watcher.progress(None);
        let bytes = &mut report.bytes;
        let findings = generation.check(depth, |read| {
            *bytes += read;
            progress.at(*bytes);
        });
        let findings = findings.map_err(store::refused)?;
        let marked = if depth == Depth::Read { mark(&generation, &holdings, &findings, report.at) } else { Ok(()) };
        if let Err(error) = marked {
            tracing::warn!(instance = name, "it cannot be written down which backups are damaged: {error}");
        }
        report.findings.extend(findings.into_iter().map(|finding| told(&folder, finding)));
    }
    Ok(report)
}

/// Writes down which backups were found to be damaged, so that none of them takes the place of another; and which are not any more.
fn mark(
    generation: &Generation,
    holdings: &Holdings,
    findings: &[Finding],
    now: Timestamp,
) -> Result<(), ArchiveError> {
    for backup in &holdings.backups {
        let folder = format!("backups/{}/", backup.name);
        let mut of = findings.iter().filter(|finding| finding.at.starts_with(&folder));
        if of.clone().any(|finding| matches!(finding.trouble, Trouble::Damaged | Trouble::Foreign)) {
            generation.set_damaged(&backup.name, now)?;
        } else if backup.damaged && of.next().is_none() {
            generation.clear_damaged(&backup.name)?;
        }
    }
    Ok(())
}

fn told(folder: &str, finding: Finding) -> messages::Finding {
    let Finding { trouble, at, message } = finding;
    let trouble =
        serde_json::to_value(trouble).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
    messages::Finding { trouble, at: format!("{folder}{at}"), message }
}

/// Deletes a backup that somebody names: the newest of the name. What the schedule took of a database that is there it deletes itself.
/// With the last backup of a database that is gone, its log goes, too.
pub async fn delete(agent: &Arc<Agent>, name: &str, label: &str) -> Result<(), ProviderError> {
    let turn = agent.desk.turn(name);
    let _turn = turn.lock().await;
    let (own, site, label) = (agent.clone(), Site::of(agent.clone(), name), label.to_owned());
    blocking(move || delete_of(&own, &site, &label)).await
}

/// Refuses to delete what another backup holds the changes since.
pub fn refuse_base(listed: &[Backup], label: &str) -> Result<(), ProviderError> {
    let Some(other) = listed.iter().find(|other| other.base.as_deref() == Some(label)) else { return Ok(()) };
    let message = format!("{} holds the changes since {label}, and is nothing without it", other.name);
    Err(ProviderError::new(ErrorKind::Protected, message).help("delete that one first"))
}

fn delete_of(agent: &Agent, site: &Site, label: &str) -> Result<(), ProviderError> {
    let name = &site.name;
    // One whose ledger cannot be read is not one that is gone.
    let lives = match agent.shown(name) {
        Ok(_) => true,
        Err(error) if error.kind == ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    let current = archive::known_generation(site)?.map(|generation| generation.info().number);
    let all = match store::open_if_there(agent)? {
        Some(repository) => store::generations(&repository, name)?,
        None => Vec::new(),
    };
    for generation in all.into_iter().rev() {
        let names = generation.backup_names().map_err(store::refused)?;
        if !names.iter().any(|known| known == label) {
            continue;
        }
        let is_current = lives && current == Some(generation.info().number);
        let listed = generation.backups().map_err(store::refused)?;
        let known = listed.iter().find(|backup| backup.name == label);
        if is_current && known.is_some_and(|known| known.kind == BackupKind::Automated) {
            let message = format!("{label} was taken by the schedule, and the moments after it are restored from it");
            return Err(ProviderError::new(ErrorKind::Protected, message).help(
                "it goes by itself after backup_retention_period days; what somebody asked for by name can be deleted",
            ));
        }
        refuse_base(&listed, label)?;
        generation.delete(&[Deletion::Backup(label.to_owned())]).map_err(store::refused)?;
        if !is_current && names.len() == 1 {
            // Nothing can be restored from the log alone.
            generation.delete_all().map_err(store::refused)?;
        }
        site.note(format!("the backup {label} was deleted"));
        return Ok(());
    }
    if let Some(place) = second::delete(agent, site, label, lives)? {
        site.note(format!("the backup {label} was deleted from {place}"));
        return Ok(());
    }
    Err(ProviderError::new(ErrorKind::NotFound, format!("there is no backup {label} of {name}"))
        .help("pgherd backups lists what there is"))
}
