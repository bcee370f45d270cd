//! The table against itself and against the requirements.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

#[test]
fn names_are_unique() {
    let names: Vec<_> = all().map(|variable| variable.name).collect();
    let unique: BTreeSet<_> = names.iter().collect();
    assert_eq!((names.len(), unique.len()), (92, 92));
    let outputs: BTreeSet<_> = OUTPUTS.iter().map(|output| output.name).collect();
    assert_eq!((OUTPUTS.len(), outputs.len()), (26, 26));
}

#[test]
fn every_alias_names_a_canonical_variable_of_its_own_type() {
    for alias in all().filter(|variable| variable.canonical.is_some()) {
        let canonical = variable(alias.canonical_name()).expect("the canonical name is in the table");
        assert_eq!(canonical.canonical, None, "{}", alias.name);
        assert_eq!((canonical.ty, canonical.forces_new), (alias.ty, alias.forces_new), "{}", alias.name);
        assert!(alias.default.ends_with(canonical.name), "{}", alias.name);
    }
}

#[test]
fn everything_has_words() {
    for variable in all() {
        assert!(variable.meaning.ends_with('.'), "{}: the meaning is a sentence", variable.name);
        assert!(!variable.default.is_empty() && !variable.default.ends_with('.'), "{}", variable.name);
        assert!(!variable.validation.ends_with('.'), "{}", variable.name);
        assert!(!variable.clouds.is_empty(), "{}", variable.name);
    }
    for output in OUTPUTS {
        assert!(output.meaning.ends_with('.'), "{}: the meaning is a sentence", output.name);
    }
}

#[test]
fn sections_stand_together_and_in_order() {
    let sections: Vec<_> = all().map(|variable| variable.section).collect();
    assert!(sections.is_sorted());
    assert_eq!(sections.iter().collect::<BTreeSet<_>>().len(), Section::ALL.len());
}

/// Additions of variables.md sections 6.11 and 7, which its tables do not carry, what only this machine can choose, and what AWS needs
/// to know of a second region and of whom to let in.
const ADDITIONS: [&str; 19] = [
    "allowed_security_group_ids",
    "dr_region",
    "dr_read_replica",
    "dr_vpc_id",
    "dr_subnet_ids",
    "dr_security_group_ids",
    "dr_kms_key_id",
    "security_group_ids",
    "port",
    "alarms",
    "alarm_targets",
    "create_dashboard",
    "apply_immediately",
    "azure_subscription_id",
    "gcp_edition",
    "key_vault_name",
    "key_identity_id",
    "log_analytics_workspace_id",
    "local_sync",
];

/// One row of the requirements' tables as this table has to say it.
fn row(variable: &Variable) -> String {
    let same = match variable.canonical {
        Some(canonical) => format!(" -> {canonical}"),
        None => String::new(),
    };
    let forces_new = if variable.forces_new { ", forces new" } else { "" };
    let sensitive = if variable.sensitive { ", sensitive" } else { "" };
    format!("{}: {} : {}{same}{forces_new}{sensitive}", variable.section, variable.name, variable.ty)
}

#[test]
fn is_the_table_of_the_requirements() {
    let Some(text) = requirements() else { return };
    let mut section = "";
    let mut wanted = BTreeSet::new();
    let tables = text.split("## 3. ").next().expect("a split has a first part");
    for line in tables.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            section = title;
        }
        let cells: Vec<_> = line.replace("\\|", "/").split('|').map(|cell| cell.trim().to_owned()).collect();
        let [_, name, ty, default, _, _, _, _, _, meaning, ..] = cells.as_slice() else { continue };
        let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else { continue };
        let same = default.strip_prefix("-> ").map_or(String::new(), |to| format!(" -> {}", to.trim_matches('`')));
        let forces_new = if meaning.contains("*Forces new.*") { ", forces new" } else { "" };
        let sensitive = if meaning.contains("**Sensitive.**") { ", sensitive" } else { "" };
        wanted.insert(format!("{section}: {name} : {}{same}{forces_new}{sensitive}", ty.trim_matches('`')));
    }
    assert_eq!(wanted.len(), 73);
    let have: BTreeSet<_> = all().filter(|variable| !ADDITIONS.contains(&variable.name)).map(row).collect();
    let differences: Vec<_> = wanted.symmetric_difference(&have).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn has_the_outputs_of_the_requirements() {
    let Some(text) = requirements() else { return };
    let outputs = text.split("## 4. Outputs").nth(1).and_then(|rest| rest.split("## 5. ").next()).expect("section 4");
    let mut wanted = BTreeSet::from(["db_instance_host_port: string".to_owned(), "proxy_endpoint: string".to_owned()]);
    for line in outputs.lines().skip_while(|line| !line.starts_with("|---")).skip(1).filter(|l| l.starts_with("| ")) {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (names, ty) = (cells.next().expect("names"), cells.next().expect("type"));
        for name in names.split(", ") {
            let name = name.split(' ').next().expect("a split has a first part");
            wanted.insert(format!("{name}: {}", ty.replace("), sensitive", ") sensitive").replace(", ", " ")));
        }
    }
    let have: BTreeSet<_> = OUTPUTS
        .iter()
        .map(|o| format!("{}: {}{}", o.name, o.ty, if o.sensitive { " sensitive" } else { "" }))
        .collect();
    let differences: Vec<_> = wanted.symmetric_difference(&have).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may read the requirements, and says when it cannot"
)]
fn requirements() -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/requirements/variables.md");
    let text = std::fs::read_to_string(path).ok();
    if text.is_none() {
        eprintln!("SKIPPED comparison with the requirements: ../shared is absent");
    }
    text
}
