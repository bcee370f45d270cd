//! The provider: speaks to the supervisor over its unix socket.
