//! The database of a scenario, what can be done to it, and what can be seen of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use pgherd_local::pooler;
use rustix::process::Signal;
use tokio::task::JoinHandle;

use super::disk::Disk;
use crate::herd::{DEADLINE, Herd, Member, NAME, wake};
use crate::machine::{Place, signal};
use crate::writers::{Judgement, Write, Writers, longest_gap, out_of_order};

/// What a step gives.
pub type Outcome = Result<(), Trouble>;

/// Why a scenario did not end well.
pub enum Trouble {
    /// It cannot be played on this machine.
    Skipped(String),
    /// Something was not as it must be.
    Failed(String),
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<&str> for Trouble {
    fn from(why: &str) -> Self {
        Self::Failed(why.to_owned())
    }
}

/// A statement that takes its time and the processor, and writes at its end.
const LONG_STATEMENT: &str = "DO $$ DECLARE until timestamptz := clock_timestamp() + interval '10 s'; BEGIN \
                              WHILE clock_timestamp() < until LOOP END LOOP; INSERT INTO written VALUES (-1); END $$";

const ONE_MB: &str = "SELECT pg_logical_emit_message(true, 'much', repeat('x', 1000000))";
/// More than the disk of a scenario holds.
const TOO_MUCH_MB: usize = 500;

/// What nobody but the promoted one has.
const OF_ITS_OWN: &str = "INSERT INTO written VALUES (-2)";

/// What a promoted replica is called.
const PROMOTED: &str = "bench-promoted";

/// A database and who writes to it.
pub struct World {
    herd: Herd,
    disk: Option<Disk>,
    writers: Option<Writers>,
    /// Since when they write.
    begun: Instant,
    /// The primary before the last thing that happened.
    before: Option<Member>,
    frozen: BTreeSet<i32>,
    statement: Option<JoinHandle<Result<(), String>>>,
    judged: Option<(Vec<Write>, Judgement)>,
}

impl World {
    /// Without a database yet.
    pub fn new(program: &Path, cache: &Path) -> Result<Self, Trouble> {
        Ok(Self {
            herd: Herd::new(Place::with_program(program)?.with_cache(cache))?,
            disk: None,
            writers: None,
            begun: Instant::now(),
            before: None,
            frozen: BTreeSet::new(),
            statement: None,
            judged: None,
        })
    }

    /// Makes the database so, and returns when it is.
    pub fn make(&self, arguments: &[(&str, &str)]) -> Outcome {
        self.herd.apply(arguments)?;
        self.is_whole()
    }

    pub fn make_pooled(&self) -> Outcome {
        match pooler::find(std::env::var_os("PATH").as_deref()) {
            Some(_) => self.make(&[("enable_proxy", "true")]),
            None => Err(Trouble::Skipped("PgBouncer is not installed".to_owned())),
        }
    }

    pub fn begin_writing(&mut self, count: &str) -> Outcome {
        let count = count.parse().map_err(|_| format!("{count} is no number of writers"))?;
        self.writers = Some(self.herd.writers(count)?);
        self.begun = Instant::now();
        self.writes_go_on()
    }

    pub fn pgherd(&self, arguments: &[&str]) -> Outcome {
        self.herd.pgherd(arguments)?;
        Ok(())
    }

    /// Notes who is the primary before something happens.
    pub fn look(&mut self) -> Outcome {
        self.before = Some(self.member("primary")?);
        Ok(())
    }

    pub fn member(&self, role: &str) -> Result<Member, Trouble> {
        Ok(self.herd.in_role(role)?)
    }

    pub fn freeze(&mut self, role: &str) -> Outcome {
        self.frozen.extend(self.member(role)?.freeze());
        Ok(())
    }

    /// The process that a standby's log arrives through: frozen, it is as if the network between the two was cut without a word.
    pub fn freeze_receiver(&mut self, role: &str) -> Outcome {
        let is_receiver = |pid: &i32| {
            fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|title| title.contains("walreceiver"))
        };
        let processes = self.member(role)?.processes();
        let receiver = processes.into_iter().find(is_receiver).ok_or("it has no WAL receiver")?;
        signal(receiver, Signal::STOP);
        self.frozen.insert(receiver);
        Ok(())
    }

    pub fn wake_frozen(&self) -> Outcome {
        wake(&self.frozen);
        Ok(())
    }

    pub fn kill_agent_and_primary(&self) -> Outcome {
        let primary = self.member("primary")?;
        self.herd.kill_agent()?;
        primary.kill_all();
        Ok(())
    }

    pub fn kill_everything(&self) -> Outcome {
        self.herd.kill_everything()?;
        Ok(())
    }

    pub fn begin_long_statement(&mut self) -> Outcome {
        let address = self.herd.address()?;
        let client = self.herd.wait_for(address.connect())?;
        let running = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO $$%'";
        let statement = async move { client.batch_execute(LONG_STATEMENT).await.map_err(|error| error.to_string()) };
        self.statement = Some(self.herd.spawn(statement));
        self.herd.wait_for(async {
            let other = address.connect().await?;
            while other.simple_query(running).await.map_err(|error| error.to_string())?.len() < 2 {}
            Ok::<_, String>(())
        })?;
        Ok(())
    }

    pub fn long_statement_failed(&mut self) -> Outcome {
        let statement = self.statement.take().ok_or("there is no statement")?;
        let ended = self.herd.wait_for(async { tokio::time::timeout(DEADLINE, statement).await });
        let ended = ended.map_err(|_| "it is not answered")?.map_err(|error| error.to_string())?;
        if ended.is_ok() {
            return Err("it was acknowledged".into());
        }
        let address = self.herd.address()?;
        let left = self.herd.wait_for(async {
            let client = address.connect().await?;
            client.simple_query("SELECT id FROM written WHERE id < 0").await.map_err(|error| error.to_string())
        })?;
        // Without rows there is the end of the command alone.
        if left.len() > 2 { Err("it left what it wrote".into()) } else { Ok(()) }
    }

    pub fn promote_replica(&self) -> Outcome {
        self.pgherd(&["promote", "--as", PROMOTED, "--confirm", NAME])
    }

    /// What it has is what its source had at one moment, and neither sees what the other writes from then on.
    pub fn promoted_is_independent(&self) -> Outcome {
        let (here, there) = (self.herd.address()?, self.herd.address_of(PROMOTED)?);
        let writers = self.writers()?;
        self.herd.wait_for(async {
            let of_its_own =
                async { there.connect().await?.batch_execute(OF_ITS_OWN).await.map_err(|error| error.to_string()) };
            let written = tokio::time::timeout(DEADLINE, of_its_own).await;
            written.unwrap_or_else(|_| Err("the promoted one takes no write".to_owned()))
        })?;
        writers.go_on()?;
        let (copy, source) = (writers.found_in(&there)?, writers.found_in(&here)?);
        let (own, old): (Vec<i64>, Vec<i64>) = copy.into_iter().partition(|id| *id < 0);
        let newer = out_of_order(&writers.writes(), &old);
        match (own.len(), old.len(), newer.len()) {
            (1, 1.., 0) if old.len() < source.len() && !source.contains(&own[0]) => Ok(()),
            (own, old, newer) => {
                let source = source.len();
                Err(format!("{old} of {source} rows, {newer} of them too new, and {own} of its own").into())
            }
        }
    }

    pub fn give_primary_a_disk(&mut self) -> Outcome {
        let primary = self.member("primary")?;
        self.herd.pgherd(&["down", "--yes"])?;
        let folder = primary.data.parent().ok_or("it has no folder")?;
        self.disk = Some(Disk::below(folder).map_err(Trouble::Skipped)?);
        self.herd.pgherd(&["up", "--yes"])?;
        self.is_whole()
    }

    pub fn fill_disk(&self) -> Outcome {
        Ok(self.disk.as_ref().ok_or("it has no disk of its own")?.fill()?)
    }

    /// Nothing but log: a table might have room left that another one has not.
    pub fn write_too_much(&self) -> Outcome {
        let address = self.herd.address()?;
        self.herd.wait_for(async {
            let client = address.connect().await?;
            for _ in 0..TOO_MUCH_MB {
                if client.simple_query(ONE_MB).await.is_err() {
                    return Ok(());
                }
            }
            Err(Trouble::from("there was room for all of it"))
        })
    }

    pub fn make_room(&self) -> Outcome {
        Ok(self.disk.as_ref().ok_or("it has no disk of its own")?.make_room()?)
    }

    pub fn has_another_primary(&self) -> Outcome {
        let before = self.before()?;
        self.herd.becomes(&format!("another server than {} is the primary", before.name), |status| {
            status
                .nodes
                .iter()
                .any(|node| node.role == "primary" && node.state == "running" && node.name != before.name)
        })?;
        self.writes_go_on()
    }

    pub fn has_the_same_primary(&self) -> Outcome {
        let before = self.before()?;
        let pid = Some(before.postmaster.cast_unsigned());
        self.herd.becomes(&format!("{} is the primary again", before.name), |status| {
            status.nodes.iter().any(|node| {
                node.role == "primary" && node.state == "running" && node.name == before.name && node.pid != pid
            })
        })?;
        self.writes_go_on()
    }

    /// Every promotion begins a new timeline.
    pub fn exchanged_once(&self) -> Outcome {
        let timelines: BTreeSet<u32> =
            self.writers()?.writes().iter().filter_map(|write| Some(write.by?.timeline)).collect();
        if timelines.len() == 2 { Ok(()) } else { Err(format!("writes were on timelines {timelines:?}").into()) }
    }

    pub fn is_degraded(&self) -> Outcome {
        self.herd.becomes("commits are on the primary alone", |status| status.degraded_since.is_some())?;
        Ok(())
    }

    pub fn writes_go_on(&self) -> Outcome {
        Ok(self.writers()?.go_on()?)
    }

    pub fn nobody_frozen_is_left(&self) -> Outcome {
        let left = self.frozen.iter().filter(|pid| fs::exists(format!("/proc/{pid}")).unwrap_or(true));
        let left: Vec<_> = left.collect();
        if left.is_empty() { Ok(()) } else { Err(format!("processes {left:?} are left").into()) }
    }

    pub fn is_whole(&self) -> Outcome {
        self.herd.becomes_whole()?;
        Ok(())
    }

    /// Ends the writers.
    pub fn judge(&mut self) -> Outcome {
        let (writes, judgement) = self.writers.take().ok_or("nobody writes")?.end()?;
        let is_clean = judgement.is_clean();
        let said = format!("{judgement:?}");
        self.judged = Some((writes, judgement));
        if is_clean { Ok(()) } else { Err(said.into()) }
    }

    pub fn no_statement_failed(&self) -> Outcome {
        match self.judged()? {
            (_, judgement) if judgement.failed > 0 => Err(format!("{} failed", judgement.failed).into()),
            _ => Ok(()),
        }
    }

    /// How it ended.
    pub fn said(&self) -> Result<String, Trouble> {
        let (writes, judgement) = self.judged()?;
        let end = writes.iter().map(|write| write.ended).max().unwrap_or(self.begun);
        let longest_s = longest_gap(writes, self.begun, end).as_secs_f64();
        Ok(format!("{judgement}; no write acknowledged for {longest_s:.2} s at most"))
    }

    /// What the agent says has happened.
    pub fn history(&self) -> String {
        self.herd.pgherd(&["events"]).unwrap_or_else(|error| error)
    }

    fn before(&self) -> Result<&Member, Trouble> {
        self.before.as_ref().ok_or_else(|| "nothing has happened yet".into())
    }

    fn writers(&self) -> Result<&Writers, Trouble> {
        self.writers.as_ref().ok_or_else(|| "nobody writes".into())
    }

    fn judged(&self) -> Result<&(Vec<Write>, Judgement), Trouble> {
        self.judged.as_ref().ok_or_else(|| "the writers are not judged yet".into())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What is frozen does not hear that it is to end.
        wake(&self.frozen);
        if let Some(disk) = self.disk.take() {
            self.herd.end();
            drop(disk);
        }
    }
}
