//! The account, what it is offered, and its networks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::text;
use crate::call::segment;
use crate::error::DoError;
use crate::session::Session;

/// What can be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) regions: BTreeSet<String>,
    pub(crate) versions: BTreeSet<String>,
    /// Sizes by the number of nodes.
    pub(crate) sizes: BTreeMap<i64, BTreeSet<String>>,
}

/// Whose the token is: the team where there is one, else the account.
pub(crate) async fn account(session: &Session) -> Result<Option<String>, DoError> {
    let told = session.get("/v2/account").await?;
    Ok(text(&told["account"]["team"], "uuid").or_else(|| text(&told["account"], "uuid")))
}

/// What is offered for PostgreSQL.
pub(crate) async fn options(session: &Session) -> Result<Options, DoError> {
    let told = session.get("/v2/databases/options").await?;
    let pg = &told["options"]["pg"];
    let set = |list: &Json| -> BTreeSet<String> {
        list.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let layouts = pg["layouts"].as_array().into_iter().flatten();
    let sizes = layouts.filter_map(|layout| Some((layout["num_nodes"].as_i64()?, set(&layout["sizes"]))));
    Ok(Options { regions: set(&pg["regions"]), versions: set(&pg["versions"]), sizes: sizes.collect() })
}

/// The region of a network; `None`: there is no such network.
pub(crate) async fn vpc(session: &Session, id: &str) -> Result<Option<String>, DoError> {
    let found = session.find(&format!("/v2/vpcs/{}", segment(id))).await?;
    Ok(found.map(|told| text(&told["vpc"], "region").unwrap_or_default()))
}
