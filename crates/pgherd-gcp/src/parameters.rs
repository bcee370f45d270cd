//! PostgreSQL settings as flags of Cloud SQL: whole numbers in PostgreSQL's own base units, as text. Pure.

use pgherd_core::catalogue::parameters::{self, Normal};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};

/// The flag that lets cloud identities log in.
pub const IAM: &str = "cloudsql.iam_authentication";

/// What Cloud SQL has no flag for: it loads libraries by flags of their own, and requires TLS by a setting of its own.
const NO_FLAGS: [&str; 2] = ["shared_preload_libraries", "ssl"];

/// The flags a spec wants.
pub fn of(spec: &Spec) -> Props {
    let written = spec.parameters.iter().filter(|(name, _)| !NO_FLAGS.contains(&name.as_str()));
    let mut flags: Props =
        written.map(|(name, written)| (name.clone(), Value::Text(flag(spec, name, written)))).collect();
    if spec.iam_authentication {
        flags.insert(IAM.to_owned(), "on".into());
    }
    flags
}

/// The value of a flag. What is not known is sent as it is written: Cloud SQL has flags of its own.
fn flag(spec: &Spec, name: &str, written: &str) -> String {
    let major = spec.engine_version.map(|version| version.major).or(spec.newest_major);
    let known = major.and_then(|major| parameters::find(name, major)).or_else(|| parameters::newest(name));
    match known.and_then(|known| parameters::parse(known, written).ok()) {
        Some(Normal::Bool(on)) => if on { "on" } else { "off" }.to_owned(),
        Some(Normal::Int(int)) => int.to_string(),
        Some(Normal::Real(real)) => real.to_string(),
        Some(Normal::Enum(word)) => word,
        Some(Normal::Text(_) | Normal::List(_)) | None => written.to_owned(),
    }
}
