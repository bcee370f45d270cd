//! Credentials: asked of whoever has them, and kept until shortly before they are over.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::Mutex;

use crate::transport::Heard;

/// New ones are asked for so long before the old ones are over, so that no request is on its way with old ones.
const EARLY: Duration = Duration::from_secs(300);

/// The credentials in force.
#[derive(Debug)]
pub(crate) struct Keys {
    provider: SharedCredentialsProvider,
    heard: Heard,
    /// Held while asking, so that one asks and all others wait for what it gets.
    held: Mutex<Option<Credentials>>,
}

impl Keys {
    /// Those that `provider` gives out, and what it hears when it gets none.
    pub(crate) fn of(provider: SharedCredentialsProvider, heard: Heard) -> Self {
        Self { provider, heard, held: Mutex::new(None) }
    }

    /// Credentials that hold at `now` and a while longer.
    pub(crate) async fn at(&self, now: SystemTime) -> Result<Credentials, ProviderError> {
        let mut held = self.held.lock().await;
        if let Some(keys) = held.as_ref().filter(|keys| holds(keys, now + EARLY)) {
            return Ok(keys.clone());
        }
        match self.provider.provide_credentials().await {
            Ok(keys) => Ok(held.insert(keys).clone()),
            // Whoever gives them out is away for a moment; the old ones are good until they are over.
            Err(error) => held.clone().filter(|keys| holds(keys, now)).ok_or_else(|| self.refusal(&error)),
        }
    }

    /// AWS says that `old` are over, whatever they say of themselves. Whether there is a chance of others.
    pub(crate) async fn forget(&self, old: &Credentials) -> bool {
        let mut held = self.held.lock().await;
        if held.as_ref() == Some(old) {
            *held = None;
        }
        old.session_token().is_some()
    }

    fn refusal(&self, error: &CredentialsError) -> ProviderError {
        if let CredentialsError::CredentialsNotLoaded(_) = error {
            let profile = std::env::var("AWS_PROFILE").map(|name| format!(", AWS_PROFILE is \"{name}\""));
            let words = format!("there are no credentials for AWS{}", profile.unwrap_or_default());
            return ProviderError::new(ErrorKind::Denied, words).help(
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; looked in the environment, \
                 ~/.aws/config, ~/.aws/credentials, AWS_WEB_IDENTITY_TOKEN_FILE, the container's and the machine's role",
            );
        }
        let words = self.heard.take().unwrap_or_else(|| reasons(error));
        ProviderError::new(ErrorKind::Denied, format!("the credentials for AWS cannot be had: {}", words.trim_end()))
            .help("`aws sts get-caller-identity` with the same environment asks for the same")
    }
}

fn holds(keys: &Credentials, at: SystemTime) -> bool {
    keys.expiry().is_none_or(|end| at < end)
}

/// All layers of an error that say something new. Only what is meant to be displayed: the rest of it may hold answers whole.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut layer = error.source();
    while let Some(error) = layer {
        let text = error.to_string();
        if !words.iter().any(|said| said.contains(&text)) {
            words.push(text);
        }
        layer = error.source();
    }
    if words.is_empty() { error.to_string() } else { words.join(": ") }
}
