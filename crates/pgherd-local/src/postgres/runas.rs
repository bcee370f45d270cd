//! As whom PostgreSQL runs: `initdb` and `postgres` refuse root.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::fs::OFlags;

use super::server::Server;
use super::{Result, io_error};

/// The user pgherd makes for itself when it runs as root and is given none.
pub const DEFAULT_USER: &str = "pgherd";

/// The operating system user of a PostgreSQL instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAs {
    /// Name in the user database; `pg_ident.conf` maps it to the internal superuser.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Whether this process is root and drops to that user.
    pub drops: bool,
}

impl RunAs {
    /// For this process: oneself, or, as root, `asked` or [`DEFAULT_USER`], which is made when it is absent. Blocking.
    pub fn settle(asked: Option<&str>) -> Result<Self> {
        let me = rustix::process::geteuid();
        if !me.is_root() {
            return Self::myself(me.as_raw(), asked);
        }
        let name = asked.unwrap_or(DEFAULT_USER);
        if let Some(found) = look_up(name) {
            return Self::unprivileged(found);
        }
        if asked.is_some() {
            let error = ProviderError::new(ErrorKind::NotFound, format!("there is no user {name}"));
            return Err(error.help(format!("make it with useradd --system {name}, or leave it out")));
        }
        let _turn = turn_to_make_users()?;
        if let Some(found) = look_up(name) {
            return Self::unprivileged(found);
        }
        make_user(name)?;
        let made = look_up(name).ok_or_else(|| {
            ProviderError::new(ErrorKind::Unavailable, format!("useradd made {name}, but it cannot be looked up"))
        })?;
        Self::unprivileged(made)
    }

    fn myself(uid: u32, asked: Option<&str>) -> Result<Self> {
        let Some(me) = look_up(&uid.to_string()) else {
            let message = format!("user id {uid} has no name, and PostgreSQL refuses to run without one");
            return Err(ProviderError::new(ErrorKind::Invalid, message)
                .help("add the user to /etc/passwd, or run as one that is there"));
        };
        if asked.is_some_and(|asked| asked != me.name) {
            let message = format!("only root can run PostgreSQL as another user, and this is {}", me.name);
            return Err(ProviderError::new(ErrorKind::Denied, message));
        }
        Ok(me)
    }

    fn unprivileged(found: Self) -> Result<Self> {
        if found.uid == 0 {
            return Err(ProviderError::new(ErrorKind::Invalid, "PostgreSQL refuses to run as root")
                .help("name an ordinary user, or none"));
        }
        Ok(Self { drops: true, ..found })
    }

    /// A command of the server's, as this user, with a clean environment: no `PG*` variable of ours reaches it.
    pub fn command(&self, server: &Server, program: &str) -> Command {
        let mut command = Command::new(server.program(program));
        self.prepare(&mut command, server);
        command
    }

    /// Makes `command` run as this user with a clean environment.
    pub fn prepare(&self, command: &mut Command, server: &Server) {
        command.env_clear().env("LC_ALL", "C.UTF-8").env("PATH", search_path(server)).env("USER", &self.name);
        // A directory that exists and that the user may enter, whatever ours is.
        command.current_dir("/").env("HOME", "/").stdin(Stdio::null());
        if let Some(zone) = std::env::var_os("TZ") {
            command.env("TZ", zone);
        }
        if let Some(lib) = &server.lib {
            command.env("LD_LIBRARY_PATH", lib);
        }
        if self.drops {
            // std also clears the supplementary groups when root sets a user id.
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// Makes a directory (and its parents) that this user owns, with `mode`.
    ///
    /// A link of somebody else's is not followed: in a folder of their own they would have root give away what it leads to.
    pub fn make_dir(&self, path: &Path, mode: u32) -> Result<()> {
        std::fs::create_dir_all(path).map_err(|error| io_error("make", path, &error))?;
        let found = path.symlink_metadata().map_err(|error| io_error("look at", path, &error))?;
        let is_link = found.file_type().is_symlink();
        if is_link && found.uid() != rustix::process::geteuid().as_raw() {
            return Err(ProviderError::new(
                ErrorKind::Denied,
                format!("{} is a link of another user's", path.display()),
            )
            .help("remove it"));
        }
        let follow = if is_link { OFlags::empty() } else { OFlags::NOFOLLOW };
        let flags = i32::try_from((OFlags::DIRECTORY | follow).bits()).unwrap_or(0);
        let folder = OpenOptions::new().read(true).custom_flags(flags).open(path);
        let folder = folder.map_err(|error| io_error("open", path, &error))?;
        folder
            .set_permissions(std::fs::Permissions::from_mode(mode))
            .map_err(|error| io_error("set the mode of", path, &error))?;
        if !self.drops {
            return Ok(());
        }
        fchown(&folder, Some(self.uid), Some(self.gid)).map_err(|error| io_error("change the owner of", path, &error))
    }

    /// Gives one file or directory to this user; of a link, the link.
    pub fn own(&self, path: &Path) -> Result<()> {
        if !self.drops {
            return Ok(());
        }
        lchown(path, Some(self.uid), Some(self.gid)).map_err(|error| io_error("change the owner of", path, &error))
    }
}

fn search_path(server: &Server) -> std::ffi::OsString {
    let mut path = server.bin.clone().into_os_string();
    path.push(":/usr/local/bin:/usr/bin:/bin");
    path
}

/// A user by name or number: in `/etc/passwd`, else in a directory that `getent` knows (LDAP, sssd), where there is one.
fn look_up(key: &str) -> Option<RunAs> {
    let local = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let asked = || Command::new("getent").args(["passwd", key]).stdin(Stdio::null()).output();
    find(&local, key).or_else(|| find(&String::from_utf8_lossy(&asked().ok()?.stdout), key))
}

fn find(users: &str, key: &str) -> Option<RunAs> {
    users.lines().filter_map(read_passwd).find(|user| user.name == key || user.uid.to_string() == key)
}

/// Reads `name:x:uid:gid:…`.
fn read_passwd(line: &str) -> Option<RunAs> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let mut numbers = fields.skip(1);
    let uid = numbers.next()?.parse().ok()?;
    let gid = numbers.next()?.parse().ok()?;
    Some(RunAs { name, uid, gid, drops: false })
}

/// One at a time: two useradd of the same name at once were seen to take two user ids, of which one vanished.
fn turn_to_make_users() -> Result<std::fs::File> {
    let path = Path::new("/etc/passwd");
    let file = std::fs::File::open(path).map_err(|error| io_error("open", path, &error))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
        .map_err(|error| io_error("lock", path, &error.into()))?;
    Ok(file)
}

fn make_user(name: &str) -> Result<()> {
    let arguments = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"];
    // Debian's root of `su`, and many a sealed environment, have no folder of administrators in PATH.
    let usual = Path::new("/usr/sbin/useradd");
    let output = Command::new(if usual.is_file() { usual } else { Path::new("useradd") })
        .args(arguments)
        .args(["--shell", "/usr/sbin/nologin", "--comment", "PostgreSQL instances of pgherd", name])
        .stdin(Stdio::null())
        .output();
    let complaint = match output {
        Ok(output) if output.status.success() => return Ok(()),
        // Another pgherd made it meanwhile.
        Ok(output) if output.status.code() == Some(9) => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(ProviderError::new(ErrorKind::Unavailable, format!("cannot make the user {name}: {complaint}"))
        .help("make an ordinary user yourself and name it with --postgres-user"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
    fn nothing_is_given_away_that_a_link_of_that_users_leads_to() {
        if !rustix::process::geteuid().is_root() {
            return eprintln!("SKIPPED: only root gives anything away");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let (scratch, elsewhere) = (folder.path().join("scratch"), folder.path().join("elsewhere"));
        let user = RunAs { name: "somebody".to_owned(), uid: 4711, gid: 4711, drops: true };
        user.make_dir(&scratch, 0o700).expect("made");
        assert_eq!(scratch.metadata().expect("there").uid(), 4711);
        std::fs::create_dir(&elsewhere).expect("made");
        let link = scratch.join("backup");
        std::os::unix::fs::symlink(&elsewhere, &link).expect("linked");
        // Root's own leads where root wants.
        user.make_dir(&link, 0o711).expect("followed");
        assert_eq!(elsewhere.metadata().expect("there").uid(), 4711);
        std::os::unix::fs::chown(&elsewhere, Some(0), Some(0)).expect("taken back");
        user.own(&link).expect("the link");
        let refused = user.make_dir(&link, 0o700).expect_err("another user's");
        assert!(refused.message.ends_with("backup is a link of another user's"), "{refused}");
        assert_eq!(elsewhere.metadata().expect("there").uid(), 0);
    }
}
