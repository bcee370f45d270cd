//! What RDS tells of a block: its instance, the replicas, and the groups they use, from one look at each region.
//!
//! DescribeDBInstances tells of all servers at once, tags included, and of the subnets they are in. Groups that nobody uses are told
//! of when they are wanted or wear our tag.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join_all, try_join3};
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::backup_replication;
use super::marks::{self, Mark};
use super::spelling::{self, Keys};
use crate::api::kms;
use crate::api::rds::{self, DbInstance, ParameterGroup, SubnetGroup};
use crate::kinds::{self, instance, parameter_group, replica, role, secret, security_group, subnet_group, tags};
use crate::provider::Aws;
use crate::seen::{FOLLOWING, OWN_SECRET};
use crate::{names, written};

/// The servers of a block and their groups.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let Some(block) = wanted.iter().find(|one| one.id.kind == instance::NAME).map(|one| one.id.name.as_str()) else {
        return Ok(Vec::new());
    };
    let places = places(aws, block, wanted);
    let seen = try_join_all(places.iter().map(|place| place.observe(aws, wanted))).await?;
    let mut seen: Vec<Observed> = seen.into_iter().flatten().collect();
    for region in left(&seen, &places) {
        seen.extend(elsewhere(aws, block, &region).await?);
    }
    Ok(seen)
}

/// Regions that the instance is marked with, and nothing is wanted in any more.
fn left(seen: &[Observed], places: &[Place<'_>]) -> Vec<String> {
    let marks = seen.iter().filter(|seen| seen.id.kind == instance::NAME);
    let marks = marks.flat_map(|seen| marks::read(seen.props.get(marks::FIELD)));
    let regions = marks.filter_map(|mark| match mark {
        Mark::Region(region) => Some(region),
        Mark::Proxy | Mark::Left => None,
    });
    regions.filter(|region| !places.iter().any(|place| place.region == *region)).collect()
}

/// What there is of a block in a second region where nothing is wanted.
pub(super) async fn elsewhere(aws: &Aws, block: &str, region: &str) -> Result<Vec<Observed>, ProviderError> {
    let place = Place {
        region: region.to_owned(),
        home: aws.region().to_owned(),
        elsewhere: true,
        block,
        name: names::recovery(block),
        wanted: Vec::new(),
    };
    place.observe(aws, &[]).await
}

/// One server as it is told, for whoever needs a field of it.
pub(crate) async fn one(aws: &Aws, id: &Id) -> Result<Option<Observed>, ProviderError> {
    let at = At::of(aws, id);
    let seen = rds::instance(aws.session(), &at.region, &at.name).await?;
    Ok(seen.map(|seen| observed(id.clone(), &seen, &at.block, None, &Keys::new())))
}

/// Where a thing is, what it is called there, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) region: String,
    pub(crate) name: String,
    pub(crate) block: String,
}

impl At {
    pub(crate) fn of(aws: &Aws, id: &Id) -> Self {
        let (elsewhere, name) = names::place(&id.kind, &id.name);
        let owner = match id.kind.as_str() {
            replica::NAME => names::source_of_replica(&name).unwrap_or(&name),
            parameter_group::NAME => names::owner_of_parameter_group(&name).unwrap_or(&name),
            _ => &name,
        };
        let block = match &elsewhere {
            // Copies of backups are called like the instance.
            Some(_) if id.kind != kinds::backup_replication::NAME => names::source_of_recovery(owner).unwrap_or(owner),
            Some(_) => owner,
            None => owner,
        };
        let block = block.to_owned();
        Self { region: elsewhere.unwrap_or_else(|| aws.region().to_owned()), name, block }
    }
}

/// A block in one region.
struct Place<'a> {
    region: String,
    /// The block's own region.
    home: String,
    /// Whether this is the block's second region: ids begin with the region there.
    elsewhere: bool,
    block: &'a str,
    /// What its things are named after here.
    name: String,
    wanted: Vec<&'a Resource>,
}

/// The block's own region, and the others it wants something in.
fn places<'a>(aws: &Aws, block: &'a str, wanted: &'a [Resource]) -> Vec<Place<'a>> {
    let mut regions: BTreeMap<Option<String>, Vec<&Resource>> = BTreeMap::from([(None, Vec::new())]);
    for resource in wanted {
        if [instance::NAME, replica::NAME, parameter_group::NAME, subnet_group::NAME]
            .contains(&resource.id.kind.as_str())
        {
            regions.entry(names::place(&resource.id.kind, &resource.id.name).0).or_default().push(resource);
        }
    }
    let place = |(region, wanted): (Option<String>, Vec<&'a Resource>)| Place {
        elsewhere: region.is_some(),
        name: if region.is_some() { names::recovery(block) } else { block.to_owned() },
        region: region.unwrap_or_else(|| aws.region().to_owned()),
        home: aws.region().to_owned(),
        block,
        wanted,
    };
    regions.into_iter().map(place).collect()
}

/// What RDS tells of a place.
struct Told {
    servers: Vec<DbInstance>,
    groups: Vec<ParameterGroup>,
    /// What is set in the parameter group that is wanted.
    settings: BTreeMap<String, String>,
}

impl Place<'_> {
    async fn observe(&self, aws: &Aws, all: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
        let told = self.told(aws).await?;
        let keys = self.keys(aws).await?;
        let mut observed: Vec<Observed> = told.servers.iter().map(|seen| self.server(&told, seen, &keys)).collect();
        observed.extend(self.parameter_groups(aws, &told).await?);
        observed.extend(self.subnet_group(aws, &told).await?);
        let primary = told.servers.iter().find(|seen| !self.elsewhere && seen.id == self.block);
        if let Some(primary) = primary.filter(|seen| spelling::foreign(&seen.tags, self.block).is_none()) {
            observed.extend(backup_replication::observe(aws, primary, all).await?);
        }
        Ok(observed)
    }

    async fn told(&self, aws: &Aws) -> Result<Told, ProviderError> {
        let session = aws.session();
        let ids = if self.elsewhere { vec![self.name.clone()] } else { names::instances(self.block) };
        let group = self.own(parameter_group::NAME).map(|group| self.bare(&group.id));
        let settings = async {
            match &group {
                Some(group) => rds::parameters(session, &self.region, group).await,
                None => Ok(None),
            }
        };
        // Everybody's would be many pages in some accounts.
        let wanted = async {
            match group.as_ref().filter(|_| !self.elsewhere) {
                Some(group) => rds::parameter_group(session, &self.region, group).await,
                None => Ok(None),
            }
        };
        let servers = rds::instances(session, &self.region, &ids);
        let (mut servers, wanted, settings) = try_join3(servers, wanted, settings).await?;
        let mut groups = Vec::from_iter(wanted);
        servers.iter_mut().for_each(|seen| seen.tags = aws.worn(std::mem::take(&mut seen.tags)));
        // Another one is there without being used only before there is a server, and while the instance is marked. A replica in a second
        // region may not have come to use its own yet.
        let lets_go = |seen: &DbInstance| marks::read(Some(&marks::told(&seen.tags))).contains(&Mark::Left);
        if servers.is_empty() || self.elsewhere || servers.iter().any(lets_go) {
            groups = rds::parameter_groups(session, &self.region).await?;
        }
        groups.retain(|group| names::owner_of_parameter_group(&group.name) == Some(&self.name));
        Ok(Told { servers, groups, settings: settings.unwrap_or_default() })
    }

    /// The ARNs of keys that are written by an alias; no other spelling takes a call.
    async fn keys(&self, aws: &Aws) -> Result<Keys, ProviderError> {
        let mut keys = Keys::new();
        for alias in self.aliases() {
            if let Some(arn) = kms::key_arn(aws.session(), &self.region, &alias).await? {
                keys.insert(alias, arn);
            }
        }
        Ok(keys)
    }

    fn aliases(&self) -> BTreeSet<String> {
        let written = self.wanted.iter().flat_map(|wanted| spelling::KEYS.map(|field| wanted.props.get(field)));
        let aliases = written.flatten().filter_map(Value::as_text).filter(|key| key.contains("alias/"));
        aliases.map(str::to_owned).collect()
    }

    fn server(&self, told: &Told, seen: &DbInstance, keys: &Keys) -> Observed {
        let id = self.server_id(seen);
        let wanted = self.wanted(&id);
        let mut observed = observed(id, seen, self.block, wanted, keys);
        if let Some(reason) = self.foreign(seen) {
            observed.status = Status::Foreign(reason);
        }
        if let Some(source) = told.servers.iter().find(|source| seen.source.as_ref() == Some(&source.id)) {
            spelling::taken_along(&mut observed.props, seen, source, wanted);
        }
        self.with_needs(self.in_same_subnets(observed, seen))
    }

    fn server_id(&self, seen: &DbInstance) -> Id {
        let is_instance = !self.elsewhere && seen.id == self.name;
        self.id(if is_instance { instance::NAME } else { replica::NAME }, &seen.id)
    }

    /// How one can tell that a server of a name of ours is not one of the block. What follows another source, or none any more, is a
    /// database of its own, whatever its tags say.
    fn foreign(&self, seen: &DbInstance) -> Option<String> {
        let is_of_block = |source: &str| source == self.block || source.ends_with(&format!(":db:{}", self.block));
        let is_replica = self.elsewhere || seen.id != self.name;
        spelling::foreign(&seen.tags, self.block).or_else(|| match &seen.source {
            None if is_replica => Some("it follows nobody any more, and is a database of its own".to_owned()),
            Some(source) if !is_replica || !is_of_block(source) => Some(format!("it is a read replica of {source}")),
            None | Some(_) => None,
        })
    }

    /// A group of another name with the very subnets that are wanted is no difference: RDS moves nobody to another group of the same
    /// network (InvalidVPCNetworkStateFault), so what was promoted or adopted stays in its group for good.
    fn in_same_subnets(&self, mut observed: Observed, seen: &DbInstance) -> Observed {
        let Some(group) = &seen.subnet_group else { return observed };
        let wanted = self.own(subnet_group::NAME).filter(|wanted| self.bare(&wanted.id) != group.name);
        let ids = |list: &[Value]| list.iter().filter_map(Value::as_text).map(str::to_owned).collect::<BTreeSet<_>>();
        let live: BTreeSet<String> = group.subnets.iter().map(|(id, _)| id.clone()).collect();
        if let Some(wanted) = wanted
            && wanted.props.get("SubnetIds").and_then(Value::as_list).is_some_and(|wanted| ids(wanted) == live)
        {
            observed.props.insert("DBSubnetGroupName".to_owned(), Value::Text(self.bare(&wanted.id)));
        }
        observed
    }

    fn with_needs(&self, seen: Observed) -> Observed {
        let mut needs = vec![
            self.id(subnet_group::NAME, &names::subnet_group(&self.name)),
            self.id(security_group::NAME, &names::security_group(&self.name)),
            // Roles are of all regions, and named after the block's own.
            Id::new(role::NAME, names::monitoring_role(self.block, &self.home)),
        ];
        needs.extend(self.own(parameter_group::NAME).map(|group| group.id.clone()));
        needs.push(match seen.id.kind.as_str() {
            replica::NAME => Id::new(instance::NAME, self.block),
            _ => Id::new(secret::NAME, names::secret(self.block)),
        });
        Observed { needs, ..seen }
    }

    /// The groups of settings that are wanted or wear our tag; not one that a server still uses and nobody wants, which goes with the
    /// step that takes it away from that server.
    async fn parameter_groups(&self, aws: &Aws, told: &Told) -> Result<Vec<Observed>, ProviderError> {
        let mut observed = Vec::new();
        for group in &told.groups {
            let id = self.id(parameter_group::NAME, &group.name);
            let wanted = self.wanted(&id);
            let users: Vec<_> = told.servers.iter().filter(|seen| seen.parameter_group == group.name).collect();
            let is_used = !users.is_empty();
            // That a server of ours uses it says whose it is; that somebody else's does, says nothing.
            let is_ours = users.into_iter().any(|seen| self.foreign(seen).is_none());
            let (mut props, mut status) = (Props::new(), Status::Available);
            if let Some(wanted) = wanted {
                props = settings(group, &told.settings);
                if told.servers.is_empty() && lacks(wanted, &told.settings) {
                    status = Status::Incomplete("not all of its settings are in it yet".to_owned());
                }
            }
            if !is_ours && (wanted.is_some() || !is_used) {
                let tags = match rds::tags(aws.session(), &self.region, &group.arn).await {
                    // Somebody has just deleted it.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    tags => aws.worn(tags?),
                };
                match spelling::foreign(&tags, self.block) {
                    Some(reason) if wanted.is_some() => status = Status::Foreign(reason),
                    Some(_) => continue,
                    None => {}
                }
            }
            if wanted.is_some() || !is_used {
                let needs = self.needs_of_group();
                observed.push(Observed { id, props, status, pending: Vec::new(), needs, protected: false });
            }
        }
        Ok(observed)
    }

    async fn subnet_group(&self, aws: &Aws, told: &Told) -> Result<Option<Observed>, ProviderError> {
        let name = names::subnet_group(&self.name);
        let id = self.id(subnet_group::NAME, &name);
        let wanted = self.wanted(&id);
        let used = self.used_subnet_group(told, &name);
        let group = match used {
            Some(_) if wanted.is_none() => None,
            Some(group) => Some(group.clone()),
            None if wanted.is_none() && !told.servers.is_empty() => None,
            None => rds::subnet_group(aws.session(), &self.region, &name).await?,
        };
        let Some(group) = group else { return Ok(None) };
        let mut status = Status::Available;
        if used.is_none() {
            let whose = match self.whose(aws, &group).await {
                // Somebody has just deleted it.
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
                whose => whose?,
            };
            match whose {
                Some(reason) if wanted.is_some() => status = Status::Foreign(reason),
                Some(_) => return Ok(None),
                None => {}
            }
        }
        Ok(Some(Observed {
            id,
            props: subnets(&group),
            status,
            pending: Vec::new(),
            needs: self.needs_of_group(),
            protected: false,
        }))
    }

    /// The subnet group of a name, when a server of ours is in it.
    fn used_subnet_group<'a>(&self, told: &'a Told, name: &str) -> Option<&'a SubnetGroup> {
        let ours = told.servers.iter().filter(|seen| self.foreign(seen).is_none());
        ours.filter_map(|seen| seen.subnet_group.as_ref()).find(|group| group.name == name)
    }

    /// How one can tell that a subnet group is not the block's; `None`: it is.
    async fn whose(&self, aws: &Aws, group: &SubnetGroup) -> Result<Option<String>, ProviderError> {
        let Some(arn) = &group.arn else {
            return Ok(Some("RDS tells no ARN of it, by which its tags are read".to_owned()));
        };
        let tags = aws.worn(rds::tags(aws.session(), &self.region, arn).await?);
        Ok(spelling::foreign(&tags, self.block))
    }

    /// The instance stays until nothing of it is left in a second region, since it tells of what is there.
    fn needs_of_group(&self) -> Vec<Id> {
        if self.elsewhere { vec![Id::new(instance::NAME, self.block)] } else { Vec::new() }
    }

    fn id(&self, kind: &str, name: &str) -> Id {
        Id::new(kind, if self.elsewhere { names::elsewhere(&self.region, name) } else { name.to_owned() })
    }

    fn bare(&self, id: &Id) -> String {
        names::place(&id.kind, &id.name).1
    }

    fn wanted(&self, id: &Id) -> Option<&Resource> {
        self.wanted.iter().copied().find(|wanted| wanted.id == *id)
    }

    /// The one that is wanted of a kind here.
    fn own(&self, kind: &str) -> Option<&Resource> {
        self.wanted.iter().copied().find(|wanted| wanted.id.kind == kind)
    }
}

fn observed(id: Id, seen: &DbInstance, block: &str, wanted: Option<&Resource>, keys: &Keys) -> Observed {
    let mut props = spelling::props(seen, wanted, keys);
    props.insert(marks::FIELD.to_owned(), marks::told(&seen.tags));
    // What no plan compares, and whoever reads a block off it wants to know.
    props.extend(seen.following.as_ref().map(|word| (FOLLOWING.to_owned(), Value::text(word))));
    props.extend(seen.own_secret.as_ref().map(|arn| (OWN_SECRET.to_owned(), Value::text(arn))));
    let said = seen.tags.get(tags::WRITTEN).map(|text| (tags::WRITTEN.to_owned(), Value::text(text)));
    let place = seen.subnet_group.iter().flat_map(|group| {
        let ids = group.subnets.iter().map(|(id, _)| Value::text(id)).collect();
        [(written::SUBNETS.to_owned(), Value::List(ids)), (written::NETWORK.to_owned(), group.vpc.clone().into())]
    });
    props.extend(place.chain(said));
    Observed {
        props,
        status: spelling::status(seen, block),
        pending: spelling::pending(seen),
        needs: Vec::new(),
        protected: seen.props.get("DeletionProtection") == Some(&Value::Bool(true)),
        id,
    }
}

fn settings(group: &ParameterGroup, settings: &BTreeMap<String, String>) -> Props {
    let family = Value::text(&group.family);
    let settings = settings.iter().map(|(name, value)| (name.clone(), Value::text(value))).collect();
    Props::from([
        ("DBParameterGroupFamily".to_owned(), family.clone()),
        ("NewestDBParameterGroupFamily".to_owned(), family),
        ("Parameters".to_owned(), Value::Map(settings)),
        ("DBParameterGroupArn".to_owned(), Value::text(&group.arn)),
    ])
}

/// Whether something that is wanted is not in a group at all: its making was cut short.
fn lacks(wanted: &Resource, settings: &BTreeMap<String, String>) -> bool {
    let wanted = wanted.props.get("Parameters").and_then(Value::as_map);
    wanted.into_iter().flatten().any(|(name, _)| !settings.contains_key(name))
}

fn subnets(group: &SubnetGroup) -> Props {
    let ids = group.subnets.iter().map(|(id, _)| Value::text(id)).collect();
    Props::from([
        ("SubnetIds".to_owned(), Value::List(ids)),
        ("DBSubnetGroupArn".to_owned(), group.arn.clone().into()),
        ("VpcId".to_owned(), group.vpc.clone().into()),
    ])
}
