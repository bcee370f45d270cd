//! Who we are and where: token and endpoint. One for a command, shared by all its calls.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use pgherd_http::{Client, Endurance, HeldUp, Options, Pace, Policy, Url};

use crate::token::Token;

/// The variable that holds a token, which is used as it is.
const TOKEN: &str = "PGHERD_GCP_TOKEN";
/// The variable that leads elsewhere, such as to an emulator: every API is there then.
const ENDPOINT: &str = "PGHERD_GCP_ENDPOINT";
/// The variables that name the project of blocks that name none; Google's own tools read the same.
const PROJECTS: [&str; 2] = ["GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"];

/// One of Google's APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Cloud SQL Admin.
    Sql,
    /// Secret Manager.
    Secrets,
    /// Cloud Monitoring.
    Monitoring,
}

impl Service {
    fn place(self) -> &'static str {
        match self {
            Self::Sql => "https://sqladmin.googleapis.com/",
            Self::Secrets => "https://secretmanager.googleapis.com/",
            Self::Monitoring => "https://monitoring.googleapis.com/",
        }
    }
}

/// A session: the token, the endpoint and what its calls share.
#[derive(Debug)]
pub struct Session {
    endpoint: Option<Url>,
    pub(crate) project: Option<String>,
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
    /// Where every API is; `None`: at Google.
    pub endpoint: Option<Url>,
    /// The project of blocks that name none.
    pub project: Option<String>,
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
            Some(token) => Token::Fixed(Secret::new(token.trim())),
            None => Token::of_environment()?,
        };
        let endpoint = set(ENDPOINT).map(|text| {
            Url::parse(text.trim()).map_err(|_| {
                ProviderError::new(ErrorKind::Invalid, format!("{ENDPOINT} is no URL"))
                    .help("write it as in http://127.0.0.1:4592, or unset it for Google itself")
            })
        });
        Self::of(Fixed {
            project: PROJECTS.into_iter().find_map(set).or_else(|| token.project().map(str::to_owned)),
            token,
            endpoint: endpoint.transpose()?,
            policy: Policy::default(),
            answer_within: Options::default().answer_within,
        })
    }

    /// A session of given things: nothing is looked up. A token never goes over a network in the clear.
    pub fn of(fixed: Fixed) -> Result<Arc<Self>, ProviderError> {
        let invalid = |words: String| Err(ProviderError::new(ErrorKind::Invalid, words));
        if let Some(endpoint) = &fixed.endpoint {
            match endpoint.scheme() {
                "https" => {}
                "http" if is_here(endpoint) => {}
                "http" => {
                    return invalid(
                        "the endpoint of Google Cloud is http, and the token would be read by all on the way"
                            .to_owned(),
                    );
                }
                other => {
                    return invalid(format!("the endpoint of Google Cloud is {other}, and neither https nor http"));
                }
            }
        }
        if let Token::Fixed(token) = &fixed.token
            && token.reveal().is_none_or(|token| token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return invalid("the token for Google Cloud has signs in it that no token has".to_owned());
        }
        Ok(Arc::new(Self {
            endpoint: fixed.endpoint,
            project: fixed.project,
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

    /// Where a path of an API is.
    pub(crate) fn place(&self, service: Service, path: &str) -> Result<Url, String> {
        let base = self.endpoint.as_ref().map_or(service.place(), Url::as_str);
        Url::parse(&format!("{}/{path}", base.trim_end_matches('/'))).map_err(|error| error.to_string())
    }

    /// Whether the APIs are on this machine: somebody emulates them.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(endpoint: &str, token: &str, expected: &str) {
        let fixed = Fixed {
            token: Token::Fixed(Secret::new(token)),
            endpoint: Some(endpoint.parse().expect("a URL")),
            project: None,
            policy: Policy::default(),
            answer_within: Duration::from_secs(1),
        };
        let said = Session::of(fixed).map_or_else(|error| error.message, |_| String::new());
        assert_eq!(said, expected);
    }

    #[test]
    fn a_token_never_travels_in_the_clear() {
        check("http://127.0.0.1:4592", "t", "");
        check("http://[::1]:4592", "t", "");
        check("https://api.example.com", "t", "");
        let clear = "the endpoint of Google Cloud is http, and the token would be read by all on the way";
        check("http://api.example.com", "t", clear);
        check("http://127.0.0.1.example.com", "t", clear);
        check("https://a.example", "two\nlines", "the token for Google Cloud has signs in it that no token has");
    }
}
