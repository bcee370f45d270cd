//! A place to run instances in, thrown away at the end.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use pgherd_core::ha::NodeId;
use pgherd_core::spec::Size;
use pgherd_local::paths::{Layout, Paths};
use pgherd_local::postgres::conf::{InstanceConfig, render};
use pgherd_local::postgres::process::{self, Postmaster, Start};
use pgherd_local::postgres::replication::{Place, fence};
use pgherd_local::postgres::runas::RunAs;
use pgherd_local::postgres::server::Server;
use pgherd_local::postgres::session::Session;
use pgherd_local::postgres::{candidate, folders, processes, template};
use pgherd_local::sizing::{Machine, size};
use pgherd_local::tls::{Authority, names};
use pgherd_local::{ports, postgres};

pub use crate::majors::{cache, server};

pub const MAJORS: [u32; 5] = [14, 15, 16, 17, 18];
pub const DEADLINE: Duration = Duration::from_secs(240);

/// One instance in a folder of its own.
pub struct World {
    folder: Option<tempfile::TempDir>,
    pub server: Server,
    pub run_as: RunAs,
    pub paths: Paths,
    pub layout: Layout,
    pub config: InstanceConfig,
    pub authority: Authority,
    nodes: Vec<Layout>,
}

impl World {
    /// An instance that was never started.
    pub fn new(server: &Server) -> Self {
        let folder = tempfile::Builder::new().prefix("pgherd").tempdir_in("/tmp").expect("a folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).expect("ours");
        let at = |name: &str| folder.path().join(name);
        let paths = Paths { state: at("state"), cache: cache(), runtime: at("run") };
        let run_as = RunAs::settle(None).expect("a user to run PostgreSQL");
        let layout = paths.instance("db");
        folders::make(&paths, &layout, &run_as).expect("folders");
        let now = jiff::Timestamp::now();
        let authority = Authority::ensure(&paths.authority(), now).expect("an authority");
        authority.ensure_server(&layout.certificate(), &names(None, &[]), &run_as, now).expect("a certificate");
        let class = Size { name: "db.t3.micro".to_owned(), vcpu: 2.0, memory_mib: 256, burstable: true };
        let config = InstanceConfig {
            name: "db".to_owned(),
            layout: layout.clone(),
            port: port(),
            listen: vec!["127.0.0.1".to_owned()],
            allowed: vec![],
            os_users: vec!["root".to_owned(), run_as.name.clone()],
            sizing: size(&class, Machine { memory_mib: 4096, promised_mib: 0 }),
            parameters: BTreeMap::new(),
            archive: None,
            pooler_authority: None,
        };
        Self {
            folder: Some(folder),
            server: server.clone(),
            run_as,
            paths,
            layout,
            config,
            authority,
            nodes: Vec::new(),
        }
    }

    /// Writes the configuration with these parameters and has the server check it.
    pub fn configure(&mut self, parameters: &[(&str, &str)]) -> postgres::Result<()> {
        self.config.parameters =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        candidate::write(&render(&self.config), &self.layout, &self.run_as)?;
        if self.layout.data.exists() {
            candidate::check(&self.server, &self.run_as, &self.layout)?;
        }
        Ok(())
    }

    /// Makes the data directory and puts the plain configuration in force.
    pub fn create(&mut self) -> u64 {
        let (templates, prepared) = (self.paths.templates(), self.paths.prepared());
        let identifier = template::create(&self.server, &self.run_as, &templates, &prepared, &self.layout.data);
        self.configure(&[]).expect("a good configuration");
        candidate::exchange(&self.layout).expect("exchanged");
        identifier.expect("a data directory")
    }

    /// A node that was never started, with its folders and configuration.
    pub fn node(&mut self, number: u16, parameters: &[(&str, &str)]) -> Place {
        let id = NodeId(number);
        let layout = self.layout.node(id);
        folders::make(&self.paths, &layout, &self.run_as).expect("folders");
        let mut config = InstanceConfig { layout: layout.clone(), port: port(), ..self.config.clone() };
        config.parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.nodes.push(layout.clone());
        let place = Place { id, layout, port: config.port, server: self.server.clone(), run_as: self.run_as.clone() };
        configure_node(&config, &place);
        place
    }

    /// A node with a data directory of its own.
    pub fn first_node(&mut self, parameters: &[(&str, &str)]) -> Place {
        let place = self.node(1, parameters);
        let (templates, prepared) = (self.paths.templates(), self.paths.prepared());
        template::create(&self.server, &self.run_as, &templates, &prepared, &place.layout.data).expect("made");
        place
    }

    /// Puts other parameters in force for the next reload or start of a node.
    pub fn reconfigure(&self, place: &Place, parameters: &[(&str, &str)]) {
        let mut config = InstanceConfig { layout: place.layout.clone(), port: place.port, ..self.config.clone() };
        config.parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        configure_node(&config, place);
    }

    pub async fn start(&self) -> postgres::Result<Postmaster> {
        let config_file = self.layout.postgresql_conf();
        let (data, log) = (&self.layout.data, &self.layout.log);
        let (server, run_as, config_file) = (&self.server, &self.run_as, Some(config_file.as_path()));
        let postmaster = process::start(&Start { server, run_as, data, config_file, log, overrides: vec![] })?;
        postmaster.ready(DEADLINE).await?;
        Ok(postmaster)
    }

    pub async fn session(&self, database: &str) -> Session {
        let session = Session::connect(&self.layout.socket, self.config.port, database, DEADLINE).await;
        session.expect("a session")
    }

    /// A libpq-style client's connection over TCP, as the error or the answer to `sql`.
    pub async fn psql(&self, dsn: &str, sql: &str) -> Result<String, String> {
        let mut command = std::process::Command::new(self.server.program("psql"));
        if let Some(lib) = &self.server.lib {
            command.env("LD_LIBRARY_PATH", lib);
        }
        let dsn = format!("port={} {dsn}", self.config.port);
        let output = command.args(["-X", "-A", "-t", "-w", "-c", sql, &dsn]).output().expect("psql runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let (data, nodes) = (self.layout.data.clone(), std::mem::take(&mut self.nodes));
        // Also after a failed assertion: nothing of ours may go on running.
        let clean = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(processes::kill(&data)).expect("all processes end");
            for node in &nodes {
                runtime.block_on(fence::kill(node)).expect("all processes of a node end");
            }
        });
        clean.join().expect("nothing is left");
        drop(self.folder.take());
    }
}

fn configure_node(config: &InstanceConfig, place: &Place) {
    candidate::write(&render(config), &place.layout, &place.run_as).expect("written");
    candidate::exchange(&place.layout).expect("exchanged");
}

/// Ports are given out once: the claim is held as long as the tests run, beside each other and beside other runs.
fn port() -> u16 {
    static CLAIMS: Mutex<Vec<ports::Claim>> = Mutex::new(Vec::new());
    let (port, claim) = ports::allocate(None, 15432..=19999, &std::collections::BTreeSet::new()).expect("a free port");
    CLAIMS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(claim);
    port
}

/// Whether a file is owned by `run_as` with this mode.
pub fn owned(path: &Path, run_as: &RunAs, mode: u32) -> bool {
    let found = path.metadata().expect("it is there");
    found.uid() == run_as.uid && found.mode() & 0o777 == mode
}
