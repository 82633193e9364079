//! Kafka's wire messages.
