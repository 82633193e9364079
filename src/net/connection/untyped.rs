//! Requests that are bytes already, for tools that know a message by its schema alone.

use std::time::Duration;

use bytes::Bytes;

use super::{Connection, gone};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::schema::MessageKind;
use crate::protocol::{ApiKey, Reader, RequestHeader, ResponseHeader, Schema, Writer};

impl Connection {
    /// Sends a request whose body is encoded already, and waits for the answer's body. `schema` is the request's.
    ///
    /// Waits for its turn as [`send`](Self::send) does. Whether the broker knows the version is not checked.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`ErrorKind::InvalidArgument`] when the schema is not a request's.
    pub async fn send_bytes(
        &self,
        schema: &'static Schema,
        body: Bytes,
        version: i16,
        timeout: Duration,
    ) -> Result<Bytes> {
        let api = match (schema.kind, schema.api_key) {
            (MessageKind::Request, Some(key)) => ApiKey(key),
            _ => {
                let text = format!("{} is not a request", schema.name);
                return Err(Error::new(ErrorKind::InvalidArgument, text));
            }
        };
        self.ready().await?;
        if let Some(error) = self.error() {
            return Err(error);
        }
        let correlation = self.0.next_correlation.get();
        let header = RequestHeader {
            api_key: api,
            api_version: version,
            correlation_id: correlation,
            client_id: Some(self.0.options.client_id.clone()),
        };
        let is_flexible = schema.is_flexible(version);
        let mut w = Writer::with_capacity(64);
        header.encode(&mut w, if is_flexible { 2 } else { 1 })?;
        let header = Bytes::from(w.into_vec());
        let length = u32::try_from(header.len() + body.len())
            .map_err(|_| Error::new(ErrorKind::InvalidArgument, "the request is too long"))?;
        self.0.next_correlation.set(correlation.wrapping_add(1));
        let (request, answer) = self.expect(Some(correlation), api, timeout);
        self.put(vec![Bytes::copy_from_slice(&length.to_be_bytes()), header, body], request);
        let answer = answer.await.unwrap_or_else(|_| Err(gone()))?;
        let mut r = Reader::new(answer);
        // That of ApiVersions never is flexible; see `Request::response_header_version`.
        let header_version = i16::from(is_flexible && api != ApiKey::API_VERSIONS);
        ResponseHeader::decode(&mut r, header_version)?;
        Ok(r.take_slice(r.remaining())?)
    }
}
