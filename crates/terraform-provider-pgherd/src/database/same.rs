//! Whether the database that is meant now is the one a state is about. A state that is taken for another database's changes that one,
//! and ends it.

use pgherd_core::spec::Spec;
use pgherd_core::value::Props;
use pgherd_engine::provider::Provider;

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

/// A state of one place while another one is meant.
pub fn other_place(state: &Value, provider: &dyn Provider, spec: &Spec) -> Option<Diagnostic> {
    let known = state.get("id").as_text()?;
    let now = id(provider, spec);
    (known != now).then(|| differs(known, &now))
}

/// A state of one account's database where another account's was found.
pub fn other_account(state: &Value, outputs: &Props) -> Option<Diagnostic> {
    let known = state.get(ARN).as_text().filter(|arn| arn.starts_with("arn:"))?;
    let found = fields::theirs(outputs.get(ARN)?);
    let found = found.as_text().filter(|found| *found != known)?;
    Some(differs(known, found))
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
        let said = other_account(&state(ARN, &arn("1")), &found("2")).expect("it is told");
        assert_eq!(
            said.summary,
            "The state is about arn:aws:rds:eu-west-1:1:db:orders, and what is meant now is arn:aws:rds:eu-west-1:2:db:orders."
        );
    }
}
