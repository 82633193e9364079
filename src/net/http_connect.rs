//! HTTP proxies: a tunnel by CONNECT (RFC 9110, 9.3.6), with Basic authorization (RFC 7617).

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::LocalBoxFuture;

use super::event_loop::Net;
use super::inet::{Address, Connector};
use super::proxy::{ProxyUrl, read_some, write_all};
use super::transport::{BoxStream, Stream, what_speaks};
use crate::error::{Error, ErrorKind, Result};

/// Connects through an HTTP proxy, which looks the names up.
pub struct HttpConnect {
    proxy: ProxyUrl,
    below: Arc<dyn Connector>,
}

impl HttpConnect {
    /// Goes through `proxy`, which `below` connects to.
    pub fn new(proxy: &ProxyUrl, below: Arc<dyn Connector>) -> Self {
        Self { proxy: proxy.clone(), below }
    }

    async fn open(&self, net: &Net, address: &Address, deadline: Instant) -> Result<BoxStream> {
        let mut stream = self.below.connect(net, self.proxy.address(), deadline).await?;
        let lost = |error: io::Error| {
            Error::new(ErrorKind::Connection, "the connection was lost").with_source(error)
        };
        write_all(&mut stream, &self.request(address)).await.map_err(lost)?;
        let mut answer = Vec::new();
        let mut buf = [0; 1024];
        loop {
            if let Some(length) = check_answer(&answer, self.proxy.credentials().is_some())? {
                let rest = answer.split_off(length);
                if rest.is_empty() {
                    return Ok(stream);
                }
                return Ok(Box::new(Resumed { rest, stream }));
            }
            match read_some(&mut stream, &mut buf).await.map_err(lost)? {
                0 => {
                    return Err(Error::new(
                        ErrorKind::Connection,
                        "closed the connection instead of answering",
                    ));
                }
                count => answer.extend_from_slice(buf.get(..count).unwrap_or_default()),
            }
        }
    }

    fn request(&self, address: &Address) -> Vec<u8> {
        let mut request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n");
        if let Some(credentials) = self.proxy.credentials() {
            let pair = [credentials.user.reveal(), b":", credentials.password.reveal()].concat();
            request.push_str(&format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(pair)));
        }
        request.push_str("\r\n");
        request.into_bytes()
    }
}

impl Connector for HttpConnect {
    fn connect<'a>(
        &'a self,
        net: &'a Net,
        address: &'a Address,
        deadline: Instant,
    ) -> LocalBoxFuture<'a, Result<BoxStream>> {
        Box::pin(async move {
            let asking = || "no answer in time".to_owned();
            let opened = net.within(deadline, asking, self.open(net, address, deadline)).await;
            opened.map_err(|error| error.context(format_args!("proxy {}", self.proxy)))
        })
    }
}

/// A proxy may say this much before its answer has to end.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The length of the proxy's answer, when it is complete and says that there is a tunnel now; `None` while more of it
/// has to come. `with_login` tells whether the request had credentials.
///
/// # Errors
/// [`ErrorKind::Authentication`] or [`ErrorKind::Connection`] with the proxy's reason, [`ErrorKind::Protocol`] when it
/// is no such answer.
pub fn check_answer(answer: &[u8], with_login: bool) -> Result<Option<usize>> {
    let mut start = 0;
    loop {
        let rest = answer.get(start..).unwrap_or_default();
        if !rest.starts_with(HTTP.get(..rest.len().min(HTTP.len())).unwrap_or_default()) {
            let is = what_speaks(rest)
                .map_or_else(|| "its answer is of another kind".to_owned(), |peer| format!("it is {peer}"));
            return Err(Error::new(ErrorKind::Protocol, format!("is no HTTP proxy: {is}")));
        }
        let Some(end) = rest.windows(END.len()).position(|window| window == END) else {
            if rest.len() > LONGEST_ANSWER {
                let text = format!("its answer does not end within {LONGEST_ANSWER} bytes");
                return Err(Error::new(ErrorKind::Protocol, text));
            }
            return Ok(None);
        };
        let head = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let mut words = status_line.splitn(3, ' ');
        let status = words.nth(1).and_then(|word| word.parse::<u16>().ok()).ok_or_else(|| {
            Error::new(ErrorKind::Protocol, "answered without a status, as no HTTP proxy does")
        })?;
        start += end + END.len();
        match status {
            // Something interim; the answer follows.
            100..=199 => {}
            200..=299 => return Ok(Some(start)),
            _ => return Err(refused(status, words.next().unwrap_or_default(), lines, with_login)),
        }
    }
}

const HTTP: &[u8] = b"HTTP/1.";
const END: &[u8] = b"\r\n\r\n";

fn refused<'a>(status: u16, reason: &str, headers: impl Iterator<Item = &'a str>, with_login: bool) -> Error {
    let said = format!("HTTP {status} {}", printable(reason)).trim_end().to_owned();
    let (kind, text) = match status {
        // tinyproxy says 401 to a wrong password.
        401 | 407 => {
            let asks: Vec<String> = headers
                .filter_map(|line| line.split_once(':'))
                .filter(|(name, _)| name.trim().eq_ignore_ascii_case("proxy-authenticate"))
                .filter_map(|(_, value)| value.split_whitespace().next().map(printable))
                .collect();
            let asks =
                if asks.is_empty() { String::new() } else { format!("; it asks for {}", asks.join(", ")) };
            let text = if with_login {
                format!("refused the user or the password of proxy_url ({said}{asks})")
            } else {
                format!("wants a login: put user:password@ before its host in proxy_url ({said}{asks})")
            };
            (ErrorKind::Authentication, text)
        }
        403 => {
            (ErrorKind::Connection, format!("forbids this connection; many allow port 443 alone ({said})"))
        }
        400 | 405 | 501 => (
            ErrorKind::Connection,
            format!("does not make tunnels (CONNECT), or not to this address ({said})"),
        ),
        404 | 502 | 503 => {
            (ErrorKind::Connection, format!("cannot reach the host, or cannot resolve its name ({said})"))
        }
        504 => (ErrorKind::Connection, format!("ran out of time on the way to the host ({said})")),
        _ => (ErrorKind::Connection, format!("refused the connection ({said})")),
    };
    Error::new(kind, text)
}

/// What a stranger says, cut and cleaned for a log.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// A stream of which some was read already.
struct Resumed {
    rest: Vec<u8>,
    stream: BoxStream,
}

impl Stream for Resumed {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.rest.is_empty() {
            return self.stream.poll_read(cx, buf);
        }
        let count = self.rest.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(self.rest.drain(..count)) {
            *to = from;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn describe(&self) -> String {
        self.stream.describe()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_may_come_in_pieces_and_behind_interim_ones() {
        let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nfirst bytes of the tunnel";
        let end = answer.len() - b"first bytes of the tunnel".len();
        for length in 0..end {
            assert_eq!(check_answer(&answer[..length], false).unwrap(), None, "{length}");
        }
        for length in end..answer.len() {
            assert_eq!(check_answer(&answer[..length], false).unwrap(), Some(end));
        }
    }

    #[test]
    fn what_a_proxy_says_is_cut_and_cleaned() {
        let answer = format!("HTTP/1.1 500 \u{1b}[31m{}\r\n\r\n", "x".repeat(500));
        let text = check_answer(answer.as_bytes(), false).unwrap_err().to_string();
        assert!(!text.contains('\u{1b}') && text.len() < 200, "{text}");
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300), with_login: bool) {
            let _ = check_answer(&bytes, with_login);
            let _ = check_answer(&[b"HTTP/1.1 ".as_slice(), &bytes].concat(), with_login);
            let _ = check_answer(&[b"HTTP/1.1 407 ".as_slice(), &bytes, END].concat(), with_login);
        }
    }
}
