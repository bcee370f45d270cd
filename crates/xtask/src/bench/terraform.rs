//! What the provider adds to Terraform's own work, as many databases as there are: the module, called with `for_each`, on an emulated AWS,
//! and Terraform's built-in `terraform_data` as often, of which no provider of ours hears anything. What the validations of the module cost,
//! which Terraform has the provider judge, is seen beside a module without them.
//!
//! Terraform starts the provider itself, so what it starts here is a script that has this program watch the true one. The databases are in
//! ten regions, since an account may have 40 in each.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use pgherd_emulate::{Emulator, Options, Running, Speed};
use tokio::runtime::Runtime;

use super::Measured;
use crate::machine::{folder, memory_mib, run, told};

const NAME: &str = "terraform-provider-pgherd";
/// The most of all CPU that may be the provider's, in percent. A provider that does nothing but write a file has 3 to 5. This one speaks to a
/// cloud, judges each variable that is written, and misses it where it makes a hundred databases.
const MOST_SHARE: f64 = 10.0;
/// How often the provider's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// So many databases, and what is told of them: the provider's share of a plan, an apply and a no-op plan, all CPU of the no-op plan,
/// the same two of the module without validations, the CPU of the control, and the provider's memory.
struct Size(usize, [&'static str; 8], f64);

const SIZES: [Size; 3] = [
    Size(
        1,
        [
            "terraform: 1 database: provider's share of the CPU of a plan",
            "terraform: 1 database: provider's share of the CPU of an apply",
            "terraform: 1 database: provider's share of the CPU of a no-op plan",
            "terraform: 1 database: all CPU of a no-op plan",
            "terraform: 1 database without validations: provider's share of the CPU of a no-op plan",
            "terraform: 1 database without validations: all CPU of a no-op plan",
            "terraform: 1 terraform_data: all CPU of a no-op plan",
            "terraform: 1 database: provider's memory",
        ],
        f64::INFINITY,
    ),
    Size(
        100,
        [
            "terraform: 100 databases: provider's share of the CPU of a plan",
            "terraform: 100 databases: provider's share of the CPU of an apply",
            "terraform: 100 databases: provider's share of the CPU of a no-op plan",
            "terraform: 100 databases: all CPU of a no-op plan",
            "terraform: 100 databases without validations: provider's share of the CPU of a no-op plan",
            "terraform: 100 databases without validations: all CPU of a no-op plan",
            "terraform: 100 terraform_data: all CPU of a no-op plan",
            "terraform: 100 databases: provider's memory",
        ],
        f64::INFINITY,
    ),
    Size(
        300,
        [
            "terraform: 300 databases: provider's share of the CPU of a plan",
            "terraform: 300 databases: provider's share of the CPU of an apply",
            "terraform: 300 databases: provider's share of the CPU of a no-op plan",
            "terraform: 300 databases: all CPU of a no-op plan",
            "terraform: 300 databases without validations: provider's share of the CPU of a no-op plan",
            "terraform: 300 databases without validations: all CPU of a no-op plan",
            "terraform: 300 terraform_data: all CPU of a no-op plan",
            "terraform: 300 databases: provider's memory",
        ],
        25.0,
    ),
];

/// Plans, applies and plans again; nothing where there is no terraform.
pub fn run_sizes() -> Result<Vec<Measured>, String> {
    let Some(terraform) = installed() else {
        crate::say("SKIPPED: no terraform is installed");
        return Ok(Vec::new());
    };
    let provider = provider()?;
    let bytes = fs::metadata(&provider).map_err(told("look at the provider"))?.len();
    #[expect(clippy::cast_precision_loss, reason = "far fewer bytes than a float holds exactly")]
    let size = bytes as f64 / 1e6;
    let mut all = vec![Measured { what: "terraform: the provider", figure: size, bar: 20.0, unit: "MB" }];
    for Size(count, names, most_mib) in SIZES {
        let place = Place::new(&terraform, &provider)?;
        place.write(&databases(count))?;
        let costs = ["plan -out=saved", "apply saved", "plan"].map(|line| place.measured(line));
        let [plan, apply, noop] = costs;
        let costs = [plan?, apply?, noop?];
        let plain = place.without_validations()?;
        let control = Place::new(&terraform, &provider)?;
        control.write(&format!(
            "resource \"terraform_data\" \"this\" {{\n  for_each = {}\n  input = each.key\n}}\n",
            keys(count)
        ))?;
        control.measured("apply -auto-approve")?;
        let control = control.measured("plan")?;
        let told = |what, figure, bar, unit| Measured { what, figure, bar, unit };
        for (what, cost) in names.into_iter().zip(&costs) {
            all.push(told(what, cost.provider_s / cost.all_s * 100.0, MOST_SHARE, "%"));
        }
        let peak_mib = costs.iter().map(|cost| cost.provider_mib).fold(0.0, f64::max);
        all.push(told(names[3], costs[2].all_s, f64::INFINITY, "s"));
        all.push(told(names[4], plain.provider_s / plain.all_s * 100.0, f64::INFINITY, "%"));
        all.push(told(names[5], plain.all_s, f64::INFINITY, "s"));
        all.push(told(names[6], control.all_s, f64::INFINITY, "s"));
        all.push(told(names[7], peak_mib, most_mib, "MiB"));
    }
    Ok(all)
}

/// The provider in the build that this one is of, made anew where its sources changed.
fn provider() -> Result<PathBuf, String> {
    run(Command::new(env!("CARGO")).args(["build", "--release", "--quiet", "--package", NAME]))?;
    Ok(std::env::current_exe().map_err(told("find this program"))?.with_file_name(NAME))
}

fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("terraform")).find(|program| program.is_file())
}

fn keys(count: usize) -> String {
    format!("toset([for number in range({count}) : tostring(number)])")
}

fn databases(count: usize) -> String {
    format!(
        r#"
locals {{
  regions = [
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1",
    "eu-west-1", "eu-west-2", "eu-central-1", "ap-southeast-1", "ap-northeast-1",
  ]
}}

module "orders" {{
  for_each = {}
  source   = "./modules/database_postgres"

  cloud_provider             = "aws"
  aws_region                 = local.regions[tonumber(each.key) % 10]
  name                       = "orders-${{each.key}}"
  engine_version             = "17"
  instance_class             = "db.t3.micro"
  allocated_storage          = 20
  database_name              = "orders"
  backup_retention_period    = 7
  skip_final_snapshot        = true
  enable_deletion_protection = false
  tags                       = {{ Team = "orders" }}
  parameters                 = [{{ name = "work_mem", value = "8MB" }}]
}}
"#,
        keys(count)
    )
}

/// The text without its blocks `validation`, as `xtask generate` writes them.
fn without_validations(text: &str) -> String {
    let mut is_inside = false;
    let is_kept = |line: &&str| {
        let (begins, ends) = (*line == "  validation {", is_inside && *line == "  }");
        is_inside = begins || is_inside && !ends;
        !(begins || is_inside || ends)
    };
    text.lines().filter(is_kept).map(|line| format!("{line}\n")).collect()
}

/// What a run took.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    all_s: f64,
    provider_s: f64,
    provider_mib: f64,
}

/// A folder with a configuration, and an account.
struct Place {
    folder: tempfile::TempDir,
    terraform: PathBuf,
    emulator: Running,
    _beside: Runtime,
}

impl Place {
    fn new(terraform: &Path, provider: &Path) -> Result<Self, String> {
        let beside = Runtime::new().map_err(told("start a runtime"))?;
        let options = Options { speed: Speed::PerCall { seconds: 30 }, ..Options::default() };
        let emulator = beside.block_on(Emulator::start(options)).map_err(told("start the emulator"))?;
        let place = Self { folder: folder()?, terraform: terraform.to_owned(), emulator, _beside: beside };
        place.install(provider).map_err(told("install the provider"))?;
        Ok(place)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts the script that watches the provider where Terraform looks.
    fn install(&self, provider: &Path) -> std::io::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        let arch = if cfg!(target_arch = "aarch64") { "linux_arm64" } else { "linux_amd64" };
        let folder = self.at(".terraform.d/plugins/local/pgherd/pgherd").join(version).join(arch);
        fs::create_dir_all(&folder)?;
        let script = folder.join(format!("{NAME}_v{version}"));
        let (me, figures) = (std::env::current_exe()?, self.at("figures"));
        let watch = format!("exec {} bench-child provider {} {}", me.display(), provider.display(), figures.display());
        fs::write(&script, format!("#!/bin/sh\n{watch}\n"))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../modules");
        std::os::unix::fs::symlink(modules, self.at("modules"))
    }

    fn write(&self, text: &str) -> Result<(), String> {
        fs::write(self.at("main.tf"), text).map_err(told("write a configuration"))?;
        self.run("init").map(drop)
    }

    /// A no-op plan of the same databases by the module as it would be without validations.
    fn without_validations(&self) -> Result<Cost, String> {
        let (link, module) = (self.at("modules"), "database_postgres");
        let from = link.canonicalize().map_err(told("find the module"))?.join(module);
        fs::remove_file(&link).map_err(told("take the module away"))?;
        fs::create_dir_all(link.join(module)).map_err(told("make a folder"))?;
        for name in ["main.tf", "outputs.tf", "variables.tf"] {
            let text = fs::read_to_string(from.join(name)).map_err(told("read the module"))?;
            fs::write(link.join(module).join(name), without_validations(&text)).map_err(told("write the module"))?;
        }
        self.measured("plan")
    }

    fn run(&self, line: &str) -> Result<(), String> {
        let mut command = Command::new(&self.terraform);
        command
            .current_dir(self.folder.path())
            .args(line.split(' '))
            .env("HOME", self.folder.path())
            .env("AWS_ENDPOINT_URL", self.emulator.url())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "AKID")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("NO_PROXY", "127.0.0.1")
            .env("CHECKPOINT_DISABLE", "1")
            .env_remove("TF_CLI_CONFIG_FILE")
            .stdin(Stdio::null());
        run(&mut command).map(drop)
    }

    fn measured(&self, line: &str) -> Result<Cost, String> {
        let figures = self.at("figures");
        fs::write(&figures, "").map_err(told("write figures"))?;
        let before_s = children_s()?;
        self.run(line)?;
        let mut cost = Cost { all_s: children_s()? - before_s, ..Cost::default() };
        let text = fs::read_to_string(&figures).map_err(told("read figures"))?;
        for (cpu_s, mib) in text.lines().filter_map(|line| line.split_once(' ')) {
            cost.provider_s += cpu_s.parse::<f64>().map_err(|error| error.to_string())?;
            cost.provider_mib = cost.provider_mib.max(mib.parse::<f64>().map_err(|error| error.to_string())?);
        }
        Ok(cost)
    }
}

/// Runs the provider in our place, and writes down at its end what it took.
pub fn watched(provider: &Path, figures: &Path) -> Result<String, String> {
    let mut child = Command::new(provider).spawn().map_err(told("start the provider"))?;
    let mut peak_mib = 0.0_f64;
    while child.try_wait().map_err(told("wait for the provider"))?.is_none() {
        peak_mib = peak_mib.max(memory_mib(child.id(), "VmHWM").unwrap_or(0.0));
        sleep(LOOK_EVERY);
    }
    let line = format!("{} {peak_mib}\n", children_s()?);
    let mut file = fs::File::options().append(true).open(figures).map_err(told("open figures"))?;
    std::io::Write::write_all(&mut file, line.as_bytes()).map_err(told("write figures"))?;
    Ok(String::new())
}

/// CPU time of processes of ours that have ended, and of theirs (`proc(5)`: `cutime` and `cstime`, in ticks of 10 ms).
fn children_s() -> Result<f64, String> {
    let text = fs::read_to_string("/proc/self/stat").map_err(told("look at ourselves"))?;
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |field: usize| after_name.split_whitespace().nth(field - 3).and_then(|ticks| ticks.parse::<f64>().ok());
    match (ticks(16), ticks(17)) {
        (Some(user), Some(system)) => Ok((user + system) / 100.0),
        _ => Err("CPU times cannot be read".to_owned()),
    }
}
