//! RDS Proxy: what one is set to, how it lives, and the calls about it. Its targets are a file of their own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::proxy_targets::{Pool, Target};
use super::state::{ACCOUNT, Region, seconds};
use super::{Call, Listing, paged, tags, validate};
use crate::clock::later;
use crate::wire::{Element, Form, Refusal};

/// At most so many proxies in a region.
const QUOTA: usize = 20;

/// How long one is being made, changed and deleted.
const MAKING: SignedDuration = seconds(300);
const CHANGING: SignedDuration = seconds(60);
const DELETING: SignedDuration = seconds(180);

/// A proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Its name.
    pub name: String,
    /// Its `prx-…` id.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// What it is set to.
    pub set: Settings,
    /// How it shares out connections.
    pub pool: Pool,
    /// Whom it leads to.
    pub targets: Vec<Target>,
    /// What is being done to it, and until when.
    pub phase: Option<(&'static str, Timestamp)>,
}

/// What a proxy is set to.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct Settings {
    pub auth: Vec<Auth>,
    pub role: String,
    pub require_tls: bool,
    pub idle_timeout_s: i64,
    pub debug: bool,
    pub vpc: String,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
}

/// Somebody who may log in: one secret.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct Auth {
    pub secret: String,
    pub iam: String,
    pub password_type: String,
}

impl Proxy {
    /// `Status`.
    pub fn status(&self) -> &'static str {
        self.phase.map_or("available", |(word, _)| word)
    }

    fn begins(&mut self, word: &'static str, lasts: SignedDuration, now: Timestamp) {
        self.phase = Some((word, later(now, lasts)));
        self.updated = now;
    }

    fn arn(&self, region: &Region) -> String {
        region.arn("db-proxy", &self.id)
    }
}

/// Goes on until `now`: phases end, what is deleted is gone, and whoever is gone is no target any more.
pub fn advance(region: &mut Region, now: Timestamp) {
    let is_over = |proxy: &Proxy| proxy.phase.is_some_and(|(_, ends)| ends <= now);
    let gone = region.proxies.values().filter(|proxy| is_over(proxy) && proxy.status() == "deleting");
    for arn in gone.map(|proxy| proxy.arn(region)).collect::<Vec<_>>() {
        region.tags.remove(&arn);
    }
    region.proxies.retain(|_, proxy| !(is_over(proxy) && proxy.status() == "deleting"));
    let live: BTreeSet<&String> = region.instances.values().map(|instance| &instance.resource_id).collect();
    for proxy in region.proxies.values_mut() {
        if is_over(proxy) {
            proxy.phase = None;
        }
        proxy.targets.retain(|target| live.contains(&target.server));
    }
}

/// `CreateDBProxy`.
pub fn create(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let name = form.required("DBProxyName")?.to_owned();
    named(&name)?;
    let family = form.required("EngineFamily")?;
    if family != "POSTGRESQL" {
        return Err(Refusal::value(format!("Invalid EngineFamily: {family}. The emulator has POSTGRESQL only.")));
    }
    let auth = auth(form)?.ok_or_else(|| Refusal::of("MissingParameter", "The request must contain Auth."))?;
    let role = role(form.required("RoleArn")?, call)?;
    let (subnets, vpc) = subnets(region, form)?;
    let set = Settings {
        auth,
        role,
        require_tls: form.bool("RequireTLS")?.unwrap_or(false),
        idle_timeout_s: idle(form.int("IdleClientTimeout")?.unwrap_or(1800))?,
        debug: form.bool("DebugLogging")?.unwrap_or(false),
        security_groups: security_groups(region, form.list("VpcSecurityGroupIds", "member"), &vpc)?,
        vpc,
        subnets,
    };
    if region.is_backed {
        return Err(Refusal::value("The emulator has no RDS Proxy where a PostgreSQL is behind each instance."));
    }
    if region.proxies.contains_key(&name) {
        return Err(Refusal::of("DBProxyAlreadyExistsFault", format!("The proxy {name} already exists.")));
    }
    if region.proxies.len() >= QUOTA {
        return Err(Refusal::of("DBProxyQuotaExceededFault", format!("You have already {QUOTA} proxies.")));
    }
    let given = tags::sent(form)?;
    let mut proxy = Proxy {
        id: format!("prx-{:017x}", region.number()),
        created: call.now,
        updated: call.now,
        set,
        pool: Pool::default(),
        targets: Vec::new(),
        phase: None,
        name: name.clone(),
    };
    proxy.begins("creating", call.lasts(MAKING), call.now);
    region.tags.insert(proxy.arn(region), given);
    let answer = Element::new("").with(shown(region, &proxy).named("DBProxy"));
    region.proxies.insert(name, proxy);
    Ok(answer)
}

/// `ModifyDBProxy`.
pub fn modify(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let mut proxy = at_rest(region, form.required("DBProxyName")?)?;
    if form.text("NewDBProxyName").is_some() {
        return Err(Refusal::value("The emulator gives a proxy no other name."));
    }
    let set = &mut proxy.set;
    if let Some(auth) = auth(form)? {
        set.auth = auth;
    }
    if let Some(arn) = form.text("RoleArn") {
        set.role = role(arn, call)?;
    }
    set.require_tls = form.bool("RequireTLS")?.unwrap_or(set.require_tls);
    set.debug = form.bool("DebugLogging")?.unwrap_or(set.debug);
    set.idle_timeout_s = idle(form.int("IdleClientTimeout")?.unwrap_or(set.idle_timeout_s))?;
    if let Some(groups) = form.list("SecurityGroups", "member") {
        set.security_groups = security_groups(region, Some(groups), &set.vpc)?;
    }
    proxy.begins("modifying", call.lasts(CHANGING), call.now);
    let answer = Element::new("").with(shown(region, &proxy).named("DBProxy"));
    region.proxies.insert(proxy.name.clone(), proxy);
    Ok(answer)
}

/// `DeleteDBProxy`.
pub fn delete(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let mut proxy = existing(region, form.required("DBProxyName")?)?;
    if proxy.status() == "deleting" {
        return Err(state(&proxy));
    }
    proxy.targets.clear();
    proxy.begins("deleting", call.lasts(DELETING), call.now);
    let answer = Element::new("").with(shown(region, &proxy).named("DBProxy"));
    region.proxies.insert(proxy.name.clone(), proxy);
    Ok(answer)
}

/// `DescribeDBProxies`.
pub fn describe(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let found = match form.text("DBProxyName") {
        Some(name) => vec![existing(region, name)?],
        None => region.proxies.values().cloned().collect(),
    };
    paged(form, Listing { name: "DBProxies", items: found.iter().map(|proxy| shown(region, proxy)).collect() })
}

/// A proxy that must be there.
pub fn existing(region: &Region, name: &str) -> Result<Proxy, Refusal> {
    let found = region.proxies.get(name).cloned();
    found.ok_or_else(|| Refusal::missing("DBProxyNotFoundFault", format!("DBProxy {name} not found.")))
}

/// A proxy that must be there, and to which nothing is being done.
pub fn at_rest(region: &Region, name: &str) -> Result<Proxy, Refusal> {
    let proxy = existing(region, name)?;
    if proxy.status() == "available" { Ok(proxy) } else { Err(state(&proxy)) }
}

fn state(proxy: &Proxy) -> Refusal {
    let message = format!("The proxy {} is {}, and not in a state for this.", proxy.name, proxy.status());
    Refusal::of("InvalidDBProxyStateFault", message)
}

/// `[a-zA-Z](?:-?[a-zA-Z0-9]+)*`, at most 63: the model's own pattern.
fn named(name: &str) -> Result<(), Refusal> {
    validate::identifier("DBProxyName", name, 63)
}

/// The service that acts as a proxy's role.
pub const SERVICE: &str = "rds.amazonaws.com";

/// A role that RDS may act as; whether it may read a secret is found out when the proxy logs in.
fn role(arn: &str, call: &Call) -> Result<String, Refusal> {
    let is_trusted = call.roles.trusts(arn, SERVICE);
    is_trusted
        .then(|| arn.to_owned())
        .ok_or_else(|| Refusal::value(format!("RDS is not authorized to assume the IAM role {arn}.")))
}

fn idle(timeout_s: i64) -> Result<i64, Refusal> {
    let fits = (1..=28_800).contains(&timeout_s);
    fits.then_some(timeout_s)
        .ok_or_else(|| Refusal::value(format!("Invalid IdleClientTimeout: {timeout_s}. Must be between 1 and 28800.")))
}

/// Who may log in, if a request says so.
fn auth(form: &Form) -> Result<Option<Vec<Auth>>, Refusal> {
    let one = |sent: Form| {
        let scheme = sent.text("AuthScheme").unwrap_or("SECRETS");
        if scheme != "SECRETS" {
            return Err(Refusal::value(format!("Invalid AuthScheme: {scheme}")));
        }
        let secret = sent.required("SecretArn")?.to_owned();
        if !secret.starts_with("arn:") || !secret.contains(":secret:") {
            return Err(Refusal::value(format!("{secret} is not the ARN of a secret.")));
        }
        let iam = sent.text("IAMAuth").unwrap_or("DISABLED").to_owned();
        // ENABLED is for SQL Server only, says the model.
        if !["DISABLED", "REQUIRED"].contains(&iam.as_str()) {
            return Err(Refusal::value(format!("Invalid IAMAuth: {iam}")));
        }
        let password_type = sent.text("ClientPasswordAuthType").unwrap_or("POSTGRES_SCRAM_SHA_256").to_owned();
        if !["POSTGRES_SCRAM_SHA_256", "POSTGRES_MD5"].contains(&password_type.as_str()) {
            return Err(Refusal::value(format!("Invalid ClientPasswordAuthType: {password_type}")));
        }
        Ok(Auth { secret, iam, password_type })
    };
    let all: Vec<Auth> = form.structures("Auth", "member").into_iter().map(one).collect::<Result<_, _>>()?;
    Ok((!all.is_empty()).then_some(all))
}

/// The subnets sent, in at least two zones of one VPC.
fn subnets(region: &Region, form: &Form) -> Result<(Vec<String>, String), Refusal> {
    let sent = form.list("VpcSubnetIds", "member").unwrap_or_default();
    if sent.is_empty() {
        return Err(Refusal::of("MissingParameter", "The request must contain the parameter VpcSubnetIds."));
    }
    let (mut zones, mut vpcs) = (BTreeSet::new(), BTreeSet::new());
    for id in &sent {
        let subnet = region.around.subnets.get(*id);
        let subnet = subnet.ok_or_else(|| Refusal::of("InvalidSubnet", format!("The subnet {id} does not exist.")))?;
        zones.insert(&subnet.zone);
        vpcs.insert(&subnet.vpc);
    }
    let vpc = vpcs.first().filter(|_| vpcs.len() == 1 && zones.len() >= 2).map(|vpc| (*vpc).clone());
    let vpc = vpc.ok_or_else(|| {
        Refusal::of("InvalidSubnet", "The subnets of a proxy are in at least two Availability Zones of one VPC.")
    })?;
    Ok((sent.into_iter().map(str::to_owned).collect(), vpc))
}

/// The groups sent, or the VPC's default one.
fn security_groups(region: &Region, sent: Option<Vec<&str>>, vpc: &str) -> Result<Vec<String>, Refusal> {
    let sent = sent.unwrap_or_default();
    if sent.is_empty() {
        let mut groups = region.around.security_groups.iter();
        let default = groups.find(|(_, group)| group.vpc == vpc && group.name == "default");
        return Ok(default.map(|(id, _)| id.clone()).into_iter().collect());
    }
    validate::security_groups(region, &sent, vpc)
}

fn shown(region: &Region, proxy: &Proxy) -> Element {
    let set = &proxy.set;
    let auth = set.auth.iter().map(|auth| {
        Element::new("member")
            .put("AuthScheme", "SECRETS")
            .put("SecretArn", &auth.secret)
            .put("IAMAuth", &auth.iam)
            .put("ClientPasswordAuthType", &auth.password_type)
    });
    Element::new("member")
        .put("DBProxyName", &proxy.name)
        .put("DBProxyArn", proxy.arn(region))
        .put("Status", proxy.status())
        .put("EngineFamily", "POSTGRESQL")
        .put("VpcId", &set.vpc)
        .texts("VpcSecurityGroupIds", "member", &set.security_groups)
        .texts("VpcSubnetIds", "member", &set.subnets)
        .put("DefaultAuthScheme", "NONE")
        .list("Auth", auth)
        .put("RoleArn", &set.role)
        .put("Endpoint", endpoint(region, proxy))
        .put("RequireTLS", set.require_tls)
        .put("IdleClientTimeout", set.idle_timeout_s)
        .put("DebugLogging", set.debug)
        .time("CreatedDate", proxy.created)
        .time("UpdatedDate", proxy.updated)
}

fn endpoint(region: &Region, proxy: &Proxy) -> String {
    let hash = &proxy.id[proxy.id.len() - 12..];
    format!("{}.proxy-{hash}.{}.rds.emulated", proxy.name, region.name)
}

/// Proxies by name.
pub type Proxies = BTreeMap<String, Proxy>;

/// The ARN of a target group, of which each proxy has one.
pub fn group_arn(region: &Region, proxy: &Proxy) -> String {
    format!("arn:aws:rds:{}:{ACCOUNT}:target-group:{}", region.name, proxy.id.replace("prx-", "prx-tg-"))
}
