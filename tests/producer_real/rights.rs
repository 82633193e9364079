//! A producer whose user lacks a right: each refusal names itself, nothing is broken by it, and with the right granted
//! the same producer goes on.

use kavka::admin::{Acl, AclFilter, AclOperation, ResourcePattern};
use kavka::producer::ProducerBuilder;
use kavka::{ConsumerGroupMetadata, Error, ErrorCode, TopicPartition};
use support::kafka::wait_until;

use super::*;

const PRINCIPAL: &str = "User:carol";

/// One broker where carol may do nothing, and whoever needs no login everything.
fn guarded() -> Cluster {
    Cluster::start(1, |config| {
        config
            .listener("CLIENT", "SASL_PLAINTEXT")
            .set("listener.name.client.sasl.enabled.mechanisms", "PLAIN")
            .set(
                "listener.name.client.plain.sasl.jaas.config",
                "org.apache.kafka.common.security.plain.PlainLoginModule required user_carol=\"secret\";",
            )
            .set("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
            .set("super.users", "User:ANONYMOUS")
            .set("auto.create.topics.enable", true);
    })
}

fn carol(cluster: &Cluster) -> ProducerBuilder {
    KafkaProducer::builder()
        .bootstrap_servers(cluster.listener("CLIENT"))
        .set("security.protocol", "SASL_PLAINTEXT")
        .set("sasl.mechanism", "PLAIN")
        .sasl_plain_username("carol")
        .sasl_plain_password("secret")
        .max_block(PATIENCE)
}

struct Rights(KafkaAdminClient);

impl Rights {
    fn of(cluster: &Cluster) -> Self {
        Self(KafkaAdminClient::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap())
    }

    fn grant(&self, operation: AclOperation, on: ResourcePattern) {
        for (_, result) in self.0.create_acls([Acl::allow(PRINCIPAL, operation, on)]).unwrap() {
            result.unwrap();
        }
    }

    fn take(&self, operation: AclOperation) {
        let filter = AclFilter::new().principal(PRINCIPAL).operation(operation);
        for (_, result) in self.0.delete_acls([filter]).unwrap() {
            assert!(!result.unwrap().is_empty());
        }
    }
}

#[track_caller]
fn refused(error: &Error, code: ErrorCode) {
    assert_eq!((error.kind(), error.code()), (ErrorKind::Authorization, Some(code)), "{error}");
    assert!(!error.is_fatal() && !error.maybe_written(), "{error}");
}

/// One record, acknowledged or not.
fn deliver(producer: &KafkaProducer, topic: &str, value: &str) -> Result<Option<i64>, Error> {
    let record = ProducerRecord::new(topic).partition(0).value(value);
    producer.send(record)?.get(PATIENCE).map(|metadata| metadata.offset())
}

/// Sends until it is taken: brokers learn of an entry a moment after it was made.
fn deliver_soon(producer: &KafkaProducer, topic: &str, value: &str) {
    wait_until("the right counts", PATIENCE, || match deliver(producer, topic, value) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Authorization, "{error}");
            false
        }
    });
}

#[test]
fn a_producer_goes_on_when_its_rights_are_granted() {
    let cluster = guarded();
    let rights = Rights::of(&cluster);
    cluster.create_topic("orders", 1, &[]);
    cluster.create_topic("others", 1, &[]);
    let builders = [
        ("asked for", carol(&cluster).enable_idempotence(true)),
        ("by default", carol(&cluster)),
        ("none", carol(&cluster).enable_idempotence(false)),
    ];
    let producers = builders.map(|(name, builder)| (name, builder.build().unwrap()));

    // What she may not even see is refused at once, not after max_block.
    let began = Instant::now();
    for (name, producer) in &producers {
        let error = producer.send(ProducerRecord::new("orders").value(name)).unwrap_err();
        refused(&error, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        assert_eq!(error.topic(), Some("orders"));
    }
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());

    // Without the right to write anything there is no producer id, and no record either.
    rights.grant(AclOperation::Describe, ResourcePattern::topic("orders"));
    for (name, producer) in &producers {
        let mut refusal = None;
        wait_until("the topic is seen", PATIENCE, || {
            refusal = producer.send(ProducerRecord::new("orders").value(name)).ok();
            refusal.is_some()
        });
        let error = refusal.unwrap().get(PATIENCE).unwrap_err();
        if *name == "asked for" {
            refused(&error, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
            assert!(error.to_string().contains("enable.idempotence"), "{error}");
        } else {
            refused(&error, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        }
    }

    // With the producer id alone it is the topic that is refused.
    rights.grant(AclOperation::IdempotentWrite, ResourcePattern::cluster());
    wait_until("a producer id is given", PATIENCE, || {
        let error = deliver(&producers[0].1, "orders", "no").unwrap_err();
        error.code() == Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
    });

    rights.grant(AclOperation::Write, ResourcePattern::topic("orders"));
    for (name, producer) in &producers {
        deliver_soon(producer, "orders", name);
    }
    // A right that goes and comes back: order is kept, nothing is doubled.
    let handles = |round: u32| {
        let (_, producer) = &producers[0];
        let values: Vec<String> = (0..50).map(|index| format!("{round}/{index}")).collect();
        let send =
            |value: &String| producer.send(ProducerRecord::new("orders").partition(0).value(value)).unwrap();
        let handles: Vec<_> = values.iter().map(send).collect();
        values.into_iter().zip(handles.into_iter().map(|handle| handle.get(PATIENCE))).collect::<Vec<_>>()
    };
    let mut all = handles(0);
    assert!(all.iter().all(|(_, outcome)| outcome.is_ok()));
    rights.take(AclOperation::Write);
    for round in 1.. {
        let more = handles(round);
        let is_over = more.iter().any(|(_, outcome)| outcome.is_err());
        all.extend(more);
        if is_over {
            break;
        }
    }
    rights.grant(AclOperation::Write, ResourcePattern::topic("orders"));
    for round in 1_000.. {
        let more = handles(round);
        let is_over = more.iter().all(|(_, outcome)| outcome.is_ok());
        all.extend(more);
        if is_over {
            break;
        }
    }
    let expected: Vec<String> = producers.iter().map(|(name, _)| (*name).to_owned()).collect();
    let taken = all.into_iter().filter_map(|(value, outcome)| match outcome {
        Ok(_) => Some(value),
        Err(error) => {
            refused(&error, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
            None
        }
    });
    let expected: Vec<String> = expected.into_iter().chain(taken).collect();
    let text = |value: Option<Vec<u8>>| String::from_utf8(value.unwrap()).unwrap();
    let read = peers::kcat_consume(&cluster.bootstrap(), "orders", expected.len(), &[]);
    assert_eq!(read.into_iter().map(|record| text(record.value)).collect::<Vec<_>>(), expected);

    // The other topic is none of hers, and one that there is not she may not create.
    let (_, producer) = &producers[0];
    refused(&deliver(producer, "others", "no").unwrap_err(), ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    refused(&deliver(producer, "fresh", "no").unwrap_err(), ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    rights.grant(AclOperation::Write, ResourcePattern::topic("fresh"));
    rights.grant(AclOperation::Create, ResourcePattern::topic("fresh"));
    deliver_soon(producer, "fresh", "created");
    deliver_soon(producer, "orders", "and on it goes");
}

#[test]
fn transactions_go_on_when_their_rights_are_granted() {
    let cluster = guarded();
    let rights = Rights::of(&cluster);
    for topic in ["orders", "others"] {
        cluster.create_topic(topic, 1, &[]);
        rights.grant(AclOperation::Describe, ResourcePattern::topic(topic));
    }
    rights.grant(AclOperation::Write, ResourcePattern::topic("orders"));
    let producer = carol(&cluster).transactional_id("billing").build().unwrap();

    let error = producer.init_transactions().unwrap_err();
    refused(&error, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    assert!(!error.requires_abort(), "there is nothing to abort: {error}");
    rights.grant(AclOperation::Write, ResourcePattern::transactional_id("billing"));
    wait_until("the transactional id is hers", PATIENCE, || match producer.init_transactions() {
        Ok(()) => true,
        Err(error) => {
            refused(&error, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
            false
        }
    });
    producer.begin_transaction().unwrap();
    deliver(&producer, "orders", "0").unwrap();
    producer.commit_transaction().unwrap();

    // A topic: the transaction is lost, and the next one works.
    producer.begin_transaction().unwrap();
    deliver(&producer, "orders", "lost with the other").unwrap();
    let error = deliver(&producer, "others", "no").unwrap_err();
    refused(&error, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    assert!(error.requires_abort(), "{error}");
    assert!(producer.commit_transaction().unwrap_err().requires_abort());
    producer.abort_transaction().unwrap();

    // A group.
    let offsets = |offset: i64| [(TopicPartition::new("orders", 0), offset)];
    let group = ConsumerGroupMetadata::new("billing");
    producer.begin_transaction().unwrap();
    deliver(&producer, "orders", "lost with the offsets").unwrap();
    let error = producer.send_offsets_to_transaction(offsets(1), &group).unwrap_err();
    refused(&error, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    assert!(error.requires_abort(), "{error}");
    producer.abort_transaction().unwrap();
    rights.grant(AclOperation::Read, ResourcePattern::group("billing"));
    rights.grant(AclOperation::Read, ResourcePattern::topic("orders"));
    wait_until("the group is hers", PATIENCE, || {
        producer.begin_transaction().unwrap();
        deliver(&producer, "orders", "1").unwrap();
        let sent = producer.send_offsets_to_transaction(offsets(1), &group);
        match sent {
            Ok(()) => producer.commit_transaction().unwrap(),
            Err(_) => producer.abort_transaction().unwrap(),
        }
        sent.is_ok()
    });

    // The right to the transactional id goes while a transaction is open.
    producer.begin_transaction().unwrap();
    deliver(&producer, "orders", "lost with the right").unwrap();
    rights.take(AclOperation::Write);
    wait_until("the right is gone", PATIENCE, || match producer.abort_transaction() {
        Ok(()) => {
            producer.begin_transaction().unwrap();
            let _ = deliver(&producer, "orders", "lost, too");
            false
        }
        Err(error) => {
            refused(&error, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
            assert!(error.requires_abort(), "{error}");
            true
        }
    });
    rights.grant(AclOperation::Write, ResourcePattern::transactional_id("billing"));
    rights.grant(AclOperation::Write, ResourcePattern::topic("orders"));
    wait_until("the transaction is ended", PATIENCE, || producer.abort_transaction().is_ok());
    wait_until("transactions work again", PATIENCE, || {
        producer.begin_transaction().unwrap();
        let sent = deliver(&producer, "orders", "2");
        match &sent {
            Ok(_) => producer.commit_transaction().unwrap(),
            Err(error) => {
                assert!(error.requires_abort(), "{error}");
                producer.abort_transaction().unwrap();
            }
        }
        sent.is_ok()
    });
    let property = ["-X", "isolation.level=read_committed"];
    let read = peers::kcat_consume(&cluster.bootstrap(), "orders", 3, &property);
    let text = |value: Option<Vec<u8>>| String::from_utf8(value.unwrap()).unwrap();
    assert_eq!(read.into_iter().map(|record| text(record.value)).collect::<Vec<_>>(), ["0", "1", "2"]);
}
