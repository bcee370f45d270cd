//! What was taken out of a block, or is not in it, and stays with the instance all the same: nothing that is sent would take it away.

use futures_util::future::join;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::spec::Setting;
use pgherd_core::value::Value;
use pgherd_core::version::Version;

use super::About;
use crate::api::{ec2, kms};
use crate::kinds::{instance, secret, security_group};
use crate::names;
use crate::provider::Aws;
use crate::written;

/// What AWS tells of it. Who may not ask is told nothing: whether it is RDS's own choice is then not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Whether the key of the storage is somebody's own.
    has_own_key: bool,
    /// The groups that networks have by themselves.
    defaults: Option<Vec<String>>,
}

pub(super) async fn ask(aws: &Aws, about: &About<'_>) -> Facts {
    let key = async {
        // Nothing to do takes no call for this, unless the secret has a key of somebody's own: then the block once named it.
        let may_be_own = !about.plan.steps.is_empty() || secret_has_key(about);
        let Some(key) = unsaid_key(about).filter(|_| may_be_own) else { return false };
        let told = kms::key(aws.session(), about.region, key).await;
        told.is_ok_and(|key| key.is_some_and(|key| key.manager == "CUSTOMER"))
    };
    let groups = async {
        unsaid_groups(about)?;
        let told = ec2::groups(aws.session(), about.region, ec2::Which::Named("default")).await.ok()?;
        Some(told.into_iter().map(|group| group.id).collect())
    };
    let (has_own_key, defaults) = join(key, groups).await;
    Facts { has_own_key, defaults }
}

pub(super) fn say(about: &About<'_>, facts: &Facts) -> Vec<Diagnostic> {
    [key(about, facts), subnets(about), groups(about, facts), options(about)].into_iter().flatten().collect()
}

const STAYS: &str = "stays-as-it-is";

fn key(about: &About<'_>, facts: &Facts) -> Option<Diagnostic> {
    let key = unsaid_key(about).filter(|_| facts.has_own_key)?;
    let message =
        format!("{} stays encrypted with {key}: the key of an instance is decided at creation", about.spec.name);
    let help = format!(
        "write kms_key_id = \"{key}\"; for another key take a snapshot, copy it with that, and restore the copy under a new name"
    );
    Some(about.warning(STAYS, "kms_key_id", message).help(help))
}

/// The key that the storage has and the block does not say.
fn unsaid_key<'a>(about: &About<'a>) -> Option<&'a str> {
    let is_said = !matches!(about.spec.encryption.kms_key_id, Setting::Unset);
    about.live("KmsKeyId")?.as_text().filter(|_| !is_said && about.spec.encryption.storage)
}

fn secret_has_key(about: &About<'_>) -> bool {
    let key = about.seen(&secret::id(about.spec)).and_then(|seen| seen.props.get(secret::KEY));
    key.is_some_and(|key| key.as_text().is_some())
}

fn subnets(about: &About<'_>) -> Option<Diagnostic> {
    let is_said = !matches!(about.spec.network.subnet_ids, Setting::Unset);
    let group = about.live("DBSubnetGroupName")?.as_text().filter(|group| !is_said && *group != "default")?;
    let ids: Vec<String> = listed(about, written::SUBNETS).into_iter().map(|id| format!("\"{id}\"")).collect();
    let message = format!(
        "{} stays in the subnets of {group}: RDS moves no instance to another subnet group of its network",
        about.spec.name
    );
    Some(about.warning(STAYS, "subnet_ids", message).help(format!("write subnet_ids = [{}]", ids.join(", "))))
}

fn groups(about: &About<'_>, facts: &Facts) -> Option<Diagnostic> {
    let live = unsaid_groups(about)?;
    let own = about.seen(&security_group_id(about)).and_then(|own| own.props.get(security_group::GROUP_ID)?.as_text());
    let quoted: Vec<String> = live.iter().map(|id| format!("\"{id}\"")).collect();
    if let Some(own) = own.filter(|own| live.contains(own)) {
        let message = format!(
            "{} would be in no security group: {own} is pgherd's and would be deleted, and RDS takes nobody out of the last one",
            about.spec.name
        );
        let help = "write security_group_ids with the group that it shall be in, or create_security_group = true";
        return Some(about.error("no-group-left", "create_security_group", message).help(help));
    }
    let defaults = facts.defaults.as_ref()?;
    live.iter().find(|id| !defaults.iter().any(|default| default == *id))?;
    let message = format!("{} stays in its security groups: {}", about.spec.name, live.join(", "));
    let help = format!("write security_group_ids = [{}], or the groups that it shall be in", quoted.join(", "));
    Some(about.warning(STAYS, "security_group_ids", message).help(help))
}

/// The groups that the instance is in, where the block says none.
fn unsaid_groups<'a>(about: &About<'a>) -> Option<Vec<&'a str>> {
    let network = &about.spec.network;
    let is_unsaid = !network.create_security_group && network.security_group_ids.is_empty();
    Some(listed(about, "VpcSecurityGroupIds")).filter(|live| is_unsaid && !live.is_empty())
}

fn security_group_id(about: &About<'_>) -> pgherd_core::resource::Id {
    pgherd_core::resource::Id::new(security_group::NAME, names::security_group(&about.spec.name))
}

fn options(about: &About<'_>) -> Option<Diagnostic> {
    let group = about.live("OptionGroupName")?.as_text();
    let group = group.filter(|group| about.spec.option_group_name.is_none() && !group.starts_with("default:"))?;
    let major = about.live("EngineVersion").and_then(Value::as_text).and_then(Version::parse)?.major;
    let message = format!("{} stays in the option group {group}", about.spec.name);
    let help = format!(
        "write option_group_name = \"default:postgres-{major}\" to take it out, or option_group_name = \"{group}\""
    );
    Some(about.warning(STAYS, "option_group_name", message).help(help))
}

fn listed<'a>(about: &About<'a>, field: &str) -> Vec<&'a str> {
    let list = about.seen(&instance::id(about.spec)).and_then(|seen| seen.props.get(field)?.as_list());
    list.unwrap_or_default().iter().filter_map(Value::as_text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::case::Case;

    /// What is said where the first is there and the second is written.
    #[track_caller]
    fn check(there: &str, written: &str, expected: &[&str]) {
        let facts = Facts { has_own_key: true, defaults: Some(vec!["sg-default".to_owned()]) };
        Case::changed(there, written).check(|about| say(about, &facts), expected);
    }

    #[test]
    fn a_key_stays() {
        let key = "kms_key_id = \"arn:aws:kms:eu-central-1:1:key/0f1e\"";
        check(
            key,
            "",
            &[
                "warning kms_key_id: orders stays encrypted with arn:aws:kms:eu-central-1:1:key/0f1e: the key of an instance is decided at creation [write kms_key_id = \"arn:aws:kms:eu-central-1:1:key/0f1e\"; for another key take a snapshot, copy it with that, and restore the copy under a new name]",
            ],
        );
        check(key, key, &[]);
        let rds = Facts::default();
        Case::changed(key, "").check(|about| say(about, &rds), &[]);
    }

    #[test]
    fn subnets_stay() {
        let there = |seen: &mut pgherd_core::resource::Observed| {
            let ids = ["s-a", "s-b"].map(Value::text).into();
            seen.props.insert(written::SUBNETS.to_owned(), Value::List(ids));
        };
        Case::changed("", "subnet_ids = null").seen(there).check(
            |about| say(about, &Facts::default()),
            &[
                "warning subnet_ids: orders stays in the subnets of orders: RDS moves no instance to another subnet group of its network [write subnet_ids = [\"s-a\", \"s-b\"]]",
            ],
        );
    }

    #[test]
    fn security_groups_stay() {
        check(
            "",
            "security_group_ids = null",
            &[
                "warning security_group_ids: orders stays in its security groups: sg-1 [write security_group_ids = [\"sg-1\"], or the groups that it shall be in]",
            ],
        );
        check("security_group_ids = [\"sg-default\"]", "security_group_ids = null", &[]);
        check("", "", &[]);
    }

    #[test]
    fn an_option_group_stays() {
        check(
            "option_group_name = \"theirs\"",
            "",
            &[
                "warning option_group_name: orders stays in the option group theirs [write option_group_name = \"default:postgres-16\" to take it out, or option_group_name = \"theirs\"]",
            ],
        );
        check("option_group_name = \"default:postgres-16\"", "", &[]);
    }
}
