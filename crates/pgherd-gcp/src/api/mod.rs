//! The calls that are used, as functions from plain values to plain values.

mod backup;
mod catalogue;
mod instance;
mod monitoring;
#[cfg(test)]
mod recorded;
mod secret;
mod within;

pub(crate) use backup::{Kept, backup, backups, last_backups, major, recovery, restore};
pub(crate) use catalogue::{Flag, flags, tiers};
pub(crate) use instance::{
    Instance, Operation, clone, create, delete, failover, instance, operation, operations, patch, promote, restart,
    running,
};
pub(crate) use monitoring::{
    Alert, Channel, alerts, channels, create_alert, create_channel, delete_alert, delete_channel, update_alert,
    update_channel,
};
pub(crate) use secret::{Document, Shell, access, add_version, create_secret, delete_secret, patch_secret, secret};
pub(crate) use within::{add_database, add_user, databases, set_password, users};

use serde_json::Value as Json;

use crate::call::segment;
use crate::labels::Labels;
use crate::session::Session;

/// Who asks, and of which project.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) session: &'a Session,
    pub(crate) project: &'a str,
}

impl At<'_> {
    fn sql(self, rest: &str) -> String {
        format!("v1/projects/{}{rest}", segment(self.project))
    }

    fn within(self, instance: &str, rest: &str) -> String {
        self.sql(&format!("/instances/{}{rest}", segment(instance)))
    }
}

/// A text of an object; empty is none.
fn text(of: &Json, name: &str) -> Option<String> {
    of[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Labels of an object.
fn labels(told: &Json) -> Labels {
    let all = told.as_object().into_iter().flatten();
    all.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
