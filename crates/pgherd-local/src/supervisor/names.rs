//! Names that are asked for right now, so that two requests that are looked at side by side do not both find one free.
//!
//! A name is promised from before the look until its asker's ledger says what it is for; from then on that ledger is what others see.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Names of instances, by whom they are promised to.
#[derive(Debug, Default)]
pub struct Names(Mutex<BTreeMap<String, String>>);

impl Names {
    /// Promises a name to an instance: its own, or one that a replica of it is to have. Who has it, where that is another.
    pub fn promise(&self, name: &str, to: &str) -> Result<(), String> {
        let mut promised = self.locked();
        match promised.get(name) {
            Some(known) if known != to => Err(known.clone()),
            _ => {
                promised.insert(name.to_owned(), to.to_owned());
                Ok(())
            }
        }
    }

    /// Takes back what was promised to an instance.
    pub fn take_back(&self, to: &str) {
        self.locked().retain(|_, known| known != to);
    }

    /// A panic elsewhere makes no name unusable.
    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_promised_to_one_at_a_time() {
        let names = Names::default();
        assert_eq!(names.promise("copy", "orders"), Ok(()));
        assert_eq!(names.promise("copy", "orders"), Ok(()));
        assert_eq!(names.promise("copy", "copy"), Err("orders".to_owned()));
        assert_eq!(names.promise("other", "orders"), Ok(()));
        names.take_back("orders");
        assert_eq!(names.promise("copy", "copy"), Ok(()));
        assert_eq!(names.promise("other", "copy"), Ok(()));
        names.take_back("orders");
        assert_eq!(names.promise("copy", "billing"), Err("copy".to_owned()));
    }
}
