//! Memory settings from the size, by RDS's formulas, capped by this machine.
