//! Alarms and dashboards.

use pgherd_http::Safety;

use crate::api::tags::{self, Tags};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::service::Service;
use crate::session::Session;

/// Most alarms in one answer (botocore 1.43.11, `DescribeAlarms`).
const MOST: u32 = 100;

/// An alarm about one metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) description: String,
    pub(crate) namespace: String,
    pub(crate) metric: String,
    /// What the metric is of: name and value.
    pub(crate) dimensions: Vec<(String, String)>,
    pub(crate) statistic: String,
    pub(crate) period_s: i64,
    pub(crate) periods: i64,
    pub(crate) threshold: f64,
    pub(crate) operator: String,
    pub(crate) missing: String,
    /// Whether anybody is told at all.
    pub(crate) is_on: bool,
    /// ARNs of those who are told.
    pub(crate) actions: Vec<String>,
    /// ARNs of those whom somebody has told when all is well again.
    pub(crate) ok_actions: Vec<String>,
    /// The same when nobody knows.
    pub(crate) unknown_actions: Vec<String>,
}

/// The alarms about metrics whose names begin so.
pub(crate) async fn alarms(session: &Session, region: &str, prefix: &str) -> Result<Vec<Alarm>, AwsError> {
    listed(session, region, prefix, read).await
}

/// How an alarm stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) name: String,
    /// `OK`, `ALARM`, `INSUFFICIENT_DATA`.
    pub(crate) state: String,
    /// In CloudWatch's words.
    pub(crate) reason: String,
    /// What its metric is of: name and value.
    pub(crate) dimensions: Vec<(String, String)>,
}

/// How the alarms stand whose names begin so.
pub(crate) async fn standings(session: &Session, region: &str, prefix: &str) -> Result<Vec<Standing>, AwsError> {
    let read_standing = |told: &Element| Standing {
        name: told.text("AlarmName").unwrap_or_default().to_owned(),
        state: told.text("StateValue").unwrap_or_default().to_owned(),
        reason: told.text("StateReason").unwrap_or_default().to_owned(),
        dimensions: read(told).dimensions,
    };
    listed(session, region, prefix, read_standing).await
}

async fn listed<T>(
    session: &Session,
    region: &str,
    prefix: &str,
    read: impl Fn(&Element) -> T,
) -> Result<Vec<T>, AwsError> {
    let mut found = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let form = Form::new("DescribeAlarms").set("AlarmNamePrefix", prefix).set("MaxRecords", MOST);
        let page = ask(session, region, form.set("NextToken", next)).await?;
        found.extend(page.list("MetricAlarms", "member").map(&read));
        next = page.text("NextToken").filter(|token| !token.is_empty()).map(str::to_owned);
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// Makes an alarm, or changes the one of its name. Tags are given to a new one only.
pub(crate) async fn put_alarm(
    session: &Session,
    region: &str,
    alarm: &Alarm,
    given: &[(String, String)],
) -> Result<(), AwsError> {
    let dimension = |(name, value): &(String, String)| Form::part().set("Name", name).set("Value", value);
    let form = Form::new("PutMetricAlarm")
        .set("AlarmName", &alarm.name)
        .set("AlarmDescription", &alarm.description)
        .set("ActionsEnabled", alarm.is_on)
        .list("AlarmActions", "member", &alarm.actions)
        .list("OKActions", "member", &alarm.ok_actions)
        .list("InsufficientDataActions", "member", &alarm.unknown_actions)
        .set("MetricName", &alarm.metric)
        .set("Namespace", &alarm.namespace)
        .set("Statistic", &alarm.statistic)
        .list("Dimensions", "member", alarm.dimensions.iter().map(dimension))
        .set("Period", alarm.period_s)
        .set("EvaluationPeriods", alarm.periods)
        .set("Threshold", alarm.threshold)
        .set("ComparisonOperator", &alarm.operator)
        .set("TreatMissingData", &alarm.missing)
        .list("Tags", "member", tags::sent(given));
    ask(session, region, form).await.map(drop)
}

/// Takes an alarm away.
pub(crate) async fn delete_alarm(session: &Session, region: &str, name: &str) -> Result<(), AwsError> {
    match ask(session, region, Form::new("DeleteAlarms").list("AlarmNames", "member", [name])).await {
        // A lost answer is asked for again, or somebody else was quicker.
        Err(error) if !is_missing(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The tags of an alarm.
pub(crate) async fn tags(session: &Session, region: &str, arn: &str) -> Result<Tags, AwsError> {
    let answer = ask(session, region, Form::new("ListTagsForResource").set("ResourceARN", arn)).await?;
    Ok(tags::read(answer.list("Tags", "member")))
}

/// Adds tags, or gives them other values.
pub(crate) async fn tag(
    session: &Session,
    region: &str,
    arn: &str,
    given: &[(String, String)],
) -> Result<(), AwsError> {
    let form = Form::new("TagResource").set("ResourceARN", arn).list("Tags", "member", tags::sent(given));
    ask(session, region, form).await.map(drop)
}

/// Takes tags away.
pub(crate) async fn untag(session: &Session, region: &str, arn: &str, keys: &[String]) -> Result<(), AwsError> {
    let form = Form::new("UntagResource").set("ResourceARN", arn).list("TagKeys", "member", keys);
    ask(session, region, form).await.map(drop)
}

/// The body of a dashboard, if there is one of that name.
pub(crate) async fn dashboard(session: &Session, region: &str, name: &str) -> Result<Option<String>, AwsError> {
    match ask(session, region, Form::new("GetDashboard").set("DashboardName", name)).await {
        Ok(answer) => Ok(answer.text("DashboardBody").map(str::to_owned)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a dashboard, or gives the one of that name another body.
pub(crate) async fn put_dashboard(session: &Session, region: &str, name: &str, body: &str) -> Result<(), AwsError> {
    let form = Form::new("PutDashboard").set("DashboardName", name).set("DashboardBody", body);
    ask(session, region, form).await.map(drop)
}

/// Takes a dashboard away; none of that name is none.
pub(crate) async fn delete_dashboard(session: &Session, region: &str, name: &str) -> Result<(), AwsError> {
    match ask(session, region, Form::new("DeleteDashboards").list("DashboardNames", "member", [name])).await {
        Err(error) if !is_missing(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Of dashboards the documents say `ResourceNotFound`, the service model `DashboardNotFoundError`.
fn is_missing(error: &AwsError) -> bool {
    error.is("ResourceNotFound") || error.is("DashboardNotFoundError")
}

/// All of them may be asked twice: alarms and dashboards are put in place by name.
async fn ask(session: &Session, region: &str, form: Form) -> Result<Element, AwsError> {
    session.query(Service::CloudWatch, region, form, Safety::Repeatable).await
}

fn read(member: &Element) -> Alarm {
    let text = |name| member.text(name).unwrap_or_default().to_owned();
    let dimension =
        |dimension: &Element| Some((dimension.text("Name")?.to_owned(), dimension.text("Value")?.to_owned()));
    let arns = |list: &str| member.list(list, "member").map(|action| action.text.clone()).collect();
    Alarm {
        name: text("AlarmName"),
        arn: text("AlarmArn"),
        description: text("AlarmDescription"),
        namespace: text("Namespace"),
        metric: text("MetricName"),
        dimensions: member.list("Dimensions", "member").filter_map(dimension).collect(),
        statistic: text("Statistic"),
        period_s: member.int("Period").unwrap_or_default(),
        periods: member.int("EvaluationPeriods").unwrap_or_default(),
        threshold: member.float("Threshold").unwrap_or(f64::NAN),
        operator: text("ComparisonOperator"),
        // "If you omit this parameter, the default behavior of missing is used."
        missing: member.text("TreatMissingData").filter(|text| !text.is_empty()).unwrap_or("missing").to_owned(),
        is_on: member.bool("ActionsEnabled").unwrap_or(true),
        actions: arns("AlarmActions"),
        ok_actions: arns("OKActions"),
        unknown_actions: arns("InsufficientDataActions"),
    }
}
