//! What serializers are given, and what becomes of their errors.

use std::error::Error as _;

use kavka::Headers;
use kavka::serializer::from_context_fn;

use super::*;

#[test]
fn serializers_see_the_topic_and_the_headers() {
    let cluster = MockCluster::builder().topic("orders", 1).topic("bills", 1).start().unwrap();
    let marked = |what: &'static str| {
        from_context_fn(move |topic: &str, headers: &Headers, text: &str| {
            let version = headers.iter().find(|header| header.key == "version");
            let version = version.and_then(|header| header.value.clone()).unwrap_or_default();
            let version = String::from_utf8_lossy(&version).into_owned();
            Ok::<_, Error>(format!("{what} {text} of {topic} {version}").into_bytes())
        })
    };
    let producer =
        builder(&cluster).key_serializer(marked("key")).value_serializer(marked("value")).build().unwrap();
    for topic in ["orders", "bills"] {
        let record = ProducerRecord::new(topic).key("k").value("v").header("version", "2");
        producer.send(record).unwrap().get(PATIENCE).unwrap();
        let written = &cluster.records(topic, 0)[0];
        assert_eq!(written.key_str(), format!("key k of {topic} 2"));
        assert_eq!(written.value_str(), format!("value v of {topic} 2"));
    }
}

#[test]
fn errors_of_serializers_keep_their_cause_and_say_where() {
    let cluster = cluster(1);
    fn number(text: &str) -> kavka::Result<Vec<u8>> {
        let number = text.parse::<u32>();
        let number =
            number.map_err(|cause| Error::new(ErrorKind::Serialization, "no number").with_source(cause))?;
        Ok(number.to_be_bytes().to_vec())
    }
    let numbers = || from_fn(number);
    let producer = builder(&cluster).key_serializer(numbers()).value_serializer(numbers()).build().unwrap();
    for (key, value, part) in [("one", "1", "key: "), ("1", "one", "value: ")] {
        let error = producer.send(ProducerRecord::new("orders").key(key).value(value)).unwrap_err();
        assert_eq!((error.kind(), error.topic()), (ErrorKind::Serialization, Some("orders")), "{error}");
        assert!(error.to_string().contains(part), "{error}");
        // The program's own error, by its type.
        let mut cause = error.source();
        while let Some(inner) = cause.filter(|inner| !inner.is::<std::num::ParseIntError>()) {
            cause = inner.source();
        }
        assert!(cause.is_some(), "{error:?}");
    }
    producer.send(ProducerRecord::new("orders").key("1").value("2")).unwrap().get(PATIENCE).unwrap();
    assert_eq!(cluster.records("orders", 0).len(), 1);
    assert_eq!(producer.buffer_available_bytes(), producer.config().buffer_memory);
}
