//! Who we are and where: token and endpoint. One for a command, shared by all its calls.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use pgherd_http::{Client, Endurance, HeldUp, Options, Pace, Policy, Url};

use crate::token::{Token, VAULT_AUDIENCE};

/// The variables that hold tokens, which are used as they are: Resource Manager's and the key vault's.
const TOKEN: &str = "PGHERD_AZURE_TOKEN";
const VAULT_TOKEN: &str = "PGHERD_AZURE_VAULT_TOKEN";
/// The variable that leads elsewhere, such as to an emulator: Resource Manager and every vault are there then.
const ENDPOINT: &str = "PGHERD_AZURE_ENDPOINT";
/// The variables that name the subscription of blocks that name none; Terraform and Azure's own tools read the same.
const SUBSCRIPTIONS: [&str; 2] = ["ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID"];

/// Azure Resource Manager, which everything but secrets is asked of.
const MANAGER: &str = "https://management.azure.com/";

/// What is asked, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// A path of Resource Manager.
    Manager(&'a str),
    /// A path within a vault.
    Vault(&'a str, &'a str),
    /// A URL that Azure told, as it was told.
    Told(&'a str),
}

impl Asked<'_> {
    /// What a token for it is for.
    pub(crate) fn audience(self) -> &'static str {
        match self {
            Self::Manager(_) | Self::Told(_) => "https://management.azure.com",
            Self::Vault(..) => VAULT_AUDIENCE,
        }
    }

    /// Its path without queries, which may be signed, for people.
    pub(crate) fn shown(self) -> String {
        let path = match self {
            Self::Manager(path) => path.to_owned(),
            Self::Vault(vault, path) => format!("{vault}.vault.azure.net/{path}"),
            Self::Told(url) => Url::parse(url).map_or_else(|_| String::new(), |url| url.path().to_owned()),
        };
        path.split('?').next().unwrap_or_default().trim_start_matches('/').to_owned()
    }
}

/// A session: the token, the endpoint and what its calls share.
#[derive(Debug)]
pub struct Session {
    endpoint: Option<Url>,
    pub(crate) subscription: Option<String>,
    pub(crate) token: Token,
    pub(crate) client: Client,
    pub(crate) endurance: Endurance,
    pub(crate) pace: Pace,
    pub(crate) calls: AtomicU64,
}

/// A session made of given things, for tests and for endpoints that are known.
#[derive(Debug)]
pub struct Fixed {
    /// Where tokens come from.
    pub token: Token,
    /// Where Resource Manager and every vault are; `None`: at Microsoft.
    pub endpoint: Option<Url>,
    /// The subscription of blocks that name none.
    pub subscription: Option<String>,
    /// How calls are repeated.
    pub policy: Policy,
    /// How long one attempt may take.
    pub answer_within: Duration,
}

impl Session {
    /// The session of the environment.
    pub fn load() -> Result<Arc<Self>, ProviderError> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let token = match set(TOKEN) {
            Some(token) => Token::Fixed {
                manager: Secret::new(token.trim()),
                vault: set(VAULT_TOKEN).map(|token| Secret::new(token.trim())),
            },
            None => Token::of_environment()?,
        };
        let endpoint = set(ENDPOINT).map(|text| {
            Url::parse(text.trim()).map_err(|_| {
                ProviderError::new(ErrorKind::Invalid, format!("{ENDPOINT} is no URL"))
                    .help("write it as in http://127.0.0.1:4593, or unset it for Azure itself")
            })
        });
        Self::of(Fixed {
            token,
            endpoint: endpoint.transpose()?,
            subscription: SUBSCRIPTIONS.into_iter().find_map(set),
            policy: Policy::default(),
            answer_within: Options::default().answer_within,
        })
    }

    /// A session of given things: nothing is looked up. A token never goes over a network in the clear.
    pub fn of(fixed: Fixed) -> Result<Arc<Self>, ProviderError> {
        let invalid = |words: &str| Err(ProviderError::new(ErrorKind::Invalid, words));
        match fixed.endpoint.as_ref().map(|endpoint| (endpoint.scheme(), is_here(endpoint))) {
            None | Some(("https", _) | ("http", true)) => {}
            Some(("http", false)) => {
                return invalid("the endpoint of Azure is http, and the token would be read by all on the way");
            }
            Some(_) => return invalid("the endpoint of Azure is neither https nor http"),
        }
        let is_none = |token: &Secret| {
            token.reveal().is_none_or(|token| token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()))
        };
        if let Token::Fixed { manager, vault } = &fixed.token
            && (is_none(manager) || vault.as_ref().is_some_and(is_none))
        {
            return invalid("the token for Azure has signs in it that no token has");
        }
        Ok(Arc::new(Self {
            endpoint: fixed.endpoint,
            subscription: fixed.subscription,
            token: fixed.token,
            client: Client::new(Options { answer_within: fixed.answer_within, ..Options::default() }),
            endurance: Endurance::of_each(fixed.policy),
            pace: Pace::hurried(fixed.policy.hurry),
            calls: AtomicU64::new(0),
        }))
    }

    /// Has this told when calls are refused for long because there are too many: until when they are tried.
    pub fn tells(&self, tell: impl Fn(HeldUp, Timestamp) + Send + Sync + 'static) {
        self.endurance.tells(tell);
    }

    /// Where it is. What Azure told is used as it is, and only where it leads to whom we talk to: a token goes nowhere else.
    pub(crate) fn place(&self, asked: Asked<'_>) -> Result<Url, String> {
        let manager = self.endpoint.as_ref().map_or(MANAGER, Url::as_str).trim_end_matches('/');
        let text = match (asked, &self.endpoint) {
            (Asked::Manager(path), _) => format!("{manager}/{path}"),
            (Asked::Vault(vault, path), None) => format!("https://{vault}.vault.azure.net/{path}"),
            (Asked::Vault(vault, path), Some(_)) => format!("{manager}/{vault}.vault.azure.net/{path}"),
            (Asked::Told(url), _) => url.to_owned(),
        };
        if let Asked::Vault(vault, _) = asked
            && !is_vault(vault)
        {
            return Err(format!("{vault:?} is no name of a key vault: it has 3 to 24 letters, digits and hyphens"));
        }
        let url = Url::parse(&text).map_err(|error| error.to_string())?;
        let ours = Url::parse(manager).map_err(|error| error.to_string())?;
        match asked {
            Asked::Told(_) if url.origin() != ours.origin() && !self.is_azures(&url) => {
                Err("Azure sends us to somebody else".to_owned())
            }
            _ => Ok(url),
        }
    }

    /// Whether it is Azure's own, which may answer for a region under another name.
    fn is_azures(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        self.endpoint.is_none() && url.scheme() == "https" && host.ends_with(".management.azure.com")
    }

    /// Whether Azure is on this machine: somebody emulates it.
    pub fn is_emulated(&self) -> bool {
        self.endpoint.as_ref().is_some_and(is_here)
    }

    /// How many requests were sent so far, each repetition included.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

fn is_here(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    })
}

/// Whether it names a vault of Azure's and nothing else: it becomes a part of a host, to which tokens and passwords are sent.
fn is_vault(name: &str) -> bool {
    (3..=24).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(endpoint: Option<&str>, token: &str) -> Result<Arc<Session>, ProviderError> {
        Session::of(Fixed {
            token: Token::Fixed { manager: Secret::new(token), vault: None },
            endpoint: endpoint.map(|endpoint| endpoint.parse().expect("a URL")),
            subscription: None,
            policy: Policy::default(),
            answer_within: Duration::from_secs(1),
        })
    }

    #[track_caller]
    fn check(endpoint: &str, token: &str, expected: &str) {
        let said = session(Some(endpoint), token).map_or_else(|error| error.message, |_| String::new());
        assert_eq!(said, expected);
    }

    #[test]
    fn a_token_never_travels_in_the_clear() {
        check("http://127.0.0.1:4593", "t", "");
        check("http://[::1]:4593", "t", "");
        check("https://api.example.com", "t", "");
        let clear = "the endpoint of Azure is http, and the token would be read by all on the way";
        check("http://api.example.com", "t", clear);
        check("http://127.0.0.1.example.com", "t", clear);
        check("https://a.example", "two\nlines", "the token for Azure has signs in it that no token has");
    }

    /// A URL that an answer names is asked as it stands, and gets a token only where Azure is.
    #[test]
    fn a_token_goes_only_to_azure() {
        let url = "https://management.azure.com/subscriptions/s/operations/o?t=63%2Bx&c=MII%3D%3d&h=a+b";
        let azure = session(None, "t").expect("a session");
        assert_eq!(azure.place(Asked::Told(url)).map(|url| url.to_string()).as_deref(), Ok(url));
        let other = "https://eastus.management.azure.com/subscriptions/s/operations/o?t=1";
        assert!(azure.place(Asked::Told(other)).is_ok());
        for wrong in
            ["https://evil.example/?t=1", "http://management.azure.com/", "https://management.azure.com.evil.example/"]
        {
            assert!(azure.place(Asked::Told(wrong)).is_err(), "{wrong}");
        }
        let emulated = session(Some("http://127.0.0.1:4593"), "t").expect("a session");
        assert!(emulated.place(Asked::Told(url)).is_err());
        assert_eq!(Asked::Told(url).shown(), "subscriptions/s/operations/o", "the query is signed");
    }
}
