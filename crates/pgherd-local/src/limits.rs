//! CPU and memory limits from the size: cgroups where possible.
