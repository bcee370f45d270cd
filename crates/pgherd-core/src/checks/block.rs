//! A block under examination: what was written, what it means, and where a diagnostic about it points.

use jiff::civil::Date;

pub(super) use crate::catalogue::or;
use crate::catalogue::parameters::{self, Parameter};
use crate::catalogue::sizes;
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::inputs::Inputs;
use crate::spec::Spec;
use crate::value::Value;
use crate::variables;

/// A block, seen by one check.
pub(super) struct Block<'a> {
    /// What was written.
    pub inputs: &'a Inputs,
    /// What it means.
    pub spec: &'a Spec,
    /// The day of the run.
    pub today: Date,
    /// Code of the check.
    pub code: &'static str,
}

/// One element of `parameters` whose name is known.
pub(super) struct Entry {
    /// Its place in the list.
    pub index: usize,
    /// Its name, as written.
    pub name: String,
    /// Its value, where known.
    pub value: Option<String>,
}

impl Entry {
    /// Path of its name.
    pub fn at_name(&self) -> String {
        format!("parameters[{}].name", self.index)
    }

    /// Path of its value.
    pub fn at_value(&self) -> String {
        format!("parameters[{}].value", self.index)
    }

    /// Whether it sets this parameter.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl Block<'_> {
    /// An error at a setting, by its canonical name, perhaps with a path below it.
    pub fn error(&self, path: &str, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.code, message).at(&self.spec.block, self.written_path(path)).help(help)
    }

    /// A warning at a setting.
    pub fn warning(&self, path: &str, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(self.code, message).at(&self.spec.block, self.written_path(path)).help(help)
    }

    /// A note at a setting.
    pub fn note(&self, path: &str, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        Diagnostic::note(self.code, message).at(&self.spec.block, self.written_path(path)).help(help)
    }

    /// The name under which a setting was written, if it was: its own or an alias.
    pub fn written(&self, setting: &str) -> Option<&'static str> {
        let own = variables::variable(setting);
        own.into_iter()
            .chain(variables::aliases(setting))
            .map(|variable| variable.name)
            .find(|name| self.inputs.get(name).is_some())
    }

    /// The name to speak of a setting by: as written, else its own.
    pub fn called<'s>(&self, setting: &'s str) -> &'s str {
        self.written(setting).unwrap_or(setting)
    }

    /// The target.
    pub fn target(&self) -> Cloud {
        self.spec.target
    }

    /// The machine size in the catalogue; `None` where it is not known.
    pub fn size(&self) -> Option<sizes::Size> {
        sizes::find(&self.spec.size.name)
    }

    /// The major asked for, or the one the target would choose; `None` on `local`, which chooses the newest installed.
    pub fn major(&self) -> Option<u32> {
        self.spec.engine_version.map(|version| version.major).or(self.spec.newest_major)
    }

    /// A server parameter of that major; of any where it is not known.
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        match self.major() {
            // The catalogue begins and ends with majors that are looked up as their nearest.
            Some(major) => parameters::find(name, major.clamp(parameters::OLDEST_MAJOR, parameters::NEWEST_MAJOR)),
            None => parameters::newest(name),
        }
    }

    /// The elements of `parameters` whose names are known.
    pub fn parameters(&self) -> Vec<Entry> {
        let list = self.inputs.get("parameters").and_then(Value::as_list).unwrap_or_default();
        let entry = |(index, item): (usize, &Value)| {
            let fields = item.as_map()?;
            let name = text(fields.get("name")?)?;
            Some(Entry { index, name, value: fields.get("value").and_then(text) })
        };
        list.iter().enumerate().filter_map(entry).collect()
    }

    /// The value written for a parameter, with where it stands.
    pub fn parameter_written(&self, name: &str) -> Option<(Entry, String)> {
        let entry = self.parameters().into_iter().find(|entry| entry.is(name))?;
        let value = entry.value.clone()?;
        Some((entry, value))
    }

    /// A whole number written for a parameter, in its base unit.
    pub fn parameter_int(&self, name: &str) -> Option<(Entry, u64)> {
        let (entry, value) = self.parameter_written(name)?;
        match parameters::parse(self.parameter(name)?, &value) {
            Ok(parameters::Normal::Int(value)) => Some((entry, u64::try_from(value).ok()?)),
            Ok(_) | Err(_) => None,
        }
    }

    /// Path of a setting as it was written: an alias in place of the canonical name.
    fn written_path(&self, path: &str) -> String {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        format!("{}{}", self.called(&path[..end]), &path[end..])
    }
}

/// A scalar as text, as Terraform converts it.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => Some(value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) | Value::Secret(_) | Value::Unknown(_) | Value::Output(..) => None,
    }
}

/// The name of a target as people say it.
pub(super) fn service(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Aws => "RDS",
        Cloud::Gcp => "Cloud SQL",
        Cloud::Azure => "Azure",
        Cloud::DigitalOcean => "DigitalOcean",
        Cloud::Local => "the local provider",
    }
}
