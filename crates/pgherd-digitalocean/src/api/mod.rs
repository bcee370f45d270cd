//! The calls that are used, as functions from plain values to plain values.

mod account;
mod alert;
mod cluster;
#[cfg(test)]
mod recorded;
mod replica;
mod within;

pub(crate) use account::{Options, account, options, vpc};
pub(crate) use alert::{Alert, alerts, create_alert, delete_alert, update_alert};
pub(crate) use cluster::{
    Cluster, Connection, autoscale, backups, certificate, cluster, clusters, create_cluster, delete_cluster, events,
    migrate, resize, set_autoscale, set_maintenance, tag, untag, upgrade,
};
pub(crate) use replica::{Replica, create_replica, delete_replica, promote_replica, replicas};
pub(crate) use within::{
    Pool, Rule, User, add_database, add_pool, add_user, config, databases, delete_pool, firewall, patch_config, pools,
    reset_auth, set_firewall, update_pool, users,
};

use serde_json::Value as Json;

/// A text of an object; empty is none.
fn text(of: &Json, name: &str) -> Option<String> {
    of[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A list of texts; `None`: it was not told.
fn texts(of: &Json, name: &str) -> Option<Vec<String>> {
    Some(of[name].as_array()?.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
}
