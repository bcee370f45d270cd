//! How a bucket is reached, where the environment does not say so.

use std::fmt;

use object_store::aws::AmazonS3ConfigKey;
use zeroize::Zeroizing;

use crate::error::{ArchiveError, ErrorKind, Result};

/// Variables as a shell has them (`AWS_ACCESS_KEY_ID` and its like), which go before those of the environment. Their values cannot
/// be printed.
#[derive(Clone, Default)]
pub struct Access {
    variables: Vec<(AmazonS3ConfigKey, Zeroizing<String>)>,
}

impl Access {
    /// Reads lines of `NAME=VALUE`.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let variables = lines.into_iter().map(variable).collect::<Result<_>>()?;
        Ok(Self { variables })
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = (AmazonS3ConfigKey, &str)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.variables.iter().map(|(name, _)| name.as_ref())).finish()
    }
}

fn variable(line: &str) -> Result<(AmazonS3ConfigKey, Zeroizing<String>)> {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    let (name, value) = (name.strip_prefix("export ").unwrap_or(name).trim(), value.trim());
    let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    let value = quoted.unwrap_or(value);
    let known = name.starts_with("AWS_").then(|| name.to_ascii_lowercase().parse().ok()).flatten();
    match known {
        Some(known) if !value.is_empty() => Ok((known, Zeroizing::new(value.to_owned()))),
        // What stands there may be a secret that was pasted: it is not repeated.
        _ => Err(ArchiveError::new(ErrorKind::Invalid, "a line about a bucket is not NAME=VALUE with a name that is known").help(
            "write AWS_ACCESS_KEY_ID=…, AWS_SECRET_ACCESS_KEY=…, AWS_REGION=…, and AWS_ENDPOINT_URL=… where the store is not AWS's",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_as_a_shell_has_them_and_not_shown() {
        let lines = ["AWS_ACCESS_KEY_ID=someone", "export AWS_SECRET_ACCESS_KEY='so=me/thing'", "AWS_REGION = \"eu\""];
        let access = Access::parse(lines).expect("good");
        let values: Vec<_> = access.variables().map(|(_, value)| value.to_owned()).collect();
        assert_eq!(values, ["someone", "so=me/thing", "eu"]);
        assert!(!format!("{access:?}").contains("thing"), "{access:?}");
        for bad in ["AKIAIOSFODNN7EXAMPLE", "AWS_ACCESS_KEY_ID=", "PGPASSWORD=x", "AWS_NO_SUCH=x"] {
            let error = Access::parse([bad]).expect_err("refused");
            assert!(!error.message.contains("AKIA"), "{error}");
        }
    }
}
