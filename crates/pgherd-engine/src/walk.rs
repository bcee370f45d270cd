//! Carries out a plan: independent steps side by side, a failed step skips only what needs it.
