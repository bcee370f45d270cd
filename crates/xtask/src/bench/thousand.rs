//! A thousand blocks read, resolved, checked and planned against recorded observations, as `pgherd plan` does for local.

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use jiff::civil::Date;
use pgherd_core::cloud::Cloud;
use pgherd_core::hcl::{self, Given, Sources};
use pgherd_core::lint::{self, Intent, Summary};
use pgherd_core::plan::{self, Plan, Timing};
use pgherd_core::resource::{Id, Observed, Status};
use pgherd_core::spec::{self, Spec};
use pgherd_core::value::{Props, Value};
use pgherd_core::{checks, inputs::Inputs};
use pgherd_local::desired::{KINDS, desired};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::Measured;

const BLOCKS: usize = 1000;
/// One in so many databases has a setting that differs.
const DRIFTED: usize = 10;
/// One in so many is not there.
const MISSING: usize = 50;

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
  cloud_provider          = "local"
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

/// Prepares the blocks and the observations, then measures a process that plans them.
pub fn run() -> Result<Vec<Measured>, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
    let text = (0..BLOCKS).fold(HEAD.to_owned(), |text, number| text + &block(number));
    let specs = meant(text.clone().into_bytes())?;
    let recorded = serde_json::to_string(&record(&specs)).map_err(|error| error.to_string())?;
    write(&folder.path().join("database.hcl"), &text)?;
    write(&folder.path().join("observed.json"), &recorded)?;
    let report = measure(folder.path())?;
    let Summary { created, changes, .. } = report.summary;
    if (created, changes) != (BLOCKS / MISSING, BLOCKS / DRIFTED - BLOCKS / MISSING) {
        return Err(format!("the plan is wrong: {}", report.summary));
    }
    Ok(vec![
        Measured { what: "read, resolve and plan 1,000 blocks: CPU", figure: report.cpu_s, bar: 0.5, unit: "s" },
        Measured {
            what: "read, resolve and plan 1,000 blocks: memory",
            figure: report.peak_mib,
            bar: 100.0,
            unit: "MiB",
        },
    ])
}

/// The measured process: everything from its first instruction on counts.
pub fn child(folder: &Path) -> Result<String, String> {
    let read = |name: &str| fs::read(folder.join(name)).map_err(|error| format!("cannot read {name}: {error}"));
    let recorded: Vec<(Id, Props)> =
        serde_json::from_slice(&read("observed.json")?).map_err(|error| error.to_string())?;
    let specs = meant(read("database.hcl")?)?;
    let plans: Vec<Plan> = specs.iter().zip(recorded).map(|(spec, recorded)| planned(spec, recorded)).collect();
    let report = Report { cpu_s: cpu_s(), peak_mib: peak_mib()?, summary: lint::summary(&plans) };
    serde_json::to_string(&report).map_err(|error| error.to_string())
}

fn block(number: usize) -> String {
    BLOCK.replace("N1", &(number % 256).to_string()).replace('N', &number.to_string())
}

/// What the blocks mean, by the way the program goes, checks included.
fn meant(text: Vec<u8>) -> Result<Vec<Spec>, String> {
    let document = hcl::read(&Sources::from_bytes("database.hcl", text), &Given::default());
    if document.blocks.len() != BLOCKS {
        return Err(format!("{} blocks were read: {:?}", document.blocks.len(), document.diagnostics.first()));
    }
    let specs: Vec<Spec> = document.blocks.iter().filter_map(resolved).collect();
    if specs.len() == BLOCKS { Ok(specs) } else { Err(format!("only {} blocks mean something", specs.len())) }
}

fn resolved(inputs: &Inputs) -> Option<Spec> {
    let spec = spec::resolve(inputs, Some(Cloud::Local)).0?;
    let errors = checks::check(inputs, &spec, Date::constant(2026, 11, 21));
    errors.iter().all(|told| told.severity != pgherd_core::diagnostic::Severity::Error).then_some(spec)
}

/// What a target would answer: mostly what is wanted. A missing database is recorded without fields.
fn record(specs: &[Spec]) -> Vec<(Id, Props)> {
    let record = |(number, spec): (usize, &Spec)| {
        let wanted = desired(spec).remove(0);
        let mut props = wanted.props;
        if number % DRIFTED == 0
            && let Some(Value::Map(parameters)) = props.get_mut("parameters")
        {
            parameters.insert("work_mem".to_owned(), "4MB".into());
        }
        (wanted.id, if number % MISSING == 0 { Props::new() } else { props })
    };
    specs.iter().enumerate().map(record).collect()
}

fn planned(spec: &Spec, (id, props): (Id, Props)) -> Plan {
    let seen = Observed {
        id,
        props,
        status: Status::Available,
        pending: Vec::new(),
        needs: Vec::new(),
        protected: spec.deletion_protection,
    };
    let observed = if seen.props.is_empty() { Vec::new() } else { vec![seen] };
    let timing = Timing { now: Timestamp::UNIX_EPOCH, window: spec.maintenance_window, apply_now: false };
    let mut plan = plan::plan(KINDS, &spec.block, &desired(spec), &observed, &timing);
    plan.diagnostics.extend(lint::lint(&plan, Intent::default()));
    plan
}

fn measure(folder: &Path) -> Result<Report, String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let output = Command::new(program)
        .args(["bench-child", "thousand"])
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
