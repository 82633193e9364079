//! DescribeUserScramCredentials and AlterUserScramCredentials: which credentials there are is kept, and nobody can log
//! in with them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::protocol::messages::alter_user_scram_credentials::AlterUserScramCredentialsResult;
use crate::protocol::messages::describe_user_scram_credentials::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use crate::protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
};

/// The iterations that Kafka's brokers take.
const ITERATIONS: std::ops::RangeInclusive<i32> = 4096..=16384;

impl Handler for DescribeUserScramCredentialsRequest {
    async fn handle(self, cx: &Cx) -> Handled<DescribeUserScramCredentialsResponse> {
        let mut response = DescribeUserScramCredentialsResponse { error_message: None, ..Default::default() };
        if let Err(code) = cx.check() {
            response.error_code = code;
            return Handled::Answer(response);
        }
        let state = cx.state();
        let credentials = &state.access.credentials;
        let users: Vec<String> = match self.users.filter(|users| !users.is_empty()) {
            Some(users) => users.into_iter().map(|user| user.name).collect(),
            None => credentials.keys().cloned().collect(),
        };
        response.results = users
            .into_iter()
            .map(|user| {
                let known = credentials.get(&user);
                let infos = known.into_iter().flatten().map(|(mechanism, iterations)| CredentialInfo {
                    mechanism: *mechanism,
                    iterations: *iterations,
                });
                DescribeUserScramCredentialsResult {
                    error_code: if known.is_some() { ErrorCode::NONE } else { ErrorCode::RESOURCE_NOT_FOUND },
                    error_message: None,
                    credential_infos: infos.collect(),
                    user,
                }
            })
            .collect();
        Handled::Answer(response)
    }
}

impl Handler for AlterUserScramCredentialsRequest {
    async fn handle(self, cx: &Cx) -> Handled<AlterUserScramCredentialsResponse> {
        let mut verdicts: BTreeMap<String, Result<(), ErrorCode>> = BTreeMap::new();
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        let mut state = cx.state();
        let known = &mut state.access.credentials;
        let deletions = self.deletions.iter().map(|one| (&one.name, one.mechanism, None));
        let upsertions = self.upsertions.iter().map(|one| (&one.name, one.mechanism, Some(one.iterations)));
        let changes: Vec<_> = deletions.chain(upsertions).collect();
        for (user, mechanism, iterations) in &changes {
            let missing = || known.get(*user).is_none_or(|has| !has.contains_key(mechanism));
            let verdict = cx.check().and(match iterations {
                _ if !matches!(mechanism, 1 | 2) => Err(ErrorCode::UNSUPPORTED_SASL_MECHANISM),
                // One change a user, as Kafka's controllers have it.
                _ if !seen.insert(user) => Err(ErrorCode::DUPLICATE_RESOURCE),
                None if missing() => Err(ErrorCode::RESOURCE_NOT_FOUND),
                Some(count) if user.is_empty() || !ITERATIONS.contains(count) => {
                    Err(ErrorCode::UNACCEPTABLE_CREDENTIAL)
                }
                _ => Ok(()),
            });
            let all = verdicts.entry((*user).clone()).or_insert(Ok(()));
            *all = all.and(verdict);
        }
        for (user, mechanism, iterations) in changes {
            // All changes of a user, or none.
            if verdicts.get(user).is_some_and(Result::is_ok) {
                let has = known.entry(user.clone()).or_default();
                match iterations {
                    Some(count) => drop(has.insert(mechanism, count)),
                    None => drop(has.remove(&mechanism)),
                }
            }
        }
        known.retain(|_, has| !has.is_empty());
        let results = verdicts.into_iter().map(|(user, verdict)| AlterUserScramCredentialsResult {
            user,
            error_code: verdict.err().unwrap_or_default(),
            error_message: None,
        });
        Handled::Answer(AlterUserScramCredentialsResponse {
            results: results.collect(),
            ..Default::default()
        })
    }
}
