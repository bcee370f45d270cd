//! Where tokens come from: one that is given, or Google's own ways of finding credentials (application default credentials).
//!
//! A token that is fetched is kept until shortly before it ends, so that a wait of an hour goes on through its end.

use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use pgherd_http::{Client, HeaderMap, HeaderValue, Method, Request, Url};
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A token is fetched anew so long before it ends.
const EARLY: Duration = Duration::from_secs(240);
/// Where a machine of Google's tells who it is; the variable leads elsewhere, as in Google's own clients.
const METADATA: &str = "metadata.google.internal";
const METADATA_HOST: &str = "GCE_METADATA_HOST";
/// The variable that names a file of credentials.
const CREDENTIALS: &str = "GOOGLE_APPLICATION_CREDENTIALS";
/// The variable that names the project whose quota counts, rather than the one that the credentials name; Google's own clients read it.
const QUOTA: &str = "GOOGLE_CLOUD_QUOTA_PROJECT";
/// Where tokens of people are made.
const TOKENS: &str = "https://oauth2.googleapis.com/token";

/// Where tokens come from.
#[derive(Debug)]
pub enum Token {
    /// This one, for as long as it lasts.
    Fixed(Secret),
    /// Fetched by credentials.
    Fetched(Box<Fetched>),
}

/// Credentials, and the last token they gave.
#[derive(Debug)]
pub struct Fetched {
    by: Credentials,
    project: Option<String>,
    /// The project whose quota counts, where that has to be said.
    quota: Option<String>,
    last: Mutex<Option<(Secret, Instant)>>,
}

/// Why there is no token.
#[derive(Debug)]
pub(crate) struct NoToken {
    pub(crate) words: String,
    /// Whether there may be one in a moment: whoever makes them did not answer, or not as it should.
    pub(crate) may_pass: bool,
}

/// How a token is fetched.
#[derive(Debug)]
enum Credentials {
    /// A person's, as `gcloud auth application-default login` writes them.
    Person { client_id: String, client_secret: Secret, refresh: Secret, at: Url },
    /// The machine's.
    Machine { at: Url },
    /// A service account's, by its key.
    Service { email: String, key_id: String, key: Box<RsaKeyPair>, at: Url },
}

impl Token {
    /// The credentials of the environment, found where Google's own clients find them. Nothing is asked yet.
    pub fn of_environment() -> Result<Self, ProviderError> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let config = set("CLOUDSDK_CONFIG").or_else(|| set("HOME").map(|home| home.join(".config/gcloud")));
        let usual = config.map(|folder| folder.join("application_default_credentials.json"));
        let file = set(CREDENTIALS).or_else(|| usual.filter(|path| path.is_file()));
        let Some(path) = file else {
            let host = std::env::var(METADATA_HOST).unwrap_or_else(|_| METADATA.to_owned());
            return Self::of_machine(&host);
        };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            ProviderError::new(
                ErrorKind::Denied,
                format!("the credentials in {} cannot be read: {error}", path.display()),
            )
        })?;
        let at = Url::parse(TOKENS).map_err(|error| ProviderError::new(ErrorKind::Invalid, error.to_string()))?;
        let quota = std::env::var(QUOTA).ok().filter(|project| !project.trim().is_empty());
        let found = Self::of_file(&text, &at).map(|token| token.counting(quota));
        found.map_err(|words| {
            ProviderError::new(ErrorKind::Denied, format!("the credentials in {} {words}", path.display())).help(HELP)
        })
    }

    /// The machine's own, told by its metadata server.
    fn of_machine(host: &str) -> Result<Self, ProviderError> {
        let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
        let at = Url::parse(&url).map_err(|_| {
            ProviderError::new(ErrorKind::Invalid, format!("{METADATA_HOST} is no host")).help("unset it")
        })?;
        Ok(Self::fetched(Credentials::Machine { at }, None))
    }

    /// Credentials as a file holds them, or why they are of no use here. `at` is where tokens are made of them.
    pub fn of_file(text: &str, at: &Url) -> Result<Self, String> {
        let file: Json = serde_json::from_str(text).map_err(|_| "are no JSON".to_owned())?;
        let field = |name: &str| file[name].as_str().map(str::to_owned).ok_or_else(|| format!("have no {name}"));
        match file["type"].as_str() {
            Some("authorized_user") => {
                let by = Credentials::Person {
                    client_id: field("client_id")?,
                    client_secret: Secret::new(field("client_secret")?),
                    refresh: Secret::new(field("refresh_token")?),
                    at: at.clone(),
                };
                let quota = field("quota_project_id").ok();
                Ok(Self::fetched(by, quota.clone()).counting(quota))
            }
            Some("service_account") => {
                let pem = Secret::new(field("private_key")?);
                let by = Credentials::Service {
                    email: field("client_email")?,
                    key_id: field("private_key_id").unwrap_or_default(),
                    key: Box::new(key(pem.reveal().unwrap_or_default())?),
                    at: at.clone(),
                };
                Ok(Self::fetched(by, field("project_id").ok()))
            }
            Some(other) => Err(format!("are of type {other}, which this version of pgherd cannot use")),
            None => Err("have no type".to_owned()),
        }
    }

    fn fetched(by: Credentials, project: Option<String>) -> Self {
        Self::Fetched(Box::new(Fetched { by, project, quota: None, last: Mutex::new(None) }))
    }

    /// The same, whose requests count for the quota of a project, if there is one. A service account has one of its own.
    fn counting(mut self, project: Option<String>) -> Self {
        if let (Self::Fetched(fetched), Some(project)) = (&mut self, project)
            && matches!(fetched.by, Credentials::Person { .. })
        {
            fetched.quota = Some(project);
        }
        self
    }

    /// The project whose quota a request counts for, where Google asks for one: a person has none of their own (Cloud SQL documentation,
    /// "Quotas and limits", `x-goog-user-project`).
    pub(crate) fn quota(&self) -> Option<&str> {
        match self {
            Self::Fixed(_) => None,
            Self::Fetched(fetched) => fetched.quota.as_deref(),
        }
    }

    /// The project that the credentials name.
    pub(crate) fn project(&self) -> Option<&str> {
        match self {
            Self::Fixed(_) => None,
            Self::Fetched(fetched) => fetched.project.as_deref(),
        }
    }

    /// Whether another one can be had when one has ended.
    pub(crate) fn can_be_renewed(&self) -> bool {
        matches!(self, Self::Fetched(_))
    }

    /// The token to use now, or why there is none.
    pub(crate) async fn current(&self, client: &Client) -> Result<Secret, NoToken> {
        let fetched = match self {
            Self::Fixed(token) => return Ok(token.clone()),
            Self::Fetched(fetched) => fetched,
        };
        let mut last = fetched.last.lock().await;
        if let Some((token, _)) = last.as_ref().filter(|(_, until)| Instant::now() < *until) {
            return Ok(token.clone());
        }
        let (token, lasts) = fetched.by.fetch(client).await?;
        *last = Some((token.clone(), Instant::now() + lasts.saturating_sub(EARLY)));
        Ok(token)
    }

    /// This token was refused: another one is fetched.
    pub(crate) async fn ended(&self, token: &Secret) {
        if let Self::Fetched(fetched) = self {
            fetched.last.lock().await.take_if(|(last, _)| last == token);
        }
    }
}

const HELP: &str = "gcloud auth application-default login writes some that can be used; or set PGHERD_GCP_TOKEN to what \
                    `gcloud auth print-access-token` says";

const FORM: &str = "application/x-www-form-urlencoded";

/// What a token may be used for: whatever its owner may do.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A private key as a file of credentials holds it: PKCS#8 in PEM.
fn key(pem: &str) -> Result<RsaKeyPair, String> {
    let lines = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    let der = STANDARD.decode(lines.collect::<String>()).map_err(|_| "have a private_key that is no PEM".to_owned())?;
    RsaKeyPair::from_pkcs8(&der).map_err(|_| "have a private_key that is none".to_owned())
}

/// A word of a service account that asks for a token (RFC 7523), signed by it; it counts for an hour.
fn assertion(email: &str, key_id: &str, key: &RsaKeyPair, at: &Url, now: i64) -> Result<String, String> {
    let part = |json: Json| URL_SAFE_NO_PAD.encode(json.to_string());
    let head = part(json!({ "alg": "RS256", "typ": "JWT", "kid": key_id }));
    let claims = part(json!({ "iss": email, "scope": SCOPE, "aud": at.as_str(), "iat": now, "exp": now + 3600 }));
    let said = format!("{head}.{claims}");
    let mut signature = vec![0; key.public_modulus_len()];
    let signed = key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut signature);
    signed.map_err(|_| "the key of the service account signs nothing".to_owned())?;
    Ok(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

impl Credentials {
    /// Asks for a token; how long it lasts.
    async fn fetch(&self, client: &Client) -> Result<(Secret, Duration), NoToken> {
        let mut headers = HeaderMap::new();
        let request = match self {
            Self::Machine { at } => {
                headers.insert("metadata-flavor", HeaderValue::from_static("Google"));
                Request { method: Method::GET, url: at.clone(), headers, body: Bytes::new() }
            }
            Self::Service { email, key_id, key, at } => {
                headers.insert("content-type", HeaderValue::from_static(FORM));
                let now = jiff::Timestamp::now().as_second();
                let signed =
                    assertion(email, key_id, key, at, now).map_err(|words| NoToken { words, may_pass: false })?;
                let grant = crate::call::segment("urn:ietf:params:oauth:grant-type:jwt-bearer");
                let body = Bytes::from(format!("grant_type={grant}&assertion={signed}"));
                Request { method: Method::POST, url: at.clone(), headers, body }
            }
            Self::Person { client_id, client_secret, refresh, at } => {
                headers.insert("content-type", HeaderValue::from_static(FORM));
                let secret = |secret: &Secret| crate::call::segment(secret.reveal().unwrap_or_default());
                let body = format!(
                    "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
                    crate::call::segment(client_id),
                    secret(client_secret),
                    secret(refresh)
                );
                Request { method: Method::POST, url: at.clone(), headers, body: Bytes::from(body) }
            }
        };
        let unanswered =
            |refused| NoToken { words: format!("no token is to be had: {refused}; {HELP}"), may_pass: true };
        let response = client.send(request).await.map_err(unanswered)?;
        let said: Json = serde_json::from_slice(&response.body).unwrap_or_default();
        match said["access_token"].as_str().filter(|_| response.status.is_success()) {
            Some(token) => {
                let lasts = said["expires_in"].as_u64().unwrap_or(300);
                Ok((Secret::new(token), Duration::from_secs(lasts)))
            }
            None => {
                let words = said["error_description"]
                    .as_str()
                    .or_else(|| said["error"].as_str())
                    .unwrap_or("no reason is told");
                let status = response.status.as_u16();
                let words = format!("no token is to be had: {status}, {words}; {HELP}");
                Err(NoToken { words, may_pass: status == 429 || status >= 500 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_cannot_be_used_say_so() {
        let at = Url::parse(TOKENS).expect("our own URL");
        let said = |text: &str| Token::of_file(text, &at).map_or_else(|words| words, |_| String::new());
        let person = r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
        assert_eq!(said(person), "");
        assert_eq!(said(r#"{"type":"authorized_user","client_id":"c"}"#), "have no client_secret");
        let other = "are of type external_account, which this version of pgherd cannot use";
        assert_eq!(said(r#"{"type":"external_account"}"#), other);
    }

    #[test]
    fn a_persons_requests_count_for_a_project() {
        let at = Url::parse(TOKENS).expect("our own URL");
        let quota = |more: &str, named: Option<&str>| {
            let text = format!(
                r#"{{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"{more}}}"#
            );
            let token = Token::of_file(&text, &at).expect("credentials").counting(named.map(str::to_owned));
            token.quota().map(str::to_owned)
        };
        let own = r#","quota_project_id":"own""#;
        assert_eq!(quota("", None), None);
        assert_eq!(quota(own, None).as_deref(), Some("own"));
        assert_eq!(quota(own, Some("named")).as_deref(), Some("named"));
    }

    #[test]
    fn a_service_account_signs_what_its_key_opens() {
        use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
        use aws_lc_rs::rsa::KeySize;
        use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

        let made = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der: Pkcs8V1Der<'static> = made.as_der().expect("it is written");
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
        let read = key(&pem).expect("it is read");
        let at = Url::parse(TOKENS).expect("our own URL");
        let signed = assertion("a@p.iam.gserviceaccount.com", "1", &read, &at, 1_767_225_600).expect("it is signed");
        let (said, signature) = signed.rsplit_once('.').expect("two dots");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, made.public_key().as_ref());
        assert!(public.verify(said.as_bytes(), &signature).is_ok());
        let claims = said.split_once('.').and_then(|(_, claims)| URL_SAFE_NO_PAD.decode(claims).ok()).expect("claims");
        let claims: Json = serde_json::from_slice(&claims).expect("JSON");
        assert_eq!((&claims["aud"], &claims["exp"]), (&json!(TOKENS), &json!(1_767_229_200)));
    }
}
