//! Who we are and where: token and endpoint. One for a command, shared by all its calls.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use pgherd_http::{Client, Endurance, HeldUp, Options, Pace, Policy, Url};

/// Where DigitalOcean's API is.
const API: &str = "https://api.digitalocean.com/";

/// The variables that hold a token, the first that is set counts; DigitalOcean's own tools read the same.
const TOKENS: [&str; 2] = ["DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"];

/// The variable that leads elsewhere, such as to an emulator; DigitalOcean's own tools read the same.
const ENDPOINT: &str = "DIGITALOCEAN_API_URL";

/// A session: the token, the endpoint and what its calls share.
#[derive(Debug)]
pub struct Session {
    pub(crate) base: Url,
    pub(crate) token: Secret,
    pub(crate) client: Client,
    pub(crate) endurance: Endurance,
    pub(crate) pace: Pace,
    pub(crate) calls: AtomicU64,
}

/// A session made of given things, for tests and for endpoints that are known.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// The token.
    pub token: Secret,
    /// Where the API is; `None`: at DigitalOcean.
    pub endpoint: Option<Url>,
    /// How calls are repeated.
    pub policy: Policy,
    /// How long one attempt may take.
    pub answer_within: Duration,
}

impl Session {
    /// The session of the environment.
    pub fn load() -> Result<Arc<Self>, ProviderError> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let token = TOKENS.into_iter().find_map(set).ok_or_else(|| {
            ProviderError::new(ErrorKind::Denied, "there is no token for DigitalOcean")
                .help("make one in the control panel under API, and set DIGITALOCEAN_TOKEN")
        })?;
        let endpoint = set(ENDPOINT).map(|text| {
            Url::parse(text.trim()).map_err(|_| {
                ProviderError::new(ErrorKind::Invalid, format!("{ENDPOINT} is no URL"))
                    .help("write it as in http://127.0.0.1:4591, or unset it for DigitalOcean itself")
            })
        });
        Self::of(Fixed {
            token: Secret::new(token.trim()),
            endpoint: endpoint.transpose()?,
            policy: Policy::default(),
            answer_within: Options::default().answer_within,
        })
    }

    /// A session of given things: nothing is looked up. A token never goes over a network in the clear.
    pub fn of(fixed: Fixed) -> Result<Arc<Self>, ProviderError> {
        let base = fixed.endpoint.unwrap_or_else(|| Url::parse(API).expect("our own URL"));
        let invalid = |words: String| Err(ProviderError::new(ErrorKind::Invalid, words));
        match base.scheme() {
            "https" => {}
            "http" if is_here(&base) => {}
            "http" => {
                return invalid(
                    "the endpoint of DigitalOcean is http, and the token would be read by all on the way".to_owned(),
                );
            }
            other => return invalid(format!("the endpoint of DigitalOcean is {other}, and neither https nor http")),
        }
        if fixed.token.reveal().is_none_or(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return invalid("the token for DigitalOcean has signs in it that no token has".to_owned());
        }
        Ok(Arc::new(Self {
            base,
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

    /// Whether the API is on this machine: somebody emulates it.
    pub fn is_emulated(&self) -> bool {
        is_here(&self.base)
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
            token: Secret::new(token),
            endpoint: Some(endpoint.parse().expect("a URL")),
            policy: Policy::default(),
            answer_within: Duration::from_secs(1),
        };
        let said = Session::of(fixed).map_or_else(|error| error.message, |_| String::new());
        assert_eq!(said, expected);
    }

    #[test]
    fn a_token_never_travels_in_the_clear() {
        check("http://127.0.0.1:4591", "t", "");
        check("http://[::1]:4591", "t", "");
        check("https://api.example.com", "t", "");
        let clear = "the endpoint of DigitalOcean is http, and the token would be read by all on the way";
        check("http://api.example.com", "t", clear);
        check("http://127.0.0.1.example.com", "t", clear);
        check("https://a.example", "two\nlines", "the token for DigitalOcean has signs in it that no token has");
    }
}
