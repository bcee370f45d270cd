//! The table: every variable and output of the block, once.
//!
//! Reading, `explain`, help, the Terraform schema, the module's `variables.tf` and the reference page are all read from it,
//! so the words here are written for the user. Defaults are words, not values: which one applies depends on the target and
//! on what else is written, and [`crate::spec`] decides it. No variable has a literal default, so that "not written" can be
//! told from "written with the default".

mod convert;
mod near;
mod outputs;
mod table;
mod types;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use crate::cloud::Cloud;

pub(crate) use convert::keep;
pub use convert::{TypeError, convert};
pub use near::{Nearest, closest, nearest};
pub use outputs::{OUTPUTS, Output, output};
pub use types::{Attribute, Literal, Type};

/// One variable of the block.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The section of the reference it stands in.
    pub section: Section,
    /// Its type, in Terraform's words.
    pub ty: Type,
    /// The name of the same setting that pgherd prefers, when this one is another spelling of it.
    pub canonical: Option<&'static str>,
    /// Whether its value must never be shown.
    pub sensitive: bool,
    /// Whether an existing instance cannot change it in place.
    pub forces_new: bool,
    /// Where it acts; elsewhere it is accepted and has no effect.
    pub clouds: &'static [Cloud],
    /// What holds when it is not written.
    pub default: &'static str,
    /// What it is, one sentence.
    pub meaning: &'static str,
    /// What may be written; empty where anything of the type may.
    pub validation: &'static str,
}

impl Variable {
    /// What most variables are: canonical, shown, changed in place, on every target.
    const BASE: Self = Self {
        name: "",
        section: Section::Identity,
        ty: Type::String,
        canonical: None,
        sensitive: false,
        forces_new: false,
        clouds: Cloud::ALL,
        default: "",
        meaning: "",
        validation: "",
    };

    /// The name pgherd prefers for this setting: its own, or the one it is another spelling of.
    pub fn canonical_name(&self) -> &'static str {
        self.canonical.unwrap_or(self.name)
    }

    /// Whether it acts on this target.
    pub fn acts_on(&self, target: Cloud) -> bool {
        self.clouds.contains(&target)
    }
}

/// A section of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Name, environment, preset, target, tags.
    Identity,
    /// PostgreSQL version.
    Engine,
    /// Machine and disk.
    Size,
    /// Initial database and administrator.
    Database,
    /// Network and firewall.
    Network,
    /// Region, project, resource group.
    Place,
    /// Standby and replicas.
    Availability,
    /// Backups and maintenance.
    Backup,
    /// Deletion protection and encryption.
    Protection,
    /// PostgreSQL settings.
    Settings,
    /// Insights, metrics, logs, alarms.
    Monitoring,
    /// The pooler.
    Pooling,
}

impl Section {
    /// Every section, in the order of the reference.
    pub const ALL: &'static [Self] = &[
        Self::Identity,
        Self::Engine,
        Self::Size,
        Self::Database,
        Self::Network,
        Self::Place,
        Self::Availability,
        Self::Backup,
        Self::Protection,
        Self::Settings,
        Self::Monitoring,
        Self::Pooling,
    ];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Identity => "Identity",
            Self::Engine => "Engine",
            Self::Size => "Size and storage",
            Self::Database => "Database and credentials",
            Self::Network => "Network",
            Self::Place => "Place and account",
            Self::Availability => "Availability",
            Self::Backup => "Backup and maintenance",
            Self::Protection => "Protection and encryption",
            Self::Settings => "PostgreSQL settings",
            Self::Monitoring => "Monitoring",
            Self::Pooling => "Pooling",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// Every variable, in the order of the reference.
pub fn all() -> impl Iterator<Item = &'static Variable> {
    table::SECTIONS.iter().flat_map(|section| section.iter())
}

/// The variable of that name.
pub fn variable(name: &str) -> Option<&'static Variable> {
    // Whoever judges a block asks a hundred times, and Terraform has each variable of a block judged by itself.
    static BY_NAME: LazyLock<BTreeMap<&str, &Variable>> =
        LazyLock::new(|| all().map(|variable| (variable.name, variable)).collect());
    BY_NAME.get(name).copied()
}

/// The other names of a setting, in the order in which they are compared.
pub fn aliases(canonical: &str) -> impl Iterator<Item = &'static Variable> + use<> {
    static OF: LazyLock<BTreeMap<&str, Vec<&Variable>>> = LazyLock::new(|| {
        let mut of: BTreeMap<&str, Vec<&Variable>> = BTreeMap::new();
        for variable in all() {
            if let Some(canonical) = variable.canonical {
                of.entry(canonical).or_default().push(variable);
            }
        }
        of
    });
    OF.get(canonical).into_iter().flatten().copied()
}

#[cfg(test)]
mod tests;
