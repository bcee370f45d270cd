//! The console blocks of a document, run as they stand: they must print what they show.
//!
//! In a ```` ```console ```` block a line that begins with `$ ` is a command for bash, the lines up to the next one are what it prints,
//! both streams together. `[..]` stands for anything within a line, a line `...` for any number of lines. A block that names a file, such as
//! ```` ```hcl,main.tf ````, is written to it.

use std::fs;
use std::path::Path;

struct Step {
    line: usize,
    command: String,
    expected: String,
}

/// Runs the commands of a document of this repository, one after the other; what one printed otherwise than it shows. `run` gives what
/// bash prints on both streams.
pub fn play(document: &str, run: impl Fn(&str) -> String) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
    let markdown = fs::read_to_string(path).map_err(|error| format!("cannot read {document}: {error}"))?;
    let steps = steps(&markdown);
    if steps.is_empty() {
        return Err(format!("{document} has no console block"));
    }
    for Step { line, command, expected } in steps {
        let place = format!("{document}:{line} $ {command}");
        let printed = snapbox::Data::text(run(&command));
        let compared = snapbox::Assert::new().try_eq(Some(&place), printed, snapbox::Data::text(expected));
        compared.map_err(|difference| format!("{place}\n{difference}"))?;
    }
    Ok(())
}

/// The block that a line is in.
enum Inside {
    Nothing,
    Console,
    /// A file, since this line.
    File(usize, String, String),
}

fn steps(markdown: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = Inside::Nothing;
    for (index, line) in markdown.lines().enumerate() {
        match (&mut inside, line) {
            (Inside::Nothing, "```console") => inside = Inside::Console,
            (Inside::Nothing, line) => {
                if let Some(name) = line.strip_prefix("```hcl,") {
                    inside = Inside::File(index + 1, name.to_owned(), String::new());
                }
            }
            (Inside::Console, "```") => inside = Inside::Nothing,
            (Inside::Console, line) => {
                if let Some(command) = line.strip_prefix("$ ") {
                    steps.push(Step { line: index + 1, command: command.to_owned(), expected: String::new() });
                } else if let Some(step) = steps.last_mut() {
                    step.expected.push_str(line);
                    step.expected.push('\n');
                }
            }
            (Inside::File(line, name, text), "```") => {
                let command = format!("cat > {name} <<'END'\n{text}END");
                steps.push(Step { line: *line, command, expected: String::new() });
                inside = Inside::Nothing;
            }
            (Inside::File(_, _, text), line) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_shows_is_compared() {
        let document = "text\n```console\n$ echo one\none\n$ true\n```\n$ not a command\n";
        let seen: Vec<_> = steps(document).into_iter().map(|step| (step.line, step.command, step.expected)).collect();
        assert_eq!(seen, [(3, "echo one".to_owned(), "one\n".to_owned()), (5, "true".to_owned(), String::new())]);
        let file = steps("```hcl,main.tf\na = 1\n```\n```hcl\nb = 2\n```\n");
        assert_eq!(
            file.into_iter().map(|step| step.command).collect::<Vec<_>>(),
            ["cat > main.tf <<'END'\na = 1\nEND"]
        );
    }
}
