//! What stands in the way of making more: the account's quotas, and a secret of the same name that was deleted.

use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::resource::Status;
use pgherd_core::spec::Setting;
use pgherd_core::value::Value;

use super::{About, Answer, Doubt};
use crate::api::rds::{self, Quota};
use crate::api::secrets::{self, Described};
use crate::kinds::{instance, parameter_group, replica, secret, subnet_group};
use crate::provider::Aws;

/// What there is already.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) quotas: Answer<Vec<Quota>>,
    /// Whether the secret that is made waits for its deletion.
    pub(super) is_deleted: Answer<bool>,
}

impl Facts {
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        [self.quotas.doubt(), self.is_deleted.doubt()].into_iter().flatten().collect()
    }
}

pub(super) async fn ask(aws: &Aws, about: &About<'_>) -> Facts {
    let (session, region) = (aws.session(), about.region);
    let quotas = async {
        match wanted(about).iter().all(|(_, more, _)| *more == 0) {
            true => Answer::Unasked,
            false => Answer::to("the quota was not checked", rds::quotas(session, region).await),
        }
    };
    let is_deleted = async {
        match about.begun_anew(secret::NAME).next() {
            Some(secret) => {
                let described = secrets::describe(session, region, &secret.id.name).await;
                let is_deleted = |described: Option<Described>| described.is_some_and(|described| described.deleted);
                Answer::to("the secret was not checked", described.map(is_deleted))
            }
            None => Answer::Unasked,
        }
    };
    let (quotas, is_deleted) = tokio::join!(quotas, is_deleted);
    Facts { quotas, is_deleted }
}

pub(super) fn say(about: &About<'_>, facts: &Facts) -> Vec<Diagnostic> {
    let quotas = facts.quotas.known().map_or(&[][..], Vec::as_slice);
    let exceeded = wanted(about).into_iter().filter_map(|wanted| exceeded(about, quotas, wanted));
    let is_deleted = facts.is_deleted.known() == Some(&true);
    let deleted = is_deleted.then(|| deleted(about));
    // One that comes back brings the old password along.
    exceeded.chain(deleted).chain(replaced(about).filter(|_| !is_deleted)).collect()
}

/// Nobody knows the password of an instance without its secret, so a new one would be set: whoever has the old one is locked out.
/// One that the block says is asked for.
fn replaced(about: &About<'_>) -> Option<Diagnostic> {
    if matches!(about.spec.master_password, Setting::Known(_)) {
        return None;
    }
    let secret = about.begun_anew(secret::NAME).next()?;
    let seen = about.seen(&instance::id(about.spec))?;
    let is_used = !matches!(seen.status, Status::Incomplete(_) | Status::Foreign(_));
    is_used.then(|| {
        let message = format!(
            "{} is there and its secret {} is not: with a new secret it gets a new password, and nobody can log in with the old one",
            seen.id.name, secret.id.name
        );
        about.error("password-replaced", "name", message).help(
            "put {\"username\":…,\"password\":…} into a secret of that name, with the tags of the instance, and the password stays",
        )
    })
}

/// How much more of what is wanted: the quota's name, how many, and what they are called.
fn wanted(about: &About<'_>) -> [(&'static str, i64, &'static str); 5] {
    let count = |kind: &'static str| i64::try_from(about.begun_anew(kind).count()).unwrap_or(i64::MAX);
    let gib = |kind: &'static str| -> i64 {
        about.begun_anew(kind).filter_map(|one| one.props.get("AllocatedStorage").and_then(Value::as_int)).sum()
    };
    [
        ("DBInstances", count(instance::NAME) + count(replica::NAME), "DB instances"),
        ("AllocatedStorage", gib(instance::NAME) + gib(replica::NAME), "GiB of storage"),
        ("DBParameterGroups", count(parameter_group::NAME), "parameter groups"),
        ("DBSubnetGroups", count(subnet_group::NAME), "subnet groups"),
        ("ReadReplicasPerMaster", count(replica::NAME), "read replicas of one instance"),
    ]
}

fn exceeded(about: &About<'_>, quotas: &[Quota], (name, more, what): (&str, i64, &str)) -> Option<Diagnostic> {
    let quota = quotas.iter().find(|quota| quota.name == name)?;
    // Of replicas RDS tells the most that any instance has.
    let used = if name == "ReadReplicasPerMaster" { replicas(about) } else { quota.used };
    (more > 0 && used.saturating_add(more) > quota.most).then(|| {
        let most = quota.most;
        let message =
            format!("the account may have {most} {what} in {}, has {used}, and {more} more are wanted", about.region);
        about
            .error("quota", "", message)
            .help("ask AWS for a higher quota (Service Quotas), or delete what nobody needs")
    })
}

fn replicas(about: &About<'_>) -> i64 {
    let there = about.observed.iter().filter(|seen| seen.id.kind == replica::NAME).count();
    i64::try_from(there).unwrap_or(i64::MAX)
}

fn deleted(about: &About<'_>) -> Diagnostic {
    let message = "the secret of an earlier database of this name was deleted and can still be restored";
    about
        .warning("secret-deleted", "name", message)
        .help("it is restored, and its password is the new database's as well")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::case::Case;

    #[track_caller]
    fn check(more: &str, facts: &Facts, expected: &[&str]) {
        Case::made(more).check(|about| say(about, facts), expected);
    }

    fn facts() -> Facts {
        let quota = |name: &str, used, most| Quota { name: name.to_owned(), used, most };
        let quotas = vec![quota("DBInstances", 38, 40), quota("AllocatedStorage", 99_000, 100_000)];
        Facts { quotas: Answer::Told(quotas), is_deleted: Answer::Told(false) }
    }

    const REPLICAS: &str = "create_read_replica = true\nread_replica_count = 2";

    #[test]
    fn what_fits() {
        check("", &facts(), &[]);
        check("create_read_replica = true", &facts(), &[]);
    }

    #[test]
    fn what_the_account_may_not_have() {
        check(
            REPLICAS,
            &facts(),
            &[
                "error -: the account may have 40 DB instances in eu-central-1, has 38, and 3 more are wanted [ask AWS for a higher quota (Service Quotas), or delete what nobody needs]",
            ],
        );
        check(
            "allocated_storage = 1001",
            &facts(),
            &[
                "error -: the account may have 100000 GiB of storage in eu-central-1, has 99000, and 1001 more are wanted [ask AWS for a higher quota (Service Quotas), or delete what nobody needs]",
            ],
        );
    }

    #[test]
    fn a_secret_that_was_deleted() {
        let facts = Facts { is_deleted: Answer::Told(true), ..facts() };
        check(
            "",
            &facts,
            &[
                "warning name: the secret of an earlier database of this name was deleted and can still be restored [it is restored, and its password is the new database's as well]",
            ],
        );
    }
}
