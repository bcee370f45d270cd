//! What is to be said of what there is, whatever a plan does. Pure.

use pgherd_core::diagnostic::{Diagnostic, Severity};
use pgherd_core::resource::{Observed, Resource};
use pgherd_core::value::{Props, Value};

use crate::kinds::{backup_replication, proxy};
use crate::names;

/// Everything about what stands beside the instance.
pub(crate) fn told(block: &str, desired: &[Resource], observed: &[Observed]) -> Vec<Diagnostic> {
    [proxies(block, observed), retention(block, desired, observed)].concat()
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
