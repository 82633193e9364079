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
use crate::error::{Error, ErrorKind, Result, printable};

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
        let request = self.request(address)?;
        let mut stream = self.below.connect(net, self.proxy.address(), deadline).await?;
        let lost = |error: io::Error| {
            Error::new(ErrorKind::Connection, "the connection was lost").with_source(error)
        };
        write_all(&mut stream, &request).await.map_err(lost)?;
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

    fn request(&self, address: &Address) -> Result<Vec<u8>> {
        // A line end in the host would be one of the request.
        address.check()?;
        let mut request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n");
        if let Some(credentials) = self.proxy.credentials() {
            let pair = [credentials.user.reveal(), b":", credentials.password.reveal()].concat();
            request.push_str(&format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(pair)));
        }
        request.push_str("\r\n");
        Ok(request.into_bytes())
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

/// A proxy may say this much before its answer has to end, everything interim included.
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
        if start > LONGEST_ANSWER {
            return Err(too_long());
        }
        let rest = answer.get(start..).unwrap_or_default();
        if !rest.starts_with(HTTP.get(..rest.len().min(HTTP.len())).unwrap_or_default()) {
            let is = what_speaks(rest)
                .map_or_else(|| "its answer is of another kind".to_owned(), |peer| format!("it is {peer}"));
            return Err(Error::new(ErrorKind::Protocol, format!("is no HTTP proxy: {is}")));
        }
        let Some(end) = rest.windows(END.len()).position(|window| window == END) else {
            return if answer.len() > LONGEST_ANSWER { Err(too_long()) } else { Ok(None) };
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

fn too_long() -> Error {
    Error::new(ErrorKind::Protocol, format!("its answer does not end within {LONGEST_ANSWER} bytes"))
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
                .filter_map(|(_, value)| value.split_whitespace().next())
                .map(|way| printable(way).to_string())
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
    fn no_host_brings_lines_of_its_own_into_the_request() {
        let proxy = HttpConnect::new(&"http://proxy:3128".parse().unwrap(), Arc::new(Nowhere));
        let request = |host: &str| proxy.request(&Address { host: host.to_owned(), port: 9092 });
        let good = request("broker.example.com").unwrap();
        assert_eq!(
            good,
            b"CONNECT broker.example.com:9092 HTTP/1.1\r\nHost: broker.example.com:9092\r\n\r\n"
        );
        for host in ["a HTTP/1.1\r\nEvil: 1\r\n\r\n", "a\nb", "a b", "a\0b", ""] {
            let error = request(host).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Dns);
            assert!(!error.to_string().contains(char::is_control), "{error}");
        }
    }

    struct Nowhere;

    impl Connector for Nowhere {
        fn connect<'a>(
            &'a self,
            _: &'a Net,
            _: &'a Address,
            _: Instant,
        ) -> LocalBoxFuture<'a, Result<BoxStream>> {
            Box::pin(async { Err(Error::new(ErrorKind::Connection, "nowhere")) })
        }
    }

    #[test]
    fn what_a_proxy_says_is_cut_and_cleaned() {
        for status in ["500 ", "407 x\r\nProxy-Authenticate: "] {
            let answer = format!("HTTP/1.1 {status}\u{1b}[31m{}\r\n\r\n", "x".repeat(5000));
            let text = check_answer(answer.as_bytes(), false).unwrap_err().to_string();
            assert!(text.contains("[31mx") && !text.contains('\u{1b}') && text.len() < 1500, "{text}");
        }
    }

    #[test]
    fn interim_answers_do_not_go_on_for_ever() {
        let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut answer = Vec::new();
        let error = loop {
            answer.extend_from_slice(interim);
            assert!(answer.len() <= LONGEST_ANSWER + 2 * interim.len(), "no end");
            match check_answer(&answer, false) {
                Ok(end) => assert_eq!(end, None),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.to_string().contains("does not end"), "{error}");
        // All of it at once, with the answer behind.
        let late = [interim.repeat(LONGEST_ANSWER / interim.len() + 1), b"HTTP/1.1 200 OK\r\n\r\n".to_vec()]
            .concat();
        assert!(check_answer(&late, false).is_err());
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
