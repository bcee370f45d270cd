//! A file of passwords for libpq that stands on no disk: it lives in memory as long as the program that reads it, however that ends.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, IntoRawFd as _, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
use zeroize::Zeroizing;

use crate::error::CommandError;

/// Whose password.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// As libpq is told it: only what is equal gets the password.
    pub host: &'a str,
    pub port: &'a str,
    pub user: &'a str,
}

/// A path by which the program that this process becomes, and nobody without its rights, reads the password.
pub fn in_memory(login: &Login<'_>, password: &str) -> Result<PathBuf, CommandError> {
    let failed = |cause: std::io::Error| CommandError::io("the password cannot be handed to psql", &cause);
    // Without CLOEXEC: the program shall inherit it. libpq takes no file that others may read.
    let file: OwnedFd = memfd_create("passfile", MemfdFlags::empty()).map_err(|errno| failed(errno.into()))?;
    fchmod(&file, Mode::RUSR | Mode::WUSR).map_err(|errno| failed(errno.into()))?;
    let mut file = File::from(file);
    file.write_all(line(login, password).as_bytes()).map_err(failed)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // It stays open in the program, and is gone with it.
    let _ = file.into_raw_fd();
    Ok(path)
}

/// `host:port:database:user:password`, as PostgreSQL's documentation of the password file has it.
fn line(login: &Login<'_>, password: &str) -> Zeroizing<String> {
    let Login { host, port, user } = login;
    let escaped = |text: &str| Zeroizing::new(text.replace('\\', r"\\").replace(':', r"\:"));
    let (host, user, password) = (escaped(host), escaped(user), escaped(password));
    Zeroizing::new(format!("{}:{port}:*:{}:{}\n", host.as_str(), user.as_str(), password.as_str()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const LOGIN: Login<'_> = Login { host: "orders.example.com", port: "5432", user: "app" };

    #[test]
    fn what_parts_the_fields_is_escaped() {
        assert_eq!(line(&LOGIN, r"a:b\c").as_str(), "orders.example.com:5432:*:app:a\\:b\\\\c\n");
    }

    #[test]
    fn libpq_takes_it() {
        let path = in_memory(&LOGIN, "hunter2").expect("there is memory");
        assert_eq!(fs::read_to_string(&path).expect("is readable"), "orders.example.com:5432:*:app:hunter2\n");
        let seen = fs::metadata(&path).expect("is there");
        assert!(seen.is_file());
        assert_eq!(seen.mode() & 0o777, 0o600);
    }
}
