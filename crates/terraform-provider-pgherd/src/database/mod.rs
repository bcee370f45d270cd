//! The resource `pgherd_postgres`: one database, planned and kept by the same engine as on the command line.
//!
//! Invariant: Terraform never replaces a database. No attribute asks for it, and a create that went wrong leaves no state, since
//! Terraform would mark that as tainted and destroy it; the next create finds what was begun.

mod apply;
mod begun;
pub mod imported;
mod kept;
mod look;
mod plan;
mod promised;
pub mod same;
mod shown;

pub use begun::know_this_run;

use std::future::Future;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use pgherd_engine::provider::ProviderError;
use pgherd_engine::stop;

use crate::clock;
use crate::fields;
use crate::meaning::{self, Meaning, sentence};
use crate::protocol::{Answer, Apply, Attribute, Block, Diagnostic, Kept, Plan, Resource, Schema, Shape, Type, Value};
use crate::provider::Shared;

/// The resource.
pub struct Database(pub Arc<Shared>);

/// Which counts the passwords that were in force.
const REVISION: &str = "master_password_revision";
/// What is not as it was left.
const DRIFT: &str = "drift";
/// The block with the times that are waited.
const TIMEOUTS: &str = "timeouts";

#[async_trait]
impl Resource for Database {
    fn schema(&self) -> &Schema {
        &SCHEMA
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        let today = clock::today();
        let mut said = Meaning::validated(config, self.0.judged(), today);
        said.extend(apply::wrong_times(config));
        meaning::named(said, &name(&[config]))
    }

    async fn read(&self, kept: Kept) -> Answer {
        let name = name(&[&kept.state]);
        named(self.unless_stopped(look::read(&self.0, kept)).await, &name)
    }

    async fn plan(&self, asked: Plan) -> Answer {
        let name = name(&[&asked.config, &asked.prior]);
        named(self.unless_stopped(plan::plan(&self.0, asked)).await, &name)
    }

    async fn apply(&self, asked: Apply) -> Answer {
        let name = name(&[&asked.config, &asked.prior]);
        named(apply::apply(&self.0, asked).await, &name)
    }

    async fn import(&self, id: &str) -> Answer {
        look::import(&self.0, &SCHEMA, id)
    }
}

impl Database {
    /// What comes of a look. Of one that is given up because the run is to end, Terraform takes no state.
    async fn unless_stopped(&self, look: impl Future<Output = Answer>) -> Answer {
        let stopped = || Answer::refused(Value::Null, Vec::new(), vec![refused(&stop::interrupted())]);
        self.0.stop().unless_asked(look).await.unwrap_or_else(stopped)
    }
}

/// What a database is called, in the first of these that says it.
fn name(written: &[&Value]) -> String {
    let mut names = written.iter().filter_map(|value| value.get("name").as_text());
    names.next().unwrap_or("database").to_owned()
}

fn named(answer: Answer, name: &str) -> Answer {
    Answer { diagnostics: meaning::named(answer.diagnostics, name), ..answer }
}

/// Built once: it is asked for with every call.
static SCHEMA: LazyLock<Schema> = LazyLock::new(schema);

fn schema() -> Schema {
    let drift = "What is not as the state says, by field: the value it has. Somebody changed it, or an apply was cut short; the next one puts it right.";
    let own = [
        Attribute::computed(
            "id",
            Type::Text,
            "Identity of the database, by which it is imported: target/region/name, or target/name.",
        ),
        Attribute::computed(
            REVISION,
            Type::Number,
            "Grows by one whenever the password of the block is another than the one in force.",
        ),
        Attribute::computed(DRIFT, Type::map(Type::Text), drift),
        shown::attribute(),
        Attribute::computed("engine_version_actual", Type::Text, "Version of PostgreSQL that runs."),
    ];
    let time = |name: &str| {
        let description = format!("How long a {name} is waited for, such as 30m; what was begun goes on.");
        Attribute::optional(name, Shape::Plain(Type::Text), description)
    };
    Schema {
        description: "A PostgreSQL database with what belongs to it: standby, replicas, backups, monitoring, pooler."
            .to_owned(),
        attributes: fields::inputs().into_iter().chain(fields::outputs()).chain(own).collect(),
        blocks: vec![Block {
            name: TIMEOUTS.to_owned(),
            description: "How long is waited.".to_owned(),
            attributes: ["create", "update", "delete"].map(time).into(),
        }],
    }
}

/// What a target refused, as Terraform shows it.
pub fn refused(error: &ProviderError) -> Diagnostic {
    Diagnostic::error(sentence(&error.message), sentence(&error.help))
}
