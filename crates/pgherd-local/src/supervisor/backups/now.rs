//! What somebody asks for now: a backup, a restore, a drill. The work goes on when nobody watches any more.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use pgherd_core::backups::BackupKind;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::mpsc;

use super::take::{Taking, named, server_for, take};
use super::{care, drill, replace, restore, store, telling};
use crate::supervisor::agent::Agent;
use crate::supervisor::messages::{BackupHow, Line, RestoreHow, RestorePoint, check_backup_name};
use crate::supervisor::requests::{Ask, Shown, Watcher};
use crate::supervisor::site::Site;

type Lines = Result<mpsc::UnboundedReceiver<Line>, ProviderError>;

/// Takes a backup that is kept until somebody deletes it.
pub fn ask_backup(agent: &Arc<Agent>, name: &str, how: BackupHow) -> Lines {
    check_backup_name(&how.label)?;
    let shown = agent.shown(name)?;
    if shown.pid.is_none() || !shown.record.memory.made {
        let message = format!("{name} does not run, so no backup can be taken");
        return Err(ProviderError::new(ErrorKind::Conflict, message).help("start it first"));
    }
    let site = Site::of(agent.clone(), name);
    let (watcher, lines) = Watcher::new();
    agent.spawn(async move {
        let turn = site.agent.desk.turn(&site.name);
        let result = async {
            watcher.phase("waiting for its turn");
            let _turn = turn.lock().await;
            if let Some(known) = named(&site, &how.label).await? {
                let message = format!("there is a backup {} already, taken at {}", known.name, known.taken_at);
                return Err(ProviderError::new(ErrorKind::Conflict, message).help("choose another name with --as"));
            }
            // It may have another primary by now.
            let shown = site.agent.shown(&site.name)?;
            let come = Arc::<AtomicU64>::default();
            let node = server_for(&shown);
            let what = Taking { name: how.label, kind: BackupKind::Manual, node, come: Arc::clone(&come) };
            let source = site.node(what.node).data;
            let taking = take(&site, &shown.record, &what, |phase| watcher.phase(phase));
            let taken = telling::tell_count(taking, &come, source, &watcher).await?;
            site.note(format!("took and verified the backup {} of {}, {} bytes", taken.name, what.node, taken.bytes));
            Ok(())
        };
        let result = result.await;
        watcher.result(result);
    });
    Ok(lines)
}

/// Makes an instance of the backups of another.
pub fn ask_restore(agent: &Arc<Agent>, name: &str, how: RestoreHow) -> Lines {
    // Names become folders.
    agent.history(name)?;
    agent.history(&how.to)?;
    // What is stored may be encrypted with a key of the block's.
    if let Some(file) = &how.wanted.backup_key_file {
        store::name_key_file(agent, file)?;
    }
    if how.point == RestorePoint::Now {
        agent.shown(name)?;
    }
    if how.to == name {
        match agent.shown(name) {
            Ok(_) => return Ok(ask_replace(agent, name, how)),
            // Nothing has its place.
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let (watcher, lines) = Watcher::new();
    let (name, own) = (name.to_owned(), agent.clone());
    agent.spawn(async move {
        if how.dry_run {
            let told = restore::tell(&own, &name, &how, &watcher).await;
            return watcher.result(told);
        }
        // Nothing it is made of is deleted meanwhile.
        let turn = own.desk.turn(&name);
        let made = async {
            watcher.phase("waiting for its turn");
            let _turn = turn.lock().await;
            restore::restore(&own, &name, &how, &watcher).await
        };
        if let Err(error) = made.await {
            return watcher.result(Err(error));
        }
        follow(&own, &how.to, Ask::TakeUp, &watcher).await;
    });
    Ok(lines)
}

/// Puts what is restored of an instance in its own place.
fn ask_replace(agent: &Arc<Agent>, name: &str, how: RestoreHow) -> mpsc::UnboundedReceiver<Line> {
    let (watcher, lines) = Watcher::new();
    let (name, own) = (name.to_owned(), agent.clone());
    agent.spawn(async move {
        if how.dry_run {
            let told = replace::tell(&own, &name, &how, &watcher).await;
            return watcher.result(told);
        }
        match replace::prepare(&own, &name, &how, &watcher).await {
            Ok(Some((exchange, _promise))) => {
                follow(&own, &name, Ask::Exchange(Box::new(exchange.clone())), &watcher).await;
                if let Err(error) = replace::clear(&Site::of(own.clone(), &name), &exchange).await {
                    tracing::warn!(instance = name, "{error}");
                }
            }
            Ok(None) => follow(&own, &name, Ask::TakeUp, &watcher).await,
            Err(error) => watcher.result(Err(error)),
        }
    });
    lines
}

/// Asks a keeper for something and tells what it tells.
async fn follow(agent: &Arc<Agent>, name: &str, ask: Ask, watcher: &Watcher) {
    match agent.keeper(name).and_then(|keeper| keeper.ask(ask)) {
        Ok(mut lines) => {
            while let Some(line) = lines.recv().await {
                watcher.tell(line);
            }
        }
        Err(error) => watcher.result(Err(error)),
    }
}

/// Restores the newest backup for practice.
pub fn ask_drill(agent: &Arc<Agent>, name: &str) -> Lines {
    agent.shown(name)?;
    let (watcher, lines) = Watcher::new();
    let site = Site::of(agent.clone(), name);
    agent.spawn(async move {
        let turn = site.agent.desk.turn(&site.name);
        watcher.phase("waiting for its turn");
        let _turn = turn.lock().await;
        let drilled = drill::drill(&site, &watcher).await;
        watcher.result(drilled);
    });
    Ok(lines)
}

/// Reads back everything that is stored of an instance.
pub fn ask_check(agent: &Arc<Agent>, name: &str) -> Lines {
    agent.history(name)?;
    let (watcher, lines) = Watcher::new();
    let (name, own) = (name.to_owned(), agent.clone());
    agent.spawn(async move {
        let checked = care::check(&own, &name, &watcher).await;
        watcher.result(checked.map(|report| watcher.tell(Line::Checked { report })));
    });
    Ok(lines)
}

/// Deletes a backup, or lets go of what was put aside.
pub fn ask_delete(agent: &Arc<Agent>, name: &str, how: BackupHow) -> Lines {
    agent.history(name)?;
    check_backup_name(&how.label)?;
    let is_aside = |shown: Shown| shown.record.aside.iter().any(|aside| aside.name == how.label);
    if agent.shown(name).is_ok_and(is_aside) {
        return agent.keeper(name)?.ask(Ask::LetGo(how.label));
    }
    let (watcher, lines) = Watcher::new();
    let (name, own) = (name.to_owned(), agent.clone());
    agent.spawn(async move {
        watcher.phase("deleting");
        let deleted = care::delete(&own, &name, &how.label).await;
        watcher.result(deleted);
    });
    Ok(lines)
}
