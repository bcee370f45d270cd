//! An emulated account, and a home for those who use it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use pgherd_emulate::{Emulator, Options, Running, Speed};

use crate::machine::{folder, program, told};

/// A creation of five minutes takes 75 s: shorter than what clients wait between two looks would measure their patience alone.
const SPEED: Speed = Speed::Running { times: 4.0 };
const REGION: &str = "eu-central-1";

/// The block as pgherd has it.
const BLOCK: &str = r#"
module "orders" {
  source                     = "./modules/database_postgres"
  cloud_provider             = "aws"
  aws_region                 = "eu-central-1"
  name                       = "orders"
  engine_version             = "16.13"
  instance_class             = "db.t3.micro"
  allocated_storage          = 20
  parameter_group_name       = "default.postgres16"
  create_security_group      = false
  security_group_ids         = ["sg-default"]
  backup_retention_period    = DAYS
  enable_deletion_protection = false
}
"#;

/// An account.
pub(super) struct Account {
    emulator: Running,
    folder: tempfile::TempDir,
    program: PathBuf,
    _beside: tokio::runtime::Runtime,
}

impl Account {
    /// A new one, with nothing in it.
    pub(super) fn new() -> Result<Self, String> {
        let beside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let beside = beside.map_err(told("start a runtime"))?;
        let options = Options { speed: SPEED, ..Options::default() };
        let emulator = beside.block_on(Emulator::start(options)).map_err(told("start the emulator"))?;
        Ok(Self { emulator, folder: folder()?, program: program()?, _beside: beside })
    }

    /// A program that knows nothing but this account.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let home = self.folder.path();
        command
            .current_dir(home)
            .env("HOME", home)
            .env("AWS_ENDPOINT_URL", self.emulator.url())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "AKID")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_REGION", REGION)
            .env("AWS_PAGER", "")
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null());
        command
    }

    /// pgherd on a block whose backups are kept for so many days.
    pub(super) fn pgherd(&self, arguments: &[&str], days: u32) -> Result<Command, String> {
        let block = BLOCK.replace("DAYS", &days.to_string());
        std::fs::write(self.folder.path().join("database.hcl"), block).map_err(told("write a block"))?;
        let mut command = self.command(&self.program.to_string_lossy());
        command.args(arguments).env("PGHERD_STATE_DIR", self.folder.path().join("state"));
        Ok(command)
    }

    /// Ansible on a playbook that keeps backups for so many days.
    pub(super) fn ansible(&self, program: &str, playbook: &str, days: u32) -> Result<Command, String> {
        let path = self.folder.path().join("block.yml");
        std::fs::write(&path, playbook).map_err(told("write a playbook"))?;
        let mut command = self.command(program);
        command.args(["--inventory", "localhost,", "--connection", "local"]);
        command.arg("--extra-vars").arg(format!("days={days}")).arg(path).env("ANSIBLE_LOCALHOST_WARNING", "false");
        Ok(command)
    }

    /// How many requests came since they were forgotten.
    pub(super) fn requests(&self) -> f64 {
        let count = u32::try_from(self.emulator.asked().len()).unwrap_or(u32::MAX);
        f64::from(count)
    }

    pub(super) fn forget_requests(&self) {
        self.emulator.with(|emulation| emulation.asked.clear());
    }
}
