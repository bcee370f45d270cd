//! The files of a configuration: found, read, and what is wrong with them said at the user's own lines.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use pgherd_core::checks;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::{At, Diagnostic, Severity, shortened};
use pgherd_core::hcl::{self, Document, Given, Sources};
use pgherd_core::inputs::Inputs;
use pgherd_core::spec::{self, Spec};
use pgherd_core::value::Value;

use crate::args::{Blocks, GivenVariable, Global, OneBlock};
use crate::commands::Context;
use crate::error::CommandError;
use crate::json::{Located, Place};
use crate::printer::Printer;

/// A configuration, read.
#[derive(Debug)]
pub struct Project {
    /// Where it was found, as the user would name it.
    pub place: PathBuf,
    sources: Sources,
    /// What stands in it.
    pub document: Document,
}

/// What a configuration means.
#[derive(Debug)]
pub struct Meaning {
    /// Every block that means something, in the order of the file.
    pub specs: Vec<Spec>,
    /// Everything to be said, about every block.
    pub diagnostics: Vec<Diagnostic>,
}

impl Project {
    /// Reads what `-f`, `--var` and `--var-file` and the environment say. Problems are in the document's diagnostics.
    pub fn read(global: &Global) -> Result<Self, CommandError> {
        let place = global.file.clone().unwrap_or_else(|| PathBuf::from("."));
        let mut sources = Sources::default();
        for path in found(&place)? {
            sources.add(shown(&path), bytes_of(&path)?);
        }
        let given = given(global, &mut sources)?;
        let document = hcl::read(&sources, &given);
        Ok(Self { place, sources, document })
    }

    /// The same flags, for this machine: `--provider local` unless every block names it itself.
    pub fn on_this_machine(&self, global: &Global) -> Global {
        let says_local = |block: &Inputs| block.get("cloud_provider").and_then(Value::as_text) == Some("local");
        let all_here = self.document.blocks.iter().all(says_local);
        let provider = if all_here { global.provider.and(Some(Cloud::Local)) } else { Some(Cloud::Local) };
        Global { provider, ..global.clone() }
    }

    /// The blocks of these labels, in the order of the file; all when none is named.
    pub fn blocks(&self, chosen: &Blocks) -> Result<Vec<&Inputs>, CommandError> {
        let labels = chosen.labels();
        for label in &labels {
            self.block(label)?;
        }
        if self.document.blocks.is_empty() {
            return Err(self.nothing_here());
        }
        let wanted = |block: &&Inputs| labels.is_empty() || labels.contains(&block.block.as_str());
        Ok(self.document.blocks.iter().filter(wanted).collect())
    }

    /// The block of this label; the only one when none is named.
    pub fn one_block(&self, chosen: &OneBlock) -> Result<&Inputs, CommandError> {
        match (chosen.label(), self.document.blocks.as_slice()) {
            (Some(label), _) => self.block(label),
            (None, []) => Err(self.nothing_here()),
            (None, [only]) => Ok(only),
            (None, several) => Err(CommandError::failed(format!("there are {} databases here", several.len()))
                .hint(format!("name one of {}", self.labels().join(", ")))),
        }
    }

    /// The labels of all blocks, in the order of the file.
    pub fn labels(&self) -> Vec<&str> {
        self.document.blocks.iter().map(|block| block.block.as_str()).collect()
    }

    fn block(&self, label: &str) -> Result<&Inputs, CommandError> {
        self.document.blocks.iter().find(|block| block.block == label).ok_or_else(|| {
            let labels = self.labels();
            let there =
                if labels.is_empty() { "there is none".to_owned() } else { format!("there is {}", labels.join(", ")) };
            CommandError::not_found(format!("no block is called `{label}`")).hint(there)
        })
    }

    fn nothing_here(&self) -> CommandError {
        let others = match self.document.foreign.len() {
            0 => String::new(),
            count => format!(", only {count} of others"),
        };
        CommandError::not_found(format!("{} holds no database block{others}", self.place.display()))
            .hint("a block looks like this: module \"database\" { source = \"./modules/database_postgres\" }; pgherd init writes one")
    }

    /// What the blocks mean, and everything to be said about the text and the meaning.
    pub fn meaning(&self, context: &Context<'_>) -> Meaning {
        let mut meaning = Meaning { specs: Vec::new(), diagnostics: self.document.diagnostics.clone() };
        for inputs in &self.document.blocks {
            let (spec, diagnostics) = spec::resolve(inputs, context.global.provider);
            meaning.diagnostics.extend(diagnostics);
            meaning.specs.extend(spec);
        }
        meaning
    }

    /// What the checks say about the blocks, each and between them.
    pub fn checked(&self, specs: &[Spec], context: &Context<'_>) -> Vec<Diagnostic> {
        let blocks: BTreeMap<&str, &Inputs> =
            self.document.blocks.iter().map(|inputs| (inputs.block.as_str(), inputs)).collect();
        let check = |spec: &Spec| {
            let inputs = blocks.get(spec.block.as_str());
            inputs.map(|inputs| checked(inputs, spec, context)).unwrap_or_default()
        };
        specs.iter().flat_map(check).chain(checks::check_across(specs)).collect()
    }

    /// Diagnostics with the place in the text where they point, in the order of the text; the first of each kind.
    pub fn locate(&self, diagnostics: &[Diagnostic]) -> Vec<Located> {
        let mut ordered = diagnostics.to_vec();
        // Whatever points nowhere comes last: it is about the whole.
        ordered.sort_by_cached_key(|one| {
            let found =
                self.document.span(&one.at).and_then(|(file, span)| Some((self.sources.files.get(file)?, span)));
            found.map_or((true, String::new(), 0), |(source, span)| (false, source.name.clone(), span.start))
        });
        let shown: Vec<Rc<str>> = self.document.shown.iter().map(|text| text.as_str().into()).collect();
        shortened(ordered).iter().map(|one| self.located(one, &shown)).collect()
    }

    /// `shown` are the texts as they may be drawn.
    fn located(&self, diagnostic: &Diagnostic, shown: &[Rc<str>]) -> Located {
        let Diagnostic { severity, code, at, message, help } = diagnostic;
        let (block, variable) = match at {
            At::Variable { block, path } => (Some(block.clone()), (!path.is_empty()).then(|| path.clone())),
            At::Nowhere | At::Source { .. } => (None, None),
        };
        let found = self.document.span(at).filter(|(file, _)| *file < shown.len());
        Located {
            severity: *severity,
            code,
            message: message.clone(),
            help: help.clone(),
            block,
            variable,
            place: found.as_ref().map(|(file, span)| {
                let source = &self.sources.files[*file];
                place(&source.name, &source.text, span.clone())
            }),
            source: found.map(|(file, _)| Rc::clone(&shown[file])),
        }
    }

    /// Tells the diagnostics; an error when one of them is one.
    pub fn tell(&self, printer: &Printer, diagnostics: &[Diagnostic]) -> Result<(), CommandError> {
        let errors = diagnostics.iter().filter(|one| one.severity == Severity::Error).count();
        printer.diagnostics(self.locate(diagnostics));
        match errors {
            0 => Ok(()),
            1 => Err(CommandError::failed("1 error in the configuration, nothing was touched")),
            _ => Err(CommandError::failed(format!("{errors} errors in the configuration, nothing was touched"))),
        }
    }
}

/// What the checks say about one block, with what was accepted as warnings.
pub fn checked(inputs: &Inputs, spec: &Spec, context: &Context<'_>) -> Vec<Diagnostic> {
    let accepted = context.global.accepted.iter().cloned().collect();
    let acknowledged = |one: Diagnostic| {
        if checks::is_acceptable(one.code, spec.target) { one.acknowledged(&accepted) } else { one }
    };
    checks::check(inputs, spec, context.today()).into_iter().map(acknowledged).collect()
}

fn place(file: &str, text: &str, span: std::ops::Range<usize>) -> Place {
    let before = text.get(..span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        span,
    }
}

/// The files of a configuration: `-f FILE` itself; of a folder `database.hcl`, else every `*.hcl` and `*.tf`; beside them
/// the `*.tfvars` that Terraform reads without being told.
fn found(place: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let metadata = fs::metadata(place).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => CommandError::not_found(format!("{} does not exist", place.display())),
        _ => CommandError::io(format!("{} cannot be read", place.display()), &cause),
    })?;
    let folder = if metadata.is_dir() { place } else { place.parent().unwrap_or(Path::new("")) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let listed = files_of(folder)?;
    let mut files = if metadata.is_dir() { configuration(folder, &listed)? } else { vec![place.to_owned()] };
    files.extend(listed.into_iter().filter(|path| is_automatic(&shown(path))));
    Ok(files)
}

fn configuration(folder: &Path, listed: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let main = listed.iter().find(|path| path.file_name().is_some_and(|name| name == "database.hcl"));
    if let Some(main) = main {
        return Ok(vec![main.clone()]);
    }
    let is_configuration =
        |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "hcl" || extension == "tf");
    let all: Vec<PathBuf> = listed.iter().filter(is_configuration).filter(|path| !is_lock(path)).cloned().collect();
    if all.is_empty() {
        return Err(CommandError::not_found(format!("no database.hcl, *.hcl or *.tf in {}", full(folder)))
            .hint("pgherd init writes a database.hcl; --file names a file or folder elsewhere"));
    }
    Ok(all)
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let entries = fs::read_dir(folder)
        .map_err(|cause| CommandError::io(format!("the folder {} cannot be listed", folder.display()), &cause))?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

/// Terraform's own lock file is HCL, too, and none of our business.
fn is_lock(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == ".terraform.lock.hcl")
}

fn is_automatic(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    let name = name.strip_suffix(".json").unwrap_or(name);
    name == "terraform.tfvars" || name.ends_with(".auto.tfvars")
}

fn given(global: &Global, sources: &mut Sources) -> Result<Given, CommandError> {
    let environment =
        std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
    let mut given = Given::from_environment(environment);
    for one in &global.given {
        match one {
            GivenVariable::Var(name, text) => given.var(name, text),
            GivenVariable::File(path) => {
                let file = sources.add(shown(path), bytes_of(path)?);
                given.var_file(file);
            }
        }
    }
    Ok(given)
}

/// The bytes of a file, one more than are allowed at most: enough to see that it is too large.
fn bytes_of(path: &Path) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(hcl::MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            Err(CommandError::not_found(format!("{} does not exist", path.display())))
        }
        Err(cause) => Err(CommandError::io(format!("{} cannot be read", path.display()), &cause)),
    }
}

/// A path as it stands in diagnostics: `./database.hcl` is `database.hcl`.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

fn full(folder: &Path) -> String {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned()).display().to_string()
}
