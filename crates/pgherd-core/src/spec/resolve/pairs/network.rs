//! Pairs about where the instance is and who reaches it: name, replicas, firewall, labels, zone.

use crate::cloud::Cloud;
use crate::diagnostic::Severity;
use crate::spec::Origin;
use crate::value::Value;

use super::super::draft::Draft;

/// The database is called like the instance unless it is named.
pub(super) fn database_name(draft: &mut Draft) {
    if draft.written("database_name").is_none() {
        let name = draft.text("name").unwrap_or_default().replace('-', "_");
        draft.settle("database_name", name, Origin::Follows("name"));
    }
}

/// The switch decides whether there are replicas, the count how many.
pub(super) fn replicas(draft: &mut Draft) {
    const COUNT: &str = "read_replica_count";
    const SWITCH: &str = "create_read_replica";
    let written = draft.written_whole(COUNT);
    if draft.is_on(SWITCH) {
        if written.is_none() {
            let origin = draft.settled[SWITCH].origin.clone();
            let origin = if let Origin::Preset(_) = origin { origin } else { Origin::Follows(SWITCH) };
            draft.settle(COUNT, Value::Int(1), origin);
        }
        return;
    }
    if let Some(count @ 1..) = written {
        let message = format!("`{COUNT}` is {count}, but `{SWITCH}` is not true: there are no replicas");
        draft.say(Severity::Note, "replicas-off", COUNT, message, "");
    }
    draft.settle(COUNT, Value::Int(0), Origin::Follows(SWITCH));
}

/// Rules need a firewall object to be in.
pub(super) fn firewall(draft: &mut Draft) {
    const RULES: &str = "security_group_rules";
    if draft.written_bool("create_security_group") == Some(false) && !draft.written_list(RULES).is_empty() {
        let message = format!("`{RULES}` has rules, but `create_security_group` is false");
        draft.say(
            Severity::Error,
            "rules-without-group",
            RULES,
            message,
            "put them into the group of security_group_ids, or let pgherd make one",
        );
    }
}

/// The environment is a tag too, unless there is one of that name in whatever case.
pub(super) fn environment_tag(draft: &mut Draft) {
    const TAG: &str = "Environment";
    let environment = draft.value("environment").clone();
    let Value::Map(mut tags) = draft.value("tags").clone() else { return };
    if environment.is_null() || tags.keys().any(|key| key.eq_ignore_ascii_case(TAG)) {
        return;
    }
    let origin = match draft.settled["tags"].origin.clone() {
        Origin::Default => Origin::Follows("environment"),
        written => written,
    };
    tags.insert(TAG.to_owned(), environment);
    draft.settle("tags", Value::Map(tags), origin);
}

/// RDS chooses both zones of a highly available instance itself.
pub(super) fn zone(draft: &mut Draft) {
    const ZONE: &str = "availability_zone";
    if draft.target == Cloud::Aws && draft.is_on("multi_az") && draft.written(ZONE).is_some() {
        let message = format!("`{ZONE}` and `multi_az` exclude each other: RDS chooses the zones of a pair itself");
        draft.say(
            Severity::Error,
            "zone-and-multi-az",
            ZONE,
            message,
            "leave out availability_zone; subnet_ids say which zones there are",
        );
    }
}

/// What a target cannot do without and nobody but the user knows.
pub(super) fn required_place(draft: &mut Draft) {
    let (name, help) = match draft.target {
        Cloud::Azure => ("resource_group_name", "name an existing one, as in resource_group_name = \"databases\""),
        Cloud::DigitalOcean => ("do_region", "write its slug, as in do_region = \"fra1\""),
        // The API takes one by itself, and no instance is ever moved to another.
        Cloud::Gcp => ("gcp_region", "write it, as in gcp_region = \"europe-west3\""),
        Cloud::Aws | Cloud::Local => return,
    };
    // One that is written but of no use has been reported already.
    if draft.value(name).is_null() && !draft.has_error_at(name) {
        let message = format!("{} needs `{name}`", draft.target);
        draft.say(Severity::Error, "missing-value", name, message, help);
    }
}
