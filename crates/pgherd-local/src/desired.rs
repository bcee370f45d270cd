//! Spec to resources of this machine.
