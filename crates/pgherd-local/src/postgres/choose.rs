//! Which server runs an instance. Pure.
//!
//! Order: the asked major, as new as asked, among the installed; else a download of that major; only where that is
//! impossible the nearest newer installed major, with a warning (rule L1), or nothing at all when `strict`.

use pgherd_core::version::Version;

use super::server::{Origin, Server};

/// What to do for an asked version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Run this one.
    Use {
        /// The server.
        server: Server,
        /// What differs from what was asked, in words: `14.9 asked, 14.23 runs`.
        note: Option<String>,
    },
    /// Get this version first, then choose again.
    Fetch(Version),
}

/// The server for `asked` (nothing asked: the newest installed, Q1). `strict` insists on the exact minor where one is asked.
pub fn choose(asked: Option<Version>, strict: bool, servers: &[Server]) -> Choice {
    let Some(asked) = asked else {
        return match best(servers.iter()) {
            Some(server) => Choice::Use { server: server.clone(), note: None },
            None => Choice::Fetch(Version { major: NEWEST, minor: None }),
        };
    };
    let same_major = servers.iter().filter(|server| server.major() == asked.major);
    let fits: Vec<&Server> = same_major.filter(|server| minor_fits(asked, server.version, strict)).collect();
    match fits.iter().find(|server| server.version == asked).copied().or_else(|| best(fits.iter().copied())) {
        Some(server) => Choice::Use { server: server.clone(), note: note(asked, server) },
        None => Choice::Fetch(asked),
    }
}

/// The last resort when `asked` could not be fetched because of `reason`: an installed minor of the same major that is older
/// than asked, else the nearest newer major. `Err` says why there is none, or that `strict` forbids it.
pub fn instead(
    asked: Option<Version>,
    strict: bool,
    servers: &[Server],
    reason: &str,
) -> Result<(Server, String), String> {
    let Some(asked) = asked else {
        return Err(format!("no PostgreSQL server is installed, and none could be downloaded: {reason}"));
    };
    if strict {
        return Err(format!("PostgreSQL {asked} is not here and strict versions are asked for: {reason}"));
    }
    let same = best(servers.iter().filter(|server| server.major() == asked.major));
    let newer = || best_of_nearest(servers.iter().filter(|server| server.major() > asked.major));
    let Some(server) = same.or_else(newer) else {
        return Err(format!("no server for PostgreSQL {asked} is installed, and none could be downloaded: {reason}"));
    };
    let warning = format!("PostgreSQL {asked} asked, {} runs: {asked} could not be had: {reason}", server.version);
    Ok((server.clone(), warning))
}

/// Downloaded when nothing is asked and nothing installed.
const NEWEST: u32 = 18;

fn minor_fits(asked: Version, offered: Version, strict: bool) -> bool {
    match (asked.minor, strict) {
        (None, _) => true,
        (Some(_), true) => offered == asked,
        (Some(_), false) => offered.minor >= asked.minor,
    }
}

/// The newest; the user's own choice first, packages before downloads.
fn best<'a>(servers: impl Iterator<Item = &'a Server>) -> Option<&'a Server> {
    servers.max_by_key(|server| (server.origin == Origin::Given, server.version, std::cmp::Reverse(server.origin)))
}

fn best_of_nearest<'a>(servers: impl Iterator<Item = &'a Server> + Clone) -> Option<&'a Server> {
    let nearest = servers.clone().map(Server::major).min()?;
    best(servers.filter(move |server| server.major() == nearest))
}

fn note(asked: Version, server: &Server) -> Option<String> {
    (asked.minor.is_some() && asked != server.version).then(|| format!("{asked} asked, {} runs", server.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str, origin: Origin) -> Server {
        let version = Version::parse(text).expect("a version");
        let (bin, banner) = (format!("/{origin:?}/{text}").into(), format!("PostgreSQL {text}"));
        Server { version, banner, bin, lib: None, origin, icu: true, missing: vec![], build: String::new() }
    }

    fn machine(installed: &[&str], cached: &[&str]) -> Vec<Server> {
        let packages = installed.iter().map(|text| server(text, Origin::Package));
        packages.chain(cached.iter().map(|text| server(text, Origin::Cache))).collect()
    }

    #[track_caller]
    fn check(asked: &str, strict: bool, servers: &[Server], expected: &str) {
        let said = match choose(Version::parse(asked), strict, servers) {
            Choice::Use { server, note } => {
                format!("{} {}", server.bin.display(), note.unwrap_or_default()).trim().to_owned()
            }
            Choice::Fetch(version) => format!("fetch {version}"),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn the_asked_major_runs_in_its_installed_minor() {
        check("15", false, &machine(&["15.18"], &["16.15"]), "/Package/15.18");
    }

    #[test]
    fn a_newer_minor_is_as_good_and_said() {
        check("14.9", false, &machine(&["15.18"], &["14.23"]), "/Cache/14.23 14.9 asked, 14.23 runs");
    }

    #[test]
    fn an_older_minor_is_not_enough() {
        check("15.19", false, &machine(&["15.18"], &[]), "fetch 15.19");
    }

    #[test]
    fn strict_insists_on_the_exact_minor() {
        check("14.9", true, &machine(&[], &["14.23"]), "fetch 14.9");
        check("14.9", true, &machine(&[], &["14.23", "14.9"]), "/Cache/14.9");
    }

    #[test]
    fn another_major_is_fetched_rather_than_replaced() {
        check("14", false, &machine(&["15.18"], &[]), "fetch 14");
    }

    #[test]
    fn nothing_asked_takes_the_newest_installed() {
        check("", false, &machine(&["15.18"], &["16.15"]), "/Cache/16.15");
        check("", false, &[], "fetch 18");
    }

    #[test]
    fn a_server_the_user_pointed_at_comes_first() {
        let mut servers = machine(&["15.19"], &[]);
        servers.push(server("15.18", Origin::Given));
        check("15", false, &servers, "/Given/15.18");
    }

    #[track_caller]
    fn check_instead(asked: &str, strict: bool, servers: &[Server], expected: &str) {
        let said = match instead(Version::parse(asked), strict, servers, "no network") {
            Ok((server, warning)) => format!("{}: {warning}", server.bin.display()),
            Err(refusal) => refusal,
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn the_nearest_newer_major_is_the_last_resort() {
        let expected = "/Package/15.18: PostgreSQL 14.9 asked, 15.18 runs: 14.9 could not be had: no network";
        check_instead("14.9", false, &machine(&["15.18", "17.2"], &[]), expected);
    }

    #[test]
    fn an_older_major_never_runs() {
        let expected = "no server for PostgreSQL 16 is installed, and none could be downloaded: no network";
        check_instead("16", false, &machine(&["15.18"], &[]), expected);
    }

    #[test]
    fn strict_has_no_last_resort() {
        let expected = "PostgreSQL 14.9 is not here and strict versions are asked for: no network";
        check_instead("14.9", true, &machine(&["15.18"], &[]), expected);
    }
}
