//! DescribeAcls, CreateAcls and DeleteAcls: entries are kept, and not acted on.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::access::{Entry, EntryFilter};
use crate::protocol::messages::create_acls::AclCreationResult;
use crate::protocol::messages::delete_acls::{DeleteAclsFilterResult, DeleteAclsMatchingAcl};
use crate::protocol::messages::describe_acls::{AclDescription, DescribeAclsResource};
use crate::protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse, DescribeAclsRequest,
    DescribeAclsResponse,
};

impl Handler for DescribeAclsRequest {
    async fn handle(self, cx: &Cx) -> Handled<DescribeAclsResponse> {
        let mut response = DescribeAclsResponse { error_message: None, ..Default::default() };
        if let Err(code) = cx.check() {
            response.error_code = code;
            return Handled::Answer(response);
        }
        let filter = EntryFilter {
            resource_type: self.resource_type_filter,
            pattern_type: self.pattern_type_filter,
            name: self.resource_name_filter,
            principal: self.principal_filter,
            host: self.host_filter,
            operation: self.operation,
            permission_type: self.permission_type,
        };
        // In order, so that the entries of a resource are together.
        for entry in cx.state().access.acls.iter().filter(|entry| filter.has(entry)) {
            let acl = AclDescription {
                principal: entry.principal.clone(),
                host: entry.host.clone(),
                operation: entry.operation,
                permission_type: entry.permission_type,
            };
            match response.resources.last_mut() {
                Some(last)
                    if (last.resource_type, last.pattern_type, &last.resource_name)
                        == (entry.resource_type, entry.pattern_type, &entry.name) =>
                {
                    last.acls.push(acl);
                }
                _ => response.resources.push(DescribeAclsResource {
                    resource_type: entry.resource_type,
                    resource_name: entry.name.clone(),
                    pattern_type: entry.pattern_type,
                    acls: vec![acl],
                }),
            }
        }
        Handled::Answer(response)
    }
}

impl Handler for CreateAclsRequest {
    async fn handle(self, cx: &Cx) -> Handled<CreateAclsResponse> {
        let results = self.creations.into_iter().map(|creation| {
            let entry = Entry {
                resource_type: creation.resource_type,
                pattern_type: creation.resource_pattern_type,
                name: creation.resource_name,
                principal: creation.principal,
                host: creation.host,
                operation: creation.operation,
                permission_type: creation.permission_type,
            };
            let created = cx.check().and_then(|()| match entry.is_definite() {
                true => {
                    cx.state().access.acls.insert(entry);
                    Ok(())
                }
                false => Err(ErrorCode::INVALID_REQUEST),
            });
            AclCreationResult { error_code: created.err().unwrap_or_default(), error_message: None }
        });
        Handled::Answer(CreateAclsResponse { results: results.collect(), ..Default::default() })
    }
}

impl Handler for DeleteAclsRequest {
    async fn handle(self, cx: &Cx) -> Handled<DeleteAclsResponse> {
        let results = self.filters.into_iter().map(|filter| {
            let mut result = DeleteAclsFilterResult { error_message: None, ..Default::default() };
            if let Err(code) = cx.check() {
                result.error_code = code;
                return result;
            }
            let filter = EntryFilter {
                resource_type: filter.resource_type_filter,
                pattern_type: filter.pattern_type_filter,
                name: filter.resource_name_filter,
                principal: filter.principal_filter,
                host: filter.host_filter,
                operation: filter.operation,
                permission_type: filter.permission_type,
            };
            cx.state().access.acls.retain(|entry| {
                let meant = filter.has(entry);
                if meant {
                    result.matching_acls.push(removed(entry));
                }
                !meant
            });
            result
        });
        Handled::Answer(DeleteAclsResponse { filter_results: results.collect(), ..Default::default() })
    }
}

fn removed(entry: &Entry) -> DeleteAclsMatchingAcl {
    DeleteAclsMatchingAcl {
        error_code: ErrorCode::NONE,
        error_message: None,
        resource_type: entry.resource_type,
        resource_name: entry.name.clone(),
        pattern_type: entry.pattern_type,
        principal: entry.principal.clone(),
        host: entry.host.clone(),
        operation: entry.operation,
        permission_type: entry.permission_type,
    }
}
