//! What is made once: nothing of RDS takes a token that makes a second request the same as the first, so whoever does not know whether
//! a thing was made looks.

use std::future::Future;

use pgherd_engine::provider::ProviderError;

use crate::protocol::error::AwsError;

/// So often something is made that is then not to be found.
const TRIES: usize = 3;

/// Something came to nothing: AWS refused it, or what had to come before.
#[derive(Debug)]
pub(crate) enum Refused {
    Aws(AwsError),
    Before(ProviderError),
}

impl From<AwsError> for Refused {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

impl From<ProviderError> for Refused {
    fn from(error: ProviderError) -> Self {
        Self::Before(error)
    }
}

impl From<Refused> for ProviderError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Aws(error) => error.into(),
            Refused::Before(error) => error,
        }
    }
}

/// Makes a thing that was not there a moment ago. `Some`: it was found after all, made by a request nobody answered or by somebody
/// else; whoever asked says whether it is ours.
pub(crate) async fn once<T, E, M, L>(
    exists: &str,
    mut make: impl FnMut() -> M,
    mut look: impl FnMut() -> L,
) -> Result<Option<T>, ProviderError>
where
    E: Into<Refused>,
    M: Future<Output = Result<(), E>>,
    L: Future<Output = Result<Option<T>, AwsError>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        match make().await.map_err(Into::into) {
            Ok(()) => return Ok(None),
            Err(Refused::Aws(error)) if error.maybe_done || error.is(exists) => match look().await? {
                Some(found) => return Ok(Some(found)),
                None if tries < TRIES => {}
                None => return Err(error.into()),
            },
            Err(refused) => return Err(refused.into()),
        }
    }
}
