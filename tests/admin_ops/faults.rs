//! Coordinators that move, brokers that hang or are too old, answers that are lost: on the mock.

use std::time::Duration;

use kavka::admin::{
    Acl, AclFilter, AclOperation, GroupFilter, GroupOffsetsSpec, GroupState, MemberToRemove, ResourcePattern,
    TransactionFilter,
};
use kavka::mock::{MockCluster, VersionTable};
use kavka::protocol::ApiKey;
use kavka::{ErrorCode, ErrorKind, KafkaAdminClient};

use crate::{codes, only};

fn client(cluster: &MockCluster) -> KafkaAdminClient {
    KafkaAdminClient::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .default_api_timeout(Duration::from_secs(20))
        .request_timeout(Duration::from_secs(10))
        .build()
        .expect("valid options")
}

/// Groups with an offset, enough of them that every broker coordinates one.
fn groups(cluster: &MockCluster, admin: &KafkaAdminClient) -> Vec<String> {
    let names: Vec<String> = (0..12).map(|number| format!("group-{number}")).collect();
    for name in &names {
        only(admin.alter_group_offsets(name, [(("orders", 0), 1)]).expect("an answer")).expect("set");
    }
    assert!(cluster.committed("group-0", "orders", 0).is_some());
    names
}

#[test]
fn a_coordinator_that_moves_is_followed() {
    let cluster = MockCluster::builder().brokers(3).topic("orders", 1).start().expect("a cluster");
    let admin = client(&cluster);
    let names = groups(&cluster, &admin);
    let group = names[0].as_str();
    for api in [ApiKey::OFFSET_COMMIT, ApiKey::OFFSET_FETCH, ApiKey::OFFSET_DELETE, ApiKey::DESCRIBE_GROUPS] {
        let fault = cluster.on(api).times(2).error(ErrorCode::NOT_COORDINATOR);
        match api {
            ApiKey::OFFSET_COMMIT => {
                only(admin.alter_group_offsets(group, [(("orders", 0), 2)]).expect("an answer"))
                    .expect("set");
            }
            ApiKey::OFFSET_FETCH => {
                let offsets = only(admin.list_group_offsets([group]).expect("an answer")).expect("offsets");
                assert!(matches!(&offsets[0].1, Ok(Some(offset)) if offset.offset == 2));
            }
            ApiKey::OFFSET_DELETE => {
                only(admin.delete_group_offsets(group, [("orders", 0)]).expect("an answer"))
                    .expect("deleted");
            }
            _ => {
                only(admin.describe_classic_groups([group]).expect("an answer")).expect("described");
            }
        }
        assert_eq!(fault.hits(), 2, "{api}");
    }
    let fault = cluster.on(ApiKey::DELETE_GROUPS).error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert_eq!(codes(&admin.delete_groups([group, "nobody"]).expect("an answer"))[0], None);
    assert_eq!(fault.hits(), 1);
}

#[test]
fn one_coordinator_that_hangs_costs_the_others_nothing() {
    let cluster = MockCluster::builder().brokers(3).topic("orders", 1).start().expect("a cluster");
    let admin = client(&cluster);
    let names = groups(&cluster, &admin);
    let fault = cluster.on(ApiKey::OFFSET_FETCH).broker(2).always().never_answer();
    let short = admin.with_timeout(Duration::from_secs(2));
    let listed = short.list_group_offsets(&names).expect("an answer");
    let failed: Vec<&str> =
        listed.iter().filter(|(_, offsets)| offsets.is_err()).map(|(name, _)| name.as_str()).collect();
    assert!(fault.hits() > 0 && !failed.is_empty() && failed.len() < names.len(), "{failed:?}");
    for (name, offsets) in &listed {
        match offsets {
            Ok(offsets) => assert!(matches!(&offsets[..], [(_, Ok(Some(_)))]), "{name}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
                assert!(error.to_string().contains("node 2"), "{error}");
            }
        }
    }
    // By another client: what waits for an answer on a connection holds up what comes behind it.
    let fault = cluster.on(ApiKey::LIST_GROUPS).broker(3).always().never_answer();
    let by_broker = client(&cluster)
        .with_timeout(Duration::from_secs(2))
        .list_groups(&GroupFilter::new())
        .expect("an answer");
    let answered: Vec<i32> =
        by_broker.iter().filter(|(_, groups)| groups.is_ok()).map(|(id, _)| *id).collect();
    assert_eq!((answered, fault.hits() > 0), (vec![1, 2], true));
}

#[test]
fn what_may_have_been_done_is_not_done_again() {
    let cluster = MockCluster::builder().topic("orders", 1).start().expect("a cluster");
    let admin = client(&cluster);
    groups(&cluster, &admin);
    let fault = cluster.on(ApiKey::DELETE_GROUPS).drop_after();
    let error = only(admin.delete_groups(["group-1"]).expect("asked")).expect_err("the answer is lost");
    assert_eq!((error.kind(), fault.hits()), (ErrorKind::Connection, 1));
    assert!(error.to_string().contains("may have been carried out"), "{error}");
    assert!(!error.is_retriable());
    let fault = cluster.on(ApiKey::OFFSET_DELETE).drop_after();
    let error =
        only(admin.delete_group_offsets("group-3", [("orders", 0)]).expect("asked")).expect_err("lost");
    assert_eq!((error.kind(), fault.hits()), (ErrorKind::Connection, 1));
    assert_eq!(cluster.committed("group-3", "orders", 0), None, "it was carried out");
    // What does the same thing when it is done twice is done again.
    let fault = cluster.on(ApiKey::OFFSET_COMMIT).drop_after();
    only(admin.alter_group_offsets("group-2", [(("orders", 0), 5)]).expect("an answer")).expect("set");
    assert_eq!((fault.hits(), cluster.committed("group-2", "orders", 0)), (1, Some(5)));
    let fault = cluster.on(ApiKey::CREATE_ACLS).drop_after();
    let acl = Acl::allow("User:a", AclOperation::Read, ResourcePattern::topic("orders"));
    only(admin.create_acls([acl.clone()]).expect("an answer")).expect("created");
    assert_eq!((fault.hits(), admin.describe_acls(&AclFilter::new()).expect("an answer")), (1, vec![acl]));
}

#[test]
fn old_brokers_are_not_asked_for_what_they_lack() {
    let cluster = MockCluster::builder()
        .topic("orders", 1)
        .versions(VersionTable::kafka_2_1())
        .start()
        .expect("a cluster");
    let admin = client(&cluster);
    groups(&cluster, &admin);
    // What they have works, through the old versions.
    let listed = only(admin.list_groups(&GroupFilter::new()).expect("an answer")).expect("groups");
    assert_eq!((listed.len(), &listed[0].state, &listed[0].group_type), (12, &None, &None));
    let described = admin.describe_groups(["group-0", "nobody"]).expect("an answer");
    assert_eq!(codes(&described), [None, Some(ErrorCode::GROUP_ID_NOT_FOUND)]);
    let offsets = admin.list_group_offsets(["group-0", "group-1", "nobody"]).expect("an answer");
    assert_eq!(codes(&offsets), [None, None, None], "one request for each group");
    let prefixed = Acl::allow("User:a", AclOperation::Read, ResourcePattern::topic("ord").prefixed());
    only(admin.create_acls([prefixed]).expect("an answer")).expect("created");

    // The rest is refused here, with the release that it needs.
    let needs = |error: kavka::Error, release: &str| {
        assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{error}");
        assert!(error.to_string().contains(&format!("needs Kafka {release}")), "{error}");
    };
    let filter = GroupFilter::new().state(GroupState::Empty);
    needs(only(admin.list_groups(&filter).expect("asked")).expect_err("too old"), "2.6");
    let static_member = MemberToRemove::group_instance_id("till-7");
    needs(
        only(admin.remove_group_members("group-0", [static_member]).expect("asked")).expect_err("too old"),
        "2.4",
    );
    let stable = GroupOffsetsSpec::new("group-0").require_stable();
    needs(only(admin.list_group_offsets([stable]).expect("asked")).expect_err("too old"), "2.5");
    needs(
        only(admin.delete_group_offsets("group-0", [("orders", 0)]).expect("asked")).expect_err("too old"),
        "2.4",
    );
    needs(
        admin.list_transactions(&TransactionFilter::new()).expect("asked").remove(0).1.expect_err("too old"),
        "3.0",
    );
    needs(only(admin.describe_share_groups(["g"]).expect("asked")).expect_err("too old"), "4.1");
    needs(admin.describe_client_quotas(&Default::default()).expect_err("too old"), "2.6");
    needs(admin.describe_user_scram_credentials(["a"]).expect_err("too old"), "2.7");

    let cluster = MockCluster::builder().versions(VersionTable::kafka_1_1()).start().expect("a cluster");
    let prefixed = Acl::allow("User:a", AclOperation::Read, ResourcePattern::topic("ord").prefixed());
    let literal = Acl::allow("User:a", AclOperation::Read, ResourcePattern::topic("orders"));
    let admin = client(&cluster);
    let created = admin.create_acls([prefixed, literal.clone()]).expect("an answer");
    assert!(created[0].1.is_err() && created[1].1.is_ok(), "{created:?}");
    assert_eq!(admin.describe_acls(&AclFilter::new()).expect("an answer"), [literal]);
}

#[test]
fn nobody_waits_for_ever() {
    let cluster = MockCluster::builder().topic("orders", 1).start().expect("a cluster");
    let admin = client(&cluster);
    admin.bootstrap(Duration::from_secs(10)).expect("brokers");
    let short = admin.with_timeout(Duration::from_millis(300));
    for api in [
        ApiKey::DESCRIBE_ACLS,
        ApiKey::DESCRIBE_CLIENT_QUOTAS,
        ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS,
        ApiKey::INIT_PRODUCER_ID,
        ApiKey::DELETE_GROUPS,
    ] {
        cluster.on(api).always().never_answer();
        let error = match api {
            ApiKey::DESCRIBE_ACLS => short.describe_acls(&AclFilter::new()).expect_err("no answer"),
            ApiKey::DESCRIBE_CLIENT_QUOTAS => {
                short.describe_client_quotas(&Default::default()).expect_err("no answer")
            }
            ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS => {
                short.describe_user_scram_credentials(["a"]).expect_err("no answer")
            }
            ApiKey::INIT_PRODUCER_ID => {
                only(short.fence_producers(["t"]).expect("asked")).expect_err("no answer")
            }
            _ => only(short.delete_groups(["g"]).expect("asked")).expect_err("no answer"),
        };
        assert_eq!(error.kind(), ErrorKind::Timeout, "{api}: {error}");
    }
}
