//! What brokers answer: one file an API, or a few that belong together.

mod acls;
mod alter_configs;
mod configs;
mod consumer_groups;
mod fetch;
mod groups;
mod leaders;
mod list_offsets;
mod membership;
mod metadata;
mod offset_delete;
mod offsets;
mod produce;
mod producers;
mod quotas;
mod sasl;
mod scram_users;
mod telemetry;
mod topics;
mod transactions;
mod txn_offsets;
mod versions;

use std::cell::RefMut;
use std::rc::Rc;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::protocol::messages::*;
use crate::protocol::{ApiKey, Request, RequestHeader, VersionRange, decode_request, encode_response};

use super::faults::{Outcome, Plan};
use super::sasl::Login;
use super::state::{Cluster, State};

pub(crate) use versions::unsupported_api_versions;

/// What goes back, and how.
pub(crate) struct Served {
    pub(crate) answer: Answer,
    pub(crate) outcome: Outcome,
}

/// What goes back.
pub(crate) enum Answer {
    /// A frame.
    Send(Vec<Bytes>),
    /// Nothing: the client wants none.
    Silent,
    /// Nothing, and the connection is closed.
    Close,
}

/// A request's surroundings.
pub(crate) struct Cx {
    pub(crate) cluster: Rc<Cluster>,
    pub(crate) broker: i32,
    pub(crate) version: i16,
    pub(crate) client_id: String,
    pub(crate) host: String,
    pub(crate) plan: Plan,
    pub(crate) login: Rc<Login>,
}

impl Cx {
    /// The state; not to be held over an await.
    fn state(&self) -> RefMut<'_, State> {
        self.cluster.state()
    }

    /// The injected error of the whole request, or nothing.
    fn check(&self) -> std::result::Result<(), ErrorCode> {
        self.plan.error().map_or(Ok(()), Err)
    }

    /// The injected error of one partition, or nothing.
    fn check_partition(&self, topic: &str, partition: i32) -> std::result::Result<(), ErrorCode> {
        self.plan.error_of(topic, partition).map_or(Ok(()), Err)
    }

    /// The injected error, or that another broker coordinates the group.
    fn check_group(&self, group: &str) -> std::result::Result<(), ErrorCode> {
        self.check()?;
        self.state().check_coordinator(self.broker, group)
    }
}

/// An API that is served.
trait Handler: Request {
    /// The partitions that the request names, for faults that are about one of them.
    fn partitions(&self, _state: &State, _broker: i32) -> Vec<(String, i32)> {
        Vec::new()
    }

    /// The answer; `None` for one that the client does not wait for.
    async fn handle(self, cx: &Cx) -> Handled<Self::Response>;
}

/// What a handler has to say.
enum Handled<R> {
    Answer(R),
    Silent,
    Close,
}

macro_rules! serve {
    ($($request:ident),*; unthrottled: $($bare:ident,)*) => {
        /// The APIs that are served, with all versions.
        pub(crate) const SERVED: &[(ApiKey, VersionRange)] =
            &[$(($request::API_KEY, $request::VERSIONS),)* $(($bare::API_KEY, $bare::VERSIONS),)*];

        /// Handles one request.
        pub(crate) async fn serve(
            cluster: &Rc<Cluster>,
            broker: i32,
            host: &str,
            login: &Rc<Login>,
            header: RequestHeader,
            frame: Bytes,
        ) -> Result<Served> {
            match header.api_key {
                $(key if key == $request::API_KEY => {
                    serve_one::<$request>(cluster, broker, host, login, header, frame, |response, ms| {
                        response.throttle_time_ms = ms;
                    })
                    .await
                })*
                $(key if key == $bare::API_KEY => {
                    serve_one::<$bare>(cluster, broker, host, login, header, frame, |_, _| ()).await
                })*
                key => Err(Error::new(ErrorKind::UnsupportedVersion, format!("the mock does not serve {key}"))),
            }
        }
    };
}

serve! {
    ProduceRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest,
    FindCoordinatorRequest, JoinGroupRequest, HeartbeatRequest, LeaveGroupRequest, SyncGroupRequest,
    DescribeGroupsRequest, ListGroupsRequest, ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DeleteRecordsRequest, InitProducerIdRequest, OffsetForLeaderEpochRequest, DescribeConfigsRequest,
    CreatePartitionsRequest, DeleteGroupsRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupDescribeRequest, DescribeClusterRequest, DescribeTopicPartitionsRequest,
    AddPartitionsToTxnRequest, AddOffsetsToTxnRequest, EndTxnRequest, TxnOffsetCommitRequest, DescribeProducersRequest,
    DescribeTransactionsRequest, ListTransactionsRequest, AlterConfigsRequest, IncrementalAlterConfigsRequest,
    ElectLeadersRequest, AlterPartitionReassignmentsRequest, ListPartitionReassignmentsRequest,
    GetTelemetrySubscriptionsRequest,
    OffsetDeleteRequest, DescribeAclsRequest, CreateAclsRequest,
    DeleteAclsRequest, DescribeClientQuotasRequest, AlterClientQuotasRequest, DescribeUserScramCredentialsRequest,
    AlterUserScramCredentialsRequest;
    // Those whose answers have no place for a throttle time.
    unthrottled: WriteTxnMarkersRequest, SaslHandshakeRequest, SaslAuthenticateRequest,
}

async fn serve_one<R: Handler>(
    cluster: &Rc<Cluster>,
    broker: i32,
    host: &str,
    login: &Rc<Login>,
    header: RequestHeader,
    frame: Bytes,
    throttle: impl FnOnce(&mut R::Response, i32),
) -> Result<Served> {
    let version = header.api_version;
    let (_, request) = decode_request::<R>(frame, version)
        .map_err(|error| Error::new(ErrorKind::Protocol, error.to_string()))?;
    let plan = {
        let mut state = cluster.state();
        if state.faults.is_empty() {
            Plan::default()
        } else {
            let partitions = request.partitions(&state, broker);
            state.faults.plan(R::API_KEY, broker, &partitions)
        }
    };
    let outcome = plan.outcome;
    if !plan.delay.is_zero() {
        cluster.net.sleep(plan.delay).await;
    }
    if plan.drop_before {
        return Ok(Served { answer: Answer::Close, outcome });
    }
    let held_back = i32::try_from(plan.throttle.as_millis()).unwrap_or(i32::MAX);
    let cx = Cx {
        cluster: Rc::clone(cluster),
        broker,
        version,
        client_id: header.client_id.unwrap_or_default(),
        host: host.to_owned(),
        plan,
        login: Rc::clone(login),
    };
    let answer = match request.handle(&cx).await {
        Handled::Answer(mut response) => {
            if held_back > 0 {
                throttle(&mut response, held_back);
            }
            let chunks = encode_response::<R>(header.correlation_id, &response, version)
                .map_err(|error| Error::new(ErrorKind::Protocol, error.to_string()))?;
            Answer::Send(chunks)
        }
        Handled::Silent => Answer::Silent,
        Handled::Close => Answer::Close,
    };
    Ok(Served { answer, outcome })
}
