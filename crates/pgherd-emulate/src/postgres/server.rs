//! One server: made, set, promoted, copied and removed.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::secret::Secret;
use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use pgherd_local::postgres::choose::{Choice, choose};
use pgherd_local::postgres::conf::SUPERUSER;
use pgherd_local::postgres::process::{self, Postmaster, Start, Stop};
use pgherd_local::postgres::session::{Session, quote};
use pgherd_local::postgres::{fetch, find, processes, server as programs, template};
use pgherd_local::tls;
use tokio::process::Command;

use super::address::Address;
use super::files::{self, Folders};
use super::{Hands, blocking, key};
use crate::rds::backed::{Origin, Wants};

/// How long a server may take to start or to stop.
const DEADLINE: Duration = Duration::from_secs(60);

/// What went wrong, and what status an instance then has.
#[derive(Debug)]
pub struct Trouble {
    /// `failed`.
    pub status: &'static str,
    /// Why.
    pub why: ProviderError,
}

impl From<ProviderError> for Trouble {
    fn from(why: ProviderError) -> Self {
        Self { status: "failed", why }
    }
}

/// A server that runs, or should.
#[derive(Debug)]
pub struct Server {
    folders: Folders,
    address: Address,
    programs: programs::Server,
    postmaster: Option<Postmaster>,
    /// The port it listens on now.
    port: u16,
}

impl Server {
    /// Makes one and starts it.
    pub async fn make(hands: &Hands, key: &str, region: &str, origin: &Origin, wants: &Wants) -> Result<Self, Trouble> {
        let address = Address::free(wants.port).ok_or_else(|| {
            let message = format!("somebody listens on port {} on every address of this machine", wants.port);
            let why = ProviderError::new(ErrorKind::Conflict, message);
            Trouble { status: "incompatible-network", why: why.help("end that program, or ask for another port") }
        })?;
        let programs = chosen(hands, wants.major).await?;
        let folders = folders(hands, key);
        for folder in [&folders.root, &folders.conf(), &folders.log(), &folders.socket] {
            hands.run_as.make_dir(folder, 0o700)?;
        }
        let mut server = Self { folders, address, programs, postmaster: None, port: wants.port };
        server.fill(hands, region, origin).await?;
        server.configure(hands, region, wants).await?;
        server.start(hands, wants).await?;
        match wants.follows {
            Some(_) => {}
            None => server.log_in(wants, *origin == Origin::New).await?,
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.address.ip.to_string()
    }

    /// Is as it is wanted, after a restart or without one.
    pub async fn set(&mut self, hands: &Hands, region: &str, wants: &Wants, restart: bool) -> Result<(), Trouble> {
        self.configure(hands, region, wants).await?;
        if restart || self.postmaster.is_none() {
            self.stop().await?;
            self.start(hands, wants).await?;
        } else if let Some(postmaster) = &self.postmaster {
            postmaster.reload()?;
        }
        match wants.follows {
            // Its roles are its primary's.
            Some(_) => Ok(()),
            None => Ok(self.session().await?.ensure_master(&wants.username, &secret(wants)).await.map(drop)?),
        }
    }

    /// Follows nobody any more.
    pub async fn promote(&mut self, hands: &Hands, region: &str, wants: &Wants) -> Result<(), Trouble> {
        let session = self.session().await?;
        // Asked, so that it may be told again.
        let row = session.one("SELECT pg_is_in_recovery()", &[]).await?;
        if row.get(0) {
            session.run("SELECT pg_promote(true, 60)").await?;
        }
        self.configure(hands, region, wants).await
    }

    /// Copies it, running or stopped; nobody starts it meanwhile, for what is ordered of a server is done one by one.
    pub async fn keep(&self, hands: &Hands, to: &Path) -> Result<(), Trouble> {
        if let Some(parent) = to.parent() {
            hands.run_as.make_dir(parent, 0o700)?;
        }
        match self.postmaster {
            Some(_) => copied(hands, &self.programs, &self.folders.socket, self.port, to).await,
            None => cloned(&self.folders.data(), to).await,
        }
    }

    /// Gives it its data directory.
    async fn fill(&self, hands: &Hands, region: &str, origin: &Origin) -> Result<(), Trouble> {
        let data = self.folders.data();
        match origin {
            Origin::New => {
                let (programs, run_as, paths) =
                    (self.programs.clone(), hands.run_as.clone(), hands.backing.paths.clone());
                // Nothing is taken from what an agent has prepared for itself.
                let none = hands.base.folder.join("prepared");
                blocking(move || template::create(&programs, &run_as, &paths.templates(), &none, &data)).await?;
                Ok(())
            }
            Origin::Copy(copy) => cloned(&hands.base.copy(region, copy), &data).await,
            Origin::Server(server) => {
                let source = key(region, server);
                let port = running_port(hands, &source)?;
                copied(hands, &self.programs, &folders(hands, &source).socket, port, &data).await
            }
        }
    }

    /// Writes its files.
    async fn configure(&self, hands: &Hands, region: &str, wants: &Wants) -> Result<(), Trouble> {
        let (folders, address) = (self.folders.clone(), self.address());
        let names = tls::names(None, std::slice::from_ref(&address));
        hands.authority.ensure_server(&folders.certificate(), &names, &hands.run_as, Timestamp::now())?;
        let primary = wants.follows.as_ref().map(|(server, port)| (key(region, server), *port));
        let primary = primary.map(|(key, port)| (self::folders(hands, &key).socket, port));
        let primary = primary.as_ref().map(|(socket, port)| (socket.as_path(), *port));
        let me = if hands.run_as.drops { "root" } else { hands.run_as.name.as_str() };
        let mut texts = vec![
            (folders.main(), files::postgresql(wants, &folders, &address, primary)),
            (folders.conf().join("pg_hba.conf"), files::hba(wants)),
            (folders.conf().join("pg_ident.conf"), files::ident(&[me, &hands.run_as.name])),
        ];
        if primary.is_some() {
            texts.push((folders.data().join("standby.signal"), String::new()));
        }
        for (path, text) in texts {
            std::fs::write(&path, text).map_err(|error| io(&error))?;
            hands.run_as.own(&path)?;
        }
        Ok(())
    }

    async fn start(&mut self, hands: &Hands, wants: &Wants) -> Result<(), Trouble> {
        let folders = &self.folders;
        let started = process::start(&Start {
            server: &self.programs,
            run_as: &hands.run_as,
            data: &folders.data(),
            config_file: Some(&folders.main()),
            log: &folders.log(),
            overrides: Vec::new(),
        })?;
        started.ready(DEADLINE).await.map_err(|why| {
            let is_theirs = why.kind == ErrorKind::Invalid && !wants.parameters.is_empty();
            Trouble { status: if is_theirs { "incompatible-parameters" } else { "failed" }, why }
        })?;
        (self.postmaster, self.port) = (Some(started), wants.port);
        Ok(())
    }

    /// Ends; its files stay.
    pub async fn stop(&mut self) -> Result<(), Trouble> {
        if let Some(postmaster) = self.postmaster.take()
            && postmaster.stop(Stop::Fast, DEADLINE).await.is_err()
        {
            processes::kill(&self.folders.data()).await?;
        }
        processes::reap();
        Ok(())
    }

    /// The master user has its password, and a new server its first database and the roles that RDS has.
    async fn log_in(&self, wants: &Wants, is_new: bool) -> Result<(), Trouble> {
        let session = self.session().await?;
        if !is_new {
            session.ensure_master(&wants.username, &secret(wants)).await?;
            return Ok(());
        }
        let database = wants.database.as_deref().unwrap_or("postgres");
        session.ensure_master_and_database(&wants.username, &secret(wants), database).await?;
        let user = quote(&wants.username);
        // Programs written for RDS grant these. Nobody logs in by a token of IAM here, and the master would have to as a member of
        // rds_iam: it may grant that all the same, by CREATEROLE up to 15 and as its administrator from then on.
        let grants_iam = match wants.major >= 16 {
            true => format!("; GRANT rds_iam TO {user} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"),
            false => String::new(),
        };
        session
            .run(&format!(
                "CREATE ROLE rds_superuser; CREATE ROLE rds_replication; CREATE ROLE rds_password; CREATE ROLE rds_iam; \
                 GRANT rds_superuser, rds_replication, rds_password, rds_iam TO {user} WITH ADMIN OPTION; \
                 REVOKE rds_iam FROM {user}; GRANT CREATE ON SCHEMA public TO {user}{grants_iam}"
            ))
            .await?;
        Ok(())
    }

    async fn session(&self) -> Result<Session, Trouble> {
        Ok(Session::connect(&self.folders.socket, self.port, "postgres", DEADLINE).await?)
    }
}

/// Ends a server and removes everything of it.
pub async fn remove(hands: &Hands, key: &str) -> Result<(), Trouble> {
    let folders = folders(hands, key);
    processes::kill(&folders.data()).await?;
    processes::reap();
    for folder in [&folders.root, &folders.socket] {
        super::base::remove(folder).map_err(|error| io(&error))?;
    }
    Ok(())
}

/// Trouble in a word.
pub fn trouble(message: &str) -> Trouble {
    ProviderError::new(ErrorKind::Invalid, message).into()
}

/// The operating system refused something.
pub fn io(error: &std::io::Error) -> Trouble {
    ProviderError::new(ErrorKind::Unavailable, error.to_string()).into()
}

fn folders(hands: &Hands, key: &str) -> Folders {
    Folders { root: hands.base.server(key), socket: hands.base.sockets.join(key) }
}

fn secret(wants: &Wants) -> Secret {
    Secret::Text(wants.password.0.clone().into())
}

/// An installed server of the major, or else one that is downloaded. Another major is never taken for it.
async fn chosen(hands: &Hands, major: u32) -> Result<programs::Server, Trouble> {
    let (given, cache) = (hands.backing.postgres_dirs.clone(), hands.backing.paths.servers());
    let search_path = std::env::var_os("PATH");
    let found = blocking(move || {
        let found = find::servers(&given, search_path.as_deref(), &cache);
        match choose(Some(Version { major, minor: None }), false, &found.servers) {
            Choice::Use { server, .. } => Ok(server),
            Choice::Fetch(version) => fetch::fetch(version, false, &fetch::Sources::default(), &cache, &|_| {}),
        }
    });
    Ok(found.await?)
}

/// The port in the name of the socket of a server that runs.
fn running_port(hands: &Hands, key: &str) -> Result<u16, Trouble> {
    let sockets = std::fs::read_dir(folders(hands, key).socket).into_iter().flatten().flatten();
    let mut names = sockets.filter_map(|entry| entry.file_name().into_string().ok());
    let port = names.find_map(|name| name.strip_prefix(".s.PGSQL.")?.parse().ok());
    port.ok_or_else(|| trouble("the server it is to be a copy of does not run"))
}

/// Copies a data directory that nobody uses.
async fn cloned(from: &Path, to: &Path) -> Result<(), Trouble> {
    let mut command = Command::new("cp");
    command.args(["-a", "--reflink=auto"]).arg(from).arg(to);
    run(command).await
}

async fn copied(
    hands: &Hands,
    programs: &programs::Server,
    socket: &Path,
    port: u16,
    to: &Path,
) -> Result<(), Trouble> {
    let mut command = hands.run_as.command(programs, "pg_basebackup");
    command.args(["--wal-method=stream", "--checkpoint=fast", "--no-sync", "--no-password", "--username", SUPERUSER]);
    command.arg("--host").arg(socket).arg("--port").arg(port.to_string()).arg("--pgdata").arg(to);
    run(Command::from(command)).await
}

/// Runs a program to its end, or no longer than this is waited for.
async fn run(mut command: Command) -> Result<(), Trouble> {
    let ended = command.kill_on_drop(true).output().await.map_err(|error| io(&error))?;
    if ended.status.success() {
        return Ok(());
    }
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    Err(trouble(&format!("{program} failed: {}", String::from_utf8_lossy(&ended.stderr).trim().replace('\n', "; "))))
}
