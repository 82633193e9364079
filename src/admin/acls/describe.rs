//! Which entries of access control there are.

use super::entry::{Acl, AclPermissionType, PatternType, ResourcePattern, ResourceType};
use super::filter::AclFilter;
use super::operation::AclOperation;
use crate::admin::{At, Item, KafkaAdminClient, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::describe_acls::DescribeAclsResource;
use crate::protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

impl KafkaAdminClient {
    /// Looks for entries of access control, in order. Needs Kafka 0.11. See
    /// [`create_acls`](Self::create_acls) for an example.
    ///
    /// # Errors
    /// [`SECURITY_DISABLED`](crate::ErrorCode::SECURITY_DISABLED) without an authorizer,
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion).
    pub fn describe_acls(&self, filter: &AclFilter) -> Result<Vec<Acl>> {
        let filter = filter.clone();
        self.call(DESCRIBE, move |admin, call| async move {
            let (version, feature) = filter.needs();
            let items = vec![Item::new(Route::Any, filter).needs(version, feature)];
            let request = |at: &At, filters: &[&AclFilter]| {
                let filter = filters.first().copied().cloned().unwrap_or_default();
                Ok(DescribeAclsRequest {
                    resource_type_filter: filter.resource_type.code(),
                    pattern_type_filter: filter.pattern_code(at.version),
                    resource_name_filter: filter.resource_name,
                    principal_filter: filter.principal,
                    host_filter: filter.host,
                    operation: filter.operation.code(),
                    permission_type: filter.permission_type.code(),
                })
            };
            let read = |_: &At, response: DescribeAclsResponse, _: &[&AclFilter]| {
                let found = verdict(response.error_code, response.error_message.as_deref(), DESCRIBE);
                vec![found.map(|()| response.resources.into_iter().flat_map(acls_of).collect::<Vec<Acl>>())]
            };
            let results = admin.ask(call, items, request, read).await;
            let mut acls =
                results.into_iter().next().map_or_else(|| Err(unanswered(DESCRIBE)), |(_, one)| one)?;
            acls.sort_unstable();
            Ok(acls)
        })
    }
}

fn acls_of(resource: DescribeAclsResource) -> impl Iterator<Item = Acl> {
    let pattern = ResourcePattern {
        resource_type: ResourceType::from_code(resource.resource_type),
        name: resource.resource_name,
        pattern_type: PatternType::from_code(resource.pattern_type),
    };
    resource.acls.into_iter().map(move |acl| Acl {
        resource: pattern.clone(),
        principal: acl.principal,
        host: acl.host,
        operation: AclOperation::from_code(acl.operation),
        permission_type: AclPermissionType::from_code(acl.permission_type),
    })
}

const DESCRIBE: &str = "describe ACLs";
