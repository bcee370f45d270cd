//! `pgherd logs`.

use clap::Args;
use pgherd_core::report::LogAsked;
use tokio::sync::mpsc::unbounded_channel;

use super::Context;
use crate::args::OneBlock;
use crate::databases;
use crate::error::{CommandError, Exit};
use crate::targets;

/// Print the server's log
///
/// Of a database on aws from RDS's own log files, asked every 5 s with --follow, whether they are exported to CloudWatch or not.
#[derive(Debug, Args)]
pub struct LogsArgs {
    #[command(flatten)]
    block: OneBlock,

    /// Go on as lines are written, until Ctrl-C; with --json a document on a line of its own for each
    #[arg(long, short)]
    follow: bool,

    /// File or folder to read. Stands here, too, because -f follows and does not name it.
    #[arg(id = "file", long, value_name = "PATH", hide = true)]
    file: Option<std::path::PathBuf>,

    /// How many of the last lines to begin with
    #[arg(long = "lines", short = 'n', alias = "tail", value_name = "NUMBER", default_value_t = 100)]
    tail: usize,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &LogsArgs) -> Result<Exit, CommandError> {
    let database = databases::one_existing(context, &args.block)?;
    targets::wait_for(async {
        let (sender, mut lines) = unbounded_channel();
        let asked = LogAsked { lines: args.tail, follow: args.follow };
        // The receiver outlives the sender: it is dropped when this block ends.
        let mut on_line = |line: String| drop(sender.send(format!("{line}\n")));
        let reading = database.provider.log(&database.spec, &asked, &mut on_line);
        tokio::pin!(reading);
        let mut log = Vec::new();
        loop {
            tokio::select! {
                biased;
                Some(line) = lines.recv() => show(context, args.follow, &mut log, &line)?,
                ended = &mut reading => {
                    while let Ok(line) = lines.try_recv() {
                        show(context, args.follow, &mut log, &line)?;
                    }
                    ended?;
                    break;
                }
            }
        }
        if context.printer.is_json() && !args.follow {
            context.printer.json(&log)?;
        }
        Ok(Exit::Done)
    })?
}

fn show(context: &Context<'_>, follow: bool, log: &mut Vec<String>, line: &str) -> Result<(), CommandError> {
    if context.printer.is_json() {
        if follow {
            return context.printer.json_line(&[line.trim_end()]);
        }
        log.push(line.trim_end().to_owned());
        return Ok(());
    }
    context.printer.result(line)
}
