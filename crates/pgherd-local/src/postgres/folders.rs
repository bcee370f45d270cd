//! The folders of an instance, with the owners and modes that PostgreSQL insists on.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::runas::RunAs;
use super::{Result, io_error};
use crate::paths::{Layout, Paths, SOCKET_PATH_MAX};

/// Makes all folders of an instance but the data directory, which [`super::template::create`] makes. Blocking. Repeatable.
pub fn make(paths: &Paths, layout: &Layout, run_as: &RunAs) -> Result<()> {
    // The server's user passes through these; what is secret in them is secret by its own mode.
    for folder in [&paths.state, &paths.instances(), &layout.root] {
        open_folder(folder, 0o711)?;
        enterable(folder, run_as)?;
    }
    // A server's own folders are in one that is its own, where it has one.
    if let Some(own) = layout.data.parent().filter(|own| **own != *layout.root) {
        run_as.make_dir(own, 0o700)?;
    }
    for folder in [&layout.conf, &layout.log, &layout.tls, &layout.backups, &layout.scratch] {
        run_as.make_dir(folder, 0o700)?;
    }
    make_sockets(paths, run_as)
}

/// Makes the folder of the sockets. Needed after every reboot: it is in memory. Blocking.
pub fn make_sockets(paths: &Paths, run_as: &RunAs) -> Result<()> {
    let sockets = paths.sockets();
    let longest = sockets.join(".s.PGSQL.65535.lock");
    if longest.as_os_str().len() > SOCKET_PATH_MAX {
        let message =
            format!("{} is too long for a unix socket, which takes {SOCKET_PATH_MAX} bytes", longest.display());
        return Err(ProviderError::new(ErrorKind::Invalid, message).help("set XDG_RUNTIME_DIR to a shorter folder"));
    }
    // Of a machine-wide server everybody may use the socket, with a password; of a user's only the user.
    let mode = if run_as.drops { 0o755 } else { 0o700 };
    if let Some(base) = paths.runtime.parent() {
        claim(base, mode)?;
    }
    claim(&paths.runtime, mode)?;
    enterable(&paths.runtime, run_as)?;
    run_as.make_dir(&paths.ways(), 0o700)?;
    run_as.make_dir(&sockets, mode)
}

/// An error that names the folder which the server's user cannot pass through.
pub fn enterable(folder: &Path, run_as: &RunAs) -> Result<()> {
    if !run_as.drops {
        return Ok(());
    }
    for ancestor in folder.ancestors().filter(|ancestor| !ancestor.as_os_str().is_empty()) {
        let found = std::fs::metadata(ancestor).map_err(|error| io_error("look at", ancestor, &error))?;
        let bit = match (found.uid() == run_as.uid, found.gid() == run_as.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        if found.mode() & bit == 0 {
            let message = format!("the user {} cannot enter {}", run_as.name, ancestor.display());
            return Err(ProviderError::new(ErrorKind::Denied, message)
                .help("PostgreSQL refuses to run as root: choose a folder that this user may pass through"));
        }
    }
    Ok(())
}

/// Runtime folders may be in /tmp, where anybody could have made them first.
fn claim(folder: &Path, mode: u32) -> Result<()> {
    open_folder(folder, mode)?;
    let found = std::fs::symlink_metadata(folder).map_err(|error| io_error("look at", folder, &error))?;
    if found.uid() != rustix::process::geteuid().as_raw() || !found.is_dir() {
        let message = format!("{} belongs to somebody else", folder.display());
        return Err(ProviderError::new(ErrorKind::Denied, message).help("remove it, or set XDG_RUNTIME_DIR"));
    }
    Ok(())
}

fn open_folder(folder: &Path, mode: u32) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| io_error("make", folder, &error))?;
    let set = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode));
    set.map_err(|error| io_error("set the mode of", folder, &error))
}
