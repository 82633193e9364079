//! What the SASL options come to: one login, or a list of faults.

use std::path::PathBuf;
use std::time::Duration;

use super::credentials::{
    AwsCredentialsProvider, Credentials, CredentialsProvider, OAuthTokenProvider, Provider,
};
use super::jaas::Jaas;
use super::{CommonConfig, Faults, SaslMechanism, Secret};

/// How a client logs in to brokers: what is left of the `sasl_*` options once they are known to fit together.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Login {
    /// PLAIN (KIP-43).
    Plain(UserPassword),
    /// SCRAM-SHA-256 or SCRAM-SHA-512 (KIP-84).
    Scram {
        /// SHA-512 rather than SHA-256.
        sha512: bool,
        /// The user, or the delegation token.
        user: UserPassword,
        /// The credentials are a delegation token (KIP-48).
        token_auth: bool,
    },
    /// OAUTHBEARER (KIP-255).
    OAuthBearer {
        /// Where tokens come from.
        source: TokenSource,
        /// The part of a token's life after which another one is asked for.
        refresh: f64,
    },
    /// GSSAPI, which is Kerberos (KIP-12).
    Gssapi(Kerberos),
    /// AWS_MSK_IAM.
    AwsMskIam(Aws),
}

/// A user's name and password, or who gives them.
#[derive(Clone, Debug)]
pub enum UserPassword {
    /// From the options.
    Fixed(Credentials),
    /// From a provider, for each login.
    Provided(Provider<dyn CredentialsProvider>),
}

/// Where the tokens of OAUTHBEARER come from.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// From a provider of the program.
    Provided(Provider<dyn OAuthTokenProvider>),
    /// Made here, without a signature: for development.
    Unsecured(Unsecured),
    /// From a file, read for each login.
    File(PathBuf, Extensions),
    /// From an OpenID provider.
    Oidc(Oidc),
}

/// SASL extensions (KIP-342): names and values.
pub type Extensions = Vec<(String, String)>;

/// What an unsecured token says.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsecured {
    /// Claims that are texts, in JSON already.
    pub claims: Vec<(String, String)>,
    /// How long it is valid.
    pub lifetime: Duration,
    /// SASL extensions.
    pub extensions: Extensions,
}

/// An OpenID provider's token endpoint, and what it is asked with.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The endpoint's URL.
    pub url: String,
    /// What access is asked for.
    pub scope: Option<String>,
    /// What stands for the client.
    pub grant: Grant,
    /// SASL extensions.
    pub extensions: Extensions,
    /// How long connecting may take.
    pub connect_timeout: Option<Duration>,
    /// How long the answer may take.
    pub read_timeout: Option<Duration>,
}

/// What a token endpoint is given for a token.
#[derive(Clone, Debug)]
pub enum Grant {
    /// The client's id and secret (KIP-768).
    ClientCredentials {
        /// The id.
        client_id: String,
        /// The secret.
        client_secret: Secret,
        /// Whether both are URL-encoded in the header (RFC 6749, 2.3.1).
        urlencode: bool,
    },
    /// A JWT that somebody trusted has signed (KIP-1139), from a file, read each time.
    AssertionFile(PathBuf),
    /// A JWT that is signed here (KIP-1139).
    Assertion(Assertion),
}

/// How an assertion is made.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// `RS256` or `ES256`.
    pub algorithm: String,
    /// The private key, in PEM, read each time.
    pub private_key_file: PathBuf,
    /// What the private key is encrypted with.
    pub passphrase: Option<Secret>,
    /// A JSON file with `header` and `payload` to begin with.
    pub template_file: Option<PathBuf>,
    /// Claims that are texts: `aud`, `iss`, `sub`.
    pub claims: Vec<(&'static str, String)>,
    /// How long it is valid.
    pub lifetime: Duration,
    /// How long before now it is valid already.
    pub not_before: Duration,
    /// Whether it has an id of its own.
    pub with_id: bool,
}

/// Who logs in with Kerberos, and to what.
#[derive(Clone, Debug)]
pub struct Kerberos {
    /// The service's name in the brokers' principals.
    pub service: String,
    /// The host in the brokers' principals, instead of the one that is connected to.
    pub domain: Option<String>,
    /// The whole of the brokers' principal, instead of service and host.
    pub name: Option<String>,
    /// The client's principal; that of the ticket cache when there is none.
    pub principal: Option<String>,
    /// The key of the principal, with which a ticket is asked for when there is none.
    pub keytab: Option<PathBuf>,
    /// The program that asks for it.
    pub kinit: String,
}

/// Whose access key is used for AWS_MSK_IAM.
#[derive(Clone, Debug, Default)]
pub struct Aws {
    /// A provider of the program.
    pub credentials: Option<Provider<dyn AwsCredentialsProvider>>,
    /// The profile in the credentials file.
    pub profile: Option<String>,
    /// The region; from the broker's name when there is none.
    pub region: Option<String>,
}

impl CommonConfig {
    /// The login that the options ask for; `None` when `security_protocol` has none.
    ///
    /// # Errors
    /// Every fault of the options.
    pub fn login(&self) -> Result<Option<Login>, Faults> {
        if !self.security_protocol.uses_sasl() {
            return Ok(None);
        }
        let mut faults = Faults::new();
        let login = Resolve { config: self, faults: &mut faults }.login();
        match login {
            Some(login) if faults.is_empty() => Ok(Some(login)),
            _ => Err(faults),
        }
    }
}

struct Resolve<'a> {
    config: &'a CommonConfig,
    faults: &'a mut Faults,
}

impl Resolve<'_> {
    fn login(&mut self) -> Option<Login> {
        let config = self.config;
        self.check_classes();
        let Some(mechanism) = config.sasl_mechanism else {
            let all: Vec<&str> = SaslMechanism::ALL.iter().map(|mechanism| mechanism.as_str()).collect();
            self.faults.push(format!(
                "security.protocol={} needs sasl.mechanism: one of {}",
                config.security_protocol,
                all.join(", ")
            ));
            return None;
        };
        let jaas = self.jaas(mechanism)?;
        match mechanism {
            SaslMechanism::Plain => self.user(mechanism, &jaas).map(Login::Plain),
            SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => Some(Login::Scram {
                sha512: mechanism == SaslMechanism::ScramSha512,
                user: self.user(mechanism, &jaas)?,
                token_auth: config.sasl_scram_token_auth || jaas.is_true("tokenauth"),
            }),
            SaslMechanism::OAuthBearer => {
                let refresh = config.sasl_login_refresh_window_factor;
                if !(0.5..=1.0).contains(&refresh) {
                    self.faults
                        .push(format!("sasl.login.refresh.window.factor ({refresh}) must be 0.5 to 1.0"));
                }
                Some(Login::OAuthBearer { source: self.tokens(&jaas)?, refresh })
            }
            SaslMechanism::Gssapi => Some(Login::Gssapi(self.kerberos(&jaas))),
            SaslMechanism::AwsMskIam => {
                if jaas.get("awsRoleArn").is_some() {
                    self.faults.push(
                        "sasl.jaas.config: kavka does not assume roles by awsRoleArn; name a profile with \
                         temporary keys, or give a provider with sasl_aws_credentials_provider",
                    );
                }
                Some(Login::AwsMskIam(Aws {
                    credentials: config.sasl_aws_credentials_provider.clone(),
                    profile: config.sasl_aws_profile.clone().or_else(|| jaas.text("awsProfileName")),
                    region: config.sasl_aws_region.clone(),
                }))
            }
        }
    }

    /// Kafka's classes follow from the other options; what would be another class's work cannot be done.
    fn check_classes(&mut self) {
        let config = self.config;
        let classes = [
            ("sasl.login.callback.handler.class", &config.sasl_login_callback_handler_class),
            ("sasl.client.callback.handler.class", &config.sasl_client_callback_handler_class),
            ("sasl.oauthbearer.jwt.retriever.class", &config.sasl_oauthbearer_jwt_retriever_class),
        ];
        for (property, class) in classes {
            let Some(class) = class else { continue };
            let known = class.rsplit('.').next().is_some_and(|name| KNOWN_CLASSES.contains(&name));
            if !known {
                self.faults.push(format!(
                    "{property} ({class}) names a Java class, which kavka cannot run: give a provider by the \
                     builder's method instead"
                ));
            }
        }
    }

    /// The login module; an empty one when none is named.
    fn jaas(&mut self, mechanism: SaslMechanism) -> Option<Jaas> {
        let Some(text) = &self.config.sasl_jaas_config else { return Some(Jaas::default()) };
        let jaas = match Jaas::parse(text.reveal()) {
            Ok(jaas) => jaas,
            Err(fault) => {
                self.faults.push(format!("sasl.jaas.config {fault}"));
                return None;
            }
        };
        let wanted = match mechanism {
            SaslMechanism::Plain => "PlainLoginModule",
            SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => "ScramLoginModule",
            SaslMechanism::OAuthBearer => "OAuthBearerLoginModule",
            SaslMechanism::Gssapi => "Krb5LoginModule",
            SaslMechanism::AwsMskIam => "IAMLoginModule",
        };
        if jaas.module != wanted {
            // What stands in the place of the module's name may be anything, a password included.
            let given = if jaas.module.ends_with("LoginModule") { &jaas.module } else { "something else" };
            self.faults.push(format!(
                "sasl.jaas.config is for {given}, but sasl.mechanism={mechanism} takes {wanted}"
            ));
            return None;
        }
        Some(jaas)
    }

    fn user(&mut self, mechanism: SaslMechanism, jaas: &Jaas) -> Option<UserPassword> {
        let config = self.config;
        if let Some(provider) = &config.sasl_credentials_provider {
            return Some(UserPassword::Provided(provider.clone()));
        }
        let username = config.sasl_plain_username.clone().or_else(|| jaas.text("username"));
        let password = config.sasl_plain_password.clone().or_else(|| jaas.secret("password"));
        if username.is_none() {
            self.faults.push(format!(
                "sasl.mechanism={mechanism} needs sasl_plain_username (or username in sasl.jaas.config, or \
                 sasl_credentials_provider)"
            ));
        }
        if password.is_none() {
            self.faults.push(format!(
                "sasl.mechanism={mechanism} needs sasl_plain_password (or password in sasl.jaas.config, or \
                 sasl_credentials_provider)"
            ));
        }
        Some(UserPassword::Fixed(Credentials { username: username?, password: password? }))
    }

    fn tokens(&mut self, jaas: &Jaas) -> Option<TokenSource> {
        let config = self.config;
        if let Some(provider) = &config.sasl_oauth_token_provider {
            return Some(TokenSource::Provided(provider.clone()));
        }
        let extensions = |prefix| {
            jaas.with_prefix(prefix).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        if let Some(url) = &config.sasl_oauthbearer_token_endpoint_url {
            if let Some(path) = url.strip_prefix("file:") {
                let path = path.strip_prefix("//").unwrap_or(path);
                return Some(TokenSource::File(path.into(), extensions("extension_")));
            }
            return self.oidc(url, jaas, extensions("extension_")).map(TokenSource::Oidc);
        }
        let unsecured = self.unsecured(jaas, extensions("unsecuredLoginExtension_"));
        if unsecured.is_none() {
            self.faults.push(
                "sasl.mechanism=OAUTHBEARER needs one of sasl_oauth_token_provider, \
                 sasl.oauthbearer.token.endpoint.url, and unsecuredLoginStringClaim_sub in sasl.jaas.config",
            );
        }
        unsecured.map(TokenSource::Unsecured)
    }

    fn unsecured(&mut self, jaas: &Jaas, extensions: Extensions) -> Option<Unsecured> {
        let mut claims: Vec<(String, String)> = jaas
            .with_prefix("unsecuredLoginStringClaim_")
            .map(|(name, value)| (name.to_owned(), json_text(value)))
            .collect();
        for (name, value) in jaas.with_prefix("unsecuredLoginNumberClaim_") {
            match value.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => claims.push((name.to_owned(), value.trim().to_owned())),
                _ => self.faults.push(format!("sasl.jaas.config: the claim {name} is not a number")),
            }
        }
        for (name, value) in jaas.with_prefix("unsecuredLoginListClaim_") {
            // Kafka's way: the first character separates.
            let mut letters = value.chars();
            let items: Vec<String> = match letters.next() {
                Some(separator) => letters.as_str().split(separator).map(json_text).collect(),
                None => Vec::new(),
            };
            claims.push((name.to_owned(), format!("[{}]", items.join(","))));
        }
        if claims.is_empty() {
            return None;
        }
        let seconds = match jaas.get("unsecuredLoginLifetimeSeconds").map(str::parse::<u32>) {
            None => 3600,
            Some(Ok(seconds)) if seconds > 0 => seconds,
            Some(_) => {
                self.faults.push("sasl.jaas.config: unsecuredLoginLifetimeSeconds is not a number above 0");
                3600
            }
        };
        Some(Unsecured { claims, lifetime: Duration::from_secs(seconds.into()), extensions })
    }

    fn oidc(&mut self, url: &str, jaas: &Jaas, extensions: Extensions) -> Option<Oidc> {
        let config = self.config;
        if !cfg!(feature = "oidc") {
            self.faults.push(
                "sasl.oauthbearer.token.endpoint.url needs kavka's feature \"oidc\", which this build lacks",
            );
        }
        if !url.starts_with("https://") && !url.starts_with("http://") {
            self.faults.push("sasl.oauthbearer.token.endpoint.url is not an http, https or file URL");
        }
        let grant = if let Some(file) = &config.sasl_oauthbearer_assertion_file {
            Grant::AssertionFile(file.into())
        } else if let Some(key) = &config.sasl_oauthbearer_assertion_private_key_file {
            let algorithm = &config.sasl_oauthbearer_assertion_algorithm;
            if !["RS256", "ES256"].contains(&algorithm.as_str()) {
                self.faults.push(format!(
                    "sasl.oauthbearer.assertion.algorithm ({algorithm}) must be one of RS256, ES256"
                ));
            }
            let claims = [
                ("aud", &config.sasl_oauthbearer_assertion_claim_aud),
                ("iss", &config.sasl_oauthbearer_assertion_claim_iss),
                ("sub", &config.sasl_oauthbearer_assertion_claim_sub),
            ];
            Grant::Assertion(Assertion {
                algorithm: algorithm.clone(),
                private_key_file: key.into(),
                passphrase: config.sasl_oauthbearer_assertion_private_key_passphrase.clone(),
                template_file: config.sasl_oauthbearer_assertion_template_file.as_ref().map(PathBuf::from),
                claims: claims.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect(),
                lifetime: Duration::from_secs(config.sasl_oauthbearer_assertion_claim_exp_seconds.into()),
                not_before: Duration::from_secs(config.sasl_oauthbearer_assertion_claim_nbf_seconds.into()),
                with_id: config.sasl_oauthbearer_assertion_claim_jti_include,
            })
        } else {
            let client_id = config
                .sasl_oauthbearer_client_credentials_client_id
                .clone()
                .or_else(|| jaas.text("clientId"));
            let client_secret = config
                .sasl_oauthbearer_client_credentials_client_secret
                .clone()
                .or_else(|| jaas.secret("clientSecret"));
            if client_id.is_none() || client_secret.is_none() {
                self.faults.push(
                    "sasl.oauthbearer.token.endpoint.url needs \
                     sasl.oauthbearer.client.credentials.client.id and .secret (or clientId and \
                     clientSecret in sasl.jaas.config), or sasl.oauthbearer.assertion.file or \
                     .private.key.file",
                );
            }
            Grant::ClientCredentials {
                client_id: client_id?,
                client_secret: client_secret?,
                urlencode: config.sasl_oauthbearer_header_urlencode,
            }
        };
        Some(Oidc {
            url: url.to_owned(),
            scope: config.sasl_oauthbearer_scope.clone().or_else(|| jaas.text("scope")),
            grant,
            extensions,
            connect_timeout: config.sasl_login_connect_timeout,
            read_timeout: config.sasl_login_read_timeout,
        })
    }

    fn kerberos(&mut self, jaas: &Jaas) -> Kerberos {
        let config = self.config;
        if !cfg!(feature = "gssapi") {
            self.faults
                .push("sasl.mechanism=GSSAPI needs kavka's feature \"gssapi\", which this build lacks");
        }
        let explicit_service = config.is_explicit("sasl_kerberos_service_name");
        let service = jaas.text("serviceName").filter(|_| !explicit_service);
        let keytab = config.sasl_kerberos_keytab.clone().or_else(|| jaas.text("keyTab"));
        let principal = config.sasl_kerberos_principal.clone().or_else(|| jaas.text("principal"));
        if keytab.is_some() && principal.is_none() {
            self.faults.push("sasl.kerberos.keytab needs sasl.kerberos.principal");
        }
        Kerberos {
            service: service.unwrap_or_else(|| config.sasl_kerberos_service_name.clone()),
            domain: config.sasl_kerberos_domain_name.clone(),
            name: config.sasl_kerberos_name.clone(),
            principal,
            keytab: keytab.map(PathBuf::from),
            kinit: config.sasl_kerberos_kinit_cmd.clone(),
        }
    }
}

/// A text in JSON.
fn json_text(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c.is_control() => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

/// Classes of Kafka and AWS whose work kavka does itself.
const KNOWN_CLASSES: &[&str] = &[
    "OAuthBearerLoginCallbackHandler",
    "OAuthBearerUnsecuredLoginCallbackHandler",
    "OAuthBearerSaslClientCallbackHandler",
    "IAMClientCallbackHandler",
    "IAMOAuthBearerLoginCallbackHandler",
    "SaslClientCallbackHandler",
    "DefaultJwtRetriever",
    "ClientCredentialsJwtRetriever",
    "JwtBearerJwtRetriever",
    "FileJwtRetriever",
];
