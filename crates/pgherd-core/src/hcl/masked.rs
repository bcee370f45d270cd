//! A text as it may be shown beside a diagnostic: without the passwords written in it.

/// Words in the name of an argument or variable whose value is nobody's business.
const TELLING: &[&str] = &["password", "secret", "token"];

/// The text with `*` in the place of every password, byte for byte, so that spans stay what they are.
///
/// It goes by the names to the left of `=`, not by what is parsed: a text with a syntax error is shown, too.
pub fn masked(text: &str) -> String {
    text.split_inclusive('\n').map(masked_line).collect()
}

fn masked_line(line: &str) -> String {
    let Some(start) = value_of_secret(line) else { return line.to_owned() };
    let (before, value) = line.split_at(start);
    // A reference shows nothing, and says where to look.
    let is_reference = value.trim_start().starts_with(|c: char| c.is_alphabetic());
    let mut quoted = false;
    let mut out = before.to_owned();
    for c in value.chars() {
        let is_quote = c == '"';
        quoted ^= is_quote;
        let shown = c.is_whitespace() && !quoted || is_quote || is_reference && !quoted;
        if shown {
            out.push(c);
        } else {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        }
    }
    out
}

/// Where the first value of a telling name begins.
fn value_of_secret(line: &str) -> Option<usize> {
    line.match_indices(['=', ':']).map(|(at, _)| at).find(|at| is_telling(&line[..*at])).map(|at| at + 1)
}

fn is_telling(before: &str) -> bool {
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || c == '"');
    let name_start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').map_or(0, |at| at + 1);
    let name = before.get(name_start..).unwrap_or_default().to_ascii_lowercase();
    TELLING.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(masked(text), expected);
        assert_eq!(text.len(), expected.len(), "spans stay what they are");
    }

    #[test]
    fn a_password_in_quotes() {
        check(
            "name = \"a\"\n  master_password = \"hunter2\" # no\n",
            "name = \"a\"\n  master_password = \"*******\" * **\n",
        );
        check("module \"db\" { master_password = \"p w\" }", "module \"db\" { master_password = \"***\" *");
        check("master_password=\"p\u{e4}\"\r\n", "master_password=\"***\"\r\n");
    }

    #[test]
    fn a_password_that_is_not_closed_or_no_string() {
        check("master_password = \"hunter2", "master_password = \"*******");
        check("master_password = 'hunter2'", "master_password = *********");
        check("master_password = 12345678", "master_password = ********");
        check("master_password = [\"hunter2\"]", "master_password = *\"*******\"*");
        check("master_password = \"a\\\"b=c\"", "master_password = \"**\"***\"");
    }

    #[test]
    fn a_value_of_a_variable() {
        check("db_password = \"hunter2\"", "db_password = \"*******\"");
        check("{\"db_password\": \"hunter2\"}", "{\"db_password\": \"*******\"*");
        check("API_TOKEN = \"x\"", "API_TOKEN = \"*\"");
    }

    #[test]
    fn references_and_other_lines_are_shown() {
        check("master_password = var.password", "master_password = var.password");
        check("master_password = format(\"a%s\", var.x)", "master_password = format(\"***\", var.x)");
        check("name = \"a\"", "name = \"a\"");
        check("variable \"password\" {", "variable \"password\" {");
    }
}
