//! The pairs of variables.md 3.4, both sides of each rule.

use super::*;

#[test]
fn replicas_need_the_switch() {
    let count = |expected| [("read_replica_count", expected)];
    check(json!({"create_read_replica": true}), &count("1 # follows create_read_replica"), "");
    check(json!({"create_read_replica": true, "read_replica_count": 3}), &count("3 # written"), "");
    check(
        json!({"read_replica_count": 3}),
        &count("0 # follows create_read_replica"),
        "note[replicas-off] read_replica_count: `read_replica_count` is 3, but `create_read_replica` is not true: \
         there are no replicas",
    );
    check(
        json!({"create_read_replica": false, "read_replica_count": 0}),
        &count("0 # follows create_read_replica"),
        "",
    );
    check(json!({"preset": "prod", "read_replica_count": 2}), &count("2 # written"), "");
    check(json!({"preset": "prod"}), &count("1 # preset prod"), "");
}

#[test]
fn the_interval_turns_monitoring_on_and_the_other_way_round() {
    let both = |interval, switch| [("monitoring_interval", interval), ("enable_enhanced_monitoring", switch)];
    check(json!({"monitoring_interval": 15}), &both("15 # written", "true # follows monitoring_interval"), "");
    check(
        json!({"enable_enhanced_monitoring": true}),
        &both("60 # follows enable_enhanced_monitoring", "true # written"),
        "",
    );
    check(
        json!({"enable_enhanced_monitoring": true, "monitoring_interval": 0}),
        &both("60 # follows enable_enhanced_monitoring", "true # written"),
        "",
    );
    check(
        json!({"enable_enhanced_monitoring": true, "monitoring_interval": 5}),
        &both("5 # written", "true # written"),
        "",
    );
    check(json!({"monitoring_interval": 0}), &both("0 # written", "false # follows monitoring_interval"), "");
    check(
        json!({"enable_enhanced_monitoring": false, "monitoring_interval": 60}),
        &[],
        "error[interval-without-monitoring] monitoring_interval: `monitoring_interval` is 60, \
         but `enable_enhanced_monitoring` is false; leave one of the two out",
    );
    check(
        json!({"preset": "prod", "enable_enhanced_monitoring": false}),
        &both("0 # follows enable_enhanced_monitoring", "false # written"),
        "",
    );
}

#[test]
fn a_list_of_logs_turns_logging_on_and_the_other_way_round() {
    const LOGS: &str = "enabled_cloudwatch_logs_exports";
    let both = |switch, logs| [("enable_logging", switch), (LOGS, logs)];
    check(
        json!({LOGS: ["upgrade"]}),
        &both("true # follows enabled_cloudwatch_logs_exports", "[\"upgrade\"] # written"),
        "",
    );
    check(
        json!({"enable_logging": true}),
        &both("true # written", "[\"postgresql\", \"upgrade\"] # follows enable_logging"),
        "",
    );
    check(json!({LOGS: []}), &both("false # default", "[] # written"), "");
    check(
        json!({"preset": "dev", LOGS: ["upgrade"]}),
        &both("true # follows enabled_cloudwatch_logs_exports", "[\"upgrade\"] # written"),
        "",
    );
    check(
        json!({"enable_logging": false, LOGS: ["upgrade"]}),
        &[],
        "error[logs-without-logging] enabled_cloudwatch_logs_exports: `enabled_cloudwatch_logs_exports` lists logs, \
         but `enable_logging` is false; leave one of the two out",
    );
}

#[test]
fn the_backup_switch_is_retention_in_other_words() {
    let both = |switch, days| [("enable_backup", switch), ("backup_retention_period", days)];
    check(json!({"enable_backup": false}), &both("false # written", "0 # follows enable_backup"), "");
    check(json!({"enable_backup": true}), &both("true # written", "7 # default"), "");
    check(json!({"backup_retention_period": 0}), &both("false # follows backup_retention_period", "0 # written"), "");
    check(json!({"enable_backup": false, "backup_retention_period": 0}), &both("false # written", "0 # written"), "");
    check(json!({"preset": "prod", "enable_backup": false}), &both("false # written", "0 # follows enable_backup"), "");
    check_on(
        Some(Cloud::Azure),
        json!({"resource_group_name": "r", "enable_backup": false, "backup_retention_days": 7}),
        &[],
        "error[backup-and-retention] enable_backup: `enable_backup` is false, but `backup_retention_days` is 7; \
         leave one of the two out",
    );
    check(
        json!({"enable_backup": true, "backup_retention_period": 0}),
        &[],
        "error[backup-and-retention] enable_backup: `enable_backup` is true, but `backup_retention_period` is 0, \
         which turns backups off; leave one of the two out",
    );
}

#[test]
fn any_moment_needs_backups() {
    const SWITCH: &str = "enable_binary_log_backup";
    check(json!({}), &[(SWITCH, "true # follows backup_retention_period")], "");
    check(json!({SWITCH: false}), &[(SWITCH, "false # written")], "");
    check(json!({"enable_backup": false}), &[(SWITCH, "false # follows backup_retention_period")], "");
    check(
        json!({SWITCH: true, "backup_retention_period": 0}),
        &[],
        "error[point-in-time-without-backups] enable_binary_log_backup: `enable_binary_log_backup` is true, \
         but there are no backups to restore from; write a backup_retention_period above 0",
    );
}

#[test]
fn a_proxy_config_turns_the_pooler_on() {
    let both = |switch, config| [("enable_proxy", switch), ("proxy_config", config)];
    let session = r#"{ default_pool_size = 20, max_client_conn = 100, pool_mode = "session" } # written"#;
    let usual =
        r#"{ default_pool_size = 20, max_client_conn = 100, pool_mode = "transaction" } # follows enable_proxy"#;
    check(json!({"proxy_config": {"pool_mode": "session"}}), &both("true # follows proxy_config", session), "");
    check(json!({"enable_proxy": true}), &both("true # written", usual), "");
    check(json!({}), &both("false # default", "null # default"), "");
    check(
        json!({"enable_proxy": false, "proxy_config": {"pool_mode": "session"}}),
        &both("false # written", session),
        "note[proxy-off] proxy_config: `proxy_config` waits for `enable_proxy`, which is false",
    );
}

#[test]
fn a_limit_turns_growth_on() {
    let both = |limit, switch| [("max_allocated_storage", limit), ("auto_grow_enabled", switch)];
    let check = |json, variables: &[(&str, &str)], expected| check_on(Some(Cloud::Local), json, variables, expected);
    check(json!({"max_allocated_storage": 50}), &both("50 # written", "true # follows max_allocated_storage"), "");
    check(json!({"auto_grow_enabled": true}), &both("null # default", "true # written"), "");
    check(json!({}), &both("null # default", "false # default"), "");
    check(
        json!({"auto_grow_enabled": false, "max_allocated_storage": 50}),
        &[],
        "error[limit-without-growth] max_allocated_storage: `max_allocated_storage` is 50, \
         but `auto_grow_enabled` is false; write auto_grow_enabled = true, or leave one out",
    );
    check(
        json!({"preset": "prod", "auto_grow_enabled": false}),
        &both("null # follows auto_grow_enabled", "false # written"),
        "",
    );
    check(json!({"preset": "prod", "allocated_storage": 100}), &both("null # default", "false # default"), "");
    check_on(
        Some(Cloud::Azure),
        json!({"resource_group_name": "r"}),
        &both("null # default", "true # azure default"),
        "",
    );
    check_on(Some(Cloud::Aws), json!({"max_allocated_storage": 50}), &both("50 # written", "null # no effect"), "");
}

#[test]
fn an_existing_parameter_group_is_used_as_it_is() {
    const HELP: &str = "leave out parameter_group_name to have a group made, or the other to use that one";
    check(
        json!({"parameter_group_name": "ours", "engine_version": "16"}),
        &[("parameter_group_family", "null # follows parameter_group_name")],
        "",
    );
    check(json!({"parameter_group_name": "ours", "parameters": []}), &[], "");
    check(
        json!({
            "parameter_group_name": "ours", "parameter_group_family": "postgres16",
            "parameters": [{"name": "work_mem", "value": "8MB"}],
        }),
        &[],
        &format!(
            "error[group-and-parameters] parameters: `parameters` cannot change the parameter group that \
             `parameter_group_name` names; {HELP}\n\
             error[group-and-parameters] parameter_group_family: `parameter_group_family` cannot change the parameter \
             group that `parameter_group_name` names; {HELP}"
        ),
    );
}

#[test]
fn the_family_decides_the_version_when_none_is_written() {
    let both = |family, version| [("parameter_group_family", family), ("engine_version", version)];
    check(
        json!({"parameter_group_family": "postgres14"}),
        &both("\"postgres14\" # written", "\"14\" # follows parameter_group_family"),
        "",
    );
    check(
        json!({"parameter_group_family": "postgres14", "engine_version": "14.9"}),
        &both("\"postgres14\" # written", "\"14.9\" # written"),
        "",
    );
    check(
        json!({"engine_version": "14.9"}),
        &both("\"postgres14\" # follows engine_version", "\"14.9\" # written"),
        "",
    );
    check_on(
        Some(Cloud::Local),
        json!({"parameter_group_family": "postgres14"}),
        &both("\"postgres14\" # no effect", "\"14\" # follows parameter_group_family"),
        "",
    );
    check(
        json!({"parameter_group_family": "postgres14", "engine_version": "15"}),
        &[],
        "error[family-and-version] parameter_group_family: `parameter_group_family` is for PostgreSQL 14, \
         but `engine_version` is 15; write \"postgres15\", or leave it out",
    );
}

/// Q1: the newest, by the catalogue on a cloud, of those installed on this machine.
#[test]
fn nothing_written_is_the_newest() {
    let on = |target: Cloud, version: &str, family: &str| {
        let place = json!({"resource_group_name": "r", "do_region": "fra1", "gcp_region": "us-central1"});
        let said =
            resolve(&block(place.clone()), Some(target)).1.iter().filter(|d| d.severity != Severity::Note).count();
        assert_eq!(said, 0);
        let spec = resolve(&block(place), Some(target)).0.expect("the target is given");
        let shown = |name: &str| format!("{} # {}", spec.effective[name].value, origin(&spec.effective[name].origin));
        assert_eq!((shown("engine_version"), shown("parameter_group_family")), (version.to_owned(), family.to_owned()));
        assert_eq!(spec.engine_version, None, "nobody asked for one, so that an older one that runs is no drift");
        assert_eq!(
            spec.newest_major.map_or("null".to_owned(), |major| format!("\"{major}\"")),
            spec.effective["engine_version"].value
        );
    };
    on(Cloud::Aws, "\"18\" # newest on aws", "\"postgres18\" # follows engine_version");
    on(Cloud::Gcp, "\"18\" # newest on gcp", "null # no effect");
    on(Cloud::Azure, "\"18\" # newest on azure", "null # no effect");
    on(Cloud::DigitalOcean, "\"17\" # newest on digitalocean", "null # no effect");
    on(Cloud::Local, "null # target", "null # no effect");
}

/// What decides the version and is not known is not replaced by a guess.
#[test]
fn a_family_that_is_not_known_is_no_newest() {
    let unknown = json!({"parameter_group_family": "?var.family"});
    let spec = resolve(&block(unknown), Some(Cloud::Gcp)).0.expect("the target is given");
    assert_eq!((spec.engine_version, spec.newest_major), (None, None));
    assert_eq!(spec.effective["engine_version"].value, "null");
}

#[test]
fn a_key_needs_encryption() {
    check(json!({"kms_key_id": "k"}), &[("storage_encrypted", "true # default")], "");
    check(
        json!({"kms_key_id": "k", "enable_encryption": false}),
        &[],
        "error[key-without-encryption] kms_key_id: `kms_key_id` is written, but `enable_encryption` is false; \
         encrypt the storage, or leave the key out",
    );
}

#[test]
fn backups_are_as_encrypted_as_the_storage() {
    const BACKUPS: &str = "enable_backup_encryption";
    check(json!({}), &[(BACKUPS, "true # follows storage_encrypted")], "");
    check(json!({"storage_encrypted": false}), &[(BACKUPS, "false # follows storage_encrypted")], "");
    check(json!({BACKUPS: false}), &[(BACKUPS, "false # written")], "");
    let contradiction = json!({BACKUPS: true, "storage_encrypted": false});
    let expected = "error[backup-encryption] enable_backup_encryption: `enable_backup_encryption` is true, \
                    but `storage_encrypted` is false; \
                    encrypt the storage too: backups are as encrypted as what they are made of";
    check_on(Some(Cloud::Aws), contradiction.clone(), &[], expected);
    check_on(Some(Cloud::Local), contradiction.clone(), &[], expected);
    let on_gcp = json!({BACKUPS: true, "storage_encrypted": false, "gcp_region": "us-central1"});
    check_on(Some(Cloud::Gcp), on_gcp, &[(BACKUPS, "true # written")], "");
}

#[test]
fn settings_of_query_analysis_wait_for_it() {
    const DAYS: &str = "performance_insights_retention_period";
    check(json!({"enable_performance_insights": true, DAYS: 31}), &[(DAYS, "31 # written")], "");
    check(
        json!({DAYS: 31, "performance_insights_kms_key_id": "k"}),
        &[],
        "note[insights-off] performance_insights_retention_period: `performance_insights_retention_period` waits for \
         `enable_performance_insights`, which is not true\n\
         note[insights-off] performance_insights_kms_key_id: `performance_insights_kms_key_id` waits for \
         `enable_performance_insights`, which is not true",
    );
}

#[test]
fn a_skipped_backup_needs_no_name() {
    check(json!({"final_snapshot_identifier": "last"}), &[("skip_final_snapshot", "false # default")], "");
    check(
        json!({"final_snapshot_identifier": "last", "skip_final_snapshot": true}),
        &[],
        "warning[final-snapshot-skipped] final_snapshot_identifier: `final_snapshot_identifier` names a last backup, \
         but `skip_final_snapshot` is true: none is taken; write skip_final_snapshot = false to have it taken",
    );
}

#[test]
fn rules_need_a_group() {
    let rules = json!([{"type": "ingress", "from_port": 5432, "to_port": 5432, "protocol": "tcp"}]);
    check(json!({"security_group_rules": rules}), &[("create_security_group", "true # default")], "");
    check(json!({"security_group_rules": [], "create_security_group": false}), &[], "");
    check(
        json!({"security_group_rules": rules, "create_security_group": false}),
        &[],
        "error[rules-without-group] security_group_rules: `security_group_rules` has rules, \
         but `create_security_group` is false; put them into the group of security_group_ids, or let pgherd make one",
    );
}

#[test]
fn the_environment_is_a_tag_unless_there_is_one() {
    let tags = |expected| [("tags", expected)];
    check(json!({"environment": "dev"}), &tags("{ Environment = \"dev\" } # follows environment"), "");
    check(
        json!({"environment": "dev", "tags": {"Owner": "a"}}),
        &tags("{ Environment = \"dev\", Owner = \"a\" } # written"),
        "",
    );
    check(
        json!({"environment": "dev", "tags": {"ENVIRONMENT": "test"}}),
        &tags("{ ENVIRONMENT = \"test\" } # written"),
        "",
    );
    check_on(
        Some(Cloud::Local),
        json!({"environment": "?var.environment"}),
        &tags("{ Environment = var.environment } # follows environment"),
        "",
    );
}

#[test]
fn rds_chooses_the_zones_of_a_pair() {
    let both = json!({"multi_az": true, "availability_zone": "eu-central-1a"});
    check(
        both.clone(),
        &[],
        "error[zone-and-multi-az] availability_zone: `availability_zone` and `multi_az` exclude each other: \
         RDS chooses the zones of a pair itself; leave out availability_zone; subnet_ids say which zones there are",
    );
    let on_gcp = json!({"multi_az": true, "availability_zone": "eu-central-1a", "gcp_region": "us-central1"});
    check_on(Some(Cloud::Gcp), on_gcp, &[("availability_zone", "\"eu-central-1a\" # written")], "");
    check(json!({"availability_zone": "eu-central-1a"}), &[], "");
}

#[test]
fn a_target_says_what_it_cannot_do_without() {
    check(
        json!({"cloud_provider": "azure"}),
        &[],
        "error[missing-value] resource_group_name: azure needs `resource_group_name`; \
         name an existing one, as in resource_group_name = \"databases\"",
    );
    check(
        json!({"cloud_provider": "digitalocean"}),
        &[],
        "error[missing-value] do_region: digitalocean needs `do_region`; write its slug, as in do_region = \"fra1\"",
    );
    check(
        json!({"cloud_provider": "gcp"}),
        &[],
        "error[missing-value] gcp_region: gcp needs `gcp_region`; write it, as in gcp_region = \"europe-west3\"",
    );
    check(
        json!({"cloud_provider": "azure", "resource_group_name": "?var.group"}),
        &[],
        "error[unknown-value] resource_group_name: `resource_group_name` is needed, and var.group is not known; \
         give it with -var group=… or PGHERD_VAR_group, or write a literal; --provider local does without it",
    );
}

#[test]
fn the_database_is_called_like_the_instance() {
    check(json!({"name": "my-orders-db"}), &[("database_name", "\"my_orders_db\" # follows name")], "");
    check(json!({"name": "my-orders-db", "database_name": "orders"}), &[("database_name", "\"orders\" # written")], "");
}
