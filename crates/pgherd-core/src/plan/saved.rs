//! A plan kept in a file until it is applied, and whether it still holds.
//!
//! A saved plan holds no secret and is not what apply carries out: the blocks are read, observed and planned again, and the
//! result must be what was saved. So nothing that was edited into the file is ever done. A changed password alone does not
//! make it stale: there is nothing of a password in it to compare with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Plan;
use super::document::{self, StepDocument};
use super::fingerprint::digest;
use crate::diagnostic::Diagnostic;
use crate::resource::Id;
use crate::spec::{Origin, Spec};

/// Version of the format of a saved plan.
pub const FORMAT: u32 = 1;

/// A plan kept in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// Version of this format.
    pub format: u32,
    /// Version of the pgherd that made it.
    pub pgherd: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// How it was asked for, so that apply asks the same way.
    pub asked: Asked,
    /// The plan of each block.
    pub blocks: Vec<SavedBlock>,
}

/// How a plan was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Whether it destroys.
    pub destroy: bool,
    /// Whether restarts do not wait for the window.
    pub apply_now: bool,
    /// Whether what holds data may be deleted.
    pub allow_data_loss: bool,
    /// The target that was asked for instead of the block's own.
    pub provider: Option<String>,
}

/// The plan of one block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedBlock {
    /// Label of the block.
    pub block: String,
    /// Hash of what the block meant, secrets and who decided what left out.
    pub spec: String,
    /// Fingerprint of what was observed.
    pub fingerprint: String,
    /// What would be done, as `plan --json` shows it.
    pub steps: Vec<StepDocument>,
}

impl SavedBlock {
    /// What is kept of a plan that was made for a spec.
    pub fn new(spec: &Spec, plan: &Plan) -> Self {
        Self::hashed(digest(&meaning(spec)), plan)
    }

    /// The same, of a spec that was hashed before.
    pub fn hashed(spec: String, plan: &Plan) -> Self {
        Self {
            block: plan.block.clone(),
            spec,
            fingerprint: plan.fingerprint.clone(),
            steps: plan.steps.iter().map(document::step).collect(),
        }
    }

    /// What differs between this and the block planned again, in words.
    fn moved(&self, now: &Self) -> Vec<String> {
        let mut moved = Vec::new();
        if self.spec != now.spec {
            moved.push("the block says something else".to_owned());
        }
        if self.fingerprint != now.fingerprint {
            moved.push("what exists has changed".to_owned());
        }
        moved.extend(self.steps_moved(now));
        moved
    }

    /// What differs between the steps of this and those of the block planned again, in words.
    pub fn steps_moved(&self, now: &Self) -> Vec<String> {
        let mut moved = Vec::new();
        let then: BTreeMap<&Id, &StepDocument> = self.steps.iter().map(|step| (&step.id, step)).collect();
        let again: BTreeMap<&Id, &StepDocument> = now.steps.iter().map(|step| (&step.id, step)).collect();
        for (id, step) in &then {
            match again.get(id) {
                None => moved.push(format!("nothing is to be done to {id} any more")),
                Some(other) if other != step => moved.push(format!("something else is to be done to {id}")),
                Some(_) => {}
            }
        }
        let more = again.iter().filter(|(id, _)| !then.contains_key(*id));
        moved.extend(more.map(|(id, step)| format!("it would now also {} {id}", step.action)));
        moved
    }
}

/// What a spec means, whoever decided it: a setting under another of its names, or a default written out, is no change (A9).
fn meaning(spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    spec.effective.values_mut().for_each(|effective| effective.origin = Origin::Default);
    spec
}

impl SavedPlan {
    /// Keeps plans.
    pub fn new(pgherd: &str, made_at: Timestamp, asked: Asked, blocks: Vec<SavedBlock>) -> Self {
        Self { format: FORMAT, pgherd: pgherd.to_owned(), made_at, asked, blocks }
    }

    /// Reads the text of a file.
    pub fn read(text: &str) -> Result<Self, Diagnostic> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let unreadable = |why: String| Diagnostic::error("saved-plan", why).help("make it with `pgherd plan -o FILE`");
        match serde_json::from_str::<Format>(text) {
            Err(error) => Err(unreadable(format!("this is not a saved plan: {error}"))),
            Ok(Format { format }) if format != FORMAT => Err(unreadable(format!(
                "this saved plan has format {format}, and this version of pgherd reads format {FORMAT}"
            ))),
            Ok(_) => {
                serde_json::from_str(text).map_err(|error| unreadable(format!("this is not a saved plan: {error}")))
            }
        }
    }

    /// The text of its file.
    pub fn write(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts, numbers and maps with text keys always serialise") + "\n"
    }

    /// What has moved since it was made, as errors; nothing when it still holds. `now` are its blocks read, observed and
    /// planned again the way it was [`Asked`] for.
    pub fn moved(&self, now: &[SavedBlock]) -> Vec<Diagnostic> {
        let mut moved: Vec<(&str, Vec<String>)> = Vec::new();
        for saved in &self.blocks {
            match now.iter().find(|now| now.block == saved.block) {
                None => moved.push((&saved.block, vec!["the block is gone".to_owned()])),
                Some(now) => moved.push((&saved.block, saved.moved(now))),
            }
        }
        for new in now.iter().filter(|now| !self.blocks.iter().any(|saved| saved.block == now.block)) {
            moved.push((&new.block, vec!["the saved plan does not know the block".to_owned()]));
        }
        moved
            .into_iter()
            .filter(|(_, moved)| !moved.is_empty())
            .map(|(block, moved)| {
                let message = format!("the saved plan of {block} no longer holds: {}", moved.join("; "));
                Diagnostic::error("stale-plan", message)
                    .at(block, "")
                    .help("make a new plan, look at it, then apply that")
            })
            .collect()
    }
}
