//! What this machine cannot promise for a spec, said before anything is touched. Pure.
//!
//! A promise of safety that was made (written, or by the presets staging and prod) is refused until the user acknowledges its
//! code; made by nobody but a default, or under the preset dev, it is a warning. What is convenience is a warning.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pgherd_archive::KeyRing;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::spec::{Origin, Preset, Proxy, Setting, Spec};

use crate::desired;
use crate::encrypted::Encryption;
use crate::pooler::{INSTALL, Program};

/// The codes of the errors that a user may accept.
pub const ACCEPTABLE: &[&str] =
    &["customer-key-unavailable", "geo-redundant-backup-unavailable", "unencrypted-storage"];

/// Whether this machine has a second repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Second {
    /// It does.
    There,
    /// It does not.
    None {
        /// The file that would name its place.
        named_in: PathBuf,
    },
    /// What is written about it names none.
    Wrong {
        /// Why.
        why: String,
    },
}

/// Everything to be said; errors whose code was acknowledged are warnings.
///
/// `first`: what is wrong with the line that names the first repository. `pgbouncer` is the one of this machine; it is not looked at where the spec wants no pooler.
pub fn preflight(
    spec: &Spec,
    storage: &Encryption,
    pgbouncer: Option<&Program>,
    first: Option<&str>,
    second: &Second,
    accepted: &BTreeSet<String>,
) -> Vec<Diagnostic> {
    let promises = [encryption(spec, storage), own_key(spec), second_repository(spec, second)];
    let others = [
        first_repository(spec, first),
        key_file(spec),
        proxy(spec, pgbouncer),
        monitoring(spec),
        unknown_networks(spec),
    ];
    let acknowledged =
        |told: Diagnostic| if ACCEPTABLE.contains(&told.code) { told.acknowledged(accepted) } else { told };
    promises.into_iter().chain(others).flatten().map(acknowledged).collect()
}

fn encryption(spec: &Spec, storage: &Encryption) -> Option<Diagnostic> {
    let message = match storage {
        Encryption::Encrypted => return None,
        // Which disk, and why it cannot be told, is for doctor: a plan reads the same on every machine.
        Encryption::Plain { .. } | Encryption::CannotTell { .. } => {
            "the disk that the data is kept on is not known to be encrypted"
        }
    };
    let help = "keep the state folder on an encrypted disk (LUKS), or write storage_encrypted = false";
    let promised = if spec.preset == Some(Preset::Prod) { Diagnostic::error } else { Diagnostic::warning };
    spec.encryption
        .storage
        .then(|| promised("unencrypted-storage", message).at(&spec.block, "storage_encrypted").help(help))
}

/// A key of a cloud is none here.
fn own_key(spec: &Spec) -> Option<Diagnostic> {
    const NAME: &str = "kms_key_id";
    let key = spec.encryption.kms_key_id.known().filter(|_| desired::key_file(spec).is_none())?;
    let message = format!("{key} is no key of this machine: backups would be encrypted with the machine's own");
    let help = "write the absolute path of a key file, or leave it out; the disk is encrypted by the operating system, with its own key";
    Some(promise(spec, "customer-key-unavailable", NAME, &message).help(help))
}

/// A key file that cannot be used: nothing would be stored, rather than with another key.
fn key_file(spec: &Spec) -> Option<Diagnostic> {
    let path = desired::key_file(spec)?;
    if !spec.backup.encrypted {
        let message = "backups are not encrypted, and the disk is by the operating system, with its own key";
        return Some(Diagnostic::warning("customer-key-unused", message).at(&spec.block, "kms_key_id"));
    }
    let error = KeyRing::read(Path::new(path)).err()?;
    let help = error
        .help
        .unwrap_or_else(|| "a key file has 32 random bytes in base64, one key a line, and mode 0600".to_owned());
    Some(Diagnostic::error("customer-key-unusable", error.message).at(&spec.block, "kms_key_id").help(help))
}

/// Nothing could be stored, whatever the block says.
fn first_repository(spec: &Spec, trouble: Option<&str>) -> Option<Diagnostic> {
    let why = trouble.filter(|_| spec.backup.retention_days > 0)?;
    let message = format!("nothing could be stored: {why}");
    let help = "mend the file first-repository of the state folder, or remove it to store in a folder beside it";
    Some(Diagnostic::error("repository-unusable", message).at(&spec.block, "backup_retention_period").help(help))
}

fn second_repository(spec: &Spec, second: &Second) -> Option<Diagnostic> {
    const NAME: &str = "geo_redundant_backup";
    let message = "this machine has no second repository that would keep a copy of its backups";
    let help = match second {
        Second::There => return None,
        Second::None { named_in } => format!(
            "write its place, a folder on another disk or s3://BUCKET/FOLDER, into {}; or write geo_redundant_backup = false",
            named_in.display()
        ),
        Second::Wrong { why } => format!("mend what is written about it: {why}; or write geo_redundant_backup = false"),
    };
    let is_wanted = spec.effective.get(NAME).is_some_and(|effective| effective.value == "true");
    is_wanted.then(|| promise(spec, "geo-redundant-backup-unavailable", NAME, message).help(help))
}

fn proxy(spec: &Spec, pgbouncer: Option<&Program>) -> Option<Diagnostic> {
    let Proxy { pool_mode, .. } = spec.proxy.as_ref()?;
    let Some(program) = pgbouncer else {
        let message = "the pooler is PgBouncer, and there is none on this machine";
        let help = format!("{INSTALL}; or write enable_proxy = false");
        return Some(Diagnostic::error("pooler-missing", message).at(&spec.block, "enable_proxy").help(help));
    };
    let caveat = program.caveat(pool_mode)?;
    Some(Diagnostic::warning("pooler-version", caveat).at(&spec.block, "proxy_config"))
}

fn monitoring(spec: &Spec) -> Option<Diagnostic> {
    let monitoring = &spec.monitoring;
    let written = |name: &str| matches!(origin(spec, name), Some(Origin::Written | Origin::Alias(_)));
    let wanted = [
        (
            monitoring.interval_s > 0 && (written("monitoring_interval") || written("enable_enhanced_monitoring")),
            "OS-level metrics",
        ),
        (written("alarms"), "alarms"),
        (monitoring.dashboard && written("create_dashboard"), "a dashboard"),
    ];
    let missing: Vec<_> = wanted.into_iter().filter_map(|(wanted, name)| wanted.then_some(name)).collect();
    let message = format!("not available on this machine in this version: {}", missing.join(", "));
    (!missing.is_empty()).then(|| Diagnostic::warning("monitoring-unavailable", message).at(&spec.block, ""))
}

fn unknown_networks(spec: &Spec) -> Option<Diagnostic> {
    let rules = spec.network.rules.iter().flat_map(|rule| &rule.cidr_blocks);
    let mut unknown = spec.network.allowed_cidr_blocks.iter().chain(rules).filter_map(|cidr| match cidr {
        Setting::Unknown(reference) => Some(reference.as_str()),
        Setting::Known(_) | Setting::Unset => None,
    });
    let first = unknown.next()?;
    let message = format!("{first} is not known here, so nobody is let in from it");
    let help = "this machine itself is always let in; write the network as text to let others in";
    Some(Diagnostic::warning("unknown-network", message).at(&spec.block, "allowed_cidr_blocks").help(help))
}

/// An error where somebody made the promise, a warning where only a default did or everything is disposable.
fn promise(spec: &Spec, code: &'static str, variable: &str, message: &str) -> Diagnostic {
    let made = !matches!(origin(spec, variable), None | Some(Origin::Default | Origin::CloudDefault(_)));
    let severe = made && spec.preset != Some(Preset::Dev);
    let diagnostic = if severe { Diagnostic::error(code, message) } else { Diagnostic::warning(code, message) };
    diagnostic.at(&spec.block, variable)
}

fn origin<'a>(spec: &'a Spec, variable: &str) -> Option<&'a Origin> {
    spec.effective.get(variable).map(|effective| &effective.origin)
}

#[cfg(test)]
mod tests {
    use pgherd_core::cloud::Cloud;
    use pgherd_core::inputs::Inputs;
    use pgherd_core::spec::resolve;
    use pgherd_core::value::Value;

    use super::*;

    #[track_caller]
    fn check(arguments: &[(&str, Value)], storage: &Encryption, accepted: &[&str], expected: &[&str]) {
        let values = arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let spec = resolve(&Inputs { block: "db".to_owned(), values }, Some(Cloud::Local)).0.expect("a spec");
        let accepted = accepted.iter().map(|&code| code.to_owned()).collect();
        let none = Second::None { named_in: "/state/second-repository".into() };
        let said = preflight(&spec, storage, Some(&pgbouncer(21)), None, &none, &accepted);
        let said: Vec<_> = said.iter().map(|said| format!("{:?} {}", said.severity, said.code)).collect();
        assert_eq!(said, expected);
    }

    fn plain() -> Encryption {
        Encryption::Plain { device: "vda1".to_owned() }
    }

    #[test]
    fn what_nobody_asked_for_is_a_warning() {
        check(&[], &plain(), &[], &["Warning unencrypted-storage"]);
    }

    #[test]
    fn what_nobody_wants_is_not_mentioned() {
        check(&[("storage_encrypted", false.into())], &plain(), &[], &[]);
        check(&[("backup_retention_period", Value::Int(7))], &Encryption::Encrypted, &[], &[]);
    }

    #[test]
    fn a_promise_of_production_has_to_be_given_up_by_name() {
        let prod = [("preset", "prod".into())];
        check(&prod, &plain(), &[], &["Error unencrypted-storage"]);
        check(&prod, &plain(), &["unencrypted-storage"], &["Warning unencrypted-storage"]);
    }

    #[test]
    fn a_second_region_is_a_promise_of_safety() {
        let wanted = |value: bool| [("geo_redundant_backup", value.into()), ("backup_retention_period", Value::Int(0))];
        check(&wanted(true), &Encryption::Encrypted, &[], &["Error geo-redundant-backup-unavailable"]);
        let accepted = ["geo-redundant-backup-unavailable"];
        check(&wanted(true), &Encryption::Encrypted, &accepted, &["Warning geo-redundant-backup-unavailable"]);
        check(&wanted(false), &Encryption::Encrypted, &[], &[]);
        let disposable = [&wanted(true)[..], &[("preset", "dev".into())]].concat();
        check(&disposable, &Encryption::Encrypted, &[], &["Warning geo-redundant-backup-unavailable"]);
    }

    #[test]
    fn a_key_of_ones_own_is_a_file_that_can_be_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("db.key");
        let file = || Value::from(path.display().to_string().as_str());
        let wanted = [("kms_key_id", "arn:aws:kms:us-east-1:111122223333:key/1".into())];
        check(&wanted, &Encryption::Encrypted, &[], &["Error customer-key-unavailable"]);
        check(&wanted, &Encryption::Encrypted, &["customer-key-unavailable"], &["Warning customer-key-unavailable"]);
        check(&[("kms_key_id", file())], &Encryption::Encrypted, &[], &["Error customer-key-unusable"]);
        KeyRing::create(&path, None).expect("made");
        check(&[("kms_key_id", file())], &Encryption::Encrypted, &[], &[]);
        let plain = [("kms_key_id", file()), ("enable_backup_encryption", false.into())];
        check(&plain, &Encryption::Encrypted, &[], &["Warning customer-key-unused"]);
    }

    #[test]
    fn a_first_repository_that_cannot_be_used_is_an_error() {
        let inputs = Inputs { block: "db".to_owned(), values: [].into() };
        let spec = resolve(&inputs, Some(Cloud::Local)).0.expect("a spec");
        let wrong = Some("it names no place");
        let said = preflight(&spec, &Encryption::Encrypted, None, wrong, &Second::There, &BTreeSet::new());
        let told: Vec<_> = said.iter().map(|one| (one.code, one.message.as_str())).collect();
        assert_eq!(told, [("repository-unusable", "nothing could be stored: it names no place")]);
    }

    #[test]
    fn a_second_repository_keeps_the_promise() {
        let values =
            [("geo_redundant_backup".to_owned(), true.into()), ("storage_encrypted".to_owned(), false.into())].into();
        let spec = resolve(&Inputs { block: "db".to_owned(), values }, Some(Cloud::Local)).0.expect("a spec");
        assert_eq!(preflight(&spec, &Encryption::Encrypted, None, None, &Second::There, &BTreeSet::new()), []);
    }

    #[test]
    fn a_standby_and_replicas_are_made_here_and_not_mentioned() {
        let wanted = [
            ("multi_az", true.into()),
            ("create_read_replica", true.into()),
            ("backup_retention_period", Value::Int(0)),
        ];
        check(&wanted, &Encryption::Encrypted, &[], &[]);
    }

    #[test]
    fn conveniences_are_never_refused() {
        let wanted = [
            ("backup_retention_period", Value::Int(0)),
            ("monitoring_interval", Value::Int(60)),
            ("allowed_cidr_blocks", Value::List(vec![Value::Unknown("module.network.vpc_cidr".to_owned())])),
        ];
        check(&wanted, &Encryption::Encrypted, &[], &["Warning monitoring-unavailable", "Warning unknown-network"]);
    }

    fn pgbouncer(minor: u32) -> Program {
        Program { path: "/usr/sbin/pgbouncer".into(), version: (1, minor, 0) }
    }

    #[track_caller]
    fn check_pooler(pool_mode: &str, program: Option<&Program>, expected: Option<&str>) {
        let config = Value::Map([("pool_mode".to_owned(), pool_mode.into())].into());
        let values = [("proxy_config".to_owned(), config)].into();
        let spec = resolve(&Inputs { block: "db".to_owned(), values }, Some(Cloud::Local)).0.expect("a spec");
        let accepted = BTreeSet::from(["pooler-missing".to_owned()]);
        let said = preflight(&spec, &Encryption::Encrypted, program, None, &Second::There, &accepted);
        let about_pooler = said.iter().find(|said| said.code.starts_with("pooler"));
        let words = about_pooler.map(|said| format!("{:?} {}", said.severity, said.code));
        assert_eq!(words.as_deref(), expected);
    }

    #[test]
    fn a_pooler_needs_pgbouncer_and_a_recent_one_for_prepared_statements() {
        check_pooler("transaction", Some(&pgbouncer(21)), None);
        check_pooler("session", Some(&pgbouncer(18)), None);
        check_pooler("transaction", Some(&pgbouncer(18)), Some("Warning pooler-version"));
        // Acknowledging it makes none.
        check_pooler("session", None, Some("Error pooler-missing"));
    }
}
