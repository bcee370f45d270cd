//! The provider and the module under the real terraform: whole runs in a sealed folder, visibly skipped where terraform is absent.

mod cloud;
mod examples;
mod install;
mod machine;
mod requirements;
mod tutorial;
mod words;
mod world;
