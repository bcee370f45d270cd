//! What is to be known before anything is done: what a plan makes or changes is asked about, and nothing else. What Google does not
//! tell is left out of the judgement and told as a note.

use std::collections::BTreeSet;

use futures_util::future::join;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::{Action, Change, When};
use pgherd_core::resource::{Observed, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_engine::provider::{Goal, Intended};

use crate::api::{self, Flag};
use crate::error::GcpError;
use crate::fields::{FLAGS, address};
use crate::kinds::{alert, instance, replica};
use crate::provider::Gcp;

/// Errors that a user may accept. The others are about what Google refuses for sure.
pub const ACCEPTABLE: &[&str] = &["class-not-offered", "flag-refused", "interrupts-now", "major-upgrade"];

/// Longest `project:name` (Cloud SQL documentation, "Instance settings").
const LONGEST: usize = 98;

/// Everything to be said about what is intended.
pub(crate) async fn preflight(
    gcp: &Gcp,
    spec: &Spec,
    intended: &Intended<'_>,
    accepted: &BTreeSet<String>,
) -> Vec<Diagnostic> {
    let about = About { spec, intended, project: gcp.project() };
    let said = match intended.goal {
        Goal::Destroy => about.destroyed(gcp).await,
        Goal::Apply { now } => {
            let (tiers, flags) = join(about.tiers(gcp), about.flags(gcp, now)).await;
            [about.at_once(now), about.upgraded(), about.reached(), about.fits(), tiers, flags, about.unheard()]
                .concat()
        }
    };
    let judged = |told: Diagnostic| if ACCEPTABLE.contains(&told.code) { told.acknowledged(accepted) } else { told };
    said.into_iter().map(judged).collect()
}

/// What is about to be done.
#[derive(Clone, Copy)]
struct About<'a> {
    spec: &'a Spec,
    intended: &'a Intended<'a>,
    project: &'a str,
}

impl<'a> About<'a> {
    fn error(&self, code: &'static str, at: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).at(&self.spec.block, at)
    }

    fn note(&self, code: &'static str, at: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::note(code, message).at(&self.spec.block, at)
    }

    /// What is made of a kind.
    fn made(&self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.intended.plan.steps.iter().filter_map(move |step| match &step.action {
            Action::Create { resource } if resource.id.kind == kind => Some(resource),
            Action::Create { .. } | Action::Update { .. } | Action::Delete { .. } => None,
        })
    }

    fn is_made(&self, kind: &'a str) -> bool {
        self.made(kind).next().is_some()
    }

    /// What is changed of a kind.
    fn changes(&self, kind: &'a str) -> impl Iterator<Item = &'a Change> {
        let steps = self.intended.plan.steps.iter().filter(move |step| step.id.kind == kind);
        steps.flat_map(|step| step.action.changes())
    }

    fn change(&self, field: &str) -> Option<&'a Change> {
        self.changes(instance::NAME).find(|change| change.field == field)
    }

    fn seen(&self, kind: &str) -> Option<&'a Observed> {
        self.intended.observed.iter().find(|seen| seen.id.kind == kind)
    }

    /// Whoever wants restarts in the window gets none in between.
    fn at_once(&self, now: bool) -> Vec<Diagnostic> {
        let interrupts = self.intended.plan.steps.iter().flat_map(|step| step.action.changes());
        let mut interrupts = interrupts.filter(|change| change.impact.interrupts() && change.when == When::Now);
        match interrupts.next() {
            Some(change) if self.spec.apply_immediately == Some(false) && !now => {
                let message =
                    format!("Cloud SQL changes {} at once, and knows no waiting for the window", change.field);
                let help = "run apply when an interruption is fine, with --now";
                vec![self.error("interrupts-now", "apply_immediately", message).help(help)]
            }
            _ => Vec::new(),
        }
    }

    /// What cannot be taken back.
    fn upgraded(&self) -> Vec<Diagnostic> {
        let change = self.change("databaseVersion").into_iter();
        change
            .map(|change| {
                let message = format!("PostgreSQL {} becomes {}, and there is no way back", change.from, change.to);
                let help = "clone it under another name and try the upgrade there first";
                self.error("major-upgrade", "engine_version", message).help(help)
            })
            .collect()
    }

    /// Who comes in by which way.
    fn reached(&self) -> Vec<Diagnostic> {
        let network = &self.spec.network;
        let mut out = Vec::new();
        let is_new = self.is_made(instance::NAME);
        if let Some(change) = self.change("privateNetwork").filter(|change| !change.from.is_null()) {
            let message =
                format!("{} stays in {}: Cloud SQL moves no instance to another network", self.spec.name, change.from);
            let help = "clone it under another name, or write the network it is in";
            out.push(self.error("network-stays", "vpc_id", message).help(help));
        }
        if is_new && !matches!(network.vpc_id, Setting::Unset) {
            let message =
                "that the network is connected to Google's by private services access is not checked beforehand";
            let help =
                "gcloud services vpc-peerings list --network=<name> tells; without it the instance fails after minutes";
            out.push(self.note("unchecked", "vpc_id", message).help(help));
        }
        let written = || network.allowed_cidr_blocks.iter().filter_map(Setting::known);
        if is_new && !network.publicly_accessible && written().next().is_some() {
            let message =
                "Cloud SQL has no rule for single networks on its private address: who is in the network comes in";
            let help = "let firewall rules of the network say who may leave for it";
            out.push(self.note("cidr-not-used", "allowed_cidr_blocks", message).help(help));
        }
        let private: Vec<String> =
            written().map(|text| address(text)).filter(|one| instance::is_private(one)).collect();
        if network.publicly_accessible && (is_new || self.change("authorizedNetworks").is_some()) && !private.is_empty()
        {
            let message =
                format!("no packet from {} comes over the internet, so they are left out", private.join(", "));
            out.push(
                self.note("cidr-not-used", "allowed_cidr_blocks", message).help("write public addresses, or vpc_id"),
            );
        }
        if is_new && matches!(&network.subnet_ids, Setting::Known(ids) if !ids.is_empty()) {
            let message = "subnet_ids is not used: an instance of Cloud SQL is in a network of Google's";
            out.push(self.note("subnets-not-used", "subnet_ids", message).help("leave it out on Google Cloud"));
        }
        out
    }

    /// What Cloud SQL refuses together, which it would say after minutes or in other words.
    fn fits(&self) -> Vec<Diagnostic> {
        let spec = self.spec;
        let mut out = Vec::new();
        let whole = format!("{}:{}", self.project, spec.name);
        if self.is_made(instance::NAME) && whole.len() > LONGEST {
            let message = format!(
                "{whole} has {} characters; {LONGEST} is the most for a project and a name together",
                whole.len()
            );
            out.push(self.error("name-too-long", "name", message).help("write a shorter name"));
        }
        let shrinks = self.seen(instance::NAME).and_then(|seen| seen.props.get("dataDiskSizeGb")?.as_int());
        let wanted = i64::try_from(spec.storage.allocated_gib).unwrap_or(i64::MAX);
        let most = spec.storage.max_gib.and_then(|most| i64::try_from(most).ok());
        if let (Some(live), None) = (shrinks.filter(|live| *live > wanted), most) {
            let message = format!("storage has {live} GiB and is not made smaller to {wanted}");
            out.push(self.note("storage-stays", "allocated_storage", message).help(format!("write {live}")));
        }
        if self.is_made(instance::NAME) && spec.monitoring.dashboard {
            let message = "this version makes no dashboard on Google Cloud";
            out.push(
                self.note("no-dashboard", "create_dashboard", message)
                    .help("Cloud SQL's own is under Monitoring, Dashboards"),
            );
        }
        out
    }

    /// Whether the tier is sold in the region.
    async fn tiers(&self, gcp: &Gcp) -> Vec<Diagnostic> {
        let is_asked = self.is_made(instance::NAME) || self.is_made(replica::NAME) || self.change("tier").is_some();
        if !is_asked {
            return Vec::new();
        }
        let tiers = match api::tiers(gcp.at()).await {
            Ok(tiers) => tiers,
            Err(error) => return vec![self.unchecked("what tiers are offered", &error)],
        };
        let (tier, region) = (self.spec.size.name.as_str(), self.spec.place.region.known());
        // Those that are made to measure are not listed one by one.
        if tier.starts_with("db-custom-") || tiers.is_empty() {
            return Vec::new();
        }
        let regions = tiers.iter().find(|(name, _)| name == tier).map(|(_, regions)| regions);
        let is_offered =
            |regions: &BTreeSet<String>| region.is_none_or(|region| regions.is_empty() || regions.contains(region));
        if regions.is_some_and(is_offered) {
            return Vec::new();
        }
        let place = region.map_or_else(String::new, |region| format!(" in {region}"));
        let near = tiers.iter().filter(|(name, regions)| is_offered(regions) && name.get(..6) == tier.get(..6));
        let near: Vec<&str> = near.map(|(name, _)| name.as_str()).take(6).collect();
        let help = if near.is_empty() {
            "gcloud sql tiers list shows what there is".to_owned()
        } else {
            format!("it offers {}", near.join(", "))
        };
        vec![
            self.error("class-not-offered", "instance_class", format!("Cloud SQL does not offer {tier}{place}"))
                .help(help),
        ]
    }

    /// Whether there are the flags, and take the values; and which restart the instance though PostgreSQL itself would not.
    async fn flags(&self, gcp: &Gcp, now: bool) -> Vec<Diagnostic> {
        let made = self.made(instance::NAME).filter_map(|one| one.props.get(FLAGS)?.as_map()).flatten();
        let made = made.map(|(name, value)| (name.clone(), value.clone()));
        let changed = self.changes(instance::NAME).filter_map(|change| {
            let name = change.field.strip_prefix(FLAGS)?.strip_prefix('.')?;
            Some((name.to_owned(), change.to.clone()))
        });
        let wanted: Vec<(String, String)> =
            made.chain(changed).filter_map(|(name, value)| Some((name, value.as_text()?.to_owned()))).collect();
        let major = self.spec.engine_version.map(|version| version.major).or(self.spec.newest_major);
        let is_asked = !wanted.is_empty() || self.changes(instance::NAME).any(|change| change.field.starts_with(FLAGS));
        let (Some(major), true) = (major, is_asked) else { return Vec::new() };
        let known = match api::flags(gcp.at(), &major.to_string()).await {
            Ok(known) if known.is_empty() => return Vec::new(),
            Ok(known) => known,
            Err(error) => return vec![self.unchecked("what flags there are", &error)],
        };
        let refused = |(name, value): &(String, String)| {
            let why = match known.iter().find(|flag| flag.name == *name) {
                None => Some(format!("Cloud SQL has no flag {name} for PostgreSQL {major}")),
                Some(flag) => {
                    wrong(flag, value).map(|words| format!("Cloud SQL does not take {name} = {value}: {words}"))
                }
            };
            let help = "leave it out, or accept that it is refused with --accept flag-refused";
            Some(self.error("flag-refused", "parameters", why?).help(help))
        };
        wanted.iter().filter_map(refused).chain(self.restarting(&known, now)).collect()
    }

    /// Changes that only Cloud SQL's own list tells to restart.
    fn restarting(&self, known: &[Flag], now: bool) -> Option<Diagnostic> {
        let restarts = |change: &&Change| {
            let name = change.field.strip_prefix(FLAGS).and_then(|rest| rest.strip_prefix('.'));
            !change.impact.interrupts()
                && name.is_some_and(|name| known.iter().any(|flag| flag.name == name && flag.restarts))
        };
        let change = self.changes(instance::NAME).find(restarts)?;
        let message = format!("Cloud SQL restarts for {}, and does so at once", change.field);
        if self.spec.apply_immediately == Some(false) && !now {
            let help = "run apply when an interruption is fine, with --now";
            return Some(self.error("interrupts-now", "apply_immediately", message).help(help));
        }
        let help = "apply when an interruption of about a minute is fine";
        Some(Diagnostic::warning("flag-restarts", message).at(&self.spec.block, "parameters").help(help))
    }

    fn unchecked(&self, what: &str, error: &GcpError) -> Diagnostic {
        self.note("unchecked", "", format!("{what} could not be checked: {error}"))
    }

    /// Alarms that are not made, or that nobody hears.
    fn unheard(&self) -> Vec<Diagnostic> {
        if !self.is_made(instance::NAME) {
            return Vec::new();
        }
        let mut out = Vec::new();
        if self.spec.monitoring.alarm_read_latency_s.is_some() {
            let message = "Cloud SQL has no metric of read latency for PostgreSQL, so no alarm of it is made";
            out.push(
                self.note("alarms", "alarms", message)
                    .help("Query Insights shows how long queries take: enable_performance_insights"),
            );
        }
        if alert::connections(self.spec).is_none() {
            let message = "how many connections there can be is not known, so no alarm of them is made";
            out.push(
                self.note("alarms", "alarms", message).help("write alarms = { connections = 80 }, or max_connections"),
            );
        }
        if self.spec.monitoring.alarm_targets.is_empty() {
            let message = "nobody is told of an alarm: it is seen in the console only";
            out.push(self.note("alarms", "alarm_targets", message).help("write an address of mail"));
        }
        out
    }

    /// What stands in the way of the end.
    async fn destroyed(&self, gcp: &Gcp) -> Vec<Diagnostic> {
        let is_deleted = |kind: &str, name: Option<&str>| {
            let mut steps = self.intended.plan.steps.iter();
            steps.any(|step| {
                step.id.kind == kind
                    && name.is_none_or(|name| step.id.name == name)
                    && matches!(step.action, Action::Delete { .. })
            })
        };
        if !is_deleted(instance::NAME, None) {
            return Vec::new();
        }
        let there = match api::instance(gcp.at(), &self.spec.name).await {
            Ok(there) => there,
            Err(error) => {
                let message = format!("whether it has other replicas could not be checked: {error}");
                return vec![self.error("unchecked", "", message)];
            }
        };
        let others = there.into_iter().flat_map(|there| there.replicas());
        let others = others.filter(|name| !is_deleted(replica::NAME, Some(name)));
        others
            .map(|name| {
                let message = format!("the replica {name} of {} is not pgherd's", self.spec.name);
                self.error("foreign-replica", "", message).help("promote or delete it in the console first")
            })
            .collect()
    }
}

/// Why a flag does not take a value.
fn wrong(flag: &Flag, value: &str) -> Option<String> {
    match flag.kind.as_str() {
        "INTEGER" => match value.parse::<i64>() {
            Err(_) => Some("it is no whole number".to_owned()),
            Ok(number)
                if flag.least.is_some_and(|least| number < least) || flag.most.is_some_and(|most| number > most) =>
            {
                let (least, most) = (flag.least.unwrap_or(i64::MIN), flag.most.unwrap_or(i64::MAX));
                Some(format!("it takes {least} to {most}"))
            }
            Ok(_) => None,
        },
        "FLOAT" => value.parse::<f64>().is_err().then(|| "it is no number".to_owned()),
        "BOOLEAN" => (!["on", "off"].contains(&value)).then(|| "it takes on and off".to_owned()),
        _ if !flag.values.is_empty() && !flag.values.iter().any(|known| known.eq_ignore_ascii_case(value)) => {
            Some(format!("it takes {}", flag.values.join(", ")))
        }
        _ => None,
    }
}
