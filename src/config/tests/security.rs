//! Options of TLS and logins, and secrets.

use super::*;

#[test]
fn secrets_are_not_shown() {
    let secret: Secret = "hunter2".into_value();
    assert_eq!(secret.reveal(), "hunter2");
    for text in
        [format!("{secret:?}"), secret.show(), Some(secret.clone()).show(), format!("{:?}", Some(secret))]
    {
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[derive(Debug)]
    struct Strict;
    impl OptionValue for Strict {
        const SECRET: bool = true;
        fn parse(_: &str) -> Result<Self, String> {
            Err("is too short".to_owned())
        }
        fn show(&self) -> String {
            String::new()
        }
    }
    let text = value::parse_option::<Option<Strict>>("sasl.password", "hunter2").expect_err("always");
    assert_eq!(text, "sasl.password (\"[hidden]\") is too short");
}

#[test]
fn ssl_options_have_the_names_of_kafka_and_of_kafka_python() {
    let config = producer()
        .set("security.protocol", "ssl")
        .set("ssl.endpoint.identification.algorithm", "")
        .set("ssl_cafile", "/ca.pem")
        .set("ssl.keystore.type", "pkcs12")
        .set("ssl.enabled.protocols", "TLSv1.3")
        .set("ssl.protocol", "TLS")
        .set("ssl_password", "hunter2")
        .build()
        .expect("a valid configuration")
        .common;
    assert_eq!(config.security_protocol, SecurityProtocol::Ssl);
    assert_eq!(config.ssl_check_hostname, HostnameCheck::None);
    assert_eq!(config.ssl_cafile.as_deref(), Some(std::path::Path::new("/ca.pem")));
    assert_eq!(config.ssl_keystore_type, Some(StoreType::Pkcs12));
    assert_eq!(
        (config.ssl_enabled_protocols.as_slice(), config.ssl_protocol),
        (&[TlsVersion::Tls13][..], TlsVersion::Tls13)
    );
    assert_eq!(config.ssl_password.as_ref().map(Secret::reveal), Some("hunter2"));
    let typed = consumer()
        .security_protocol(SecurityProtocol::Ssl)
        .ssl_check_hostname(false)
        .ssl_cafile("ca.pem")
        .ssl_keystore_key(b"hunter2")
        .ssl_password("hunter2")
        .proxy_url("socks5://hunter2:hunter2@proxy:1080")
        .build()
        .expect("a valid configuration")
        .common;
    assert_eq!(typed.ssl_check_hostname, HostnameCheck::None);
    for shown in [format!("{config:?}"), format!("{typed:?}")] {
        assert!(!shown.contains("hunter2") && shown.contains("[hidden]"), "{shown}");
    }
}

/// Builds a producer with these options.
fn login(options: &[(&str, &str)]) -> Result<Option<Login>> {
    let mut builder = producer().set("security.protocol", "SASL_PLAINTEXT");
    for (key, value) in options {
        builder = builder.set(key, value);
    }
    builder.build().map(|config| config.common.login().expect("checked"))
}

#[test]
fn logins_follow_from_options_and_from_javas_login_modules() {
    let plain =
        [("sasl.mechanism", "PLAIN"), ("sasl_plain_username", "alice"), ("sasl_plain_password", "hush")];
    let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"alice\" password=\"hush\";";
    for options in [&plain[..], &[("sasl.mechanism", "plain"), ("sasl.jaas.config", jaas)]] {
        let login = login(options).expect("complete");
        assert!(!format!("{login:?}").contains("hush"), "{login:?}");
        let Some(Login::Plain(UserPassword::Fixed(user))) = login else { panic!("{login:?}") };
        assert_eq!(user, Credentials::new("alice", "hush"));
    }
    let token = "x.ScramLoginModule required username=\"id\" password=\"hmac\" tokenauth=\"true\";";
    let scram = login(&[("sasl.mechanism", "SCRAM-SHA-512"), ("sasl.jaas.config", token)]).expect("complete");
    assert!(matches!(scram, Some(Login::Scram { sha512: true, token_auth: true, .. })), "{scram:?}");

    let unsecured = "x.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"al\\\"ice\" \
                     unsecuredLoginNumberClaim_n=\"5\" unsecuredLoginListClaim_scope=\"|a|b\" \
                     unsecuredLoginLifetimeSeconds=\"60\" unsecuredLoginExtension_traceId=\"1\";";
    let bearer =
        login(&[("sasl.mechanism", "OAUTHBEARER"), ("sasl.jaas.config", unsecured)]).expect("complete");
    let Some(Login::OAuthBearer { source: TokenSource::Unsecured(unsecured), refresh }) = bearer else {
        panic!("{bearer:?}")
    };
    let claims = [("sub", "\"al\\\"ice\""), ("n", "5"), ("scope", "[\"a\",\"b\"]")];
    assert_eq!(unsecured.claims, claims.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(unsecured.extensions, [("traceId".to_owned(), "1".to_owned())]);
    assert_eq!((unsecured.lifetime, refresh), (Duration::from_secs(60), 0.8));

    let iam = [
        ("sasl.mechanism", "AWS_MSK_IAM"),
        ("sasl.jaas.config", "software.amazon.msk.auth.iam.IAMLoginModule required awsProfileName=\"dev\";"),
        ("sasl.client.callback.handler.class", "software.amazon.msk.auth.iam.IAMClientCallbackHandler"),
    ];
    let Some(Login::AwsMskIam(aws)) = login(&iam).expect("complete") else { panic!("another login") };
    assert_eq!(aws.profile.as_deref(), Some("dev"));
    assert!(producer().set("sasl.mechanism", "PLAIN").build().is_ok(), "PLAINTEXT has no login");
}

#[test]
fn logins_that_cannot_be_are_told_in_full() {
    type Options = &'static [(&'static str, &'static str)];
    let table: &[(Options, &[&str])] = &[
        (&[], &["security.protocol=SASL_PLAINTEXT needs sasl.mechanism: one of PLAIN, SCRAM-SHA-256"]),
        (&[("sasl.mechanism", "DIGEST-MD5")], &["sasl.mechanism (\"DIGEST-MD5\") is not one of PLAIN"]),
        (&[("sasl.mechanism", "PLAIN")], &["needs sasl_plain_username", "needs sasl_plain_password"]),
        (
            &[
                ("sasl.mechanism", "PLAIN"),
                ("sasl.jaas.config", "x.ScramLoginModule required password=\"hush\";"),
            ],
            &["sasl.jaas.config is for ScramLoginModule, but sasl.mechanism=PLAIN takes PlainLoginModule"],
        ),
        (&[("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", "x.Y password=\"hush\"")], &["lacks the word"]),
        (&[("sasl.mechanism", "OAUTHBEARER")], &["needs one of sasl_oauth_token_provider"]),
        (
            &[
                ("sasl.mechanism", "OAUTHBEARER"),
                ("sasl.oauthbearer.token.endpoint.url", "ftp://x"),
                ("sasl.login.refresh.window.factor", "2"),
                ("sasl.login.callback.handler.class", "com.example.Mine"),
            ],
            &["is not an http, https or file URL", "must be 0.5 to 1.0", "names a Java class", "client.id"],
        ),
        (
            &[
                ("sasl.mechanism", "AWS_MSK_IAM"),
                ("sasl.jaas.config", "x.IAMLoginModule required awsRoleArn=\"arn\";"),
            ],
            &["does not assume roles"],
        ),
        #[cfg(not(feature = "gssapi"))]
        (&[("sasl.mechanism", "GSSAPI")], &["feature \"gssapi\""]),
        #[cfg(feature = "gssapi")]
        (
            &[("sasl.mechanism", "GSSAPI"), ("sasl.kerberos.keytab", "/x")],
            &["sasl.kerberos.keytab needs sasl.kerberos.principal"],
        ),
        #[cfg(not(feature = "oidc"))]
        (
            &[("sasl.mechanism", "OAUTHBEARER"), ("sasl.oauthbearer.token.endpoint.url", "http://x")],
            &["feature \"oidc\""],
        ),
    ];
    for (options, faults) in table {
        let text = refusal(login(options));
        for fault in *faults {
            assert!(text.contains(fault), "{options:?}: {text}");
        }
        assert!(!text.contains("hush"), "{text}");
    }
}
