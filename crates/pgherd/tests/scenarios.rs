//! `scenarios/`, played with the program of this build.

use std::path::Path;

#[test]
fn every_scenario_ends_well() {
    let program = Path::new(env!("CARGO_BIN_EXE_pgherd"));
    if let Err(failed) = xtask::scenarios::run(program, &[]) {
        panic!("{failed}");
    }
}
