//! What should exist, what does exist, and what a provider says about each kind of thing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::value::{Props, Value};

/// Names a resource for good: a kind and a deterministic name (promise 1: no state file).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id {
    /// Name of its [`Kind`].
    pub kind: String,
    /// Its name, unique among its kind within the target.
    pub name: String,
}

impl Id {
    /// The id of a kind and a name.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// Something that should exist, in the provider's own field names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resource {
    /// Which one.
    pub id: Id,
    /// What it should have. Only these fields are compared. A map field whose [`Field`] is named `<field>.*` is compared
    /// key by key.
    pub props: Props,
    /// What must exist before it, and be deleted after it.
    pub needs: Vec<Id>,
}

/// Something that does exist and wears our tag.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observed {
    /// Which one.
    pub id: Id,
    /// What it has, in the provider's own field names; more than we ask for is fine.
    pub props: Props,
    /// What it is doing.
    pub status: Status,
    /// Fields that were accepted but take effect later (a restart, the window), and why.
    pub pending: Vec<Pending>,
    /// What must be deleted after it (the reverse of `needs`), so that orphans go in order.
    pub needs: Vec<Id>,
    /// `true` while the provider refuses to delete it (deletion protection).
    pub protected: bool,
}

/// A change that was accepted and has not taken effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The field, as in a [`crate::plan::Change`].
    pub field: String,
    /// What it waits for, such as `restart`.
    pub waits_for: String,
}

impl Pending {
    /// What it waits for as a part of a sentence: `a restart`, `the maintenance window`. Some targets write the article.
    pub fn what(&self) -> String {
        let waits_for = &self.waits_for;
        if waits_for.contains(' ') { waits_for.clone() } else { format!("a {waits_for}") }
    }
}

/// What a resource is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There and usable.
    Available,
    /// Being created, changed or deleted, by whomever; carries the provider's word for it.
    Busy(String),
    /// Stopped on purpose.
    Stopped,
    /// Half-created by a run that was cut short; apply finishes it.
    Incomplete(String),
    /// Broken; carries the reason.
    Failed(String),
    /// There under a name that is ours by rule, but not ours; carries how one can tell. Never changed and never deleted.
    Foreign(String),
}

impl Status {
    /// What a resource is [`Status::Busy`] with that is on its way out: wanted or not, nothing of it will be left.
    pub const DELETING: &str = "deleting";
    /// What the reason begins with where a resource is [`Status::Failed`] because its deletion went wrong half-way.
    pub const HALF_DELETED: &str = "its deletion failed";
}

/// One kind of resource of one provider: what the diff needs to know, as data.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name in an [`Id`].
    pub name: &'static str,
    /// Whether deleting it loses users' data.
    pub holds_data: bool,
    /// Whether it outlives its database, as a log does: pgherd never deletes it, and tells that it stays.
    pub outlives: bool,
    /// Its fields. A field missing here is a bug that [`crate::plan::plan`] panics on.
    pub fields: &'static [Field],
}

impl Kind {
    /// The entry for a field: its own, or the `<map>.*` one for a key of a map.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| {
            field.name == name
                || field
                    .name
                    .strip_suffix(".*")
                    .is_some_and(|map| name.strip_prefix(map).is_some_and(|rest| rest.starts_with('.')))
        })
    }
}

/// One field of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name, the provider's own; `parameters.*` stands for every key of the map `parameters`.
    pub name: &'static str,
    /// Who decides its value.
    pub owner: Owner,
    /// How two values are compared.
    pub equality: Equality,
    /// What changing it costs.
    pub impact: ImpactRule,
}

/// Who decides a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Ours: any difference is drift.
    Set,
    /// Live at or above wanted is no difference (storage that grew, a patched minor version).
    Floor,
    /// Theirs: set at creation, never compared (the zone after a failover).
    Theirs,
    /// Ours, but fixed at creation. Wanting another value is refused with this advice; never a replacement.
    Fixed {
        /// How to get there instead.
        migration: &'static str,
    },
}

/// How two values are judged equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Equality {
    /// The same value.
    Exact,
    /// Lists compared as sets.
    Unordered,
    /// Text compared without case.
    IgnoreCase,
    /// PostgreSQL settings: units and spellings normalised (`256MB` = `262144kB`, `on` = `true`).
    Parameter,
    /// Versions: a bare major wanted agrees with any minor of it; used with [`Owner::Floor`] a higher minor is fine too.
    Version,
    /// JSON text compared as JSON.
    Json,
}

/// How the impact of a change is found.
#[derive(Debug, Clone, Copy)]
pub enum ImpactRule {
    /// By the direction in which a switch goes.
    Switch {
        /// What turning it on costs.
        on: Impact,
        /// What turning it off costs.
        off: Impact,
    },
    /// Always the same.
    Always(Impact),
    /// By the PostgreSQL parameter named after the field's last dot: reload or restart by its context.
    Parameter(Impact),
    /// By what becomes what, where the field alone does not tell.
    By(fn(&Differs<'_>) -> Impact),
    /// Always the same, and at once: the target knows no waiting for a window.
    AtOnce(Impact),
    /// As [`ImpactRule::By`], and at once.
    ByAtOnce(fn(&Differs<'_>) -> Impact),
    /// As [`ImpactRule::Parameter`], and at once.
    ParameterAtOnce(Impact),
    /// That of a restart, which alone brings the change, and which no maintenance window brings by itself.
    UntilRestart(Impact),
    /// As [`ImpactRule::Parameter`], where no maintenance window brings the restart by itself.
    ParameterUntilRestart(Impact),
}

/// A field that differs, for a rule that looks closer.
#[derive(Debug, Clone, Copy)]
pub struct Differs<'a> {
    /// What it is. The same as `to` when that was accepted before and still waits.
    pub from: &'a Value,
    /// What it should be.
    pub to: &'a Value,
    /// Everything the resource has.
    pub seen: &'a Props,
}

/// What a change does to those who use the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Impact {
    /// Nobody notices.
    None,
    /// Open connections stay; new ones see the change.
    NewConnections,
    /// Clients have to reconnect.
    Reconnect,
    /// The server restarts.
    Restart {
        /// Expected time without service, seconds.
        about_s: u32,
    },
    /// Another server takes over.
    Failover {
        /// Expected time without service, seconds.
        about_s: u32,
    },
    /// Not known in advance.
    Unknown,
}

impl Impact {
    /// Whether it may end what somebody is doing. Such a change does not happen unasked outside of the window.
    pub fn interrupts(self) -> bool {
        match self {
            Self::None | Self::NewConnections => false,
            Self::Reconnect | Self::Restart { .. } | Self::Failover { .. } | Self::Unknown => true,
        }
    }
}
