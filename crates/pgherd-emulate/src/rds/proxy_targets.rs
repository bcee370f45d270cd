//! Whom a proxy leads to, how it shares out connections, and whether it reaches them.

use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::Value;

use super::instance::Instance;
use super::proxy::{self, Proxy, SERVICE};
use super::state::{Region, seconds};
use super::{Call, Listing, paged};
use crate::around::ec2::network::{Opens, Peer};
use crate::clock::later;
use crate::wire::{Element, Form, Refusal};

/// The one target group that a proxy has.
const GROUP: &str = "default";

/// How a proxy shares out connections.
#[derive(Debug, Clone)]
pub struct Pool {
    /// At most so many percent of `max_connections`.
    pub max_percent: i64,
    /// At most so many percent of it while nobody needs them.
    pub idle_percent: i64,
    /// Seconds a client waits for one.
    pub borrow_timeout_s: i64,
    /// What pins nobody.
    pub pinning_filters: Vec<String>,
}

impl Default for Pool {
    fn default() -> Self {
        Self { max_percent: 100, idle_percent: 50, borrow_timeout_s: 120, pinning_filters: Vec::new() }
    }
}

/// An instance that a proxy leads to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its `db-…` id, since it may be renamed.
    pub server: String,
    /// Until when the proxy registers it.
    pub registered: Timestamp,
    /// Until when the proxy has no room for it.
    pub ready: Timestamp,
    /// What is wrong, as `TargetHealth` tells it: what no rule here finds out.
    pub trouble: Option<&'static str>,
}

/// `ModifyDBProxyTargetGroup`.
pub fn modify(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    form.required("TargetGroupName")?;
    let mut proxy = proxy::at_rest(region, form.required("DBProxyName")?)?;
    in_group(form)?;
    if form.text("NewName").is_some() {
        return Err(Refusal::value("You can't rename the default target group."));
    }
    let config = |name: &str| format!("ConnectionPoolConfig.{name}");
    let (max, idle) = (form.int(&config("MaxConnectionsPercent"))?, form.int(&config("MaxIdleConnectionsPercent"))?);
    if let Some(max) = max {
        let fits = (1..=100).contains(&max);
        fits.then_some(()).ok_or_else(|| Refusal::value("MaxConnectionsPercent must be between 1 and 100."))?;
        // Half of it, unless it is said.
        (proxy.pool.max_percent, proxy.pool.idle_percent) = (max, idle.unwrap_or(max / 2));
    }
    if idle.is_some() && max.is_none() {
        return Err(Refusal::combination("MaxIdleConnectionsPercent is given with MaxConnectionsPercent only."));
    }
    if !(0..=proxy.pool.max_percent).contains(&proxy.pool.idle_percent) {
        return Err(Refusal::value("MaxIdleConnectionsPercent must be between 0 and MaxConnectionsPercent."));
    }
    if let Some(timeout_s) = form.int(&config("ConnectionBorrowTimeout"))? {
        proxy.pool.borrow_timeout_s = timeout_s;
    }
    if let Some(filters) = form.list(&config("SessionPinningFilters"), "member") {
        proxy.pool.pinning_filters = filters.into_iter().map(str::to_owned).collect();
    }
    proxy.updated = call.now;
    let answer = Element::new("").with(group(region, &proxy).named("DBProxyTargetGroup"));
    region.proxies.insert(proxy.name.clone(), proxy);
    Ok(answer)
}

/// `DescribeDBProxyTargetGroups`.
pub fn describe_groups(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let proxy = proxy::existing(region, form.required("DBProxyName")?)?;
    in_group(form)?;
    paged(form, Listing { name: "TargetGroups", items: vec![group(region, &proxy)] })
}

/// `RegisterDBProxyTargets`.
pub fn register(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let mut proxy = proxy::at_rest(region, form.required("DBProxyName")?)?;
    in_group(form)?;
    let ids = form.list("DBInstanceIdentifiers", "member").unwrap_or_default();
    if ids.is_empty() {
        return Err(Refusal::combination("Exactly one instance or one cluster is registered."));
    }
    let mut items = Vec::new();
    for id in ids {
        let target = newcomer(region, &proxy, id, call)?;
        items.push(shown(region, &proxy, &target, call));
        proxy.targets.push(target);
    }
    region.proxies.insert(proxy.name.clone(), proxy);
    Ok(Element::new("").list("DBProxyTargets", items))
}

fn newcomer(region: &Region, proxy: &Proxy, id: &str, call: &Call) -> Result<Target, Refusal> {
    let instance = region.instances.get(&id.to_lowercase()).ok_or_else(|| Refusal::no_instance(id))?;
    if proxy.targets.iter().any(|target| target.server == instance.resource_id) {
        let message = format!("{id} is a target of {} already.", proxy.name);
        return Err(Refusal::of("DBProxyTargetAlreadyRegisteredFault", message));
    }
    if !proxy.targets.is_empty() {
        return Err(Refusal::combination("A proxy leads to one instance."));
    }
    if instance.source.is_some() {
        return Err(Refusal::value(format!("{id} is a read replica, and no target of a proxy.")));
    }
    if !instance.takes_changes(call.now) {
        return Err(Refusal::state(format!("DB Instance {id} is not in the available state.")));
    }
    let vpc = super::subnet::group(region, &instance.set.subnet_group).map(|group| group.vpc);
    if vpc.as_ref() != Some(&proxy.set.vpc) {
        return Err(Refusal::value(format!("{id} and the proxy are in different VPCs.")));
    }
    let registered = later(call.now, call.lasts(seconds(60)));
    let ready = later(registered, call.lasts(seconds(60)));
    Ok(Target { server: instance.resource_id.clone(), registered, ready, trouble: None })
}

/// `DeregisterDBProxyTargets`.
pub fn deregister(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let mut proxy = proxy::at_rest(region, form.required("DBProxyName")?)?;
    in_group(form)?;
    for id in form.list("DBInstanceIdentifiers", "member").unwrap_or_default() {
        let server = region.instances.get(&id.to_lowercase()).map(|instance| &instance.resource_id);
        let at = proxy.targets.iter().position(|target| Some(&target.server) == server);
        let at = at.ok_or_else(|| {
            let message = format!("{id} is no target of {}.", proxy.name);
            Refusal::missing("DBProxyTargetNotFoundFault", message)
        })?;
        proxy.targets.remove(at);
    }
    region.proxies.insert(proxy.name.clone(), proxy);
    Ok(Element::new(""))
}

/// `DescribeDBProxyTargets`.
pub fn describe(region: &Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let proxy = proxy::existing(region, form.required("DBProxyName")?)?;
    in_group(form)?;
    let items = proxy.targets.iter().map(|target| shown(region, &proxy, target, call)).collect();
    paged(form, Listing { name: "Targets", items })
}

fn in_group(form: &Form) -> Result<(), Refusal> {
    match form.text("TargetGroupName") {
        None | Some(GROUP) => Ok(()),
        Some(other) => Err(Refusal::missing(
            "DBProxyTargetGroupNotFoundFault",
            format!("There is no target group {other}; a proxy has the one called {GROUP}."),
        )),
    }
}

fn group(region: &Region, proxy: &Proxy) -> Element {
    let pool = &proxy.pool;
    let config = Element::new("ConnectionPoolConfig")
        .put("MaxConnectionsPercent", pool.max_percent)
        .put("MaxIdleConnectionsPercent", pool.idle_percent)
        .put("ConnectionBorrowTimeout", pool.borrow_timeout_s)
        .texts("SessionPinningFilters", "member", &pool.pinning_filters);
    Element::new("member")
        .put("DBProxyName", &proxy.name)
        .put("TargetGroupName", GROUP)
        .put("TargetGroupArn", proxy::group_arn(region, proxy))
        .put("IsDefault", true)
        .put("Status", proxy.status())
        .with(config)
        .time("CreatedDate", proxy.created)
        .time("UpdatedDate", proxy.updated)
}

fn shown(region: &Region, proxy: &Proxy, target: &Target, call: &Call) -> Element {
    let instance = region.instances.values().find(|instance| instance.resource_id == target.server);
    let (state, reason) = match instance {
        Some(instance) => health(region, proxy, target, instance, call),
        None => ("UNAVAILABLE", Some("CONNECTION_FAILED")),
    };
    let health = Element::new("TargetHealth").put("State", state).maybe("Reason", reason);
    Element::new("member")
        .maybe("RdsResourceId", instance.map(|instance| &instance.id))
        .maybe("Port", instance.map(|instance| instance.set.port))
        .put("Type", "RDS_INSTANCE")
        .put("Role", "READ_WRITE")
        .with(health)
}

/// Whether a proxy reaches a target, and what is in the way. A connection is tried last.
fn health(
    region: &Region,
    proxy: &Proxy,
    target: &Target,
    instance: &Instance,
    call: &Call,
) -> (&'static str, Option<&'static str>) {
    let now = call.now;
    let unavailable = |reason| ("UNAVAILABLE", Some(reason));
    if now < target.registered {
        return ("REGISTERING", None);
    }
    if now < target.ready {
        return unavailable("PENDING_PROXY_CAPACITY");
    }
    if !is_let_in(region, proxy, instance) {
        return unavailable("UNREACHABLE");
    }
    if !instance.has_endpoint || ["rebooting", "upgrading", "stopped", "deleting"].contains(&instance.status(now)) {
        return unavailable("CONNECTION_FAILED");
    }
    if !logs_in(region, proxy, instance, call) {
        return unavailable("AUTH_FAILURE");
    }
    target.trouble.map_or(("AVAILABLE", None), unavailable)
}

/// Whether one of a proxy's secrets can be read with its role and holds the user and the password that the instance has.
fn logs_in(region: &Region, proxy: &Proxy, instance: &Instance, call: &Call) -> bool {
    let set = &instance.set;
    proxy.set.auth.iter().any(|auth| {
        let may = |action: &str, of: &str| call.roles.allows(&proxy.set.role, SERVICE, action, of);
        // The key of AWS's own is used by whoever may read the secret.
        let key = call.secrets.key(&auth.secret, &region.keys);
        let is_let =
            may("secretsmanager:GetSecretValue", &auth.secret) && key.is_none_or(|key| may("kms:Decrypt", &key));
        let text = call.secrets.text(&auth.secret, &region.keys).filter(|_| is_let);
        let held: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
        held.is_some_and(|held| held["username"] == *set.username && held["password"] == *set.password.0)
    })
}

/// Whether a security group of the instance lets the proxy in: as a member of a group, or by the addresses of its subnets.
fn is_let_in(region: &Region, proxy: &Proxy, instance: &Instance) -> bool {
    let port = instance.set.port;
    let groups = instance.set.security_groups.iter().filter_map(|id| region.around.security_groups.get(id));
    let mut rules = groups.flat_map(|group| &group.rules).map(|rule| &rule.opens);
    let covers = |opens: &Opens| {
        let is_port = opens.ports.is_none_or(|(first, last)| (first..=last).contains(&port));
        !opens.is_egress && ["-1", "tcp", "6"].contains(&opens.protocol.as_str()) && is_port
    };
    let holds = |cidr: &str| {
        let subnets = proxy.set.subnets.iter().filter_map(|id| region.around.subnets.get(id));
        let mut subnets = subnets.filter_map(|subnet| subnet.cidr.parse::<IpNet>().ok());
        cidr.parse::<IpNet>().is_ok_and(|cidr| subnets.any(|subnet| cidr.contains(&subnet)))
    };
    rules.any(|opens| {
        covers(opens)
            && match &opens.peer {
                Peer::Group(id) => proxy.set.security_groups.contains(id),
                Peer::V4(cidr) | Peer::V6(cidr) => holds(cidr),
            }
    })
}
