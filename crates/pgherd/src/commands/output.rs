//! `pgherd output`.

use clap::Args;
use pgherd_core::text;
use pgherd_core::value::{Props, Value};
use pgherd_core::variables::{self, OUTPUTS};
use pgherd_engine::run;
use serde::Serialize;

use super::Context;
use crate::connection;
use crate::databases;
use crate::error::{CommandError, Exit};
use crate::naming::{self, BlockAndName};
use crate::project::Project;
use crate::targets;

/// The password: no output of the table, and never shown unless asked for.
const PASSWORD: &str = "master_password";

/// Print what applications need to know of a database
///
/// All outputs, or the one that is named: pgherd output db_instance_endpoint, or pgherd output BLOCK db_instance_endpoint. A
/// word that is both an output and a block is the output; --block names the block.
#[derive(Debug, Args)]
pub struct OutputArgs {
    #[command(flatten)]
    asked: BlockAndName,

    /// Print the bare value, for scripts; needs the name of an output
    #[arg(long)]
    raw: bool,

    /// Also show what is secret, the password included
    #[arg(long)]
    reveal: bool,
}

#[derive(Debug, Serialize)]
struct Outputs {
    database: String,
    outputs: serde_json::Map<String, serde_json::Value>,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &OutputArgs) -> Result<Exit, CommandError> {
    let project = Project::read(context.global)?;
    let asked = args.asked.understood(&project.labels(), is_output)?;
    let name = asked.name.as_deref();
    if let Some(name) = name.filter(|name| !is_output(name)) {
        let names = OUTPUTS.iter().map(|output| output.name).chain(project.labels());
        return Err(naming::unknown("no output is called", name, names, "pgherd output prints all of them"));
    }
    if args.raw && name.is_none() {
        return Err(
            CommandError::failed("--raw prints one value").hint("name an output: pgherd output --raw db_instance_port")
        );
    }
    let database = databases::one_existing_of(context, &project, &asked.one_block())?;
    let mut outputs = targets::wait_for(run::outputs(&*database.provider, &database.spec))??;
    if args.reveal {
        outputs.insert(PASSWORD.to_owned(), targets::wait_for(connection::password(&database))??.as_str().into());
    } else {
        hide(&mut outputs);
    }
    if name == Some(PASSWORD) && !args.reveal {
        return Err(CommandError::refused("the password is shown only when it is asked for").hint("add --reveal"));
    }
    outputs.retain(|output, _| name.is_none_or(|name| name == output));
    if outputs.contains_key("connection_string") {
        connection::tell_of_certificates(context, &database);
    }
    if context.printer.is_json() {
        let outputs = outputs.iter().map(|(name, value)| (name.clone(), json(value))).collect();
        context.printer.json(&Outputs { database: database.spec.block, outputs })?;
        return Ok(Exit::Done);
    }
    context.printer.result(&match outputs.values().next() {
        Some(value) if args.raw => format!("{}\n", raw(value)),
        Some(_) | None => {
            // What every setting is says `explain`, line by line.
            outputs.retain(|output, _| name.is_some() || output != "effective");
            table(&outputs)
        }
    })?;
    Ok(Exit::Done)
}

fn is_output(name: &str) -> bool {
    name == PASSWORD || variables::output(name).is_some()
}

fn hide(outputs: &mut Props) {
    for output in OUTPUTS.iter().filter(|output| output.sensitive) {
        if let Some(value) = outputs.get_mut(output.name).filter(|value| !value.is_null()) {
            *value = Value::text("(secret, shown with --reveal)");
        }
    }
}

fn table(outputs: &Props) -> String {
    let width = outputs.keys().map(String::len).max().unwrap_or_default();
    outputs.iter().map(|(name, value)| format!("{name:<width$} = {}\n", entries(value))).collect()
}

/// A map of many entries is a block with a line for each.
fn entries(value: &Value) -> String {
    match value {
        Value::Map(map) if map.len() > 1 => {
            let lines: String = map.iter().map(|(name, value)| format!("  {name} = {}\n", text::hcl(value))).collect();
            format!("{{\n{lines}}}")
        }
        other => text::hcl(other),
    }
}

fn raw(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        other => json(other).to_string(),
    }
}

/// A value as plain JSON.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(bool) => (*bool).into(),
        Value::Int(int) => (*int).into(),
        Value::Float(float) => (*float).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(list) => list.iter().map(json).collect(),
        Value::Map(map) => map.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
        Value::Secret(_) | Value::Unknown(_) | Value::Output(..) => value.to_string().into(),
    }
}
