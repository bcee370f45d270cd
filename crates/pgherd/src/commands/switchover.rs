//! `pgherd switchover`.

use clap::Args;
use pgherd_engine::provider::Operation;

use super::Context;
use crate::args::{Change, OneBlock};
use crate::error::{CommandError, Exit};
use crate::takeover::{self, Takeover};

/// Exchange the roles of primary and standby, with nothing lost
///
/// The old primary is stopped in good order, sends everything it has, and becomes the standby. New connections to the endpoint
/// wait meanwhile; open ones are closed. Called off when the standby is lost or it takes longer than 5 s. RDS has no such thing.
#[derive(Debug, Args)]
pub struct SwitchoverArgs {
    #[command(flatten)]
    block: OneBlock,

    /// Have four clients write through the endpoint meanwhile, and say how long none of them could
    ///
    /// They write to a table in a schema pgherd_drill, which is removed afterwards, and compare what was acknowledged with what
    /// is there in the end.
    #[arg(long, conflicts_with = "no_wait")]
    drill: bool,

    #[command(flatten)]
    change: Change,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &SwitchoverArgs) -> Result<Exit, CommandError> {
    let doing = |name: &str| format!("exchange the roles of primary and standby of {name}");
    let operation = |name| Operation::Switchover { name };
    let takeover = Takeover { doing: &doing, operation: &operation, drill: args.drill };
    takeover::run(context, &args.block, &args.change, &takeover)
}
