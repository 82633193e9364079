//! Adding entries of access control.

use super::entry::Acl;
use super::filter::needs;
use crate::admin::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::create_acls::AclCreation;
use crate::protocol::messages::{CreateAclsRequest, CreateAclsResponse};

impl KafkaAdminClient {
    /// Adds entries of access control; one that exists already is no error. Needs Kafka 0.11.
    ///
    /// ```
    /// use kavka::KafkaAdminClient;
    /// use kavka::admin::{Acl, AclFilter, AclOperation, ResourcePattern};
    /// # let cluster = kavka::mock::MockCluster::start()?;
    /// # let servers = cluster.bootstrap_servers();
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
    /// let acl = Acl::allow("User:alice", AclOperation::Read, ResourcePattern::topic("orders"));
    /// for (acl, result) in admin.create_acls([acl.clone()])? {
    ///     result?;
    ///     println!("{acl}");
    /// }
    /// assert_eq!(admin.describe_acls(&AclFilter::new().principal("User:alice"))?, [acl]);
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// For an entry [`SECURITY_DISABLED`](crate::ErrorCode::SECURITY_DISABLED) without an authorizer,
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization),
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for what only filters may have,
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion) for prefixes before 2.0 and users
    /// before 3.3.
    pub fn create_acls(&self, acls: impl IntoIterator<Item = Acl>) -> Result<Results<Acl, ()>> {
        let acls: Vec<Acl> = acls.into_iter().collect();
        if acls.is_empty() {
            return Ok(Vec::new());
        }
        self.call(CREATE, move |admin, call| async move {
            let mut results: Vec<Option<Result<()>>> =
                acls.iter().map(|acl| acl.check().err().map(Err)).collect();
            let good = acls.iter().zip(&results).filter(|(_, result)| result.is_none());
            let items = good.map(|(acl, _)| {
                let (version, feature) = needs(acl.resource.resource_type, acl.resource.pattern_type);
                Item::new(Route::Any, acl.clone()).needs(version, feature)
            });
            let request = |_: &At, acls: &[&Acl]| {
                Ok(CreateAclsRequest { creations: acls.iter().map(|acl| message(acl)).collect() })
            };
            // The results have no names: they come in the order of the request.
            let read = |_: &At, response: CreateAclsResponse, acls: &[&Acl]| {
                let mut answers = response.results.into_iter();
                let created = |acl: &&Acl| {
                    let what = format!("{CREATE} {acl}");
                    let answer = answers.next().ok_or_else(|| unanswered(&what))?;
                    verdict(answer.error_code, answer.error_message.as_deref(), &what)
                };
                acls.iter().map(created).collect()
            };
            let asked = admin.ask(call, items.collect(), request, read).await;
            let open = results.iter_mut().filter(|result| result.is_none());
            for (place, (_, result)) in open.zip(asked) {
                *place = Some(result);
            }
            let result =
                |(acl, result): (Acl, Option<_>)| (acl, result.unwrap_or_else(|| Err(unanswered(CREATE))));
            Ok(acls.into_iter().zip(results).map(result).collect())
        })
    }
}

fn message(acl: &Acl) -> AclCreation {
    AclCreation {
        resource_type: acl.resource.resource_type.code(),
        resource_name: acl.resource.name.clone(),
        resource_pattern_type: acl.resource.pattern_type.code(),
        principal: acl.principal.clone(),
        host: acl.host.clone(),
        operation: acl.operation.code(),
        permission_type: acl.permission_type.code(),
    }
}

const CREATE: &str = "create ACL";
