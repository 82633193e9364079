//! `kavka admin acls`.

use clap::{Args, Subcommand};
use kavka::admin::{
    Acl, AclFilter, AclOperation, AclPermissionType, PatternType, ResourcePattern, ResourceType,
};

use super::report::{Item, Report};
use super::session::Session;
use crate::common::Outcome;

/// Who may do what.
#[derive(Subcommand)]
pub(crate) enum Acls {
    /// Entries that match; all, if nothing is said.
    Describe(Filter),
    /// Add an entry.
    Create(Create),
    /// Remove the entries that match.
    Delete(Filter),
}

/// Which entries; what is left out matches everything.
#[derive(Args)]
pub(crate) struct Filter {
    /// Who, such as User:alice.
    #[arg(long, value_name = "PRINCIPAL")]
    principal: Option<String>,

    /// From where: an address.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// What: read, write, create, delete, alter, describe, …
    #[arg(long, value_name = "OPERATION", default_value = "any")]
    operation: AclOperation,

    /// allow or deny.
    #[arg(long, value_name = "TYPE", default_value = "any")]
    permission_type: AclPermissionType,

    /// topic, group, cluster, transactional-id, delegation-token or user.
    #[arg(long, value_name = "TYPE", default_value = "any")]
    resource_type: ResourceType,

    /// The name.
    #[arg(long, value_name = "NAME")]
    resource_name: Option<String>,

    /// literal, prefixed, or match for all patterns that a resource of the name falls under.
    #[arg(long, value_name = "TYPE", default_value = "any")]
    pattern_type: PatternType,
}

#[derive(Args)]
pub(crate) struct Create {
    /// Who, such as User:alice; User:* for everybody.
    #[arg(long, value_name = "PRINCIPAL")]
    principal: String,

    /// From where: an address.
    #[arg(long, value_name = "HOST", default_value = "*")]
    host: String,

    /// What: read, write, create, delete, alter, describe, …
    #[arg(long, value_name = "OPERATION")]
    operation: AclOperation,

    /// allow or deny.
    #[arg(long, value_name = "TYPE", default_value = "allow")]
    permission_type: AclPermissionType,

    /// topic, group, cluster, transactional-id, delegation-token or user.
    #[arg(long, value_name = "TYPE")]
    resource_type: ResourceType,

    /// The name; * for all, kafka-cluster for the cluster.
    #[arg(long, value_name = "NAME")]
    resource_name: String,

    /// literal or prefixed.
    #[arg(long, value_name = "TYPE", default_value = "literal")]
    pattern_type: PatternType,
}

impl Acls {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::Describe(filter) => filter.describe(session),
            Self::Create(create) => create.run(session),
            Self::Delete(filter) => filter.delete(session),
        }
    }
}

impl Filter {
    fn filter(self) -> AclFilter {
        let mut filter = AclFilter::new()
            .operation(self.operation)
            .permission_type(self.permission_type)
            .resource_type(self.resource_type)
            .pattern_type(self.pattern_type);
        if let Some(principal) = self.principal {
            filter = filter.principal(principal);
        }
        if let Some(host) = self.host {
            filter = filter.host(host);
        }
        if let Some(name) = self.resource_name {
            filter = filter.resource_name(name);
        }
        filter
    }

    fn describe(self, session: &Session) -> Outcome<Report> {
        let filter = self.filter();
        let acls = session.wait("looking for entries", |admin| admin.describe_acls(&filter))?;
        Ok(Report::list(acls.iter().map(item)))
    }

    fn delete(self, session: &Session) -> Outcome<Report> {
        let filter = self.filter();
        session.confirm(&format!("remove the entries: {filter}"))?;
        let removed = session.wait("removing entries", |admin| admin.delete_acls([filter]))?;
        let mut report = Report::list([]);
        for (filter, result) in removed {
            match result {
                Err(error) => report.add(Item::new().with("filter", filter.to_string()), Err(error)),
                Ok(acls) => {
                    for (acl, result) in acls {
                        report.add(item(&acl), result.map(|()| Item::new().with("status", "removed")));
                    }
                }
            }
        }
        Ok(report)
    }
}

impl Create {
    fn run(self, session: &Session) -> Outcome<Report> {
        let acl = Acl {
            resource: ResourcePattern {
                resource_type: self.resource_type,
                name: self.resource_name,
                pattern_type: self.pattern_type,
            },
            principal: self.principal,
            host: self.host,
            operation: self.operation,
            permission_type: self.permission_type,
        };
        let created = session.wait("adding the entry", |admin| admin.create_acls([acl]))?;
        Ok(Report::results(
            created
                .into_iter()
                .map(|(acl, result)| (item(&acl), result.map(|()| Item::new().with("status", "created")))),
        ))
    }
}

fn item(acl: &Acl) -> Item {
    Item::new()
        .with("resource_type", acl.resource.resource_type.to_string())
        .with("pattern_type", acl.resource.pattern_type.to_string())
        .with("resource_name", acl.resource.name.as_str())
        .with("principal", acl.principal.as_str())
        .with("host", acl.host.as_str())
        .with("operation", acl.operation.to_string())
        .with("permission_type", acl.permission_type.to_string())
}
