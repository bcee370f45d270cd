//! Every trap of the examples that people start from: which code says it, or why there is nothing to say.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::civil::date;
use pgherd_core::checks;
use pgherd_core::cloud::Cloud;
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::spec::resolve;

/// What comes of a trap.
enum Outcome {
    /// A block falls into it, and is told this code before anybody is asked.
    Says { block: &'static str, code: &'static str },
    /// AWS is asked, and the test in that file of this crate holds what is said then.
    Asks { code: &'static str, test: (&'static str, &'static str) },
    /// Nobody can fall into it; the test in that file of this crate holds it.
    Cannot { test: (&'static str, &'static str) },
    /// Nothing of a block, or nothing that can be held by a test here.
    Reason(&'static str),
}

use Outcome::{Asks, Cannot, Reason, Says};

const TRAPS: &[(u8, Outcome)] = &[
    (1, Says { block: "engine_version = \"14.9\"", code: "version-unavailable" }),
    (1, Asks { code: "version-not-offered", test: ("src/preflight/engine.rs", "a_version_that_it_has_not") }),
    (2, Says { block: "engine_version = \"15.4\"", code: "version-unavailable" }),
    (3, Says { block: "server_version = \"11\"", code: "version-unavailable" }),
    (4, Says { block: WASTED, code: "storage-wasted" }),
    (
        5,
        Says {
            block: "instance_class = \"db.r5.2xlarge\"\nstorage_type = \"gp3\"\nallocated_storage = 1000\nstorage_iops = 16000\nstorage_throughput = 3000",
            code: "storage-wasted",
        },
    ),
    (
        6,
        Says {
            block: "storage_type = \"gp3\"\nallocated_storage = 100\nstorage_iops = 12000",
            code: "storage-performance",
        },
    ),
    (7, Says { block: "storage_type = \"gp2\"", code: "storage-kind" }),
    (8, Says { block: SMALL_BUFFERS, code: "parameter-small" }),
    (8, Cannot { test: ("src/parameters.rs", "units_become_numbers") }),
    (9, Says { block: "publicly_accessible = true\nallowed_cidr_blocks = [\"10.0.0.0/8\"]", code: "public-access" }),
    (
        9,
        Asks { code: "no-internet-gateway", test: ("src/preflight/network.rs", "a_public_instance_where_it_does_not") },
    ),
    (10, Says { block: "allowed_cidr_blocks = [\"10.0.0.1/8\"]", code: "cidr" }),
    (11, Says { block: "parameters = [{ name = \"rds.force_ssl\", value = \"0\" }]", code: "tls-required" }),
    (12, Cannot { test: ("tests/desired/watched.rs", "connections_are_watched_at_four_fifths_of_what_there_can_be") }),
    (
        13,
        Says {
            block: "skip_final_snapshot = false\nfinal_snapshot_identifier = \"learning-assistant-final-snapshot\"",
            code: "final-snapshot",
        },
    ),
    (13, Cannot { test: ("tests/rds/deleted.rs", "a_last_snapshot_of_a_name_that_is_taken_gets_another") }),
    (14, Says { block: "parameters = [{ name = \"log_statement\", value = \"all\" }]", code: "statements-logged" }),
    (15, Cannot { test: ("src/parameters.rs", "libraries_are_united") }),
    (15, Asks { code: "preload-lost", test: ("src/preflight/parameters.rs", "libraries_that_rds_loads_by_itself") }),
    (16, Cannot { test: ("tests/desired/blocks.rs", "production") }),
    (17, Reason("nothing is ever reserved or bought: there is no kind for it")),
    (18, Says { block: "aws_region = \"us-east-1\"\navailability_zone = \"us-west-2a\"", code: "place" }),
    (19, Cannot { test: ("tests/desired/traps.rs", "backups_of_a_replica_are_set_once_it_is_there") }),
    (20, Cannot { test: ("tests/desired/traps.rs", "windows_that_touch_are_fine") }),
    (21, Says { block: "backup_retention_period = 36", code: "backup-retention" }),
    (22, Cannot { test: ("tests/desired/traps.rs", "monitoring_that_is_on_has_an_interval_and_a_role") }),
    (23, Cannot { test: ("tests/desired/traps.rs", "monitoring_that_is_on_has_an_interval_and_a_role") }),
    (
        24,
        Says {
            block: "multi_az = true\naws_region = \"us-east-1\"\navailability_zone = \"us-east-1a\"",
            code: "zone-and-multi-az",
        },
    ),
    (25, Cannot { test: ("tests/desired/planned.rs", "what_two_zones_do_not_bridge_is_said") }),
    (26, Says { block: "create_read_replica = true\nread_replica_count = 2", code: "read-replicas" }),
    (27, Says { block: "enable_backup_encryption = true\nstorage_encrypted = false", code: "encryption" }),
    (28, Says { block: "enable_proxy = true\nproxy_config = { pool_mode = \"session\" }", code: "proxy-on-aws" }),
    (29, Says { block: "iam_database_authentication_enabled = true", code: "iam-login" }),
    (30, Says { block: "database_name = \"learning-assistant\"", code: "database-name" }),
    (31, Cannot { test: ("tests/desired/traps.rs", "the_administrator_may_be_called_postgres") }),
    (32, Reason("one day of backups is what a development database is written with, and is kept")),
    (33, Reason("what stays after a destroy is listed by it; prices are told by nothing yet")),
    (34, Cannot { test: ("tests/desired/watched.rs", "replicas_are_watched_too_and_burstable_classes_for_credits") }),
    (
        35,
        Cannot {
            test: (
                "src/live/document.rs",
                "a_password_is_of_32_characters_that_need_no_encoding_and_begins_with_a_letter",
            ),
        },
    ),
    (36, Cannot { test: ("tests/desired/blocks.rs", "nothing_written") }),
    (37, Reason("prices are told by nothing yet")),
    (38, Cannot { test: ("tests/desired/traps.rs", "members_of_a_group_may_be_let_in_rather_than_addresses") }),
    (39, Cannot { test: ("tests/rds/deleted.rs", "what_is_protected_is_not_deleted") }),
    (40, Cannot { test: ("tests/desired/traps.rs", "logs_are_kept_for_a_month_from_the_beginning") }),
    (41, Cannot { test: ("tests/desired/traps.rs", "tags_are_as_they_are_written") }),
];

const WASTED: &str = "instance_class = \"db.r5.large\"\nstorage_type = \"gp3\"\nallocated_storage = 500\nstorage_iops = 12000\nstorage_throughput = 3000";
const SMALL_BUFFERS: &str =
    "instance_class = \"db.r5.2xlarge\"\nparameters = [{ name = \"shared_buffers\", value = \"256MB\" }]";

#[test]
fn every_trap_has_an_answer() {
    let answered: BTreeSet<u8> = TRAPS.iter().map(|(number, _)| *number).collect();
    assert_eq!(answered, (1..=41).collect());
    for (number, outcome) in TRAPS {
        match outcome {
            Says { block, code } => assert!(codes(block).contains(code), "trap {number}: {block}: {:?}", codes(block)),
            Asks { code, test } => {
                assert!(holds(*test), "trap {number}: {test:?}");
                let named = std::fs::read_to_string(here(test.0)).expect("a file of this crate");
                let (quoted, named_so) = (format!("\"{code}\""), code.to_uppercase().replace('-', "_"));
                assert!(
                    named.contains(&quoted) || named.contains(&named_so),
                    "trap {number}: {code} is said by {}",
                    test.0
                );
            }
            Cannot { test } => assert!(holds(*test), "trap {number}: {test:?}"),
            Reason(why) => assert!(!why.is_empty(), "trap {number}"),
        }
    }
}

/// The codes of everything that is said of a block without asking anybody.
fn codes(arguments: &str) -> BTreeSet<&'static str> {
    let text = format!("module \"database\" {{\nname = \"orders\"\n{arguments}\n}}\n");
    let document = read(&Sources::from_bytes("db.hcl", text.into_bytes()), &Given::default());
    let inputs = document.blocks.first().expect("a block");
    let (spec, said) = resolve(inputs, Some(Cloud::Aws));
    let checked = spec.map(|spec| checks::check(inputs, &spec, date(2026, 11, 22))).unwrap_or_default();
    said.iter().chain(&checked).map(|told| told.code).collect()
}

fn here(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// Whether there is a test of that name in a file of this crate.
fn holds((file, test): (&str, &str)) -> bool {
    let text = std::fs::read_to_string(here(file)).unwrap_or_default();
    text.split_once(&format!("fn {test}("))
        .is_some_and(|(before, _)| before.trim_end().trim_end_matches("async").trim_end().ends_with("test]"))
}

#[test]
fn a_test_that_is_gone_holds_nothing() {
    assert!(!holds(("tests/desired/traps.rs", "a_test_of_another_name")));
    assert!(!holds(("tests/desired/traps.rs", "holds")), "no test");
    assert!(!holds(("tests/desired/gone.rs", "windows_that_touch_are_fine")));
}

#[test]
fn windows_that_touch_are_fine() {
    let windows = "backup_window = \"03:00-04:00\"\nmaintenance_window = \"sun:04:00-sun:05:00\"";
    assert!(!codes(windows).contains("windows"));
    assert!(codes(&windows.replace("sun:04:00", "sun:03:30")).contains("windows"));
}

#[test]
fn backups_of_a_replica_are_set_once_it_is_there() {
    let there =
        "dr_region = \"eu-west-1\"\ndr_read_replica = true\ndr_vpc_id = \"v\"\ndr_subnet_ids = [\"s-c\", \"s-d\"]";
    let block = format!("backup_retention_period = 9\n{there}");
    assert_eq!(super::field(&block, "replica", "BackupRetentionPeriod"), "9");
    assert!(pgherd_aws::kinds::replica::is_set_after_creation("BackupRetentionPeriod"));
    // A replica beside its source keeps none of its own.
    let near = "backup_retention_period = 9\ncreate_read_replica = true";
    assert_eq!(super::field(near, "replica", "BackupRetentionPeriod"), "(left out)");
}

#[test]
fn the_administrator_may_be_called_postgres() {
    assert_eq!(super::field("master_username = \"postgres\"", "instance", "MasterUsername"), "postgres");
    assert!(!codes("master_username = \"postgres\"").contains("master-username"));
    assert!(codes("master_username = \"rdsadmin\"").contains("master-username"));
}

#[test]
fn monitoring_that_is_on_has_an_interval_and_a_role() {
    let on = "enable_enhanced_monitoring = true";
    assert_eq!(super::field(on, "instance", "MonitoringInterval"), "60");
    assert!(super::shown(&super::resources(on)).contains("role pgherd-"), "a role is made");
    let off = super::resources("enable_enhanced_monitoring = false");
    assert!(!super::shown(&off).contains("MonitoringRoleArn"), "which RDS refuses without an interval");
}

#[test]
fn members_of_a_group_may_be_let_in_rather_than_addresses() {
    let shown = super::shown(&super::resources("vpc_id = \"vpc-1\"\nallowed_security_group_ids = [\"sg-ecs\"]"));
    assert!(shown.contains("Rules.ingress tcp 5432 sg-ecs"), "{shown}");
}

#[test]
fn logs_are_kept_for_a_month_from_the_beginning() {
    let shown = super::shown(&super::resources("name = \"orders\"\nenable_logging = true"));
    assert!(shown.contains("log_group /aws/rds/instance/orders/postgresql\n"), "{shown}");
    assert!(shown.contains("retentionInDays = 30"), "{shown}");
    let instance = shown.lines().find(|line| line.starts_with("instance ")).expect("an instance");
    assert!(
        instance.contains("after") && instance.contains("log_group /aws/rds/instance/orders/postgresql"),
        "{instance}"
    );
}

#[test]
fn tags_are_as_they_are_written() {
    let shown = super::shown(&super::resources("tags = { Backup = \"Required\", backup = \"required\" }"));
    assert!(shown.contains("Tags.Backup = Required") && shown.contains("Tags.backup = required"), "{shown}");
}
