//! What can be said about a block without asking anybody: every rule once, with words and examples.

use jiff::civil::Date;

use crate::diagnostic::Diagnostic;
use crate::inputs::Inputs;
use crate::spec::Spec;

/// Everything wrong or noteworthy about one block. `inputs` is what was written, `spec` what it means.
pub fn check(inputs: &Inputs, spec: &Spec, today: Date) -> Vec<Diagnostic> {
    let _ = (inputs, spec, today);
    Vec::new()
}

/// What is wrong between the blocks of one configuration.
pub fn check_across(specs: &[Spec]) -> Vec<Diagnostic> {
    let _ = specs;
    Vec::new()
}
