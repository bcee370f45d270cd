//! PostgreSQL's settings: whether RDS lets them be set, to these values, and what its own list of libraries had.

use std::sync::Arc;

use pgherd_core::diagnostic::Diagnostic;

use super::{About, Answer, Doubt};
use crate::api::rds::{self, DefaultParameter};
use crate::kinds::parameter_group;
use crate::provider::Aws;

const PRELOAD: &str = "shared_preload_libraries";
/// Most characters of a list of values that a message shows.
const SHOWN: usize = 120;

/// What RDS knows of each parameter.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) defaults: Answer<Arc<[DefaultParameter]>>,
}

impl Facts {
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        self.defaults.doubt().into_iter().collect()
    }
}

pub(super) async fn ask(aws: &Aws, about: &About<'_>) -> Facts {
    let defaults = match family(about).filter(|_| !set(about).is_empty()) {
        Some(family) => {
            Answer::to("no parameter was checked", rds::defaults(aws.session(), about.region, family).await)
        }
        None => Answer::Unasked,
    };
    Facts { defaults }
}

pub(super) fn say(about: &About<'_>, facts: &Facts) -> Vec<Diagnostic> {
    let Some(defaults) = facts.defaults.known() else { return Vec::new() };
    set(about).into_iter().filter_map(|(name, value)| parameter(about, defaults, name, value)).collect()
}

/// The family of the group that is made or changed.
fn family<'a>(about: &About<'a>) -> Option<&'a str> {
    let of_group = |props: &'a pgherd_core::value::Props| {
        let fields = ["DBParameterGroupFamily", "NewestDBParameterGroupFamily"];
        fields.iter().find_map(|field| props.get(*field)?.as_text())
    };
    about.steps(parameter_group::NAME).find_map(|step| {
        let resource = about.desired.iter().find(|resource| resource.id == step.id)?;
        // Of a block that names no version the group keeps the family that it has.
        about.seen(&step.id).and_then(|seen| of_group(&seen.props)).or_else(|| of_group(&resource.props))
    })
}

/// The settings that are put into the group, by name.
fn set<'a>(about: &About<'a>) -> Vec<(&'a str, &'a str)> {
    let made = about.made(parameter_group::NAME).filter_map(|group| group.props.get("Parameters")?.as_map());
    let made = made.flatten().map(|(name, value)| (name.as_str(), value));
    let changed = about.changes(parameter_group::NAME);
    let changed = changed.filter_map(|(_, change)| Some((change.field.strip_prefix("Parameters.")?, &change.to)));
    made.chain(changed).filter_map(|(name, value)| Some((name, value.as_text()?))).collect()
}

fn parameter(about: &About<'_>, defaults: &[DefaultParameter], name: &str, value: &str) -> Option<Diagnostic> {
    let Some(known) = defaults.iter().find(|known| known.name == name) else {
        let message = format!("RDS has no parameter {name} in this major");
        return Some(about.error("parameter-not-modifiable", "parameters", message).help("take it out of the block"));
    };
    if !known.is_modifiable {
        let message = format!("RDS lets nobody set {name}");
        return Some(about.error("parameter-not-modifiable", "parameters", message).help("take it out of the block"));
    }
    if let Some(allowed) = known.allowed.as_deref().filter(|allowed| !is_allowed(allowed, value)) {
        let message = format!("RDS does not take {value} for {name}");
        let help = format!("it takes {}", shortened(allowed));
        return Some(about.error("parameter-allowed-values", "parameters", message).help(help));
    }
    (name == PRELOAD).then(|| lost(about, known.value.as_deref()?, value)).flatten()
}

/// Libraries that RDS loads by itself and that a written list takes away.
fn lost(about: &About<'_>, default: &str, value: &str) -> Option<Diagnostic> {
    let written: Vec<&str> = items(value).collect();
    let lost: Vec<&str> = items(default).filter(|library| !written.contains(library)).collect();
    (!lost.is_empty()).then(|| {
        let message = format!("RDS loads {} by itself, and the list in the group does not", lost.join(", "));
        let help = format!("add {} to {PRELOAD} where it is used", lost.join(", "));
        about.warning("preload-lost", "parameters", message).help(help)
    })
}

/// Whether RDS's list of values has one. A list or range nobody can read forbids nothing, nor is a formula looked into.
fn is_allowed(allowed: &str, value: &str) -> bool {
    let is_formula = value.contains('{') || ["LEAST(", "GREATEST(", "SUM("].iter().any(|one| value.starts_with(one));
    if is_formula {
        return true;
    }
    if let Some((least, most)) = range(allowed) {
        return value.parse::<f64>().is_ok_and(|number| (least..=most).contains(&number));
    }
    let values: Vec<&str> = items(allowed).collect();
    values.len() < 2 || items(value).all(|one| values.iter().any(|known| known.eq_ignore_ascii_case(one)))
}

/// `0-100`, `-1-3600`, `1.0-1.7`.
fn range(allowed: &str) -> Option<(f64, f64)> {
    let middle = allowed.get(1..)?.find('-')? + 1;
    let (least, most) = (allowed.get(..middle)?, allowed.get(middle + 1..)?);
    Some((least.trim().parse().ok()?, most.trim().parse().ok()?))
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn shortened(allowed: &str) -> String {
    match allowed.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &allowed[..end]),
        None => allowed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::case::Case;

    fn known(name: &str, value: Option<&str>, allowed: Option<&str>, is_modifiable: bool) -> DefaultParameter {
        let text = |text: Option<&str>| text.map(str::to_owned);
        DefaultParameter { name: name.to_owned(), value: text(value), allowed: text(allowed), is_modifiable }
    }

    /// What is said of a block's parameters where RDS has some.
    #[track_caller]
    fn check(parameters: &str, expected: &[&str]) {
        let defaults = vec![
            known("rds.force_ssl", Some("1"), Some("0,1"), true),
            known("log_min_duration_statement", None, Some("-1-2147483647"), true),
            known("work_mem", None, Some("64-2147483647"), true),
            known("log_statement", None, Some("none,ddl,mod,all"), true),
            known("seq_page_cost", None, Some("0.0-1000.5"), true),
            known("search_path", None, None, true),
            known("fsync", None, Some("0,1"), false),
            known("max_connections", None, Some("6-8388607"), true),
            known(
                PRELOAD,
                Some("pg_stat_statements,pg_tle"),
                Some("auto_explain,pg_cron,pg_stat_statements,pg_tle"),
                true,
            ),
        ];
        let case = Case::made(&format!("parameters = [{parameters}]"));
        case.check(|about| say(about, &Facts { defaults: Answer::Told(Arc::from(&defaults[..])) }), expected);
    }

    fn one(name: &str, value: &str) -> String {
        format!("{{ name = \"{name}\", value = \"{value}\" }}")
    }

    #[test]
    fn what_rds_takes_is_fine() {
        check("", &[]);
        check(&one("work_mem", "8MB"), &[]);
        check(&one("log_statement", "ddl"), &[]);
        check(&one("log_min_duration_statement", "-1"), &[]);
        check(&one("seq_page_cost", "1.1"), &[]);
        check(&one("search_path", "a,b"), &[]);
        check(&one("max_connections", "LEAST({DBInstanceClassMemory/9531392},5000)"), &[]);
    }

    #[test]
    fn what_it_does_not_take_is_not() {
        check(
            &one("log_statement", "some"),
            &["error parameters: RDS does not take some for log_statement [it takes none,ddl,mod,all]"],
        );
        check(
            &one("max_connections", "2"),
            &["error parameters: RDS does not take 2 for max_connections [it takes 6-8388607]"],
        );
    }

    #[test]
    fn what_nobody_may_set_or_knows() {
        check(&one("fsync", "on"), &["error parameters: RDS lets nobody set fsync [take it out of the block]"]);
        check(
            &one("jit", "on"),
            &["error parameters: RDS has no parameter jit in this major [take it out of the block]"],
        );
    }

    #[test]
    fn libraries_that_rds_loads_by_itself() {
        check(&one(PRELOAD, "pg_stat_statements"), &[]);
        check(&one(PRELOAD, "pg_cron,pg_tle"), &[]);
        check(
            &one(PRELOAD, "pg_cron"),
            &[
                "warning parameters: RDS loads pg_tle by itself, and the list in the group does not [add pg_tle to shared_preload_libraries where it is used]",
            ],
        );
    }

    #[test]
    fn a_list_that_nobody_can_read_forbids_nothing() {
        assert!(is_allowed("(see the manual)", "whatever"));
        assert!(is_allowed("", "whatever"));
        assert!(!is_allowed("0-1", "2") && is_allowed("-1-3600", "-1"));
    }
}
