//! Certificates: an authority of this state folder's own, and a server certificate for each instance.
//!
//! A key and its certificate are one file, replaced in one step: a server never finds a key that belongs to another
//! certificate.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_postgres_rustls::MakeRustlsConnect;
use x509_parser::extensions::GeneralName;

use crate::postgres::runas::RunAs;
use crate::postgres::{Result, io_error};

/// The authority is trusted by clients that copied it, so it lasts.
const AUTHORITY_DAYS: i64 = 3650;
/// A server certificate is replaced without anybody noticing.
const SERVER_DAYS: i64 = 365;

/// How a client connects over TLS that is verified in full, trusting the authority in this file alone. Blocking.
pub fn client(authority: &Path) -> Result<MakeRustlsConnect> {
    let refuse = |error: &dyn std::fmt::Display| {
        let message = format!("{} is no certificate of an authority: {error}", authority.display());
        ProviderError::new(ErrorKind::Invalid, message)
    };
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(authority).map_err(|error| refuse(&error))?)
        .map_err(|error| refuse(&error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// The authority of a state folder.
#[derive(Debug)]
pub struct Authority {
    /// Its certificate, for clients' `sslrootcert`; readable by everyone.
    pub certificate_file: PathBuf,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The authority kept in `folder`, made on first use. Blocking.
    pub fn ensure(folder: &Path, now: Timestamp) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| io_error("make", folder, &error))?;
        // Two instances made side by side would otherwise each make an authority, and one of them trust the wrong one.
        let _turn = lock(folder)?;
        let secret_file = folder.join("ca.pem");
        let pem = match std::fs::read_to_string(&secret_file) {
            Ok(pem) => pem,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let pem = make_authority(now)?;
                replace(&secret_file, &pem, 0o600, None)?;
                pem
            }
            Err(error) => return Err(io_error("read", &secret_file, &error)),
        };
        let certificate = certificate_part(&pem);
        let certificate_file = folder.join("ca.crt");
        if std::fs::read_to_string(&certificate_file).ok().as_ref() != Some(&certificate) {
            replace(&certificate_file, &certificate, 0o644, None)?;
        }
        let key = KeyPair::from_pem(&pem).map_err(|error| damaged(&secret_file, &error))?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(|error| damaged(&secret_file, &error))?;
        Ok(Self { certificate_file, certificate, issuer })
    }

    /// Makes sure that `file` (key, certificate and authority in one) holds a certificate of this authority for `names` (see
    /// [`names`]) that need not be renewed yet. Says whether it was replaced; a running server then has to reload. Blocking.
    pub fn ensure_server(&self, file: &Path, names: &[String], run_as: &RunAs, now: Timestamp) -> Result<bool> {
        if let Ok(pem) = std::fs::read_to_string(file)
            && pem.contains(self.certificate.trim())
            && read(&pem).is_some_and(|found| found.serves(names) && !found.renewal_due(now))
        {
            return Ok(false);
        }
        let pem = self.make_server(names, now).map_err(|error| cannot_make(&error))?;
        replace(file, &pem, 0o600, Some(run_as))?;
        Ok(true)
    }

    /// A certificate for `names` (see [`names`]) that is kept nowhere: key, certificate and authority in one text.
    pub fn server(&self, names: &[String], now: Timestamp) -> Result<String> {
        self.make_server(names, now).map_err(|error| cannot_make(&error))
    }

    /// Makes sure that `file` (key, certificate and authority in one) proves to a server that trusts this authority that one is
    /// the role `role`, and need not be renewed yet. Says whether it was replaced. Blocking.
    pub fn ensure_client(&self, file: &Path, role: &str, run_as: &RunAs, now: Timestamp) -> Result<bool> {
        if let Ok(pem) = std::fs::read_to_string(file)
            && pem.contains(self.certificate.trim())
            && read(&pem).is_some_and(|found| !found.renewal_due(now))
        {
            return Ok(false);
        }
        let pem = self.make_client(role, now).map_err(|error| cannot_make(&error))?;
        replace(file, &pem, 0o600, Some(run_as))?;
        Ok(true)
    }

    fn make_client(&self, role: &str, now: Timestamp) -> std::result::Result<String, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        // PostgreSQL compares the common name with the role (auth-cert).
        params.distinguished_name.push(DnType::CommonName, role);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        set_validity(&mut params, now, SERVER_DAYS);
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(format!("{}{}{}", key.serialize_pem(), certificate.pem(), self.certificate))
    }

    fn make_server(&self, names: &[String], now: Timestamp) -> std::result::Result<String, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name.push(DnType::CommonName, "pgherd server");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        set_validity(&mut params, now, SERVER_DAYS);
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(format!("{}{}{}", key.serialize_pem(), certificate.pem(), self.certificate))
    }
}

/// The names a server is reached by: this machine's loopback names, its host name and further ones, each once.
///
/// libpq before 15 compares an address it was given with names only, so hand out `localhost` rather than 127.0.0.1.
pub fn names(hostname: Option<&str>, further: &[String]) -> Vec<String> {
    let usual = ["localhost", "127.0.0.1", "::1"].into_iter().chain(hostname).map(str::to_owned);
    let mut seen = BTreeSet::new();
    let all = usual.chain(further.iter().cloned());
    all.filter(|name| !name.is_empty() && name.is_ascii() && seen.insert(name.clone())).collect()
}

/// What a certificate file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Names and addresses it is for.
    pub names: BTreeSet<String>,
    /// From when.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
}

impl Certificate {
    /// Whether it is for all of these names.
    pub fn serves(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.names.contains(name))
    }

    /// Whether two thirds of its life are over.
    pub fn renewal_due(&self, now: Timestamp) -> bool {
        let life = self.not_after.duration_since(self.not_before);
        now.duration_since(self.not_before) >= SignedDuration::from_secs(life.as_secs() * 2 / 3)
    }
}

/// Reads the first certificate of a PEM text.
pub fn read(pem: &str) -> Option<Certificate> {
    let blocks = x509_parser::pem::Pem::iter_from_buffer(pem.as_bytes()).filter_map(std::result::Result::ok);
    let block = blocks.into_iter().find(|block| block.label == "CERTIFICATE")?;
    let certificate = block.parse_x509().ok()?;
    let alternative = certificate.subject_alternative_name().ok()?;
    let names =
        alternative.map(|found| found.value.general_names.iter().filter_map(name).collect()).unwrap_or_default();
    let validity = certificate.validity();
    Some(Certificate {
        names,
        not_before: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
        not_after: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
    })
}

fn name(general: &GeneralName<'_>) -> Option<String> {
    match general {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn make_authority(now: Timestamp) -> Result<String> {
    let make = || {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name.push(DnType::CommonName, "pgherd authority of this machine");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, now, AUTHORITY_DAYS);
        let certificate = params.self_signed(&key)?;
        Ok(format!("{}{}", key.serialize_pem(), certificate.pem()))
    };
    make().map_err(|error: rcgen::Error| cannot_make(&error))
}

/// From yesterday, for clocks that are behind, in whole days.
fn set_validity(params: &mut CertificateParams, now: Timestamp, days: i64) {
    let day = |offset: i64| {
        let date = (now + SignedDuration::from_hours(24 * offset)).to_zoned(TimeZone::UTC).date();
        let part = |number: i8| u8::try_from(number).expect("months and days are positive");
        rcgen::date_time_ymd(date.year().into(), part(date.month()), part(date.day()))
    };
    params.not_before = day(-1);
    params.not_after = day(days);
}

fn certificate_part(pem: &str) -> String {
    let start = pem.find("-----BEGIN CERTIFICATE-----").unwrap_or(pem.len());
    pem[start..].to_owned()
}

/// Waits for the right to look after a folder, given back when the file is dropped.
fn lock(folder: &Path) -> Result<std::fs::File> {
    let refuse = |error: std::io::Error| io_error("lock", folder, &error);
    let turn = std::fs::File::open(folder).map_err(refuse)?;
    rustix::fs::flock(&turn, rustix::fs::FlockOperation::LockExclusive).map_err(|error| refuse(error.into()))?;
    Ok(turn)
}

/// Writes a whole file in one step, readable by nobody else from the start.
fn replace(path: &Path, text: &str, mode: u32, owner: Option<&RunAs>) -> Result<()> {
    let refuse = |error: std::io::Error| io_error("write", path, &error);
    let unfinished = path.with_extension("unfinished");
    drop(std::fs::remove_file(&unfinished));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(&unfinished).map_err(refuse)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(refuse)?;
    if let Some(owner) = owner {
        owner.own(&unfinished)?;
    }
    std::fs::rename(&unfinished, path).map_err(refuse)
}

fn damaged(path: &Path, error: &rcgen::Error) -> ProviderError {
    let message = format!("{} holds no usable certificate authority: {error}", path.display());
    ProviderError::new(ErrorKind::Invalid, message)
        .help("restore it from a backup; or remove it, and all clients have to trust a new one")
}

fn cannot_make(error: &rcgen::Error) -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, format!("cannot make a certificate: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[track_caller]
    fn check(now: &str, expected: bool) {
        let (not_before, not_after) = (at("2026-01-01T00:00:00Z"), at("2026-01-04T00:00:00Z"));
        let certificate = Certificate { names: BTreeSet::new(), not_before, not_after };
        assert_eq!(certificate.renewal_due(at(now)), expected);
    }

    #[test]
    fn renewal_is_due_after_two_thirds_of_its_life() {
        check("2026-01-02T23:59:59Z", false);
        check("2026-01-03T00:00:00Z", true);
        check("2027-01-01T00:00:00Z", true);
    }

    #[test]
    fn a_name_is_written_once() {
        let further = ["db.example".to_owned(), "localhost".to_owned()];
        assert_eq!(names(Some("box"), &further), ["localhost", "127.0.0.1", "::1", "box", "db.example"]);
    }

    fn oneself() -> RunAs {
        RunAs { name: "me".to_owned(), uid: 0, gid: 0, drops: false }
    }

    #[test]
    fn a_certificate_stays_until_it_is_due_or_the_names_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = at("2026-11-21T12:00:00Z");
        let authority = Authority::ensure(folder.path(), now).expect("an authority");
        let file = folder.path().join("server.pem");
        let mut names = names(None, &[]);
        let ensure = |names: &[String], now| authority.ensure_server(&file, names, &oneself(), now).expect("done");
        assert!(ensure(&names, now), "made");
        assert!(!ensure(&names, now), "kept");
        assert!(ensure(&names, at("2027-09-01T12:00:00Z")), "renewed");
        names.push("db.example".to_owned());
        assert!(ensure(&names, at("2027-09-01T12:00:00Z")), "for another name");
        let found = read(&std::fs::read_to_string(&file).expect("a file")).expect("a certificate");
        assert!(found.serves(&names));
        assert_eq!(found.not_before, at("2027-08-31T00:00:00Z"));
    }

    #[test]
    fn the_authority_is_made_once_and_its_key_is_nobodys_else() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let ensure = || Authority::ensure(folder.path(), at("2026-11-21T12:00:00Z")).expect("an authority").certificate;
        assert_eq!(ensure(), ensure());
        let mode = |name: &str| folder.path().join(name).metadata().expect("a file").permissions().mode() & 0o777;
        assert_eq!((mode("ca.pem"), mode("ca.crt")), (0o600, 0o644));
        assert!(!std::fs::read_to_string(folder.path().join("ca.crt")).expect("a file").contains("PRIVATE"));
    }

    #[test]
    fn instances_made_side_by_side_share_one_authority() {
        let folder = tempfile::tempdir().expect("a folder");
        let ensure = || Authority::ensure(folder.path(), at("2026-11-21T12:00:00Z")).expect("an authority").certificate;
        let made: BTreeSet<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ensure)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
        });
        assert_eq!(made.len(), 1);
    }
}
