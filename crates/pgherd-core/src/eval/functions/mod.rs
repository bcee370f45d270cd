//! The functions an expression may call: one table, read by evaluation, did-you-mean and the reference page.

mod arguments;
mod choice;
mod cidr;
mod collections;
mod conversion;
mod encoding;
mod format;
mod numbers;
mod sets;
mod strings;

pub(crate) use encoding::json_value;

use crate::value::Value;
use crate::variables::closest;

/// One function.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How it is written: `slice(list, start, end)`.
    pub usage: &'static str,
    /// What it gives, one sentence.
    pub words: &'static str,
    least: usize,
    /// `None`: as many as one likes.
    most: Option<usize>,
    pub(super) unknowns: Unknowns,
    pub(super) run: Run,
}

/// What a function does with arguments nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknowns {
    /// An unknown anywhere inside an argument makes the result unknown.
    Anywhere,
    /// Only an argument that is unknown as a whole does; elements are handed on as they are.
    Whole,
    /// The function looks itself.
    Pass,
}

/// How a function runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Run {
    /// On evaluated arguments. The second argument is how many steps' worth of value it may make.
    Pure(fn(&[Value], usize) -> Result<Value, Fault>),
    /// On the expressions.
    Lazy(Lazy),
}

/// Functions that look at errors.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lazy {
    Try,
    Can,
}

/// What a function cannot take, and at which argument.
#[derive(Debug)]
pub(super) struct Fault {
    pub argument: Option<usize>,
    pub message: String,
    /// Empty: the usage is the help.
    pub help: String,
}

impl Fault {
    fn at(argument: usize, message: impl Into<String>) -> Self {
        Self { argument: Some(argument), message: message.into(), help: String::new() }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

impl Function {
    const fn pure(
        name: &'static str,
        usage: &'static str,
        (least, most): (usize, Option<usize>),
        words: &'static str,
        run: fn(&[Value], usize) -> Result<Value, Fault>,
    ) -> Self {
        Self { name, usage, words, least, most, unknowns: Unknowns::Anywhere, run: Run::Pure(run) }
    }

    const fn keeps_elements(mut self) -> Self {
        self.unknowns = Unknowns::Whole;
        self
    }

    const fn looks_itself(mut self) -> Self {
        self.unknowns = Unknowns::Pass;
        self
    }

    const fn lazy(name: &'static str, usage: &'static str, words: &'static str, lazy: Lazy) -> Self {
        Self { name, usage, words, least: 1, most: None, unknowns: Unknowns::Pass, run: Run::Lazy(lazy) }
    }

    pub(super) fn takes(&self, arguments: usize) -> bool {
        self.least <= arguments && self.most.is_none_or(|most| arguments <= most)
    }

    pub(super) fn arity_in_words(&self) -> String {
        let arguments = |count: usize| if count == 1 { "1 argument".to_owned() } else { format!("{count} arguments") };
        match self.most {
            Some(most) if most == self.least => arguments(most),
            Some(most) => format!("{} to {}", self.least, arguments(most)),
            None => format!("at least {}", arguments(self.least)),
        }
    }
}

/// How many arguments.
const fn exactly(count: usize) -> (usize, Option<usize>) {
    (count, Some(count))
}

const fn between(least: usize, most: usize) -> (usize, Option<usize>) {
    (least, Some(most))
}

const fn at_least(least: usize) -> (usize, Option<usize>) {
    (least, None)
}

/// Every function, by subject.
pub fn all() -> impl Iterator<Item = &'static Function> {
    [
        numbers::TABLE,
        strings::TABLE,
        format::TABLE,
        choice::TABLE,
        collections::TABLE,
        sets::TABLE,
        conversion::TABLE,
        encoding::TABLE,
        cidr::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// Functions of Terraform that read the world, and what to do instead.
const WORLDLY: &[(&str, &str)] = &[
    ("file", "write the text into the configuration as a heredoc, or pass it with -var-file"),
    ("filebase64", "write the text into the configuration, or pass it with -var-file"),
    ("fileexists", "pass what depends on it as a variable"),
    ("fileset", "write the names as a list"),
    ("templatefile", "write the template into the configuration as a heredoc"),
    ("pathexpand", "write the whole path"),
    ("abspath", "write the whole path"),
    ("timestamp", "pass the time as a variable; a block that changes every minute could never be in place"),
    ("plantimestamp", "pass the time as a variable; a block that changes every minute could never be in place"),
    ("uuid", "write a name; a block that changes every time could never be in place"),
    ("bcrypt", "leave the password out: pgherd makes one and keeps it"),
    ("env", "declare a variable and set PGHERD_VAR_name in the environment"),
    ("get_env", "declare a variable and set PGHERD_VAR_name in the environment"),
];

/// Pure functions of Terraform that pgherd does not have.
const LEFT_OUT: &[&str] = &[
    "base64gzip",
    "base64sha256",
    "base64sha512",
    "basename",
    "chunklist",
    "csvdecode",
    "dirname",
    "ephemeralasnull",
    "cidrsubnets",
    "filebase64sha256",
    "filebase64sha512",
    "filemd5",
    "filesha1",
    "filesha256",
    "filesha512",
    "formatdate",
    "issensitive",
    "matchkeys",
    "md5",
    "regex",
    "regexall",
    "rsadecrypt",
    "setproduct",
    "sha1",
    "sha256",
    "sha512",
    "strcontains",
    "templatestring",
    "textdecodebase64",
    "textencodebase64",
    "timeadd",
    "timecmp",
    "transpose",
    "type",
    "urldecode",
    "urlencode",
    "uuidv5",
    "yamldecode",
    "yamlencode",
];

/// Why there is no such function.
pub(super) struct Unavailable {
    pub message: String,
    pub help: String,
}

/// The function of that name.
pub(super) fn find(name: &str, namespaced: bool) -> Result<&'static Function, Unavailable> {
    if namespaced {
        return Err(Unavailable {
            message: format!("functions of providers, such as this `{name}`, are not available in pgherd"),
            help: "write its result, or pass it as a variable".to_owned(),
        });
    }
    if let Some(function) = all().find(|function| function.name == name) {
        return Ok(function);
    }
    if let Some((_, help)) = WORLDLY.iter().find(|(worldly, _)| *worldly == name) {
        let message = format!("`{name}` reads the world outside of the configuration and is not available in pgherd");
        return Err(Unavailable { message, help: (*help).to_owned() });
    }
    if LEFT_OUT.contains(&name) {
        let message = format!("`{name}` is a function of Terraform that pgherd does not have");
        return Err(Unavailable { message, help: "write its result, or pass it as a variable".to_owned() });
    }
    let help = closest(name, all().map(|function| function.name)).map_or_else(
        || "the functions are those of Terraform that need nothing but their arguments".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Err(Unavailable { message: format!("there is no function `{name}`"), help })
}
