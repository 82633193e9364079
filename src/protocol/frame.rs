//! Whole requests and responses: header, body, and the four bytes of their length in front.

use bytes::Bytes;

use super::wire::{DecodeError, EncodeError, EncodeErrorKind, Reader, Writer};
use super::{Message, Request, RequestHeader, ResponseHeader};

/// A request as it goes to the broker, length first, in chunks to be written in order.
///
/// # Errors
/// When the version cannot carry the request.
pub fn encode_request<R: Request>(
    correlation_id: i32,
    client_id: Option<&str>,
    request: &R,
    version: i16,
) -> Result<Vec<Bytes>, EncodeError> {
    let header = RequestHeader::of::<R>(version, correlation_id, client_id);
    framed(|w| {
        header.encode(w, R::header_version(version))?;
        request.encode(w, version)
    })
}

/// A response as it goes to the client, length first, in chunks to be written in order.
///
/// # Errors
/// When the version cannot carry the response.
pub fn encode_response<R: Request>(
    correlation_id: i32,
    response: &R::Response,
    version: i16,
) -> Result<Vec<Bytes>, EncodeError> {
    framed(|w| {
        ResponseHeader { correlation_id }.encode(w, R::response_header_version(version))?;
        response.encode(w, version)
    })
}

/// Takes a response apart, from its header on (without the four bytes of the length).
///
/// # Errors
/// When the bytes are not that response, or more than it.
pub fn decode_response<R: Request>(
    bytes: Bytes,
    version: i16,
) -> Result<(ResponseHeader, R::Response), DecodeError> {
    let mut r = Reader::new(bytes);
    let header = ResponseHeader::decode(&mut r, R::response_header_version(version))?;
    let response = R::Response::decode(&mut r, version)?;
    r.finish()?;
    Ok((header, response))
}

/// Takes a request apart, from its header on (without the four bytes of the length).
///
/// # Errors
/// When the bytes are not that request, or more than it.
pub fn decode_request<R: Request>(bytes: Bytes, version: i16) -> Result<(RequestHeader, R), DecodeError> {
    let mut r = Reader::new(bytes);
    let header = RequestHeader::decode(&mut r, R::header_version(version))?;
    let request = R::decode(&mut r, version)?;
    r.finish()?;
    Ok((header, request))
}

fn framed(fill: impl FnOnce(&mut Writer) -> Result<(), EncodeError>) -> Result<Vec<Bytes>, EncodeError> {
    let mut w = Writer::with_capacity(128);
    w.put_i32(0);
    fill(&mut w)?;
    let len = w.len() - 4;
    w.patch_i32(0, i32::try_from(len).map_err(|_| w.error(EncodeErrorKind::TooLong { len }))?);
    Ok(w.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_code::ErrorCode;
    use crate::protocol::messages::produce::{PartitionProduceData, TopicProduceData};
    use crate::protocol::messages::{
        ApiVersionsRequest, ApiVersionsResponse, HeartbeatRequest, ProduceRequest,
    };
    use crate::protocol::wire::DecodeErrorKind;

    #[test]
    fn a_request_and_its_frame() {
        let request = HeartbeatRequest {
            group_id: "g".into(),
            generation_id: 1,
            member_id: "m".into(),
            ..Default::default()
        };
        let frame = encode_request(9, Some("me"), &request, 4).unwrap().concat();
        let expected = b"\0\0\0\x17\0\x0c\0\x04\0\0\0\x09\0\x02me\0\x02g\0\0\0\x01\x02m\0\0";
        assert_eq!(frame, expected);
        let (header, decoded) = decode_request::<HeartbeatRequest>(Bytes::from(frame).slice(4..), 4).unwrap();
        assert_eq!((header.correlation_id, header.client_id.as_deref()), (9, Some("me")));
        assert_eq!(decoded, request);
    }

    #[test]
    fn records_go_out_without_a_copy() {
        let records = Bytes::from(vec![1; 5000]);
        let partition = PartitionProduceData { index: 0, records: Some(records.clone()) };
        let topic =
            TopicProduceData { name: "t".into(), partition_data: vec![partition], ..Default::default() };
        let request = ProduceRequest { topic_data: vec![topic], ..Default::default() };
        let chunks = encode_request(1, None, &request, 9).unwrap();
        assert!(chunks.iter().any(|chunk| chunk.as_ptr() == records.as_ptr()));
        let len: usize = chunks.iter().map(Bytes::len).sum();
        assert_eq!(chunks[0][..4], u32::try_from(len - 4).unwrap().to_be_bytes());
    }

    #[test]
    fn the_header_of_api_versions_is_never_flexible() {
        let response =
            ApiVersionsResponse { error_code: ErrorCode::UNSUPPORTED_VERSION, ..Default::default() };
        let frame = encode_response::<ApiVersionsRequest>(7, &response, 3).unwrap().concat();
        assert_eq!(frame[4..10], [0, 0, 0, 7, 0, 35]);
        let (header, decoded) =
            decode_response::<ApiVersionsRequest>(Bytes::from(frame).slice(4..), 3).unwrap();
        assert_eq!((header.correlation_id, decoded), (7, response));
    }

    #[test]
    fn bytes_behind_a_response_are_an_error() {
        let mut frame = encode_response::<HeartbeatRequest>(7, &Default::default(), 0).unwrap().concat();
        frame.push(0);
        let error = decode_response::<HeartbeatRequest>(Bytes::from(frame).slice(4..), 0).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::LeftOver { left: 1 });
        assert_eq!(error.message(), "HeartbeatResponse");
    }
}
