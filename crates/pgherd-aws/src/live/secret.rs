//! The password an instance is made with.

use pgherd_core::resource::Resource;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use crate::provider::Aws;

/// The letters a generated password is made of: none of them means anything in a URL or a shell.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A password of 32 letters.
pub(super) async fn ensure(_aws: &Aws, _instance: &Resource, _events: &Events) -> Result<Secret, ProviderError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| ProviderError::new(ErrorKind::Unavailable, format!("there are no random numbers: {error}")))?;
    Ok(Secret::new(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect::<String>()))
}
