//! Backups and the archive on a pgbench database of scale 50, each against what does the same: what stores a segment against
//! `cp`, fsync and rename; `pgherd backup` against `pg_basebackup --compress=server-zstd`; `pgherd restore` against pgBackRest;
//! transactions a second with an archive against those without.
//!
//! All take turns, so that other work on the machine bears on each alike. What is compared is what a user waits for: from the start
//! of the command to a backup that was read back, and to a restored database that answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use jiff::Timestamp;
use pgherd_archive::{KeyRing, Location, Options, Repository, Settings};
use pgherd_core::ha::NodeId;
use pgherd_local::postgres::conf::SUPERUSER;
use pgherd_local::postgres::{runas::RunAs, server::Server};

use super::Measured;
use crate::herd::NAME;
use crate::machine::{Place, end, initdb, median, ms_since, over_socket, psql, remove, run, server, told, wait};
use crate::say;

const SCALE: &str = "50";
const SEGMENTS: usize = 20;
const BACKUPS: usize = 5;
const RESTORES: usize = 3;
const TPS_ROUNDS: usize = 6;
const TPS_SECONDS: &str = "12";
const TPS_CLIENTS: &str = "4";
const PEER_PORT: &str = "5999";

/// Measures all.
pub fn run_rounds() -> Result<Vec<Measured>, String> {
    let bench = Bench::new()?;
    let mut all = bench.segments()?;
    all.extend(bench.backups()?);
    all.extend(bench.restores()?);
    // What they archive fills the disk.
    all.push(bench.transactions()?);
    Ok(all)
}

struct Bench {
    place: Place,
    server: Server,
    run_as: RunAs,
    /// Of the one server of the database.
    address: String,
    port: String,
}

impl Bench {
    fn new() -> Result<Self, String> {
        let place = Place::new()?;
        let (server, run_as) = server()?;
        run_as.make_dir(&place.at("servers"), 0o700).map_err(|error| error.message)?;
        place.describe_with(0, &ARGUMENTS)?;
        run(&mut place.pgherd(&["up", "--yes"]))?;
        let sockets = place.paths().sockets();
        let entries = fs::read_dir(&sockets).map_err(told("look for the server's socket"))?.flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let port = names.filter_map(|name| name.strip_prefix(".s.PGSQL.")?.parse::<u16>().ok()).next();
        let port = port.ok_or("the server has no socket")?.to_string();
        let address = format!("host={} port={port} user={SUPERUSER} dbname=bench", sockets.display());
        let bench = Self { place, server, run_as, address, port };
        say("making a database of pgbench");
        run(&mut bench.pgbench(&["--initialize", "--quiet", "--scale", SCALE]))?;
        // The first backup is taken by itself.
        wait("the first backup", || {
            run(&mut bench.place.pgherd(&["backups"]))
                .is_ok_and(|output| output.stdout.windows(4).any(|it| it == b"auto"))
        })?;
        Ok(bench)
    }

    fn pgbench(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.server.program("pgbench"));
        let sockets = self.place.paths().sockets();
        command
            .arg("--host")
            .arg(sockets)
            .args(["--port", &self.port, "--username", SUPERUSER])
            .args(arguments)
            .arg("bench");
        command
    }

    /// Each segment by a process of its own, started by a shell, as a server does it.
    fn segments(&self) -> Result<Vec<Measured>, String> {
        run(&mut self.pgbench(&["--client", TPS_CLIENTS, "--jobs", "2", "--time", "20"]))?;
        let segments = self.some_segments()?;
        let folder = self.place.at("servers/segments");
        for name in ["copies", "plain", "sealed"] {
            self.run_as.make_dir(&folder.join(name), 0o700).map_err(|error| error.message)?;
        }
        let program = self.place.paths().program();
        let copies = folder.join("copies");
        let settings = [self.settings(&folder.join("plain"), false)?, self.settings(&folder.join("sealed"), true)?];
        let (mut copied, mut stored) = (Vec::new(), [Vec::new(), Vec::new()]);
        for path in &segments {
            let (from, to) = (path.display(), copies.join(path.file_name().unwrap_or_default()));
            let to = to.display();
            copied.push(self.shell(&format!("cp {from} {to}.tmp && sync {to}.tmp && mv {to}.tmp {to}"))?);
            for (settings, stored) in settings.iter().zip(&mut stored) {
                let (program, settings) = (program.display(), settings.display());
                stored.push(self.shell(&format!("'{program}' archive-wal '{settings}' {from}"))?);
            }
        }
        remove(&folder)?;
        remove(&self.place.at("servers/log"))?;
        let copied = median(copied);
        let [plain, sealed] = stored.map(median);
        say(&format!("a segment: {copied:.0} ms by cp, sync and mv, {plain:.0} ms stored, {sealed:.0} ms encrypted"));
        Ok(vec![
            ms("archive of a segment: against 2 x (cp, fsync, rename)", plain, 2.0 * copied),
            ms("archive of a segment, encrypted: against the same", sealed, 2.0 * copied),
        ])
    }

    /// Copies of whole segments that the server wrote.
    fn some_segments(&self) -> Result<Vec<PathBuf>, String> {
        let current = psql(&self.server, &self.address, "SELECT pg_walfile_name(pg_current_wal_lsn())")?;
        let log = self.place.paths().instance(NAME).node(NodeId(1)).data.join("pg_wal");
        let folder = self.place.at("servers/log");
        self.run_as.make_dir(&folder, 0o700).map_err(|error| error.message)?;
        let entries = fs::read_dir(log).map_err(told("read the log"))?.flatten();
        let is_whole = |name: &str| name.len() == 24 && *name < *current;
        let mut names: Vec<PathBuf> = entries
            .filter(|entry| entry.file_name().to_str().is_some_and(is_whole))
            .map(|entry| entry.path())
            .collect();
        names.sort();
        let newest = names.split_off(names.len().saturating_sub(SEGMENTS));
        newest
            .iter()
            .map(|path| {
                let to = folder.join(path.file_name().unwrap_or_default());
                fs::copy(path, &to).map_err(told("copy a segment"))?;
                self.run_as.own(&to).map(|()| to).map_err(|error| error.message)
            })
            .collect()
    }

    fn settings(&self, folder: &Path, encrypt: bool) -> Result<PathBuf, String> {
        let told = |error: pgherd_archive::ArchiveError| error.message;
        let owner = self.run_as.drops.then_some((self.run_as.uid, self.run_as.gid));
        let keys = KeyRing::create(&folder.join("keys"), owner).map_err(told)?;
        let root = folder.join("repository");
        let options = Options { keys, encrypt, owner, ..Options::default() };
        let repository = Repository::create(&Location::Folder(root.clone()), options).map_err(told)?;
        repository.begin_generation("bench", 0, None, Timestamp::now()).map_err(told)?;
        let settings = Settings {
            repository: root.display().to_string(),
            instance: "bench".to_owned(),
            generation: 1,
            keys: vec![folder.join("keys")],
            encrypt,
            access: None,
            id: String::new(),
            also_from: Vec::new(),
        };
        let path = folder.join("archive.json");
        settings.write(&path, owner).map_err(told)?;
        Ok(path)
    }

    /// How long PostgreSQL's user takes for that.
    fn shell(&self, words: &str) -> Result<f64, String> {
        let mut command = Command::new("sh");
        self.run_as.prepare(&mut command, &self.server);
        command.args(["-c", words]);
        let start = Instant::now();
        run(&mut command)?;
        Ok(ms_since(start))
    }

    /// Without an agent: what is not archived leaves a hole, for which it takes a whole backup at once, while others are measured.
    fn transactions(&self) -> Result<Measured, String> {
        self.place.end_agent()?;
        let copies = self.place.at("servers/copied");
        self.run_as.make_dir(&copies, 0o700).map_err(|error| error.message)?;
        // What any archive costs: a copy that survives a power cut, of which only the last one is kept.
        let to = copies.join("segment").display().to_string();
        let copy = format!("SET archive_command = 'cp %p {to}.tmp && sync {to}.tmp && mv {to}.tmp {to}'");
        let ways = ["RESET archive_command", "SET archive_command = '/bin/true'", &copy];
        let mut seen = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..TPS_ROUNDS {
            // Each comes first as often as the others.
            for turn in 0..ways.len() {
                let way = (round + turn) % ways.len();
                psql(&self.server, &self.address, &format!("ALTER SYSTEM {}", ways[way]))?;
                psql(&self.server, &self.address, "SELECT pg_reload_conf()")?;
                psql(&self.server, &self.address, "CHECKPOINT")?;
                rustix::fs::sync();
                seen[way].push(self.tps()?);
            }
        }
        for (way, seen) in ["archived", "not archived", "copied"].iter().zip(&seen) {
            let figures: Vec<_> = seen.iter().map(|tps| format!("{tps:.0}")).collect();
            say(&format!("transactions a second, {way}: {}", figures.join(", ")));
        }
        let [with, without, copied] = seen.map(median);
        psql(&self.server, &self.address, "ALTER SYSTEM RESET archive_command")?;
        psql(&self.server, &self.address, "SELECT pg_reload_conf()")?;
        say(&format!(
            "{with:.0} transactions a second with an archive, {without:.0} without: {:.1} %; by cp, sync and mv {:.1} %",
            100.0 * with / without,
            100.0 * copied / without
        ));
        Ok(Measured {
            what: "transactions a second without an archive: against those with one / 0.95",
            figure: without,
            bar: with / 0.95,
            unit: "tps",
        })
    }

    fn tps(&self) -> Result<f64, String> {
        let output = run(&mut self.pgbench(&["--client", TPS_CLIENTS, "--jobs", "2", "--time", TPS_SECONDS]))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        tps.ok_or_else(|| format!("pgbench told nothing: {text}"))
    }

    fn backups(&self) -> Result<Vec<Measured>, String> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let folder = self.place.at("servers/copy");
        for round in 0..BACKUPS {
            rustix::fs::sync();
            let mut command = self.run_as.command(&self.server, "pg_basebackup");
            command.arg("--host").arg(self.place.paths().sockets()).args([
                "--port",
                &self.port,
                "--username",
                SUPERUSER,
            ]);
            command.args(["--no-password", "--checkpoint", "fast", "--format", "tar", "--compress", "server-zstd"]);
            command.arg("--pgdata").arg(&folder);
            let start = Instant::now();
            run(&mut command)?;
            theirs.push(ms_since(start));
            remove(&folder)?;
            rustix::fs::sync();
            let start = Instant::now();
            run(&mut self.place.pgherd(&["backup", "--as", &format!("round-{round}"), "--yes"]))?;
            ours.push(ms_since(start));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        say(&format!("a backup: {ours:.0} ms, read back; pg_basebackup {theirs:.0} ms"));
        Ok(vec![ms("backup: against 1.1 x pg_basebackup --compress=server-zstd", ours, 1.1 * theirs)])
    }

    fn restores(&self) -> Result<Vec<Measured>, String> {
        if Command::new("pgbackrest").arg("version").stdout(Stdio::null()).status().is_err() {
            say("SKIPPED the restore against pgBackRest: it is not installed");
            return Ok(Vec::new());
        }
        let peer = Peer::new(self)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RESTORES {
            rustix::fs::sync();
            theirs.push(peer.restore()?);
            rustix::fs::sync();
            let start = Instant::now();
            run(&mut self.place.pgherd(&["restore", "--as", "bench-1", "--backup", "round-0", "--yes"]))?;
            ours.push(ms_since(start));
            self.place.describe_with(1, &ARGUMENTS)?;
            run(&mut self.place.pgherd(&["destroy", "--confirm", "bench-1"]))?;
            self.place.describe_with(0, &ARGUMENTS)?;
        }
        end(&peer.data)?;
        remove(&self.place.at("servers/peer"))?;
        let (ours, theirs) = (median(ours), median(theirs));
        say(&format!("a restored database that answers: {ours:.0} ms; by pgBackRest {theirs:.0} ms"));
        Ok(vec![ms("restore until it answers: against pgBackRest and a start", ours, theirs)])
    }
}

/// Neither side encrypts: pg_basebackup cannot.
const ARGUMENTS: [(&str, &str); 5] = [
    ("instance_class", "\"db.m5.large\""),
    ("backup_retention_period", "7"),
    ("storage_encrypted", "false"),
    ("skip_final_snapshot", "true"),
    ("enable_deletion_protection", "false"),
];

/// A cluster of the same size that pgBackRest looks after.
struct Peer<'a> {
    bench: &'a Bench,
    data: PathBuf,
    config: PathBuf,
}

impl<'a> Peer<'a> {
    fn new(bench: &'a Bench) -> Result<Self, String> {
        let folder = bench.place.at("servers/peer");
        for name in ["", "repository", "log", "lock", "spool"] {
            bench.run_as.make_dir(&folder.join(name), 0o700).map_err(|error| error.message)?;
        }
        let peer = Self { bench, data: folder.join("data"), config: folder.join("pgbackrest.conf") };
        let (at, data) = (folder.display(), peer.data.display());
        let text = format!(
            "[global]\nrepo1-path={at}/repository\nrepo1-bundle=y\ncompress-type=zst\nprocess-max=2\nstart-fast=y\n\
             log-path={at}/log\nlock-path={at}/lock\nspool-path={at}/spool\nlog-level-console=warn\n\
             [bench]\npg1-path={data}\npg1-socket-path={data}.socket\npg1-port={PEER_PORT}\npg1-user=bench\n"
        );
        fs::write(&peer.config, text).map_err(told("write pgBackRest's settings"))?;
        bench.run_as.own(&peer.config).map_err(|error| error.message)?;
        initdb(&bench.server, &bench.run_as, &peer.data)?;
        let push = format!("pgbackrest --config={} --stanza=bench archive-push %p", peer.config.display());
        peer.start(&peer.data, &format!("-c archive_mode=on -c max_wal_size=2GB -c 'archive_command={push}'"))?;
        let mut pgbench = Command::new(bench.server.program("pgbench"));
        pgbench.args(["--initialize", "--quiet", "--scale", SCALE, "--host"]).arg(socket_of(&peer.data));
        run(pgbench.args(["--port", PEER_PORT, "--username", "bench", "postgres"]))?;
        for verb in ["stanza-create", "backup"] {
            run(&mut peer.pgbackrest(&[verb]))?;
        }
        Ok(peer)
    }

    fn pgbackrest(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("pgbackrest");
        self.bench.run_as.prepare(&mut command, &self.bench.server);
        command.arg(format!("--config={}", self.config.display())).arg("--stanza=bench").args(arguments);
        command
    }

    fn start(&self, data: &Path, options: &str) -> Result<(), String> {
        let socket = socket_of(data);
        self.bench.run_as.make_dir(&socket, 0o700).map_err(|error| error.message)?;
        let mut command = self.bench.run_as.command(&self.bench.server, "pg_ctl");
        command.args(["start", "--wait", "--silent", "--timeout", "300", "--pgdata"]).arg(data);
        command.arg("--log").arg(data.with_extension("log"));
        command
            .arg("--options")
            .arg(format!("-c listen_addresses= -c port={PEER_PORT} -k {} {options}", socket.display()));
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(told("run pg_ctl"))?;
        if status.success() { Ok(()) } else { Err("pg_ctl failed".to_owned()) }
    }

    /// Until the restored cluster answers and can be written to.
    fn restore(&self) -> Result<f64, String> {
        let data = self.data.with_file_name("restored");
        self.bench.run_as.make_dir(&data, 0o700).map_err(|error| error.message)?;
        let start = Instant::now();
        let to = format!("--pg1-path={}", data.display());
        run(&mut self.pgbackrest(&[&to, "--type=immediate", "--target-action=promote", "restore"]))?;
        self.start(&data, "-c archive_mode=off")?;
        let address = format!("{} port={PEER_PORT}", over_socket(&socket_of(&data)));
        while psql(&self.bench.server, &address, "SELECT pg_is_in_recovery()")? != "f" {}
        let took = ms_since(start);
        end(&data)?;
        remove(&data)?;
        Ok(took)
    }
}

/// Not in the data directory: pgBackRest would store the lock of the socket, and what it restores would not start beside it.
fn socket_of(data: &Path) -> PathBuf {
    data.with_extension("socket")
}

fn ms(what: &'static str, figure: f64, bar: f64) -> Measured {
    Measured { what, figure, bar, unit: "ms" }
}
