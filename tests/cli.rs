//! The command line against the mock cluster.
