//! Who we are and where: credentials, region, endpoints. One for a command, shared by all its calls.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::service_config::ServiceConfigKey;
use jiff::Timestamp;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use pgherd_http::{Client, Endurance, HeldUp, Options, Pace, Policy, Skew, Url};

use crate::api::rds::Offered;
use crate::endpoint::{self, Endpoint};
use crate::keys::Keys;
use crate::service::Service;
use crate::transport::{Heard, Through};

/// A session: credentials, region, endpoints, and what its calls share; and how patiently its calls are repeated.
#[derive(Debug)]
pub struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) endurance: Endurance,
}

/// What is the same however patient somebody is.
#[derive(Debug)]
pub(crate) struct Shared {
    region: String,
    fips: bool,
    /// Endpoints that somebody configured in place of AWS's.
    instead: BTreeMap<Service, Url>,
    pub(crate) keys: Keys,
    pub(crate) client: Arc<Client>,
    pub(crate) skew: Skew,
    pub(crate) calls: AtomicU64,
    paces: Mutex<HashMap<(Service, String), Arc<Pace>>>,
    pub(crate) offered: Offered,
}

/// What is said of an account, in the place of what the environment says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// The profile: its credentials are taken, whatever keys the environment holds.
    pub profile: Option<String>,
    /// The region of databases that name none.
    pub region: Option<String>,
    /// Where all services are.
    pub endpoint: Option<String>,
}

/// A session made of given things, for tests and for endpoints that are known.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// The region.
    pub region: String,
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// The token of temporary credentials.
    pub session_token: Option<Secret>,
    /// Where all services are; `None`: at AWS.
    pub endpoint: Option<Url>,
    /// How calls are repeated.
    pub policy: Policy,
    /// How long one attempt may take.
    pub answer_within: Duration,
}

impl Session {
    /// The session of the environment, as AWS's own clients find it: environment, profiles (SSO, assumed roles, processes), web
    /// identity, container, machine. `region` wins over theirs.
    ///
    /// The credentials are asked for here, so that a command without any ends before it begins.
    pub async fn load(region: Option<&str>) -> Result<Arc<Self>, ProviderError> {
        Self::load_as(&Account::default(), region).await
    }

    /// The same, where what is said of an account wins over the environment. `region` wins over both.
    pub async fn load_as(account: &Account, region: Option<&str>) -> Result<Arc<Self>, ProviderError> {
        let client = Arc::new(Client::new(Options::default()));
        let heard = Heard::default();
        let through = Through { client: Arc::clone(&client), heard: heard.clone() };
        let profile = account.profile.as_deref();
        let found = match region.or(account.region.as_deref()) {
            Some(region) => Some(region.to_owned()),
            None => region_of_environment(through.clone(), profile).await,
        };
        let region = checked(found)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(through.clone());
        if let Some(profile) = profile {
            loader = loader.profile_name(profile).credentials_provider(keys_of(profile, &region, through));
        }
        let config = loader.region(Region::new(region.clone())).load().await;
        trust(&client, &config)?;
        let instead = match &account.endpoint {
            Some(text) => {
                let words =
                    || ProviderError::new(ErrorKind::Invalid, "the endpoint that is given is no http or https URL");
                let url = url(text).ok_or_else(words)?;
                Service::ALL.into_iter().map(|service| (service, url.clone())).collect()
            }
            None => Service::ALL
                .into_iter()
                .filter_map(|service| Some(configured(&config, service)?.map(|url| (service, url))))
                .collect::<Result<_, _>>()?,
        };
        let provider = config.credentials_provider().expect("a loader that was told of none makes the usual chain");
        let fips = config.use_fips().unwrap_or(false);
        let keys = Keys::of(provider, heard);
        let session = Self::new(region, fips, instead, keys, client, Policy::default());
        session.shared.keys.at(session.shared.skew.now()).await.map_err(|mut error| {
            if let Some(profile) = profile {
                error.message = format!("{}: the profile is \"{profile}\"", error.message);
            }
            error
        })?;
        Ok(Arc::new(session))
    }

    /// A session of given things: nothing is looked up.
    ///
    /// # Panics
    /// When a secret is a verifier: nothing can be signed with it.
    pub fn of(fixed: Fixed) -> Arc<Self> {
        let text = |secret: &Secret| secret.reveal().expect("a key, and no verifier of one").to_owned();
        let keys = Credentials::new(
            fixed.access_key_id,
            text(&fixed.secret_access_key),
            fixed.session_token.as_ref().map(text),
            None,
            "given",
        );
        let options = Options { answer_within: fixed.answer_within, ..Options::default() };
        let instead = fixed
            .endpoint
            .map(|url| Service::ALL.into_iter().map(|service| (service, url.clone())).collect())
            .unwrap_or_default();
        let keys = Keys::of(SharedCredentialsProvider::new(keys), Heard::default());
        Arc::new(Self::new(fixed.region, false, instead, keys, Arc::new(Client::new(options)), fixed.policy))
    }

    fn new(
        region: String,
        fips: bool,
        instead: BTreeMap<Service, Url>,
        keys: Keys,
        client: Arc<Client>,
        policy: Policy,
    ) -> Self {
        let shared = Shared {
            region,
            fips,
            instead,
            keys,
            client,
            skew: Skew::default(),
            calls: AtomicU64::new(0),
            paces: Mutex::default(),
            offered: Offered::default(),
        };
        Self { shared: Arc::new(shared), endurance: Endurance::of_each(policy) }
    }

    /// Has this told when calls are refused for long because there are too many: until when they are tried.
    pub fn tells(&self, tell: impl Fn(HeldUp, Timestamp) + Send + Sync + 'static) {
        self.endurance.tells(tell);
    }

    /// The same for one look at something, whose calls are together patient for a minute.
    pub(crate) fn looking(&self) -> Arc<Self> {
        self.together(self.endurance.policy().looking())
    }

    /// The same for a look at what can be done without.
    pub(crate) fn sparing(&self) -> Arc<Self> {
        self.together(self.endurance.policy().sparing())
    }

    fn together(&self, policy: Policy) -> Arc<Self> {
        Arc::new(Self { shared: Arc::clone(&self.shared), endurance: self.endurance.together(policy) })
    }

    /// The region of the session. A call names its own, which may be another.
    pub fn region(&self) -> &str {
        &self.shared.region
    }

    /// Where `service` is for `region`.
    pub fn endpoint(&self, service: Service, region: &str) -> Endpoint {
        let of_aws = endpoint::of_aws(service, region, self.shared.fips);
        match self.shared.instead.get(&service) {
            Some(url) => Endpoint { url: folder(url), ..of_aws },
            None => of_aws,
        }
    }

    /// Whether RDS is on this machine: somebody emulates it.
    pub fn is_emulated(&self) -> bool {
        let host = self.shared.instead.get(&Service::Rds).and_then(|url| Some(url.host_str()?.to_owned()));
        host.is_some_and(|host| {
            host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        })
    }

    /// How many requests were sent so far, each repetition included.
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    /// The pace of a service in a region, which all calls share.
    pub(crate) fn pace(&self, service: Service, region: &str) -> Arc<Pace> {
        let mut paces = self.shared.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = || Arc::new(Pace::hurried(self.endurance.policy().hurry));
        Arc::clone(paces.entry((service, region.to_owned())).or_insert_with(pace))
    }
}

/// The URL with a path that ends in `/`: an endpoint below a path is a folder, as for AWS's own clients.
fn folder(url: &Url) -> Url {
    let mut url = url.clone();
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

/// The region as AWS's own clients find it. Asked beforehand, since a loader that finds none looks for it three times, and where
/// nobody answers for the machine's metadata each takes two seconds.
async fn region_of_environment(through: Through, profile: Option<&str>) -> Option<String> {
    let config = ProviderConfig::without_region().with_http_client(through);
    let of_profile = match profile {
        Some(profile) => ProfileFileRegionProvider::builder().profile_name(profile).build(),
        None => ProfileFileRegionProvider::new(),
    };
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(of_profile)
        .or_else(ImdsRegionProvider::builder().configure(&config).build());
    chain.region().await.map(|region| region.to_string())
}

/// The credentials of a profile that somebody named, whatever keys the environment holds, as AWS's command line has it with `--profile`.
fn keys_of(profile: &str, region: &str, through: Through) -> ProfileFileCredentialsProvider {
    let config =
        ProviderConfig::without_region().with_http_client(through).with_region(Some(Region::new(region.to_owned())));
    ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile).build()
}

fn checked(region: Option<String>) -> Result<String, ProviderError> {
    let invalid = |words: String| {
        Err(ProviderError::new(ErrorKind::Invalid, words).help("write aws_region in the block, or set AWS_REGION"))
    };
    match region {
        None => invalid("there is no region for AWS".to_owned()),
        Some(region) if !endpoint::is_region(&region) => invalid(format!("\"{region}\" is no region of AWS")),
        Some(region) => Ok(region),
    }
}

/// A setting of the environment or the profile, for the service first: the order is `AWS_X_<SERVICE>`, `AWS_X`, the profile's
/// `services` section, the profile itself.
fn setting(config: &SdkConfig, service: Service, variable: &str, profile: &str) -> Option<String> {
    // With a line in place of the space, as AWS's documents have it in both places: aws-runtime makes a dash of a space in profiles.
    let id = service.id().replace(' ', "_");
    let key = ServiceConfigKey::builder()
        .service_id(&id)
        .env(variable)
        .profile(profile)
        .build()
        .expect("all three are given");
    config.service_config()?.load_config(key).filter(|value| !value.is_empty())
}

fn url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn configured(config: &SdkConfig, service: Service) -> Option<Result<Url, ProviderError>> {
    let text = setting(config, service, "AWS_ENDPOINT_URL", "endpoint_url")?;
    match url(&text) {
        Some(url) => Some(Ok(url)),
        None => {
            let words = format!("the endpoint URL of {} is no http or https URL", service.id());
            let help = "AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE> or endpoint_url of the profile says it; \
                        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true leaves all of them out";
            Some(Err(ProviderError::new(ErrorKind::Invalid, words).help(help)))
        }
    }
}

/// `AWS_CA_BUNDLE`, or `ca_bundle` of the profile: authorities beside the system's.
fn trust(client: &Client, config: &SdkConfig) -> Result<(), ProviderError> {
    let Some(path) = setting(config, Service::Sts, "AWS_CA_BUNDLE", "ca_bundle") else {
        return Ok(());
    };
    let roots = std::fs::read(&path).map_err(|error| {
        let words = format!("the certificate authorities in {path} cannot be read: {error}");
        ProviderError::new(ErrorKind::Invalid, words).help("AWS_CA_BUNDLE or ca_bundle of the profile names that file")
    })?;
    client.trust(roots);
    Ok(())
}
