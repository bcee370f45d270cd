//! The provider's own configuration: where databases run, whose account at AWS it is, where this machine's are kept, and what is accepted.
//!
//! Credentials come from where a cloud's own tools find them (for AWS: environment, profiles, SSO, roles), and are no configuration here.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use pgherd_core::cloud::Cloud;
use pgherd_core::spec::Spec;
use pgherd_engine::provider::{ErrorKind, Provider, ProviderError};
use pgherd_targets::{Account, Options, Told};

use crate::protocol::{Attribute, Diagnostic, Schema, Shape, Type, Value, log};

/// What is configured for all databases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where all of them run, whatever they say themselves.
    pub target: Option<Cloud>,
    /// How targets are used.
    pub options: Options,
    /// The program that keeps this machine's databases.
    pub program: Option<PathBuf>,
}

/// Where databases are taken to run when a configuration is judged, which Terraform wants done before it configures anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// On this target, or where each says itself.
    By(Option<Cloud>),
    /// On one that is not known yet.
    Unknown,
}

impl Default for Judged {
    fn default() -> Self {
        Self::By(Settings::of_environment().target)
    }
}

impl Judged {
    /// By what stands in the provider's block.
    pub fn of(config: &Value) -> Self {
        match config.get("target") {
            Value::Unknown => Self::Unknown,
            Value::Text(name) => Self::By(Cloud::from_name(name)),
            _ => Self::default(),
        }
    }
}

/// What may be configured.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(schema);

fn schema() -> Schema {
    let text = || Shape::Plain(Type::Text);
    let texts = || Shape::Plain(Type::list(Type::Text));
    let clouds: Vec<&str> = Cloud::ALL.iter().map(|cloud| cloud.name()).collect();
    Schema {
        description: "Managed PostgreSQL on this machine and in clouds. Credentials are found where the cloud's own tools find them.".to_owned(),
        attributes: vec![
            Attribute::optional(
                "target",
                text(),
                format!("Runs every database there, whatever its cloud_provider says: {}. Default: PGHERD_TARGET, which functions and validations know as well.", clouds.join(", ")),
            ),
            Attribute::optional(
                "aws_profile",
                text(),
                "Profile whose credentials are used at AWS, whatever keys the environment holds. Default: what AWS's own tools find.",
            ),
            Attribute::optional(
                "aws_region",
                text(),
                "Region of databases on AWS that name none. Default: AWS_REGION, else that of the profile.",
            ),
            Attribute::optional(
                "aws_endpoint",
                text(),
                "URL of all services of AWS, an emulator's say, but those that a profile's credentials come from. Default: AWS_ENDPOINT_URL and its like, else AWS's own.",
            ),
            Attribute::optional("state_dir", text(), "Folder of this machine's databases. Default: PGHERD_STATE_DIR, else the usual one."),
            Attribute::optional("postgres_dirs", texts(), "Further folders in which PostgreSQL is installed on this machine."),
            Attribute::optional(
                "strict_engine_version",
                Shape::Plain(Type::Bool),
                "Whether a version that this machine does not have is an error rather than replaced by the nearest newer one.",
            ),
            Attribute::optional(
                "accept",
                texts(),
                format!("Codes of errors that are acknowledged: {}.", pgherd_targets::acceptable().into_iter().collect::<Vec<_>>().join(", ")),
            ),
            Attribute::optional(
                "program",
                text(),
                "Path of the program pgherd, which keeps this machine's databases. Default: PGHERD_PROGRAM, else the one in PATH.",
            ),
        ],
        blocks: Vec::new(),
    }
}

/// What is configured, or what is wrong with it. What is not known yet counts as not written.
pub fn read(config: &Value) -> Result<Settings, Vec<Diagnostic>> {
    let text = |name: &str| config.get(name).as_text().filter(|text| !text.is_empty());
    let texts = |name: &str| -> Vec<String> {
        let items = config.get(name).as_list().unwrap_or_default();
        items.iter().filter_map(|item| item.as_text().map(str::to_owned)).collect()
    };
    let named = std::env::var("PGHERD_TARGET").ok().filter(|name| !name.is_empty());
    let target = match (config.get("target").as_text(), named) {
        (Some(name), _) => Some(cloud(name).map_err(|error| vec![error.at("target")])?),
        (None, Some(name)) => Some(cloud(&name).map_err(|error| vec![error])?),
        (None, None) => None,
    };
    // An empty variable would mean the account of the environment, in silence.
    if config.get("aws_profile").as_text() == Some("") {
        let help = "Name a profile; to have what AWS's own tools find, leave aws_profile out or write null.";
        return Err(vec![Diagnostic::error("aws_profile is empty.", help).at("aws_profile")]);
    }
    let accepted = texts("accept");
    let known = pgherd_targets::acceptable();
    if let Some(code) = accepted.iter().find(|code| !known.contains(code.as_str())) {
        let help = format!("Write one of {}.", known.into_iter().collect::<Vec<_>>().join(", "));
        return Err(vec![
            Diagnostic::error(format!("No error that may be accepted has the code \"{code}\"."), help).at("accept"),
        ]);
    }
    Ok(Settings {
        target,
        options: Options {
            state_dir: text("state_dir").map(PathBuf::from),
            postgres_dirs: texts("postgres_dirs").into_iter().map(PathBuf::from).collect(),
            strict_engine_version: config.get("strict_engine_version").as_bool().unwrap_or(false),
            accepted: accepted.into_iter().collect(),
            // A file of this machine: an output that names it would be another one wherever the same state is used.
            root_certificate: None,
            account: Account {
                profile: text("aws_profile").map(str::to_owned),
                region: text("aws_region").map(str::to_owned),
                endpoint: text("aws_endpoint").map(str::to_owned),
            },
            told: Told::default(),
        },
        program: text("program").map(PathBuf::from),
    })
}

/// What functions do not see of a block: they run in a process of their own, which Terraform configures with nothing.
pub fn unseen(config: &Value, of_environment: Option<Cloud>) -> Option<Diagnostic> {
    let target = config.get("target").as_text().and_then(Cloud::from_name)?;
    // A block that says nothing is on AWS.
    let seen = of_environment.unwrap_or(Cloud::Aws);
    let help = format!(
        "Set PGHERD_TARGET={target} as well: a variable of the module is judged by that, else by cloud_provider, and so a value that fits \
         {target} may be refused. The resource pgherd_postgres is judged by this block."
    );
    (seen != target)
        .then(|| Diagnostic::warning("The validations of the module do not see this target.", help).at("target"))
}

/// A misspelt one is not another one: that might be a cloud, and cost money.
fn cloud(name: &str) -> Result<Cloud, Diagnostic> {
    Cloud::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Cloud::ALL.iter().map(|cloud| cloud.name()).collect();
        let help = format!("Write one of {}, in the provider's block or as PGHERD_TARGET.", names.join(", "));
        Diagnostic::error(format!("There is no target \"{name}\"."), help)
    })
}

/// What decides where databases are looked for, and is not known when they are.
pub fn unknown(config: &Value) -> Vec<Diagnostic> {
    let names = SCHEMA.attributes.iter().map(|attribute| attribute.name.as_str());
    let unknown = names.filter(|name| matches!(config.get(name), Value::Unknown));
    let help = "Write it, or give it by a variable: what another resource tells only once it is made comes too late.";
    unknown.map(|name| Diagnostic::error(format!("{name} is not known yet."), help).at(name)).collect()
}

impl Settings {
    /// What holds before anything is configured, and for functions, which never learn what is: the target of `PGHERD_TARGET`.
    pub fn of_environment() -> Self {
        let target = std::env::var("PGHERD_TARGET").ok().and_then(|name| Cloud::from_name(&name));
        Self { target, ..Self::default() }
    }

    /// The target of a spec.
    pub async fn provider(&self, spec: &Spec) -> Result<Box<dyn Provider>, ProviderError> {
        match spec.target {
            Cloud::Local => Ok(Box::new(self.options.local(&self.program()?))),
            Cloud::Aws => {
                // Terraform itself shows nothing that a provider says on the way.
                let told = Told::by(|words| log("WARN", words));
                let options = Options { told, ..self.options.clone() };
                Ok(Box::new(options.aws(spec).await?))
            }
            // Its provider neither reads settings off a cluster nor says which ones nothing tells, and its ids hold no account: an import would
            // take defaults for what is there, and with another token a second cluster would be planned.
            Cloud::DigitalOcean => {
                let message = "DigitalOcean is not served by the Terraform provider yet; nothing was touched";
                Err(ProviderError::new(ErrorKind::Unsupported, message)
                    .help("use the program pgherd, which reads the same block: pgherd plan, pgherd apply"))
            }
            // The same holds for Google Cloud.
            Cloud::Gcp => {
                let message = "Google Cloud is not served by the Terraform provider yet; nothing was touched";
                Err(ProviderError::new(ErrorKind::Unsupported, message)
                    .help("use the program pgherd, which reads the same block: pgherd plan, pgherd apply"))
            }
            Cloud::Azure => Err(ProviderError::new(ErrorKind::Unsupported, pgherd_targets::unreached(spec))
                .help("target = \"local\" in the provider's block runs the same database on this machine")),
        }
    }

    /// The program that is started to keep this machine's databases, which outlives Terraform.
    fn program(&self) -> Result<PathBuf, ProviderError> {
        let named = std::env::var_os("PGHERD_PROGRAM").filter(|path| !path.is_empty()).map(PathBuf::from);
        if let Some(program) = self.program.clone().or(named) {
            return Ok(program);
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let candidates = std::env::split_paths(&path).map(|folder| folder.join("pgherd"));
        candidates.into_iter().find(|program| is_executable(program)).ok_or_else(|| {
            ProviderError::new(
                ErrorKind::NotFound,
                "the program pgherd, which keeps this machine's databases, is not in PATH",
            )
            .help("put it there, or write program = \"…\" in the provider's block")
        })
    }
}

fn is_executable(program: &Path) -> bool {
    rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok() && program.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meaning::Meaning;

    #[test]
    fn a_target_that_there_is_not_is_said_at_its_attribute() {
        let said = read(&Value::object([("target", Value::text("asw"))])).expect_err("there is none");
        assert_eq!(
            (said[0].summary.as_str(), said[0].attribute.as_deref()),
            ("There is no target \"asw\".", Some("target"))
        );
    }

    #[tokio::test]
    async fn a_cloud_that_is_not_served_yet_is_refused_and_never_asked() {
        let config = Value::object([("cloud_provider", Value::text("aws")), ("name", Value::text("orders"))]);
        let settings = Settings { target: Some(Cloud::DigitalOcean), ..Settings::default() };
        let spec = Meaning::of(&config, &settings).0.expect("it is known where it is");
        let refused = settings.provider(&spec).await.err().expect("it is not served");
        let expected = "DigitalOcean is not served by the Terraform provider yet; nothing was touched";
        assert_eq!((refused.kind, refused.to_string().as_str()), (ErrorKind::Unsupported, expected));
    }

    #[test]
    fn a_code_that_no_error_has_is_refused_and_the_others_are_named() {
        let said = read(&Value::object([("accept", Value::List(vec![Value::text("unencryptd-storage")]))]));
        let said = said.expect_err("there is none");
        assert_eq!(said[0].attribute.as_deref(), Some("accept"));
        assert!(said[0].detail.contains("unencrypted-storage, upgrade-path"), "{}", said[0].detail);
    }

    #[test]
    fn an_empty_profile_is_not_the_environments_account() {
        let said = read(&Value::object([("aws_profile", Value::text(""))])).expect_err("it names none");
        assert_eq!(said[0].attribute.as_deref(), Some("aws_profile"));
    }

    #[test]
    fn what_functions_do_not_see_is_said() {
        let config = |target: Value| Value::object([("target", target)]);
        let local = config(Value::text("local"));
        assert!(unseen(&local, None).is_some() && unseen(&local, Some(Cloud::Aws)).is_some());
        assert_eq!(unseen(&local, Some(Cloud::Local)), None);
        let aws = config(Value::text("aws"));
        assert_eq!((unseen(&aws, None), unseen(&aws, Some(Cloud::Local)).is_some()), (None, true));
        assert_eq!((unseen(&config(Value::Null), None), unseen(&config(Value::Unknown), None)), (None, None));
    }

    #[test]
    fn what_is_written_is_read() {
        let config = Value::object([
            ("target", Value::text("local")),
            ("state_dir", Value::text("/a")),
            ("accept", Value::List(vec![Value::text("unencrypted-storage")])),
            ("strict_engine_version", Value::Bool(true)),
            ("program", Value::Unknown),
            ("aws_profile", Value::text("shop")),
            ("aws_region", Value::text("")),
        ]);
        let settings = read(&config).expect("nothing is wrong");
        assert_eq!(settings.target, Some(Cloud::Local));
        assert_eq!(settings.options.state_dir, Some(PathBuf::from("/a")));
        assert!(settings.options.accepted.contains("unencrypted-storage") && settings.options.strict_engine_version);
        assert_eq!(settings.program, None);
        let account = Account { profile: Some("shop".to_owned()), ..Account::default() };
        assert_eq!(settings.options.account, account);
    }
}
