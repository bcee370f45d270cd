//! A running standby or replica, led to another primary without a restart.

use std::time::Duration;

use super::role::{RoleConf, Upstream};
use super::{Place, sync};
use crate::postgres::Result;

/// Has a running standby stream from `upstream`, and returns when that is in force; it streams a little later. Make its slot
/// there first. Repeatable; at the deadline an error, and it may come into force later.
pub async fn follow(place: &Place, upstream: &Upstream, deadline: Duration) -> Result<()> {
    let role = RoleConf { upstream: Some(upstream.clone()), sync: None };
    sync::put_in_force(place, &role, deadline).await.map(drop)
}
