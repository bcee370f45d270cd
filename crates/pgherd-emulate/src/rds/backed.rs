//! What the PostgreSQL behind an instance is to do. Pure: orders are given here and carried out elsewhere, and an instance stays in
//! its phase until they are.
//!
//! Without a backing nobody is given orders, and nothing waits for them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::instance::{Instance, Password};
use super::state::Region;
use super::{parameters, snapshot};

/// An order for one PostgreSQL.
#[derive(Debug, Clone)]
pub struct Job {
    /// The region of its instance.
    pub region: String,
    /// The `db-…` id of its instance, which never changes.
    pub server: String,
    /// What to do.
    pub order: Order,
}

/// What a PostgreSQL is to do.
#[derive(Debug, Clone)]
pub enum Order {
    /// To be made and started.
    Make(Origin, Box<Wants>),
    /// To be as it is wanted now, after a restart or without one.
    Set {
        /// What is wanted.
        wants: Box<Wants>,
        /// Whether it is started anew.
        restart: bool,
    },
    /// To end, and be kept.
    Stop,
    /// To follow its primary no more.
    Promote(Box<Wants>),
    /// To be copied, under this name.
    Keep(String),
    /// To end, and its data with it.
    Remove,
    /// Nothing of its own: a copy is needed no more.
    Forget(String),
}

/// What a PostgreSQL is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nothing.
    New,
    /// A copy that was kept.
    Copy(String),
    /// A running one, by the `db-…` id.
    Server(String),
}

/// What a PostgreSQL should be.
#[derive(Debug, Clone)]
pub struct Wants {
    /// The instance's name, for words.
    pub name: String,
    /// Its major.
    pub major: u32,
    /// Its port.
    pub port: u16,
    /// The master user.
    pub username: String,
    /// The master user's password.
    pub password: Password,
    /// The first database, unless it is `postgres`.
    pub database: Option<String>,
    /// What stands in its parameter group, as far as it holds now.
    pub parameters: BTreeMap<String, String>,
    /// The primary it follows: its `db-…` id and port.
    pub follows: Option<(String, u16)>,
}

/// What an instance knows of its PostgreSQL.
#[derive(Debug, Clone, Default)]
pub struct Backed {
    /// Orders given and not yet carried out.
    busy: usize,
    /// Where it listens, once it does.
    pub address: Option<String>,
    /// The status that says what is wrong with it.
    pub failed: Option<&'static str>,
    /// Orders to be handed out.
    waiting: Vec<Given>,
}

/// An order before it is known what else is wanted at that time.
#[derive(Debug, Clone)]
pub enum Given {
    /// See [`Order::Make`].
    Make(Origin),
    /// Files are read again.
    Reload,
    /// It is started anew.
    Restart,
    /// See [`Order::Stop`].
    Stop,
    /// See [`Order::Promote`].
    Promote,
    /// See [`Order::Keep`].
    Keep(String),
    /// See [`Order::Remove`].
    Remove,
}

/// How an order ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was carried out; where the server listens.
    Done(Option<String>),
    /// It was not: the status the instance has from then on, and why.
    Failed(&'static str, String),
}

impl Instance {
    /// Whether its PostgreSQL has something to do first.
    pub fn is_busy(&self) -> bool {
        self.backed.as_ref().is_some_and(|backed| backed.busy > 0)
    }

    /// Gives its PostgreSQL an order, if it has one.
    pub fn order(&mut self, given: Given) {
        if let Some(backed) = &mut self.backed {
            backed.busy += 1;
            backed.waiting.push(given);
        }
    }
}

impl Region {
    /// Every PostgreSQL of a parameter group reads its files again, unless it is stopped: it will when it is started.
    pub fn reload_all_of(&mut self, group: &str) {
        let runs = |instance: &&mut Instance| instance.booted.group == group && instance.stopped_since.is_none();
        for instance in self.instances.values_mut().filter(runs) {
            instance.order(Given::Reload);
        }
    }

    /// The orders given since this was asked last.
    pub fn orders(&mut self) -> Vec<Job> {
        self.lead_replicas();
        let ids: Vec<_> = self.instances.keys().cloned().collect();
        let mut jobs: Vec<_> = self.forgotten.drain(..).map(|copy| (copy.clone(), Order::Forget(copy))).collect();
        for id in ids {
            let Some(waiting) = self.instances.get_mut(&id).and_then(|instance| instance.backed.as_mut()) else {
                continue;
            };
            let waiting = std::mem::take(&mut waiting.waiting);
            let instance = &self.instances[&id];
            let wants = || Box::new(wants(self, instance));
            let order = |given| match given {
                Given::Make(origin) => Order::Make(origin, wants()),
                Given::Reload => Order::Set { wants: wants(), restart: false },
                Given::Restart => Order::Set { wants: wants(), restart: true },
                Given::Stop => Order::Stop,
                Given::Promote => Order::Promote(wants()),
                Given::Keep(copy) => Order::Keep(copy),
                Given::Remove => Order::Remove,
            };
            jobs.extend(waiting.into_iter().map(|given| (instance.resource_id.clone(), order(given))));
        }
        let region = self.name.clone();
        jobs.into_iter().map(|(server, order)| Job { region: region.clone(), server, order }).collect()
    }

    /// Replicas of what restarts may find it at another port.
    fn lead_replicas(&mut self) {
        let restarts = |backed: &Backed| backed.waiting.iter().any(|given| matches!(given, Given::Restart));
        let sources = self.instances.values().filter(|instance| instance.backed.as_ref().is_some_and(restarts));
        let sources: Vec<_> = sources.map(|instance| instance.id.clone()).collect();
        for replica in self.instances.values_mut() {
            if replica.source.as_ref().is_some_and(|source| sources.contains(source)) {
                replica.order(Given::Reload);
            }
        }
    }

    /// An order was carried out, or was not.
    pub fn carried_out(&mut self, job: &Job, outcome: Outcome, now: Timestamp) {
        if let Order::Keep(copy) = &job.order {
            snapshot::copied(self, copy, matches!(outcome, Outcome::Done(_)));
        }
        let mut instances = self.instances.values_mut();
        let Some(instance) = instances.find(|instance| instance.resource_id == job.server) else { return };
        let source = instance.id.clone();
        let Some(backed) = &mut instance.backed else { return };
        backed.busy = backed.busy.saturating_sub(1);
        match outcome {
            Outcome::Done(address) => {
                if address.is_some() {
                    (backed.address, backed.failed) = (address, None);
                }
            }
            Outcome::Failed(word, why) => {
                backed.failed = Some(word);
                self.event(now, &source, "failure", why);
            }
        }
    }
}

/// What holds of the group of an instance now: what is static since it was started, what is dynamic since it was set.
fn wants(region: &Region, instance: &Instance) -> Wants {
    let booted = &instance.booted;
    let mut parameters = booted.parameters.clone();
    if let Some(group) = parameters::group(region, &booted.group) {
        parameters.extend(group.dynamics());
    }
    let source = instance.source.as_ref().and_then(|id| region.instances.get(id));
    Wants {
        name: instance.id.clone(),
        major: instance.set.major(),
        port: port(instance),
        username: instance.set.username.clone(),
        password: instance.set.password.clone(),
        database: instance.set.db_name.clone(),
        parameters,
        follows: source.map(|source| (source.resource_id.clone(), port(source))),
    }
}

fn port(instance: &Instance) -> u16 {
    // The API takes no larger one.
    u16::try_from(instance.set.port).unwrap_or(5432)
}
