//! The mock cluster, spoken to over plain sockets with the protocol module.
