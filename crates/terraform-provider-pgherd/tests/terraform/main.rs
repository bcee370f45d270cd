//! The provider and the module under the real terraform: whole runs in a sealed folder, visibly skipped where terraform is absent.

mod cloud;
mod install;
mod machine;
mod requirements;
mod words;
mod world;
