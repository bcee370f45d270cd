//! The unix socket of the port that is handed out, where that port is a forwarder's: a symbolic link to the primary's own, so
//! that clients are logged in by who they are and not by who the forwarder is.

use std::io::{ErrorKind, Result};
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// Has the socket of a port lead to another port's; `None`: nowhere, and whoever connects is refused. A server's own socket is
/// left alone. Blocking, but quick.
pub fn lead(sockets: &Path, port: u16, to: Option<u16>) -> Result<()> {
    let link = sockets.join(name(port));
    let found = std::fs::symlink_metadata(&link).ok();
    let is_link = found.as_ref().is_some_and(std::fs::Metadata::is_symlink);
    match to {
        None if is_link => absent_is_fine(std::fs::remove_file(&link)),
        None => Ok(()),
        Some(to) if is_link && std::fs::read_link(&link)? == Path::new(&name(to)) => Ok(()),
        // Of a server that has not let go of the port yet.
        Some(_) if found.is_some_and(|found| found.file_type().is_socket() && answers(&link)) => Ok(()),
        Some(to) => {
            let new = sockets.join(format!("{}.new", name(port)));
            absent_is_fine(std::fs::remove_file(&new))?;
            symlink(PathBuf::from(name(to)), &new)?;
            std::fs::rename(&new, &link)
        }
    }
}

/// As PostgreSQL names it.
fn name(port: u16) -> String {
    format!(".s.PGSQL.{port}")
}

/// Whether somebody listens, asked without waiting for a place in a queue that is full.
fn answers(socket: &Path) -> bool {
    let connect = || {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let asking = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&asking, &SocketAddrUnix::new(socket)?)
    };
    matches!(connect(), Ok(()) | Err(Errno::AGAIN))
}

fn absent_is_fine(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn it_leads_to_whoever_is_the_primary() {
        let folder = tempfile::tempdir().expect("a folder");
        let sockets = folder.path();
        let _one = UnixListener::bind(sockets.join(name(1))).expect("a socket");
        let link = sockets.join(name(9));
        lead(sockets, 9, Some(1)).expect("made");
        assert!(answers(&link));
        lead(sockets, 9, Some(2)).expect("changed");
        assert_eq!(std::fs::read_link(&link).expect("a link"), Path::new(".s.PGSQL.2"));
        assert!(!answers(&link));
        lead(sockets, 9, None).expect("removed");
        lead(sockets, 9, None).expect("removed already");
        assert!(std::fs::symlink_metadata(&link).is_err());
    }

    #[test]
    fn a_listener_that_takes_nobody_in_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join(name(9));
        let _listener = UnixListener::bind(&at).expect("a socket");
        let waiting: Vec<_> = (0..).map_while(|_| queue(&at).ok()).collect();
        assert!(answers(&at), "{} wait", waiting.len());
    }

    /// A place in the queue of a listener; an error when there is none.
    fn queue(at: &Path) -> std::result::Result<rustix::fd::OwnedFd, Errno> {
        let asking = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None)?;
        connect(&asking, &SocketAddrUnix::new(at)?).map(|()| asking)
    }

    #[test]
    fn a_servers_own_socket_is_left_alone_while_it_answers() {
        let folder = tempfile::tempdir().expect("a folder");
        let sockets = folder.path();
        let own = UnixListener::bind(sockets.join(name(9))).expect("a socket");
        lead(sockets, 9, Some(1)).expect("left");
        lead(sockets, 9, None).expect("left");
        assert!(answers(&sockets.join(name(9))));
        drop(own);
        lead(sockets, 9, Some(1)).expect("taken over");
        assert!(sockets.join(name(9)).is_symlink());
    }
}
