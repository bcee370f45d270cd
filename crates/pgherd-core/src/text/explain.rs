//! The effective block as people read it: every setting, its value, and who decided it.

use std::fmt;

use serde::Serialize;

use crate::catalogue::versions::AS_OF;
use crate::cloud::Cloud;
use crate::spec::{Effective, Origin, Spec};
use crate::variables::{self, Section, Variable};

/// A block explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Label of the block.
    pub block: String,
    /// Name of the instance.
    pub name: String,
    /// Where it runs.
    pub target: Cloud,
    /// The sections that have anything to show, in the order of the reference.
    pub sections: Vec<Rows>,
}

/// The settings of one section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// Title of the section.
    pub title: &'static str,
    /// Its settings.
    pub rows: Vec<Row>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name.
    pub variable: &'static str,
    /// Its effective value in HCL spelling.
    pub value: String,
    /// Who decided, in words: `written`, `preset dev`, `follows enable_logging`.
    pub origin: String,
    /// Why it changes nothing on the target, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

impl Explanation {
    /// With the reasons why settings, by name, change nothing on the target. What is off anyway needs none.
    pub fn with_reasons(mut self, reasons: &[(&str, &'static str)]) -> Self {
        let rows = self.sections.iter_mut().flat_map(|section| &mut section.rows);
        for row in rows.filter(|row| !matches!(row.value.as_str(), "null" | "false" | "0" | "[]" | "{}")) {
            row.reason = reasons.iter().find(|(name, _)| *name == row.variable).map(|(_, reason)| *reason);
        }
        self
    }
}

/// Every setting that holds on the spec's target, and every one that is written though it has no effect there.
///
/// Other names of a setting have no row of their own: their setting's row says under which name it is written.
pub fn explain(spec: &Spec) -> Explanation {
    let rows_of = |section: Section| {
        let rows = variables::all().filter(|variable| variable.section == section && variable.canonical.is_none());
        Rows { title: section.title(), rows: rows.filter_map(|variable| row(spec, variable)).collect() }
    };
    let sections = Section::ALL.iter().map(|section| rows_of(*section)).filter(|section| !section.rows.is_empty());
    Explanation {
        block: spec.block.clone(),
        name: spec.name.clone(),
        target: spec.target,
        sections: sections.collect(),
    }
}

fn row(spec: &Spec, variable: &Variable) -> Option<Row> {
    let Effective { value, origin } = spec.effective.get(variable.name)?;
    let is_absent = *origin == Origin::NoEffect && value == "null";
    (!is_absent).then(|| Row {
        variable: variable.name,
        value: value.clone(),
        origin: origin_in_words(origin, spec.target, variable),
        reason: None,
    })
}

/// Who decided a value, in words.
fn origin_in_words(origin: &Origin, target: Cloud, variable: &Variable) -> String {
    match origin {
        Origin::CommandLine => "--provider".to_owned(),
        Origin::Written => "written".to_owned(),
        Origin::Alias(name) => format!("written as `{name}`"),
        Origin::Follows(name) => format!("follows {name}"),
        Origin::Preset(preset) => format!("preset {}", preset.name()),
        Origin::CloudDefault(cloud) => format!("{cloud} default"),
        Origin::Newest(cloud) => format!("newest on {cloud} as of {AS_OF}"),
        Origin::Default => "default".to_owned(),
        Origin::Target if variable.sensitive => "generated".to_owned(),
        // Q1: on this machine the newest installed, and from then on the major that was.
        Origin::Target if variable.name == "engine_version" => "newest installed when it is made".to_owned(),
        Origin::Target => format!("left to {target}"),
        Origin::NoEffect => format!("no effect on {target}"),
    }
}

/// As plain text: a title line, then the sections, in columns.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Longer values push their own origin to the right rather than everybody's.
        const WIDEST_VALUE: usize = 40;
        let rows = || self.sections.iter().flat_map(|section| &section.rows);
        let names = rows().map(|row| row.variable.len()).max().unwrap_or(0);
        let values =
            rows().map(|row| row.value.chars().count()).filter(|width| *width <= WIDEST_VALUE).max().unwrap_or(0);
        writeln!(f, "{}  {}  {}", self.block, self.name, self.target)?;
        for section in &self.sections {
            writeln!(f, "\n{}", section.title)?;
            for Row { variable, value, origin, reason } in &section.rows {
                let reason = reason.map(|reason| format!("; {reason}")).unwrap_or_default();
                writeln!(f, "  {variable:<names$}  {value:<values$}  {origin}{reason}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::resolve;
    use crate::testing::block;

    #[test]
    fn says_who_decided_what() {
        let inputs = block(json!({
            "name": "orders",
            "preset": "dev",
            "tier": "db.t3.small",
            "enable_encryption": true,
            "aws_region": "eu-central-1",
            "enabled_cloudwatch_logs_exports": ["postgresql"],
            "master_password": "?var.password",
            "proxy_config": {"pool_mode": "session"},
            "parameters": [{"name": "work_mem", "value": "16MB"}, {"name": "log_statement", "value": "ddl"}],
        }));
        let (spec, _) = resolve(&inputs, Some(Cloud::Local));
        insta::assert_snapshot!(explain(&spec.expect("the target is given")));
    }

    #[test]
    fn says_why_a_setting_changes_nothing() {
        let inputs = block(json!({"name": "orders", "multi_az": true}));
        let (spec, _) = resolve(&inputs, Some(Cloud::Local));
        let explanation = explain(&spec.expect("the target is given"));
        let text = explanation
            .with_reasons(&[("alarm_targets", "nobody is told"), ("multi_az", "there is one machine")])
            .to_string();
        let found: Vec<&str> = text.lines().filter(|line| line.contains(';')).collect();
        assert_eq!(found.len(), 1, "{text}");
        assert!(found[0].ends_with("written; there is one machine"), "{text}");
    }
}
