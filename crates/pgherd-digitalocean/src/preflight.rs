//! What is to be known before anything is done: what a plan makes or changes is asked about, and nothing else. What DigitalOcean does
//! not tell is left out of the judgement and told as a note.

use std::collections::BTreeSet;

use futures_util::future::join;
use pgherd_core::catalogue::settable;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::{Action, Change, When};
use pgherd_core::resource::{Observed, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{Goal, Intended};

use crate::api::{self, Options};
use crate::error::DoError;
use crate::kinds::cluster::growth_of;
use crate::kinds::{alert, cluster, config, replica};
use crate::names;
use crate::provider::DigitalOcean;

/// The code by which a user lets a database go without a last backup.
pub const NO_LAST_BACKUP: &str = "no-last-backup";

/// What to do instead of relying on one.
pub(crate) const DUMP: &str =
    "keep a pg_dump of it, then write skip_final_snapshot = true, or accept that with --accept no-last-backup";

/// Errors that a user may accept. The others are about what DigitalOcean refuses for sure.
pub const ACCEPTABLE: &[&str] = &[
    "class-not-offered",
    "interrupts-now",
    "major-upgrade",
    "region-migration",
    "uncapped-growth",
    "version-unavailable",
];

/// That there is nothing left of a database that is deleted.
pub(crate) fn no_last_backup(name: &str) -> String {
    format!("DigitalOcean deletes the backups of {name} with it and takes no last one")
}

/// Everything to be said about what is intended.
pub(crate) async fn preflight(
    ocean: &DigitalOcean,
    spec: &Spec,
    intended: &Intended<'_>,
    accepted: &BTreeSet<String>,
) -> Vec<Diagnostic> {
    let about = About { spec, intended };
    let said = match intended.goal {
        Goal::Destroy => about.destroyed(ocean, accepted).await,
        Goal::Apply { now } => {
            let (options, network) = join(options(ocean, &about), network(ocean, &about)).await;
            [
                about.at_once(now),
                about.unbounded(),
                about.moved(),
                about.offered(options, ocean.origin().is_some()),
                about.unsure_of_storage().into_iter().collect(),
                network,
                about.left(),
                about.unheard(),
            ]
            .concat()
        }
    };
    let judged = |told: Diagnostic| {
        if ACCEPTABLE.contains(&told.code) { told.acknowledged(accepted) } else { told }
    };
    said.into_iter().map(judged).collect()
}

/// What is about to be done.
#[derive(Clone, Copy)]
struct About<'a> {
    spec: &'a Spec,
    intended: &'a Intended<'a>,
}

impl<'a> About<'a> {
    fn error(&self, code: &'static str, at: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).at(&self.spec.block, at)
    }

    /// What is made of a kind.
    fn made(&self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.intended.plan.steps.iter().filter_map(move |step| match &step.action {
            Action::Create { resource } if resource.id.kind == kind => Some(resource),
            Action::Create { .. } | Action::Update { .. } | Action::Delete { .. } => None,
        })
    }

    /// What is changed of a kind.
    fn changes(&self, kind: &'a str) -> impl Iterator<Item = &'a Change> {
        let steps = self.intended.plan.steps.iter().filter(move |step| step.id.kind == kind);
        steps.flat_map(|step| step.action.changes())
    }

    /// The value that a field gets.
    fn becomes(&self, field: &'a str) -> Option<&'a Value> {
        let made = self.made(cluster::NAME).find_map(|one| one.props.get(field));
        made.or_else(|| self.changes(cluster::NAME).find(|change| change.field == field).map(|change| &change.to))
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
                    format!("DigitalOcean changes {} at once, and knows no waiting for the window", change.field);
                let help = "run apply when an interruption is fine, with --now";
                vec![self.error("interrupts-now", "apply_immediately", message).help(help)]
            }
            _ => Vec::new(),
        }
    }

    fn unbounded(&self) -> Vec<Diagnostic> {
        let grows = self.becomes("autoscale").and_then(Value::as_text).and_then(growth_of).is_some();
        let most = self.spec.storage.max_gib.unwrap_or_default();
        let message =
            format!("DigitalOcean grows storage without a limit, so that {most} GiB is not held, nor what it costs");
        let help = "leave max_allocated_storage out for no growth";
        grows.then(|| self.error("uncapped-growth", "max_allocated_storage", message).help(help)).into_iter().collect()
    }

    /// What cannot be taken back.
    fn moved(&self) -> Vec<Diagnostic> {
        let told = self.changes(cluster::NAME).filter_map(|change| match change.field.as_str() {
            "version" => Some(
                self.error(
                    "major-upgrade",
                    "engine_version",
                    format!("PostgreSQL {} becomes {}, and there is no way back", change.from, change.to),
                )
                .help("restore a backup under another name and try the upgrade there first"),
            ),
            "region" => Some(
                self.error(
                    "region-migration",
                    "do_region",
                    format!("the database moves from {} to {} with everything in it", change.from, change.to),
                )
                .help("write the region it is in"),
            ),
            _ => None,
        });
        told.collect()
    }

    /// Whether what is asked for is sold. The size of a replica is its cluster's.
    fn offered(&self, options: Option<Result<Options, DoError>>, is_restored: bool) -> Vec<Diagnostic> {
        let options = match options {
            None => return Vec::new(),
            Some(Ok(options)) => options,
            Some(Err(error)) => {
                let message = format!("what DigitalOcean offers could not be checked: {error}");
                return vec![Diagnostic::note("unchecked", message).at(&self.spec.block, "")];
            }
        };
        let listed = |all: &BTreeSet<String>| all.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let text = |field: &'a str| self.becomes(field).and_then(Value::as_text);
        let mut out = Vec::new();
        // What is made of a backup is of its major, which may be one that is made anew no more.
        if let Some(version) = text("version").or_else(|| text("newest_version"))
            && !is_restored
            && !options.versions.is_empty()
            && !options.versions.contains(version)
        {
            let message = format!("DigitalOcean makes no PostgreSQL {version}");
            let help = format!("it makes {}", listed(&options.versions));
            out.push(self.error("version-unavailable", "engine_version", message).help(help));
        }
        if let Some(region) = text("region")
            && !options.regions.is_empty()
            && !options.regions.contains(region)
        {
            let message = format!("DigitalOcean has no PostgreSQL in {region}");
            let help = format!("it has it in {}", listed(&options.regions));
            out.push(self.error("region-unavailable", "do_region", message).help(help));
        }
        let far = self.made(replica::NAME).filter_map(|one| one.props.get("region")?.as_text());
        for region in far.filter(|region| Some(*region) != self.spec.place.region.known().map(String::as_str)) {
            if !options.regions.is_empty() && !options.regions.contains(region) {
                let message = format!("DigitalOcean has no PostgreSQL in {region}");
                let help = format!("it has it in {}", listed(&options.regions));
                out.push(self.error("region-unavailable", "dr_region", message).help(help));
            }
        }
        let nodes = cluster::nodes(self.spec);
        let size = self.spec.size.name.as_str();
        let is_asked = self.becomes("size").is_some() || self.becomes("num_nodes").is_some();
        if let Some(sizes) = options.sizes.get(&nodes).filter(|sizes| is_asked && !sizes.contains(size)) {
            let message = match nodes {
                1 => format!("DigitalOcean does not offer {size}"),
                nodes => format!("DigitalOcean does not offer {size} with {nodes} nodes"),
            };
            let near = sizes.iter().filter(|other| other.split('-').next() == size.split('-').next());
            let near: Vec<&str> = near.map(String::as_str).collect();
            out.push(
                self.error("class-not-offered", "instance_class", message)
                    .help(format!("it offers {}", near.join(", "))),
            );
        }
        out
    }

    /// Storage that is asked for of a size of which nobody knows what it brings along.
    fn unsure_of_storage(&self) -> Option<Diagnostic> {
        let asked = self.becomes("storage_size_mib").filter(|_| cluster::base_gib(self.spec).is_none())?;
        let gib = asked.as_int().unwrap_or_default() / 1024;
        let size = &self.spec.size.name;
        let message = format!(
            "how much storage {size} brings along is not known here, and DigitalOcean refuses less than that: {gib} GiB is asked for"
        );
        let help = "leave allocated_storage out for what it brings along";
        Some(Diagnostic::note("storage-unsure", message).at(&self.spec.block, "allocated_storage").help(help))
    }

    /// Settings that were taken out of the block: DigitalOcean takes none back.
    fn left(&self) -> Vec<Diagnostic> {
        let others = self.seen(config::NAME).and_then(|seen| seen.props.get("others")?.as_map());
        let left: Vec<&str> = others
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .filter(|name| settable::on_digitalocean(name).is_some())
            .collect();
        if left.is_empty() {
            return Vec::new();
        }
        let message = format!("set on DigitalOcean and not in the block: {}", left.join(", "));
        let help = "DigitalOcean takes no setting back: write the value that shall be";
        vec![Diagnostic::note("config-left", message).at(&self.spec.block, "parameters").help(help)]
    }

    /// Alarms that nobody hears.
    fn unheard(&self) -> Vec<Diagnostic> {
        let monitoring = &self.spec.monitoring;
        let is_new = self.made(cluster::NAME).next().is_some() || self.made(alert::NAME).next().is_some();
        if !is_new {
            return Vec::new();
        }
        let note = |at: &str, message: &str, help: &str| {
            Diagnostic::note("alarms", message).at(&self.spec.block, at).help(help)
        };
        let mut out = vec![note(
            "alarms",
            "DigitalOcean has alerts of CPU and storage, and none of connections and of latency",
            "its metrics endpoint tells both",
        )];
        if alert::emails(self.spec).is_empty() {
            out.push(note(
                "alarm_targets",
                "no alert is made: DigitalOcean's tell people by mail",
                "write an address that DigitalOcean has verified",
            ));
        }
        if monitoring.dashboard {
            out.push(note(
                "create_dashboard",
                "DigitalOcean shows graphs of its own, and takes no dashboard",
                "leave it out",
            ));
        }
        out
    }

    /// A cluster that was asked for a moment ago by a run that was cut short: it may not be to be seen yet, and would stay.
    fn on_its_way(&self, ocean: &DigitalOcean) -> Option<Diagnostic> {
        let asked_at = ocean.secrets(&self.spec.name).and_then(|folder| folder.intended())?;
        let since = jiff::Timestamp::now().duration_since(asked_at).unsigned_abs();
        let is_near = self.seen(cluster::NAME).is_none() && since < ocean.patience().appearing;
        let message = format!("{} was asked for a moment ago, and is not to be seen yet", self.spec.name);
        let help = format!("run it again in {} s", ocean.patience().appearing.as_secs());
        is_near.then(|| self.error("asked-for-just-now", "", message).help(help))
    }

    async fn destroyed(&self, ocean: &DigitalOcean, accepted: &BTreeSet<String>) -> Vec<Diagnostic> {
        let is_deleted = |kind: &str| {
            let mut steps = self.intended.plan.steps.iter();
            steps.any(|step| step.id.kind == kind && matches!(step.action, Action::Delete { .. }))
        };
        let Some(seen) = self.seen(cluster::NAME).filter(|_| is_deleted(cluster::NAME)) else {
            return self.on_its_way(ocean).into_iter().collect();
        };
        let mut out = Vec::new();
        if !self.spec.backup.skip_final {
            let said = self.error(NO_LAST_BACKUP, "skip_final_snapshot", no_last_backup(&self.spec.name));
            out.push(match accepted.contains(NO_LAST_BACKUP) {
                true => said.acknowledged(accepted),
                false => said.help(DUMP),
            });
        }
        let id = seen.props.get(cluster::ID).and_then(Value::as_text).unwrap_or_default();
        let goes = |name: &str| {
            let mut steps = self.intended.plan.steps.iter();
            steps.any(|step| step.id.kind == replica::NAME && step.id.name == name)
        };
        match api::replicas(ocean.session(), id).await {
            Ok(replicas) => {
                for one in replicas.iter().filter(|one| !goes(&one.name)) {
                    let message = format!("the replica {} of {} is not pgherd's", one.name, self.spec.name);
                    let help = "promote or delete it in the control panel first";
                    out.push(self.error("foreign-replica", "", message).help(help));
                }
            }
            Err(error) => {
                let message = format!("whether it has other replicas could not be checked: {error}");
                out.push(self.error("unchecked", "", message));
            }
        }
        out
    }
}

/// What is offered, where a plan asks for something of it.
async fn options(ocean: &DigitalOcean, about: &About<'_>) -> Option<Result<Options, DoError>> {
    let asks = ["version", "newest_version", "size", "num_nodes", "region"];
    let has_far = about.spec.dr.is_some() && about.made(replica::NAME).next().is_some();
    match has_far || asks.into_iter().any(|field| about.becomes(field).is_some()) {
        true => Some(api::options(ocean.session()).await),
        false => None,
    }
}

/// Whether the network is there, and in the region.
async fn network(ocean: &DigitalOcean, about: &About<'_>) -> Vec<Diagnostic> {
    let made = about.made(cluster::NAME).chain(about.made(replica::NAME));
    let mut out = Vec::new();
    for one in made {
        let text = |field: &str| one.props.get(field).and_then(Value::as_text);
        let is_far = one.id.name == names::recovery(&about.spec.name);
        let variable = if is_far { "dr_vpc_id" } else { "vpc_id" };
        let (Some(vpc), region) = (text("private_network_uuid"), text("region").unwrap_or_default()) else { continue };
        match api::vpc(ocean.session(), vpc).await {
            Ok(Some(place)) if place == region || place.is_empty() || region.is_empty() => {}
            Ok(Some(place)) => {
                let message = format!("the network {vpc} is in {place}, and {} shall be in {region}", one.id);
                out.push(about.error("network-elsewhere", variable, message).help("write a network of that region"));
            }
            Ok(None) => {
                let message = format!("there is no network {vpc}");
                out.push(
                    about
                        .error("network-unknown", variable, message)
                        .help(format!("leave {variable} out for the region's own")),
                );
            }
            Err(error) => {
                let message = format!("the network {vpc} could not be checked: {error}");
                out.push(Diagnostic::note("unchecked", message).at(&about.spec.block, variable));
            }
        }
    }
    out
}
