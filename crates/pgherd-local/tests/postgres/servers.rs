//! Finding, choosing and downloading.

use pgherd_core::version::Version;
use pgherd_local::postgres::fetch::{Sources, fetch};
use pgherd_local::postgres::find;
use pgherd_local::postgres::server::Origin;

use crate::world::{MAJORS, cache, server};

#[test]
fn every_supported_major_can_be_had_and_is_complete() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        assert_eq!(server.version.major, major);
        assert!(server.version.minor.is_some(), "{server:?}");
        assert_eq!(server.missing, Vec::<String>::new());
        // Portable builds bring their libpq and leave out ICU; Debian's do the opposite.
        match server.origin {
            Origin::Cache => assert_eq!((server.lib.is_some(), server.icu), (true, false)),
            Origin::Given | Origin::Package | Origin::SearchPath => assert!(server.lib.is_none()),
        }
    }
}

#[test]
fn a_folder_the_user_names_is_found_and_a_wrong_one_is_said() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let prefix = server.bin.parent().expect("bin is in a folder").to_owned();
    let nowhere = std::path::PathBuf::from("/nowhere");
    let found = find::servers(&[prefix, nowhere], None, &cache().join("none"));
    assert!(found.servers.iter().any(|known| known.bin == server.bin && known.origin == Origin::Given));
    assert_eq!(found.rejected.len(), 1, "{found:?}");
    assert!(found.rejected[0].starts_with("cannot look at /nowhere/bin/postgres"), "{found:?}");
}

/// The releases' side of the download, from a folder: an archive, its checksum and the list.
#[test]
fn a_release_with_a_wrong_checksum_is_refused_and_nothing_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let arch = std::env::consts::ARCH;
    let release = folder.path().join("14.9.3");
    std::fs::create_dir(&release).expect("made");
    std::fs::write(folder.path().join("list"), r#"[{"tag_name":"14.9.3"}]"#).expect("written");
    for libc in ["gnu", "musl"] {
        let name = format!("postgresql-14.9.3-{arch}-unknown-linux-{libc}.tar.gz");
        std::fs::write(release.join(&name), "not what was promised").expect("written");
        std::fs::write(release.join(format!("{name}.sha256")), format!("{}  {name}", "0".repeat(64))).expect("written");
    }
    let url = format!("file://{}", folder.path().display());
    let sources = Sources { releases: url.clone(), release_list: format!("{url}/list"), package: None };
    let cache = folder.path().join("cache");
    let error = fetch(Version { major: 14, minor: Some(9) }, true, &sources, &cache, &|_| {}).expect_err("refused");
    assert!(error.message.contains("could not be downloaded (releases: the checksum of"), "{error}");
    assert!(error.help.contains("--postgres-dir"), "{}", error.help);
    assert!(find::servers(&[], None, &cache).servers.iter().all(|server| server.origin != Origin::Cache));
}

#[test]
fn what_is_in_the_cache_is_not_downloaded_again() {
    let Some(server) = MAJORS.into_iter().filter_map(server).find(|server| server.origin == Origin::Cache) else {
        eprintln!("SKIPPED: no downloaded server");
        return;
    };
    let nowhere = Sources { releases: "file:///none".into(), release_list: "file:///none".into(), package: None };
    let asked = Version { major: server.version.major, minor: None };
    let again = fetch(asked, false, &nowhere, &cache().join("servers"), &|_| panic!("nothing to do"));
    assert_eq!(again, Ok(server));
}
