//! `role.conf` and `standby.signal`: whom a server follows, whom its commits wait for, and whether it is a standby.
//!
//! The file belongs to pgherd alone and is read back as a witness of what was last ordered.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use pgherd_core::ha::{Names, NodeId};

use super::Place;
use crate::paths::Layout;
use crate::postgres::conf::{SUPERUSER, quote};
use crate::postgres::packed::sync_folder;
use crate::postgres::runas::RunAs;
use crate::postgres::{Result, io_error};

/// What stands in `role.conf`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleConf {
    /// Whom it streams from; `None`: nobody.
    pub upstream: Option<Upstream>,
    /// Whom commits wait for; `None`: nobody.
    pub sync: Option<NodeId>,
}

/// A server to stream from, over its unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Which.
    pub node: NodeId,
    /// Folder of its socket.
    pub socket: PathBuf,
    /// Its port.
    pub port: u16,
}

impl Place {
    /// This server as one that others stream from.
    pub fn upstream(&self) -> Upstream {
        Upstream { node: self.id, socket: self.layout.socket.clone(), port: self.port }
    }
}

impl RoleConf {
    /// The text of the file of node `own`.
    pub fn render(&self, own: NodeId) -> String {
        let mut text = String::from("# Written by pgherd; your changes here are lost.\n");
        let mut line = |name: &str, value: &str| {
            writeln!(text, "{name} = {}", quote(value)).expect("text can be written");
        };
        if let Some(upstream) = &self.upstream {
            line("primary_conninfo", &upstream.conninfo(own));
            line("primary_slot_name", &own.to_string());
        }
        line("synchronous_standby_names", &names_setting(self.sync));
        text
    }

    /// Reads the file's text; `None` when it is not one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let mut role = Self::default();
        let mut whole = false;
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (name, value) = line.split_once(" = ")?;
            let value = unquote(value)?;
            match name {
                "primary_conninfo" => role.upstream = Some(Upstream::parse(&value)?),
                "primary_slot_name" => drop(node(&value)?),
                // Always there, and last: without it the file is not whole.
                "synchronous_standby_names" => {
                    role.sync = sync(&value)?;
                    whole = true;
                }
                _ => return None,
            }
        }
        whole.then_some(role)
    }
}

impl Upstream {
    /// As `primary_conninfo` of node `own`.
    ///
    /// The WAL receiver is known to the primary by `application_name`. libpq does not use `fallback_application_name` beside
    /// it; it names the upstream here, so that whom a server follows can be read from what is in force in it.
    pub fn conninfo(&self, own: NodeId) -> String {
        let socket = conninfo_quote(&self.socket.display().to_string());
        let (port, node) = (self.port, self.node);
        format!("host={socket} port={port} user={SUPERUSER} application_name={own} fallback_application_name={node}")
    }

    /// Reads what [`Upstream::conninfo`] wrote.
    pub fn parse(conninfo: &str) -> Option<Self> {
        let rest = conninfo.strip_prefix("host=")?;
        let (socket, rest) = conninfo_unquote(rest)?;
        let field = |name: &str| rest.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        Some(Self {
            node: node(field("fallback_application_name")?)?,
            socket: PathBuf::from(socket),
            port: field("port")?.parse().ok()?,
        })
    }
}

/// Writes `role.conf`, durably: beside, synced, renamed. Leaves one that says so already. Blocking.
pub fn write(place: &Place, role: &RoleConf) -> Result<()> {
    let path = place.layout.role_conf();
    let text = role.render(place.id);
    // Writing takes two commits of the file system's journal, and a failover waits for it.
    if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    put(&path, &text, &place.run_as)
}

/// Makes a stopped server start as a standby, or not. Write `role.conf` first. Blocking, durable.
pub fn set_standby(place: &Place, standby: bool) -> Result<()> {
    let path = place.layout.data.join("standby.signal");
    match standby {
        true if path.exists() => Ok(()),
        true => put(&path, "", &place.run_as),
        false => remove(&path),
    }
}

/// What was last written; `None`: don't know. Nothing was where there is configuration but no `role.conf`. Blocking.
pub fn read(layout: &Layout) -> Option<RoleConf> {
    match std::fs::read_to_string(layout.role_conf()) {
        Ok(text) => RoleConf::parse(&text),
        Err(error) if error.kind() == ErrorKind::NotFound && layout.postgresql_conf().exists() => {
            Some(RoleConf::default())
        }
        Err(_) => None,
    }
}

/// Whom commits were last told to wait for. Blocking.
pub fn names(layout: &Layout) -> Names {
    match read(layout) {
        None => Names::Unknown,
        Some(RoleConf { sync: None, .. }) => Names::Nobody,
        Some(RoleConf { sync: Some(node), .. }) => Names::Node(node),
    }
}

/// As `synchronous_standby_names`. By name and never `*`: a read replica would do for that, and then not be the one that is
/// promoted.
pub(super) fn names_setting(sync: Option<NodeId>) -> String {
    sync.map(|node| format!("FIRST 1 (\"{node}\")")).unwrap_or_default()
}

/// Reads `n2`.
pub(super) fn node(name: &str) -> Option<NodeId> {
    let node = NodeId(name.strip_prefix('n')?.parse().ok()?);
    // `n02` and `n+2` are somebody else's.
    (node.to_string() == name).then_some(node)
}

/// Replaces a small file of the server's user, durably.
pub(super) fn put(path: &Path, text: &str, run_as: &RunAs) -> Result<()> {
    let (new, file) = beside(path, text, run_as)?;
    file.sync_all().map_err(|error| io_error("write", &new, &error))?;
    take_its_place(&new, path)?;
    sync_folder(path.parent().unwrap_or(Path::new("/")))
}

/// [`put`] without its wait for the disk: for what means nothing after the machine's end.
pub(super) fn put_for_now(path: &Path, text: &str, run_as: &RunAs) -> Result<()> {
    let (new, _) = beside(path, text, run_as)?;
    take_its_place(&new, path)
}

/// Made anew: root does not write through a link that the server's user left there.
fn beside(path: &Path, text: &str, run_as: &RunAs) -> Result<(PathBuf, std::fs::File)> {
    let new = path.with_extension("new");
    remove(&new)?;
    let refuse = |error: std::io::Error| io_error("write", &new, &error);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&new).map_err(refuse)?;
    file.write_all(text.as_bytes()).map_err(refuse)?;
    run_as.own(&new)?;
    Ok((new, file))
}

fn take_its_place(new: &Path, path: &Path) -> Result<()> {
    std::fs::rename(new, path).map_err(|error| io_error("rename", new, &error))
}

/// Removes a file, durably; one that is not there is fine.
pub(super) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_folder(path.parent().unwrap_or(Path::new("/"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("remove", path, &error)),
    }
}

fn sync(names: &str) -> Option<Option<NodeId>> {
    if names.is_empty() {
        return Some(None);
    }
    node(names.strip_prefix("FIRST 1 (\"")?.strip_suffix("\")")?).map(Some)
}

/// The inverse of [`quote`].
fn unquote(quoted: &str) -> Option<String> {
    let inner = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    let (mut text, mut letters) = (String::new(), inner.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => text.push(letters.next().filter(|next| *next == '\'')?),
            '\\' => text.push(match letters.next()? {
                'n' => '\n',
                'r' => '\r',
                other => other,
            }),
            other => text.push(other),
        }
    }
    Some(text)
}

/// A value as libpq reads it in a connection string.
fn conninfo_quote(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Reads what [`conninfo_quote`] wrote, and gives what follows it.
fn conninfo_unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.strip_prefix('\'')?.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => return Some((value, &text[at + 2..])),
            '\\' => value.push(letters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn upstream() -> Upstream {
        Upstream { node: NodeId(1), socket: PathBuf::from("/run/pgherd/0/pg"), port: 5511 }
    }

    #[test]
    fn the_file_of_a_standby() {
        insta::assert_snapshot!(RoleConf { upstream: Some(upstream()), sync: None }.render(NodeId(2)), @r"
        # Written by pgherd; your changes here are lost.
        primary_conninfo = 'host=''/run/pgherd/0/pg'' port=5511 user=pgherd application_name=n2 fallback_application_name=n1'
        primary_slot_name = 'n2'
        synchronous_standby_names = ''
        ");
    }

    #[test]
    fn the_file_of_a_primary_with_a_standby() {
        insta::assert_snapshot!(RoleConf { upstream: None, sync: Some(NodeId(2)) }.render(NodeId(1)), @r#"
        # Written by pgherd; your changes here are lost.
        synchronous_standby_names = 'FIRST 1 ("n2")'
        "#);
    }

    #[track_caller]
    fn check_unreadable(text: &str) {
        assert_eq!(RoleConf::parse(text), None);
    }

    #[test]
    fn a_file_that_is_cut_short_or_changed_by_hand_is_not_known() {
        let whole = RoleConf { upstream: Some(upstream()), sync: Some(NodeId(2)) }.render(NodeId(3));
        check_unreadable("");
        check_unreadable(&whole[..whole.len() / 2]);
        check_unreadable(&whole.replace("FIRST 1", "ANY 1"));
        check_unreadable(&whole.replace("\"n2\"", "\"n02\""));
        check_unreadable(&format!("{whole}work_mem = '1GB'\n"));
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(
            upstream in proptest::option::of((0_u16.., "/[^\\x00\\r\\n]{0,40}|/['\\\\ =]{0,9}", 1_u16..)),
            sync in proptest::option::of(0_u16..),
            own in 0_u16..,
        ) {
            let upstream = upstream.map(|(node, socket, port)| {
                Upstream { node: NodeId(node), socket: PathBuf::from(socket), port }
            });
            let role = RoleConf { upstream, sync: sync.map(NodeId) };
            prop_assert_eq!(RoleConf::parse(&role.render(NodeId(own))), Some(role));
        }
    }
}
