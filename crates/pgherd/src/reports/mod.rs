//! Databases as `status` shows them: one of this machine as its agent knows it, any other as its target tells.

mod elsewhere;
mod here;

pub use elsewhere::report as elsewhere;
pub use here::{copied, report as here};
use jiff::Timestamp;
use pgherd_core::resource::Status;

fn status(status: &Status) -> String {
    match status {
        Status::Available => "available".to_owned(),
        Status::Stopped => "stopped".to_owned(),
        Status::Busy(doing) => doing.clone(),
        Status::Incomplete(reason) => format!("half-made: {reason}"),
        Status::Failed(reason) => format!("broken: {reason}"),
        Status::Foreign(reason) => format!("not pgherd's: {reason}"),
    }
}

/// How long ago, in the one unit that matters.
fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
