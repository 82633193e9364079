//! Connects over TLS, with a client certificate if there is one, from a properties file or from arguments.
//!
//! `cargo run --example tls --features rustls -- --bootstrap HOST:9093 ssl.truststore.location=ca.pem
//! [ssl.keystore.location=client.pem] [ssl.key.password=…]`
//!
//! Without arguments it shows how kavka tells that something is wrong: with the options, and with the peer.

use std::net::TcpListener;
use std::time::Duration;

use kavka::KafkaProducer;
use kavka::config::SecurityProtocol;

fn main() -> kavka::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag, servers, options @ ..] if flag == "--bootstrap" => connect(servers, options),
        _ => {
            show_faults();
            Ok(())
        }
    }
}

fn connect(servers: &str, options: &[String]) -> kavka::Result<()> {
    let mut builder =
        KafkaProducer::builder().bootstrap_servers(servers).security_protocol(SecurityProtocol::Ssl);
    for option in options {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        builder = builder.set(name, value);
    }
    let producer = builder.build()?;
    producer.bootstrap(Duration::from_secs(15))?;
    println!("connected to {servers} over TLS");
    Ok(producer.close(Duration::from_secs(5))?)
}

/// The options are wrong in three ways, and the peer is no broker.
fn show_faults() {
    let wrong = KafkaProducer::builder()
        .set("security.protocol", "SSL")
        .set("ssl.truststore.location", "/no/such/ca.pem")
        .set("ssl.keystore.type", "JKS")
        .set("ssl.keystore.key", "-----BEGIN PRIVATE KEY-----")
        .build();
    if let Err(error) = wrong {
        println!("build() tells every fault at once: {error}\n");
    }

    // Nobody answers here, so the handshake ends with the setup timeout.
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return };
    let Ok(address) = listener.local_addr() else { return };
    let silent = KafkaProducer::builder()
        .bootstrap_servers(address.to_string())
        .security_protocol(SecurityProtocol::Ssl)
        // Only so that this example needs no certificates; a warning in the log says what it means.
        .ssl_verify(false)
        .socket_connection_setup_timeout(Duration::from_millis(300))
        .build();
    match silent {
        Ok(producer) => {
            if let Err(error) = producer.bootstrap(Duration::from_secs(1)) {
                println!("and every call tells what stands in its way: {error}");
            }
        }
        Err(error) => println!("{error}"),
    }
}
