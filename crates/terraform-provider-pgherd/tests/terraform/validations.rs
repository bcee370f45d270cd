//! What the module's validations say of a block, variable by variable, as Terraform has them asked; no Terraform is needed for that.

use std::collections::BTreeSet;

use jiff::civil::{Date, date};
use pgherd_core::checks::{self, CHECKS};
use pgherd_core::diagnostic::Severity;
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::inputs::Inputs;
use pgherd_core::spec::resolve;
use pgherd_core::variables;
use terraform_provider_pgherd::Problem;
use xtask::module::{PAIRS, looked_at};

const TODAY: Date = date(2026, 11, 23);

fn block(arguments: &str) -> Inputs {
    // What the target cannot do without.
    let needed: &[&str] = match arguments {
        _ if arguments.contains("\"azure\"") => &["resource_group_name = \"databases\""],
        _ if arguments.contains("\"digitalocean\"") => &["do_region = \"fra1\""],
        _ if arguments.contains("\"gcp\"") => &["gcp_region = \"us-central1\"", "vpc_id = \"default\""],
        _ => &[],
    };
    let is_written = |line: &&&str| line.split(' ').next().is_some_and(|name| arguments.contains(name));
    let needed = needed.iter().filter(|line| !is_written(line)).copied().collect::<Vec<_>>().join("\n");
    let text = format!("module \"db\" {{\n  source = \"./modules/database\"\n{needed}\n{arguments}\n}}\n");
    read(&Sources::from_bytes("main.tf", text.into_bytes()), &Given::default()).blocks.remove(0)
}

/// Whether the whole block has an error that nobody can accept, and nothing that is to be known later.
fn is_wrong(inputs: &Inputs) -> bool {
    let (spec, mut said) = resolve(inputs, None);
    let Some(spec) = spec else { return true };
    let acceptable = |code| checks::is_acceptable(code, spec.target);
    said.extend(checks::check(inputs, &spec, TODAY).into_iter().filter(|one| !acceptable(one.code)));
    said.iter().any(|one| one.severity == Severity::Error && one.code != "unknown-value")
}

/// What is said of each variable that is written: by itself, and with what the module hands over beside it.
fn said(inputs: &Inputs) -> Vec<String> {
    let written = |name: &str| variables::variable(name).filter(|_| inputs.get(name).is_some());
    let mut told = Vec::new();
    for variable in inputs.values.keys().filter_map(|name| written(name)) {
        for beside in [BTreeSet::new(), looked_at(variable)] {
            let given: BTreeSet<&str> = beside.into_iter().chain([variable.name]).collect();
            let mut seen = inputs.clone();
            seen.values.retain(|name, _| given.contains(name.as_str()));
            told.push(Problem::among(variable.name, &seen, &given, None, TODAY));
        }
    }
    told.retain(|one| !one.is_empty());
    told
}

/// Blocks that are fine and were refused, because defaults were judged in the place of what was written further on.
const FINE: &[&str] = &[
    "storage_type = \"io1\"\nallocated_storage = 200\nstorage_iops = 3000",
    "backup_window = \"04:00-05:00\"\nmaintenance_window = \"mon:10:00-mon:11:00\"",
    "allocated_storage = 1000\nstorage_iops = 16000\nstorage_throughput = 4000",
    "instance_class = \"db.r5.large\"\nproxy_config = { default_pool_size = 200, max_client_conn = 1000 }",
    "storage_encrypted = false\nenable_backup_encryption = false",
    "parameter_group_family = \"postgres14\"\nparameters = [{ name = \"vacuum_defer_cleanup_age\", value = \"0\" }]",
    "preset = \"staging\"\nmulti_az = false\navailability_zone = \"us-east-1a\"",
    "availability_zone = \"eu-central-1a\"\naws_region = \"eu-central-1\"",
    "backup_retention_period = 0\nenable_backup = false",
    "db_instance_class = \"db.r5.large\"\ndisk_size = 1000\nstorage_mb = null\ndisk_type = \"io2\"\nstorage_iops = 20000",
];

#[test]
fn a_block_that_is_fine_is_never_refused() {
    let examples =
        CHECKS.iter().flat_map(|check| check.fine.iter().copied().chain(check.wrong.iter().map(|one| one.block)));
    for arguments in examples.chain(FINE.iter().copied()) {
        let inputs = block(arguments);
        assert!(!FINE.contains(&arguments) || !is_wrong(&inputs), "{arguments} is fine");
        assert!(is_wrong(&inputs) || said(&inputs).is_empty(), "{arguments}\n{:#?}", said(&inputs));
    }
}

/// The provider does not serve Google yet, and the edition that decides this is not handed over with it.
const NOT_SERVED: &str = "cloud_provider = \"gcp\"\ntier = \"db-custom-2-7680\"\nenable_proxy = true";

/// Whatever is wrong is said at a line of the user's.
#[test]
fn what_is_wrong_is_said_of_a_variable_that_is_written() {
    let examples = CHECKS.iter().flat_map(|check| check.wrong.iter().map(|one| one.block)).chain(PAIRS.iter().copied());
    let unsaid: Vec<&str> = examples
        .filter(|arguments| *arguments != NOT_SERVED)
        .filter(|arguments| {
            let inputs = block(arguments);
            is_wrong(&inputs) && said(&inputs).is_empty()
        })
        .collect();
    assert_eq!(unsaid, [] as [&str; 0], "these are said in the module");
}
