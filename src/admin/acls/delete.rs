//! Removing entries of access control.

use super::entry::{Acl, AclPermissionType, PatternType, ResourcePattern, ResourceType};
use super::filter::AclFilter;
use super::operation::AclOperation;
use crate::admin::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::delete_acls::{
    DeleteAclsFilter, DeleteAclsFilterResult, DeleteAclsMatchingAcl,
};
use crate::protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};

impl KafkaAdminClient {
    /// Removes the entries that match filters, and says for each filter what it found: an entry with an error
    /// was found, but is still there. Needs Kafka 0.11.
    ///
    /// ```
    /// use kavka::KafkaAdminClient;
    /// use kavka::admin::{Acl, AclFilter, AclOperation, ResourcePattern};
    /// # let cluster = kavka::mock::MockCluster::start()?;
    /// # let servers = cluster.bootstrap_servers();
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
    /// # admin.create_acls([Acl::allow("User:bob", AclOperation::Read, ResourcePattern::topic("orders"))])?;
    /// for (_, removed) in admin.delete_acls([AclFilter::new().principal("User:bob")])? {
    ///     for (acl, result) in removed? {
    ///         result?;
    ///         println!("removed: {acl}");
    ///     }
    /// }
    /// # assert!(admin.describe_acls(&AclFilter::new())?.is_empty());
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// For a filter as [`describe_acls`](Self::describe_acls).
    pub fn delete_acls(
        &self,
        filters: impl IntoIterator<Item = impl Into<AclFilter>>,
    ) -> Result<Results<AclFilter, Results<Acl, ()>>> {
        let filters: Vec<AclFilter> = filters.into_iter().map(Into::into).collect();
        if filters.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DELETE, move |admin, call| async move {
            let item = |filter: AclFilter| {
                let (version, feature) = filter.needs();
                Item::new(Route::Any, filter).needs(version, feature)
            };
            let request = |at: &At, filters: &[&AclFilter]| {
                let filters = filters.iter().map(|filter| message(filter, at.version)).collect();
                Ok(DeleteAclsRequest { filters })
            };
            // The results have no names: they come in the order of the request.
            let read = |_: &At, response: DeleteAclsResponse, filters: &[&AclFilter]| {
                let mut answers = response.filter_results.into_iter();
                filters.iter().map(|filter| deleted(answers.next(), filter)).collect()
            };
            let items = filters.into_iter().map(item).collect();
            Ok(admin.ask(call.never_twice(), items, request, read).await)
        })
    }
}

fn message(filter: &AclFilter, version: i16) -> DeleteAclsFilter {
    DeleteAclsFilter {
        resource_type_filter: filter.resource_type.code(),
        resource_name_filter: filter.resource_name.clone(),
        pattern_type_filter: filter.pattern_code(version),
        principal_filter: filter.principal.clone(),
        host_filter: filter.host.clone(),
        operation: filter.operation.code(),
        permission_type: filter.permission_type.code(),
    }
}

fn deleted(answer: Option<DeleteAclsFilterResult>, filter: &AclFilter) -> Result<Results<Acl, ()>> {
    let what = format!("{DELETE} {filter}");
    let answer = answer.ok_or_else(|| unanswered(&what))?;
    verdict(answer.error_code, answer.error_message.as_deref(), &what)?;
    let matching = |found: DeleteAclsMatchingAcl| {
        let result = verdict(found.error_code, found.error_message.as_deref(), &what);
        let acl = Acl {
            resource: ResourcePattern {
                resource_type: ResourceType::from_code(found.resource_type),
                name: found.resource_name,
                pattern_type: PatternType::from_code(found.pattern_type),
            },
            principal: found.principal,
            host: found.host,
            operation: AclOperation::from_code(found.operation),
            permission_type: AclPermissionType::from_code(found.permission_type),
        };
        (acl, result)
    };
    let mut all: Results<Acl, ()> = answer.matching_acls.into_iter().map(matching).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(all)
}

const DELETE: &str = "delete ACLs";
