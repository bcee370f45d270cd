//! Lists that are the same for every database, each asked for once a session.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, Semaphore};

/// So many are asked for at once: they are the longest answers there are, and a Terraform run asks about ten databases at a time.
const AT_ONCE: usize = 4;

/// What is known, or being asked for, by what was asked.
type Known<T> = BTreeMap<String, Arc<OnceCell<Arc<[T]>>>>;

/// Lists by what was asked. An error is not kept: whoever asks next tries again.
#[derive(Debug)]
pub(crate) struct Memo<T> {
    known: Mutex<Known<T>>,
    at_once: Semaphore,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self { known: Mutex::default(), at_once: Semaphore::new(AT_ONCE) }
    }
}

impl<T> Memo<T> {
    /// What is known under a key, or else what `ask` tells; those who want the same meanwhile wait for it.
    pub(crate) async fn get<E>(
        &self,
        key: String,
        ask: impl Future<Output = Result<Vec<T>, E>>,
    ) -> Result<Arc<[T]>, E> {
        let cell = Arc::clone(self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        let told = cell.get_or_try_init(|| async {
            // Never closed; were it, one more at once does no harm.
            let _permit = self.at_once.acquire().await;
            ask.await.map(Arc::from)
        });
        told.await.map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_many_want_at_once_is_asked_once_and_an_error_is_not_kept() {
        let (memo, asked) = (Memo::default(), AtomicU32::new(0));
        let ask = async |fails: bool| {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            if fails { Err("throttled") } else { Ok(vec![1, 2]) }
        };
        assert_eq!(memo.get("16".to_owned(), ask(true)).await, Err("throttled"));
        let all = futures_util::future::join_all((0..9).map(|_| memo.get("16".to_owned(), ask(false)))).await;
        assert!(all.iter().all(|told| told.as_deref() == Ok(&[1, 2][..])));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        assert_eq!(memo.get("17".to_owned(), ask(true)).await, Err("throttled"), "another key is another question");
    }
}
