//! Copies of the automated backups in a second region.

use pgherd_core::resource::{Id, Kind, Resource};
use pgherd_core::spec::Spec;

use super::{fixed, instance, int, output, props, recovery, theirs};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "backup_replication";

/// The kind. It holds copies; what was copied stays when copying ends, and is told.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        fixed(
            "SourceDBInstanceArn",
            "copies are of one instance: destroy them, and copying begins anew of the other one",
        ),
        // Another one would take stopping, which ends the copies.
        theirs("BackupRetentionPeriod"),
        fixed("KmsKeyId", "copies keep their key: take geo_redundant_backup out, apply, and write it again"),
    ],
};

/// The copying a spec wants.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    let (there, region) = recovery::region(spec).filter(|_| recovery::keeps_backups(spec))?;
    let mut props = props([
        ("SourceDBInstanceArn", output(instance::id(spec), instance::ARN)),
        ("BackupRetentionPeriod", int(spec.backup.retention_days)),
    ]);
    let key = spec.encryption.storage.then(|| recovery::key(there));
    props.extend(key.map(|key| ("KmsKeyId".to_owned(), key)));
    Some(Resource { id: Id::new(NAME, names::elsewhere(region, &spec.name)), props, needs: vec![instance::id(spec)] })
}
