//! The calls that are used, as functions from plain values to plain values.

mod around;
mod backup;
mod catalogue;
mod monitoring;
mod secret;
mod server;
mod within;

pub(crate) use around::{
    Zone, delete_lock, delete_logs, delete_zone, locks, logs, put_link, put_lock, put_logs, put_zone, unlink, zone,
};
pub(crate) use backup::{Kept, backup, backups};
pub(crate) use catalogue::{Offer, has_group, is_free, location_of_group, offer};
pub(crate) use monitoring::{Alert, Group, alerts, delete_alert, delete_group, groups, put_alert, put_group};
pub(crate) use secret::{Document, Held, deleted, put as put_secret, recover, remove as delete_secret, retag, secret};
pub(crate) use server::{
    Begun, Progress, Server, create, delete, failover, operation, patch, replicas, restart, server, set_password, turn,
};
pub(crate) use within::{
    Configuration, Rule, add_database, configurations, databases, delete_rule, put_rule, reset, rules, set,
};

use serde_json::Value as Json;

use crate::call::segment;
use crate::session::{Asked, Session};

/// The API of servers.
const SERVERS: &str = "2026-10-01";

/// Who asks, and of which resource group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) session: &'a Session,
    pub(crate) subscription: &'a str,
    pub(crate) group: &'a str,
}

impl At<'_> {
    /// The path of the resource group.
    fn group_path(self) -> String {
        format!("subscriptions/{}/resourceGroups/{}", segment(self.subscription), segment(self.group))
    }

    /// Something in the resource group, `Microsoft.Insights/metricAlerts/x`.
    fn of_group(self, what: &str, version: &str) -> String {
        format!("{}/providers/{what}?api-version={version}", self.group_path())
    }

    /// A server, or something within one: `/databases/x`.
    fn of_server(self, server: &str, rest: &str) -> String {
        self.of_group(&format!("Microsoft.DBforPostgreSQL/flexibleServers/{}{rest}", segment(server)), SERVERS)
    }

    /// Something that another provider keeps of a server: `Microsoft.Authorization/locks/x`.
    fn beside_server(self, server: &str, what: &str, version: &str) -> String {
        format!("{}/providers/{what}?api-version={version}", self.server_path(server))
    }

    /// The path of a server, as others refer to it, without the first stroke.
    fn server_path(self, server: &str) -> String {
        let group = self.group_path();
        format!("{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{}", segment(server))
    }

    /// The id of a server, as others refer to it.
    pub(crate) fn server_id(self, server: &str) -> String {
        format!("/{}", self.server_path(server))
    }

    /// The id of something in the resource group.
    pub(crate) fn id_in_group(self, what: &str) -> String {
        format!("/{}/providers/{what}", self.group_path())
    }
}

/// A path of Resource Manager.
fn manager(path: &str) -> Asked<'_> {
    Asked::Manager(path)
}

/// A text of an object; empty is none.
fn text(of: &Json, name: &str) -> Option<String> {
    of[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
