//! What PostgreSQL calls for each segment: `archive_command` and `restore_command`.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use pgherd_core::backups::WalName;

use crate::error::{ArchiveError, ErrorKind, Result};
use crate::settings::Settings;

/// How a fetch of something damaged, or out of reach, ends: above 125, so that PostgreSQL stops recovery instead of taking it
/// for the end of the log.
pub const DAMAGE_EXIT: u8 = 200;

const STORED: u8 = 0;
const NOT_STORED: u8 = 1;
const NOT_THERE: u8 = 1;

/// Does what PostgreSQL asks for when the first argument (behind the program's name) is one of ours, and gives the exit code;
/// `None`: it is not. What went wrong is told to `talk`, which PostgreSQL writes to its log.
///
/// ```text
/// archive_command = 'pgherd archive-wal SETTINGS %p'
/// restore_command = 'pgherd restore-wal SETTINGS %f %p'
/// ```
pub fn archive_main(arguments: &[OsString], talk: &mut dyn Write) -> Option<u8> {
    let (verb, rest) = arguments.get(1..)?.split_first()?;
    let (result, code): (_, fn(&ArchiveError) -> u8) = match verb.to_str()? {
        "archive-wal" => (archive(rest), |_| NOT_STORED),
        "restore-wal" => (restore(rest), |error| match error.kind {
            ErrorKind::Absent => NOT_THERE,
            ErrorKind::Damaged
            | ErrorKind::Conflict
            | ErrorKind::KeyLost
            | ErrorKind::Full
            | ErrorKind::Denied
            | ErrorKind::Unavailable
            | ErrorKind::Invalid => DAMAGE_EXIT,
        }),
        _ => return None,
    };
    let Err(error) = result else { return Some(STORED) };
    // PostgreSQL asks for what is not there at the end of every recovery: nothing to tell.
    if error.kind != ErrorKind::Absent {
        let help = error.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        let _ = writeln!(talk, "pgherd: {error}{help}");
    }
    Some(code(&error))
}

/// How nice it is to those whose log it stores: a little, since what is not archived yet is on one disk only.
const NICENESS: i32 = 5;

fn archive(arguments: &[OsString]) -> Result<()> {
    let [settings, path] = arguments else { return Err(usage("archive-wal SETTINGS %p")) };
    let _ = rustix::process::nice(NICENESS);
    let path = Path::new(path);
    let name = name(path.file_name().unwrap_or_default())?;
    let settings = Settings::read(settings.as_ref())?;
    let repository = settings.open()?;
    settings.generation(&repository)?.push_wal(name, path).map(|_| ())
}

fn restore(arguments: &[OsString]) -> Result<()> {
    let [settings, file, to] = arguments else { return Err(usage("restore-wal SETTINGS %f %p")) };
    let name = name(file)?;
    let settings = Settings::read(settings.as_ref())?;
    let repository = settings.open()?;
    let own = settings.generation(&repository)?;
    let mut absent = None;
    for generation in std::iter::once(own).chain(settings.also_from(&repository)?) {
        match generation.fetch_wal(name, to.as_ref()) {
            Err(error) if error.kind == ErrorKind::Absent => absent = Some(error),
            other => return other,
        }
    }
    Err(absent.unwrap_or_else(|| usage("restore-wal SETTINGS %f %p")))
}

fn name(text: &std::ffi::OsStr) -> Result<WalName> {
    let text = text.to_string_lossy();
    text.parse().map_err(|error| ArchiveError::new(ErrorKind::Invalid, format!("{error}")))
}

fn usage(form: &str) -> ArchiveError {
    ArchiveError::new(ErrorKind::Invalid, format!("this is called by PostgreSQL: pgherd {form}"))
}
