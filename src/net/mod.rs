//! The networking layer.
