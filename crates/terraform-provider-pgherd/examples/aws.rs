//! What the requirements' documents name of another provider and beside our module, as far as they use it: takes what is written, tells an
//! ARN once it is made, and keeps nothing. Only our tests use it, in the place of that provider, which is 600 MB and wants an account.

use std::collections::BTreeMap;
use std::process::ExitCode;

use async_trait::async_trait;
use terraform_provider_pgherd::protocol::{
    Answer, Apply, Attribute, Diagnostic, Kept, Plan, Plugin, Provider, Resource, Schema, Shape, Started, Type, Value,
    serve,
};

/// The types, each with the attributes that are texts.
const TYPES: [(&str, &[&str]); 7] = [
    (
        "aws_cloudwatch_metric_alarm",
        &[
            "alarm_name",
            "comparison_operator",
            "evaluation_periods",
            "metric_name",
            "namespace",
            "period",
            "statistic",
            "threshold",
            "alarm_description",
        ],
    ),
    (
        "aws_db_instance",
        &[
            "identifier",
            "replicate_source_db",
            "instance_class",
            "availability_zone",
            "backup_retention_period",
            "backup_window",
        ],
    ),
    ("aws_db_snapshot", &["db_instance_identifier", "db_snapshot_identifier"]),
    ("aws_rds_reserved_instance", &["offering_id", "instance_count"]),
    ("aws_sns_topic", &["name"]),
    ("aws_kms_key", &["description"]),
    ("aws_iam_role", &["name"]),
];

struct Anything(&'static str, Schema);

fn schema(attributes: &[&'static str]) -> Schema {
    let text = |name: &&'static str| Attribute::optional(*name, Shape::Plain(Type::Text), "");
    let other = [
        Attribute::optional("alarm_actions", Shape::Plain(Type::list(Type::Text)), ""),
        Attribute::optional("dimensions", Shape::Plain(Type::map(Type::Text)), ""),
        Attribute::optional("tags", Shape::Plain(Type::map(Type::Text)), ""),
        Attribute::computed("arn", Type::Text, ""),
    ];
    Schema {
        description: String::new(),
        attributes: attributes.iter().map(text).chain(other).collect(),
        blocks: Vec::new(),
    }
}

#[async_trait]
impl Resource for Anything {
    fn schema(&self) -> &Schema {
        &self.1
    }

    fn validate(&self, _config: &Value) -> Vec<Diagnostic> {
        Vec::new()
    }

    async fn read(&self, kept: Kept) -> Answer {
        Answer::of(kept.state, kept.private)
    }

    async fn plan(&self, asked: Plan) -> Answer {
        let mut planned = asked.proposed;
        if asked.prior.is_null() {
            planned.set("arn", Value::Unknown);
        }
        Answer::of(planned, Vec::new())
    }

    async fn apply(&self, asked: Apply) -> Answer {
        let mut state = asked.planned;
        if !state.is_null() {
            let arn = match self.0 {
                // The first one that an emulated KMS makes.
                "aws_kms_key" => "arn:aws:kms:us-west-2:123456789012:key/00000000-0000-4000-a000-000000000001",
                "aws_iam_role" => "arn:aws:iam::123456789012:role/monitoring",
                _ => "arn:aws:sns:us-west-2:123456789012:alerts",
            };
            state.set("arn", Value::text(arn));
        }
        Answer::of(state, Vec::new())
    }

    async fn import(&self, id: &str) -> Answer {
        let said = Diagnostic::error(format!("{id} cannot be imported here."), "");
        Answer::refused(Value::Null, Vec::new(), vec![said])
    }
}

struct Nothing;

#[async_trait]
impl Provider for Nothing {
    fn schema(&self) -> &Schema {
        const NOTHING: &Schema = &Schema { description: String::new(), attributes: Vec::new(), blocks: Vec::new() };
        NOTHING
    }

    fn validate(&self, _config: &Value) -> Vec<Diagnostic> {
        Vec::new()
    }

    async fn configure(&self, _terraform: &str, _config: Value) -> Vec<Diagnostic> {
        Vec::new()
    }

    fn stop(&self) {}
}

fn main() -> ExitCode {
    let resource = |(ty, attributes): (&'static str, &'static [&'static str])| {
        let resource: Box<dyn Resource> = Box::new(Anything(ty, schema(attributes)));
        (ty, resource)
    };
    let plugin = Plugin {
        provider: Box::new(Nothing),
        resources: TYPES.into_iter().map(resource).collect(),
        data_sources: BTreeMap::new(),
        ephemerals: BTreeMap::new(),
        functions: BTreeMap::new(),
    };
    let started = Started::read(|name| std::env::var(name).ok());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
    match runtime.block_on(serve(plugin, &started)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
