//! What control records carry.

messages! {
    /// TODO.
    data ControlRecordTypeSchema(0) {
        type_: i16,
    }

    /// TODO.
    data EndTxnMarker(0) {
        coordinator_epoch: i32,
    }
}
