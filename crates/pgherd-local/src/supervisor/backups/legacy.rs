//! Last backups that versions before the repository left in the folders of instances: listed, and not touched.

use crate::postgres::backup;
use crate::supervisor::agent::Agent;
use crate::supervisor::messages::Backup;

/// Those of a name, oldest first. Blocking.
pub fn list(agent: &Agent, name: &str) -> Vec<Backup> {
    let folder = agent.options.paths.instance(name).backups;
    let known = backup::list(&folder).into_iter();
    known
        .map(|known| Backup {
            path: folder.join(&known.name),
            name: known.name,
            taken_at: known.taken_at,
            bytes: known.bytes,
            automatic: false,
            is_final: true,
            damaged: false,
            generation: None,
            engine_version: Some(known.version),
            encrypted: Some(false),
            start_lsn: Some(known.start_lsn),
            verified_at: Some(known.taken_at),
            base: None,
        })
        .collect()
}
