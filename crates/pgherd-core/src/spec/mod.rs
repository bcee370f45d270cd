//! What a block means: every setting resolved, units explicit, and who decided each.
//!
//! Neutral across targets; a provider turns it into its own [`crate::resource::Resource`]s.

mod resolve;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::catalogue::sizes;
use crate::cloud::Cloud;
use crate::ha::SyncMode;
use crate::secret::Secret;
use crate::value::Props;
use crate::version::Version;
use crate::window::Window;

pub use resolve::resolve;

/// One database, fully resolved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spec {
    /// Label of the `module` block.
    pub block: String,
    /// Instance name; the identity within the target.
    pub name: String,
    /// Where it runs (after `--provider`).
    pub target: Cloud,
    /// Preset that filled what was not written.
    pub preset: Option<Preset>,
    /// Environment label.
    pub environment: Option<String>,
    /// Tags, `Environment` included.
    pub tags: BTreeMap<String, Setting<String>>,
    /// Version asked for; `None`: the newest the target offers when it is made, never drift afterwards (Q1).
    pub engine_version: Option<Version>,
    /// Major that is made when none is asked for, by the catalogue; `None` on `local`, which has the newest installed,
    /// and where a family that is not known decides.
    pub newest_major: Option<u32>,
    /// Machine size.
    pub size: Size,
    /// Storage.
    pub storage: Storage,
    /// Initial database.
    pub database_name: String,
    /// Administrator role.
    pub master_username: String,
    /// Its password; `Unset` or `Unknown`: generated once by the target's secret store and kept.
    pub master_password: Setting<Secret>,
    /// Network.
    pub network: Network,
    /// Region, zone, account.
    pub place: Place,
    /// Whether a synchronous standby is kept.
    pub multi_az: bool,
    /// What commits do while the standby is lost; only this machine has the choice.
    pub local_sync: SyncMode,
    /// How many read replicas.
    pub replicas: u32,
    /// Second region; `None`: there is none.
    pub dr: Option<Recovery>,
    /// Backups.
    pub backup: Backup,
    /// Weekly maintenance window.
    pub maintenance_window: Window,
    /// Whether restarts happen during apply rather than in the window. `None`: not written.
    pub apply_immediately: Option<bool>,
    /// Whether destroying is refused.
    pub deletion_protection: bool,
    /// Encryption.
    pub encryption: Encryption,
    /// Whether cloud identities may log in.
    pub iam_authentication: bool,
    /// PostgreSQL settings written by the user (name lower-cased, value in PostgreSQL units), without pgherd's own.
    pub parameters: BTreeMap<String, String>,
    /// Existing parameter group to use instead of `parameters`.
    pub parameter_group_name: Option<String>,
    /// Family of the created parameter group, of the major asked for or else of the newest.
    pub parameter_group_family: Option<String>,
    /// RDS option group.
    pub option_group_name: Option<String>,
    /// Monitoring.
    pub monitoring: Monitoring,
    /// Pooler in front; `None` is off.
    pub proxy: Option<Proxy>,
    /// Its settings written behind a switch that is off, kept ready for later.
    pub proxy_kept: Option<Proxy>,
    /// Every variable's effective value as text, with who decided it. Keys are all names of the variables table.
    pub effective: BTreeMap<String, Effective>,
    /// The same by canonical names, typed, without secrets; what no other name of a setting says is not told twice.
    #[serde(skip)]
    pub settled: Props,
}

impl Spec {
    /// The same under another name.
    #[must_use]
    pub fn called(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// What is written and cannot be told from what exists, by canonical name: what decides how things are done, and what has no effect
    /// on the target. `ignores` are the variables that change nothing there.
    pub fn untold(&self, ignores: &[(&str, &str)]) -> Props {
        let told = self.settled.iter().filter(|(name, value)| {
            let is_identity = matches!(name.as_str(), "name" | "cloud_provider");
            !is_identity && self.is_untold(name, ignores) && value.is_known() && !value.is_null()
        });
        told.filter(|(name, _)| self.is_written(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Whether nothing that exists tells a setting.
    pub fn is_untold(&self, variable: &str, ignores: &[(&str, &str)]) -> bool {
        let has_no_effect = self.effective.get(variable).is_some_and(|it| it.origin == Origin::NoEffect);
        let waits = variable == "proxy_config" && self.proxy.is_none();
        has_no_effect || waits || variable == "preset" || ignores.iter().any(|(name, _)| *name == variable)
    }

    fn is_written(&self, variable: &str) -> bool {
        let origin = self.effective.get(variable).map(|effective| &effective.origin);
        matches!(origin, Some(Origin::Written | Origin::Alias(_) | Origin::NoEffect))
    }

    /// Whether a setting was given a secret that must not be shown, and was not used.
    pub fn is_hidden(&self, variable: &str) -> bool {
        self.effective.get(variable).is_some_and(|effective| effective.value == Effective::HIDDEN)
    }
}

/// One variable's effective value and who decided it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effective {
    /// The value as `explain` shows it, in HCL spelling; `null` where there is none; `(secret)` for secrets.
    pub value: String,
    /// Who decided.
    pub origin: Origin,
}

impl Effective {
    /// What stands in the place of a secret.
    pub const HIDDEN: &str = "(secret)";
}

/// Who decided a value. The order of the variants is the order of precedence (A8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Given on the command line (`--provider`).
    CommandLine,
    /// Written under its own name.
    Written,
    /// Written under another name for the same thing.
    Alias(&'static str),
    /// Follows from another written variable (the pairs of 3.4).
    Follows(&'static str),
    /// By the preset.
    Preset(Preset),
    /// The target's own default.
    CloudDefault(Cloud),
    /// The newest that the target offers, by the dated catalogue (Q1).
    Newest(Cloud),
    /// The general default.
    Default,
    /// Generated or chosen by the target when it is created.
    Target,
    /// Has no effect on this target.
    NoEffect,
}

/// Something that is set, not set, or a reference nobody could follow (named).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting<T> {
    /// Not written.
    Unset,
    /// This.
    Known(T),
    /// A reference, as written.
    Unknown(String),
}

impl<T> Setting<T> {
    /// The value, where there is one.
    pub fn known(&self) -> Option<&T> {
        if let Self::Known(value) = self { Some(value) } else { None }
    }
}

/// The presets of S1 and S2 (variables.md 3.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Cheap and disposable.
    Dev,
    /// Production's shape, smaller.
    Staging,
    /// Highly available and protected.
    Prod,
}

impl Preset {
    /// Every preset.
    pub const ALL: &'static [Self] = &[Self::Dev, Self::Staging, Self::Prod];

    /// Its name in `preset`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }

    /// The preset of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|preset| preset.name() == name)
    }
}

/// A machine size, in the target's spelling, with what it offers. Of one that only the target knows ([`Size::is_known`]) the figures say
/// nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Size {
    /// Name in the target's catalogue (on `local`, the name as written, any cloud's).
    pub name: String,
    /// Virtual CPUs.
    pub vcpu: f64,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Whether its CPU is shared or credit-based.
    pub burstable: bool,
}

impl Size {
    /// Whether the catalogue has it: else its figures are nobody's, and nothing may be judged by them.
    pub fn is_known(&self) -> bool {
        sizes::find(&self.name).is_some()
    }
}

/// Storage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Storage {
    /// Initial size, GiB.
    pub allocated_gib: u64,
    /// Upper limit of growth, GiB.
    pub max_gib: Option<u64>,
    /// Whether it grows by itself.
    pub auto_grow: bool,
    /// Kind, in the target's spelling.
    pub kind: Option<String>,
    /// Provisioned IOPS.
    pub iops: Option<u64>,
    /// Provisioned throughput, MiB/s.
    pub throughput_mibps: Option<u64>,
}

/// Network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Network {
    /// The network to be in.
    pub vpc_id: Setting<String>,
    /// Subnets to be in: the list itself may be unknown, or elements of it.
    pub subnet_ids: Setting<Vec<Setting<String>>>,
    /// Who may reach the port.
    pub allowed_cidr_blocks: Vec<Setting<String>>,
    /// Whether it listens beyond private addresses (local: beyond loopback).
    pub publicly_accessible: bool,
    /// Port asked for.
    pub port: Option<u16>,
    /// Whether the firewall object is ours.
    pub create_security_group: bool,
    /// Existing security groups to join.
    pub security_group_ids: Vec<Setting<String>>,
    /// Security groups whose members may reach the port.
    pub allowed_security_group_ids: Vec<Setting<String>>,
    /// Further rules.
    pub rules: Vec<SecurityRule>,
}

/// One firewall rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SecurityRule {
    /// `true` for ingress.
    pub ingress: bool,
    /// First port.
    pub from_port: u16,
    /// Last port.
    pub to_port: u16,
    /// `tcp`, `udp`, `icmp` or `-1`.
    pub protocol: String,
    /// From (or to) where.
    pub cidr_blocks: Vec<Setting<String>>,
    /// What for.
    pub description: Option<String>,
}

/// Region, zone and account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    /// Region of the target's own variable (`aws_region`, `gcp_region`, `location`, `do_region`).
    pub region: Setting<String>,
    /// Preferred zone.
    pub zone: Setting<String>,
    /// GCP project.
    pub gcp_project: Setting<String>,
    /// Azure resource group.
    pub resource_group: Setting<String>,
    /// Azure subscription.
    pub azure_subscription_id: Setting<String>,
    /// Cloud SQL edition.
    pub gcp_edition: Option<String>,
    /// Azure key vault that keeps the credentials.
    pub key_vault: Setting<String>,
    /// Azure identity that may use the customer's key.
    pub key_identity: Setting<String>,
    /// Azure workspace of Log Analytics.
    pub log_workspace: Setting<String>,
}

/// What is kept in a second region, for when the first one is lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recovery {
    /// That region.
    pub region: Setting<String>,
    /// Whether a read replica is kept there. Copies of backups are, where [`Backup::geo_redundant`] says so.
    pub read_replica: bool,
    /// Network there.
    pub vpc_id: Setting<String>,
    /// Subnets there.
    pub subnet_ids: Setting<Vec<Setting<String>>>,
    /// Existing security groups there to join.
    pub security_group_ids: Vec<Setting<String>>,
    /// Customer's key there.
    pub kms_key_id: Setting<String>,
}

/// Backups.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backup {
    /// Days kept; 0 is off.
    pub retention_days: u32,
    /// Whether point-in-time recovery is on.
    pub point_in_time: bool,
    /// Daily window.
    pub window: Window,
    /// Whether backups are encrypted.
    pub encrypted: bool,
    /// Whether tags go onto them.
    pub copy_tags: bool,
    /// Whether a second region keeps a copy.
    pub geo_redundant: bool,
    /// Whether destroy takes no last backup.
    pub skip_final: bool,
    /// Name of the last backup.
    pub final_name: Option<String>,
}

/// Encryption.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Encryption {
    /// Of the storage.
    pub storage: bool,
    /// Customer's key.
    pub kms_key_id: Setting<String>,
}

/// Monitoring.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Monitoring {
    /// Query analysis.
    pub insights: bool,
    /// Days of its history.
    pub insights_retention_days: u32,
    /// Its key.
    pub insights_kms_key_id: Setting<String>,
    /// Seconds between OS samples; 0 is off.
    pub interval_s: u32,
    /// Whether more is measured than by default.
    pub enhanced: bool,
    /// Existing role for it.
    pub role_arn: Setting<String>,
    /// Whether database logs are shipped or kept.
    pub logging: bool,
    /// Which logs are exported.
    pub log_exports: Vec<String>,
    /// CPU alarm, percent.
    pub alarm_cpu_percent: Option<f64>,
    /// Connections alarm, count; `None`: 80 % of `max_connections`.
    pub alarm_connections: Option<f64>,
    /// Free storage alarm, percent.
    pub alarm_free_storage_percent: Option<f64>,
    /// Read latency alarm, seconds.
    pub alarm_read_latency_s: Option<f64>,
    /// Where alarms go.
    pub alarm_targets: Vec<Setting<String>>,
    /// Whether a dashboard is made.
    pub dashboard: bool,
}

/// Pooler settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proxy {
    /// `session`, `transaction` or `statement`.
    pub pool_mode: String,
    /// Server connections per database and user.
    pub default_pool_size: u32,
    /// Client connections.
    pub max_client_conn: u32,
}
