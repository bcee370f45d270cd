//! Terraform expressions and functions, evaluated without the world.
