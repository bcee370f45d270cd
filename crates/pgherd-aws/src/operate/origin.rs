//! What a database is restored from: found, and refused where what is wanted cannot come of it.

use jiff::Timestamp;
use jiff::civil::Date;
use pgherd_core::catalogue::versions;
use pgherd_core::cloud::Cloud;
use pgherd_core::resource::Resource;
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};
use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, Point, ProviderError};

use crate::api::kms;
use crate::api::rds::{self, Automated, Kept, RestoredFrom, Snapshot};
use crate::live::spelling::{self, Keys};
use crate::provider::Aws;

/// The field of an instance that names its key.
const KEY: &str = "KmsKeyId";

/// A backup, and what is known of the database it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Which backup.
    pub(crate) from: RestoredFrom,
    /// What it is of.
    pub(crate) kept: Kept,
    /// Its database; `None`: nobody tells before it is restored.
    pub(crate) database: Option<String>,
}

/// How a point is written in a tag: so that whoever goes on with a restore goes on with the same one.
pub(super) fn words(name: &str, point: &Point) -> String {
    match point {
        Point::Latest => format!("{name} latest"),
        Point::At(at) => format!("{name} at {at}"),
        Point::Lsn(lsn) => format!("{name} up to {lsn}"),
        Point::Backup(backup) => format!("{name} backup {backup}"),
    }
}

/// Looks for what a database of a name, there or gone, is restored from.
pub(super) async fn found(aws: &Aws, name: &str, point: &Point) -> Result<Origin, ProviderError> {
    let (session, region) = (aws.session(), aws.region());
    if let Point::Backup(backup) = point {
        let found = rds::snapshot(session, region, &backup.to_lowercase()).await?;
        return of_snapshot(name, backup, found);
    }
    let at = if let Point::At(at) = point { Some(*at) } else { None };
    let automated = rds::automated(session, region, name).await?;
    let Some(of) = chosen(&automated) else {
        return Err(no_moments(name, &rds::snapshots_of(session, region, name).await?));
    };
    let from = moment(name, of, at)?;
    let there = rds::instance(session, region, name).await?;
    let is_it = |props: &Props| props.get("DbiResourceId").and_then(Value::as_text) == Some(of.resource_id.as_str());
    let database = there
        .filter(|there| is_it(&there.props))
        .map(|there| there.props.get("DBName").and_then(Value::as_text).unwrap_or("postgres").to_owned());
    Ok(Origin { from, kept: of.kept.clone(), database })
}

fn of_snapshot(name: &str, asked: &str, found: Option<Snapshot>) -> Result<Origin, ProviderError> {
    let refused = |kind, message: String| Err(ProviderError::new(kind, message).help("pgherd backups lists them"));
    let Some(found) = found else { return refused(ErrorKind::NotFound, format!("there is no backup {asked}")) };
    if found.instance != name {
        return refused(ErrorKind::Invalid, format!("{asked} is a backup of {}, not of {name}", found.instance));
    }
    match found.status.as_str() {
        "available" => Ok(Origin { from: RestoredFrom::Snapshot(found.name), kept: found.kept, database: None }),
        "creating" => Err(ProviderError::new(ErrorKind::Conflict, format!("{asked} is not complete yet"))
            .help("run this again once pgherd backups shows it as available")),
        word => refused(ErrorKind::Conflict, format!("{asked} is {word}")),
    }
}

/// Those of the instance that is there, or else of the one that went last.
fn chosen(automated: &[Automated]) -> Option<&Automated> {
    let restorable = || automated.iter().filter(|one| one.range.is_some());
    let last = || restorable().max_by_key(|one| one.range.map(|(_, latest)| latest));
    restorable().find(|one| one.is_active).or_else(last)
}

fn moment(name: &str, of: &Automated, at: Option<Timestamp>) -> Result<RestoredFrom, ProviderError> {
    match (at, of.range) {
        (Some(at), Some((earliest, latest))) if at < earliest || at > latest => {
            let message = format!("{name} cannot be restored to {at}: RDS has what is from {earliest} to {latest}");
            let help =
                "give a time in between, or a backup that pgherd backups lists; the last five minutes come later";
            Err(ProviderError::new(ErrorKind::Invalid, message).help(help))
        }
        _ => Ok(match &of.copies {
            Some(arn) => RestoredFrom::Copies(arn.clone(), at),
            None => RestoredFrom::Moment(of.resource_id.clone(), at),
        }),
    }
}

fn no_moments(name: &str, snapshots: &[Snapshot]) -> ProviderError {
    let newest = snapshots.iter().filter(|one| one.status == "available").max_by_key(|one| one.taken);
    let message = format!("RDS has no automated backups of {name} that could be restored");
    match newest {
        Some(newest) => ProviderError::new(ErrorKind::NotFound, message)
            .help(format!("--backup {} restores its newest backup", newest.name)),
        None => ProviderError::new(ErrorKind::NotFound, message)
            .help("there is no other backup of it either; automated ones are there a few minutes after creation, while backup_retention_period is not 0"),
    }
}

impl Origin {
    /// A spec that writes no version, of the major that there is: a restore changes none.
    pub(super) fn fitted(&self, to: &Spec) -> Spec {
        match (to.engine_version, self.major()) {
            (None, Some(major)) => Spec { newest_major: Some(major), parameter_group_family: None, ..to.clone() },
            _ => to.clone(),
        }
    }

    fn major(&self) -> Option<u32> {
        Version::parse(&self.kept.version).map(|version| version.major)
    }

    /// Refuses what is wanted and cannot come of this.
    pub(super) async fn fits(&self, aws: &Aws, wanted: &Resource) -> Result<(), ProviderError> {
        let mut keys = Keys::new();
        // Only an alias has to be asked for.
        let written = wanted.props.get(KEY).and_then(Value::as_text).filter(|key| key.contains("alias/"));
        if let Some(alias) = written
            && let Some(arn) = kms::key_arn(aws.session(), aws.region(), alias).await?
        {
            keys.insert(alias.to_owned(), arn);
        }
        self.refuses(wanted, &keys, aws.today()).map_or(Ok(()), Err)
    }

    /// What is wanted and cannot come of this; all of it at once.
    fn refuses(&self, wanted: &Resource, keys: &Keys, today: Date) -> Option<ProviderError> {
        let refused = [
            self.of_other_major(&wanted.props),
            self.of_ended_major(today),
            self.of_other_text(&wanted.props, "MasterUsername", "administrator", "master_username"),
            self.of_other_text(&wanted.props, "DBName", "database", "database_name"),
            self.of_other_encryption(&wanted.props),
            self.of_other_key(&wanted.props, keys),
        ];
        let (messages, helps): (Vec<String>, Vec<String>) = refused.into_iter().flatten().unzip();
        let error = ProviderError::new(ErrorKind::Invalid, messages.join("; ")).help(helps.join("; "));
        (!messages.is_empty()).then_some(error)
    }

    fn of_other_major(&self, wanted: &Props) -> Option<(String, String)> {
        let version = Version::parse(wanted.get("EngineVersion")?.as_text()?)?;
        let kept = self.major().filter(|kept| *kept != version.major)?;
        let message = format!("the backup is of PostgreSQL {kept}, the block says {}", version.major);
        Some((message, format!("write engine_version = \"{kept}\", and upgrade what is restored afterwards")))
    }

    /// What is restored without extended support does not stay of a major that standard support has ended for (botocore 1.43.11,
    /// RestoreDBInstanceFromDBSnapshot, `EngineLifecycleSupport`).
    fn of_ended_major(&self, today: Date) -> Option<(String, String)> {
        // Those before 10 have two numbers in their major: `9.6.24`.
        let major: u32 = self.kept.version.split('.').next()?.parse().ok()?;
        let ended = match versions::find(major) {
            Some(known) if known.offered_by(Cloud::Aws, today) => return None,
            Some(known) => format!("ended on {}", known.rds_standard_until),
            None if versions::all().first().is_some_and(|oldest| major < oldest.major) => "ended long ago".to_owned(),
            None => return None,
        };
        let message = format!(
            "RDS takes what is restored of PostgreSQL {major} to a newer major by itself, since its standard support {ended}"
        );
        let verb = match self.from {
            RestoredFrom::Snapshot(_) => "restore-db-instance-from-db-snapshot",
            RestoredFrom::Moment(..) | RestoredFrom::Copies(..) => "restore-db-instance-to-point-in-time",
        };
        let help = format!(
            "`aws rds {verb} --engine-lifecycle-support open-source-rds-extended-support` restores it as it is, which is billed for as \
             long as it runs"
        );
        Some((message, help))
    }

    fn of_other_text(&self, wanted: &Props, field: &str, what: &str, variable: &str) -> Option<(String, String)> {
        let kept = match field {
            "MasterUsername" => Some(&self.kept.username),
            _ => self.database.as_ref(),
        };
        let wanted = wanted.get(field)?.as_text()?;
        let kept = kept.filter(|kept| kept.as_str() != wanted)?;
        let message = format!("the {what} in the backup is {kept}, the block says {wanted}");
        Some((message, format!("write {variable} = \"{kept}\"")))
    }

    fn of_other_encryption(&self, wanted: &Props) -> Option<(String, String)> {
        let kept = self.kept.encrypted;
        if wanted.get("StorageEncrypted") == Some(&Value::Bool(kept)) {
            return None;
        }
        Some(match kept {
            true => (
                "the backup is encrypted, and what comes of it is, too".to_owned(),
                "write storage_encrypted = true".to_owned(),
            ),
            false => (
                "the backup is not encrypted, so what comes of it is not either".to_owned(),
                "copy the snapshot with a key and restore that copy; or write storage_encrypted = false".to_owned(),
            ),
        })
    }

    /// A restore takes the key of the backup along; no call of it names another one.
    fn of_other_key(&self, wanted: &Props, keys: &Keys) -> Option<(String, String)> {
        let (written, kept) = (wanted.get(KEY)?.as_text()?, self.kept.key.as_ref()?);
        if spelling::is_same_key(written, kept, keys) {
            return None;
        }
        let message = format!("the backup is encrypted with {kept}, the block says {written}");
        Some((
            message,
            format!("write kms_key_id = \"{kept}\"; or copy the snapshot with the other key and restore that copy"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use pgherd_core::resource::Id;

    use super::*;
    use crate::kinds::{instance, props};

    fn kept(version: &str) -> Kept {
        Kept {
            version: version.to_owned(),
            username: "chief".to_owned(),
            gib: 20,
            encrypted: true,
            key: Some("arn:aws:kms:eu-central-1:123456789012:key/k-1".to_owned()),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn automated(id: &str, is_active: bool, latest: &str) -> Automated {
        let range = Some((at("2026-11-20T00:00:00Z"), at(latest)));
        Automated { resource_id: id.to_owned(), copies: None, is_active, range, kept: kept("16.13") }
    }

    fn said<T>(result: Result<T, ProviderError>) -> String {
        result.map_or_else(|error| format!("{}; {}", error.message, error.help), |_| String::new())
    }

    #[test]
    fn the_instance_that_is_there_comes_before_one_that_is_gone() {
        let all = [automated("db-1", false, "2026-11-21T00:00:00Z"), automated("db-2", true, "2026-11-20T10:00:00Z")];
        assert_eq!(chosen(&all).map(|one| one.resource_id.as_str()), Some("db-2"));
        let gone = [automated("db-1", false, "2026-11-21T00:00:00Z"), automated("db-3", false, "2026-11-20T10:00:00Z")];
        assert_eq!(chosen(&gone).map(|one| one.resource_id.as_str()), Some("db-1"));
        assert_eq!(chosen(&[Automated { range: None, ..gone[0].clone() }]), None);
    }

    #[test]
    fn a_time_outside_of_what_there_is_is_refused_with_what_there_is() {
        let of = automated("db-1", true, "2026-11-21T00:00:00Z");
        assert_eq!(moment("orders", &of, None), Ok(RestoredFrom::Moment("db-1".to_owned(), None)));
        assert!(moment("orders", &of, Some(at("2026-11-20T12:00:00Z"))).is_ok());
        insta::assert_snapshot!(said(moment("orders", &of, Some(at("2026-11-21T00:00:01Z")))), @"orders cannot be restored to 2026-11-21T00:00:01Z: RDS has what is from 2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z; give a time in between, or a backup that pgherd backups lists; the last five minutes come later");
    }

    fn snapshot(instance: &str, status: &str) -> Snapshot {
        Snapshot {
            name: "orders-1".to_owned(),
            instance: instance.to_owned(),
            kind: "manual".to_owned(),
            status: status.to_owned(),
            taken: Some(at("2026-11-20T00:00:00Z")),
            kept: kept("16.13"),
        }
    }

    #[test]
    fn a_backup_must_be_there_and_whole_and_of_this_database() {
        let of = |found| said(of_snapshot("orders", "orders-1", found));
        assert_eq!(of(Some(snapshot("orders", "available"))), "");
        let all = [None, Some(snapshot("others", "available")), Some(snapshot("orders", "creating"))].map(of);
        insta::assert_snapshot!(all.join("\n"), @r#"
        there is no backup orders-1; pgherd backups lists them
        orders-1 is a backup of others, not of orders; pgherd backups lists them
        orders-1 is not complete yet; run this again once pgherd backups shows it as available
        "#);
    }

    #[test]
    fn without_automated_backups_the_newest_other_one_is_named() {
        let error = |snapshots: &[Snapshot]| said::<()>(Err(no_moments("orders", snapshots)));
        insta::assert_snapshot!(error(&[snapshot("orders", "available")]), @"RDS has no automated backups of orders that could be restored; --backup orders-1 restores its newest backup");
        insta::assert_snapshot!(error(&[]), @"RDS has no automated backups of orders that could be restored; there is no other backup of it either; automated ones are there a few minutes after creation, while backup_retention_period is not 0");
    }

    #[track_caller]
    fn check(wanted: impl IntoIterator<Item = (&'static str, Value)>, expected: &str) {
        let resource = Resource { id: Id::new(instance::NAME, "orders"), props: props(wanted), needs: Vec::new() };
        let from = RestoredFrom::Snapshot("orders-1".to_owned());
        let origin = Origin { from, kept: kept("16.13"), database: Some("shop".to_owned()) };
        let keys = Keys::from([("alias/orders".to_owned(), kept("16").key.unwrap_or_default())]);
        let found = origin.refuses(&resource, &keys, TODAY);
        assert_eq!(found.map_or_else(String::new, |error| format!("{}\n{}", error.message, error.help)), expected);
    }

    const TODAY: Date = date(2026, 11, 22);

    #[test]
    fn a_major_that_rds_would_not_keep_is_not_restored() {
        let from = |from: RestoredFrom, version: &str, today: Date| {
            let origin = Origin { from, kept: kept(version), database: None };
            let resource = Resource { id: Id::new(instance::NAME, "orders"), props: props([]), needs: Vec::new() };
            let encrypted = Props::from([("StorageEncrypted".to_owned(), true.into())]);
            origin.refuses(&Resource { props: encrypted, ..resource }, &Keys::new(), today)
        };
        let snapshot = || RestoredFrom::Snapshot("orders-1".to_owned());
        let of = |version: &str, today: Date| from(snapshot(), version, today).map(|error| error.message);
        let said = "RDS takes what is restored of PostgreSQL 13 to a newer major by itself, since its standard support ended on 2026-02-28";
        assert_eq!(of("13.22", TODAY).as_deref(), Some(said));
        assert!(of("9.6.24", TODAY).is_some_and(|said| said.ends_with("ended long ago")));
        let help = |of: RestoredFrom| from(of, "13.22", TODAY).map(|error| error.help).unwrap_or_default();
        assert!(help(snapshot()).contains("restore-db-instance-from-db-snapshot"));
        assert!(help(RestoredFrom::Moment("db-1".to_owned(), None)).contains("restore-db-instance-to-point-in-time"));
        assert_eq!(of("14.20", TODAY), None);
        assert!(of("14.20", date(2027, 3, 1)).is_some());
        assert_eq!(of("16.13", TODAY), None);
    }

    #[test]
    fn what_a_restore_cannot_change_is_refused_all_at_once() {
        let wanted = |version: &str, user: &str, database: &str, encrypted: bool| {
            [
                ("EngineVersion", Value::text(version)),
                ("MasterUsername", user.into()),
                ("DBName", database.into()),
                ("StorageEncrypted", encrypted.into()),
            ]
        };
        check(wanted("16", "chief", "shop", true), "");
        check(
            wanted("17", "boss", "store", false),
            "the backup is of PostgreSQL 16, the block says 17; the administrator in the backup is chief, the block says boss; \
             the database in the backup is shop, the block says store; the backup is encrypted, and what comes of it is, too\n\
             write engine_version = \"16\", and upgrade what is restored afterwards; write master_username = \"chief\"; \
             write database_name = \"shop\"; write storage_encrypted = true",
        );
    }
    #[test]
    fn a_restore_takes_the_key_of_the_backup_along() {
        let wanted = |key: &str| [("StorageEncrypted", true.into()), ("KmsKeyId", Value::text(key))];
        for same in ["alias/orders", "k-1", "arn:aws:kms:eu-central-1:123456789012:key/k-1"] {
            check(wanted(same), "");
        }
        check(
            wanted("alias/other"),
            "the backup is encrypted with arn:aws:kms:eu-central-1:123456789012:key/k-1, the block says alias/other\n\
             write kms_key_id = \"arn:aws:kms:eu-central-1:123456789012:key/k-1\"; or copy the snapshot with the other key and \
             restore that copy",
        );
    }
}
