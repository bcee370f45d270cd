//! What is in an instance: databases and roles.

use pgherd_core::secret::Secret;
use serde_json::{Value as Json, json};

use super::{At, Operation, text};
use crate::call::segment;
use crate::error::GcpError;
use crate::session::Service::Sql;

/// The databases of an instance.
pub(crate) async fn databases(at: At<'_>, instance: &str) -> Result<Vec<String>, GcpError> {
    names(&at.session.get(Sql, &at.within(instance, "/databases")).await?)
}

/// Makes a database.
pub(crate) async fn add_database(at: At<'_>, instance: &str, name: &str) -> Result<Operation, GcpError> {
    let body = json!({ "name": name, "charset": "UTF8", "collation": "en_US.UTF8" });
    let told = at.session.post(Sql, &at.within(instance, "/databases"), &body).await?;
    Ok(Operation::read(&told))
}

/// The roles of an instance.
pub(crate) async fn users(at: At<'_>, instance: &str) -> Result<Vec<String>, GcpError> {
    names(&at.session.get(Sql, &at.within(instance, "/users")).await?)
}

/// Makes a role.
pub(crate) async fn add_user(at: At<'_>, instance: &str, name: &str, password: &Secret) -> Result<Operation, GcpError> {
    let body = json!({ "name": name, "password": password.reveal() });
    let told = at.session.post(Sql, &at.within(instance, "/users"), &body).await?;
    Ok(Operation::read(&told))
}

/// Gives a role that is there another password.
pub(crate) async fn set_password(
    at: At<'_>,
    instance: &str,
    name: &str,
    password: &Secret,
) -> Result<Operation, GcpError> {
    let body = json!({ "name": name, "password": password.reveal() });
    let path = at.within(instance, &format!("/users?name={}", segment(name)));
    let told = at.session.put(Sql, &path, &body).await?;
    Ok(Operation::read(&told))
}

fn names(told: &Json) -> Result<Vec<String>, GcpError> {
    Ok(told["items"].as_array().into_iter().flatten().filter_map(|one| text(one, "name")).collect())
}
