//! The size of the program as it is shipped.

use super::Measured;
use crate::machine::{program, told};

/// Looks at the release build.
pub fn look() -> Result<Vec<Measured>, String> {
    let bytes = std::fs::metadata(program()?).map_err(told("look at the program"))?.len();
    #[expect(clippy::cast_precision_loss, reason = "far fewer bytes than a float holds exactly")]
    let figure = bytes as f64 / 1e6;
    Ok(vec![Measured { what: "the program", figure, bar: 25.0, unit: "MB" }])
}
