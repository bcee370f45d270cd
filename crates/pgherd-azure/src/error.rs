//! What Azure refused, in its own words, and what that means. Pure.

use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde_json::Value as Json;

/// A call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub struct AzureError {
    /// What was asked: `PUT subscriptions/s/resourceGroups/g/…`.
    pub asked: String,
    /// The HTTP status; `None`: there was no answer.
    pub status: Option<u16>,
    /// Azure's short word for it (`ServerIsBusy`, `AuthorizationFailed`), empty where it gave none.
    pub code: String,
    /// What it said, without secrets.
    pub message: String,
    /// Whether it may have been done all the same.
    pub maybe_done: bool,
}

impl AzureError {
    /// What an answer that is no success says. `None`: it is not Azure's.
    pub(crate) fn read(asked: &str, status: u16, body: &[u8]) -> Option<Self> {
        let said: Json = serde_json::from_slice(body).ok()?;
        let (code, message) = told(said.get("error")?)?;
        Some(Self { asked: asked.to_owned(), status: Some(status), code, message, maybe_done: false })
    }

    /// Whether there is no such thing. Only Azure's own words for it count: a proxy that has no such page, and an endpoint or a
    /// subscription that is wrong, say 404 of everything.
    pub fn is_absent(&self) -> bool {
        let code = self.code.to_ascii_lowercase();
        self.status == Some(404) && code.ends_with("notfound") && !code.starts_with("subscription")
    }

    /// Whether something of that name is there.
    pub fn is_taken(&self) -> bool {
        let words = ["alreadyexists", "namenotavailable", "serverdnsaliasalreadyexists"];
        self.status == Some(409) && words.iter().any(|word| self.code.to_lowercase().contains(word))
    }

    /// Whether it passes when what is going on with the server is over: one thing at a time is done to it. Which words Azure has for
    /// that is described nowhere.
    pub fn is_busy(&self) -> bool {
        let words = ["busy", "inprogress", "operationconflict"];
        self.status == Some(409) && words.iter().any(|word| self.code.to_lowercase().contains(word))
    }

    /// Whether a lock stands in the way.
    pub fn is_locked(&self) -> bool {
        self.status == Some(409) && self.code == "ScopeLocked"
    }

    /// Whether somebody else has changed it since it was looked at.
    pub fn is_stale(&self) -> bool {
        self.status == Some(412)
    }

    /// What sort of refusal it is.
    pub fn kind(&self) -> ErrorKind {
        match self.status {
            None => ErrorKind::Unavailable,
            Some(401 | 403) => ErrorKind::Denied,
            Some(404) if self.is_absent() => ErrorKind::NotFound,
            // Somebody else says so.
            Some(404) => ErrorKind::Unavailable,
            Some(409) if self.is_locked() => ErrorKind::Protected,
            Some(409 | 412) => ErrorKind::Conflict,
            Some(429) => ErrorKind::Throttled,
            Some(400..=499) => ErrorKind::Invalid,
            Some(_) => ErrorKind::Unavailable,
        }
    }

    fn words(&self) -> String {
        let about = [self.code.as_str(), self.message.as_str()].into_iter().filter(|words| !words.is_empty());
        format!("Azure: {}: {}", self.asked, about.collect::<Vec<_>>().join(": "))
    }

    fn help(&self) -> &'static str {
        match self.status {
            Some(401) => "the token has ended or is none; `az account get-access-token` gives one for an hour",
            Some(403) if self.asked.contains("/locks/") => {
                "locks take the role Owner or User Access Administrator: ask whoever has it, or write \
                 enable_deletion_protection = false"
            }
            Some(403) if self.asked.contains(".vault.azure.net") => {
                "it takes the role Key Vault Secrets Officer on the vault, which is apart from roles on its resource group"
            }
            Some(403) => "it takes the role Contributor on the resource group",
            Some(404) if self.code == "ResourceGroupNotFound" => "az group create makes it",
            Some(404) if !self.is_absent() => {
                "see what PGHERD_AZURE_ENDPOINT, HTTPS_PROXY and azure_subscription_id lead to"
            }
            Some(409) if self.code == "MissingSubscriptionRegistration" => {
                "az provider register --namespace Microsoft.DBforPostgreSQL"
            }
            Some(409) if self.is_locked() => "a lock of somebody else's stands in the way: az lock list tells which",
            _ => "",
        }
    }
}

/// Code and words of an error; what is said of its parts says most.
pub(crate) fn told(error: &Json) -> Option<(String, String)> {
    let text = |of: &Json, name: &str| of[name].as_str().unwrap_or_default().to_owned();
    error.is_object().then_some(())?;
    let details = error["details"].as_array().into_iter().flatten();
    let details = details.map(|one| text(one, "message")).filter(|words| !words.is_empty());
    let words = std::iter::once(text(error, "message")).chain(details).filter(|words| !words.is_empty());
    Some((text(error, "code"), words.collect::<Vec<_>>().join("; ")))
}

impl From<AzureError> for ProviderError {
    fn from(error: AzureError) -> Self {
        Self::new(error.kind(), error.to_string()).help(error.help())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, code: &str, kind: ErrorKind) -> AzureError {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"m","details":[{{"message":"d"}}]}}}}"#);
        let error = AzureError::read("GET x", status, body.as_bytes()).expect("it is Azure's");
        assert_eq!((error.to_string(), error.kind()), (format!("Azure: GET x: {code}: m; d"), kind));
        error
    }

    #[test]
    fn what_a_refusal_means() {
        assert!(check(409, "ServerIsBusy", ErrorKind::Conflict).is_busy());
        assert!(!check(409, "ServerNameAlreadyExists", ErrorKind::Conflict).is_busy());
        assert!(check(409, "ServerNameAlreadyExists", ErrorKind::Conflict).is_taken());
        assert!(check(409, "ScopeLocked", ErrorKind::Protected).is_locked());
        assert!(check(404, "ResourceNotFound", ErrorKind::NotFound).is_absent());
        assert!(AzureError::read("GET x", 502, b"<html>").is_none());
    }

    /// Whoever believed it would delete the credentials of a database that lives.
    #[test]
    fn somebody_elses_404_is_no_absence() {
        assert!(check(404, "SecretNotFound", ErrorKind::NotFound).is_absent());
        assert!(!check(404, "SubscriptionNotFound", ErrorKind::Unavailable).is_absent());
        let proxy = AzureError::read("GET x", 404, br#"{"error":{"message":"no Route matched with those values"}}"#);
        let proxy = proxy.expect("it has the form of Azure's");
        assert!(!proxy.is_absent() && proxy.kind() == ErrorKind::Unavailable);
    }
}
