//! Storage: RDS never shrinks it, grows it by a tenth at least, and takes no change while it is at the last one.

use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::value::Value;

use super::{About, Answer, Doubt};
use crate::api::rds;
use crate::kinds::instance;
use crate::live::modify::{Rides, rides};
use crate::provider::Aws;

/// What the instance is doing, in RDS's word.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) doing: Answer<Option<String>>,
}

impl Facts {
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        self.doing.doubt().into_iter().collect()
    }
}

pub(super) async fn ask(aws: &Aws, about: &About<'_>) -> Facts {
    let name = &about.spec.name;
    let doing = match is_changed(about) {
        true => {
            let seen = rds::instance(aws.session(), about.region, name).await;
            Answer::to("what becomes of the storage was not checked", seen.map(|seen| seen.map(|seen| seen.status)))
        }
        false => Answer::Unasked,
    };
    Facts { doing }
}

pub(super) fn say(about: &About<'_>, facts: &Facts) -> Vec<Diagnostic> {
    let doing = facts.doing.known().and_then(Option::as_deref);
    [step(about), left(about), doing.and_then(|doing| busy(about, doing))].into_iter().flatten().collect()
}

/// Whether something of the instance's storage is sent.
fn is_changed(about: &About<'_>) -> bool {
    let mut changes = about.changes(instance::NAME).filter(|(_, change)| !change.is_waiting());
    changes.any(|(_, change)| rides(&change.field) == Some(Rides::Storage))
}

/// "You must increase storage by at least 10 percent" (Amazon RDS User Guide, "Increasing DB instance storage capacity").
fn step(about: &About<'_>) -> Option<Diagnostic> {
    let change = about.change("AllocatedStorage").filter(|change| !change.is_waiting())?;
    let (from, to) = (change.from.as_int()?, change.to.as_int()?);
    let least = from.saturating_mul(11).saturating_add(9) / 10;
    (from < to && to < least).then(|| {
        let message = format!("RDS grows storage by a tenth at least: from {from} GiB to {least} GiB or more");
        about.error("storage-step", "allocated_storage", message).help(format!("write {least}, or leave it at {from}"))
    })
}

/// What is there already and less is written: no step does anything about it.
fn left(about: &About<'_>) -> Option<Diagnostic> {
    let of = |value: Option<&Value>| value.and_then(Value::as_int);
    let (live, wanted) = (of(about.live("AllocatedStorage"))?, of(about.wanted("AllocatedStorage"))?);
    // What grew by itself was meant to.
    let grows = about.wanted("MaxAllocatedStorage").is_some();
    (live > wanted && !grows).then(|| {
        let name = &about.spec.name;
        let message = format!(
            "RDS never shrinks storage: {name} has {live} GiB, the block says {wanted}, and it is left as it is"
        );
        about
            .note("storage-shrink", "allocated_storage", message)
            .help(format!("write {live}; less takes a new database"))
    })
}

fn busy(about: &About<'_>, doing: &str) -> Option<Diagnostic> {
    let is_optimizing = ["storage-optimization", "storage-config-upgrade"].contains(&doing);
    is_optimizing.then(|| {
        let message =
            format!("RDS is at the last change of {}'s storage, and takes no other meanwhile", about.spec.name);
        let help = "run this again when that has ended, which may take hours; clients notice nothing of it";
        about.error("storage-busy", "allocated_storage", message).help(help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::case::Case;

    #[track_caller]
    fn check(from: &str, to: &str, doing: &str, expected: &[&str]) {
        let facts = Facts { doing: Answer::Told(Some(doing.to_owned())) };
        let facts = |about: &About<'_>| match is_changed(about) {
            true => facts.clone(),
            false => Facts { doing: Answer::Unasked },
        };
        Case::changed(from, to).check(|about| say(about, &facts(about)), expected);
    }

    #[test]
    fn a_tenth_more_is_enough() {
        check("allocated_storage = 100", "allocated_storage = 110", "available", &[]);
        check("allocated_storage = 101", "allocated_storage = 112", "available", &[]);
        check(
            "allocated_storage = 101",
            "allocated_storage = 111",
            "available",
            &[
                "error allocated_storage: RDS grows storage by a tenth at least: from 101 GiB to 112 GiB or more [write 112, or leave it at 101]",
            ],
        );
    }

    #[test]
    fn less_is_left_as_it_is() {
        check(
            "allocated_storage = 120",
            "allocated_storage = 100",
            "available",
            &[
                "note allocated_storage: RDS never shrinks storage: orders has 120 GiB, the block says 100, and it is left as it is [write 120; less takes a new database]",
            ],
        );
        let grows = "allocated_storage = 100\nmax_allocated_storage = 200";
        check("allocated_storage = 120\nmax_allocated_storage = 200", grows, "available", &[]);
    }

    #[test]
    fn while_rds_is_at_it() {
        check(
            "allocated_storage = 100",
            "allocated_storage = 200",
            "storage-optimization",
            &[
                "error allocated_storage: RDS is at the last change of orders's storage, and takes no other meanwhile [run this again when that has ended, which may take hours; clients notice nothing of it]",
            ],
        );
        check("backup_retention_period = 7", "backup_retention_period = 8", "storage-optimization", &[]);
    }
}
