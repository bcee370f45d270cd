//! Representative blocks, whole.

use super::*;

#[test]
fn nothing_written() {
    insta::assert_snapshot!(shown(&block(json!({})), None));
}

#[test]
fn nothing_written_here() {
    insta::assert_snapshot!(shown(&block(json!({})), Some(Cloud::Local)));
}

/// S2's production block, run on this machine.
#[test]
fn production_here() {
    insta::assert_snapshot!(shown(&production(), Some(Cloud::Local)));
}

#[test]
fn production_on_aws_with_its_references_given() {
    let mut inputs = production();
    for name in ["vpc_id", "subnet_ids", "allowed_cidr_blocks", "master_password"] {
        inputs.values.remove(name);
    }
    insta::assert_snapshot!(shown(&inputs, None));
}

/// S2's GCP block.
#[test]
fn gcp() {
    let inputs = block(json!({
        "cloud_provider": "gcp",
        "gcp_project": "learning",
        "gcp_region": "us-central1",
        "instance_type": "db-f1-micro",
        "database_version": "POSTGRES_14",
        "enable_backup": true,
        "backup_time": "03:00",
        "enable_binary_log_backup": true,
    }));
    insta::assert_snapshot!(shown(&inputs, None));
}

/// S2's Azure block.
#[test]
fn azure() {
    let inputs = block(json!({
        "cloud_provider": "azure",
        "resource_group_name": "databases",
        "location": "East US",
        "sku_name": "B_Gen5_1",
        "server_version": "11",
        "backup_retention_days": 7,
        "geo_redundant_backup": true,
        "auto_grow_enabled": true,
    }));
    insta::assert_snapshot!(shown(&inputs, None));
}

#[test]
fn preset_prod_on_digitalocean() {
    let inputs = block(json!({"cloud_provider": "digitalocean", "do_region": "fra1", "preset": "prod"}));
    insta::assert_snapshot!(shown(&inputs, None));
}

fn production() -> Inputs {
    block(json!({
        "name": "learning-assistant-prod",
        "engine_version": "14.9",
        "instance_class": "db.r5.large",
        "allocated_storage": 500,
        "max_allocated_storage": 1000,
        "storage_type": "gp3",
        "storage_throughput": 3000,
        "storage_iops": 12000,
        "database_name": "learning_assistant",
        "master_username": "postgres",
        "master_password": "?var.production_database_password",
        "vpc_id": "?module.network.vpc_id",
        "subnet_ids": "?module.network.database_subnets",
        "allowed_cidr_blocks": ["?module.network.vpc_cidr"],
        "publicly_accessible": false,
        "multi_az": true,
        "backup_retention_period": 30,
        "backup_window": "03:00-04:00",
        "maintenance_window": "sun:04:00-sun:05:00",
        "enable_encryption": true,
        "enable_deletion_protection": true,
        "enable_backup_encryption": true,
        "enable_performance_insights": true,
        "performance_insights_retention_period": 7,
        "enable_enhanced_monitoring": true,
        "monitoring_interval": 60,
        "enable_logging": true,
        "create_read_replica": true,
        "read_replica_count": 2,
        "parameter_group_family": "postgres14",
        "parameters": [
            {"name": "shared_preload_libraries", "value": "pg_stat_statements"},
            {"name": "log_statement", "value": "all"},
        ],
        "tags": {
            "Environment": "production",
            "Purpose": "production-database",
            "Backup": "required",
            "Monitoring": "required",
        },
    }))
}
