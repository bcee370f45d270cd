//! What one region holds, and how it goes on with time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::backed::Given;
use super::backups::Retained;
use super::copied::AllCopied;
use super::instance::Instance;
use super::logs::Line;
use super::maintenance::Maintenance;
use super::parameters::ParameterGroup;
use super::proxy::{self, Proxies};
use super::snapshot::Snapshot;
use super::subnet::SubnetGroup;
use crate::around::ec2::Network;
use crate::around::kms::Keys;

/// The account everything belongs to.
pub const ACCOUNT: &str = "123456789012";

/// One region of the emulated cloud.
#[derive(Debug, Clone)]
pub struct Region {
    /// `us-east-1`.
    pub name: String,
    /// Networks and security groups, which RDS looks at and EC2 owns.
    pub around: Network,
    /// Keys, which RDS looks at and KMS owns.
    pub keys: Keys,
    /// Instances by identifier.
    pub instances: BTreeMap<String, Instance>,
    /// Subnet groups by name.
    pub subnet_groups: BTreeMap<String, SubnetGroup>,
    /// Parameter groups by name, without the defaults, which always exist.
    pub parameter_groups: BTreeMap<String, ParameterGroup>,
    /// Manual snapshots by identifier.
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Automated backups that outlive their instance, by its `db-…` id.
    pub retained: BTreeMap<String, Retained>,
    /// Automated backups of instances of other regions.
    pub copied: AllCopied,
    /// Replicas in other regions, by the instance here that they follow: their ARNs.
    pub followed_elsewhere: BTreeMap<String, Vec<String>>,
    /// Copies of automated backups in other regions, likewise.
    pub copied_elsewhere: BTreeMap<String, Vec<String>>,
    /// Proxies by name.
    pub proxies: Proxies,
    /// Tags by ARN.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// What RDS will do to instances, by identifier.
    pub maintenance: BTreeMap<String, Vec<Maintenance>>,
    /// Regions of which this one takes neither replicas nor copies.
    pub unreached: BTreeSet<String>,
    /// What the PostgreSQL behind each instance has written, by the instance's `db-…` id.
    pub said: BTreeMap<String, VecDeque<Line>>,
    /// How many lines they have ever written, together.
    pub lines: usize,
    /// Whether new instances have a PostgreSQL behind them.
    pub is_backed: bool,
    /// How long what is told of settings lags behind how they are.
    pub settings_lag: SignedDuration,
    /// Copies that are needed no more.
    pub forgotten: Vec<String>,
    /// How many things were ever made: numbers that are never given twice.
    made: u64,
}

/// Something that `DescribeEvents` tells.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The instance.
    pub source: String,
    /// `availability`.
    pub category: &'static str,
    /// The sentence.
    pub message: String,
}

impl Region {
    /// A region nobody has used yet.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            around: Network::of(name),
            keys: Keys::of(name),
            instances: BTreeMap::new(),
            subnet_groups: BTreeMap::new(),
            parameter_groups: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            retained: BTreeMap::new(),
            copied: AllCopied::new(),
            followed_elsewhere: BTreeMap::new(),
            copied_elsewhere: BTreeMap::new(),
            proxies: Proxies::new(),
            tags: BTreeMap::new(),
            events: Vec::new(),
            maintenance: BTreeMap::new(),
            unreached: BTreeSet::new(),
            said: BTreeMap::new(),
            lines: 0,
            is_backed: false,
            settings_lag: SignedDuration::ZERO,
            forgotten: Vec::new(),
            made: 0,
        }
    }

    /// The same, whose new instances have a PostgreSQL behind them.
    pub fn backed(self, is_backed: bool) -> Self {
        Self { is_backed, ..self }
    }

    /// Goes on until `now`: phases end, windows open, names change, what is deleted is gone.
    pub fn advance(&mut self, now: Timestamp) {
        for id in self.instances.keys().cloned().collect::<Vec<_>>() {
            let Some(mut instance) = self.instances.remove(&id) else { continue };
            let group = super::parameters::group(self, &instance.set.parameter_group);
            let told = instance.advance(now, group.as_ref());
            self.events.extend(told);
            if instance.is_gone {
                self.tags.remove(&self.arn("db", &id));
                self.said.remove(&instance.resource_id);
                self.orphaned(&id);
                continue;
            }
            if instance.id != id {
                self.renamed(&id, &instance.id);
            }
            self.instances.insert(instance.id.clone(), instance);
        }
        super::replica::taken_along(self, now);
        super::parameters::told(self, now);
        proxy::advance(self, now);
    }

    /// An ARN of something of RDS here.
    pub fn arn(&self, kind: &str, name: &str) -> String {
        format!("arn:aws:rds:{}:{ACCOUNT}:{kind}:{name}", self.name)
    }

    /// A number that is given once.
    pub fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// Notes that something happened.
    pub fn event(&mut self, at: Timestamp, source: &str, category: &'static str, message: impl Into<String>) {
        self.events.push(Event { at, source: source.to_owned(), category, message: message.into() });
    }

    /// The replicas of an instance; those of other regions by their ARNs.
    pub fn replicas(&self, id: &str) -> Vec<&str> {
        let own = self.instances.values().filter(|instance| instance.source.as_deref() == Some(id));
        let elsewhere = self.followed_elsewhere.get(id).into_iter().flatten().map(String::as_str);
        own.map(|instance| instance.id.as_str()).chain(elsewhere).collect()
    }

    /// The zones of a subnet group, in order.
    pub fn zones(&self, group: &str) -> Vec<String> {
        let subnets = super::subnet::group(self, group).map(|group| group.subnets).unwrap_or_default();
        let zones: BTreeSet<_> =
            subnets.iter().filter_map(|id| Some(self.around.subnets.get(id)?.zone.clone())).collect();
        zones.into_iter().collect()
    }

    /// Replicas of what is gone go on as instances of their own: RDS promotes them without being asked.
    fn orphaned(&mut self, id: &str) {
        for instance in self.instances.values_mut().filter(|instance| instance.source.as_deref() == Some(id)) {
            instance.source = None;
            instance.order(Given::Promote);
        }
    }

    fn renamed(&mut self, from: &str, to: &str) {
        if let Some(tags) = self.tags.remove(&self.arn("db", from)) {
            self.tags.insert(self.arn("db", to), tags);
        }
        for instance in self.instances.values_mut().filter(|instance| instance.source.as_deref() == Some(from)) {
            instance.source = Some(to.to_owned());
        }
    }
}

/// A phase's length, in seconds of the emulator's time. Measured nowhere: AWS gives "several minutes", and what matters is their order.
pub const fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}
