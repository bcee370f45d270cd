//! What takes long and holds nothing up: copies, rewinds, examinations and checkpoints.

use std::time::Duration;

use pgherd_core::ha::{NodeId, Verb};
use pgherd_engine::provider::ProviderError;

use crate::postgres::folders;
use crate::postgres::replication::making::{self, Seed, Sown};
use crate::postgres::replication::{checkpoint, examine, rewind};
use crate::postgres::template;
use crate::supervisor::backups::archive;
use crate::supervisor::configure::{self, Candidate};
use crate::supervisor::keeper::Keeper;
use crate::supervisor::live::Task;
use crate::supervisor::site::{Site, blocking, chosen};

/// How long a standby waits for the log of what it was to be archived.
const RESCUE_DEADLINE: Duration = Duration::from_secs(60);
/// A checkpoint of a large, busy server takes minutes; what waits for it gives up before.
const CHECKPOINT_DEADLINE: Duration = Duration::from_secs(300);

/// Begins it, unless something is under way already.
pub(super) fn begin(keeper: &mut Keeper, verb: &Verb) -> Result<(), ProviderError> {
    let Some(node) = verb.node().filter(|node| keeper.live(*node).task.is_none()) else { return Ok(()) };
    let place = keeper.place(node)?;
    let (serial, handle) = match verb {
        Verb::Clone { node, from, serial, keep_old } => {
            let (upstream, serial, keep_old) = (keeper.place(*from)?.upstream(), *serial, *keep_old);
            let seed = seed(keeper, *from)?;
            let (paths, run_as) = (keeper.site.agent.options.paths.clone(), keeper.site.agent.run_as.clone());
            let candidate = candidate(keeper, *node);
            let site = keeper.site.clone();
            let handle = tokio::spawn(async move {
                rescue_log(&site, place.id).await;
                let layout = place.layout.clone();
                blocking(move || folders::make(&paths, &layout, &run_as)).await?;
                let configured = async {
                    if let Some(candidate) = candidate
                        && let Err(error) = candidate.put_in_force().await
                    {
                        // Its start writes what is missing, and says what is wrong.
                        tracing::warn!("{error}");
                    }
                };
                let ((), made) = tokio::join!(configured, making::clone(&place, &upstream, serial, keep_old, seed));
                made.map(|()| None)
            });
            (Some(serial), handle)
        }
        Verb::Rejoin { from, serial, .. } => {
            let (upstream, serial) = (keeper.place(*from)?.upstream(), *serial);
            let site = keeper.site.clone();
            let handle = tokio::spawn(async move {
                rescue_log(&site, place.id).await;
                rewind::rewind(&place, &upstream, serial).await.map(|()| None)
            });
            (Some(serial), handle)
        }
        Verb::Examine { against, .. } => {
            let against = keeper.site.node(*against);
            (None, tokio::spawn(async move { examine::examine(&place, &against).await.map(Some) }))
        }
        _ => {
            let checkpoint = async move { checkpoint::checkpoint(&place, CHECKPOINT_DEADLINE).await.map(|()| None) };
            (None, tokio::spawn(checkpoint))
        }
    };
    let live = keeper.live(node);
    live.failed = None;
    live.task = Some(Task { serial, handle });
    Ok(())
}

/// Stores what a server had not archived before its log is replaced. That the archive fails keeps no standby from coming back:
/// what the new primary streamed is archived from there.
async fn rescue_log(site: &Site, node: NodeId) {
    let own = site.clone();
    let rescued = blocking(move || archive::rescue(&own, node));
    match tokio::time::timeout(RESCUE_DEADLINE, rescued).await {
        Ok(Ok(0)) => {}
        Ok(Ok(files)) => site.note(format!("archived {files} files of the log that {node} had not archived")),
        Ok(Err(error)) => site.note(format!("what {node} had not archived is not in the archive: {error}")),
        Err(_) => site.note(format!("what {node} had not archived takes too long to store")),
    }
}

/// The configuration of a server of a new pair, to be written while its files are made. Later its start writes it: nobody else
/// does so then.
fn candidate(keeper: &Keeper, node: NodeId) -> Option<Candidate> {
    let record = keeper.record.as_ref().filter(|record| !record.memory.made && record.memory.configured)?;
    let is_missing = !configure::is_for(&keeper.site.node(node));
    Candidate::of(&keeper.site, record, node).ok().filter(|_| is_missing)
}

/// What a server began as, while nobody has used it.
fn seed(keeper: &mut Keeper, primary: NodeId) -> Result<Option<Seed>, ProviderError> {
    let sown = keeper.sown.take();
    let record = keeper.record()?;
    let template = template::of(chosen(record)?, &keeper.site.agent.options.paths.templates());
    let Some(template) = template.filter(|_| !record.memory.made) else {
        sown.into_iter().for_each(Sown::discard);
        return Ok(None);
    };
    let (primary, on_disk) = (keeper.site.node(primary).data, keeper.on_disk.clone());
    Ok(Some(Seed { template, primary, sown, on_disk }))
}

/// Takes in how it ended.
pub fn ended(keeper: &mut Keeper, node: NodeId, result: Result<Option<pgherd_core::ha::Examined>, ProviderError>) {
    let live = keeper.live(node);
    let serial = live.task.take().and_then(|task| task.serial);
    match (result, serial) {
        (Ok(examined), _) => live.examined = examined.or(live.examined),
        (Err(error), serial) => {
            live.failed = serial.map(|serial| pgherd_core::ha::Task::Failed { serial, why: error.message.clone() });
            keeper.went_wrong(&format!("what was done to {node}"), error);
        }
    }
}
