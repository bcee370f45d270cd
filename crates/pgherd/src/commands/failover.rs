//! `pgherd failover`.

use clap::Args;
use pgherd_engine::provider::Operation;

use super::Context;
use crate::args::{Change, OneBlock};
use crate::error::{CommandError, Exit};
use crate::takeover::{self, Takeover};

/// End the primary for certain and let its standby take over
///
/// Every process of the primary is killed, open transactions with it, and the standby is promoted: what happens by itself when
/// a primary dies, on purpose. Connections to the endpoint wait for the new primary. Refused unless the standby is known to hold
/// every acknowledged commit. For maintenance use switchover, which lets running statements end. On aws RDS reboots with a failover,
/// the one way it has: connections end, and the same endpoint leads to the new primary.
#[derive(Debug, Args)]
pub struct FailoverArgs {
    #[command(flatten)]
    block: OneBlock,

    /// Promote the copy that has most even if acknowledged commits may be lost with the primary
    #[arg(long)]
    accept_loss: bool,

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
pub fn run(context: &Context<'_>, args: &FailoverArgs) -> Result<Exit, CommandError> {
    let accept_loss = args.accept_loss;
    let risk = if accept_loss { ", and accept that acknowledged commits may be lost" } else { "" };
    let doing = |name: &str| format!("kill the primary of {name} and let its standby take over{risk}");
    let operation = |name| Operation::Failover { name, accept_loss };
    let takeover = Takeover { doing: &doing, operation: &operation, drill: args.drill };
    takeover::run(context, &args.block, &args.change, &takeover)
}
