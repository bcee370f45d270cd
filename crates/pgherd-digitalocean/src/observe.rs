//! Everything there is of a block, all kinds side by side.

use std::collections::BTreeMap;

use futures_util::future::{try_join_all, try_join5};
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::api::{self, Alert, Cluster, Connection, Pool, Replica, Rule};
use crate::error::DoError;
use crate::kinds::{alert, cluster, config, database, firewall, pool, replica, secret, user};
use crate::provider::DigitalOcean;
use crate::wait::status;
use crate::{names, parameters, tags};

/// The cluster of a name.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// There is none.
    Nothing,
    /// It is pgherd's.
    Ours(Box<Cluster>),
    /// Somebody else made it; how one can tell.
    Foreign(Box<Cluster>, String),
}

/// Looks for the cluster of a name. Names are nothing that DigitalOcean promises to be given once, so two of ours end it here.
pub(crate) async fn find(ocean: &DigitalOcean, name: &str) -> Result<Found, ProviderError> {
    let mut named = api::clusters(ocean.session()).await?;
    named.retain(|cluster| cluster.name == name);
    let (mut ours, mut others): (Vec<Cluster>, Vec<Cluster>) =
        named.into_iter().partition(|cluster| cluster.engine == "pg" && ocean.is_ours(&cluster.tags, name));
    match (ours.pop(), ours.is_empty()) {
        (Some(cluster), true) => Ok(Found::Ours(Box::new(cluster))),
        (Some(cluster), false) => {
            let ids: Vec<&str> = ours.iter().chain([&cluster]).map(|cluster| cluster.id.as_str()).collect();
            let message = format!("{} clusters are called {name} and wear pgherd's tag: {}", ids.len(), ids.join(", "));
            Err(ProviderError::new(ErrorKind::Conflict, message)
                .help(format!("take the tag {} off all but one in the control panel", tags::flat(tags::BLOCK, name))))
        }
        (None, _) => Ok(match others.pop() {
            Some(other) if other.engine != "pg" => {
                let why = format!("it runs {}", other.engine);
                Found::Foreign(Box::new(other), why)
            }
            Some(other) => {
                let why = format!("it has no tag {}", tags::flat(tags::BLOCK, name));
                Found::Foreign(Box::new(other), why)
            }
            None => Found::Nothing,
        }),
    }
}

/// The cluster of a name, when it is there and ours.
pub(crate) async fn ours(ocean: &DigitalOcean, name: &str) -> Result<Cluster, ProviderError> {
    match find(ocean, name).await? {
        Found::Ours(cluster) => Ok(*cluster),
        Found::Foreign(_, why) => Err(foreign(name, &why)),
        Found::Nothing => Err(ProviderError::new(ErrorKind::NotFound, format!("{name} does not exist"))),
    }
}

/// That a cluster is left alone.
pub(crate) fn foreign(name: &str, why: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Conflict, format!("the cluster {name} exists and is not pgherd's: {why}"))
        .help("`pgherd adopt` takes it over; or give the block another name")
}

/// That a replica is left alone.
pub(crate) fn foreign_replica(name: &str) -> ProviderError {
    ProviderError::new(
        ErrorKind::Conflict,
        format!("the replica {name} exists and is not pgherd's: it does not wear its tag"),
    )
    .help("nothing was done to it; promote or delete it in the control panel, or put the tag on")
}

/// What there is of a block: what is wanted, what is somebody else's under our names, and what nobody wants any more.
pub(crate) async fn observe(ocean: &DigitalOcean, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let Some(want) = wanted.iter().find(|one| one.id.kind == cluster::NAME) else { return Ok(Vec::new()) };
    let name = want.id.name.as_str();
    let asks_for_alerts = wanted.iter().any(|one| one.id.kind == alert::NAME);
    let (found, alerts) = futures_util::future::try_join(find(ocean, name), alerts(ocean, asks_for_alerts)).await?;
    let alerts: Vec<Observed> = alerts.iter().filter_map(|told| seen_alert(name, told)).collect();
    let there = match found {
        Found::Nothing => return Ok(left_behind(ocean, wanted, name).into_iter().chain(alerts).collect()),
        Found::Foreign(cluster, why) => {
            let props = Props::from([("name".to_owned(), Value::text(&cluster.name))]);
            return Ok([vec![seen(want.id.clone(), props, Status::Foreign(why), None)], alerts].concat());
        }
        Found::Ours(cluster) => *cluster,
    };
    let told = status(&there.status);
    if matches!(told, Status::Incomplete(_)) {
        return Ok([vec![seen_cluster(want, &there, None)], alerts].concat());
    }
    let (session, id) = (ocean.session(), there.id.as_str());
    let (autoscale, config, replicas, pools, rules) = try_join5(
        api::autoscale(session, id),
        api::config(session, id),
        api::replicas(session, id),
        api::pools(session, id),
        api::firewall(session, id),
    )
    .await?;
    let known = names::replicas(name);
    let replicas: Vec<Replica> = replicas.into_iter().filter(|replica| known.contains(&replica.name)).collect();
    let around = async |replica: &Replica| -> Result<Option<Vec<Rule>>, DoError> {
        // One that is being made has none that could be told.
        if !crate::wait::is_at_rest(&replica.status) {
            return Ok(None);
        }
        api::firewall(session, &replica.id).await.map(Some)
    };
    let of_replicas = try_join_all(replicas.iter().map(around)).await?;
    let databases = match &there.databases {
        Some(databases) => databases.clone(),
        None => api::databases(session, id).await?,
    };
    let users = match &there.users {
        Some(users) => users.clone(),
        None => api::users(session, id).await?,
    };
    let settings: Props =
        config.iter().filter_map(|(name, told)| Some((name.clone(), parameters::value(told)?))).collect();
    let mut all = vec![seen_cluster(want, &there, autoscale), seen_config(wanted, name, settings)];
    let name_of = |one: &Resource| one.props.get("name").and_then(Value::as_text).map(str::to_owned);
    for one in wanted {
        let exists = match one.id.kind.as_str() {
            database::NAME => name_of(one).is_some_and(|name| databases.contains(&name)),
            user::NAME => name_of(one).is_some_and(|name| users.iter().any(|user| user.name == name)),
            _ => false,
        };
        if exists {
            all.push(seen(one.id.clone(), one.props.clone(), Status::Available, Some(&want.id)));
        }
    }
    let is_due = ocean.secrets(name).is_some_and(|folder| folder.lacks_document());
    if let Some(one) = wanted.iter().find(|one| one.id.kind == secret::NAME && !is_due) {
        let password = |name: &str| users.iter().find(|user| user.name == name).and_then(|user| user.password.clone());
        all.push(seen_secret(ocean, one, &want.id, &there, &pools, password));
    }
    all.push(seen_firewall(&want.id, &rules));
    for (replica, rules) in replicas.iter().zip(&of_replicas) {
        let one = seen_replica(name, &want.id, replica);
        if let (Some(rules), false) = (rules, matches!(one.status, Status::Foreign(_)))
            && wanted.iter().any(|wanted| wanted.id == one.id)
        {
            all.push(seen_firewall(&one.id, rules));
        }
        all.push(one);
    }
    all.extend(pools.iter().filter(|pool| pool.name == names::pool(name)).map(|pool| seen_pool(&want.id, pool)));
    all.extend(alerts);
    Ok(all)
}

/// The credentials of a cluster that is gone: a destroy was cut short before it took them away, or somebody else has deleted it.
fn left_behind(ocean: &DigitalOcean, wanted: &[Resource], database: &str) -> Option<Observed> {
    let one = wanted.iter().find(|one| one.id.kind == secret::NAME)?;
    let is_there = ocean.secrets(database).is_some_and(|folder| folder.holds_credentials());
    let status = || Status::Incomplete("its cluster is gone".to_owned());
    is_there.then(|| seen(one.id.clone(), Props::new(), status(), None))
}

/// The alerts of the account. Whoever wants none need not be allowed to see them.
async fn alerts(ocean: &DigitalOcean, are_wanted: bool) -> Result<Vec<Alert>, ProviderError> {
    match api::alerts(ocean.session()).await {
        Err(error) if !are_wanted && error.kind() == ErrorKind::Denied => Ok(Vec::new()),
        answer => Ok(answer?),
    }
}

fn seen(id: Id, props: Props, status: Status, needs: Option<&Id>) -> Observed {
    let needs = needs.into_iter().cloned().collect();
    Observed { id, props, status, pending: Vec::new(), needs, protected: false }
}

fn seen_cluster(want: &Resource, there: &Cluster, autoscale: Option<(i64, i64)>) -> Observed {
    let nothing = Props::new();
    let wanted_tags = want.props.get("tags").and_then(Value::as_map).unwrap_or(&nothing);
    let mut props = crate::kinds::props([
        (cluster::ID, there.id.as_str().into()),
        ("engine", there.engine.as_str().into()),
        ("version", there.version.as_str().into()),
        ("size", there.size.as_str().into()),
        ("num_nodes", Value::Int(there.num_nodes)),
        ("storage_size_mib", there.storage_mib.into()),
        ("region", there.region.as_str().into()),
        ("private_network_uuid", there.vpc.clone().into()),
        ("autoscale", cluster::growth(autoscale).into()),
        ("maintenance_window", there.maintenance.clone().into()),
        ("tags", tags::compared(&there.tags, wanted_tags)),
        ("engine_version_actual", there.semantic_version.clone().into()),
        ("metrics", there.metrics.clone().into()),
    ]);
    props.extend(ways(&there.connection, &there.private_connection));
    let is_protected = tags::value_of(&there.tags, tags::PROTECTED).is_some();
    Observed { protected: is_protected, ..seen(want.id.clone(), props, status(&there.status), None) }
}

/// The ways to something, as fields of its own.
fn ways(public: &Connection, private: &Connection) -> Props {
    [reached("connection", public), reached("private_connection", private)].into_iter().flatten().collect()
}

/// Where something is reached, as fields of its own; what is not told is none.
fn reached(way: &str, connection: &Connection) -> BTreeMap<String, Value> {
    let host = connection.host.clone().map(|host| (format!("{way}.host"), Value::Text(host)));
    let port = connection.port.map(|port| (format!("{way}.port"), Value::Int(port.into())));
    host.into_iter().chain(port).collect()
}

/// Of the settings those that are wanted: DigitalOcean has others that nobody asked for, and takes none back.
fn seen_config(wanted: &[Resource], database: &str, told: Props) -> Observed {
    let id = config::id(database);
    let asked = wanted.iter().find(|one| one.id == id).and_then(|one| one.props.get("config")?.as_map());
    let ours: Props = told
        .iter()
        .filter(|(name, _)| asked.is_some_and(|asked| asked.contains_key(*name)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let others: Props = told.into_iter().filter(|(name, _)| !ours.contains_key(name)).collect();
    let props = Props::from([("config".to_owned(), Value::Map(ours)), ("others".to_owned(), Value::Map(others))]);
    seen(id, props, Status::Available, Some(&Id::new(cluster::NAME, database)))
}

fn seen_firewall(server: &Id, rules: &[Rule]) -> Observed {
    let ours = rules.iter().filter(|rule| rule.kind == firewall::ADDRESS);
    // What cannot be read as an address is shown as it is told.
    let spelled = |rule: &Rule| firewall::address(&rule.value).unwrap_or_else(|| rule.value.clone());
    let rules = ours.map(|rule| Value::Text(spelled(rule))).collect();
    let props = Props::from([("rules".to_owned(), Value::List(rules))]);
    seen(Id::new(firewall::NAME, &server.name), props, Status::Available, Some(server))
}

fn seen_replica(database: &str, cluster: &Id, there: &Replica) -> Observed {
    let told = match there.is_of(database) {
        true => status(&there.status),
        false => Status::Foreign(format!("it has no tag {}", tags::flat(tags::BLOCK, database))),
    };
    let mut props = crate::kinds::props([
        (cluster::ID, there.id.as_str().into()),
        ("size", there.size.clone().into()),
        ("region", there.region.as_str().into()),
        ("private_network_uuid", there.vpc.clone().into()),
        ("storage_size_mib", there.storage_mib.into()),
    ]);
    props.extend(ways(&there.connection, &there.private_connection));
    seen(Id::new(replica::NAME, &there.name), props, told, Some(cluster))
}

fn seen_pool(cluster: &Id, there: &Pool) -> Observed {
    let mut props = crate::kinds::props([
        ("mode", there.mode.as_str().into()),
        ("size", Value::Int(there.size)),
        ("db", there.database.as_str().into()),
        ("user", there.user.clone().into()),
    ]);
    props.extend(ways(&there.connection, &there.private_connection));
    seen(Id::new(pool::NAME, &there.name), props, Status::Available, Some(cluster))
}

fn seen_alert(database: &str, there: &Alert) -> Option<Observed> {
    let name = there.description.strip_suffix(alert::WORDS)?;
    let is_ours = alert::ABOUT.iter().any(|about| names::alarm(database, about) == name);
    let texts = |list: &[String]| Value::List(list.iter().map(Value::text).collect());
    let props = crate::kinds::props([
        ("uuid", there.uuid.as_str().into()),
        ("type", there.metric.as_str().into()),
        ("compare", there.compare.as_str().into()),
        ("value", Value::Float(there.value)),
        ("window", there.window.as_str().into()),
        ("entities", texts(&there.entities)),
        ("emails", texts(&there.emails)),
        ("enabled", there.enabled.into()),
    ]);
    let cluster = Id::new(cluster::NAME, database);
    is_ours.then(|| seen(Id::new(alert::NAME, name), props, Status::Available, Some(&cluster)))
}

/// The document of this machine. One that is not here is as it should be: see [`secret`].
fn seen_secret(
    ocean: &DigitalOcean,
    want: &Resource,
    id: &Id,
    there: &Cluster,
    pools: &[Pool],
    password: impl Fn(&str) -> Option<pgherd_core::secret::Secret>,
) -> Observed {
    let known = |of: &Id, field: &str| match of.kind.as_str() {
        pool::NAME => {
            let there = pools.iter().find(|there| there.name == of.name)?;
            ways(&there.connection, &there.private_connection).remove(field)
        }
        _ => ways(&there.connection, &there.private_connection).remove(field),
    };
    let resolved = |value: &Value| value.with_outputs(&known);
    let mut props: Props = want.props.iter().map(|(name, value)| (name.clone(), resolved(value))).collect();
    if let Some(document) = ocean.secrets(&id.name).and_then(|folder| folder.read()) {
        let in_force = password(&document.username).is_none_or(|password| password == document.password);
        props.extend(crate::kinds::props([
            ("username", document.username.into()),
            ("dbname", document.dbname.into()),
            ("host", document.host.into()),
            ("port", Value::Int(document.port.into())),
            ("in_force", in_force.into()),
        ]));
    }
    seen(want.id.clone(), props, Status::Available, Some(id))
}
