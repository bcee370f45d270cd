//! The text of a scenario: lines that begin with `given`, `when`, `then`, or `and`, which goes on with the one before.

use std::fmt;

/// A scenario.
#[derive(Debug, PartialEq, Eq)]
pub struct Script {
    /// Name of its file, without the ending.
    pub name: String,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it stands.
    pub line: usize,
    /// What kind of step it is.
    pub kind: Kind,
    /// What it says behind that.
    pub words: String,
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// How it is at first.
    Given,
    /// What happens.
    When,
    /// What must become so.
    Then,
}

impl Script {
    /// Reads the text of a scenario.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut steps: Vec<Step> = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let line = index + 1;
            let (first, words) = text.split_once(' ').unwrap_or((text, ""));
            let kind = match (first, steps.last()) {
                ("given", _) => Kind::Given,
                ("when", _) => Kind::When,
                ("then", _) => Kind::Then,
                ("and", Some(before)) => before.kind,
                _ => {
                    return Err(format!(
                        "{name}:{line}: a line begins with given, when, then or and, not with {first}"
                    ));
                }
            };
            steps.push(Step { line, kind, words: words.split_whitespace().collect::<Vec<_>>().join(" ") });
        }
        Ok(Self { name: name.to_owned(), steps })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "given",
            Self::When => "when",
            Self::Then => "then",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let told = match Script::parse("s", text) {
            Ok(script) => {
                let steps = script.steps.iter();
                steps.map(|step| format!("{} {} {}", step.line, step.kind, step.words)).collect::<Vec<_>>().join("; ")
            }
            Err(error) => error,
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn comments_are_left_out_and_and_goes_on() {
        check(
            "# Title\n\ngiven a pair\nand   2  writers\nthen it is whole\n",
            "3 given a pair; 4 given 2 writers; 5 then it is whole",
        );
    }

    #[test]
    fn other_lines_are_told() {
        check("given a pair\nif it rains", "s:2: a line begins with given, when, then or and, not with if");
        check("and so on", "s:1: a line begins with given, when, then or and, not with and");
    }
}
