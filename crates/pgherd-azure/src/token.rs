//! Where tokens come from: one that is given, or what Azure's own clients look for, in their order: a service principal, a workload's
//! identity, `az login`, the machine's identity.
//!
//! A token that is fetched is kept until shortly before it ends, so that a wait of an hour goes on through its end. Each API wants its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use pgherd_http::{Client, HeaderMap, HeaderValue, Method, Request, Url};
use serde_json::Value as Json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::call::segment;

/// A token is fetched anew so long before it ends.
const EARLY: Duration = Duration::from_secs(240);
/// How long `az` may take.
const AZ_WITHIN: Duration = Duration::from_secs(60);
/// Where Entra ID is; the variable leads elsewhere, as in Azure's own clients.
const AUTHORITY: &str = "https://login.microsoftonline.com";
const AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";
/// Where a machine of Azure's tells who it is.
const METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01";

const HELP: &str = "az login; or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; or set PGHERD_AZURE_TOKEN and \
                    PGHERD_AZURE_VAULT_TOKEN to what `az account get-access-token` says";

/// Who a token for secrets is for.
pub(crate) const VAULT_AUDIENCE: &str = "https://vault.azure.net";

const NO_VAULT_TOKEN: &str = "PGHERD_AZURE_TOKEN is for Resource Manager alone, and there is none for the key vault; set \
                              PGHERD_AZURE_VAULT_TOKEN to what `az account get-access-token --resource \
                              https://vault.azure.net` says";

/// Where tokens come from.
#[derive(Debug)]
pub enum Token {
    /// These, for as long as they last: each API takes only its own.
    Fixed {
        /// Resource Manager's.
        manager: Secret,
        /// The key vault's.
        vault: Option<Secret>,
    },
    /// Fetched by credentials.
    Fetched(Box<Fetched>),
}

/// Credentials, and the last tokens they gave.
#[derive(Debug)]
pub struct Fetched {
    by: Credentials,
    last: Mutex<BTreeMap<&'static str, (Secret, Instant)>>,
}

/// How a token is fetched.
#[derive(Debug)]
enum Credentials {
    /// A service principal's, by its secret.
    Principal { client: String, secret: Secret, at: Url },
    /// A workload's, by what its cluster says of it in a file, which changes.
    Workload { client: String, file: PathBuf, at: Url },
    /// A person's, by Azure's command line.
    CommandLine,
    /// The machine's.
    Machine { client: Option<String> },
}

impl Token {
    /// The credentials of the environment. Nothing is asked yet.
    pub fn of_environment() -> Result<Self, ProviderError> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let home = set("AZURE_CONFIG_DIR").map(PathBuf::from);
        let home = home.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".azure")));
        let is_logged_in = home.is_some_and(|home| home.join("azureProfile.json").is_file());
        Self::of(&set, is_logged_in)
    }

    fn of(set: &dyn Fn(&str) -> Option<String>, is_logged_in: bool) -> Result<Self, ProviderError> {
        // Terraform's names for the same.
        let either = |name: &str| set(&format!("AZURE_{name}")).or_else(|| set(&format!("ARM_{name}")));
        let client = either("CLIENT_ID");
        let by = match (either("TENANT_ID"), client.clone(), either("CLIENT_SECRET"), set("AZURE_FEDERATED_TOKEN_FILE"))
        {
            (Some(tenant), Some(client), Some(secret), _) => {
                Credentials::Principal { client, secret: Secret::new(secret), at: at(set, &tenant)? }
            }
            (Some(tenant), Some(client), None, Some(file)) => {
                Credentials::Workload { client, file: PathBuf::from(file), at: at(set, &tenant)? }
            }
            _ if is_logged_in => Credentials::CommandLine,
            _ => Credentials::Machine { client },
        };
        Ok(Self::Fetched(Box::new(Fetched { by, last: Mutex::default() })))
    }

    /// Whether another one can be had when one has ended.
    pub(crate) fn can_be_renewed(&self) -> bool {
        matches!(self, Self::Fetched(_))
    }

    /// The token to use now for an API, or why there is none.
    pub(crate) async fn current(&self, client: &Client, audience: &'static str) -> Result<Secret, String> {
        let fetched = match self {
            Self::Fixed { vault, .. } if audience == VAULT_AUDIENCE => {
                return vault.clone().ok_or_else(|| NO_VAULT_TOKEN.to_owned());
            }
            Self::Fixed { manager, .. } => return Ok(manager.clone()),
            Self::Fetched(fetched) => fetched,
        };
        let mut last = fetched.last.lock().await;
        if let Some((token, _)) = last.get(audience).filter(|(_, until)| Instant::now() < *until) {
            return Ok(token.clone());
        }
        let (token, lasts) = fetched.by.fetch(client, audience).await.map_err(|words| format!("{words}; {HELP}"))?;
        last.insert(audience, (token.clone(), Instant::now() + lasts.saturating_sub(EARLY)));
        Ok(token)
    }

    /// This token was refused: another one is fetched.
    pub(crate) async fn ended(&self, token: &Secret) {
        if let Self::Fetched(fetched) = self {
            fetched.last.lock().await.retain(|_, (last, _)| last != token);
        }
    }
}

/// Where a tenant's tokens are made.
fn at(set: &dyn Fn(&str) -> Option<String>, tenant: &str) -> Result<Url, ProviderError> {
    let authority = set(AUTHORITY_HOST).unwrap_or_else(|| AUTHORITY.to_owned());
    let url = Url::parse(&format!("{}/{}/oauth2/v2.0/token", authority.trim_end_matches('/'), segment(tenant)));
    url.ok().filter(|url| url.scheme() == "https").ok_or_else(|| {
        ProviderError::new(ErrorKind::Invalid, format!("{AUTHORITY_HOST} is no https URL"))
            .help("unset it for Entra ID itself")
    })
}

impl Credentials {
    /// Asks for a token; how long it lasts.
    async fn fetch(&self, client: &Client, audience: &str) -> Result<(Secret, Duration), String> {
        let request = match self {
            Self::Principal { client, secret, at } => {
                form(at, client, audience, &format!("client_secret={}", shown(secret)))
            }
            Self::Workload { client, file, at } => {
                let said = std::fs::read_to_string(file)
                    .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
                let kind = segment("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                let said = segment(said.trim());
                form(at, client, audience, &format!("client_assertion_type={kind}&client_assertion={said}"))
            }
            Self::CommandLine => return of_command_line(audience).await,
            Self::Machine { client } => of_machine(audience, client.as_deref())?,
        };
        let answer = client.send(request).await.map_err(|refused| format!("no token is to be had: {refused}"))?;
        let said: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        read(&said).filter(|_| answer.status.is_success()).ok_or_else(|| {
            let words = said["error_description"].as_str().or_else(|| said["error"].as_str());
            format!("no token is to be had: {}, {}", answer.status.as_u16(), words.unwrap_or("no reason is told"))
        })
    }
}

fn shown(secret: &Secret) -> String {
    segment(secret.reveal().unwrap_or_default())
}

fn form(at: &Url, client: &str, audience: &str, proof: &str) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    let (client, scope) = (segment(client), segment(&format!("{audience}/.default")));
    let body = format!("grant_type=client_credentials&client_id={client}&scope={scope}&{proof}");
    Request { method: Method::POST, url: at.clone(), headers, body: Bytes::from(body) }
}

fn of_machine(audience: &str, client: Option<&str>) -> Result<Request, String> {
    let client = client.map(|client| format!("&client_id={}", segment(client))).unwrap_or_default();
    let url = Url::parse(&format!("{METADATA}&resource={}{client}", segment(audience)));
    let mut headers = HeaderMap::new();
    headers.insert("metadata", HeaderValue::from_static("true"));
    Ok(Request { method: Method::GET, url: url.map_err(|error| error.to_string())?, headers, body: Bytes::new() })
}

/// Tokens and how long they last; the machine tells numbers as texts.
fn read(said: &Json) -> Option<(Secret, Duration)> {
    let lasts = &said["expires_in"];
    let lasts = lasts.as_u64().or_else(|| lasts.as_str()?.parse().ok()).unwrap_or(300);
    Some((Secret::new(said["access_token"].as_str()?), Duration::from_secs(lasts)))
}

async fn of_command_line(audience: &str) -> Result<(Secret, Duration), String> {
    let mut az = tokio::process::Command::new("az");
    az.args(["account", "get-access-token", "--output", "json", "--resource", audience]);
    az.stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(AZ_WITHIN, az.output()).await;
    let ended = ended.map_err(|_| "az account get-access-token does not end".to_owned())?;
    let ended = ended.map_err(|error| format!("az cannot be run: {error}"))?;
    let told: Json = serde_json::from_slice(&ended.stdout).unwrap_or_default();
    let until = told["expires_on"].as_i64();
    let left = until.map(|until| until - jiff::Timestamp::now().as_second()).and_then(|left| u64::try_from(left).ok());
    match told["accessToken"].as_str().filter(|_| ended.status.success()) {
        Some(token) => Ok((Secret::new(token), Duration::from_secs(left.unwrap_or(300)))),
        None => {
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            Err(format!("az account get-access-token: {}", said.lines().next().unwrap_or("it says nothing")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(set: &[(&str, &str)], is_logged_in: bool, expected: &str) {
        let value = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let found = match Token::of(&value, is_logged_in) {
            Ok(Token::Fetched(fetched)) => match fetched.by {
                Credentials::Principal { client, at, .. } => format!("principal {client} {at}"),
                Credentials::Workload { client, .. } => format!("workload {client}"),
                Credentials::CommandLine => "az".to_owned(),
                Credentials::Machine { client } => format!("machine {}", client.unwrap_or_default()),
            },
            Ok(Token::Fixed { .. }) => "fixed".to_owned(),
            Err(error) => error.message,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn credentials_are_found_in_the_order_of_azures_own_clients() {
        let principal = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "s")];
        let token = "principal c https://login.microsoftonline.com/t/oauth2/v2.0/token";
        check(&principal, true, token);
        check(&[("ARM_TENANT_ID", "t"), ("ARM_CLIENT_ID", "c"), ("ARM_CLIENT_SECRET", "s")], true, token);
        let workload = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_FEDERATED_TOKEN_FILE", "/x")];
        check(&workload, true, "workload c");
        check(&[], true, "az");
        check(&[("AZURE_CLIENT_ID", "c")], false, "machine c");
        let elsewhere = [principal.as_slice(), &[("AZURE_AUTHORITY_HOST", "http://evil.example")]].concat();
        check(&elsewhere, true, "AZURE_AUTHORITY_HOST is no https URL");
    }

    #[test]
    fn how_long_a_token_lasts_is_told_in_two_ways() {
        let lasts = |text: &str| read(&serde_json::from_str(text).expect("JSON")).expect("a token").1.as_secs();
        assert_eq!(lasts(r#"{"access_token":"a","expires_in":3599}"#), 3599);
        assert_eq!(lasts(r#"{"access_token":"a","expires_in":"86399"}"#), 86399);
    }
}
