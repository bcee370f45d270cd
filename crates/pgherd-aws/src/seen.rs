//! What is to be said of what there is, whatever a plan does. Pure.

use pgherd_core::diagnostic::{Diagnostic, Severity};
use pgherd_core::resource::{Observed, Resource};
use pgherd_core::value::{Props, Value};

use crate::kinds::{backup_replication, instance, proxy, replica};
use crate::names;
use crate::status::has_stopped;

/// Everything about what stands beside the instance.
pub(crate) fn told(block: &str, desired: &[Resource], observed: &[Observed]) -> Vec<Diagnostic> {
    [proxies(block, observed), stopped(block, observed), managed(block, observed), retention(block, desired, observed)]
        .concat()
}

/// The field of an instance that holds the secret of RDS's own that its password stands in.
pub(crate) const OWN_SECRET: &str = "MasterUserSecret.SecretArn";

/// How RDS is told to manage a password no longer.
pub(crate) fn no_longer_managed(name: &str) -> String {
    format!(
        "`aws rds modify-db-instance --db-instance-identifier {name} --no-manage-master-user-password --master-user-password …` ends that; then `pgherd rotate` writes a new one into the secret"
    )
}

/// An instance whose password RDS changes by itself: the one in the secret of its block opens nothing.
fn managed(block: &str, observed: &[Observed]) -> Vec<Diagnostic> {
    let instances = observed.iter().filter(|seen| seen.id.kind == instance::NAME);
    let told = instances.filter(|seen| seen.props.contains_key(OWN_SECRET)).map(|seen| {
        let name = &seen.id.name;
        let message = format!(
            "RDS manages the password of {name} in a secret of its own, so the one in pgherd's is not in force"
        );
        Diagnostic::error("password-managed", message).at(block, "master_password").help(no_longer_managed(name))
    });
    told.collect()
}

/// The field of a replica that holds RDS's word for how it follows.
pub(crate) const FOLLOWING: &str = "Following";

/// Replicas that do not follow any more.
fn stopped(block: &str, observed: &[Observed]) -> Vec<Diagnostic> {
    let replicas = observed.iter().filter(|seen| seen.id.kind == replica::NAME);
    let words = replicas.filter_map(|seen| Some((&seen.id.name, seen.props.get(FOLLOWING)?.as_text()?)));
    let warning = |(name, word): (&String, &str)| {
        let message = format!("the replica {name} does not follow its source: {word}");
        let help =
            "RDS's events say why (pgherd events); one that cannot follow again is made anew after it was deleted";
        Diagnostic::warning("replica-stopped", message).at(block, "create_read_replica").help(help)
    };
    words.filter(|(_, word)| has_stopped(word)).map(warning).collect()
}

/// Proxies of a block that do not reach its instance.
fn proxies(block: &str, observed: &[Observed]) -> Vec<Diagnostic> {
    let proxies = observed.iter().filter(|seen| seen.id.kind == proxy::NAME);
    let troubled = proxies.filter_map(|seen| Some((&seen.id.name, seen.props.get(proxy::REACH)?.as_text()?)));
    let warning = |(name, words): (&String, &str)| {
        let help = format!("`aws rds describe-db-proxy-targets --db-proxy-name {name}` tells what it sees");
        let message = format!("the proxy {name} leads nowhere: {words}");
        Diagnostic::warning("proxy-target", message).at(block, "enable_proxy").help(help)
    };
    troubled.map(warning).collect()
}

/// Copies of backups in a second region that are kept for another time than those here.
fn retention(block: &str, desired: &[Resource], observed: &[Observed]) -> Vec<Diagnostic> {
    let days = |props: &Props| props.get("BackupRetentionPeriod").and_then(Value::as_int);
    let note = |seen: &Observed| {
        let wanted = desired.iter().find(|one| one.id == seen.id && seen.id.kind == backup_replication::NAME)?;
        let (live, wanted) = (days(&seen.props)?, days(&wanted.props)?);
        let region = names::place(&seen.id.kind, &seen.id.name).0.unwrap_or_default();
        let message = format!("copies of backups in {region} are kept for {live} days, backups here for {wanted}");
        let help =
            "RDS changes that only by ending the copies: take geo_redundant_backup out, apply, and write it again";
        (live != wanted).then(|| {
            let severity = Severity::Note;
            Diagnostic { severity, ..Diagnostic::warning("copies-retention", message) }
                .at(block, "backup_retention_period")
                .help(help)
        })
    };
    observed.iter().filter_map(note).collect()
}
