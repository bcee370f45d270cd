//! What is only looked up of a database that exists: its outputs, and the password for whoever may have it.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use pgherd_core::resource::Observed;
use pgherd_core::spec::Spec;
use pgherd_core::variables::{Variable, variable};
use pgherd_engine::provider::{ErrorKind, Provider, ProviderError};
use pgherd_engine::stop;

use crate::clock;
use crate::database::{imported, refused, same};
use crate::fields;
use crate::functions::Problem;
use crate::meaning::{self, Meaning};
use crate::protocol::{Attribute, Diagnostic, Given, Schema, Shape, Source, Type, Value};
use crate::provider::Shared;
use crate::settings::Judged;

/// What says which database is meant. The password is looked up by no more.
const IDENTITY: [&str; 8] =
    ["name", "cloud_provider", "aws_region", "gcp_region", "location", "do_region", "database_name", "master_username"];

/// The data source `pgherd_postgres`.
pub struct Existing(pub Arc<Shared>);

/// The ephemeral resource `pgherd_credentials`.
pub struct Credentials(pub Arc<Shared>);

fn identity() -> impl Iterator<Item = Attribute> {
    IDENTITY.into_iter().filter_map(variable).map(|found: &Variable| {
        let attribute =
            Attribute::optional(found.name, Shape::Plain(fields::plain(&found.ty)), fields::description(found));
        if found.name == "name" { Attribute { given: Given::Required, ..attribute } } else { attribute }
    })
}

#[async_trait]
impl Source for Existing {
    fn schema(&self) -> &Schema {
        &EXISTING
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        wrong(config, self.0.judged())
    }

    async fn read(&self, config: Value) -> (Value, Vec<Diagnostic>) {
        let said = wrong(&config, Judged::By(self.0.settings().target));
        if !said.is_empty() {
            return (config, said);
        }
        let looked = async {
            let (provider, spec, observed) = found(&self.0, &config).await?;
            // Some outputs tell of settings, which are those of the database and not those of the few words here.
            let read = imported::read(&self.0.settings(), &*provider, config.clone(), (spec, observed)).await?;
            let (_, spec, observed) = read;
            Ok::<_, ProviderError>(provider.outputs(&spec, &observed))
        };
        match self.0.stop().unless_asked(looked).await.unwrap_or_else(|| Err(stop::interrupted())) {
            Ok(outputs) => {
                let mut state = config;
                for (name, value) in fields::told(&outputs) {
                    state.set(&name, value);
                }
                (state, Vec::new())
            }
            Err(error) => (config, vec![refused(&error).at("name")]),
        }
    }
}

#[async_trait]
impl Source for Credentials {
    fn schema(&self) -> &Schema {
        &CREDENTIALS
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        wrong(config, self.0.judged())
    }

    async fn read(&self, config: Value) -> (Value, Vec<Diagnostic>) {
        let said = wrong(&config, Judged::By(self.0.settings().target));
        if !said.is_empty() {
            return (config, said);
        }
        let opened = async {
            let (provider, spec, observed) = found(&self.0, &config).await?;
            let outputs = provider.outputs(&spec, &observed);
            let password = provider.password(&spec).await?;
            let Some(password) = password.reveal() else {
                return Err(ProviderError::new(ErrorKind::Denied, "the password cannot be read"));
            };
            let output = |name: &str| outputs.get(name).map_or(Value::Null, fields::theirs);
            let mut result = config.clone();
            for (name, value) in [
                ("host", output("db_instance_endpoint")),
                ("port", output("db_instance_port")),
                ("username", output("db_instance_username")),
                ("dbname", output("db_instance_name")),
                ("password", Value::text(password)),
            ] {
                result.set(name, value);
            }
            Ok(result)
        };
        match self.0.stop().unless_asked(opened).await.unwrap_or_else(|| Err(stop::interrupted())) {
            Ok(result) => (result, Vec::new()),
            Err(error) => (config.clone(), vec![refused(&error).at("name")]),
        }
    }
}

static EXISTING: LazyLock<Schema> = LazyLock::new(existing);

fn existing() -> Schema {
    let told = fields::outputs().into_iter().filter(|attribute| attribute.name != "effective");
    Schema {
        description: "A database of pgherd's that exists, whichever configuration made it.".to_owned(),
        attributes: identity().chain(told).collect(),
        blocks: Vec::new(),
    }
}

static CREDENTIALS: LazyLock<Schema> = LazyLock::new(credentials);

fn credentials() -> Schema {
    let secret = |attribute: Attribute| Attribute { sensitive: true, ..attribute };
    let told = [
        Attribute::computed("host", Type::Text, "Host to connect to."),
        Attribute::computed("port", Type::Number, "Port to connect to."),
        Attribute::computed("username", Type::Text, "Name of the administrator role."),
        Attribute::computed("dbname", Type::Text, "Name of the database."),
        secret(Attribute::computed("password", Type::Text, "The password that is in force.")),
    ];
    Schema {
        description: "How to log in to a database that exists. Kept in neither plan nor state.".to_owned(),
        attributes: identity().chain(told).collect(),
        blocks: Vec::new(),
    }
}

/// What no database is called, and no region: it would be looked for somewhere else.
fn wrong(config: &Value, judged: Judged) -> Vec<Diagnostic> {
    let Judged::By(target) = judged else { return Vec::new() };
    let today = clock::today();
    let inputs = meaning::inputs(config);
    let said = IDENTITY.into_iter().map(|name| (name, Problem::of(name, &inputs, target, today)));
    said.filter(|(_, said)| !said.is_empty()).map(|(name, said)| Diagnostic::error(said, "").at(name)).collect()
}

/// The database that is meant, which must exist.
async fn found(shared: &Shared, config: &Value) -> Result<(Box<dyn Provider>, Spec, Vec<Observed>), ProviderError> {
    let settings = shared.settings();
    let Some(spec) = Meaning::of(config, &settings).0 else {
        return Err(ProviderError::new(ErrorKind::Invalid, "it is not known where the database is")
            .help("write cloud_provider"));
    };
    let provider = settings.provider(&spec).await?;
    let observed = provider.observe(&provider.desired(&spec)).await?;
    if !provider.is_among(&observed) {
        if let Some(anothers) = same::anothers(&*provider, &spec, &observed) {
            return Err(ProviderError::new(ErrorKind::Conflict, anothers).help("`pgherd adopt` makes it pgherd's"));
        }
        let message = format!("there is no database {} on {}", spec.name, spec.target);
        return Err(ProviderError::new(ErrorKind::NotFound, message));
    }
    Ok((provider, spec, observed))
}
