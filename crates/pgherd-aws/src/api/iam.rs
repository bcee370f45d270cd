//! Roles. IAM is one for all regions; the region of a call only says which partition is meant.

use percent_encoding::percent_decode_str;
use pgherd_http::Safety;

use crate::api::tags::{self, Tags};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::service::Service;
use crate::session::Session;

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) arn: String,
    /// Who may take it on, as JSON.
    pub(crate) trust: String,
    pub(crate) tags: Tags,
}

/// The role of a name, if there is one.
pub(crate) async fn role(session: &Session, region: &str, name: &str) -> Result<Option<Role>, AwsError> {
    match expected(session, region, name).await {
        Ok(role) => Ok(Some(role)),
        Err(error) if error.is("NoSuchEntity") => Ok(None),
        Err(error) => Err(error),
    }
}

/// The role of a name that must be there.
pub(crate) async fn expected(session: &Session, region: &str, name: &str) -> Result<Role, AwsError> {
    let answer = ask(session, region, of("GetRole", name)).await?;
    Ok(read(answer.at("Role").unwrap_or(&answer)))
}

/// Makes a role.
pub(crate) async fn create(
    session: &Session,
    region: &str,
    name: &str,
    (trust, description): (&str, &str),
    given: &[(String, String)],
) -> Result<(), AwsError> {
    let form = of("CreateRole", name).set("AssumeRolePolicyDocument", trust).set("Description", description).list(
        "Tags",
        "member",
        tags::sent(given),
    );
    session.query(Service::Iam, region, form, Safety::LookFirst).await.map(drop)
}

/// Lets others take the role on.
pub(crate) async fn trust(session: &Session, region: &str, name: &str, document: &str) -> Result<(), AwsError> {
    let form = of("UpdateAssumeRolePolicy", name).set("PolicyDocument", document);
    ask(session, region, form).await.map(drop)
}

/// Takes a role away that has no policies any more.
pub(crate) async fn delete(session: &Session, region: &str, name: &str) -> Result<(), AwsError> {
    ask(session, region, of("DeleteRole", name)).await.map(drop)
}

/// The ARNs of the policies that a role shares with others.
pub(crate) async fn attached(session: &Session, region: &str, name: &str) -> Result<Vec<String>, AwsError> {
    let policies = paged(session, region, &of("ListAttachedRolePolicies", name), "AttachedPolicies").await?;
    Ok(policies.iter().filter_map(|policy| policy.text("PolicyArn").map(str::to_owned)).collect())
}

/// Attaches a policy; one that is attached stays.
pub(crate) async fn attach(session: &Session, region: &str, name: &str, policy: &str) -> Result<(), AwsError> {
    ask(session, region, of("AttachRolePolicy", name).set("PolicyArn", policy)).await.map(drop)
}

/// Detaches a policy.
pub(crate) async fn detach(session: &Session, region: &str, name: &str, policy: &str) -> Result<(), AwsError> {
    gone(ask(session, region, of("DetachRolePolicy", name).set("PolicyArn", policy)).await)
}

/// The names of the policies inside of a role.
pub(crate) async fn inside(session: &Session, region: &str, name: &str) -> Result<Vec<String>, AwsError> {
    let policies = paged(session, region, &of("ListRolePolicies", name), "PolicyNames").await?;
    Ok(policies.into_iter().map(|policy| policy.text).collect())
}

/// A policy inside of a role, as JSON.
pub(crate) async fn policy(session: &Session, region: &str, name: &str, policy: &str) -> Result<String, AwsError> {
    let answer = ask(session, region, of("GetRolePolicy", name).set("PolicyName", policy)).await?;
    Ok(decoded(answer.text("PolicyDocument").unwrap_or_default()))
}

/// Puts a policy into a role.
pub(crate) async fn put_policy(
    session: &Session,
    region: &str,
    name: &str,
    (policy, document): (&str, &str),
) -> Result<(), AwsError> {
    let form = of("PutRolePolicy", name).set("PolicyName", policy).set("PolicyDocument", document);
    ask(session, region, form).await.map(drop)
}

/// Takes a policy out of a role.
pub(crate) async fn delete_policy(session: &Session, region: &str, name: &str, policy: &str) -> Result<(), AwsError> {
    gone(ask(session, region, of("DeleteRolePolicy", name).set("PolicyName", policy)).await)
}

/// Adds tags, or gives them other values.
pub(crate) async fn tag(
    session: &Session,
    region: &str,
    name: &str,
    given: &[(String, String)],
) -> Result<(), AwsError> {
    ask(session, region, of("TagRole", name).list("Tags", "member", tags::sent(given))).await.map(drop)
}

/// Takes tags away.
pub(crate) async fn untag(session: &Session, region: &str, name: &str, keys: &[String]) -> Result<(), AwsError> {
    ask(session, region, of("UntagRole", name).list("TagKeys", "member", keys)).await.map(drop)
}

fn of(action: &str, role: &str) -> Form {
    Form::new(action).set("RoleName", role)
}

async fn ask(session: &Session, region: &str, form: Form) -> Result<Element, AwsError> {
    session.query(Service::Iam, region, form, Safety::Repeatable).await
}

async fn paged(session: &Session, region: &str, form: &Form, list: &str) -> Result<Vec<Element>, AwsError> {
    let mut found = Vec::new();
    let mut marker: Option<String> = None;
    loop {
        let page = ask(session, region, form.clone().set("Marker", marker)).await?;
        found.extend(page.list(list, "member").cloned());
        marker = page.text("Marker").filter(|_| page.bool("IsTruncated") == Some(true)).map(str::to_owned);
        if marker.is_none() {
            return Ok(found);
        }
    }
}

/// What is not there is gone.
fn gone(answer: Result<Element, AwsError>) -> Result<(), AwsError> {
    match answer {
        Err(error) if !error.is("NoSuchEntity") => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn read(role: &Element) -> Role {
    Role {
        arn: role.text("Arn").unwrap_or_default().to_owned(),
        trust: decoded(role.text("AssumeRolePolicyDocument").unwrap_or_default()),
        tags: tags::read(role.list("Tags", "member")),
    }
}

/// IAM writes documents as they stand in a URL (RFC 3986).
fn decoded(document: &str) -> String {
    percent_decode_str(document).decode_utf8_lossy().into_owned()
}
