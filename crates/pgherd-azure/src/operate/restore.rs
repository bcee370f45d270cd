//! `restore` and `clone`: a server of its own of a moment of another, and then everything of its block around it.

use jiff::{SignedDuration, Timestamp};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, Point, ProviderError};
use pgherd_engine::through::through;
use serde_json::json;

use crate::api::{self, Document, Server};
use crate::kinds::{server, zone};
use crate::live::{self, in_force, intended, made};
use crate::observe::{Found, find, foreign, ours};
use crate::provider::Azure;
use crate::tags;
use crate::wait::{say, settled};
use crate::{names, observe};

/// Makes a database of another as it was.
pub(super) async fn restore(
    azure: &Azure,
    name: &str,
    to: &Spec,
    point: &Point,
    events: &Events,
) -> Result<(), ProviderError> {
    if name == to.name {
        let words = format!("{name} cannot be a copy of itself");
        return Err(ProviderError::new(ErrorKind::Conflict, words).help("--as names the new database"));
    }
    let source = ours(azure, name).await?;
    let wanted = match point {
        Point::Latest => None,
        Point::At(moment) => Some(*moment),
        Point::Backup(backup) => Some(taken_at(azure, name, backup).await?),
        Point::Lsn(_) => return Err(ProviderError::new(ErrorKind::Unsupported, "Azure restores to a moment")),
    };
    let mark = format!("{name} {}", wanted.map_or_else(|| "latest".to_owned(), |at| at.to_string()));
    match find(azure, &to.name).await? {
        Found::Nothing => {
            let moment = moment(&source, wanted)?;
            say(events, format!("{} is made of {name} as of {moment}", to.name));
            if let Some(zone) = zone::wanted(to) {
                live::create(azure, &zone, events).await?;
            }
            let body = body(azure, &source, to, &mark, moment).await?;
            made(azure, &to.name, name, &body, events).await?;
        }
        // One of this moment is the same again; of now there is another one every time, but for one that was cut short.
        Found::Ours(there)
            if there.tags().get(tags::RESTORED) == Some(&mark)
                && (wanted.is_some() || live::password(azure, &to.name).await.is_err()) => {}
        Found::Ours(_) => {
            let words = format!("there is a database {} already", to.name);
            let help = "--as names one that is not there; `pgherd apply` of its block finishes one that was cut short";
            return Err(ProviderError::new(ErrorKind::Conflict, words).help(help));
        }
        Found::Foreign(_, why) => return Err(foreign(&to.name, &why)),
    }
    settled(azure, &to.name, azure.patience().making, events).await?;
    password_put(azure, to, events).await?;
    through(&azure.restoring(mark), to, events).await
}

/// When a backup was taken: Azure restores to a moment, and to none before the end of a backup.
async fn taken_at(azure: &Azure, name: &str, backup: &str) -> Result<Timestamp, ProviderError> {
    let all = api::backups(azure.at(), name).await?;
    let found = all.iter().find(|one| one.name == backup).and_then(|one| one.taken_at);
    found.ok_or_else(|| {
        let listed: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        ProviderError::new(ErrorKind::NotFound, format!("{name} has no backup {backup}"))
            .help(format!("its backups: {}", listed.join(", ")))
    })
}

/// The moment that is asked of Azure, unless it is not kept.
fn moment(source: &Server, wanted: Option<Timestamp>) -> Result<Timestamp, ProviderError> {
    let first = source.0["properties"]["backup"]["earliestRestoreDate"].as_str();
    let first: Option<Timestamp> = first.and_then(|time| time.parse().ok());
    let name = source.name();
    match (wanted, first) {
        (_, None) => Err(ProviderError::new(ErrorKind::NotFound, format!("{name} has no backup yet"))
            .help("Azure takes the first one within minutes; then run this again")),
        (Some(wanted), Some(first)) if wanted < first => {
            Err(ProviderError::new(ErrorKind::NotFound, format!("{name} cannot be restored to {wanted}"))
                .help(format!("it can be restored to any moment since {first}")))
        }
        // Azure has the log of all but the last minutes, and waits for none.
        (None, Some(first)) => Ok(now().max(first)),
        (Some(wanted), Some(_)) => Ok(wanted),
    }
}

fn now() -> Timestamp {
    let now = Timestamp::now();
    now.checked_sub(SignedDuration::from_secs(1)).unwrap_or(now)
}

/// The request that makes it. What Azure takes over from the source is not sent; the rest is changed when it is there.
async fn body(
    azure: &Azure,
    source: &Server,
    to: &Spec,
    mark: &str,
    moment: Timestamp,
) -> Result<serde_json::Value, ProviderError> {
    let wanted = server::wanted(to, azure.around());
    let mut worn = tags::sent(&wanted.props);
    worn.insert(tags::RESTORED.to_owned(), mark.to_owned());
    let mut body = json!({
        "location": source.0["location"],
        "tags": worn,
        "properties": {
            "createMode": "PointInTimeRestore",
            "sourceServerResourceId": source.id(),
            "pointInTimeUTC": moment.to_string(),
        },
    });
    // A server stays in a subnet, or out of one.
    if let Some(Value::Text(subnet)) = server::subnet(to) {
        let zone = azure.at().id_in_group(&format!("Microsoft.Network/privateDnsZones/{}", names::zone(&to.name)));
        body["properties"]["network"] =
            json!({ "delegatedSubnetResourceId": subnet, "privateDnsZoneArmResourceId": zone });
    }
    Ok(body)
}

/// Gives the administrator of what was made a password of its own, which is written down before.
pub(super) async fn password_put(azure: &Azure, to: &Spec, events: &Events) -> Result<(), ProviderError> {
    let wanted = server::wanted(to, azure.around());
    let password = intended(azure, &to.name, &wanted.props).await?;
    let there = observe::ours(azure, &to.name).await?;
    let document = Document {
        username: Some(to.master_username.clone()),
        password: Some(password),
        host: there.host(),
        port: Some(server::clients(to)),
        dbname: Some(to.database_name.clone()),
    };
    in_force(azure, &to.name, &document, events).await
}
