//! Users, access control, quotas and delegation tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use kavka::admin::{
    Acl, AclFilter, AclOperation, ClientQuotaAlteration, ClientQuotaEntity, ClientQuotaFilter, GroupFilter,
    KafkaPrincipal, NewDelegationToken, PatternType, ResourcePattern, ResourceType, ScramCredentialInfo,
    ScramMechanism, TransactionFilter, UserScramCredentialAlteration as Credential,
};
use kavka::config::SaslMechanism;
use kavka::{ErrorCode, ErrorKind, KafkaAdminClient};

use crate::support::kafka::{Cluster, tool, unique, wait_until};
use crate::support::peers;
use crate::{PATIENCE, admin, codes, only, secure};

/// A client that logs in.
fn login(cluster: &Cluster, user: &str, password: &str, mechanism: SaslMechanism) -> KafkaAdminClient {
    KafkaAdminClient::builder()
        .bootstrap_servers(cluster.listener("CLIENT"))
        .set("security.protocol", "SASL_PLAINTEXT")
        .sasl_mechanism(mechanism)
        .sasl_plain_username(user)
        .sasl_plain_password(password)
        .build()
        .expect("valid options")
}

/// A new user that may do nothing yet, logged in.
fn user(cluster: &Cluster, root: &KafkaAdminClient, name: &str) -> KafkaAdminClient {
    let credential = Credential::upsert(name, ScramMechanism::ScramSha256, "password of the test");
    only(root.alter_user_scram_credentials([credential]).expect("an answer")).expect("set");
    let client = login(cluster, name, "password of the test", SaslMechanism::ScramSha256);
    // Brokers learn of a credential a moment after the controller has answered.
    wait_until("the user can log in", PATIENCE, || client.list_groups(&GroupFilter::new()).is_ok());
    client
}

#[test]
fn passwords_that_are_set_can_be_used() {
    let cluster = secure();
    let root = admin(&cluster.bootstrap());
    let name = unique("alice");
    let both = [
        Credential::upsert(&name, ScramMechanism::ScramSha256, "first").iterations(8192),
        Credential::upsert(&name, ScramMechanism::ScramSha512, "second ż"),
    ];
    only(root.alter_user_scram_credentials(both).expect("an answer")).expect("set");
    let expected = [
        ScramCredentialInfo { mechanism: ScramMechanism::ScramSha256, iterations: 8192 },
        ScramCredentialInfo { mechanism: ScramMechanism::ScramSha512, iterations: 4096 },
    ];
    wait_until("the broker knows both", PATIENCE, || {
        let described = only(root.describe_user_scram_credentials([name.as_str()]).expect("an answer"));
        described.is_ok_and(|described| described == expected)
    });
    let all = root.describe_user_scram_credentials(Vec::<String>::new()).expect("an answer");
    assert!(all.iter().any(|(user, credentials)| *user == name && credentials.is_ok()), "{all:?}");
    let arguments = ["--describe", "--entity-type", "users", "--entity-name", &name];
    let java = cluster.tool("kafka.admin.ConfigCommand", &arguments).expect_success("ConfigCommand").text();
    assert!(
        java.contains("SCRAM-SHA-256=iterations=8192") && java.contains("SCRAM-SHA-512=iterations=4096"),
        "{java}"
    );

    for (password, mechanism) in
        [("first", SaslMechanism::ScramSha256), ("second ż", SaslMechanism::ScramSha512)]
    {
        login(cluster, &name, password, mechanism).bootstrap(PATIENCE).expect("logged in");
    }
    let python = peers::python(
        "
import sys, kafka
admin = kafka.KafkaAdminClient(
    bootstrap_servers=sys.argv[1], security_protocol='SASL_PLAINTEXT', sasl_mechanism='SCRAM-SHA-256',
    sasl_plain_username=sys.argv[2], sasl_plain_password='first')
print(len(admin.describe_cluster()['brokers']))",
        &[&cluster.listener("CLIENT"), &name],
    );
    assert_eq!(python.trim(), "1");

    let results = root
        .alter_user_scram_credentials([
            Credential::delete(&name, ScramMechanism::ScramSha512),
            Credential::delete("nobody", ScramMechanism::ScramSha512),
            Credential::upsert("weak", ScramMechanism::ScramSha256, "x").iterations(100),
            Credential::upsert("twice", ScramMechanism::ScramSha256, "x"),
            Credential::delete("twice", ScramMechanism::ScramSha512),
            Credential::upsert("empty", ScramMechanism::ScramSha256, ""),
        ])
        .expect("an answer");
    let names: Vec<&str> = results.iter().map(|(user, _)| user.as_str()).collect();
    assert_eq!(
        names,
        [name.as_str(), "nobody", "weak", "twice", "empty"],
        "one result a user, in their order"
    );
    let [(_, Ok(())), (_, Err(missing)), (_, Err(weak)), (_, Err(twice)), (_, Err(empty))] = &results[..]
    else {
        panic!("{results:?}")
    };
    assert_eq!(missing.code(), Some(ErrorCode::RESOURCE_NOT_FOUND));
    assert_eq!(weak.code(), Some(ErrorCode::UNACCEPTABLE_CREDENTIAL));
    assert_eq!(twice.code(), Some(ErrorCode::RESOURCE_NOT_FOUND), "the second change");
    assert_eq!(empty.kind(), ErrorKind::InvalidArgument);
    let count = |user: &str| {
        let described = only(root.describe_user_scram_credentials([user]).expect("an answer"));
        described.map(|credentials| credentials.len())
    };
    wait_until("the broker knows what was changed", PATIENCE, || {
        // Of the two changes the first is made.
        matches!((count("twice"), count(&name)), (Ok(1), Ok(1)))
    });
    assert_eq!(count("nobody").expect_err("no such user").code(), Some(ErrorCode::RESOURCE_NOT_FOUND));
}

#[test]
fn access_is_denied_allowed_and_denied_again() {
    let cluster = secure();
    let root = admin(&cluster.bootstrap());
    let (name, topic, group) = (unique("bob"), unique("secret"), unique("secret"));
    cluster.create_topic(&topic, 1, &[]);
    only(root.alter_group_offsets(&group, [((topic.as_str(), 0), 0)]).expect("an answer")).expect("set");
    let bob = user(cluster, &root, &name);
    let principal = format!("User:{name}");

    // Nothing is allowed: each operation says so, and of what.
    let filter = AclFilter::new().principal(&principal);
    let refused = |error: kavka::Error, code: ErrorCode| {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Authorization, Some(code)), "{error}");
    };
    refused(bob.describe_acls(&filter).expect_err("refused"), ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let acl = |operation, resource| Acl::allow(&principal, operation, resource);
    let read_topic = acl(AclOperation::Read, ResourcePattern::topic(&topic));
    let error = only(bob.create_acls([read_topic.clone()]).expect("an answer")).expect_err("refused");
    refused(error, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let error = only(bob.delete_acls([filter.clone()]).expect("an answer")).expect_err("refused");
    refused(error, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let error = only(bob.describe_groups([group.as_str()]).expect("an answer")).expect_err("refused");
    refused(error, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    let error = only(bob.delete_groups([group.as_str()]).expect("an answer")).expect_err("refused");
    refused(error, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    let error = only(bob.list_group_offsets([&group]).expect("an answer")).expect_err("refused");
    refused(error, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    let error = only(bob.alter_group_offsets(&group, [((topic.as_str(), 0), 1)]).expect("an answer"));
    refused(error.expect_err("refused"), ErrorCode::GROUP_AUTHORIZATION_FAILED);
    let error = only(bob.delete_group_offsets(&group, [(topic.as_str(), 0)]).expect("an answer"));
    refused(error.expect_err("refused"), ErrorCode::GROUP_AUTHORIZATION_FAILED);
    let error = bob.describe_client_quotas(&ClientQuotaFilter::new()).expect_err("refused");
    refused(error, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let limit = ClientQuotaAlteration::new(ClientQuotaEntity::user(&name)).set("producer_byte_rate", 1e9);
    let error = only(bob.alter_client_quotas([limit]).expect("an answer")).expect_err("refused");
    refused(error, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let error = bob.describe_user_scram_credentials([name.as_str()]).expect_err("refused");
    refused(error, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let password = Credential::upsert(&name, ScramMechanism::ScramSha256, "another");
    let error = only(bob.alter_user_scram_credentials([password]).expect("an answer")).expect_err("refused");
    refused(error, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let error = only(bob.describe_transactions(["t"]).expect("an answer")).expect_err("refused");
    refused(error, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    let error = only(bob.fence_producers(["t"]).expect("an answer")).expect_err("refused");
    refused(error, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    let error = only(bob.describe_producers([(topic.as_str(), 0)]).expect("an answer")).expect_err("refused");
    refused(error, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    for (_, groups) in bob.list_groups(&GroupFilter::new()).expect("an answer") {
        assert_eq!(groups.expect("an answer"), [], "none that he may see");
    }
    for (_, listed) in bob.list_transactions(&TransactionFilter::new()).expect("an answer") {
        assert_eq!(listed.expect("an answer"), []);
    }

    // Allowed: by name, by prefix, from this host.
    let acls = vec![
        read_topic.clone(),
        acl(AclOperation::Read, ResourcePattern::group(&group[..8]).prefixed()).host("127.0.0.1"),
        acl(AclOperation::Describe, ResourcePattern::cluster()),
        acl(AclOperation::Describe, ResourcePattern::transactional_id("*")),
        Acl::deny(&principal, AclOperation::Delete, ResourcePattern::group(&group)),
        acl(AclOperation::CreateTokens, ResourcePattern::new(ResourceType::User, "User:carol")),
    ];
    let created =
        root.create_acls(acls.iter().cloned().chain([acl(AclOperation::Any, ResourcePattern::cluster())]));
    let created = created.expect("an answer");
    let [good @ .., (_, Err(indefinite))] = &created[..] else { panic!("{created:?}") };
    assert!(good.iter().all(|(_, result)| result.is_ok()), "{good:?}");
    assert_eq!(indefinite.kind(), ErrorKind::InvalidArgument);
    let mut expected = acls.clone();
    expected.sort();
    assert_eq!(root.describe_acls(&filter).expect("an answer"), expected);
    let matching = |name: &str| {
        let filter = filter.clone().resource_type(ResourceType::Group).resource_name(name);
        root.describe_acls(&filter.pattern_type(PatternType::Match)).expect("an answer").len()
    };
    assert_eq!((matching(&group), matching(&group[..9]), matching("else")), (2, 1, 0));
    let java = cluster.tool("org.apache.kafka.tools.AclCommand", &["--list", "--principal", &principal]);
    let java = java.expect_success("AclCommand").text();
    let lines = java.lines().filter(|line| line.contains(&principal)).count();
    assert!(
        lines >= acls.len() && java.contains("patternType=PREFIXED") && java.contains("permissionType=DENY"),
        "{java}"
    );
    wait_until("the broker heeds the new entries", PATIENCE, || {
        only(bob.list_group_offsets([&group]).expect("an answer")).is_ok()
    });
    only(bob.alter_group_offsets(&group, [((topic.as_str(), 0), 0)]).expect("an answer")).expect("allowed");
    bob.describe_acls(&filter).expect("allowed");
    let error = only(bob.delete_groups([group.as_str()]).expect("an answer")).expect_err("denied");
    refused(error, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    let error =
        only(bob.describe_transactions(["t"]).expect("an answer")).expect_err("unknown, and he may know");
    assert_eq!(error.code(), Some(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND));

    // And away again, first one, then the rest.
    let removed = root.delete_acls([AclFilter::from(&read_topic), filter.clone()]).expect("an answer");
    let counts: Vec<usize> =
        removed.iter().map(|(_, found)| found.as_ref().expect("removed").len()).collect();
    assert_eq!(counts[0], 1);
    assert!(
        removed
            .iter()
            .all(|(_, found)| found.as_ref().is_ok_and(|all| all.iter().all(|(_, one)| one.is_ok())))
    );
    wait_until("all entries are gone", PATIENCE, || {
        root.describe_acls(&filter).expect("an answer").is_empty()
    });
    let without = admin(&Cluster::shared_three().bootstrap());
    let error = without.describe_acls(&AclFilter::new()).expect_err("no authorizer");
    assert_eq!(error.code(), Some(ErrorCode::SECURITY_DISABLED));
}

#[test]
fn quotas_are_set_and_removed() {
    let cluster = secure();
    let root = admin(&cluster.bootstrap());
    let name = unique("quota");
    let user = ClientQuotaEntity::user(&name);
    let both = ClientQuotaEntity::user(&name).and_client_id("till");
    let by_default = ClientQuotaEntity::user(&name).and_default_client_id();
    let limits = [
        ClientQuotaAlteration::new(user.clone())
            .set("producer_byte_rate", 1000.0)
            .set("request_percentage", 50.5),
        ClientQuotaAlteration::new(both.clone()).set("consumer_byte_rate", 2000.0),
        ClientQuotaAlteration::new(by_default.clone()).set("consumer_byte_rate", 3000.0),
        ClientQuotaAlteration::new(ClientQuotaEntity::ip("10.9.8.7")).set("connection_creation_rate", 10.0),
        ClientQuotaAlteration::new(user.clone()).set("no_such_quota", 1.0),
        ClientQuotaAlteration::new(user.clone()).set("producer_byte_rate", f64::INFINITY),
    ];
    let checked = root.validate_client_quotas(limits[..1].to_vec()).expect("an answer");
    assert_eq!(codes(&checked), [None]);
    assert!(
        root.describe_client_quotas(&ClientQuotaFilter::new().exact("user", &name))
            .expect("asked")
            .is_empty()
    );
    let altered = root.alter_client_quotas(limits[..5].to_vec()).expect("an answer");
    // One entity, twice in a request: brokers tell of both alike.
    assert_eq!(codes(&altered)[1..4], [None, None, None], "{altered:?}");
    let altered = root.alter_client_quotas(limits[4..].to_vec()).expect("an answer");
    assert_eq!(codes(&altered), [Some(ErrorCode::INVALID_REQUEST), Some(ErrorCode::NONE)]);
    assert_eq!(altered[1].1.as_ref().expect_err("no number").kind(), ErrorKind::InvalidArgument);
    only(root.alter_client_quotas(limits[..1].to_vec()).expect("an answer")).expect("set");

    let find = |filter: ClientQuotaFilter| -> BTreeMap<_, _> {
        root.describe_client_quotas(&filter).expect("an answer").into_iter().collect()
    };
    let mut found = BTreeMap::new();
    wait_until("the quotas are known", PATIENCE, || {
        found = find(ClientQuotaFilter::new().exact("user", &name));
        found.len() == 3
    });
    assert_eq!(
        found[&user],
        BTreeMap::from([("producer_byte_rate".to_owned(), 1000.0), ("request_percentage".to_owned(), 50.5)])
    );
    assert_eq!(
        (found[&both]["consumer_byte_rate"], found[&by_default]["consumer_byte_rate"]),
        (2000.0, 3000.0)
    );
    let strict = find(ClientQuotaFilter::new().exact("user", &name).strict());
    assert_eq!(strict.keys().collect::<Vec<_>>(), [&user]);
    let of_default = find(ClientQuotaFilter::new().exact("user", &name).default_of("client-id"));
    assert_eq!(of_default.keys().collect::<Vec<_>>(), [&by_default]);
    assert!(find(ClientQuotaFilter::new().any("ip")).contains_key(&ClientQuotaEntity::ip("10.9.8.7")));
    let error =
        root.describe_client_quotas(&ClientQuotaFilter::new().any("user").any("user")).expect_err("twice");
    assert_eq!(error.code(), Some(ErrorCode::INVALID_REQUEST));
    let arguments = ["--describe", "--entity-type", "users", "--entity-name", &name];
    let java = cluster.tool("kafka.admin.ConfigCommand", &arguments).expect_success("ConfigCommand").text();
    assert!(java.contains("producer_byte_rate=1000.0") && java.contains("request_percentage=50.5"), "{java}");

    let gone = [
        ClientQuotaAlteration::new(user).remove("producer_byte_rate").remove("request_percentage"),
        ClientQuotaAlteration::new(both).remove("consumer_byte_rate"),
        ClientQuotaAlteration::new(by_default).remove("consumer_byte_rate"),
        ClientQuotaAlteration::new(ClientQuotaEntity::ip("10.9.8.7")).remove("connection_creation_rate"),
    ];
    assert_eq!(codes(&root.alter_client_quotas(gone).expect("an answer")), [None; 4]);
    wait_until("the quotas are gone", PATIENCE, || {
        find(ClientQuotaFilter::new().exact("user", &name)).is_empty()
    });
}

#[test]
fn tokens_are_made_used_renewed_and_ended() {
    let cluster = secure();
    let root = admin(&cluster.bootstrap());
    let (name, other) = (unique("dave"), unique("erin"));
    let dave = user(cluster, &root, &name);
    let error = root.create_delegation_token(&NewDelegationToken::new()).expect_err("nobody has logged in");
    assert_eq!(error.code(), Some(ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED));

    let new = NewDelegationToken::new()
        .renewer(KafkaPrincipal::user(&other))
        .max_lifetime(Duration::from_secs(3600));
    let token = dave.create_delegation_token(&new).expect("made");
    assert_eq!(
        (&token.owner, &token.requester),
        (&KafkaPrincipal::user(&name), &KafkaPrincipal::user(&name))
    );
    assert_eq!(token.renewers, [KafkaPrincipal::user(&other)]);
    assert_eq!(token.max_timestamp - token.issue_timestamp, 3_600_000);
    let mut mine = Vec::new();
    wait_until("the token is known", PATIENCE, || {
        mine = dave.describe_delegation_tokens([]).expect("an answer");
        !mine.is_empty()
    });
    assert_eq!(mine, std::slice::from_ref(&token));
    let of = |user: &str| dave.describe_delegation_tokens([KafkaPrincipal::user(user)]).expect("an answer");
    assert_eq!((of(&other), of("nobody")), (vec![token.clone()], Vec::new()), "who may renew it counts, too");

    // As Kafka's own tool sees it.
    let file = std::env::temp_dir().join(format!("kavka-tokens-{}.properties", std::process::id()));
    let properties = format!(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\nsasl.jaas.config=\
         org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{name}\" \
         password=\"password of the test\";\n"
    );
    std::fs::write(&file, properties).expect("a file");
    let (bootstrap, principal) = (cluster.listener("CLIENT"), format!("User:{name}"));
    let arguments = [
        "--bootstrap-server",
        &bootstrap,
        "--describe",
        "--owner-principal",
        &principal,
        "--command-config",
        file.to_str().expect("UTF-8"),
    ];
    let java = tool("org.apache.kafka.tools.DelegationTokenCommand", &arguments, b"");
    std::fs::remove_file(&file).expect("it is there");
    let java = java.expect_success("DelegationTokenCommand").text();
    assert!(java.contains(&token.token_id) && java.contains(&format!("User:{name}")), "{java}");

    let renewed = dave.renew_delegation_token(token.hmac(), Some(Duration::from_secs(600))).expect("renewed");
    assert!(renewed <= token.max_timestamp && renewed > token.issue_timestamp, "{renewed}");
    let error = dave.renew_delegation_token(b"no such token", None).expect_err("unknown");
    assert_eq!(error.code(), Some(ErrorCode::DELEGATION_TOKEN_NOT_FOUND));
    let for_another = NewDelegationToken::new().owner(KafkaPrincipal::user(&other));
    let error = dave.create_delegation_token(&for_another).expect_err("not allowed");
    assert_eq!(error.code(), Some(ErrorCode::DELEGATION_TOKEN_AUTHORIZATION_FAILED));
    let resource = ResourcePattern::new(ResourceType::User, format!("User:{other}"));
    let acl = Acl::allow(format!("User:{name}"), AclOperation::CreateTokens, resource);
    only(root.create_acls([acl]).expect("an answer")).expect("allowed");
    let mut made = None;
    wait_until("a token for another user can be made", PATIENCE, || {
        made = dave.create_delegation_token(&for_another).ok();
        made.is_some()
    });
    let made = made.expect("made");
    assert_eq!((made.owner, made.requester), (KafkaPrincipal::user(&other), KafkaPrincipal::user(&name)));

    dave.expire_delegation_token(token.hmac(), None).expect("ended");
    wait_until("the token is gone", PATIENCE, || {
        let left = dave.describe_delegation_tokens([KafkaPrincipal::user(&name)]).expect("an answer");
        left.iter().all(|one| one.token_id != token.token_id)
    });
    let error = dave.expire_delegation_token(token.hmac(), None).expect_err("it is gone");
    assert_eq!(error.code(), Some(ErrorCode::DELEGATION_TOKEN_NOT_FOUND));
}
