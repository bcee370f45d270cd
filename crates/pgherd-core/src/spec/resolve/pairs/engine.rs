//! Pairs about the server: version, parameter group, storage growth, pooler.

use crate::catalogue::versions;
use crate::cloud::Cloud;
use crate::diagnostic::Severity;
use crate::spec::Origin;
use crate::value::Value;
use crate::version::Version;

use super::super::defaults::{complete, major_of_family};
use super::super::draft::Draft;

/// The family's major is the version's, and decides it when no version is written; with neither it is the newest (Q1).
pub(super) fn family_and_version(draft: &mut Draft) {
    let family = draft.written("parameter_group_family").and_then(Value::as_text).map(str::to_owned);
    let written = draft.written("engine_version").and_then(Value::as_text).and_then(Version::parse);
    let by_family = family.as_deref().and_then(major_of_family);
    match (written, by_family) {
        (Some(version), Some(major)) if version.major != major => {
            let message = format!(
                "`parameter_group_family` is for PostgreSQL {major}, but `{}` is {version}",
                draft.name_of("engine_version"),
            );
            let help = format!("write \"postgres{}\", or leave it out", version.major);
            draft.say(Severity::Error, "family-and-version", "parameter_group_family", message, &help);
        }
        (None, Some(major)) => {
            draft.settle("engine_version", major.to_string(), Origin::Follows("parameter_group_family"));
        }
        (Some(version), None) => settle_family(draft, version.major),
        // On this machine it is the newest installed, which is not to be known here.
        (None, None) if draft.target != Cloud::Local && !draft.written.contains_key("parameter_group_family") => {
            let newest = versions::newest(draft.target);
            draft.settle("engine_version", newest.to_string(), Origin::Newest(draft.target));
            settle_family(draft, newest);
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
}

/// The family of a major, where there are families.
fn settle_family(draft: &mut Draft, major: u32) {
    if draft.settled["parameter_group_family"].origin != Origin::NoEffect {
        draft.settle("parameter_group_family", format!("postgres{major}"), Origin::Follows("engine_version"));
    }
}

/// An existing parameter group is used as it is: there is nothing to set in it, and no family to make one of.
pub(super) fn group_and_parameters(draft: &mut Draft) {
    if draft.written("parameter_group_name").is_none() {
        return;
    }
    let has_parameters = !draft.written_list("parameters").is_empty();
    let has_family = draft.written("parameter_group_family").is_some();
    for (name, is_written) in [("parameters", has_parameters), ("parameter_group_family", has_family)] {
        if is_written {
            let message = format!("`{name}` cannot change the parameter group that `parameter_group_name` names");
            let help = "leave out parameter_group_name to have a group made, or the other to use that one";
            draft.say(Severity::Error, "group-and-parameters", name, message, help);
        }
    }
    // What pgherd would make a group of is not made.
    if !has_family && matches!(draft.settled["parameter_group_family"].origin, Origin::Follows(_)) {
        draft.settle("parameter_group_family", Value::Null, Origin::Follows("parameter_group_name"));
    }
}

/// A limit turns growth on; growth without a limit goes up to the target's own.
pub(super) fn limit_and_growth(draft: &mut Draft) {
    const LIMIT: &str = "max_allocated_storage";
    const SWITCH: &str = "auto_grow_enabled";
    let (limit, switch) = (draft.written_whole(LIMIT), draft.written_bool(SWITCH));
    match (switch, limit) {
        (Some(false), Some(limit)) => {
            let message = format!("`{LIMIT}` is {limit}, but `{SWITCH}` is false");
            draft.say(
                Severity::Error,
                "limit-without-growth",
                LIMIT,
                message,
                "write auto_grow_enabled = true, or leave one out",
            );
        }
        (Some(false), None) => draft.settle(LIMIT, Value::Null, Origin::Follows(SWITCH)),
        // A preset's limit that the written size has outgrown limits nothing.
        (Some(true) | None, None) if draft.whole(LIMIT) <= draft.whole("allocated_storage") => {
            draft.settle(LIMIT, Value::Null, Origin::Default);
        }
        (Some(true) | None, Some(_) | None) => {}
    }
    if switch.is_none() && draft.settled[SWITCH].origin != Origin::NoEffect {
        match draft.whole(LIMIT) {
            Some(_) => draft.settle(SWITCH, true, Origin::Follows(LIMIT)),
            None if draft.value(SWITCH).is_null() => draft.settle(SWITCH, false, Origin::Default),
            None => {}
        }
    }
}

/// A written config turns the pooler on; a switch that is off keeps the config ready for later.
pub(super) fn proxy(draft: &mut Draft) {
    const CONFIG: &str = "proxy_config";
    const SWITCH: &str = "enable_proxy";
    let has_config = draft.written(CONFIG).is_some();
    match draft.written_bool(SWITCH) {
        Some(false) if has_config => {
            let message = format!("`{CONFIG}` waits for `{SWITCH}`, which is false");
            draft.say(Severity::Note, "proxy-off", CONFIG, message, "");
        }
        Some(true) if !has_config => draft.settle(CONFIG, complete(CONFIG), Origin::Follows(SWITCH)),
        None if has_config => draft.settle(SWITCH, true, Origin::Follows(CONFIG)),
        Some(_) | None => {}
    }
}
