//! The tables of options: names, defaults, bounds and docs.

use std::collections::BTreeSet;

use super::*;

/// Property and default of every option, written down a second time, so that none changes by accident.
const COMMON: &[(&str, &str)] = &[
    ("bootstrap.servers", "localhost:9092"),
    ("client.id", ""),
    ("request.timeout.ms", "30000"),
    ("default.api.timeout.ms", "60000"),
    ("drop.timeout.ms", "1000"),
    ("connections.max.idle.ms", "540000"),
    ("reconnect.backoff.ms", "50"),
    ("reconnect.backoff.max.ms", "30000"),
    ("retry.backoff.ms", "100"),
    ("retry.backoff.max.ms", "1000"),
    ("socket.connection.setup.timeout.ms", "10000"),
    ("socket.connection.setup.timeout.max.ms", "30000"),
    ("metadata.max.age.ms", "300000"),
    ("metadata.recovery.strategy", "rebootstrap"),
    ("metadata.recovery.rebootstrap.trigger.ms", "300000"),
    ("client.dns.lookup", "use_all_dns_ips"),
    ("proxy.url", ""),
    ("security.protocol", "PLAINTEXT"),
    ("ssl.backend", ""),
    ("ssl.truststore.location", ""),
    ("ssl.truststore.certificates", ""),
    ("ssl.truststore.type", ""),
    ("ssl.truststore.password", ""),
    ("ssl.keystore.location", ""),
    ("ssl.keystore.certificate.chain", ""),
    ("ssl.key.location", ""),
    ("ssl.keystore.key", ""),
    ("ssl.keystore.type", ""),
    ("ssl.keystore.password", ""),
    ("ssl.key.password", ""),
    ("ssl.endpoint.identification.algorithm", "https"),
    ("ssl.verify", "true"),
    ("ssl.server.name", ""),
    ("ssl.crl.location", ""),
    ("ssl.cipher.suites", ""),
    ("ssl.protocol", "TLSv1.3"),
    ("ssl.enabled.protocols", "TLSv1.2,TLSv1.3"),
    ("sasl.mechanism", ""),
    ("sasl.plain.username", ""),
    ("sasl.plain.password", ""),
    ("sasl.credentials.provider", ""),
    ("sasl.scram.token.auth", "false"),
    ("sasl.jaas.config", ""),
    ("sasl.kerberos.service.name", "kafka"),
    ("sasl.kerberos.domain.name", ""),
    ("sasl.kerberos.name", ""),
    ("sasl.kerberos.principal", ""),
    ("sasl.kerberos.keytab", ""),
    ("sasl.kerberos.kinit.cmd", "kinit"),
    ("sasl.oauth.token.provider", ""),
    ("sasl.oauthbearer.token.endpoint.url", ""),
    ("sasl.oauthbearer.client.credentials.client.id", ""),
    ("sasl.oauthbearer.client.credentials.client.secret", ""),
    ("sasl.oauthbearer.scope", ""),
    ("sasl.oauthbearer.header.urlencode", "false"),
    ("sasl.oauthbearer.assertion.file", ""),
    ("sasl.oauthbearer.assertion.private.key.file", ""),
    ("sasl.oauthbearer.assertion.private.key.passphrase", ""),
    ("sasl.oauthbearer.assertion.algorithm", "RS256"),
    ("sasl.oauthbearer.assertion.template.file", ""),
    ("sasl.oauthbearer.assertion.claim.aud", ""),
    ("sasl.oauthbearer.assertion.claim.iss", ""),
    ("sasl.oauthbearer.assertion.claim.sub", ""),
    ("sasl.oauthbearer.assertion.claim.exp.seconds", "300"),
    ("sasl.oauthbearer.assertion.claim.nbf.seconds", "60"),
    ("sasl.oauthbearer.assertion.claim.jti.include", "false"),
    ("sasl.login.connect.timeout.ms", ""),
    ("sasl.login.read.timeout.ms", ""),
    ("sasl.login.refresh.window.factor", "0.8"),
    ("sasl.aws.credentials.provider", ""),
    ("sasl.aws.profile", ""),
    ("sasl.aws.region", ""),
    ("sasl.login.callback.handler.class", ""),
    ("sasl.client.callback.handler.class", ""),
    ("sasl.oauthbearer.jwt.retriever.class", ""),
    ("max.in.flight.requests.per.connection", "5"),
    ("receive.message.max.bytes", "100000000"),
    ("receive.buffer.bytes", ""),
    ("send.buffer.bytes", ""),
    ("api.version", ""),
    ("metrics.enabled", "true"),
    ("metrics.sample.window.ms", "30000"),
    ("metrics.num.samples", "2"),
];
const PRODUCER: &[(&str, &str)] = &[
    ("acks", "all"),
    ("enable.idempotence", "true"),
    ("delivery.timeout.ms", "120000"),
    ("retries", "2147483647"),
    ("linger.ms", "0"),
    ("batch.size", "16384"),
    ("buffer.memory", "33554432"),
    ("max.block.ms", "60000"),
    ("transactional.id", ""),
    ("transaction.timeout.ms", "60000"),
    ("max.request.size", "1048576"),
    ("compression.type", "none"),
    ("compression.gzip.level", "-1"),
    ("compression.lz4.level", "9"),
    ("compression.zstd.level", "3"),
    ("allow.auto.create.topics", "true"),
    ("partitioner.class", "default"),
    ("partitioner.adaptive.partitioning.enable", "true"),
    ("partitioner.availability.timeout.ms", "0"),
    ("partitioner.ignore.keys", "false"),
];
const CONSUMER: &[(&str, &str)] = &[
    ("group.id", ""),
    ("group.instance.id", ""),
    ("group.protocol", "classic"),
    ("group.remote.assignor", ""),
    ("client.rack", ""),
    ("auto.offset.reset", "latest"),
    ("read.new.partitions.from.beginning", "false"),
    ("reset.on.topic.recreated", "false"),
    ("commit.starting.position", "false"),
    ("enable.auto.commit", "true"),
    ("auto.commit.interval.ms", "5000"),
    ("isolation.level", "read_uncommitted"),
    ("check.crcs", "true"),
    ("enable.incremental.fetch.sessions", "true"),
    ("fetch.max.wait.ms", "500"),
    ("fetch.min.bytes", "1"),
    ("fetch.max.bytes", "52428800"),
    ("buffer.memory", "52428800"),
    ("max.partition.fetch.bytes", "1048576"),
    ("max.decompressed.batch.bytes", "134217728"),
    ("max.poll.records", "500"),
    ("max.poll.interval.ms", "300000"),
    ("session.timeout.ms", "45000"),
    ("heartbeat.interval.ms", "3000"),
    ("partition.assignment.strategy", "range,roundrobin"),
    ("unknown.topic.grace.ms", "30000"),
    ("consumer.timeout.ms", ""),
    ("exclude.internal.topics", "true"),
    ("allow.auto.create.topics", "true"),
];

#[test]
fn defaults_are_those_of_the_reference() {
    for (client, own) in [
        (Client::Producer, PRODUCER),
        (Client::Consumer, CONSUMER),
        (Client::Admin, &[("bootstrap.controllers", "")][..]),
    ] {
        let declared: Vec<(&str, String)> =
            client.options().map(|option| (option.property, option.default_text())).collect();
        let expected: Vec<(&str, String)> =
            COMMON.iter().chain(own).map(|(property, default)| (*property, (*default).to_owned())).collect();
        assert_eq!(declared, expected, "{client}");
    }
}

#[test]
fn every_default_can_be_written_as_a_string_and_passes_the_checks() {
    for client in Client::ALL {
        for option in client.options() {
            for key in [option.property, option.python_name] {
                let faults = set_and_check(client, key, &option.default_text())
                    .unwrap_or_else(|error| panic!("{client}: {error}"));
                assert!(faults.is_empty(), "{client} {key}: {faults:?}");
            }
        }
    }
}

#[test]
fn names_are_distinct_and_follow_one_pattern() {
    for client in Client::ALL {
        let mut seen = BTreeSet::new();
        for option in client.options() {
            assert!(seen.insert(option.property), "{} twice", option.property);
            // Where Kafka and kafka-python have different names for one thing, the method has kafka-python's.
            if let Some((_, python)) = NAMED_APART.iter().find(|(property, _)| *property == option.property) {
                assert_eq!((option.python_name, option.name), (*python, *python));
                continue;
            }
            // The method `partitioner` takes what kafka-python's option does: not a name, but the thing itself.
            let python = option.property.replace("partitioner.class", "partitioner").replace('.', "_");
            assert_eq!(option.python_name, python);
            let timed = option.property.strip_suffix(".ms");
            assert_eq!(option.name, timed.unwrap_or(option.property).replace('.', "_"));
        }
    }
}

const NAMED_APART: &[(&str, &str)] = &[
    ("ssl.truststore.location", "ssl_cafile"),
    ("ssl.keystore.location", "ssl_certfile"),
    ("ssl.key.location", "ssl_keyfile"),
    ("ssl.key.password", "ssl_password"),
    ("ssl.endpoint.identification.algorithm", "ssl_check_hostname"),
    ("ssl.crl.location", "ssl_crlfile"),
    ("ssl.cipher.suites", "ssl_ciphers"),
];

#[test]
fn every_doc_ends_with_the_default() {
    for client in Client::ALL {
        for option in client.options() {
            let doc = option.doc.split_whitespace().collect::<Vec<_>>().join(" ");
            let (_, default) =
                doc.rsplit_once("Defaults to ").unwrap_or_else(|| panic!("{}: {doc}", option.name));
            assert!(doc.ends_with('.') && !default.contains(". "), "{}: {default}", option.name);
            if option.default_text().is_empty() {
                assert!(
                    ["none.", "empty."].contains(&default) || option.name == "client_id",
                    "{}: {default}",
                    option.name
                );
            }
        }
    }
}

#[test]
fn bounds_hold_on_both_ends() {
    let mut bounded = 0;
    for client in Client::ALL {
        for option in client.options() {
            let Some((low, high)) = option.bounds else { continue };
            bounded += 1;
            for inside in [low, high.min(i64::from(i32::MAX))] {
                let faults = set_and_check(client, option.property, &inside.to_string())
                    .unwrap_or_else(|error| panic!("{error}"));
                let own = format!("{} ({inside}) must be {}", option.property, option.bounds_text());
                assert!(!faults.contains(&own), "{client}: {faults:?}");
            }
            for outside in [low.checked_sub(1), high.checked_add(1)].into_iter().flatten() {
                // What the type cannot hold is refused at once, the rest by the check. Where the option may be
                // absent, -1 says so.
                let text = outside.to_string();
                match set_and_check(client, option.property, &text) {
                    Err(error) => assert!(error.to_string().contains(&text), "{error}"),
                    Ok(_) if outside == -1 && option.default_text().is_empty() => {}
                    Ok(faults) => {
                        let own = format!("{} ({outside}) must be {}", option.property, option.bounds_text());
                        assert!(faults.contains(&own), "{client}: {faults:?}");
                    }
                }
            }
        }
    }
    assert!(bounded > 60, "{bounded}");
}

#[test]
fn the_options_make_a_table() {
    let table = markdown_table(Client::Producer.options());
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2 + COMMON.len() + PRODUCER.len());
    let row = lines.iter().find(|line| line.starts_with("| `linger` ")).expect("a row for linger");
    assert!(
        row.starts_with("| `linger` | `linger.ms` | `linger_ms` | `0` | 0 to 2147483647 | How long "),
        "{row}"
    );
    for line in &lines {
        assert_eq!(line.replace("\\|", "").matches('|').count(), 7, "{line}");
    }
}
