//! A thousand blocks read, resolved, checked and planned against recorded observations, as `pgherd plan` does once its target has answered.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use jiff::civil::Date;
use pgherd_core::cloud::Cloud;
use pgherd_core::hcl::{self, Given, Sources};
use pgherd_core::lint::{self, Intent, Summary};
use pgherd_core::plan::{self, Plan, Timing};
use pgherd_core::resource::{Id, Kind, Observed, Resource, Status};
use pgherd_core::spec::{self, Spec};
use pgherd_core::value::{Props, Value};
use pgherd_core::{checks, inputs::Inputs};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::Measured;

const BLOCKS: usize = 1000;
/// One in so many databases has a setting that differs.
const DRIFTED: usize = 10;
/// One in so many is not there.
const MISSING: usize = 50;

/// Where the databases are.
struct Target {
    cloud: Cloud,
    desired: fn(&Spec) -> Vec<Resource>,
    kinds: &'static [Kind],
    /// The number or text that somebody has changed.
    drifted: (&'static str, &'static str),
    /// What its figures are called: CPU and memory.
    names: [&'static str; 2],
}

const TARGETS: [Target; 2] = [
    Target {
        cloud: Cloud::Local,
        desired: pgherd_local::desired::desired,
        kinds: pgherd_local::desired::KINDS,
        drifted: ("instance", "memory_mib"),
        names: ["read, resolve and plan 1,000 blocks: CPU", "read, resolve and plan 1,000 blocks: memory"],
    },
    Target {
        cloud: Cloud::Aws,
        desired: |spec| pgherd_aws::desired(spec, REGION),
        kinds: pgherd_aws::KINDS,
        drifted: ("instance", "BackupRetentionPeriod"),
        names: ["the same of 1,000 on AWS: CPU", "the same of 1,000 on AWS: memory"],
    },
];

const REGION: &str = "eu-central-1";

/// What goes before the blocks.
const HEAD: &str = r#"
variable "team" {
  type    = string
  default = "platform"
}

locals {
  common_tags = { Team = var.team, ManagedBy = "pgherd" }
}
"#;

/// A block of average length, with a reference, a function and a few settings.
const BLOCK: &str = r#"
module "database_N" {
  source = "./modules/database_postgres"

  name                    = "service-N"
  cloud_provider          = "CLOUD"
  engine_version          = "17"
  instance_class          = "db.t3.small"
  allocated_storage       = 100
  max_allocated_storage   = 500
  database_name           = "service_N"
  master_username         = "service"
  allowed_cidr_blocks     = ["10.0.0.0/16", "10.N1.0.0/16"]
  backup_retention_period = 7
  backup_window           = "03:00-04:00"
  maintenance_window      = "sun:04:00-sun:05:00"
  enable_logging          = true

  parameters = [
    { name = "max_connections", value = "200" },
    { name = "shared_buffers", value = "256MB" },
    { name = "work_mem", value = "16MB" },
    { name = "log_min_duration_statement", value = "500ms" },
  ]

  tags = merge(local.common_tags, { Service = "service-N" })
}
"#;

/// What the measured process says of itself.
#[derive(Serialize, Deserialize)]
struct Report {
    cpu_s: f64,
    peak_mib: f64,
    summary: Summary,
}

/// What is there of a block.
type Recorded = Vec<(Id, Props)>;

/// Prepares the blocks and the observations of each target, then measures a process that plans them.
pub fn run() -> Result<Vec<Measured>, String> {
    let all: Result<Vec<_>, String> = TARGETS.iter().map(of_target).collect();
    Ok(all?.concat())
}

fn of_target(target: &Target) -> Result<[Measured; 2], String> {
    let folder = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
    let text = blocks(target, BLOCKS);
    let specs = meant(target, BLOCKS, text.clone().into_bytes())?;
    let recorded: Vec<Recorded> = specs.iter().enumerate().map(|(n, spec)| record(target, n, spec)).collect();
    write(&folder.path().join("database.hcl"), &text)?;
    write(&folder.path().join("observed.json"), &serde_json::to_string(&recorded).map_err(|error| error.to_string())?)?;
    let report = measure(target, folder.path())?;
    if !is_right(target, &specs, &report.summary) {
        return Err(format!("the plan is wrong: {}", report.summary));
    }
    let [cpu, memory] = target.names;
    Ok([
        Measured { what: cpu, figure: report.cpu_s, bar: 0.5, unit: "s" },
        Measured { what: memory, figure: report.peak_mib, bar: 100.0, unit: "MiB" },
    ])
}

/// Everything of those that are missing is made, and one field of each that drifted is changed.
fn is_right(target: &Target, specs: &[Spec], summary: &Summary) -> bool {
    let (missing, drifted) = (specs.len() / MISSING, specs.len() / DRIFTED);
    (summary.created, summary.changes) == (missing * (target.desired)(&specs[0]).len(), drifted - missing)
}

/// The measured process: everything from its first instruction on counts, but for reading what a target would have answered.
pub fn child(cloud: &str, folder: &Path) -> Result<String, String> {
    let target = TARGETS.iter().find(|target| target.cloud.name() == cloud).ok_or("no such target")?;
    let read = |name: &str| fs::read(folder.join(name)).map_err(|error| format!("cannot read {name}: {error}"));
    let before_s = cpu_s();
    // Piece by piece, as answers come: no target sends those of a thousand databases at once.
    let answers = fs::File::open(folder.join("observed.json")).map_err(|error| error.to_string())?;
    let recorded: Vec<Recorded> =
        serde_json::from_reader(BufReader::new(answers)).map_err(|error| error.to_string())?;
    let answers_s = cpu_s() - before_s;
    let specs = meant(target, BLOCKS, read("database.hcl")?)?;
    let plans: Vec<Plan> = specs.iter().zip(recorded).map(|(spec, recorded)| planned(target, spec, recorded)).collect();
    let summary = lint::summary(&plans);
    let report = Report { cpu_s: cpu_s() - answers_s, peak_mib: peak_mib()?, summary };
    serde_json::to_string(&report).map_err(|error| error.to_string())
}

fn blocks(target: &Target, count: usize) -> String {
    std::iter::once(HEAD.to_owned()).chain((0..count).map(|number| block(target, number))).collect()
}

fn block(target: &Target, number: usize) -> String {
    let block = BLOCK.replace("CLOUD", target.cloud.name());
    block.replace("N1", &(number % 256).to_string()).replace('N', &number.to_string())
}

/// What the blocks mean, by the way the program goes, checks included.
fn meant(target: &Target, count: usize, text: Vec<u8>) -> Result<Vec<Spec>, String> {
    let document = hcl::read(&Sources::from_bytes("database.hcl", text), &Given::default());
    if document.blocks.len() != count {
        return Err(format!("{} blocks were read: {:?}", document.blocks.len(), document.diagnostics.first()));
    }
    document.blocks.iter().map(|inputs| resolved(target, inputs)).collect()
}

fn resolved(target: &Target, inputs: &Inputs) -> Result<Spec, String> {
    let (spec, _) = spec::resolve(inputs, Some(target.cloud));
    let spec = spec.ok_or("a block means nothing")?;
    let mut told = checks::check(inputs, &spec, Date::constant(2026, 11, 21)).into_iter();
    match told.find(|told| told.severity == pgherd_core::diagnostic::Severity::Error) {
        Some(error) => Err(format!("a block is wrong: {error:?}")),
        None => Ok(spec),
    }
}

/// What a target would answer: mostly what is wanted, and of a missing database nothing.
fn record(target: &Target, number: usize, spec: &Spec) -> Recorded {
    if number.is_multiple_of(MISSING) {
        return Recorded::new();
    }
    let wanted = (target.desired)(spec);
    let known: BTreeMap<Id, Props> = wanted.iter().map(|one| (one.id.clone(), one.props.clone())).collect();
    let mut assigned = BTreeMap::<Id, Props>::new();
    let mut recorded: Recorded = wanted
        .into_iter()
        .map(|one| {
            let props = one.props.into_iter();
            (one.id, props.map(|(field, value)| (field, seen(value, &known, &mut assigned))).collect())
        })
        .collect();
    for (id, props) in &mut recorded {
        props.extend(assigned.remove(id).unwrap_or_default());
        if number.is_multiple_of(DRIFTED) && id.kind == target.drifted.0 {
            props.insert(target.drifted.1.to_owned(), Value::Int(1));
        }
    }
    recorded
}

/// A wanted value as a target answers it: fields of other resources are known by then, those that the target itself assigns included.
fn seen(value: Value, known: &BTreeMap<Id, Props>, assigned: &mut BTreeMap<Id, Props>) -> Value {
    match value {
        Value::Output(id, field) => match known.get(&*id).and_then(|props| props.get(&*field)) {
            Some(written) => written.clone(),
            None => {
                let value = Value::text(format!("{id} {field}"));
                assigned.entry(*id).or_default().insert(field.into(), value.clone());
                value
            }
        },
        Value::List(items) => Value::List(items.into_iter().map(|item| seen(item, known, assigned)).collect()),
        Value::Map(entries) => {
            Value::Map(entries.into_iter().map(|(key, value)| (key, seen(value, known, assigned))).collect())
        }
        other => other,
    }
}

fn planned(target: &Target, spec: &Spec, recorded: Recorded) -> Plan {
    let seen = |(id, props): (Id, Props)| Observed {
        id,
        props,
        status: Status::Available,
        pending: Vec::new(),
        needs: Vec::new(),
        protected: spec.deletion_protection,
    };
    let observed: Vec<Observed> = recorded.into_iter().map(seen).collect();
    let timing = Timing { now: Timestamp::UNIX_EPOCH, window: spec.maintenance_window, apply_now: false };
    let mut plan = plan::plan(target.kinds, &spec.block, &(target.desired)(spec), &observed, &timing);
    plan.diagnostics.extend(lint::lint(&plan, Intent::default()));
    plan
}

fn measure(target: &Target, folder: &Path) -> Result<Report, String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let output = Command::new(program)
        .args(["bench-child", "thousand", target.cloud.name()])
        .arg(folder)
        .output()
        .map_err(|error| format!("cannot run this program: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("the measured process said nonsense: {error}"))
}

/// CPU time of this process so far.
fn cpu_s() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "seconds and nanoseconds of a short run")]
    let seconds = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
    seconds
}

/// The most memory this process ever held: `VmHWM` of proc_pid_status(5), in kB of 1024 bytes.
fn peak_mib() -> Result<f64, String> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| format!("cannot read /proc: {error}"))?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| "/proc/self/status has no VmHWM".to_owned())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_and_what_drifted_is_all_that_is_planned() {
        for target in &TARGETS {
            let specs = meant(target, 2 * MISSING, blocks(target, 2 * MISSING).into_bytes()).expect("blocks");
            let recorded = specs.iter().enumerate().map(|(number, spec)| record(target, number, spec));
            let plans: Vec<Plan> = specs.iter().zip(recorded).map(|(spec, seen)| planned(target, spec, seen)).collect();
            let summary = lint::summary(&plans);
            assert!(is_right(target, &specs, &summary), "{}: {summary}", target.cloud.name());
        }
    }
}
