//! A Spec in the making: what is written, what is settled so far, and what there is to say.

use std::collections::{BTreeMap, BTreeSet};

use crate::cloud::Cloud;
use crate::diagnostic::{At, Diagnostic, Severity};
use crate::spec::{Origin, Preset};
use crate::value::Value;

/// One block on its way to a Spec.
pub(super) struct Draft<'a> {
    /// Label of the block.
    pub block: &'a str,
    /// Where it will run.
    pub target: Cloud,
    /// What fills what is not written.
    pub preset: Option<Preset>,
    /// What is written, by canonical name and in normal form.
    pub written: BTreeMap<&'static str, Written>,
    /// What holds, by canonical name.
    pub settled: BTreeMap<&'static str, Settled>,
    /// Variables that were given a secret though they are shown; what was written is not used.
    pub hidden: BTreeSet<&'static str>,
    /// What there is to say.
    pub diagnostics: Vec<Diagnostic>,
}

/// What the user wrote for a setting.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    /// In normal form.
    pub value: Value,
    /// The name it is written under: the canonical one, or another.
    pub name: &'static str,
    /// As the user wrote it, in HCL.
    pub as_written: String,
}

/// What holds for a setting.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settled {
    pub value: Value,
    pub origin: Origin,
}

impl<'a> Draft<'a> {
    pub fn new(block: &'a str, target: Cloud) -> Self {
        Self {
            block,
            target,
            preset: None,
            written: BTreeMap::new(),
            settled: BTreeMap::new(),
            hidden: BTreeSet::new(),
            diagnostics: Vec::new(),
        }
    }

    /// Settles a setting, whatever held for it before.
    pub fn settle(&mut self, name: &'static str, value: impl Into<Value>, origin: Origin) {
        self.settled.insert(name, Settled { value: value.into(), origin });
    }

    /// What holds for a setting; `null` where nothing does, and where the variable has no effect on this target.
    pub fn value(&self, name: &str) -> &Value {
        match self.settled.get(name) {
            Some(settled) if settled.origin != Origin::NoEffect => &settled.value,
            Some(_) | None => &Value::Null,
        }
    }

    /// The truth value that holds; `false` where there is none.
    pub fn is_on(&self, name: &str) -> bool {
        self.value(name).as_bool().unwrap_or(false)
    }

    /// The whole number that holds.
    pub fn whole(&self, name: &str) -> Option<u64> {
        self.value(name).as_int().and_then(|int| int.try_into().ok())
    }

    /// The text that holds.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name).as_text()
    }

    /// What is written for a setting, and is known.
    pub fn written(&self, name: &str) -> Option<&Value> {
        self.written.get(name).map(|written| &written.value).filter(|value| !matches!(value, Value::Unknown(_)))
    }

    /// The truth value written for a setting.
    pub fn written_bool(&self, name: &str) -> Option<bool> {
        self.written(name)?.as_bool()
    }

    /// The whole number written for a setting.
    pub fn written_whole(&self, name: &str) -> Option<u64> {
        self.written(name)?.as_int()?.try_into().ok()
    }

    /// The elements written for a list.
    pub fn written_list(&self, name: &str) -> &[Value] {
        self.written(name).and_then(Value::as_list).unwrap_or_default()
    }

    /// The name a setting is written under: what a message about it has to quote and point at.
    pub fn name_of(&self, name: &'static str) -> &'static str {
        self.written.get(name).map_or(name, |written| written.name)
    }

    /// Whether an error points at this variable already.
    pub fn has_error_at(&self, name: &str) -> bool {
        let points_at = |said: &Diagnostic| matches!(&said.at, At::Variable { path, .. } if path == name);
        self.diagnostics.iter().any(|said| said.severity == Severity::Error && points_at(said))
    }

    /// Says something about a setting, at the name it is written under.
    pub fn say(&mut self, severity: Severity, code: &'static str, name: &'static str, message: String, help: &str) {
        let at = self.name_of(name);
        let said = Diagnostic { severity, ..Diagnostic::error(code, message) };
        self.diagnostics.push(said.at(self.block, at).help(help));
    }
}
