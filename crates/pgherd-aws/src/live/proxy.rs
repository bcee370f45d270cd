//! RDS Proxy: made in front of an instance, and led to it. It is there when it reaches the instance.

use futures_util::future::{try_join_all, try_join3};
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use super::marks::{self, Mark};
use super::{made, ours, reach};
use crate::api::rds::{self, DbProxy, Login, Shares, Target};
use crate::kinds::proxy::{self, NAME};
use crate::kinds::{instance, role, secret, security_group, tags};
use crate::names;
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::provider::Aws;
use crate::{api, wait};

/// The proxies that are wanted.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let looks = ours::of_kind(wanted, NAME).map(|resource| async move {
        let (session, region, name) = (aws.session(), aws.region(), &resource.id.name);
        let Some(found) = rds::proxy(session, region, name).await? else { return Ok(None) };
        let worn = rds::tags(session, region, &found.arn);
        let (worn, pool, targets) =
            try_join3(worn, rds::pool(session, region, name), rds::targets(session, region, name)).await?;
        let worn = aws.worn(worn);
        let seen = Seen { proxy: found, pool: pool.unwrap_or_default(), targets };
        let status = if is_ours(&worn, name) { seen.status() } else { ours::status(false) };
        let database = names::database_of_proxy(name).unwrap_or(name);
        let needs = needs(database, aws.region());
        Ok::<_, AwsError>(Some(Observed { needs, ..ours::seen(&resource.id, seen.props(), status) }))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

/// Makes a proxy, and returns when it reaches its instance.
pub(crate) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let name = &resource.id.name;
    marks::set(aws, names::database_of_proxy(name).unwrap_or(name), &Mark::Proxy).await?;
    let look = || rds::proxy(aws.session(), aws.region(), name);
    let found = match look().await? {
        Some(found) => Some(found),
        None => {
            let fields = creation(aws, resource).await?;
            let make = || {
                let fields = &fields;
                async move {
                    let attempt = || rds::create_proxy(aws.session(), aws.region(), name, fields.clone());
                    wait::tried(aws, aws.patience().spreading, events, is_role_spreading, attempt).await
                }
            };
            made::once("DBProxyAlreadyExistsFault", make, look).await?
        }
    };
    if let Some(found) = found {
        only_ours(aws, &resource.id, &found).await?;
    }
    if let Some(endpoint) = become_as_wanted(aws, resource, |_| true, events).await? {
        wait::say(events, format!("clients that share connections connect to {endpoint}, on the port of the database"));
    }
    Ok(())
}

/// Changes a proxy in place.
pub(crate) async fn update(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let found = rds::proxy(aws.session(), aws.region(), &resource.id.name).await?;
    let found = found.ok_or_else(|| {
        ProviderError::new(ErrorKind::NotFound, format!("{} is not there any more", resource.id)).help("plan again")
    })?;
    only_ours(aws, &resource.id, &found).await?;
    // What is not among the changes was not in the plan.
    let among = |field: &str| changes.iter().any(|change| change.field == field);
    become_as_wanted(aws, resource, among, events).await.map(drop)
}

/// Takes a proxy away: whoever is connected through it is cut off.
pub(crate) async fn delete(aws: &Aws, id: &Id, _how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), &id.name);
    if let Some(found) = rds::proxy(session, region, name).await? {
        only_ours(aws, id, &found).await?;
        let at_most = aws.patience().deleting;
        if found.status == "available" {
            for target in rds::targets(session, region, name).await? {
                let let_go = || rds::deregister(session, region, name, &target.id);
                wait::tried(aws, at_most, events, is_at_work, let_go).await?;
            }
        }
        if found.status != "deleting" {
            match wait::tried(aws, at_most, events, is_at_work, || rds::delete_proxy(session, region, name)).await {
                Err(error) if !error.maybe_done => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        }
        let gone = || async { Ok(rds::proxy(session, region, name).await?.map_or(Ok(()), |seen| Err(seen.status))) };
        wait::until(aws, at_most, events, gone).await?;
    }
    // The mark stands for the role, too, which goes after its proxy.
    let database = names::database_of_proxy(name).unwrap_or(name);
    match api::iam::role(session, region, &names::proxy_role(database, region)).await? {
        Some(_) => Ok(()),
        None => marks::clear(aws, database, &Mark::Proxy).await,
    }
}

/// A proxy with what other calls tell of it.
struct Seen {
    proxy: DbProxy,
    pool: Shares,
    targets: Vec<Target>,
}

impl Seen {
    fn props(&self) -> Props {
        let Self { proxy, pool, targets } = self;
        let list = |items: &[String]| Value::List(items.iter().map(Value::text).collect());
        let of_logins =
            |field: fn(&Login) -> &String| list(&proxy.logins.iter().map(field).cloned().collect::<Vec<_>>());
        let alike = |field: fn(&Login) -> &String| -> Value {
            let mut all: Vec<&str> = proxy.logins.iter().map(|login| field(login).as_str()).collect();
            all.dedup();
            all.join(", ").into()
        };
        let share = |share: Option<i64>| share.map_or(Value::Null, Value::Int);
        crate::kinds::props([
            ("EngineFamily", proxy.family.as_str().into()),
            ("VpcSubnetIds", list(&proxy.subnets)),
            ("VpcSecurityGroupIds", list(&proxy.security_groups)),
            ("RoleArn", proxy.role.as_str().into()),
            ("SecretArns", of_logins(|login| &login.secret)),
            ("IAMAuth", alike(|login| &login.iam)),
            ("ClientPasswordAuthType", alike(|login| &login.password_type)),
            ("RequireTLS", proxy.require_tls.into()),
            ("IdleClientTimeout", Value::Int(proxy.idle_timeout_s)),
            ("DebugLogging", proxy.debug_logging.into()),
            ("MaxConnectionsPercent", share(pool.0)),
            ("MaxIdleConnectionsPercent", share(pool.1)),
            ("Targets", Value::List(targets.iter().map(|target| Value::text(&target.id)).collect())),
            (proxy::ENDPOINT, proxy.endpoint.clone().into()),
            (proxy::REACH, targets.iter().find_map(reach::trouble).into()),
        ])
    }

    fn status(&self) -> Status {
        match self.proxy.status.as_str() {
            "creating" => Status::Incomplete("it is being made".to_owned()),
            "deleting" => Status::Busy(Status::DELETING.to_owned()),
            word @ ("incompatible-network" | "insufficient-resource-limits" | "suspended" | "suspending") => {
                Status::Failed(format!("RDS says that it is {word}"))
            }
            _ if self.targets.iter().any(reach::is_on_its_way) => {
                Status::Incomplete("it does not lead to its instance yet".to_owned())
            }
            // Modifying and reactivating pass by themselves, and a change waits for them.
            _ => Status::Available,
        }
    }
}

fn needs(database: &str, region: &str) -> Vec<Id> {
    vec![
        Id::new(instance::NAME, database),
        Id::new(role::NAME, names::proxy_role(database, region)),
        Id::new(security_group::NAME, names::security_group(database)),
        Id::new(secret::NAME, names::secret(database)),
    ]
}

/// Everything that CreateDBProxy takes. In subnets that nobody wrote it is beside its instance.
async fn creation(aws: &Aws, resource: &Resource) -> Result<Form, ProviderError> {
    let subnets = match texts(&resource.props, "VpcSubnetIds") {
        written if !written.is_empty() => written,
        _ => subnets_of_instance(aws, &resource.id).await?,
    };
    let text = |field: &str| resource.props.get(field).and_then(Value::as_text).map(str::to_owned);
    let form = Form::part().set("EngineFamily", text("EngineFamily")).list("VpcSubnetIds", "member", subnets).list(
        "VpcSecurityGroupIds",
        "member",
        texts(&resource.props, "VpcSecurityGroupIds"),
    );
    let form = changed(form, &resource.props, |field| field != "VpcSecurityGroupIds");
    Ok(rds::tagged(form, &tags::sent(&resource.props)))
}

async fn subnets_of_instance(aws: &Aws, id: &Id) -> Result<Vec<String>, ProviderError> {
    let database = names::database_of_proxy(&id.name).unwrap_or(&id.name);
    let seen = rds::instance(aws.session(), aws.region(), database).await?;
    let group = seen.and_then(|seen| seen.subnet_group);
    let subnets: Vec<String> = group.into_iter().flat_map(|group| group.subnets).map(|(subnet, _)| subnet).collect();
    if subnets.is_empty() {
        let message = format!("nobody tells which subnets {database} is in, and its proxy is to be beside it");
        return Err(ProviderError::new(ErrorKind::Invalid, message).help("write subnet_ids"));
    }
    Ok(subnets)
}

/// Fields that ModifyDBProxy and CreateDBProxy have alike, but for the name of the security groups.
fn changed(form: Form, props: &Props, is_asked: impl Fn(&str) -> bool) -> Form {
    let value = |field: &str| props.get(field).filter(|_| is_asked(field));
    let text = |field: &str| value(field).and_then(Value::as_text).map(str::to_owned);
    let flag = |field: &str| value(field).and_then(Value::as_bool);
    let form = form
        .set("RoleArn", text("RoleArn"))
        .set("RequireTLS", flag("RequireTLS"))
        .set("IdleClientTimeout", value("IdleClientTimeout").and_then(Value::as_int))
        .set("DebugLogging", flag("DebugLogging"));
    // They are one list: whoever changes something of it says all.
    let is_about_logins = LOGINS.iter().any(|field| value(field).is_some());
    let logins = if is_about_logins { logins(props) } else { Vec::new() };
    rds::logins(form, &logins)
}

const LOGINS: [&str; 3] = ["SecretArns", "IAMAuth", "ClientPasswordAuthType"];

fn logins(props: &Props) -> Vec<Login> {
    let text = |field: &str| props.get(field).and_then(Value::as_text).unwrap_or_default().to_owned();
    let login = |secret| Login { secret, iam: text("IAMAuth"), password_type: text("ClientPasswordAuthType") };
    texts(props, "SecretArns").into_iter().map(login).collect()
}

/// Has a proxy be as it is wanted, field by field where one differs and may be changed, and lead where it should; says where it is.
async fn become_as_wanted(
    aws: &Aws,
    resource: &Resource,
    may: impl Fn(&str) -> bool,
    events: &Events,
) -> Result<Option<String>, ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), &resource.id.name);
    let mut seen = at_rest(aws, &resource.id, events).await?;
    let live = seen.props();
    let differs = |field: &str| may(field) && differs(&resource.props, &live, field);
    let form = changed(Form::part(), &resource.props, differs);
    let groups = differs("VpcSecurityGroupIds").then(|| texts(&resource.props, "VpcSecurityGroupIds"));
    let form = form.list("SecurityGroups", "member", groups.unwrap_or_default());
    if !form.is_empty() {
        let ask = || rds::modify_proxy(session, region, name, form.clone());
        wait::tried(aws, aws.patience().changing, events, is_at_work, ask).await?;
        seen = at_rest(aws, &resource.id, events).await?;
    }
    if SHARES.iter().any(|field| differs(field)) {
        let share = |field: &str| resource.props.get(field).and_then(Value::as_int);
        let shares = (share(SHARES[0]), share(SHARES[1]));
        let ask = || rds::modify_pool(session, region, name, shares);
        wait::tried(aws, aws.patience().changing, events, is_at_work, ask).await?;
    }
    if may("Targets") {
        lead(aws, name, &texts(&resource.props, "Targets"), &seen.targets, events).await?;
    }
    reach::all(aws, name, &texts(&resource.props, "Targets"), events).await?;
    Ok(seen.proxy.endpoint)
}

const SHARES: [&str; 2] = ["MaxConnectionsPercent", "MaxIdleConnectionsPercent"];

/// Leads a proxy to these and to nobody else. It takes one target, so who is not wanted goes first.
async fn lead(aws: &Aws, name: &str, wanted: &[String], live: &[Target], events: &Events) -> Result<(), ProviderError> {
    let (session, region, at_most) = (aws.session(), aws.region(), aws.patience().changing);
    for target in live.iter().filter(|target| !wanted.contains(&target.id)) {
        let ask = || rds::deregister(session, region, name, &target.id);
        wait::tried(aws, at_most, events, is_at_work, ask).await?;
    }
    for id in wanted.iter().filter(|id| !live.iter().any(|target| target.id == **id)) {
        let ask = || rds::register(session, region, name, id);
        match wait::tried(aws, at_most, events, is_at_work, ask).await {
            // Whether it was done is seen when it is waited for.
            Err(error) if error.maybe_done => {
                let is_there = rds::targets(session, region, name).await?.iter().any(|target| target.id == *id);
                if !is_there {
                    ask().await?;
                }
            }
            done => done?,
        }
    }
    Ok(())
}

/// Waits until nothing is done to a proxy any more, and says how it is then.
async fn at_rest(aws: &Aws, id: &Id, events: &Events) -> Result<Seen, ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), &id.name);
    let look = || async {
        let Some(proxy) = rds::proxy(session, region, name).await? else {
            return Ok(Err("not to be seen yet".to_owned()));
        };
        match proxy.status.as_str() {
            "available" => Ok(Ok(proxy)),
            "creating" | "modifying" | "reactivating" => Ok(Err(proxy.status)),
            word => {
                let message = format!("{id} is {word}");
                let help = "destroy it by taking enable_proxy out, apply, and write it again";
                Err(ProviderError::new(ErrorKind::Conflict, message).help(help))
            }
        }
    };
    let proxy = wait::until(aws, aws.patience().making, events, look).await?;
    let (pool, targets) =
        futures_util::future::try_join(rds::pool(session, region, name), rds::targets(session, region, name)).await?;
    Ok(Seen { proxy, pool: pool.unwrap_or_default(), targets })
}

fn differs(wanted: &Props, live: &Props, field: &str) -> bool {
    let sorted = |value: &Value| {
        let mut items: Vec<String> = value.as_list().unwrap_or_default().iter().map(ToString::to_string).collect();
        items.sort_unstable();
        items
    };
    match (wanted.get(field), live.get(field)) {
        (None, _) => false,
        (Some(wanted @ Value::List(_)), Some(live)) => sorted(wanted) != sorted(live),
        (wanted, live) => wanted != live,
    }
}

fn texts(props: &Props, field: &str) -> Vec<String> {
    let items = props.get(field).and_then(Value::as_list).unwrap_or_default();
    items.iter().filter_map(Value::as_text).map(str::to_owned).collect()
}

async fn only_ours(aws: &Aws, id: &Id, found: &DbProxy) -> Result<(), ProviderError> {
    if wears_our_tag(aws, found).await? { Ok(()) } else { Err(ours::foreign(id)) }
}

/// Whether a proxy is pgherd's.
pub(super) async fn wears_our_tag(aws: &Aws, found: &DbProxy) -> Result<bool, AwsError> {
    Ok(is_ours(&rds::tags(aws.session(), aws.region(), &found.arn).await?, &found.name))
}

fn is_ours(worn: &api::tags::Tags, name: &str) -> bool {
    ours::is(worn, |database| names::proxy(database) == name)
}

/// Whether RDS is at something else with a proxy or its instance, and takes the same later.
pub(super) fn is_at_work(error: &AwsError) -> bool {
    error.is("InvalidDBProxyStateFault") || error.is("InvalidDBInstanceState")
}

/// Whether RDS does not know the role yet that was made a moment ago. Its words for that are nowhere promised.
fn is_role_spreading(error: &AwsError) -> bool {
    error.is("InvalidParameterValue") && error.message.to_lowercase().contains("role")
}
