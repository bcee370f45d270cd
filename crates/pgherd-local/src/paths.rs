//! Where state, runtime files and caches live.
//!
//! Pure: the environment is passed in, nothing is created here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pgherd_core::ha::NodeId;
use sha2::{Digest as _, Sha256};

/// The longest path a unix socket may have on Linux (`sun_path` is 108 bytes with the terminating zero).
pub const SOCKET_PATH_MAX: usize = 107;

/// The longest name PostgreSQL makes in a socket directory: `.s.PGSQL.65535.lock`.
const SOCKET_NAME_MAX: usize = ".s.PGSQL.65535.lock".len();

/// What decides where things are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Effective user id; 0 is root.
    pub uid: u32,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`.
    pub xdg_cache_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `PGHERD_STATE_DIR` or `--state-dir`: wins over all others.
    pub state_dir: Option<PathBuf>,
    /// `PGHERD_CACHE_DIR`: wins over the usual cache.
    pub cache_dir: Option<PathBuf>,
}

impl Surroundings {
    /// As user `uid` in this environment, given as a look-up (`|name| std::env::var_os(name)`).
    pub fn read(uid: u32, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            uid,
            home: absolute("HOME"),
            // The XDG specification has relative paths ignored.
            xdg_state_home: absolute("XDG_STATE_HOME"),
            xdg_cache_home: absolute("XDG_CACHE_HOME"),
            xdg_runtime_dir: absolute("XDG_RUNTIME_DIR"),
            state_dir: absolute("PGHERD_STATE_DIR"),
            cache_dir: absolute("PGHERD_CACHE_DIR"),
        }
    }
}

/// The folders of one installation of pgherd. Each state folder has a daemon of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// What must survive a reboot: instances, certificates, secrets.
    pub state: PathBuf,
    /// What can be made again: downloaded servers, packed templates.
    pub cache: PathBuf,
    /// Short-lived and short-named: sockets. Its own per state folder.
    pub runtime: PathBuf,
}

impl Paths {
    /// Chooses the folders: `/var/lib/pgherd` and friends for root, the XDG folders for a user.
    pub fn choose(around: &Surroundings) -> Self {
        let root = around.uid == 0;
        let home = around.home.clone().unwrap_or_else(|| PathBuf::from("/tmp").join(format!("pgherd-{}", around.uid)));
        let state = match (&around.state_dir, root) {
            (Some(given), _) => given.clone(),
            (None, true) => PathBuf::from("/var/lib/pgherd"),
            (None, false) => around.xdg_state_home.clone().unwrap_or_else(|| home.join(".local/state")).join("pgherd"),
        };
        let cache = match (&around.cache_dir, root) {
            (Some(given), _) => given.clone(),
            // Not root's home: the unprivileged user that runs PostgreSQL must be able to read it.
            (None, true) => PathBuf::from("/var/cache/pgherd"),
            (None, false) => around.xdg_cache_home.clone().unwrap_or_else(|| home.join(".cache")).join("pgherd"),
        };
        let base = match (root, &around.xdg_runtime_dir) {
            (true, _) => PathBuf::from("/run/pgherd"),
            (false, Some(xdg)) if fits(&xdg.join("pgherd")) => xdg.join("pgherd"),
            (false, _) => PathBuf::from(format!("/tmp/pgherd-{}", around.uid)),
        };
        let runtime = base.join(short_hash(&state));
        Self { state, cache, runtime }
    }

    /// The daemon's own socket.
    pub fn agent_socket(&self) -> PathBuf {
        self.runtime.join("agent.sock")
    }

    /// Locked by the one daemon of this state folder.
    pub fn agent_lock(&self) -> PathBuf {
        self.state.join("agent.lock")
    }

    /// The daemon's own log.
    pub fn agent_log(&self) -> PathBuf {
        self.state.join("agent.log")
    }

    /// Sockets of all instances (their ports differ), owned by the user PostgreSQL runs as.
    pub fn sockets(&self) -> PathBuf {
        self.runtime.join("pg")
    }

    /// Control sockets of forwarders and poolers, owned by the user they run as, closed to everybody else.
    pub fn ways(&self) -> PathBuf {
        self.runtime.join("ways")
    }

    /// Control socket of an instance's forwarder.
    pub fn endpoint_control(&self, instance: &Path) -> PathBuf {
        self.ways().join(format!("{}.ctl", short_hash(instance)))
    }

    /// The certificate authority of this state folder.
    pub fn authority(&self) -> PathBuf {
        self.state.join("ca")
    }

    /// Its certificate, readable by everyone.
    pub fn authority_certificate(&self) -> PathBuf {
        self.authority().join("ca.crt")
    }

    /// All instances.
    pub fn instances(&self) -> PathBuf {
        self.state.join("instances")
    }

    /// What was removed from use and is on its way out.
    pub fn removed(&self) -> PathBuf {
        self.state.join("removed")
    }

    /// Clusters made ahead of time, at most one for each build of a server in use (about 40 MB).
    pub fn prepared(&self) -> PathBuf {
        self.state.join("prepared")
    }

    /// Backups and log of all instances: outside of their folders, which go with them.
    pub fn repository(&self) -> PathBuf {
        self.state.join("repository")
    }

    /// Names the place of the first repository, where that is not [`Paths::repository`].
    pub fn first_repository(&self) -> PathBuf {
        self.state.join("first-repository")
    }

    /// Names the place of the second repository, where there is to be one.
    pub fn second_repository(&self) -> PathBuf {
        self.state.join("second-repository")
    }

    /// This program, where PostgreSQL's user reaches it.
    pub fn program(&self) -> PathBuf {
        self.state.join("bin/pgherd")
    }

    /// Downloaded servers, one folder per exact version.
    pub fn servers(&self) -> PathBuf {
        self.cache.join("servers")
    }

    /// Packed templates, one file per build of a server.
    pub fn templates(&self) -> PathBuf {
        self.cache.join("templates")
    }

    /// The folder of one instance.
    pub fn instance(&self, name: &str) -> Layout {
        Layout::new(self.instances().join(name), self.sockets())
    }
}

/// The folder of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Everything of the instance.
    pub root: PathBuf,
    /// PostgreSQL's data directory, 0700.
    pub data: PathBuf,
    /// Configuration, outside the data directory: `pg_rewind` and a restore replace that one whole.
    pub conf: PathBuf,
    /// Logs.
    pub log: PathBuf,
    /// Server certificate and key.
    pub tls: PathBuf,
    /// Base backups.
    pub backups: PathBuf,
    /// Scratch space on the same file system, emptied at will.
    pub scratch: PathBuf,
    /// Directory of its unix socket.
    pub socket: PathBuf,
}

impl Layout {
    /// The usual folders below `root`.
    pub fn new(root: impl Into<PathBuf>, socket: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            data: root.join("data"),
            conf: root.join("conf"),
            log: root.join("log"),
            tls: root.join("tls"),
            backups: root.join("backups"),
            scratch: root.join("scratch"),
            socket: socket.into(),
            root,
        }
    }

    /// One server of this instance: data, configuration, logs and scratch space below a folder of its own, `n1`; certificate,
    /// backups and sockets are the instance's.
    pub fn node(&self, node: NodeId) -> Self {
        let folder = self.root.join(node.to_string());
        Self {
            data: folder.join("data"),
            conf: folder.join("conf"),
            log: folder.join("log"),
            scratch: folder.join("scratch"),
            ..self.clone()
        }
    }

    /// The folder that holds this server's data directory: [`Layout::root`], or a node's own.
    pub fn folder(&self) -> &Path {
        self.data.parent().unwrap_or(&self.root)
    }

    /// Whom this server follows and whom its commits wait for. Outside of [`Layout::conf`], which is exchanged whole with
    /// every change of settings; `postgresql.conf` includes it.
    pub fn role_conf(&self) -> PathBuf {
        self.folder().join("role.conf")
    }

    /// Where a copy is made before it becomes the data directory.
    pub fn making(&self) -> PathBuf {
        self.folder().join("making")
    }

    /// Old data directories, kept until the copy that replaced them is known to be good.
    pub fn evidence(&self) -> PathBuf {
        self.folder().join("evidence")
    }

    /// There while the data directory is being rewound: what is in it then is no database.
    pub fn torn(&self) -> PathBuf {
        self.folder().join("torn")
    }

    /// `postgresql.conf`.
    pub fn postgresql_conf(&self) -> PathBuf {
        self.conf.join("postgresql.conf")
    }

    /// `pg_hba.conf`.
    pub fn hba_conf(&self) -> PathBuf {
        self.conf.join("pg_hba.conf")
    }

    /// `pg_ident.conf`.
    pub fn ident_conf(&self) -> PathBuf {
        self.conf.join("pg_ident.conf")
    }

    /// Who runs it, by the server's own word.
    pub fn postmaster_pid(&self) -> PathBuf {
        self.data.join("postmaster.pid")
    }

    /// What the server says before its log collector runs, and why it did not start.
    pub fn start_log(&self) -> PathBuf {
        self.log.join("start.log")
    }

    /// What the forwarder says.
    pub fn endpoint_log(&self) -> PathBuf {
        self.log.join("endpoint.log")
    }

    /// What the pooler says.
    pub fn pooler_log(&self) -> PathBuf {
        self.log.join("pooler.log")
    }

    /// The pooler's configuration.
    pub fn pooler(&self) -> PathBuf {
        self.root.join("pooler")
    }

    /// Key and certificate of the pooler's own role, 0600.
    pub fn pooler_certificate(&self) -> PathBuf {
        self.tls.join("pooler.pem")
    }

    /// Server key, certificate and authority in one file, 0600: replaced in one step, they always belong together.
    pub fn certificate(&self) -> PathBuf {
        self.tls.join("server.pem")
    }
}

/// Whether a socket directory leaves room for PostgreSQL's socket names below a state folder's own part.
fn fits(base: &Path) -> bool {
    let own = "/01234567/pg/".len();
    base.as_os_str().len() + own + SOCKET_NAME_MAX <= SOCKET_PATH_MAX
}

/// Eight hexadecimal digits that stand for a path.
pub(crate) fn short_hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uid: u32, variables: &[(&str, &str)], expected: &[&str; 3]) {
        let look_up = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        let paths = Paths::choose(&Surroundings::read(uid, look_up));
        let found = [&paths.state, &paths.cache, &paths.runtime].map(|path| path.to_str().expect("text").to_owned());
        assert_eq!(found, expected.map(str::to_owned));
    }

    #[test]
    fn root_keeps_to_var() {
        let expected = ["/var/lib/pgherd", "/var/cache/pgherd", "/run/pgherd/de52d0ff"];
        check(0, &[("HOME", "/root"), ("XDG_RUNTIME_DIR", "/run/user/0")], &expected);
    }

    #[test]
    fn a_user_keeps_to_the_xdg_folders() {
        let variables = [("HOME", "/home/ann"), ("XDG_RUNTIME_DIR", "/run/user/1000")];
        let expected = ["/home/ann/.local/state/pgherd", "/home/ann/.cache/pgherd", "/run/user/1000/pgherd/c3936ad8"];
        check(1000, &variables, &expected);
    }

    #[test]
    fn a_given_state_folder_wins_and_has_sockets_of_its_own() {
        let variables = [("HOME", "/home/ann"), ("PGHERD_STATE_DIR", "/srv/db"), ("PGHERD_CACHE_DIR", "/srv/cache")];
        check(1000, &variables, &["/srv/db", "/srv/cache", "/tmp/pgherd-1000/109c2225"]);
    }

    #[test]
    fn a_node_has_its_own_folder_and_shares_certificate_backups_and_sockets() {
        let instance = Layout::new("/s/instances/db", "/run/pg");
        let node = instance.node(NodeId(2));
        let own = [&node.data, &node.conf, &node.log, &node.scratch, &node.role_conf(), &node.torn()];
        assert!(own.iter().all(|path| path.parent() == Some(Path::new("/s/instances/db/n2"))));
        let shared = |layout: &Layout| [&layout.root, &layout.tls, &layout.backups, &layout.socket].map(PathBuf::clone);
        assert_eq!(shared(&node), shared(&instance));
        assert_eq!((instance.folder(), node.folder()), (Path::new("/s/instances/db"), Path::new("/s/instances/db/n2")));
    }

    #[test]
    fn a_long_runtime_folder_is_not_used() {
        let long = format!("/run/{}", "x".repeat(80));
        let variables = [("HOME", "/home/ann"), ("XDG_RUNTIME_DIR", long.as_str())];
        let expected = ["/home/ann/.local/state/pgherd", "/home/ann/.cache/pgherd", "/tmp/pgherd-1000/c3936ad8"];
        check(1000, &variables, &expected);
    }
}
