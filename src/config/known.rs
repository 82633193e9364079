//! Why a key is not an option of a client: a slip of the pen, another client's, or not in kavka yet.

use super::Client;

/// The text for a key that `client` does not have.
pub(super) fn why_unknown(client: Client, key: &str) -> String {
    let owners: Vec<String> = Client::ALL
        .into_iter()
        .filter(|owner| owner.options().any(|option| option.property == key || option.python_name == key))
        .map(|owner| format!("the {owner}"))
        .collect();
    if !owners.is_empty() {
        return format!("{key} is an option of {}, not of the {client}", owners.join(" and "));
    }
    let dotted = key.replace('_', ".");
    if let Some((_, reason)) = ELSEWHERE.iter().find(|(pattern, _)| match pattern.strip_suffix('*') {
        Some(prefix) => dotted.starts_with(prefix),
        None => dotted == *pattern,
    }) {
        return format!("{key} {reason}");
    }
    match nearest_option(client, key) {
        Some(option) => format!("{key} is not an option of the {client}; did you mean {option}?"),
        None => format!("{key} is not an option of the {client}"),
    }
}

/// The option whose name is most like the key, in the style that the key is written in, if one is like it at all.
fn nearest_option(client: Client, key: &str) -> Option<&'static str> {
    let names = |option: &'static super::OptionInfo| [option.property, option.python_name, option.name];
    let nearest = nearest(key, client.options().flat_map(names))?;
    let option = client.options().find(|option| names(option).contains(&nearest))?;
    Some(if key.contains('_') { option.python_name } else { option.property })
}

/// The name that is most like a word, if one is like it at all.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(word);
    names
        .map(|name| (edit_distance(&wanted, &plain(name)), name))
        .filter(|(distance, _)| *distance <= (wanted.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Names are compared without their separators and case. A key that is longer than any name is cut, so that the
/// work is bounded.
fn plain(name: &str) -> Vec<char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(80).collect()
}

/// How many letters have to be added, dropped or changed to get from one to the other.
fn edit_distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, a) in from.iter().enumerate() {
        let mut left = index + 1;
        let mut next = vec![left];
        for (b, above) in to.iter().zip(row.windows(2)) {
            let &[diagonal, above] = above else { break };
            left = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Keys of Kafka and kafka-python that kavka's tables do not have, and why. Written with dots; a `*` stands for
/// any rest.
const ELSEWHERE: &[(&str, &str)] = &[
    ("ssl.ca.location", "is librdkafka's; here it is ssl.truststore.location (or ssl_cafile)"),
    ("ssl.certificate.location", "is librdkafka's; here it is ssl.keystore.location (or ssl_certfile)"),
    ("enable.ssl.certificate.verification", "is librdkafka's; here it is ssl.verify"),
    ("ssl.context", TYPED),
    (
        "ssl.engine.factory.class",
        "names a class of the JVM; here a TlsContext is given by the builder's method ssl_context",
    ),
    ("ssl.provider", "names a provider of the JVM; here ssl.backend chooses between rustls and native-tls"),
    ("ssl.keymanager.algorithm", JAVA),
    ("ssl.trustmanager.algorithm", JAVA),
    ("ssl.secure.random.implementation", JAVA),
    ("sasl.login.class", JAVA),
    ("sasl.login.refresh.*", TOKENS),
    ("sasl.login.retry.*", TOKENS),
    ("sasl.kerberos.*", "is for Kafka's own clients; the system's Kerberos library looks after tickets here"),
    ("sasl.oauthbearer.*", "is for brokers"),
    ("sasl.server.*", "is for brokers"),
    ("security.providers", JAVA),
    ("socks5.proxy", "is kafka-python's old name of proxy_url; use that"),
    ("transaction.two.phase.commit.enable", NOT_YET),
    ("metric.reporters", "takes classes of Kafka's own clients; read `metrics()` from any thread instead"),
    (
        "metric.group.prefix",
        "is kafka-python's; kavka's groups of metrics have the names that Kafka's own clients give them",
    ),
    ("metrics.recording.level", "is not needed: kavka measures everything it has a metric for"),
    ("enable.metrics.push", NOT_YET),
    ("interceptor.classes", JAVA),
    ("config.providers*", JAVA),
    ("auto.include.jmx.reporter", JAVA),
    ("key.serializer*", TYPED),
    ("value.serializer*", TYPED),
    ("key.deserializer*", TYPED),
    ("value.deserializer*", TYPED),
    ("default.offset.commit.callback", TYPED),
    ("metadata.max.idle.ms", NOT_YET),
    ("bootstrap.controllers", NOT_YET),
    ("share.*", NOT_YET),
    ("internal.*", "is internal to Kafka's own clients"),
    ("socket.options", "is kafka-python's; kavka's sockets always have TCP_NODELAY and SO_KEEPALIVE"),
    (
        "bootstrap.timeout.ms",
        "is kafka-python's; kavka connects when it has to, and each call has its own bound",
    ),
    ("selector", PYTHON),
    ("net", PYTHON),
    ("kafka.client", PYTHON),
];

const NOT_YET: &str = "is not supported by this version of kavka yet";
const JAVA: &str = "is for Kafka's own clients, which run on the JVM; kavka has nothing like it";
const TOKENS: &str = "is for Kafka's own clients; kavka asks for a token when a login needs one and that part of its \
                      life is over that sasl.login.refresh.window.factor names, and pauses as for connections";
const PYTHON: &str = "is about the inside of kafka-python; kavka has nothing like it";
const TYPED: &str = "cannot be given as a string; use the builder's method for it";
