//! Whether the database that is meant now is the one a state is about. A state that is taken for another database's changes that one,
//! and ends it.

use pgherd_core::resource::{Observed, Status};
use pgherd_core::spec::Spec;
use pgherd_core::value::Props;
use pgherd_engine::provider::{Provider, ProviderError};

use crate::fields;
use crate::protocol::{Diagnostic, Value};

/// Says where a database is, by which it is imported: `target/region/name`, or `target/name`.
pub fn id(provider: &dyn Provider, spec: &Spec) -> String {
    match provider.region() {
        Some(region) => format!("{}/{region}/{}", spec.target, spec.name),
        None => format!("{}/{}", spec.target, spec.name),
    }
}

/// A state of one target while another one is meant. Asked before the target is reached.
pub fn other_target(state: &Value, spec: &Spec) -> Option<Diagnostic> {
    let known = state.get("id").as_text()?;
    let target = known.split('/').next()?;
    (target != spec.target.name()).then(|| differs(known, &format!("one on {}", spec.target)))
}

/// Why what is there, or is not, is not what the state is about. Only the look itself can go wrong.
pub async fn another(
    state: &Value,
    provider: &dyn Provider,
    spec: &Spec,
    observed: &[Observed],
) -> Result<Option<Diagnostic>, ProviderError> {
    let found = other_place(state, provider, spec).or_else(|| other_account(state, &provider.outputs(spec, observed)));
    if found.is_some() || provider.is_among(observed) {
        return Ok(found);
    }
    if let Some(foreign) = foreign(provider, spec, observed) {
        return Ok(Some(foreign));
    }
    // In another account there is nothing of it either.
    let Some(known) = known_account(state) else { return Ok(None) };
    let now = provider.account().await?.filter(|now| !now.is_empty() && now != known);
    Ok(now.map(|now| differs(&format!("a database of account {known}"), &format!("one of account {now}"))))
}

/// A state of one place while another one is meant. Asked before anything is looked at.
pub fn other_place(state: &Value, provider: &dyn Provider, spec: &Spec) -> Option<Diagnostic> {
    let known = state.get("id").as_text()?;
    let now = id(provider, spec);
    (known != now).then(|| differs(known, &now))
}

/// A state of one account's database where another account's was found.
fn other_account(state: &Value, outputs: &Props) -> Option<Diagnostic> {
    let known = state.get(ARN).as_text().filter(|arn| arn.starts_with("arn:"))?;
    let found = fields::theirs(outputs.get(ARN)?);
    let found = found.as_text().filter(|found| *found != known)?;
    Some(differs(known, found))
}

/// The account that stands in the ARN: `arn:aws:rds:eu-central-1:123456789012:db:orders`.
fn known_account(state: &Value) -> Option<&str> {
    let arn = state.get(ARN).as_text().filter(|arn| arn.starts_with("arn:"))?;
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

/// What has the name and is somebody else's: a state that forgot it would have Terraform make another one, or think that it is gone.
fn foreign(provider: &dyn Provider, spec: &Spec, observed: &[Observed]) -> Option<Diagnostic> {
    let holds_data =
        |seen: &&Observed| provider.kinds().iter().any(|kind| kind.name == seen.id.kind && kind.holds_data);
    let mut foreign = observed.iter().filter(holds_data).filter_map(|seen| match &seen.status {
        Status::Foreign(reason) => Some(reason),
        _ => None,
    });
    let reason = foreign.next()?;
    let help = "Nothing was touched, and the state still knows it. `pgherd adopt` makes it pgherd's again; or take it out of the state with \
        `terraform state rm`, which leaves the database as it is.";
    Some(Diagnostic::error(format!("{} is there and is not pgherd's: {reason}.", id(provider, spec)), help))
}

const ARN: &str = "db_instance_arn";

fn differs(known: &str, now: &str) -> Diagnostic {
    let help = "Nothing was touched. Have target, region and credentials be as they were (the provider's block, PGHERD_TARGET, AWS_REGION, \
        AWS_PROFILE); or take it out of the state with `terraform state rm`, which leaves the database as it is.";
    Diagnostic::error(format!("The state is about {known}, and what is meant now is {now}."), help)
}

/// A database that a state knows and that is not there: made anew it would be an empty one.
pub fn gone(provider: &dyn Provider, spec: &Spec, is_there: bool) -> Option<Diagnostic> {
    let help = "Nothing was touched. Run `terraform apply -refresh-only` to have Terraform know it, then plan again: the plan says that one is made.";
    (!is_there).then(|| Diagnostic::error(format!("{} is not there any more.", id(provider, spec)), help))
}

#[cfg(test)]
mod tests {
    use pgherd_core::value::Value as Ours;

    use super::*;

    fn state(name: &str, value: &str) -> Value {
        Value::object([(name, Value::text(value))])
    }

    #[test]
    fn the_same_name_in_another_account_is_another_database() {
        let arn = |account: &str| format!("arn:aws:rds:eu-west-1:{account}:db:orders");
        let found = |account: &str| Props::from([(ARN.to_owned(), Ours::text(arn(account)))]);
        assert_eq!(other_account(&state(ARN, &arn("1")), &found("1")), None);
        assert_eq!(other_account(&state("id", "aws/eu-west-1/orders"), &found("1")), None, "just imported");
        assert_eq!(known_account(&state(ARN, &arn("1"))), Some("1"));
        assert_eq!(known_account(&state("id", "aws/eu-west-1/orders")), None);
        let said = other_account(&state(ARN, &arn("1")), &found("2")).expect("it is told");
        assert_eq!(
            said.summary,
            "The state is about arn:aws:rds:eu-west-1:1:db:orders, and what is meant now is arn:aws:rds:eu-west-1:2:db:orders."
        );
    }
}
