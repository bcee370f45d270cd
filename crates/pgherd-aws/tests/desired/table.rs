//! The planner panics on a field or kind that the tables lack.

use pgherd_aws::KINDS;

use super::*;

/// Every feature at once.
pub(super) const EVERYTHING: &str = r#"
    name                  = "orders"
    environment           = "test"
    engine_version        = "16.9"
    instance_class        = "db.t3.medium"
    allocated_storage     = 500
    max_allocated_storage = 900
    storage_type          = "gp3"
    storage_iops          = 12000
    storage_throughput    = 500
    kms_key_id            = "alias/orders"
    master_password       = "a-password-of-mine"
    vpc_id                = "vpc-0123"
    subnet_ids            = ["subnet-a", "subnet-b"]
    allowed_cidr_blocks   = ["10.0.0.0/16"]
    security_group_ids    = ["sg-9999"]
    availability_zone     = "eu-central-1a"
    option_group_name     = "default:postgres-16"
    enable_performance_insights = true
    performance_insights_kms_key_id = "alias/insights"
    enable_enhanced_monitoring = true
    enable_logging        = true
    create_read_replica   = true
    read_replica_count    = 2
    enable_proxy          = true
    create_dashboard      = true
    geo_redundant_backup  = true
    dr_region             = "eu-west-1"
    dr_read_replica       = true
    dr_vpc_id             = "vpc-9876"
    dr_subnet_ids         = ["subnet-x", "subnet-y"]
    dr_kms_key_id         = "alias/orders-there"
    alarm_targets         = ["ann@example.org", "arn:aws:sns:eu-central-1:111122223333:alerts"]
    parameters            = [{ name = "rds.logical_replication", value = "1" }]
    tags                  = { Owner = "ann" }
"#;

fn everything() -> Vec<Resource> {
    // The network is told by subnets only where nothing else tells it.
    [resources(EVERYTHING), resources(""), resources("name = \"orders\"\nsubnet_ids = [\"subnet-a\"]")].concat()
}

#[test]
fn every_field_stands_in_the_table() {
    for resource in everything() {
        let kind = KINDS.iter().find(|kind| kind.name == resource.id.kind).expect("a kind that is listed");
        for (name, value) in &resource.props {
            let by_key = kind.fields.iter().any(|field| field.name.strip_suffix(".*") == Some(name));
            match value {
                Value::Map(entries) if by_key => {
                    for key in entries.keys() {
                        assert!(kind.field(&format!("{name}.{key}")).is_some(), "{}: {name}.{key}", kind.name);
                    }
                }
                _ => assert!(kind.field(name).is_some(), "{}: {name}", kind.name),
            }
        }
    }
}

/// A field of a table that no block leads to is a promise nobody keeps.
#[test]
fn every_field_of_the_table_is_wanted_by_some_block() {
    let all = everything();
    let mut unused = Vec::new();
    for kind in KINDS {
        for field in kind.fields {
            let (map, key) = match field.name.split_once('.') {
                Some((map, key)) => (map, Some(key)),
                None => (field.name, None),
            };
            let is_wanted = |resource: &Resource| {
                let value = resource.props.get(map);
                resource.id.kind == kind.name && value.is_some_and(|value| key.is_none() || value.as_map().is_some())
            };
            if !all.iter().any(is_wanted) {
                unused.push(format!("{}.{}", kind.name, field.name));
            }
        }
    }
    assert_eq!(unused, [""; 0]);
}

#[test]
fn every_need_is_wanted_too() {
    for all in [resources(EVERYTHING), resources("")] {
        for resource in &all {
            let outputs = resource.props.values().flat_map(Value::outputs).map(|(id, _)| id);
            for need in resource.needs.iter().chain(outputs) {
                assert!(all.iter().any(|other| other.id == *need), "{} needs {need}", resource.id);
            }
        }
    }
}

#[test]
fn what_is_made_first_is_listed_first() {
    let all = resources(EVERYTHING);
    let ranks: Vec<_> = all.iter().map(|one| KINDS.iter().position(|kind| kind.name == one.id.kind)).collect();
    assert!(ranks.is_sorted(), "{ranks:?}");
}
