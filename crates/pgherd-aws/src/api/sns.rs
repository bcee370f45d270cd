//! Topics and who is told.

use pgherd_http::Safety;

use crate::api::tags::{self, Tags};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::service::Service;
use crate::session::Session;

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// Or a word: `PendingConfirmation`, `Deleted`.
    pub(crate) arn: String,
    pub(crate) protocol: String,
    pub(crate) endpoint: String,
}

/// Makes a topic, or finds the one of that name with these tags.
pub(crate) async fn create(
    session: &Session,
    region: &str,
    name: &str,
    given: &[(String, String)],
) -> Result<String, AwsError> {
    let form = Form::new("CreateTopic").set("Name", name).list("Tags", "member", tags::sent(given));
    let made = ask(session, region, form).await?;
    Ok(made.text("TopicArn").unwrap_or_default().to_owned())
}

/// Takes a topic away, and with it all who are told.
pub(crate) async fn delete(session: &Session, region: &str, arn: &str) -> Result<(), AwsError> {
    ask(session, region, Form::new("DeleteTopic").set("TopicArn", arn)).await.map(drop)
}

/// Who is told.
pub(crate) async fn subscriptions(session: &Session, region: &str, arn: &str) -> Result<Vec<Subscription>, AwsError> {
    let mut found = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let form = Form::new("ListSubscriptionsByTopic").set("TopicArn", arn).set("NextToken", next);
        let page = ask(session, region, form).await?;
        found.extend(page.list("Subscriptions", "member").map(read));
        next = page.text("NextToken").filter(|token| !token.is_empty()).map(str::to_owned);
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// Tells an e-mail address from now on, once its reader has confirmed.
pub(crate) async fn subscribe(session: &Session, region: &str, arn: &str, address: &str) -> Result<(), AwsError> {
    let form = Form::new("Subscribe").set("TopicArn", arn).set("Protocol", "email").set("Endpoint", address);
    ask(session, region, form).await.map(drop)
}

/// Tells somebody no longer.
pub(crate) async fn unsubscribe(session: &Session, region: &str, subscription: &str) -> Result<(), AwsError> {
    ask(session, region, Form::new("Unsubscribe").set("SubscriptionArn", subscription)).await.map(drop)
}

/// The tags of a topic.
pub(crate) async fn tags(session: &Session, region: &str, arn: &str) -> Result<Tags, AwsError> {
    let answer = ask(session, region, Form::new("ListTagsForResource").set("ResourceArn", arn)).await?;
    Ok(tags::read(answer.list("Tags", "member")))
}

/// Adds tags, or gives them other values.
pub(crate) async fn tag(
    session: &Session,
    region: &str,
    arn: &str,
    given: &[(String, String)],
) -> Result<(), AwsError> {
    let form = Form::new("TagResource").set("ResourceArn", arn).list("Tags", "member", tags::sent(given));
    ask(session, region, form).await.map(drop)
}

/// Takes tags away.
pub(crate) async fn untag(session: &Session, region: &str, arn: &str, keys: &[String]) -> Result<(), AwsError> {
    let form = Form::new("UntagResource").set("ResourceArn", arn).list("TagKeys", "member", keys);
    ask(session, region, form).await.map(drop)
}

/// All of them may be asked twice: SNS knows topics by their names and subscriptions by their addresses.
async fn ask(session: &Session, region: &str, form: Form) -> Result<Element, AwsError> {
    session.query(Service::Sns, region, form, Safety::Repeatable).await
}

fn read(member: &Element) -> Subscription {
    let text = |name| member.text(name).unwrap_or_default().to_owned();
    Subscription { arn: text("SubscriptionArn"), protocol: text("Protocol"), endpoint: text("Endpoint") }
}
