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
