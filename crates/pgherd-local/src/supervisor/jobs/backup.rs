//! The last backup of an instance that is to go.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::postgres::backup::{self, Backup, Take};
use crate::supervisor::ledger::Record;
use crate::supervisor::site::{Site, blocking, chosen};
use crate::supervisor::upkeep::Goal;

pub(super) async fn take(site: &Site, record: &Record) -> Result<(), ProviderError> {
    let Goal::Gone { backup: Some(name), asked_at, .. } = record.memory.goal.clone() else { return Ok(()) };
    let primary = record.primary();
    let layout = site.node(primary);
    if !layout.data.join("PG_VERSION").exists() {
        let message = format!("{} is not there, so no last backup can be taken", layout.data.display());
        return Err(ProviderError::new(ErrorKind::Conflict, message)
            .help("mount its disk and repeat; without a last backup only with skip_final_snapshot = true"));
    }
    let (run_as, port, record) = (site.agent.run_as.clone(), site.running_port(record, primary)?, record.clone());
    let taken = blocking(move || {
        // Taken and listed, and then we were cut short.
        let same = |backup: &Backup| backup.name == name && backup.taken_at >= asked_at;
        if let Some(taken) = backup::list(&layout.backups).into_iter().find(same) {
            return Ok(taken);
        }
        let tags = if record.wanted.copy_tags_to_backup { record.wanted.tags.clone() } else { BTreeMap::new() };
        let (server, now) = (chosen(&record)?, Timestamp::now());
        let what = Take { server, run_as: &run_as, layout: &layout, port, name: &name, tags: &tags, now };
        backup::take(&what, &layout.backups)
    })
    .await?;
    site.note(format!("took and verified the last backup {} of {} bytes", taken.name, taken.bytes));
    Ok(())
}
