//! Rules A1 to A10 of variables.md 3.3.

use super::*;

#[test]
fn a1_null_is_not_written() {
    check(json!({"name": null, "multi_az": null}), &[("name", "\"database\" # default")], "");
}

#[test]
fn a1_empty_text_is_written_and_means_nothing() {
    check(
        json!({"name": "", "kms_key_id": ""}),
        &[("name", "\"database\" # default")],
        "error[empty-value] kms_key_id: `kms_key_id` is empty; leave it out, or write null, to have the default\n\
         error[empty-value] name: `name` is empty; leave it out, or write null, to have the default",
    );
}

#[test]
fn a2_any_member_holds_on_any_cloud() {
    let class = [("instance_class", "\"db-f1-micro\" # written")];
    check(json!({"cloud_provider": "gcp", "instance_class": "db-f1-micro"}), &class, "");
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
fn what_is_written_is_a_spec() {
    assert_eq!(spec(json!({"name": "orders"})).database_name, "orders");
    check_on(Some(Cloud::Local), json!({}), &[("cloud_provider", "\"local\" # command line")], "");
}
