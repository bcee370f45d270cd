//! Manual snapshots.

use jiff::Timestamp;

use super::backed::{Given, Origin};
use super::instance::{Instance, Settings};
use super::state::{Region, seconds};
use super::{Call, Listing, paged, show, tags, validate};
use crate::clock::later;
use crate::wire::{Element, Form, Refusal};

/// A snapshot.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Its identifier.
    pub id: String,
    /// The instance it is of.
    pub instance: String,
    /// Its `db-…` id.
    pub resource_id: String,
    /// When the instance was made.
    pub instance_created: Timestamp,
    /// When it was begun; of a copy, when the copying was.
    pub taken: Timestamp,
    /// When the first one was begun that it is a copy of, or a copy of a copy.
    pub original: Timestamp,
    /// When it is complete.
    pub complete: Timestamp,
    /// What the instance was set to.
    pub set: Settings,
    /// The copy of the PostgreSQL behind the instance, if there is one.
    pub copy: Option<Copied>,
}

/// A copy of a PostgreSQL.
#[derive(Debug, Clone)]
pub struct Copied {
    /// Its name.
    pub name: String,
    /// Whether it is whole; nothing is known yet while it is made.
    pub is_whole: Option<bool>,
}

impl Copied {
    /// A new one, of an instance that has a PostgreSQL behind it.
    pub fn of(region: &mut Region, instance: &mut Instance) -> Option<Self> {
        instance.backed.as_ref()?;
        let name = format!("copy-{}", region.number());
        instance.order(Given::Keep(name.clone()));
        Some(Self { name, is_whole: None })
    }

    /// What an instance made of it is made of.
    pub fn origin(&self) -> Origin {
        Origin::Copy(self.name.clone())
    }
}

/// A copy was made, or was not.
pub fn copied(region: &mut Region, name: &str, is_whole: bool) {
    let snapshots = region.snapshots.values_mut().filter_map(|snapshot| snapshot.copy.as_mut());
    let retained = region.retained.values_mut().filter_map(|kept| kept.copy.as_mut());
    if let Some(copy) = snapshots.chain(retained).find(|copy| copy.name == name) {
        copy.is_whole = Some(is_whole);
    }
}

impl Snapshot {
    /// Whether it can be restored.
    pub fn is_complete(&self, now: Timestamp) -> bool {
        self.complete <= now && self.copy.as_ref().is_none_or(|copy| copy.is_whole == Some(true))
    }

    fn status(&self, now: Timestamp) -> &'static str {
        match &self.copy {
            Some(Copied { is_whole: Some(false), .. }) => "failed",
            _ if self.is_complete(now) => "available",
            _ => "creating",
        }
    }
}

/// Begins a snapshot of an instance.
pub fn take(region: &mut Region, id: &str, of: &mut Instance, call: &Call) -> Result<(), Refusal> {
    if region.snapshots.contains_key(id) {
        return Err(exists(id));
    }
    let copied = of.set.copy_tags.then(|| region.tags.get(&region.arn("db", &of.id)).cloned()).flatten();
    region.tags.insert(region.arn("snapshot", id), copied.unwrap_or_default());
    let copy = Copied::of(region, of);
    let snapshot = Snapshot {
        id: id.to_owned(),
        instance: of.id.clone(),
        resource_id: of.resource_id.clone(),
        instance_created: of.created,
        taken: call.now,
        original: call.now,
        complete: later(call.now, call.lasts(seconds(120))),
        set: of.set.clone(),
        copy,
    };
    region.snapshots.insert(id.to_owned(), snapshot);
    Ok(())
}

/// `CreateDBSnapshot`.
pub fn create(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let id = form.required("DBSnapshotIdentifier")?.to_lowercase();
    validate::identifier("DBSnapshotIdentifier", &id, 255)?;
    let of = form.required("DBInstanceIdentifier")?.to_lowercase();
    let mut instance = region.instances.get(&of).ok_or_else(|| Refusal::no_instance(&of))?.clone();
    if !instance.takes_changes(call.now) {
        return Err(Refusal::state(format!(
            "Cannot create a snapshot because the database instance {of} is not currently in the available state."
        )));
    }
    let given = tags::sent(form)?;
    take(region, &id, &mut instance, call)?;
    region.tags.entry(region.arn("snapshot", &id)).or_default().extend(given);
    instance.goes_through("backing-up", call.lasts(seconds(60)), vec![], call.now);
    region.instances.insert(of, instance);
    Ok(Element::new("").with(shown(region, &region.snapshots[&id], call.now)))
}

/// `CopyDBSnapshot`: the same under another name, encrypted with the key that is named.
pub fn copy(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let asked = form.required("SourceDBSnapshotIdentifier")?;
    let name = asked.strip_prefix(&region.arn("snapshot", "")).unwrap_or(asked).to_lowercase();
    if name.starts_with("arn:") {
        return Err(Refusal::value("The emulator copies snapshots within a region only."));
    }
    let found = region.snapshots.get(&name).ok_or_else(|| missing(&name))?.clone();
    if !found.is_complete(call.now) {
        return Err(Refusal::of("InvalidDBSnapshotState", format!("The snapshot {name} is not available.")));
    }
    let id = form.required("TargetDBSnapshotIdentifier")?.to_lowercase();
    validate::identifier("TargetDBSnapshotIdentifier", &id, 255)?;
    if region.snapshots.contains_key(&id) {
        return Err(exists(&id));
    }
    let mut set = found.set.clone();
    let key = form.text("KmsKeyId");
    if let Some(key) = key.or(set.kms_key.as_deref()) {
        validate::key(region, key)?;
    }
    if let Some(key) = key {
        (set.encrypted, set.kms_key) = (true, Some(key.to_owned()));
    }
    let copied = form.bool("CopyTags")?.unwrap_or(false);
    let mut given = tags::sent(form)?;
    if copied && given.is_empty() {
        given = region.tags.get(&region.arn("snapshot", &name)).cloned().unwrap_or_default();
    }
    region.tags.insert(region.arn("snapshot", &id), given);
    let complete = later(call.now, call.lasts(seconds(120)));
    region.snapshots.insert(id.clone(), Snapshot { id: id.clone(), taken: call.now, complete, set, ..found });
    Ok(Element::new("").with(shown(region, &region.snapshots[&id], call.now)))
}

fn exists(id: &str) -> Refusal {
    Refusal::of(
        "DBSnapshotAlreadyExists",
        format!("Cannot create the snapshot because a snapshot with the identifier {id} already exists."),
    )
}

/// `DescribeDBSnapshots`.
pub fn describe(region: &Region, form: &Form, now: Timestamp) -> Result<Element, Refusal> {
    let id = form.text("DBSnapshotIdentifier").map(str::to_lowercase);
    if let Some(id) = id.as_deref().filter(|id| !region.snapshots.contains_key(*id)) {
        return Err(missing(id));
    }
    let of = form.text("DBInstanceIdentifier").map(str::to_lowercase);
    let is_kind = form.text("SnapshotType").is_none_or(|kind| kind == "manual");
    let found = region.snapshots.values().filter(|snapshot| {
        is_kind
            && id.as_ref().is_none_or(|id| snapshot.id == *id)
            && of.as_ref().is_none_or(|of| snapshot.instance == *of)
    });
    paged(form, Listing { name: "DBSnapshots", items: found.map(|snapshot| shown(region, snapshot, now)).collect() })
}

/// `DeleteDBSnapshot`.
pub fn delete(region: &mut Region, form: &Form, now: Timestamp) -> Result<Element, Refusal> {
    let id = form.required("DBSnapshotIdentifier")?.to_lowercase();
    let snapshot = region.snapshots.get(&id).ok_or_else(|| missing(&id))?;
    if snapshot.status(now) == "creating" {
        return Err(Refusal::of("InvalidDBSnapshotState", format!("The snapshot {id} is being created.")));
    }
    let answer = Element::new("").with(shown(region, snapshot, now));
    let removed = region.snapshots.remove(&id).and_then(|snapshot| snapshot.copy).map(|copy| copy.name);
    // Copies of a snapshot are of the same data.
    let is_held =
        |name: &String| region.snapshots.values().any(|one| one.copy.as_ref().is_some_and(|copy| copy.name == *name));
    region.forgotten.extend(removed.filter(|name| !is_held(name)));
    region.tags.remove(&region.arn("snapshot", &id));
    Ok(answer)
}

/// No snapshot of that name.
pub fn missing(id: &str) -> Refusal {
    Refusal::missing("DBSnapshotNotFound", format!("DBSnapshot not found: {id}"))
}

fn shown(region: &Region, snapshot: &Snapshot, now: Timestamp) -> Element {
    let Snapshot { id, instance, resource_id, instance_created, taken, original, complete: _, set, copy: _ } = snapshot;
    let is_complete = snapshot.is_complete(now);
    let arn = region.arn("snapshot", id);
    Element::new("DBSnapshot")
        .put("DBSnapshotIdentifier", id)
        .put("DBInstanceIdentifier", instance)
        .time("SnapshotCreateTime", *taken)
        .time("OriginalSnapshotCreateTime", *original)
        .put("Engine", "postgres")
        .put("AllocatedStorage", set.storage_gib)
        .put("Status", snapshot.status(now))
        .put("Port", set.port)
        .put("AvailabilityZone", &set.zone)
        .time("InstanceCreateTime", *instance_created)
        .put("MasterUsername", &set.username)
        .put("EngineVersion", &set.version)
        .put("SnapshotType", "manual")
        .maybe("Iops", set.iops)
        .maybe("StorageThroughput", set.throughput)
        .put("OptionGroupName", &set.option_group)
        .put("PercentProgress", if is_complete { 100 } else { 0 })
        .put("StorageType", &set.storage_type)
        .put("Encrypted", set.encrypted)
        .maybe("KmsKeyId", set.kms_key.as_ref().map(|key| show::key_arn(region, key)))
        .put("IAMDatabaseAuthenticationEnabled", set.iam)
        .put("DbiResourceId", resource_id)
        .list("TagList", tags::shown(region.tags.get(&arn).unwrap_or(&Default::default())))
        .put("DBSnapshotArn", arn)
}
