//! Blocks of the requirements' second document, with values where they refer to other modules.

use super::*;

#[track_caller]
fn check(name: &str, arguments: &str) {
    insta::assert_snapshot!(name, shown(&resources(arguments)));
}

#[test]
fn nothing_written() {
    check("nothing_written", "");
}

#[test]
fn basic() {
    check(
        "basic",
        r#"
        name              = "learning-assistant-db"
        environment       = "production"
        engine_version    = "14.18"
        instance_class    = "db.t3.micro"
        allocated_storage = 20
        storage_type      = "gp2"
        database_name     = "learning_assistant"
        master_username   = "postgres"
        master_password   = "a-password-of-mine"
        vpc_id            = "vpc-0123"
        subnet_ids        = ["subnet-a", "subnet-b"]
        allowed_cidr_blocks = ["10.0.0.0/16"]
        tags = { Project = "Learning Assistant" }
        "#,
    );
}

#[test]
fn development() {
    check(
        "development",
        r#"
        name                    = "learning-assistant-dev"
        engine_version          = "14.18"
        instance_class          = "db.t3.micro"
        allocated_storage       = 20
        storage_type            = "gp2"
        database_name           = "learning_assistant_dev"
        master_username         = "postgres"
        vpc_id                  = "vpc-0123"
        subnet_ids              = ["subnet-a", "subnet-b"]
        allowed_cidr_blocks     = ["10.1.0.0/16", "10.0.0.0/8"]
        publicly_accessible     = true
        multi_az                = false
        backup_retention_period = 1
        enable_performance_insights = false
        enable_logging          = false
        enable_deletion_protection = false
        tags = { Environment = "development" }
        "#,
    );
}

#[test]
fn production() {
    check(
        "production",
        r#"
        name                    = "learning-assistant-prod"
        engine_version          = "14.18"
        instance_class          = "db.r5.large"
        allocated_storage       = 500
        max_allocated_storage   = 1000
        storage_type            = "gp3"
        storage_throughput      = 3000
        storage_iops            = 12000
        database_name           = "learning_assistant"
        master_username         = "postgres"
        vpc_id                  = "vpc-0123"
        subnet_ids              = ["subnet-a", "subnet-b", "subnet-c"]
        allowed_cidr_blocks     = ["10.0.0.0/16"]
        publicly_accessible     = false
        multi_az                = true
        create_read_replica     = true
        read_replica_count      = 2
        backup_retention_period = 30
        backup_window           = "03:00-04:00"
        maintenance_window      = "sun:04:00-sun:05:00"
        enable_performance_insights = true
        performance_insights_retention_period = 7
        enable_enhanced_monitoring = true
        monitoring_interval     = 60
        enable_logging          = true
        enable_deletion_protection = true
        enable_encryption       = true
        enable_backup_encryption = true
        parameter_group_family  = "postgres14"
        parameters = [
          { name = "shared_preload_libraries", value = "pg_stat_statements" },
          { name = "log_statement", value = "all" },
          { name = "log_min_duration_statement", value = "1000" },
          { name = "log_connections", value = "on" },
          { name = "max_connections", value = "200" },
          { name = "shared_buffers", value = "256MB" },
        ]
        tags = { Environment = "production", Backup = "Required" }
        "#,
    );
}

#[test]
fn network_security() {
    check(
        "network_security",
        r#"
        name                  = "orders"
        vpc_id                = "vpc-0123"
        subnet_ids            = ["subnet-a", "subnet-b"]
        port                  = 6432
        allowed_cidr_blocks   = ["10.0.0.0/16", "10.0.9.9/16"]
        create_security_group = true
        security_group_ids    = ["sg-9999"]
        security_group_rules = [
          { type = "ingress", from_port = 6432, to_port = 6432, protocol = "tcp", cidr_blocks = ["10.0.0.0/16"], description = "VPC access" },
          { type = "ingress", from_port = 6432, to_port = 6432, protocol = "tcp", cidr_blocks = ["172.16.0.0/12"] },
          { type = "egress", from_port = 0, to_port = 0, protocol = "-1", cidr_blocks = ["0.0.0.0/0"] },
        ]
        "#,
    );
}

#[test]
fn pooling() {
    check(
        "pooling",
        r#"
        name         = "orders"
        vpc_id       = "vpc-0123"
        subnet_ids   = ["subnet-a", "subnet-b"]
        enable_proxy = true
        proxy_config = { pool_mode = "transaction", default_pool_size = 20, max_client_conn = 100 }
        parameters   = [{ name = "max_connections", value = "200" }]
        "#,
    );
}

#[test]
fn a_second_region() {
    check(
        "a_second_region",
        r#"
        name                  = "orders"
        engine_version        = "16"
        aws_region            = "eu-central-1"
        allowed_cidr_blocks   = ["10.0.0.0/8"]
        allowed_security_group_ids = ["sg-0123"]
        enable_logging        = true
        geo_redundant_backup  = true
        dr_region             = "eu-west-1"
        dr_read_replica       = true
        dr_vpc_id             = "vpc-9876"
        dr_subnet_ids         = ["subnet-x", "subnet-y"]
        dr_security_group_ids = ["sg-7777"]
        dr_kms_key_id         = "alias/orders-there"
        "#,
    );
}

#[test]
fn what_exists_already_is_used_and_not_made() {
    check(
        "what_exists_already",
        r#"
        name                  = "orders"
        create_security_group = false
        security_group_ids    = ["sg-9999"]
        parameter_group_name  = "ours"
        monitoring_interval   = 60
        monitoring_role_arn   = "arn:aws:iam::111122223333:role/watch"
        option_group_name     = "default:postgres-18"
        "#,
    );
}

#[test]
fn without_any_group_none_is_sent() {
    assert_eq!(field("create_security_group = false", "instance", "VpcSecurityGroupIds"), "(left out)");
}
