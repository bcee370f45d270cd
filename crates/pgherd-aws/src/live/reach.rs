//! Whether a proxy reaches its instance, in words, and the wait until it does.

use std::sync::OnceLock;

use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use tokio::time::Instant;

use crate::api::rds::{self, Target};
use crate::provider::Aws;
use crate::wait;

/// Whether a proxy is still getting ready for a target.
pub(super) fn is_on_its_way(target: &Target) -> bool {
    target.state == "REGISTERING" || target.reason.as_deref() == Some("PENDING_PROXY_CAPACITY")
}

/// What keeps a proxy from a target, as a sentence; nothing where it is reached or will be.
pub(super) fn trouble(target: &Target) -> Option<String> {
    if target.state == "AVAILABLE" || is_on_its_way(target) {
        return None;
    }
    let id = &target.id;
    let reason = match target.reason.as_deref() {
        Some("UNREACHABLE") => {
            format!("no way leads to {id}: none of its security groups lets the proxy in on its port")
        }
        Some("CONNECTION_FAILED") => format!("{id} takes no connection: it restarts, or has none left"),
        Some("AUTH_FAILURE") => {
            format!("{id} does not let it in: the secret holds another password, or the role may not read it")
        }
        Some("INVALID_REPLICATION_STATE") => format!("{id} does not replicate as it should"),
        Some("PROMOTED") => format!("{id} was promoted"),
        Some(other) => format!("{id} is not reached: {other}"),
        None => format!("{id} is {}", target.state.to_lowercase()),
    };
    Some(match &target.words {
        Some(words) => format!("{reason} ({words})"),
        None => reason,
    })
}

/// Waits until a proxy reaches all of these. What keeps it from one is believed after a while: roles and rules that were made a moment
/// ago are not known everywhere at once.
pub(super) async fn all(aws: &Aws, name: &str, wanted: &[String], events: &Events) -> Result<(), ProviderError> {
    let since = OnceLock::new();
    let look = || async {
        let live = rds::targets(aws.session(), aws.region(), name).await?;
        let missing = wanted.iter().find(|id| !live.iter().any(|target| target.id == **id));
        if let Some(id) = missing {
            return Ok(Err(format!("{id} is not registered yet")));
        }
        let Some(words) = live.iter().find_map(trouble) else {
            let waits = live.iter().any(is_on_its_way);
            return Ok(if waits { Err("connecting to its instance".to_owned()) } else { Ok(()) });
        };
        if since.get_or_init(Instant::now).elapsed() < aws.patience().spreading {
            return Ok(Err(words));
        }
        let message = format!("the proxy {name} is there and does not work: {words}");
        let help = format!(
            "`aws rds describe-db-proxy-targets --db-proxy-name {name}` tells what it sees; run this again once that is put right"
        );
        Err(ProviderError::new(ErrorKind::Conflict, message).help(help))
    };
    wait::until(aws, aws.patience().making, events, look).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(state: &str, reason: Option<&str>, expected: Option<&str>) {
        let target =
            Target { id: "orders".to_owned(), state: state.to_owned(), reason: reason.map(str::to_owned), words: None };
        assert_eq!(trouble(&target).as_deref(), expected);
    }

    #[test]
    fn what_keeps_a_proxy_from_its_instance_is_said_in_words() {
        check("AVAILABLE", None, None);
        check("REGISTERING", None, None);
        check("UNAVAILABLE", Some("PENDING_PROXY_CAPACITY"), None);
        let words = "orders does not let it in: the secret holds another password, or the role may not read it";
        check("UNAVAILABLE", Some("AUTH_FAILURE"), Some(words));
        check("UNAVAILABLE", Some("NEW_REASON"), Some("orders is not reached: NEW_REASON"));
        check("UNAVAILABLE", None, Some("orders is unavailable"));
    }
}
