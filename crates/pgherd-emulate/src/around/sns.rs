//! SNS: topics and who is told. Nobody is told anything here.

use std::collections::BTreeMap;

use super::{Tags, page, tags_in, tags_shown};
use crate::rds::state::ACCOUNT;
use crate::wire::{Element, Form, Refusal};

/// The topics of a region.
#[derive(Debug, Clone, Default)]
pub struct Topics {
    /// Topics by ARN.
    held: BTreeMap<String, Topic>,
    made: u64,
}

/// A topic.
#[derive(Debug, Clone, Default)]
pub struct Topic {
    attributes: BTreeMap<String, String>,
    tags: Tags,
    subscriptions: Vec<Subscription>,
}

/// Somebody who is told.
#[derive(Debug, Clone)]
pub struct Subscription {
    arn: String,
    protocol: String,
    endpoint: String,
    /// Somebody who must agree first, and has not.
    is_pending: bool,
}

const PENDING: &str = "PendingConfirmation";

/// The answer to a request.
pub fn answer(topics: &mut Topics, region: &str, form: &Form) -> Result<Element, Refusal> {
    match form.required("Action")? {
        "ConfirmSubscription" => confirm(topics, form),
        "CreateTopic" => create(topics, region, form),
        "DeleteTopic" => {
            // What is not there is deleted.
            topics.held.remove(form.required("TopicArn")?);
            Ok(Element::new(""))
        }
        "GetTopicAttributes" => attributes(topics, form),
        "ListSubscriptionsByTopic" => list_subscriptions(topics, form),
        "ListTagsForResource" => {
            let topic = existing(topics, form.required("ResourceArn")?, "ResourceNotFound")?;
            Ok(Element::new("").list("Tags", tags_shown(&topic.tags)))
        }
        "ListTopics" => {
            let arns = topics.held.keys().map(|arn| Element::new("member").put("TopicArn", arn));
            listed(form, "Topics", arns.collect())
        }
        "SetTopicAttributes" => set_attribute(topics, form),
        "Subscribe" => subscribe(topics, form),
        "TagResource" => tag(topics, form),
        "Unsubscribe" => unsubscribe(topics, form),
        "UntagResource" => untag(topics, form),
        other => Err(Refusal::of("InvalidAction", format!("The emulator has no operation {other}."))),
    }
}

/// The same name is the same topic, if it is to have the same tags.
fn create(topics: &mut Topics, region: &str, form: &Form) -> Result<Element, Refusal> {
    let name = form.required("Name")?;
    let fits = (1..=256).contains(&name.len())
        && name.trim_end_matches(".fifo").bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if !fits {
        return Err(invalid("Topic Name"));
    }
    let tags = tags_in(form, "InvalidParameter")?;
    let mut given = BTreeMap::new();
    for entry in form.structures("Attributes", "entry") {
        given.insert(entry.required("key")?.to_owned(), entry.text("value").unwrap_or_default().to_owned());
    }
    let arn = format!("arn:aws:sns:{region}:{ACCOUNT}:{name}");
    match topics.held.get(&arn) {
        Some(there) if !tags.is_empty() && there.tags != tags => {
            return Err(invalid("Tags Reason: Topic already exists with different tags"));
        }
        Some(there) if given.iter().any(|(key, value)| there.attributes.get(key) != Some(value)) => {
            return Err(invalid("Attributes Reason: Topic already exists with different attributes"));
        }
        Some(_) => {}
        None => {
            topics.held.insert(arn.clone(), Topic { attributes: given, tags, subscriptions: Vec::new() });
        }
    }
    Ok(Element::new("").put("TopicArn", arn))
}

fn attributes(topics: &mut Topics, form: &Form) -> Result<Element, Refusal> {
    let arn = form.required("TopicArn")?;
    let topic = existing(topics, arn, "NotFound")?;
    let pending = topic.subscriptions.iter().filter(|subscription| subscription.is_pending).count();
    let mut all = topic.attributes.clone();
    all.insert("TopicArn".to_owned(), arn.to_owned());
    all.insert("Owner".to_owned(), ACCOUNT.to_owned());
    all.insert("SubscriptionsPending".to_owned(), pending.to_string());
    all.insert("SubscriptionsConfirmed".to_owned(), (topic.subscriptions.len() - pending).to_string());
    all.insert("SubscriptionsDeleted".to_owned(), "0".to_owned());
    let entries = all.iter().map(|(key, value)| Element::new("entry").put("key", key).put("value", value));
    Ok(Element::new("").list("Attributes", entries))
}

fn set_attribute(topics: &mut Topics, form: &Form) -> Result<Element, Refusal> {
    let name = form.required("AttributeName")?.to_owned();
    let value = form.text("AttributeValue").unwrap_or_default().to_owned();
    existing(topics, form.required("TopicArn")?, "NotFound")?.attributes.insert(name, value);
    Ok(Element::new(""))
}

fn subscribe(topics: &mut Topics, form: &Form) -> Result<Element, Refusal> {
    let (arn, protocol) = (form.required("TopicArn")?.to_owned(), form.required("Protocol")?.to_owned());
    let endpoint = form.required("Endpoint")?.to_owned();
    let fits = match protocol.as_str() {
        "email" | "email-json" => {
            endpoint.split_once('@').is_some_and(|(who, host)| !who.is_empty() && host.contains('.'))
        }
        "http" | "https" => endpoint.starts_with(&format!("{protocol}://")),
        "sms" => endpoint.trim_start_matches('+').bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'),
        "sqs" | "lambda" | "application" | "firehose" => super::is_arn(&endpoint),
        _ => return Err(invalid(&format!("Does not support this protocol string: {protocol}"))),
    };
    if !fits {
        return Err(invalid(&format!("Endpoint Reason: {endpoint} is none for {protocol}")));
    }
    topics.made += 1;
    let id = format!("{arn}:00000000-0000-4000-b000-{:012x}", topics.made);
    let topic = existing(topics, &arn, "NotFound")?;
    let same = |held: &&Subscription| held.protocol == protocol && held.endpoint == endpoint;
    let subscription = match topic.subscriptions.iter().find(same) {
        Some(there) => there.clone(),
        None => {
            let is_pending = matches!(protocol.as_str(), "email" | "email-json" | "http" | "https");
            let new = Subscription { arn: id, protocol, endpoint, is_pending };
            topic.subscriptions.push(new.clone());
            new
        }
    };
    let is_told = !subscription.is_pending || form.bool("ReturnSubscriptionArn")?.unwrap_or(false);
    Ok(Element::new("").put("SubscriptionArn", if is_told { &subscription.arn } else { "pending confirmation" }))
}

/// On AWS the token comes by mail. Here it is the last part of the subscription's ARN.
fn confirm(topics: &mut Topics, form: &Form) -> Result<Element, Refusal> {
    let token = form.required("Token")?;
    let topic = existing(topics, form.required("TopicArn")?, "NotFound")?;
    let found = topic.subscriptions.iter_mut().find(|it| it.arn.rsplit(':').next() == Some(token));
    let found = found.ok_or_else(|| invalid("Token"))?;
    found.is_pending = false;
    Ok(Element::new("").put("SubscriptionArn", &found.arn))
}

fn unsubscribe(topics: &mut Topics, form: &Form) -> Result<Element, Refusal> {
    let arn = form.required("SubscriptionArn")?;
    if !super::is_arn(arn) || arn.split(':').count() < 7 {
        return Err(invalid(&format!("SubscriptionArn Reason: An ARN must have at least 7 elements, not {arn}")));
    }
    topics.held.values_mut().for_each(|topic| topic.subscriptions.retain(|it| it.arn != arn));
    Ok(Element::new(""))
}

fn list_subscriptions(topics: &mut Topics, form: &Form) -> Result<Element, Refusal> {
    let arn = form.required("TopicArn")?;
    let topic = existing(topics, arn, "NotFound")?;
    let shown = topic.subscriptions.iter().map(|subscription| {
        let own = if subscription.is_pending { PENDING } else { &subscription.arn };
        Element::new("member")
            .put("TopicArn", arn)
            .put("Protocol", &subscription.protocol)
            .put("SubscriptionArn", own)
            .put("Owner", ACCOUNT)
            .put("Endpoint", &subscription.endpoint)
    });
    listed(form, "Subscriptions", shown.collect())
}

fn tag(topics: &mut Topics, form: &Form) -> Result<Element, Refusal> {
    let more = tags_in(form, "InvalidParameter")?;
    let topic = existing(topics, form.required("ResourceArn")?, "ResourceNotFound")?;
    let all: Tags = topic.tags.clone().into_iter().chain(more).collect();
    if all.len() > 50 {
        return Err(Refusal::of("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded"));
    }
    topic.tags = all;
    Ok(Element::new(""))
}

fn untag(topics: &mut Topics, form: &Form) -> Result<Element, Refusal> {
    let keys = form.list("TagKeys", "member").unwrap_or_default();
    let topic = existing(topics, form.required("ResourceArn")?, "ResourceNotFound")?;
    topic.tags.retain(|key, _| !keys.contains(&key.as_str()));
    Ok(Element::new(""))
}

/// A topic, or a refusal with the code that the action has for it.
fn existing<'a>(topics: &'a mut Topics, arn: &str, code: &'static str) -> Result<&'a mut Topic, Refusal> {
    if !super::is_arn(arn) {
        return Err(invalid("TopicArn Reason: An ARN must have at least 6 elements"));
    }
    topics.held.get_mut(arn).ok_or_else(|| Refusal::missing(code, "Topic does not exist"))
}

fn listed(form: &Form, name: &'static str, items: Vec<Element>) -> Result<Element, Refusal> {
    let (page, next) = page(items, 100, form.text("NextToken"), "InvalidParameter")?;
    Ok(Element::new("").list(name, page).maybe("NextToken", next))
}

fn invalid(what: &str) -> Refusal {
    Refusal::of("InvalidParameter", format!("Invalid parameter: {what}"))
}
