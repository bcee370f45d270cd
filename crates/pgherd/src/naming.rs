//! What `output` and `params` are asked for: a block, one of its things by name, or both.

use clap::Args;
use pgherd_core::catalogue;

use crate::args::OneBlock;
use crate::error::CommandError;

/// Up to two words: the block, the name. One word alone may be either.
#[derive(Debug, Clone, Args)]
pub struct BlockAndName {
    /// Label of the block; needed when the file has several
    #[arg(value_name = "BLOCK")]
    pub first: Option<String>,

    /// Only what is called so; may stand alone, without a block before it
    #[arg(value_name = "NAME")]
    pub second: Option<String>,

    /// Label of the block, as a flag
    #[arg(short, long = "block", value_name = "BLOCK")]
    pub by_flag: Option<String>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Label of the block; `None`: the only one.
    pub block: Option<String>,
    /// Name of the one thing; `None`: all.
    pub name: Option<String>,
}

impl Asked {
    /// The block, as the other verbs take it.
    pub fn one_block(&self) -> OneBlock {
        OneBlock::of(self.block.clone())
    }
}

impl BlockAndName {
    /// Tells the block from the name. A word that could be either is the name: scripts that named no block go on working when
    /// a block of the same label is added, and `--block` says the other.
    pub fn understood(&self, labels: &[&str], is_name: impl Fn(&str) -> bool) -> Result<Asked, CommandError> {
        let (first, second) = (self.first.clone(), self.second.clone());
        match (first, second, self.by_flag.clone()) {
            (Some(block), Some(name), None) => Ok(Asked { block: Some(block), name: Some(name) }),
            (Some(block), Some(_), Some(flag)) => {
                Err(CommandError::failed(format!("the block is named twice: {block} and --block {flag}"))
                    .hint("leave one of them out"))
            }
            (Some(name), None, Some(block)) => Ok(Asked { block: Some(block), name: Some(name) }),
            (Some(word), None, None) if labels.contains(&word.as_str()) && !is_name(&word) => {
                Ok(Asked { block: Some(word), name: None })
            }
            (name, _, block) => Ok(Asked { block, name }),
        }
    }
}

/// Nothing has this name: `what` says what was looked for, such as `no output is called`.
pub fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>, otherwise: &str) -> CommandError {
    let error = CommandError::not_found(format!("{what} `{name}`"));
    match catalogue::nearest(name, names) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint(otherwise),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words in a file with the blocks `orders` and `work_mem`, where `work_mem` and `port` are names.
    #[track_caller]
    fn check(words: &[&str], by_flag: Option<&str>, block: Option<&str>, name: Option<&str>) {
        let word = |index: usize| words.get(index).map(|word| (*word).to_owned());
        let typed = BlockAndName { first: word(0), second: word(1), by_flag: by_flag.map(str::to_owned) };
        let asked = typed.understood(&["orders", "work_mem"], |name| ["work_mem", "port"].contains(&name));
        let expected = Asked { block: block.map(str::to_owned), name: name.map(str::to_owned) };
        assert_eq!(asked, Ok(expected));
    }

    #[test]
    fn a_word_alone_is_a_name_or_a_block() {
        check(&[], None, None, None);
        check(&["port"], None, None, Some("port"));
        check(&["orders"], None, Some("orders"), None);
    }

    #[test]
    fn a_word_that_could_be_either_is_the_name() {
        check(&["work_mem"], None, None, Some("work_mem"));
        check(&[], Some("work_mem"), Some("work_mem"), None);
    }

    #[test]
    fn a_word_that_is_neither_is_a_name_to_be_looked_for() {
        check(&["prot"], None, None, Some("prot"));
    }

    #[test]
    fn the_block_comes_first_or_by_flag() {
        check(&["orders", "port"], None, Some("orders"), Some("port"));
        check(&["port"], Some("orders"), Some("orders"), Some("port"));
    }

    #[test]
    fn a_block_named_twice_is_told() {
        let word = |text: &str| Some(text.to_owned());
        let typed = BlockAndName { first: word("orders"), second: word("port"), by_flag: word("other") };
        let error = typed.understood(&["orders"], |_| false).expect_err("is named twice");
        assert_eq!(error.message, "the block is named twice: orders and --block other");
    }
}
