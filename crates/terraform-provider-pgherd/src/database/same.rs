//! Whether the database that is meant now is the one a state is about. A state that is taken for another database's changes that one,
//! and ends it.

use std::path::{Path, PathBuf};

use pgherd_core::cloud::Cloud;
use pgherd_core::resource::{Id, Kind, Observed, Status};
use pgherd_core::spec::Spec;
use pgherd_core::value::Props;
use pgherd_engine::provider::{Provider, ProviderError};

use super::begun::Place;
use crate::fields;
use crate::meaning::sentence;
use crate::protocol::{Diagnostic, Value};
use crate::provider::Shared;
use crate::settings::Settings;

/// Says where a database is, by which it is imported: `target/region/name`, or `target/name`.
pub fn id(provider: &dyn Provider, spec: &Spec) -> String {
    match provider.region() {
        Some(region) => format!("{}/{region}/{}", spec.target, spec.name),
        None => format!("{}/{}", spec.target, spec.name),
    }
}

/// Where the databases of this configuration of the provider are, which another one by an alias may share, whatever its profile is called.
pub async fn place(shared: &Shared, settings: &Settings, provider: &dyn Provider) -> Result<Place, ProviderError> {
    if let Some(known) = shared.account(provider.cloud()) {
        return Ok(Place::Account(known));
    }
    let Some(account) = provider.account().await? else {
        return Ok(Place::Folder(settings.options.paths().state));
    };
    shared.is_account(provider.cloud(), &account);
    Ok(Place::Account(account))
}

/// Whether a state is of another target, or another folder of this machine. Asked before the target is reached.
pub fn elsewhere(state: &Value, settings: &Settings, spec: &Spec) -> Option<Diagnostic> {
    other_target(state, spec).or_else(|| other_folder(state, settings, spec))
}

/// A state of one target while another one is meant.
fn other_target(state: &Value, spec: &Spec) -> Option<Diagnostic> {
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
    let outputs = provider.outputs(spec, observed);
    let found = other_place(state, provider, spec)
        .or_else(|| other_account(state, &outputs))
        .or_else(|| other_cluster(state, &outputs).filter(|_| spec.target == Cloud::Local));
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

/// A state of one folder of this machine, or of another machine, while another one is meant: the file with its password is, or was, in the
/// one.
fn other_folder(state: &Value, settings: &Settings, spec: &Spec) -> Option<Diagnostic> {
    let known = state.get(SECRET).as_text().filter(|_| spec.target == Cloud::Local)?;
    let folder = settings.options.paths().state;
    let is_there = real(Path::new(known)).starts_with(real(&folder));
    (!is_there).then(|| differs(&whose_password(known), &format!("one below {}", folder.display())))
}

/// Where a path leads. What of it cannot be seen (it is deleted, not mounted, on another machine, another user's) is as it is written: that it
/// cannot be seen is no sign that it is the same.
pub fn real(path: &Path) -> PathBuf {
    let seen = |above: &Path| Some(above.canonicalize().ok()?.join(path.strip_prefix(above).ok()?));
    path.ancestors().find_map(seen).unwrap_or_else(|| path.to_owned())
}

fn whose_password(file: &str) -> String {
    format!("the database whose password is in {file}")
}

/// A state of one place while another one is meant. Asked before anything is looked at.
pub fn other_place(state: &Value, provider: &dyn Provider, spec: &Spec) -> Option<Diagnostic> {
    let known = state.get("id").as_text()?;
    let now = id(provider, spec);
    (known != now).then(|| differs(known, &now))
}

/// A state of one account's database where another account's was found. DigitalOcean's names hold an id that no other cluster has.
fn other_account(state: &Value, outputs: &Props) -> Option<Diagnostic> {
    let known = state.get(ARN).as_text().filter(|name| ["arn:", "do:dbaas:"].iter().any(|of| name.starts_with(of)))?;
    let found = fields::theirs(outputs.get(ARN)?);
    let found = found.as_text().filter(|found| *found != known)?;
    Some(differs(known, found))
}

/// A state of one of this machine's databases where another one was found. A restore in its place makes it another cluster, and leaves its
/// password where it is.
fn other_cluster(state: &Value, outputs: &Props) -> Option<Diagnostic> {
    let found = |name: &str| Some(fields::theirs(outputs.get(name)?).as_text()?.to_owned());
    let (cluster, file) = (found(RESOURCE)?, found(SECRET)?);
    let known = state.get(RESOURCE).as_text().filter(|known| *known != cluster)?;
    let secret = state.get(SECRET).as_text().filter(|known| real(Path::new(known)) != real(Path::new(&file)))?;
    let known = format!("{} (cluster {known})", whose_password(secret));
    Some(differs(&known, &format!("{} (cluster {cluster})", whose_password(&file))))
}

/// The account that stands in the ARN: `arn:aws:rds:eu-central-1:123456789012:db:orders`.
fn known_account(state: &Value) -> Option<&str> {
    let arn = state.get(ARN).as_text().filter(|arn| arn.starts_with("arn:"))?;
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

/// What has the name and is somebody else's: a state that forgot it would have Terraform make another one, or think that it is gone.
fn foreign(provider: &dyn Provider, spec: &Spec, observed: &[Observed]) -> Option<Diagnostic> {
    let help = "Nothing was touched, and the state still knows it. `pgherd adopt` makes it pgherd's again; or take it out of the state with \
        `terraform state rm`, which leaves the database as it is.";
    Some(Diagnostic::error(sentence(&anothers(provider, spec, observed)?), help))
}

/// That there is one of the name, and whose it is.
pub fn anothers(provider: &dyn Provider, spec: &Spec, observed: &[Observed]) -> Option<String> {
    let holds_data =
        |seen: &&Observed| provider.kinds().iter().any(|kind| kind.name == seen.id.kind && kind.holds_data);
    let mut foreign = observed.iter().filter(holds_data).filter_map(|seen| match &seen.status {
        Status::Foreign(reason) => Some(reason),
        _ => None,
    });
    let reason = foreign.next()?;
    Some(format!("{} is there and is not pgherd's: {reason}", id(provider, spec)))
}

const ARN: &str = "db_instance_arn";
const SECRET: &str = "db_credentials_secret_arn";
const RESOURCE: &str = "db_instance_resource_id";

fn differs(known: &str, now: &str) -> Diagnostic {
    let help = "Nothing was touched. Have target, region and credentials be as they were (the provider's block, PGHERD_TARGET, AWS_REGION, \
        AWS_PROFILE, PGHERD_STATE_DIR); or take it out of the state with `terraform state rm`, which leaves the database as it is.";
    Diagnostic::error(format!("The state is about {known}, and what is meant now is {now}."), help)
}

/// A database that a state knows and that is not there: made anew it would be an empty one.
pub fn gone(provider: &dyn Provider, spec: &Spec, observed: &[Observed]) -> Option<Diagnostic> {
    if provider.is_among(observed) {
        return None;
    }
    let (id, left) = (id(provider, spec), left(provider.kinds(), observed));
    if left.is_empty() {
        let help = "Nothing was touched. Run `terraform apply -refresh-only` to have Terraform know it, then plan again: the plan says that one is made.";
        return Some(Diagnostic::error(format!("{id} is not there any more."), help));
    }
    let help = "No apply makes another one in its place. A destroy was cut short, or somebody else deleted the database alone. `terraform destroy`, or taking the block \
        away, ends the rest. To have a new, empty one instead, take this one out of the state with `terraform state rm`, then apply.";
    let left: Vec<String> = left.into_iter().map(ToString::to_string).collect();
    let said = format!("{id} is not there any more, but some of what belongs to it is: {}.", left.join(", "));
    Some(Diagnostic::error(said, help))
}

/// Two blocks that mean one database would both change it, and the end of one of them would end it for both.
pub fn twice(id: &str) -> Diagnostic {
    let help = "Give each block a name of its own, also where they have provider configurations of their own and these mean one account; without one it is \
        `database`. Of two addresses in the state that are about one database take \
        one out with `terraform state rm`, which leaves the database as it is.";
    Diagnostic::error(format!("Two blocks mean {id}."), help).at("name")
}

/// What no other database has, not even one that gets the name of this one later.
pub fn own_id(provider: &dyn Provider, spec: &Spec, observed: &[Observed]) -> Option<String> {
    provider.outputs(spec, observed).get(RESOURCE)?.as_text().map(str::to_owned)
}

/// What there is of a database, be it gone or not, that its end would take away. While a state knows of it, somebody can still end it: a
/// destroy that was cut short has ended the database first.
pub fn left<'o>(kinds: &[Kind], observed: &'o [Observed]) -> Vec<&'o Id> {
    let stays = |id: &Id| kinds.iter().any(|kind| kind.name == id.kind && kind.outlives);
    let is_ours = |seen: &&Observed| !matches!(seen.status, Status::Foreign(_));
    observed.iter().filter(is_ours).map(|seen| &seen.id).filter(|id| !stays(id)).collect()
}

#[cfg(test)]
mod tests {
    use pgherd_core::value::Value as Ours;
    use pgherd_targets::Options;

    use super::*;
    use crate::meaning::Meaning;

    fn state(name: &str, value: &str) -> Value {
        Value::object([(name, Value::text(value))])
    }

    #[test]
    fn what_outlives_its_database_or_is_anothers_is_not_left_of_it() {
        let kind = |name, outlives| Kind { name, holds_data: false, outlives, fields: &[] };
        let kinds = [kind("group", false), kind("log", true)];
        let seen = |kind: &str, status| Observed {
            id: Id::new(kind, "orders"),
            props: Props::new(),
            status,
            pending: Vec::new(),
            needs: Vec::new(),
            protected: false,
        };
        let foreign = seen("group", Status::Foreign("it wears no tag".to_owned()));
        assert_eq!(left(&kinds, &[foreign, seen("log", Status::Available)]), [] as [&Id; 0]);
        assert_eq!(left(&kinds, &[seen("group", Status::Available)]), [&Id::new("group", "orders")]);
    }

    /// The folder may be gone, not mounted or on another machine.
    #[test]
    fn the_same_name_in_another_folder_is_another_database_whatever_can_be_seen() {
        let root = tempfile::tempdir().expect("a folder");
        let (one, linked, other) = (root.path().join("one"), root.path().join("linked"), root.path().join("other"));
        std::fs::create_dir_all(one.join("orders")).expect("a folder");
        std::fs::create_dir(&other).expect("a folder");
        std::os::unix::fs::symlink(&one, &linked).expect("a link");
        let inputs = Value::object([("cloud_provider", Value::text("local")), ("name", Value::text("orders"))]);
        let is_there = |state_dir: &Path, file: &Path| {
            let options = Options { state_dir: Some(state_dir.to_owned()), ..Options::default() };
            let settings = Settings { options, ..Settings::default() };
            let spec = Meaning::of(&inputs, &settings).0.expect("it is known where it is");
            other_folder(&state(SECRET, &file.to_string_lossy()), &settings, &spec).is_none()
        };
        for folder in [&one, &linked] {
            let file = folder.join("orders/password");
            assert!(is_there(&one, &file) && is_there(&linked, &file), "it was deleted by others");
            assert!(!is_there(&other, &file) && !is_there(&root.path().join("nowhere"), &file));
        }
        let gone = root.path().join("gone/orders/password");
        assert!(!is_there(&one, &gone) && is_there(&root.path().join("gone"), &gone));
    }

    #[test]
    fn another_cluster_with_another_password_is_another_database() {
        let outputs = |cluster: &str, file: &str| {
            let pairs = [(RESOURCE, cluster), (SECRET, file)];
            Props::from(pairs.map(|(name, value)| (name.to_owned(), Ours::text(value))))
        };
        let state = Value::object([(RESOURCE, Value::text("1")), (SECRET, Value::text("/a/orders"))]);
        assert_eq!(other_cluster(&state, &outputs("1", "/a/orders")), None);
        assert_eq!(other_cluster(&state, &outputs("2", "/a/orders")), None, "restored in its place");
        assert_eq!(other_cluster(&state, &outputs("1", "/b/orders")), None, "moved");
        assert!(other_cluster(&state, &outputs("2", "/b/orders")).is_some());
        assert_eq!(other_cluster(&Value::object::<String>([]), &outputs("2", "/b/orders")), None, "just imported");
    }

    #[test]
    fn the_same_name_in_another_account_is_another_database() {
        let arn = |account: &str| format!("arn:aws:rds:eu-west-1:{account}:db:orders");
        let found = |account: &str| Props::from([(ARN.to_owned(), Ours::text(arn(account)))]);
        assert_eq!(other_account(&state(ARN, &arn("1")), &found("1")), None);
        assert_eq!(other_account(&state("id", "aws/eu-west-1/orders"), &found("1")), None, "just imported");
        assert_eq!(known_account(&state(ARN, &arn("1"))), Some("1"));
        assert_eq!(known_account(&state("id", "aws/eu-west-1/orders")), None);
        let urn = |id: &str| Props::from([(ARN.to_owned(), Ours::text(format!("do:dbaas:{id}")))]);
        assert_eq!(other_account(&state(ARN, "do:dbaas:9cc1"), &urn("9cc1")), None);
        assert!(other_account(&state(ARN, "do:dbaas:9cc1"), &urn("7a02")).is_some(), "another cluster of that name");
        let said = other_account(&state(ARN, &arn("1")), &found("2")).expect("it is told");
        assert_eq!(
            said.summary,
            "The state is about arn:aws:rds:eu-west-1:1:db:orders, and what is meant now is arn:aws:rds:eu-west-1:2:db:orders."
        );
    }
}
