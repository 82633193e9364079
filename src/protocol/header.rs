//! What stands before every request and response.

use super::wire::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, Reader, Writer};
use super::{ApiKey, Request};

/// The header of a request.
///
/// Version 1 goes with messages that are not flexible, version 2 with those that are. Version 0 belonged to
/// one request between brokers of Kafka 0.8 and is not here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API.
    pub api_key: ApiKey,
    /// The version of the request, not of the header.
    pub api_version: i16,
    /// The number that the response will repeat.
    pub correlation_id: i32,
    /// The name of the client in the broker's logs and quotas.
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// The header of a request.
    pub fn of<R: Request>(version: i16, correlation_id: i32, client_id: Option<&str>) -> Self {
        Self {
            api_key: R::API_KEY,
            api_version: version,
            correlation_id,
            client_id: client_id.map(str::to_owned),
        }
    }

    /// Appends the header.
    ///
    /// # Errors
    /// When the version is neither 1 nor 2, or the client id longer than 32767 bytes.
    pub fn encode(&self, w: &mut Writer, header_version: i16) -> Result<(), EncodeError> {
        w.enter_message("RequestHeader", header_version);
        if !(1..=2).contains(&header_version) {
            return Err(w.error(EncodeErrorKind::UnknownVersion));
        }
        w.put_i16(self.api_key.0);
        w.put_i16(self.api_version);
        w.put_i32(self.correlation_id);
        w.enter("client_id");
        // Never compact, so that a broker can read it before it has looked at the version.
        w.put_string(self.client_id.as_deref(), false)?;
        if header_version >= 2 {
            w.put_uvarint(0);
        }
        Ok(())
    }

    /// Reads a header.
    ///
    /// # Errors
    /// When the version is neither 1 nor 2, or the bytes are not a header.
    pub fn decode(r: &mut Reader, header_version: i16) -> Result<Self, DecodeError> {
        r.enter_message("RequestHeader", header_version);
        if !(1..=2).contains(&header_version) {
            return Err(r.error(DecodeErrorKind::UnknownVersion));
        }
        let header = Self {
            api_key: ApiKey(r.take_i16()?),
            api_version: r.take_i16()?,
            correlation_id: r.take_i32()?,
            client_id: r.take_string(false)?,
        };
        if header_version >= 2 {
            skip_tagged(r)?;
        }
        Ok(header)
    }
}

/// The header of a response: version 0, or 1 for flexible messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseHeader {
    /// The number of the request that this answers.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Appends the header.
    ///
    /// # Errors
    /// When the version is neither 0 nor 1.
    pub fn encode(&self, w: &mut Writer, header_version: i16) -> Result<(), EncodeError> {
        w.enter_message("ResponseHeader", header_version);
        if !(0..=1).contains(&header_version) {
            return Err(w.error(EncodeErrorKind::UnknownVersion));
        }
        w.put_i32(self.correlation_id);
        if header_version >= 1 {
            w.put_uvarint(0);
        }
        Ok(())
    }

    /// Reads a header.
    ///
    /// # Errors
    /// When the version is neither 0 nor 1, or the bytes are not a header.
    pub fn decode(r: &mut Reader, header_version: i16) -> Result<Self, DecodeError> {
        r.enter_message("ResponseHeader", header_version);
        if !(0..=1).contains(&header_version) {
            return Err(r.error(DecodeErrorKind::UnknownVersion));
        }
        let header = Self { correlation_id: r.take_i32()? };
        if header_version >= 1 {
            skip_tagged(r)?;
        }
        Ok(header)
    }
}

fn skip_tagged(r: &mut Reader) -> Result<(), DecodeError> {
    let mut left = r.take_uvarint()?;
    while r.take_tagged(&mut left)?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn request_header_bytes() {
        let header = RequestHeader {
            api_key: ApiKey::METADATA,
            api_version: 9,
            correlation_id: 5,
            client_id: Some("me".into()),
        };
        for (version, bytes) in
            [(1, &b"\0\x03\0\x09\0\0\0\x05\0\x02me"[..]), (2, b"\0\x03\0\x09\0\0\0\x05\0\x02me\0")]
        {
            let mut w = Writer::new();
            header.encode(&mut w, version).unwrap();
            assert_eq!(w.into_vec(), bytes);
            let mut r = Reader::new(Bytes::from_static(bytes));
            assert_eq!(RequestHeader::decode(&mut r, version).unwrap(), header);
            r.finish().unwrap();
        }
        assert!(header.encode(&mut Writer::new(), 0).is_err());
    }

    #[test]
    fn response_header_skips_tagged_fields() {
        let mut r = Reader::new(Bytes::from_static(b"\0\0\0\x07\x01\x05\x03abc!"));
        assert_eq!(ResponseHeader::decode(&mut r, 1).unwrap().correlation_id, 7);
        assert_eq!(r.remaining(), 1);
    }
}
