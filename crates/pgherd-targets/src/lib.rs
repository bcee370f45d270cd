//! The targets as this version offers them, this machine and four clouds: the same for the command line and for Terraform.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
pub use pgherd_aws::Account;
use pgherd_aws::{Aws, AwsOptions, Patience, Session};
use pgherd_azure::{Around, Azure, AzureOptions};
use pgherd_core::checks;
use pgherd_core::spec::{Setting, Spec};
use pgherd_digitalocean::{DigitalOcean, DigitalOceanOptions};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use pgherd_gcp::{Gcp, GcpOptions};
use pgherd_http::HeldUp;
use pgherd_local::paths::{Paths, Surroundings};
use pgherd_local::provider::{Local, LocalOptions};
use pgherd_local::supervisor::AgentOptions;
use tokio::sync::Mutex;

/// How targets are used, whichever they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Where this machine's databases are kept; `None`: where the environment says.
    pub state_dir: Option<PathBuf>,
    /// Further directories to look for PostgreSQL in.
    pub postgres_dirs: Vec<PathBuf>,
    /// Whether another version than the one asked for is refused.
    pub strict_engine_version: bool,
    /// Codes of the errors that the user has acknowledged: they become warnings.
    pub accepted: BTreeSet<String>,
    /// File with the certificates of Amazon's authorities, by which connection strings have servers checked; `None`: they do not.
    pub root_certificate: Option<String>,
    /// What is said of the account at AWS; nothing: the environment says it.
    pub account: Account,
    /// Who is told when a cloud refuses calls for long, because there are too many.
    pub told: Told,
}

type Tell = dyn Fn(&str) + Send + Sync;

/// Tells whoever waits, in words; the usual one tells nobody.
#[derive(Clone, Default)]
pub struct Told(Option<Arc<Tell>>);

impl Told {
    /// Tells in this way.
    pub fn by(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// Tells that a cloud refuses calls, and until when they are tried, or that it fails.
    fn of(&self, cloud: &'static str) -> impl Fn(HeldUp, Timestamp) + Send + Sync + use<> {
        let tell = self.0.clone();
        move |why, until| {
            let until = until.strftime("%H:%M:%S UTC");
            if let Some(tell) = &tell {
                tell(&match why {
                    HeldUp::Refused => {
                        format!("{cloud} refuses calls for now, there are too many; they are tried until {until}")
                    }
                    HeldUp::Failing => {
                        format!("{cloud} fails for now, and wants to be left alone; it is asked again at {until}")
                    }
                });
            }
        }
    }
}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(another)) => Arc::ptr_eq(one, another),
            (one, another) => one.is_none() && another.is_none(),
        }
    }
}

impl Eq for Told {}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Told").field(&self.0.is_some()).finish()
    }
}

impl Options {
    /// Where things are kept on this machine.
    pub fn paths(&self) -> Paths {
        let uid = rustix::process::geteuid().as_raw();
        let mut around = Surroundings::read(uid, |name| std::env::var_os(name));
        if let Some(dir) = &self.state_dir {
            // The agent outlives its starter and does not share its working folder.
            around.state_dir = Some(std::path::absolute(dir).unwrap_or_else(|_| dir.clone()));
        }
        Paths::choose(&around)
    }

    /// How the agent runs when one has to be started.
    pub fn agent(&self) -> AgentOptions {
        AgentOptions {
            paths: self.paths(),
            run_as: std::env::var("PGHERD_POSTGRES_USER").ok().filter(|user| !user.is_empty()),
            postgres_dirs: self.postgres_dirs.clone(),
            strict_minor: self.strict_engine_version,
            announce: false,
        }
    }

    /// This machine as a target. `program` is the executable that has the `agent` command.
    pub fn local(&self, program: &Path) -> Local {
        Local::new(LocalOptions {
            agent: self.agent(),
            program: program.to_path_buf(),
            accepted: self.accepted.clone(),
        })
    }

    /// AWS as a target, in the region of the spec.
    pub async fn aws(&self, spec: &Spec) -> Result<Aws, ProviderError> {
        let region = spec.place.region.known().map(String::as_str);
        let session = session(&self.account, region).await?;
        session.tells(self.told.of("AWS"));
        let options = AwsOptions {
            accepted: self.accepted.clone(),
            root_certificate: self.root_certificate.clone(),
            patience: Patience::with(&session),
            today: given_now().ok().flatten().map(|now| now.to_zoned(TimeZone::UTC).date()),
        };
        Ok(Aws::new(session, region, options))
    }

    /// Google Cloud as a target, in the project and the region of the spec.
    pub fn gcp(&self, spec: &Spec) -> Result<Gcp, ProviderError> {
        // One for a process: the token, and the rate that a project may ask at, are shared.
        static SESSION: OnceLock<Arc<pgherd_gcp::Session>> = OnceLock::new();
        let session = match SESSION.get() {
            Some(session) => Arc::clone(session),
            None => Arc::clone(SESSION.get_or_init({
                let session = pgherd_gcp::Session::load()?;
                || session
            })),
        };
        session.tells(self.told.of("Google Cloud"));
        let options = GcpOptions { accepted: self.accepted.clone(), patience: pgherd_gcp::Patience::with(&session) };
        let place = &spec.place;
        let known = |setting: &Setting<String>| setting.known().cloned();
        Gcp::new(session, known(&place.gcp_project).as_deref(), known(&place.region).as_deref(), options)
    }

    /// Azure as a target, in the subscription and the resource group of the spec.
    pub fn azure(&self, spec: &Spec) -> Result<Azure, ProviderError> {
        // One for a process: the tokens, and the rate that a subscription may ask at, are shared.
        static SESSION: OnceLock<Arc<pgherd_azure::Session>> = OnceLock::new();
        let place = &spec.place;
        let known = |setting: &Setting<String>, name: &str| match setting {
            Setting::Known(text) => Ok(Some(text.clone())),
            Setting::Unset => Ok(None),
            Setting::Unknown(reference) => {
                let message = format!("{name} is {reference}, which nobody here can follow");
                Err(ProviderError::new(ErrorKind::Invalid, message).help(format!("write {name} = \"…\"")))
            }
        };
        let group = known(&place.resource_group, "resource_group_name")?.ok_or_else(|| {
            ProviderError::new(ErrorKind::Invalid, "there is no resource group").help("write resource_group_name")
        })?;
        let subscription = known(&place.azure_subscription_id, "azure_subscription_id")?;
        for (setting, name) in [
            (&place.key_vault, "key_vault_name"),
            (&place.key_identity, "key_identity_id"),
            (&place.log_workspace, "log_analytics_workspace_id"),
        ] {
            known(setting, name)?;
        }
        let session = match SESSION.get() {
            Some(session) => Arc::clone(session),
            None => Arc::clone(SESSION.get_or_init({
                let session = pgherd_azure::Session::load()?;
                || session
            })),
        };
        session.tells(self.told.of("Azure"));
        let options =
            AzureOptions { accepted: self.accepted.clone(), patience: pgherd_azure::Patience::with(&session) };
        let around = Around::of_environment().of_block(spec);
        Azure::new(session, pgherd_azure::Place { subscription, group }, around, options)
    }

    /// DigitalOcean as a target.
    pub fn digitalocean(&self, spec: &Spec) -> Result<DigitalOcean, ProviderError> {
        // One for a process: the rate that an account may ask at is shared.
        static SESSION: OnceLock<Arc<pgherd_digitalocean::Session>> = OnceLock::new();
        let session = match SESSION.get() {
            Some(session) => Arc::clone(session),
            None => Arc::clone(SESSION.get_or_init({
                let session = pgherd_digitalocean::Session::load()?;
                || session
            })),
        };
        session.tells(self.told.of("DigitalOcean"));
        let options = DigitalOceanOptions {
            accepted: self.accepted.clone(),
            secrets: Some(self.paths().state.join("digitalocean")),
            patience: pgherd_digitalocean::Patience::with(&session),
        };
        Ok(DigitalOcean::new(session, spec.place.region.known().map(String::as_str), options))
    }
}

/// The moment that `PGHERD_NOW` says it is, so that what goes by dates can be reproduced. An error where it says something else.
pub fn given_now() -> Result<Option<Timestamp>, String> {
    let given = std::env::var("PGHERD_NOW").ok().filter(|text| !text.is_empty());
    let read = |text: String| text.parse().map_err(|_| format!("PGHERD_NOW is `{text}`, which is no time"));
    given.map(read).transpose()
}

/// The codes of all errors that may be accepted, on whichever target of these.
pub fn acceptable() -> BTreeSet<&'static str> {
    let targets = [
        pgherd_aws::ACCEPTABLE,
        pgherd_gcp::ACCEPTABLE,
        pgherd_azure::ACCEPTABLE,
        pgherd_digitalocean::ACCEPTABLE,
        pgherd_local::preflight::ACCEPTABLE,
    ];
    let of_checks = checks::ACCEPTABLE.iter().map(|(code, _)| *code);
    of_checks.chain(targets.into_iter().flatten().copied()).chain([pgherd_digitalocean::NO_LAST_BACKUP]).collect()
}

/// Who we are at AWS: found once a process, however many databases there are. Regions may differ, the credentials are the same.
async fn session(account: &Account, region: Option<&str>) -> Result<Arc<Session>, ProviderError> {
    static SESSIONS: Mutex<BTreeMap<(Account, bool), Arc<Session>>> = Mutex::const_new(BTreeMap::new());
    let mut sessions = SESSIONS.lock().await;
    // A block without a region takes the environment's, which one with a region does not need.
    let key = (account.clone(), region.is_some());
    if let Some(known) = sessions.get(&key) {
        return Ok(Arc::clone(known));
    }
    let session = Session::load_as(account, region).await?;
    sessions.insert(key, Arc::clone(&session));
    Ok(session)
}

/// The certificates of Amazon's authorities, which RDS's are signed by and no system knows, where somebody has put them.
pub fn root_certificate() -> Option<String> {
    let given = std::env::var_os("PGHERD_RDS_CA").filter(|path| !path.is_empty()).map(PathBuf::from);
    let usual = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".postgresql/rds-global-bundle.pem"));
    let found = given.or_else(|| usual().filter(|path| path.is_file()))?;
    Some(found.to_string_lossy().into_owned())
}
