//! An instance: its settings, what was accepted and waits, and the phases it goes through. No call is taken apart here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::backed::{Backed, Given};
use super::parameters::ParameterGroup;
use super::state::{Event, seconds};
use super::window::Window;
use crate::clock::later;

/// A database instance.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its identifier, which may change.
    pub id: String,
    /// Secrets Manager gives it another password every week, in a secret of RDS's own.
    pub is_password_managed: bool,
    /// Its `db-…` id, which never does.
    pub resource_id: String,
    /// When it was made.
    pub created: Timestamp,
    /// What holds now.
    pub set: Settings,
    /// Accepted, for the maintenance window.
    pub waiting: Vec<Change>,
    /// Since when the last of them waits.
    pub waiting_since: Timestamp,
    /// What it goes through, the present first.
    pub phases: VecDeque<Phase>,
    /// Until when the last change of storage is being optimized.
    pub optimizing_until: Option<Timestamp>,
    /// Nothing fits into its storage any more.
    pub is_full: bool,
    /// What is told of its settings, where that lags behind.
    pub told: Option<Told>,
    /// What takes its time is taken and comes to nothing: no room for a class, an upgrade's own check that fails.
    pub gives_up: bool,
    /// It can be reached: `Endpoint` is told.
    pub has_endpoint: bool,
    /// Since when it is stopped.
    pub stopped_since: Option<Timestamp>,
    /// Since when points in time can be restored.
    pub restorable_since: Option<Timestamp>,
    /// The parameter group and the static parameters it was started with.
    pub booted: Booted,
    /// The instance it is a replica of.
    pub source: Option<String>,
    /// It does not follow that any more, which is told and nothing else.
    pub replication_error: bool,
    /// Nothing is left of it.
    pub is_gone: bool,
    /// What is known of the PostgreSQL behind it, if there is one.
    pub backed: Option<Backed>,
}

/// What an instance is set to.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct Settings {
    pub class: String,
    pub version: String,
    pub storage_gib: i64,
    pub max_storage_gib: Option<i64>,
    pub storage_type: String,
    pub iops: Option<i64>,
    pub throughput: Option<i64>,
    pub encrypted: bool,
    pub kms_key: Option<String>,
    pub multi_az: bool,
    pub zone: String,
    pub second_zone: Option<String>,
    pub db_name: Option<String>,
    pub username: String,
    pub password: Password,
    pub port: i64,
    pub retention_days: i64,
    pub backup_window: String,
    pub maintenance_window: String,
    pub protection: bool,
    pub copy_tags: bool,
    pub public: bool,
    pub iam: bool,
    pub logs: BTreeSet<String>,
    pub monitoring: Monitoring,
    pub insights: Option<Insights>,
    pub insights_mode: String,
    pub security_groups: Vec<String>,
    pub subnet_group: String,
    pub parameter_group: String,
    pub option_group: String,
    pub auto_minor: bool,
    pub lifecycle: String,
}

impl Settings {
    /// The major of its PostgreSQL.
    pub fn major(&self) -> u32 {
        super::versions::major(&self.version)
    }
}

/// Enhanced monitoring.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Monitoring {
    /// Seconds between two looks; 0: off.
    pub interval_s: i64,
    /// Who may write what is seen.
    pub role: Option<String>,
}

/// Performance Insights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insights {
    /// How long.
    pub retention_days: i64,
    /// With which key.
    pub kms_key: String,
}

/// A password, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(****)")
    }
}

/// What a server was started with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Booted {
    /// The group.
    pub group: String,
    /// Its static parameters.
    pub parameters: BTreeMap<String, String>,
}

/// Something about an instance that a call changes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub enum Change {
    AutoMinor(bool),
    BackupWindow(String),
    Class(String),
    CopyTags(bool),
    Iam(bool),
    Id(String),
    Insights(Option<Insights>, String),
    Iops(i64),
    Logs(BTreeSet<String>),
    MaintenanceWindow(String),
    MaxStorage(Option<i64>),
    Monitoring(Monitoring),
    /// The zone of the standby, if there shall be one.
    MultiAz(Option<String>),
    OptionGroup(String),
    ParameterGroup(String),
    Password(Password),
    Port(i64),
    Protection(bool),
    Public(bool),
    Retention(i64),
    SecurityGroups(Vec<String>),
    Storage(i64),
    StorageType(String),
    SubnetGroup(String),
    Throughput(i64),
    /// Another version, and with another major the group of its family.
    Version(String, Option<String>),
}

/// What is told of settings while that lags behind how they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `ParameterApplyStatus`.
    pub word: &'static str,
    /// Since when it is another.
    pub wrong_since: Option<Timestamp>,
}

/// A stretch of time with one status.
#[derive(Debug, Clone)]
pub struct Phase {
    /// The status meanwhile.
    pub word: &'static str,
    /// When it ends.
    pub ends: Timestamp,
    /// What its end brings.
    pub then: Vec<Effect>,
}

/// What the end of a phase brings.
#[derive(Debug, Clone)]
pub enum Effect {
    /// A change holds.
    Change(Change),
    /// Clients can reach it.
    Endpoint,
    /// It was started, with what its group says.
    Boot,
    /// Its server has ended, and is kept.
    Stopped,
    /// Primary and standby have changed places.
    Failover,
    /// There is a first backup.
    Backup,
    /// It is a replica no more.
    Promoted,
    /// Nothing is left.
    Gone,
}

impl Instance {
    /// `DBInstanceStatus`.
    pub fn status(&self, now: Timestamp) -> &'static str {
        let is_ending = self.phases.front().is_some_and(|phase| phase.word == "deleting");
        match self.phases.front() {
            _ if !is_ending && let Some(failed) = self.backed.as_ref().and_then(|backed| backed.failed) => failed,
            Some(phase) => phase.word,
            None if self.stopped_since.is_some() => "stopped",
            None if self.is_full => "storage-full",
            None if self.is_optimizing(now) => "storage-optimization",
            None => "available",
        }
    }

    /// Whether the last change of storage is not over.
    pub fn is_optimizing(&self, now: Timestamp) -> bool {
        self.optimizing_until.is_some_and(|until| now < until)
    }

    /// Whether it takes changes.
    pub fn takes_changes(&self, now: Timestamp) -> bool {
        matches!(self.status(now), "available" | "storage-optimization")
    }

    /// What was accepted and does not hold yet: it waits, or is on its way.
    pub fn pending(&self) -> Vec<&Change> {
        let begun = self.phases.iter().flat_map(|phase| &phase.then).filter_map(|effect| match effect {
            Effect::Change(change) => Some(change),
            _ => None,
        });
        begun.chain(&self.waiting).collect()
    }

    /// Goes through one more phase, after those it has before it.
    pub fn goes_through(&mut self, word: &'static str, lasts: SignedDuration, then: Vec<Effect>, now: Timestamp) {
        let begins = self.phases.back().map_or(now, |phase| phase.ends.max(now));
        self.phases.push_back(Phase { word, ends: later(begins, lasts), then });
    }

    /// Is started after it was stopped.
    pub fn starts(&mut self, lasts: SignedDuration, now: Timestamp) {
        self.stopped_since = None;
        self.goes_through("starting", lasts, vec![Effect::Boot], now);
    }

    /// Goes on until `now`; tells what happened.
    pub fn advance(&mut self, now: Timestamp, group: Option<&ParameterGroup>) -> Vec<Event> {
        let mut told = Vec::new();
        // A phase goes on for as long as the server needs, whatever the clock says.
        while !self.is_busy() {
            if let Some(phase) = self.phases.pop_front_if(|phase| phase.ends <= now) {
                phase.then.into_iter().for_each(|effect| told.extend(self.brought(effect, phase.ends, group)));
                if self.is_busy() {
                    self.phases.push_front(Phase { word: phase.word, ends: phase.ends, then: Vec::new() });
                }
            } else if let Some(since) = self.stopped_since {
                let ends = later(since, STOPPED_AT_MOST);
                if ends > now || !self.phases.is_empty() {
                    break;
                }
                self.starts(seconds(120), ends);
            } else if let Some(opens) = self.window_opens().filter(|opens| self.phases.is_empty() && *opens <= now) {
                let waiting = std::mem::take(&mut self.waiting);
                super::modify::begin(self, waiting, opens, 1.0);
            } else {
                break;
            }
        }
        told
    }

    /// When what waits will be done.
    fn window_opens(&self) -> Option<Timestamp> {
        let window: Window = self.set.maintenance_window.parse().ok()?;
        (!self.waiting.is_empty()).then(|| window.next(self.waiting_since))
    }

    fn brought(&mut self, effect: Effect, at: Timestamp, group: Option<&ParameterGroup>) -> Option<Event> {
        let source = self.id.clone();
        let told = |category, message: &str| Some(Event { at, source, category, message: message.to_owned() });
        match effect {
            Effect::Change(change) => {
                self.changed(change, at);
                None
            }
            Effect::Endpoint => {
                self.has_endpoint = true;
                told("creation", "DB instance created")
            }
            Effect::Boot => {
                let parameters = group.map(ParameterGroup::statics).unwrap_or_default();
                self.booted = Booted { group: self.set.parameter_group.clone(), parameters };
                self.order(Given::Restart);
                told("availability", "DB instance restarted")
            }
            Effect::Stopped => {
                self.stopped_since = Some(at);
                self.order(Given::Stop);
                told("notification", "DB instance stopped")
            }
            Effect::Failover => {
                if let Some(second) = &mut self.set.second_zone {
                    std::mem::swap(second, &mut self.set.zone);
                }
                told("failover", "Multi-AZ instance failover completed")
            }
            Effect::Backup => {
                self.restorable_since.get_or_insert(at);
                told("backup", "Finished DB Instance backup")
            }
            Effect::Promoted => {
                self.source = None;
                self.order(Given::Promote);
                told("read replica", "Replication terminated: promoted")
            }
            Effect::Gone => {
                self.is_gone = true;
                told("deletion", "DB instance deleted")
            }
        }
    }

    /// A change holds from now on.
    pub fn changed(&mut self, change: Change, at: Timestamp) {
        let set = &mut self.set;
        match change {
            Change::AutoMinor(on) => set.auto_minor = on,
            Change::BackupWindow(window) => set.backup_window = window,
            Change::Class(class) => set.class = class,
            Change::CopyTags(on) => set.copy_tags = on,
            Change::Iam(on) => set.iam = on,
            Change::Id(id) => self.id = id,
            Change::Insights(insights, mode) => (set.insights, set.insights_mode) = (insights, mode),
            Change::Iops(iops) => set.iops = Some(iops),
            Change::Logs(logs) => set.logs = logs,
            Change::MaintenanceWindow(window) => set.maintenance_window = window,
            Change::MaxStorage(gib) => set.max_storage_gib = gib,
            Change::Monitoring(monitoring) => set.monitoring = monitoring,
            Change::MultiAz(zone) => (set.multi_az, set.second_zone) = (zone.is_some(), zone),
            Change::OptionGroup(group) => set.option_group = group,
            Change::ParameterGroup(group) => set.parameter_group = group,
            Change::Password(password) => {
                set.password = password;
                self.order(Given::Reload);
            }
            Change::Port(port) => set.port = port,
            Change::Protection(on) => set.protection = on,
            Change::Public(on) => set.public = on,
            Change::Retention(days) => {
                set.retention_days = days;
                self.restorable_since = (days > 0).then(|| self.restorable_since.unwrap_or(at));
            }
            Change::SecurityGroups(groups) => set.security_groups = groups,
            Change::Storage(gib) => {
                set.storage_gib = gib;
                self.is_full = false;
                self.optimizing_until = Some(later(at, OPTIMIZING));
            }
            Change::StorageType(kind) => {
                set.storage_type = kind;
                self.optimizing_until = Some(later(at, OPTIMIZING));
            }
            Change::SubnetGroup(group) => set.subnet_group = group,
            Change::Throughput(mib_s) => set.throughput = Some(mib_s),
            Change::Version(version, group) => {
                set.version = version;
                if let Some(group) = group {
                    set.parameter_group = group;
                }
            }
        }
    }
}

/// RDS starts by itself what was stopped for seven days.
const STOPPED_AT_MOST: SignedDuration = seconds(7 * 24 * 3600);

/// How long a change of storage is followed by optimization, in which there can be no further one.
const OPTIMIZING: SignedDuration = seconds(6 * 3600);
