//! What control records carry.

messages! {
    /// The key of a control record, behind two bytes of version: 0 aborts a transaction, 1 commits it,
    /// others are of no concern to clients.
    data ControlRecordTypeSchema(0) {
        type_: i16,
    }

    /// The value of the control record that ends a transaction, behind two bytes of version.
    data EndTxnMarker(0) {
        coordinator_epoch: i32,
    }
}
