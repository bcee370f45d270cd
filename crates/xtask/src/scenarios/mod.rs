//! `scenarios/`: what happens to databases of several servers, told in steps and played on real PostgreSQL.

mod disk;
mod script;
mod steps;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use self::script::Script;
use self::world::{Trouble, World};
use crate::machine::{self, told};
use crate::say;

/// Plays these scenarios with this program, all when none is named, and says how each ended. An error when one failed.
///
/// They are skipped, which is said, on a machine without PostgreSQL.
pub fn run(program: &Path, names: &[&str]) -> Result<String, String> {
    let scripts = read(&folder())?;
    if let Some(unknown) = names.iter().find(|name| !scripts.iter().any(|script| script.name == **name)) {
        let known: Vec<_> = scripts.iter().map(|script| script.name.as_str()).collect();
        return Err(format!("there is no scenario {unknown}; there is {}", known.join(", ")));
    }
    if let Err(why) = machine::server() {
        say(&format!("SKIPPED all scenarios: {why}"));
        return Ok(String::new());
    }
    let begun = Instant::now();
    let cache = machine::folder()?;
    let (mut played, mut failed) = (0, Vec::new());
    for script in scripts.iter().filter(|script| names.is_empty() || names.contains(&script.name.as_str())) {
        played += 1;
        let (begun, result) = (Instant::now(), play(script, program, cache.path()));
        let took_s = begun.elapsed().as_secs();
        match result {
            Ok(said) => say(&format!("{} ok in {took_s} s: {said}", script.name)),
            Err(Trouble::Skipped(why)) => say(&format!("SKIPPED {}: {why}", script.name)),
            Err(Trouble::Failed(why)) => {
                say(&format!("{} FAILED after {took_s} s: {why}", script.name));
                failed.push(script.name.clone());
            }
        }
    }
    if failed.is_empty() {
        Ok(format!("{played} scenarios in {} s\n", begun.elapsed().as_secs()))
    } else {
        Err(format!("{} of {played} scenarios failed: {}", failed.len(), failed.join(", ")))
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// All of them, by name.
fn read(folder: &Path) -> Result<Vec<Script>, String> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder).map_err(told("read scenarios/"))?.flatten() {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".scenario")) else { continue };
        let text = fs::read_to_string(&path).map_err(told("read a scenario"))?;
        scripts.push(Script::parse(name, &text)?);
    }
    scripts.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(scripts)
}

fn play(script: &Script, program: &Path, cache: &Path) -> Result<String, Trouble> {
    let mut world = World::new(program, cache)?;
    for step in &script.steps {
        steps::take(&mut world, step).map_err(|trouble| match trouble {
            Trouble::Failed(why) => {
                let history = world.history();
                Trouble::Failed(format!("line {}, {} {}: {why}\n{history}", step.line, step.kind, step.words))
            }
            Trouble::Skipped(_) => trouble,
        })?;
    }
    world.said()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_made_of_known_steps_and_ends_with_a_judgement() {
        let scripts = read(&folder()).expect("scenarios");
        assert!(scripts.len() > 10, "{} scenarios", scripts.len());
        for script in scripts {
            for step in &script.steps {
                assert!(steps::is_known(&step.words), "{}:{}: {}", script.name, step.line, step.words);
            }
            assert!(script.steps.iter().any(|step| step.words == steps::JUDGEMENT), "{} is not judged", script.name);
        }
    }

    #[test]
    fn the_page_names_every_scenario() {
        let page = fs::read_to_string(folder().join("README.md")).expect("a page");
        for script in read(&folder()).expect("scenarios") {
            assert!(page.contains(&format!("`{}`", script.name)), "{} is not on the page", script.name);
        }
    }
}
