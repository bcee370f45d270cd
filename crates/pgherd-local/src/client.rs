//! HTTP over the supervisor's unix socket, and starting it when absent.
