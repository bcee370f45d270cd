//! Values of variables that come from outside the configuration, in Terraform's order of precedence.
//!
//! Lowest first: environment (`TF_VAR_x`, then `PGHERD_VAR_x`), `terraform.tfvars`, `*.auto.tfvars` in alphabetical
//! order, then `-var` and `-var-file` in the order of the command line. Later wins. The `.tfvars` files are found among
//! [`crate::hcl::Sources`] by their names. (Source: Terraform, "Input Variables", "Variable Definition Precedence".)

/// What the environment and the command line say about variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Variables from the environment, the prefix taken off; each name once.
    pub environment: Vec<(String, String)>,
    /// `-var` and `-var-file`, in the order given.
    pub arguments: Vec<Argument>,
}

/// One `-var` or `-var-file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// `-var name=text`.
    Var {
        /// Name of the variable.
        name: String,
        /// Its value as typed.
        text: String,
    },
    /// `-var-file`, by its index in [`crate::hcl::Sources`].
    File(usize),
}

impl Given {
    /// Takes `PGHERD_VAR_x` and `TF_VAR_x` out of an environment; the former wins.
    pub fn from_environment(environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let (mut terraform, mut ours) = (Vec::new(), Vec::new());
        for (name, text) in environment {
            if let Some(name) = name.strip_prefix("PGHERD_VAR_") {
                ours.push((name.to_owned(), text));
            } else if let Some(name) = name.strip_prefix("TF_VAR_") {
                terraform.push((name.to_owned(), text));
            }
        }
        terraform.retain(|(name, _)| !ours.iter().any(|(other, _)| other == name));
        terraform.append(&mut ours);
        terraform.sort();
        Self { environment: terraform, arguments: Vec::new() }
    }

    /// Adds `-var name=text`.
    pub fn var(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.arguments.push(Argument::Var { name: name.into(), text: text.into() });
    }

    /// Adds `-var-file`: the index of that file in [`crate::hcl::Sources`].
    pub fn var_file(&mut self, file: usize) {
        self.arguments.push(Argument::File(file));
    }
}
