//! The Terraform module, written from the table of variables and outputs: nobody keeps a second list of them.
//!
//! Every default is null, so that "not written" can be told from "written with the default". Each validation looks only at variables
//! that come before its own, since Terraform calls anything else a cycle.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pgherd_core::checks::{CHECKS, Check};
use pgherd_core::variables::{self, OUTPUTS, Section, Variable};

/// The folders of the module: the requirements know it under both names.
const FOLDERS: [&str; 2] = ["modules/database_postgres", "modules/database"];

/// Every file with its text.
pub fn files() -> Vec<(String, String)> {
    let texts =
        [("main.tf", main()), ("variables.tf", variables_tf()), ("outputs.tf", outputs_tf()), ("README.md", readme())];
    let of_folder =
        |folder: &&str| texts.iter().map(|(name, text)| (format!("{folder}/{name}"), text.clone())).collect::<Vec<_>>();
    FOLDERS.iter().flat_map(of_folder).collect()
}

const GENERATED: &str = "# Written by `cargo xtask generate` from the table of variables. Change it there.\n";

fn main() -> String {
    // What has no other name is handed over as it is: marks and what is not known yet stay with what they are about.
    let has_names = |variable: &Variable| variables::aliases(variable.canonical_name()).next().is_some();
    let shown: Vec<&Variable> = variables::all()
        .filter(|variable| !variable.sensitive && (has_names(variable) || variable.name == "cloud_provider"))
        .collect();
    let width = shown.iter().map(|variable| variable.name.len()).max().unwrap_or_default();
    let mut text = format!(
        "{GENERATED}
terraform {{
  # Older ones know no values that are kept in neither plan nor state.
  required_version = \">= 1.11\"

  required_providers {{
    pgherd = {{
      source = \"local/pgherd/pgherd\"
    }}
  }}
}}

locals {{
  # Folds the names that mean the same, so that another name of a setting is no change.
  resolved = provider::pgherd::resolve({{
"
    );
    for Variable { name, .. } in &shown {
        let _ = writeln!(text, "    {name:width$} = var.{name}");
    }
    text.push_str("  })\n}\n\nresource \"pgherd_postgres\" \"this\" {\n");
    let canonical: Vec<&Variable> = variables::all().filter(|variable| variable.canonical.is_none()).collect();
    let attribute = |variable: &Variable| match variable.sensitive {
        true => (format!("{}_wo", variable.name), format!("var.{}", variable.name)),
        false if has_names(variable) => (variable.name.to_owned(), format!("local.resolved.{}", variable.name)),
        false => (variable.name.to_owned(), format!("var.{}", variable.name)),
    };
    let lines: Vec<_> = canonical.into_iter().map(attribute).collect();
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in lines {
        let _ = writeln!(text, "  {name:width$} = {value}");
    }
    text.push_str("}\n");
    text
}

fn variables_tf() -> String {
    let mut text = GENERATED.to_owned();
    for variable in variables::all() {
        let Variable { name, ty, .. } = variable;
        let _ = write!(
            text,
            "\nvariable \"{name}\" {{\n  description = {}\n  type        = {ty}\n  default     = null\n",
            quoted(&description(variable))
        );
        if variable.sensitive {
            // Ordinary strings are taken as well, and are kept nowhere.
            text.push_str("  sensitive   = true\n  ephemeral   = true\n");
        }
        text.push_str(&validation(variable));
        text.push_str("}\n");
    }
    text
}

/// Asks the provider what is wrong, with what the answer may depend on: `terraform validate` knows this variable and takes all others for
/// unknown. What is not written is not asked about.
fn validation(variable: &Variable) -> String {
    let name = variable.name;
    let asked: BTreeSet<&str> = looked_at(variable).into_iter().chain([name]).collect();
    let each: Vec<String> = asked.iter().map(|name| format!("{name} = var.{name}")).collect();
    let call = format!("provider::pgherd::problem(\"{name}\", {{ {} }})", each.join(", "));
    let (condition, message) = if variable.sensitive {
        // What is kept nowhere is in no message either.
        (format!("{call} == \"\""), quoted(&format!("This is refused. It may be: {}.", variable.validation)))
    } else {
        let written = |what: &str| format!("[for one in [var.{name}] : {what} if one != null]");
        (format!("alltrue({})", written(&format!("{call} == \"\""))), format!("join(\"\", {})", written(&call)))
    };
    format!("\n  validation {{\n    condition     = {condition}\n    error_message = {message}\n  }}\n")
}

/// The variables that errors which this one is part of depend on, by the examples of the checks and of [`PAIRS`]; its other names; and what
/// decides most defaults. One that is missing here costs a user the line at which an error is said, and nothing else.
pub fn looked_at(variable: &Variable) -> BTreeSet<&'static str> {
    let before: Vec<&Variable> = judged().into_iter().take_while(|one| one.name != variable.name).collect();
    let named = |block: &'static str| -> BTreeSet<&'static str> {
        let names = block.lines().filter_map(|line| Some(line.split_once('=')?.0.trim()));
        names.filter_map(variables::variable).map(Variable::canonical_name).collect()
    };
    let of_check = |check: &'static Check| -> BTreeSet<&'static str> {
        let blocks = check.fine.iter().copied().chain(check.wrong.iter().map(|wrong| wrong.block));
        let about = check.wrong.iter().flat_map(|wrong| wrong.says).filter_map(|said| {
            let path = said.split(' ').nth(1)?.trim_end_matches(':');
            Some(variables::variable(path.split(['.', '[']).next()?)?.canonical_name())
        });
        blocks.flat_map(named).chain(about).collect()
    };
    let is_error =
        |check: &&'static Check| check.wrong.iter().flat_map(|wrong| wrong.says).any(|said| said.starts_with("error "));
    let together = CHECKS.iter().filter(is_error).map(of_check).chain(PAIRS.iter().copied().map(named));
    let own = variable.canonical_name();
    let mut groups: BTreeSet<&str> =
        together.filter(|names| names.contains(own)).flatten().chain([own, "cloud_provider", "preset"]).collect();
    groups
        .extend(COUNTS.iter().filter(|(one, _)| groups.contains(one)).map(|(_, whether)| *whether).collect::<Vec<_>>());
    before
        .into_iter()
        .filter(|one| !one.sensitive && groups.contains(one.canonical_name()))
        .map(|one| one.name)
        .collect()
}

/// What decides whether another one counts is looked at wherever that is.
const COUNTS: &[(&str, &str)] = &[
    ("create_read_replica", "read_replica_count"),
    ("backup_retention_period", "enable_backup"),
    ("name", "enable_proxy"),
    ("name", "proxy_config"),
];

/// In which order variables are judged, each of which sees those before it. What two of them make wrong can be said only of the later one,
/// so what is often not written comes before what is wrong with its default.
const LATER: &[(&str, &str)] = &[
    ("allocated_storage", "storage_type"),
    ("storage_throughput", "storage_iops"),
    ("create_read_replica", "read_replica_count"),
    ("backup_retention_period", "enable_backup"),
    ("backup_window", "maintenance_window"),
    ("enable_backup_encryption", "storage_encrypted"),
    // With what is appended to it.
    ("name", "proxy_config"),
];

/// All variables in the order in which they are judged.
fn judged() -> Vec<&'static Variable> {
    let mut order: Vec<&Variable> = variables::all().collect();
    for (name, after) in LATER {
        let (late, rest): (Vec<&Variable>, Vec<&Variable>) =
            order.into_iter().partition(|one| one.canonical_name() == *name);
        let place = rest.iter().rposition(|one| one.canonical_name() == *after).map_or(rest.len(), |last| last + 1);
        order = [&rest[..place], &late, &rest[place..]].concat();
    }
    order
}

/// Blocks with what contradicts each other: what reading says of them has no examples elsewhere.
pub const PAIRS: &[&str] = &[
    "enable_backup = false\nbackup_retention_period = 7",
    "enable_binary_log_backup = true\nbackup_retention_period = 0",
    "storage_encrypted = false\nkms_key_id = \"alias/orders\"",
    "storage_encrypted = true\nenable_backup_encryption = false",
    "engine_version = \"17\"\nparameter_group_family = \"postgres16\"",
    "parameter_group_family = \"postgres17\"\nparameters = [{ name = \"vacuum_defer_cleanup_age\", value = \"0\" }]",
    "parameter_group_name = \"own\"\nparameters = [{ name = \"work_mem\", value = \"8MB\" }]",
    "max_allocated_storage = 100\nauto_grow_enabled = false",
    "create_security_group = false\nsecurity_group_rules = [{ type = \"ingress\", from_port = 1, to_port = 2, protocol = \"tcp\", cidr_blocks = [\"10.0.0.0/8\"] }]",
    "availability_zone = \"us-east-1a\"\nmulti_az = true",
    "availability_zone = \"us-east-1a\"\naws_region = \"eu-central-1\"",
    "monitoring_interval = 60\nenable_enhanced_monitoring = false",
    "enabled_cloudwatch_logs_exports = [\"postgresql\"]\nenable_logging = false",
];

fn outputs_tf() -> String {
    let mut text = GENERATED.to_owned();
    for output in OUTPUTS {
        let name = output.name;
        // What is also written has the name of the effective value there.
        let prefix = if variables::variable(name).is_some() { "effective_" } else { "" };
        let _ = write!(
            text,
            "\noutput \"{name}\" {{\n  description = {}\n  value       = pgherd_postgres.this.{prefix}{name}\n",
            quoted(output.meaning)
        );
        if output.sensitive {
            text.push_str("  sensitive   = true\n");
        }
        text.push_str("}\n");
    }
    text
}

/// In the way of terraform-docs.
fn readme() -> String {
    let mut text = "# PostgreSQL, wherever it runs

One database: on this machine, or in a cloud, by `cloud_provider`. Nothing is required.

```hcl
module \"database\" {
  source = \"./modules/database_postgres\"

  name           = \"orders\"
  cloud_provider = \"local\"
}
```

The password is kept in neither plan nor state. Written out in a file it stands in a saved plan's copy of the configuration: use a variable with `ephemeral = true`.
Terraform 1.11 or newer, OpenTofu 1.11 or newer. Older ones know no value that is kept nowhere: there write a resource `pgherd_postgres` with
`master_password`, which the state then holds, or leave the password out, and one is generated and kept by the target.

<!-- Written by `cargo xtask generate` from the table of variables. Change it there. -->

## Inputs
"
    .to_owned();
    for section in Section::ALL {
        let _ = write!(
            text,
            "\n### {section}\n\n| Name | Description | Type | Default | Required |\n|------|-------------|------|---------|:--------:|\n"
        );
        for variable in variables::all().filter(|variable| variable.section == *section) {
            let Variable { name, ty, .. } = variable;
            let _ = writeln!(text, "| `{name}` | {} | `{ty}` | `null` | no |", cell(&description(variable)));
        }
    }
    text.push_str("\n## Outputs\n\n| Name | Description | Sensitive |\n|------|-------------|:---------:|\n");
    for output in OUTPUTS {
        let hidden = if output.sensitive { "yes" } else { "no" };
        let _ = writeln!(text, "| `{}` | {} | {hidden} |", output.name, cell(output.meaning));
    }
    text
}

fn description(variable: &Variable) -> String {
    let Variable { meaning, default, validation, canonical, .. } = variable;
    let same = canonical.map_or(String::new(), |name| format!(" The same as {name}."));
    let default = if default.is_empty() { String::new() } else { format!(" Default: {default}.") };
    let validation = if validation.is_empty() { String::new() } else { format!(" May be: {validation}.") };
    format!("{meaning}{same}{default}{validation}").replace("`--provider local`", "`PGHERD_TARGET=local`")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{"))
}

fn cell(text: &str) -> String {
    // What stands in angles is no tag.
    text.replace('|', "\\|").replace('<', "\\<")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_module_is_what_the_table_says() {
        for (path, text) in files() {
            let kept = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&path));
            assert!(kept.unwrap_or_default() == text, "{path} is stale: run cargo xtask generate");
        }
    }

    /// Terraform calls it a cycle.
    #[test]
    fn a_validation_looks_only_at_variables_before_its_own() {
        let names: Vec<&str> = judged().into_iter().map(|variable| variable.name).collect();
        let place = |name: &str| names.iter().position(|one| *one == name);
        for variable in variables::all() {
            assert!(looked_at(variable).iter().all(|name| place(name) < place(variable.name)), "{}", variable.name);
        }
        assert_eq!(names.len(), variables::all().count());
        for (name, after) in LATER {
            assert!(place(after).is_some() && place(name) > place(after), "{name}");
        }
        let iops = variables::variable("storage_iops").expect("it stands in the table");
        assert!(looked_at(iops).contains("disk_size"), "{:?}", looked_at(iops));
        for block in PAIRS {
            let names = block.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
            assert!(
                names.clone().count() == 2 && names.clone().all(|name| variables::variable(name).is_some()),
                "{block}"
            );
        }
    }
}
