//! The keys: whether what is made can be encrypted with them. RDS says so only minutes after it began.

use futures_util::future::join_all;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::{Action, Change, Step};
use pgherd_core::value::Value;

use super::{About, Answer, Doubt};
use crate::api::kms::{self, Key};
use crate::names;
use crate::provider::Aws;

/// Fields that hold a key, and the variable that is written for each.
const FIELDS: [(&str, &str); 2] = [("KmsKeyId", "kms_key_id"), (INSIGHTS, "performance_insights_kms_key_id")];

const INSIGHTS: &str = "PerformanceInsightsKMSKeyId";

/// A key that something is made with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    /// As it is written.
    key: String,
    /// Where it is needed.
    region: String,
    variable: &'static str,
}

/// What KMS tells of the keys.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) keys: Vec<(Asked, Answer<Option<Key>>)>,
}

impl Facts {
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        self.keys.iter().filter_map(|(_, answer)| answer.doubt()).collect()
    }
}

pub(super) async fn ask(aws: &Aws, about: &About<'_>) -> Facts {
    let looks = asked(about).into_iter().map(|asked| async {
        // Another region's is no use, whatever it is.
        let answer = match elsewhere(&asked) {
            Some(_) => Answer::Unasked,
            None => Answer::to("the key was not checked", kms::key(aws.session(), &asked.region, &asked.key).await),
        };
        (asked, answer)
    });
    Facts { keys: join_all(looks).await }
}

pub(super) fn say(about: &About<'_>, facts: &Facts) -> Vec<Diagnostic> {
    facts.keys.iter().filter_map(|(asked, answer)| key(about, asked, answer)).collect()
}

/// The keys of what is made, each once.
fn asked(about: &About<'_>) -> Vec<Asked> {
    let mut all: Vec<Asked> = about.plan.steps.iter().flat_map(|step| of_step(about, step)).collect();
    all.sort();
    all.dedup_by(|one, other| (&one.key, &one.region) == (&other.key, &other.region));
    all
}

fn of_step(about: &About<'_>, step: &Step) -> Vec<Asked> {
    let region = names::place(&step.id.kind, &step.id.name).0.unwrap_or_else(|| about.region.to_owned());
    let (resource, changes) = match &step.action {
        Action::Create { resource } => (resource, None),
        Action::Update { resource, changes } => (resource, Some(changes)),
        Action::Delete { .. } => return Vec::new(),
    };
    // A server keeps its key, and a secret gets another one; that of query analysis comes into use when that is turned on.
    let comes_into_use = |field: &str| {
        changes.is_none_or(|changes| {
            let turns_on = |one: &Change| one.field == "EnablePerformanceInsights" && one.to == Value::Bool(true);
            changes.iter().any(|one| one.field == field || field == INSIGHTS && turns_on(one))
        })
    };
    let key = |(field, variable): (&str, &'static str)| {
        let key = resource.props.get(field)?.as_text()?.to_owned();
        Some(Asked { key, region: region.clone(), variable })
    };
    FIELDS.into_iter().filter(|(field, _)| comes_into_use(field)).filter_map(key).collect()
}

/// The region of a key that is written in full, where that is another than the one it is needed in.
fn elsewhere(asked: &Asked) -> Option<&str> {
    let region = asked.key.strip_prefix("arn:")?.split(':').nth(2)?;
    (region != asked.region).then_some(region)
}

fn key(about: &About<'_>, asked: &Asked, answer: &Answer<Option<Key>>) -> Option<Diagnostic> {
    let Asked { key, region, variable } = asked;
    let error = |message: String, help: String| Some(about.error("kms-key", variable, message).help(help));
    if let Some(other) = elsewhere(asked) {
        return error(
            format!("the key is of {other}, and the data is in {region}"),
            format!("write a key of {region}"),
        );
    }
    let Some(found) = answer.known()? else {
        return error(format!("there is no key {key} in {region}"), "write its ARN, its id or its alias".to_owned());
    };
    if found.state != "Enabled" {
        let help = "enable it, or write another one; what it encrypts cannot be read without it";
        return error(format!("the key {key} cannot be used: it is {}", found.state), help.to_owned());
    }
    if found.spec != "SYMMETRIC_DEFAULT" || found.usage != "ENCRYPT_DECRYPT" {
        let message =
            format!("the key {key} is for {} with {}, and storage wants a symmetric one", found.usage, found.spec);
        return error(message, "write a symmetric key for encrypting and decrypting".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::case::Case;

    #[track_caller]
    fn check(written: &str, found: Option<(&str, &str, &str)>, expected: &[&str]) {
        let case = Case::made(&format!("kms_key_id = \"{written}\""));
        let text = str::to_owned;
        let found = found.map(|(state, spec, usage)| Key {
            state: text(state),
            spec: text(spec),
            usage: text(usage),
            manager: text("CUSTOMER"),
        });
        let facts = |about: &About<'_>| Facts {
            keys: asked(about).into_iter().map(|asked| (asked, Answer::Told(found.clone()))).collect(),
        };
        case.check(|about| say(about, &facts(about)), expected);
    }

    const FINE: Option<(&str, &str, &str)> = Some(("Enabled", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"));

    #[test]
    fn a_key_that_encrypts() {
        check("alias/orders", FINE, &[]);
        check("arn:aws:kms:eu-central-1:123456789012:key/0f1e", FINE, &[]);
    }

    #[test]
    fn a_key_that_does_not() {
        check(
            "alias/orders",
            None,
            &["error kms_key_id: there is no key alias/orders in eu-central-1 [write its ARN, its id or its alias]"],
        );
        check(
            "0f1e",
            Some(("PendingDeletion", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")),
            &[
                "error kms_key_id: the key 0f1e cannot be used: it is PendingDeletion [enable it, or write another one; what it encrypts cannot be read without it]",
            ],
        );
        check(
            "0f1e",
            Some(("Enabled", "RSA_2048", "SIGN_VERIFY")),
            &[
                "error kms_key_id: the key 0f1e is for SIGN_VERIFY with RSA_2048, and storage wants a symmetric one [write a symmetric key for encrypting and decrypting]",
            ],
        );
        check(
            "arn:aws:kms:us-east-1:123456789012:key/0f1e",
            FINE,
            &[
                "error kms_key_id: the key is of us-east-1, and the data is in eu-central-1 [write a key of eu-central-1]",
            ],
        );
    }
}
