//! Whose a thing is, by its tags and its name, and how it is told as observed.

use std::future::Future;

use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::api::tags::Tags;
use crate::kinds::{instance, tags};
use crate::protocol::error::AwsError;

/// The database that resources are of; none where only some of them are looked at.
pub(super) fn database(wanted: &[Resource]) -> Option<&str> {
    wanted.iter().find(|resource| resource.id.kind == instance::NAME).map(|resource| resource.id.name.as_str())
}

/// The resources of a kind.
pub(super) fn of_kind<'a>(wanted: &'a [Resource], kind: &'a str) -> impl Iterator<Item = &'a Resource> {
    wanted.iter().filter(move |resource| resource.id.kind == kind)
}

/// Whether a thing is pgherd's: it wears the tag of a database, and that database's would have its name.
pub(super) fn is(worn: &Tags, would: impl FnOnce(&str) -> bool) -> bool {
    worn.get(tags::BLOCK).is_some_and(|database| would(database))
}

/// Its status by that.
pub(super) fn status(is_ours: bool) -> Status {
    if is_ours { Status::Available } else { Status::Foreign(format!("it has no tag {} of this database", tags::BLOCK)) }
}

/// That a thing is left alone.
pub(super) fn foreign(id: &Id) -> ProviderError {
    let message = format!("{id} exists and is not pgherd's: it has no tag {} of this database", tags::BLOCK);
    ProviderError::new(ErrorKind::Conflict, message)
        .help("`pgherd adopt` takes it over; or give the block another name")
}

/// The tags a thing wears, as far as they are compared with what is wanted.
pub(super) fn compared(worn: &Tags, wanted: &Props) -> Value {
    static NOTHING: Props = Props::new();
    tags::compared(worn, wanted.get("Tags").and_then(Value::as_map).unwrap_or(&NOTHING))
}

/// A thing that is there.
pub(super) fn seen(id: &Id, props: Props, status: Status) -> Observed {
    Observed { id: id.clone(), props, status, pending: Vec::new(), needs: Vec::new(), protected: false }
}

/// Tags that a step changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Retagging {
    /// Keys with their new values.
    pub(crate) set: Vec<(String, String)>,
    /// Keys that go.
    pub(crate) removed: Vec<String>,
}

impl Retagging {
    /// Those among changes; values that nobody knows are left as they are.
    pub(crate) fn of(changes: &[Change]) -> Self {
        let mut retagging = Self::default();
        for change in changes {
            let Some(key) = change.field.strip_prefix("Tags.") else { continue };
            match &change.to {
                Value::Null => retagging.removed.push(key.to_owned()),
                value => retagging.set.extend(value.as_text().map(|text| (key.to_owned(), text.to_owned()))),
            }
        }
        retagging
    }

    /// The same for what stands around an instance: what its block says stays with that.
    pub(crate) fn around(&self) -> Self {
        let mut around = self.clone();
        around.set.retain(|(key, _)| key != tags::WRITTEN);
        around.removed.retain(|key| key != tags::WRITTEN);
        around
    }

    /// Sets and takes away, by what does either to a thing; nothing is asked for what there is not.
    pub(crate) async fn carry<S, R>(&self, set: impl FnOnce() -> S, remove: impl FnOnce() -> R) -> Result<(), AwsError>
    where
        S: Future<Output = Result<(), AwsError>>,
        R: Future<Output = Result<(), AwsError>>,
    {
        if !self.set.is_empty() {
            set().await?;
        }
        if !self.removed.is_empty() {
            remove().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pgherd_core::plan::When;
    use pgherd_core::resource::Impact;

    use super::*;

    #[test]
    fn a_thing_is_ours_by_tag_and_name() {
        let worn = Tags::from([("pgherd:block".to_owned(), "orders".to_owned())]);
        assert!(is(&worn, |database| format!("{database}-db") == "orders-db"));
        assert!(!is(&worn, |database| format!("{database}-db") == "others-db"));
        assert!(!is(&Tags::new(), |_| true));
    }

    #[test]
    fn tags_are_set_and_removed_and_other_fields_left() {
        let change = |field: &str, to: Value| Change {
            field: field.to_owned(),
            from: Value::Null,
            to,
            impact: Impact::None,
            when: When::Now,
        };
        let changes = [
            change("Tags.Owner", "ann".into()),
            change("Tags.Team", Value::Null),
            change("Tags.Cost", Value::Unknown("var.cost".to_owned())),
            change("Rules.x", Value::Null),
        ];
        let expected =
            Retagging { set: vec![("Owner".to_owned(), "ann".to_owned())], removed: vec!["Team".to_owned()] };
        assert_eq!(Retagging::of(&changes), expected);
    }
}
