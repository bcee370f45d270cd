//! Rules A1 to A10 of variables.md 3.3.

use super::*;

#[test]
fn a1_null_is_not_written() {
    check(json!({"name": null, "multi_az": null}), &[("name", "\"database\" # default")], "");
}

#[test]
fn a1_empty_text_is_written_and_means_nothing() {
    check(
        json!({"name": "", "kms_key_id": "", "subnet_ids": ["subnet-1", "", ""]}),
        &[("name", "\"database\" # default")],
        "error[empty-value] kms_key_id: `kms_key_id` is empty; leave it out, or write null, to have the default\n\
         error[empty-value] name: `name` is empty; leave it out, or write null, to have the default\n\
         error[empty-value] subnet_ids[1]: `subnet_ids[1]` is empty; leave it out\n\
         error[empty-value] subnet_ids[2]: `subnet_ids[2]` is empty; leave it out",
    );
}

#[test]
fn a2_any_member_holds_on_any_cloud() {
    let class = [("instance_class", "\"db-f1-micro\" # written")];
    check(json!({"cloud_provider": "gcp", "gcp_region": "us-central1", "instance_class": "db-f1-micro"}), &class, "");
    check(
        json!({"tier": "db.t3.small"}),
        &[("instance_class", "\"db.t3.small\" # as tier"), ("tier", "\"db.t3.small\" # written")],
        "note[foreign-name] tier: `tier` is the word of gcp for `instance_class`, and taken as that",
    );
}

#[test]
fn a3_members_that_agree_are_one_warning() {
    check(
        json!({
            "cloud_provider": "azure", "resource_group_name": "r",
            "allocated_storage": 64, "storage_mb": 65536, "disk_size": 64,
        }),
        &[("allocated_storage", "64 # written")],
        "warning[said-twice] storage_mb: `disk_size`, `storage_mb` say the same as `allocated_storage`; \
         write `allocated_storage` alone",
    );
}

#[test]
fn a3_the_normal_form_is_compared() {
    let warning = |last: &str, first: &str, canonical: &str| {
        format!("warning[said-twice] {last}: `{last}` says the same as `{first}`; write `{canonical}` alone")
    };
    check_on(
        Some(Cloud::Azure),
        json!({"resource_group_name": "r", "sku_name": "B_Gen5_1", "instance_class": "B_Standard_B1ms"}),
        &[("instance_class", "\"B_Standard_B1ms\" # written")],
        &warning("sku_name", "instance_class", "instance_class"),
    );
    check_on(
        Some(Cloud::Gcp),
        json!({"gcp_region": "us-central1", "backup_window": "23:30-00:30", "backup_time": "23:30"}),
        &[("backup_window", "\"23:30-00:30\" # written"), ("backup_time", "\"23:30\" # follows backup_window")],
        &warning("backup_time", "backup_window", "backup_window"),
    );
    check_on(
        Some(Cloud::Azure),
        json!({"resource_group_name": "r", "allocated_storage": 64, "storage_mb": 65_000}),
        &[("allocated_storage", "64 # written"), ("storage_mb", "65536 # follows allocated_storage")],
        &warning("storage_mb", "allocated_storage", "allocated_storage"),
    );
}

#[test]
fn a3_the_more_exact_version_holds() {
    let expected = "warning[said-twice] database_version: `database_version` says the same as `engine_version`; \
                    write `engine_version` alone";
    let version = [("engine_version", "\"14.9\" # written")];
    let gcp = Some(Cloud::Gcp);
    check_on(
        gcp,
        json!({"gcp_region": "us-central1", "engine_version": "14.9", "database_version": "POSTGRES_14"}),
        &version,
        expected,
    );

    let version = [("engine_version", "\"14.9\" # as database_version")];
    let expected = "warning[said-twice] engine_version: `engine_version` says the same as `database_version`; \
                    write `engine_version` alone";
    check_on(
        gcp,
        json!({"gcp_region": "us-central1", "engine_version": "14", "database_version": "POSTGRES_14_9"}),
        &version,
        expected,
    );
}

#[test]
fn a4_members_that_differ_are_an_error_at_each_after_the_first() {
    check(
        json!({
            "cloud_provider": "gcp", "gcp_region": "us-central1",
            "instance_class": "db-f1-micro", "instance_type": "db-g1-small", "tier": "db-custom-2-7680",
        }),
        &[("instance_class", "\"db-f1-micro\" # written")],
        "error[alias-conflict] instance_type: `instance_type` is \"db-g1-small\" and `instance_class` is \"db-f1-micro\", \
         but both are the same setting; write `instance_class` alone\n\
         error[alias-conflict] tier: `tier` is \"db-custom-2-7680\" and `instance_class` is \"db-f1-micro\", \
         but both are the same setting; write `instance_class` alone",
    );
}

#[test]
fn a4_quotes_what_is_written_not_what_it_is_made_of() {
    check_on(
        Some(Cloud::Azure),
        json!({"resource_group_name": "r", "allocated_storage": 64, "storage_mb": 5120}),
        &[],
        "error[alias-conflict] storage_mb: `storage_mb` is 5120 and `allocated_storage` is 64, \
         but both are the same setting; write `allocated_storage` alone",
    );
}

#[test]
fn a4_every_group_is_compared() {
    for (canonical, value, alias, other) in [
        ("engine_version", json!("15"), "server_version", json!("16")),
        ("engine_version", json!("14.9"), "database_version", json!("POSTGRES_14_8")),
        ("instance_class", json!("db.t3.micro"), "db_instance_class", json!("db.t3.small")),
        ("allocated_storage", json!(20), "disk_size", json!(30)),
        ("storage_type", json!("gp2"), "disk_type", json!("gp3")),
        ("storage_encrypted", json!(true), "enable_encryption", json!(false)),
        ("enable_performance_insights", json!(true), "performance_insights_enabled", json!(false)),
        ("backup_retention_period", json!(7), "backup_retention_days", json!(8)),
        ("backup_window", json!("03:00-05:00"), "backup_time", json!("03:00")),
    ] {
        let inputs = block(json!({canonical: value, alias: other}));
        let (_, diagnostics) = resolve(&inputs, None);
        let conflicts: Vec<_> = diagnostics.iter().filter(|said| said.severity == Severity::Error).collect();
        assert!(matches!(conflicts[..], [only] if only.code == "alias-conflict"), "{}", said(&diagnostics));
        assert_eq!(conflicts[0].at, At::Variable { block: "db".to_owned(), path: alias.to_owned() });
    }
}

#[test]
fn a5_what_is_not_known_is_not_compared() {
    check_on(
        Some(Cloud::Gcp),
        json!({"gcp_region": "us-central1", "instance_class": "?var.size", "tier": "db-g1-small"}),
        &[("instance_class", "\"db-g1-small\" # as tier")],
        "",
    );
}

#[test]
fn a6_a_variable_of_another_cloud_is_a_note() {
    check(
        json!({"gcp_region": "us-central1", "location": "East US"}),
        &[("gcp_region", "\"us-central1\" # no effect")],
        "note[no-effect] gcp_region: `gcp_region` has no effect on aws\n\
         note[no-effect] location: `location` has no effect on aws",
    );
}

#[test]
fn a7_a_size_of_another_cloud_is_mapped() {
    check(
        json!({"cloud_provider": "gcp", "gcp_region": "us-central1", "instance_class": "db.t3.micro"}),
        &[("instance_class", "\"db-g1-small\" # written"), ("tier", "\"db-g1-small\" # follows instance_class")],
        "warning[size-mapped] instance_class: db.t3.micro (2 vCPUs, 1 GiB) is a size of aws: \
         db-g1-small (0.5 vCPUs, 1.7 GiB) is taken on gcp; write \"db-g1-small\" to say so yourself",
    );
}

#[test]
fn a7_the_edition_decides_which_size_it_is() {
    check(
        json!({
            "cloud_provider": "gcp", "gcp_region": "us-central1", "gcp_edition": "ENTERPRISE_PLUS",
            "instance_class": "db.r5.large",
        }),
        &[("instance_class", "\"db-perf-optimized-N-2\" # written")],
        "warning[size-mapped] instance_class: db.r5.large (2 vCPUs, 16 GiB) is a size of aws: \
         db-perf-optimized-N-2 (2 vCPUs, 16 GiB) is taken on gcp; write \"db-perf-optimized-N-2\" to say so yourself",
    );
}

/// One block with AWS's words runs on four clouds.
#[test]
fn a7_a_kind_of_storage_of_another_cloud_is_mapped() {
    let on = |target: Cloud, size: &str, kind: &str| {
        let inputs = json!({
            "resource_group_name": "r", "do_region": "fra1", "gcp_region": "us-central1",
            "instance_class": size, "storage_type": kind,
        });
        let (spec, said) = resolve(&block(inputs), Some(target));
        let warned = said.iter().any(|said| said.code == "storage-mapped" && said.severity == Severity::Warning);
        (spec.expect("the target is given").storage.kind.expect("it is written"), warned)
    };
    let mapped = |kind: &str| (kind.to_owned(), true);
    for kind in ["gp2", "gp3"] {
        assert_eq!(on(Cloud::Gcp, "db-custom-2-8192", kind), mapped("PD_SSD"));
        assert_eq!(on(Cloud::Gcp, "db-c4a-highmem-2", kind), mapped("HYPERDISK_BALANCED"));
        assert_eq!(on(Cloud::Azure, "GP_Standard_D2ds_v5", kind), mapped("Premium_LRS"));
    }
    assert_eq!(on(Cloud::Gcp, "db-custom-2-8192", "standard"), mapped("PD_HDD"));
    assert_eq!(on(Cloud::Gcp, "db-c4a-highmem-2", "io2"), mapped("HYPERDISK_BALANCED"));
    assert_eq!(on(Cloud::Azure, "GP_Standard_D2ds_v5", "io1"), mapped("PremiumV2_LRS"));
    assert_eq!(on(Cloud::Aws, "db.t3.micro", "PD_SSD"), mapped("gp3"));
    assert_eq!(on(Cloud::Aws, "db.t3.micro", "Premium_LRS"), mapped("gp3"));
    // Said by the checks, or only recorded.
    for (target, size, kind) in [
        (Cloud::Gcp, "db-custom-2-8192", "io2"),
        (Cloud::Gcp, "db-custom-2-8192", "PD_HDD"),
        (Cloud::Azure, "GP_Standard_D2ds_v5", "standard"),
        (Cloud::Aws, "db.t3.micro", "PD_HDD"),
        (Cloud::DigitalOcean, "db-s-1vcpu-2gb", "gp3"),
        (Cloud::Local, "db.t3.micro", "gp3"),
    ] {
        assert_eq!(on(target, size, kind), (kind.to_owned(), false), "{target}");
    }
    check(
        json!({"cloud_provider": "gcp", "gcp_region": "us-central1", "disk_type": "gp3"}),
        &[("storage_type", "\"PD_SSD\" # as disk_type")],
        "warning[storage-mapped] disk_type: \"gp3\" is a kind of storage of aws: PD_SSD is taken on gcp; \
         write \"PD_SSD\" to say so yourself",
    );
}

#[test]
fn a7_on_this_machine_every_size_is_taken_as_it_is() {
    for (size, vcpu, memory_mib) in
        [("db.r5.large", 2.0, 16384), ("db-custom-4-15360", 4.0, 15360), ("db-s-1vcpu-2gb", 1.0, 2048)]
    {
        let inputs = block(json!({"instance_class": size}));
        let (spec, diagnostics) = resolve(&inputs, Some(Cloud::Local));
        let spec = spec.expect("the target is given");
        assert_eq!(diagnostics, []);
        assert_eq!((spec.size.name.as_str(), spec.size.vcpu, spec.size.memory_mib), (size, vcpu, memory_mib));
    }
}

/// RDS has more classes than the catalogue, and tells itself whether it has one.
#[test]
fn a7_a_class_that_only_rds_knows_is_a_warning_there() {
    let on = |target: Cloud, class: &str| {
        let (spec, said) = resolve(&block(json!({"instance_class": class})), Some(target));
        let size = spec.expect("the target is given").size;
        (
            size.is_known(),
            size.burstable,
            said.iter()
                .filter(|said| said.code != "missing-value")
                .map(|said| (said.severity, said.code))
                .collect::<Vec<_>>(),
        )
    };
    let unlisted = vec![(Severity::Warning, "unlisted-size")];
    for class in ["db.r6gd.xlarge", "db.x2iedn.32xlarge", "db.m5d.large"] {
        assert_eq!(on(Cloud::Aws, class), (false, false, unlisted.clone()), "{class}");
    }
    assert_eq!(on(Cloud::Aws, "db.t2.micro"), (false, true, unlisted.clone()));
    let error = vec![(Severity::Error, "unknown-size")];
    for wrong in ["db.t3.mcro", "db.r6gd", "r6gd.xlarge", "db.r6gd.xxlarge", "db.gigantic.large", "db.-6.large"] {
        assert_eq!(on(Cloud::Aws, wrong).2, error, "{wrong}");
    }
    assert_eq!(on(Cloud::Local, "db.r6gd.xlarge").2, unlisted);
    assert_eq!(on(Cloud::Gcp, "db.r6gd.xlarge").2, error);
}

#[test]
fn a7_retired_sizes_of_azure_are_a_note() {
    check_on(
        Some(Cloud::Local),
        json!({"sku_name": "GP_Gen5_2"}),
        &[("instance_class", "\"GP_Standard_D2ds_v5\" # as sku_name")],
        "note[foreign-name] sku_name: `sku_name` is the word of azure for `instance_class`, and taken as that\n\
         note[size-retired] sku_name: this size is of Azure's retired Single Server: \
         GP_Standard_D2ds_v5 (2 vCPUs, 8 GiB) is taken",
    );
}

#[test]
fn a7_a_size_of_no_cloud() {
    check(
        json!({"instance_class": "db.t3.mcro"}),
        &[],
        "error[unknown-size] instance_class: \"db.t3.mcro\" is no size of any cloud; did you mean \"db.t3.micro\"?",
    );
    check_on(
        Some(Cloud::Gcp),
        json!({"gcp_region": "us-central1", "tier": "db-custom-3-7680"}),
        &[],
        "error[unknown-size] tier: \"db-custom-3-7680\" is no size: 3 vCPUs is neither 1 nor an even number up to 96; \
         correct the figures",
    );
}

#[test]
fn a8_written_beats_preset_beats_cloud_beats_general() {
    let class = |expected| [("instance_class", expected)];
    check(
        json!({"preset": "staging", "tier": "db.t3.large"}),
        &class("\"db.t3.large\" # as tier"),
        "note[foreign-name] tier: `tier` is the word of gcp for `instance_class`, and taken as that",
    );
    check(json!({"preset": "staging"}), &class("\"db.t3.small\" # preset staging"), "");
    check(json!({}), &class("\"db.t3.micro\" # aws default"), "");
    check(json!({}), &[("allocated_storage", "20 # default")], "");
}

/// A9: a change of name is no change.
#[test]
fn a9_renaming_a_member_gives_the_same_spec() {
    for (target, canonical, alias) in [
        (Cloud::Aws, json!({"storage_encrypted": false}), json!({"enable_encryption": false})),
        (Cloud::Gcp, json!({"engine_version": "14"}), json!({"database_version": "POSTGRES_14"})),
        (Cloud::Azure, json!({"engine_version": "14"}), json!({"server_version": "14"})),
        (Cloud::Gcp, json!({"instance_class": "db-g1-small"}), json!({"tier": "db-g1-small"})),
        (Cloud::Azure, json!({"instance_class": "B_Standard_B2s"}), json!({"sku_name": "B_Gen5_2"})),
        (Cloud::Gcp, json!({"instance_class": "db-g1-small"}), json!({"instance_type": "db-g1-small"})),
        (Cloud::Aws, json!({"instance_class": "db.m5.large"}), json!({"db_instance_class": "db.m5.large"})),
        (Cloud::Gcp, json!({"allocated_storage": 50}), json!({"disk_size": 50})),
        (Cloud::Azure, json!({"allocated_storage": 64}), json!({"storage_mb": 65536})),
        (Cloud::Gcp, json!({"storage_type": "PD_HDD"}), json!({"disk_type": "PD_HDD"})),
        (Cloud::Aws, json!({"enable_performance_insights": true}), json!({"performance_insights_enabled": true})),
        (Cloud::Azure, json!({"backup_retention_period": 9}), json!({"backup_retention_days": 9})),
        (Cloud::Gcp, json!({"backup_window": "05:00-06:00"}), json!({"backup_time": "05:00"})),
    ] {
        let of = |json: &serde_json::Value| {
            let mut inputs = block(json.clone());
            inputs.values.insert("resource_group_name".to_owned(), "r".into());
            without_origins(resolve(&inputs, Some(target)).0.expect("the target is given"))
        };
        assert_eq!(of(&canonical), of(&alias), "{alias}");
        assert_ne!(of(&canonical), of(&json!({})), "{canonical} is not the default");
    }
}

#[test]
fn a10_every_preset_is_quiet_on_every_target() {
    for target in Cloud::ALL {
        for preset in ["dev", "staging", "prod"] {
            let inputs =
                json!({"preset": preset, "resource_group_name": "r", "do_region": "fra1", "gcp_region": "us-central1"});
            let (_, diagnostics) = resolve(&block(inputs), Some(*target));
            assert!(diagnostics.iter().all(|said| said.severity == Severity::Note), "{}", said(&diagnostics));
        }
    }
}

#[test]
fn the_target_is_asked_for_or_written() {
    check_on(Some(Cloud::Local), json!({}), &[("cloud_provider", "\"local\" # command line")], "");
    check_on(Some(Cloud::Aws), json!({"cloud_provider": "aws"}), &[("cloud_provider", "\"aws\" # written")], "");
    check_on(Some(Cloud::Local), json!({"cloud_provider": "?var.cloud"}), &[], "");
    let targets = "write one of aws, gcp, azure, digitalocean, local";
    check(
        json!({"cloud_provider": "amazon"}),
        &[],
        &format!("error[unknown-target] cloud_provider: there is no target \"amazon\"; {targets}"),
    );
    check(
        json!({"cloud_provider": "?var.cloud"}),
        &[],
        "error[unknown-value] cloud_provider: `cloud_provider` is needed, and var.cloud is not known; \
         give it with -var cloud=… or PGHERD_VAR_cloud, or write a literal",
    );
}

#[test]
fn what_cannot_be_understood_is_said_all_at_once() {
    check(
        json!({
            "preset": "test",
            "engine_version": "POSTGRES_16",
            "allocated_storage": 20.5,
            "storage_mb": -1,
            "port": 70000,
            "local_sync": "always",
            "backup_window": "03:00",
            "backup_time": "3 am",
            "maintenance_window": "04:00-05:00",
            "parameter_group_family": "mysql8.0",
            "multi_az": "yes",
            "proxy_config": {"default_pool_size": 1.5, "max_client_conn": -1},
            "security_group_rules": [
                {"type": "in", "from_port": 65536, "to_port": 5432.5, "protocol": "tcp"},
                {"type": "egress", "from_port": 0, "to_port": 65535, "protocol": "tcp"},
                {"type": "ingress", "from_port": 1, "to_port": -1, "protocol": "tcp"},
            ],
        }),
        &[("engine_version", "\"16\" # written")],
        "error[not-a-whole-number] allocated_storage: `allocated_storage` is a whole number, and 20.5 is not; write a whole number, without a unit\n\
         error[not-a-window] backup_time: \"3 am\" is no time of day; write hours and minutes in UTC, as in \"03:00\"\n\
         error[not-a-window] backup_window: \"03:00\" is no daily window; write start and end in UTC, as in \"03:00-04:00\"\n\
         error[unknown-local-sync] local_sync: `local_sync` is preferred or required, and \"always\" is neither; write \"preferred\" or \"required\"\n\
         error[not-a-window] maintenance_window: \"04:00-05:00\" is no weekly window; write start and end in UTC, as in \"sun:04:00-sun:05:00\"\n\
         error[wrong-type] multi_az: true or false is wanted here, not \"yes\"\n\
         error[not-a-family] parameter_group_family: \"mysql8.0\" is no parameter group family of PostgreSQL; write postgres and the major, as in \"postgres16\"\n\
         error[not-a-whole-number] port: `port` is at most 65535, and 70000 is more; write a whole number, without a unit\n\
         error[unknown-preset] preset: there is no preset \"test\"; write dev, staging or prod\n\
         error[not-a-whole-number] proxy_config.default_pool_size: `default_pool_size` is a whole number, and 1.5 is not; write a whole number, without a unit\n\
         error[not-a-whole-number] proxy_config.max_client_conn: `max_client_conn` cannot be negative, and -1 is; write a whole number, without a unit\n\
         error[security-rule] security_group_rules[0].type: a rule is for ingress or egress, not \"in\"; write type = \"ingress\"\n\
         error[security-rule] security_group_rules[0].from_port: 65536 is no port; write a number from 0 to 65535\n\
         error[security-rule] security_group_rules[0].to_port: 5432.5 is no port; write a number from 0 to 65535\n\
         error[security-rule] security_group_rules[2].to_port: -1 is no port; write a number from 0 to 65535\n\
         error[not-a-whole-number] storage_mb: `storage_mb` cannot be negative, and -1 is; write a whole number, without a unit",
    );
}

#[test]
fn versions_that_are_none() {
    for (name, text, example) in [
        ("engine_version", "sixteen", "write the major, as in \"16\", or major and minor, as in \"16.4\""),
        ("engine_version", "16.4.1", "write the major, as in \"16\", or major and minor, as in \"16.4\""),
        ("database_version", "POSTGRES_", "write POSTGRES_ and the major, as in \"POSTGRES_16\""),
        ("server_version", "v16", "write the major, as in \"16\""),
    ] {
        let (_, diagnostics) = resolve(&block(json!({name: text})), None);
        let expected = format!("error[not-a-version] {name}: \"{text}\" is no PostgreSQL version; {example}");
        assert_eq!(said(&diagnostics).trim_end(), expected);
    }
}

#[test]
fn names_of_settings_have_no_case() {
    check(
        json!({"parameters": [{"name": "Work_Mem", "value": "4MB"}]}),
        &[("parameters", "[{ name = \"work_mem\", value = \"4MB\" }] # written")],
        "",
    );
}
