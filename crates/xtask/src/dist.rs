//! What is released for Terraform and OpenTofu: an archive with its checksum and its manifest, as their registries take them, in folders
//! that are a mirror of providers as they stand.
//!
//! The names are those of the registry's documentation ("Publish providers"), the folders those of a packed `filesystem_mirror`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use crate::machine::{run, told};

const NAME: &str = "terraform-provider-pgherd";
/// The address by which the module asks for the provider.
const ADDRESS: &str = "local/pgherd/pgherd";
/// Plugin protocol versions, as the manifest wants them.
const PROTOCOLS: &str = "6.0";

/// How what is packed is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// As it is shipped.
    Release,
    /// Quickly, to try a release out.
    Debug,
}

/// Builds the provider and packs it into `target/dist`; what was written.
pub fn write(build: Build) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (profile, folder) = match build {
        Build::Release => ("release", "release"),
        Build::Debug => ("dev", "debug"),
    };
    let arguments = ["build", "--profile", profile, "--quiet", "--package", NAME];
    run(Command::new(env!("CARGO")).current_dir(&root).args(arguments))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let files = pack(&target.join(folder).join(NAME), &target.join("dist"), build == Build::Release)?;
    Ok(files.iter().fold(String::new(), |text, file| text + &format!("wrote {}\n", file.display())))
}

/// Packs a provider of this machine below a folder; the files that were written. The same provider gives the same bytes.
pub fn pack(provider: &Path, folder: &Path, compressed: bool) -> Result<Vec<PathBuf>, String> {
    let version = env!("CARGO_PKG_VERSION");
    let folder = folder.join(ADDRESS);
    fs::create_dir_all(&folder).map_err(told("make a folder"))?;
    let archive = folder.join(format!("{NAME}_{version}_{}.zip", platform()?));
    archived(provider, &archive, &format!("{NAME}_v{version}"), compressed)?;
    let manifest = folder.join(format!("{NAME}_{version}_manifest.json"));
    let text = serde_json::json!({ "version": 1, "metadata": { "protocol_versions": [PROTOCOLS] } });
    fs::write(&manifest, format!("{text:#}\n")).map_err(told("write the manifest"))?;
    let sums = folder.join(format!("{NAME}_{version}_SHA256SUMS"));
    // Of every platform that was packed here: registries take one file of sums, signed by whoever publishes.
    let lines = released(&folder, &format!("{NAME}_{version}_"))?
        .iter()
        .map(|file| sum(file))
        .collect::<Result<String, _>>()?;
    fs::write(&sums, lines).map_err(told("write the checksums"))?;
    Ok(vec![archive, manifest, sums])
}

/// The archives and the manifest of a version, by name.
fn released(folder: &Path, prefix: &str) -> Result<Vec<PathBuf>, String> {
    let is_released =
        |name: &str| name.starts_with(prefix) && [".zip", "_manifest.json"].iter().any(|end| name.ends_with(end));
    let entries = fs::read_dir(folder).map_err(told("look into a folder"))?.flatten();
    let mut files: Vec<PathBuf> =
        entries.filter(|entry| is_released(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}

fn archived(provider: &Path, archive: &Path, name: &str, compressed: bool) -> Result<(), String> {
    let mut from = File::open(provider).map_err(told("read the provider"))?;
    let mut zip = ZipWriter::new(File::create(archive).map_err(told("write the archive"))?);
    let method = if compressed { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    // No time of day: what is packed twice has one checksum.
    let options = SimpleFileOptions::default()
        .compression_method(method)
        .unix_permissions(0o755)
        .last_modified_time(DateTime::default());
    let cannot = |error: zip::result::ZipError| format!("cannot write the archive: {error}");
    zip.start_file(name, options).map_err(cannot)?;
    io::copy(&mut from, &mut zip).map_err(told("write the archive"))?;
    zip.finish().map(drop).map_err(cannot)
}

/// A line as `sha256sum` writes it.
fn sum(file: &Path) -> Result<String, String> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(file).map_err(told("read a file"))?, &mut hash).map_err(told("read a file"))?;
    let mut line = String::new();
    for byte in hash.finalize() {
        write!(line, "{byte:02x}").expect("writing to a string cannot fail");
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("{line}  {name}\n"))
}

/// As Terraform calls this machine (`GOOS_GOARCH`).
fn platform() -> Result<&'static str, String> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("linux_amd64"),
        ("linux", "aarch64") => Ok("linux_arm64"),
        (system, arch) => Err(format!("there is no provider for {system} on {arch}")),
    }
}
