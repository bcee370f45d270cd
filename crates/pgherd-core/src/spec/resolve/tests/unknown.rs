//! References nobody can follow, and secrets.

use super::*;
use crate::secret::Secret;
use crate::spec::Setting;
use crate::value::Value;

const FOLLOW: &str = "pgherd cannot follow this reference: write a literal, or var.<name> and give it with -var";

#[test]
fn what_the_target_does_not_need_may_be_unknown() {
    check_on(
        Some(Cloud::Local),
        json!({
            "vpc_id": "?module.network.vpc_id",
            "subnet_ids": "?module.network.subnets",
            "monitoring_role_arn": "?aws_iam_role.monitoring.arn",
            "kms_key_id": "?aws_kms_key.database.arn",
            "gcp_project": "?var.gcp_project",
            "resource_group_name": "?var.group",
            "tags": "?local.common_tags",
            "environment": "?var.environment",
        }),
        &[
            ("vpc_id", "module.network.vpc_id # no effect"),
            ("tags", "local.common_tags # written"),
            ("environment", "var.environment # written"),
        ],
        "note[no-effect] vpc_id: `vpc_id` has no effect on local\n\
         note[no-effect] subnet_ids: `subnet_ids` has no effect on local\n\
         note[no-effect] gcp_project: `gcp_project` has no effect on local\n\
         note[no-effect] resource_group_name: `resource_group_name` has no effect on local\n\
         note[no-effect] monitoring_role_arn: `monitoring_role_arn` has no effect on local",
    );
}

#[test]
fn what_it_needs_may_not() {
    let needed = |name: &str, path: &str, reference: &str, help: &str| {
        format!("error[unknown-value] {path}: `{name}` is needed, and {reference} is not known; {help}")
    };
    check(
        json!({
            "name": "?var.name",
            "multi_az": "?local.ha",
            "allocated_storage": "?var.sizes[\"db\"]",
            "server_version": "?module.server.version",
            "vpc_id": "?module.network.vpc_id",
            "parameters": [{"name": "work_mem", "value": "?var.memory"}],
        }),
        &[],
        &[
            needed(
                "allocated_storage",
                "allocated_storage",
                "var.sizes[\"db\"]",
                "give it with -var sizes=… or PGHERD_VAR_sizes, or write a literal",
            ),
            needed("multi_az", "multi_az", "local.ha", FOLLOW),
            needed("name", "name", "var.name", "give it with -var name=… or PGHERD_VAR_name, or write a literal"),
            needed(
                "parameters",
                "parameters[0].value",
                "var.memory",
                "give it with -var memory=… or PGHERD_VAR_memory, or write a literal",
            ),
            needed("server_version", "server_version", "module.server.version", FOLLOW),
            needed("vpc_id", "vpc_id", "module.network.vpc_id", &format!("{FOLLOW}; --provider local does without it")),
        ]
        .join("\n"),
    );
}

#[test]
fn an_unknown_address_range_is_left_closed_here_and_an_error_elsewhere() {
    let inputs = block(json!({"allowed_cidr_blocks": ["?module.network.vpc_cidr", "10.0.0.0/8"]}));
    let (spec, diagnostics) = resolve(&inputs, Some(Cloud::Local));
    assert_eq!(
        said(&diagnostics).trim_end(),
        format!(
            "warning[left-closed] allowed_cidr_blocks[0]: module.network.vpc_cidr is not known: \
             nothing is let in for it; {FOLLOW}"
        )
    );
    assert_eq!(
        spec.expect("the target is given").network.allowed_cidr_blocks,
        [Setting::Unknown("module.network.vpc_cidr".to_owned()), Setting::Known("10.0.0.0/8".to_owned())]
    );
    let (_, diagnostics) = resolve(&inputs, Some(Cloud::Aws));
    assert!(said(&diagnostics).starts_with("error[unknown-value] allowed_cidr_blocks[0]: "), "{}", said(&diagnostics));
}

#[test]
fn labels_nobody_knows_are_left_out_of_a_cloud() {
    check(
        json!({"tags": {"Owner": "?var.owner"}}),
        &[("tags", "{ Owner = var.owner } # written")],
        "warning[unknown-label] tags.Owner: var.owner is not known and left out; \
         give it with -var owner=… or PGHERD_VAR_owner, or write a literal",
    );
}

#[test]
fn an_unknown_password_is_generated() {
    for target in Cloud::ALL {
        let inputs = block(json!({
            "master_password": "?var.database_password", "resource_group_name": "r", "do_region": "fra1",
            "gcp_region": "us-central1",
        }));
        let (spec, diagnostics) = resolve(&inputs, Some(*target));
        let loud: Vec<_> = diagnostics.into_iter().filter(|said| said.severity > Severity::Note).collect();
        assert_eq!(
            said(&loud).trim_end(),
            "warning[unknown-password] master_password: the password is not known (var.database_password): \
             one is generated, once, and kept; \
             give it with -var database_password=… or PGHERD_VAR_database_password, or write a literal"
        );
        let password = spec.expect("the target is given").master_password;
        assert_eq!(password, Setting::Unknown("var.database_password".to_owned()));
    }
}

#[test]
fn a_password_is_never_shown() {
    for value in [Value::text("correct horse"), Value::Secret(Secret::new("correct horse"))] {
        let mut inputs = block(json!({}));
        inputs.values.insert("master_password".to_owned(), value);
        let (spec, diagnostics) = resolve(&inputs, None);
        let spec = spec.expect("the target is known");
        assert_eq!(diagnostics, []);
        assert_eq!(spec.effective["master_password"].value, "(secret)");
        assert_eq!(spec.master_password.known().and_then(Secret::reveal), Some("correct horse"));
        assert!(!format!("{spec:?}").contains("horse"));
    }
}

#[test]
fn a_secret_in_another_place_is_refused_and_used_nowhere() {
    let mut inputs = block(json!({}));
    let secret = Value::Secret(Secret::new("hunter2"));
    inputs.values.insert("tags".to_owned(), Value::Map([("Owner".to_owned(), secret.clone())].into()));
    for name in ["name", "database_version", "allocated_storage", "instance_class", "backup_window", "multi_az"] {
        inputs.values.insert(name.to_owned(), secret.clone());
    }
    let (spec, diagnostics) = resolve(&inputs, None);
    let spec = spec.expect("the target is known");
    let error = |name: &str| {
        format!(
            "error[secret-shown] {name}: `{name}` is given a sensitive value, and plans and outputs show what it is; \
             give it a variable without sensitive = true, or write nonsensitive(…) around what may be seen\n"
        )
    };
    let refused =
        ["allocated_storage", "backup_window", "database_version", "instance_class", "multi_az", "name", "tags"];
    assert_eq!(said(&diagnostics), refused.map(error).concat());
    assert!(!format!("{spec:?}").contains("hunter2"));
    assert_eq!(spec.effective["engine_version"].value, "(secret)");
    assert!(spec.is_hidden("name") && spec.is_hidden("tags") && !spec.is_hidden("database_name"));
}

#[test]
fn a_target_that_is_a_secret_is_none() {
    let mut inputs = block(json!({}));
    inputs.values.insert("cloud_provider".to_owned(), Value::Secret(Secret::new("aws")));
    let expected = "error[wrong-type] cloud_provider: `cloud_provider` is the name of a target, not (secret); \
                    write one of aws, gcp, azure, digitalocean, local\n";
    assert_eq!(said(&resolve(&inputs, None).1), expected);
}
