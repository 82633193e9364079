//! A protocol of one's own on kavka's event loop: frames to a server that is no Kafka broker, many at a time, on one
//! thread and without an async runtime.
//!
//! `cargo run --example net_protocol`

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kavka::config::CommonConfig;
use kavka::net::bridge::IoThread;
use kavka::net::chain;
use kavka::net::clock::Clock;
use kavka::net::event_loop::Net;
use kavka::net::inet::Address;
use kavka::net::transport::{FrameReader, Transport};

/// Asks a server for one answer: a connection, a frame there, a frame back.
async fn ask(net: Net, server: Address, question: String, deadline: Instant) -> kavka::Result<String> {
    // The options say how: plain TCP here, but a proxy or TLS would be no other code.
    let connector = chain::connector(&CommonConfig::default())?;
    let stream = connector.connect(&net, &server, deadline).await?;
    let transport = Transport::new(stream);
    let length = u32::try_from(question.len()).unwrap_or_default();
    transport.write([Bytes::copy_from_slice(&length.to_be_bytes()), Bytes::from(question)]);
    let mut frames = FrameReader::new(1024);
    let answer = net.within(deadline, || "the answer".to_owned(), frames.next(&transport)).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn main() -> kavka::Result<()> {
    let server =
        serve().map_err(|error| kavka::Error::new(kavka::ErrorKind::Connection, error.to_string()))?;

    // The state on the IO thread is the loop's handle alone: tasks, timers and sockets come from it.
    let clock = Clock::system();
    let io = IoThread::start("example-io", clock, |net| Ok(net.clone()))?;
    let deadline = clock.deadline(Duration::from_secs(10));
    let questions: Vec<_> = (1..=20)
        .map(|number| {
            let (server, question) = (server.clone(), format!("question {number}"));
            // Each is a task of its own; the channel has the answer once it is there.
            io.remote().ask(move |net| ask(Net::clone(&net), server, question, deadline))
        })
        .collect();
    for (number, answer) in (1..).zip(questions) {
        let answer = answer.recv_deadline(deadline).unwrap_or_else(|_| Err(io.remote().gone()))?;
        assert_eq!(answer, format!("QUESTION {number}"));
    }
    println!("20 answers by one thread");
    assert!(io.shutdown(Duration::from_secs(5)), "the thread has ended");
    Ok(())
}

/// A server that answers each frame in capital letters.
fn serve() -> std::io::Result<Address> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || -> std::io::Result<()> {
                let mut length = [0; 4];
                while stream.read_exact(&mut length).is_ok() {
                    let mut body = vec![0; u32::from_be_bytes(length) as usize];
                    stream.read_exact(&mut body)?;
                    stream.write_all(&length)?;
                    stream.write_all(&body.to_ascii_uppercase())?;
                }
                Ok(())
            });
        }
    });
    Ok(Address { host: "127.0.0.1".to_owned(), port })
}
