//! The producer id that makes retries harmless (KIP-98), fetched when the first batch needs it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::cluster::Cluster;
use crate::config::ProducerConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::net::backoff::Backoff;
use crate::net::wakeup::Wakeup;
use crate::protocol::messages::InitProducerIdRequest;

/// A producer id and the epoch it starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProducerId {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// What is known of the identity at this moment.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    /// The producer is not idempotent.
    None,
    /// A broker has been asked; the sender is woken by the answer.
    Pending,
    Known(ProducerId),
    /// Idempotence was asked for and cannot be had.
    Refused(Error),
}

/// Keeps the identity. Cheap to clone; lives on the IO thread.
#[derive(Clone)]
pub(super) struct Identities(Rc<Inner>);

struct Inner {
    state: RefCell<State>,
    /// Idempotence was asked for, not just left at its default.
    is_explicit: bool,
    one_by_one: Cell<bool>,
    /// Why there is no id yet.
    last_error: RefCell<Option<Error>>,
    sender: Wakeup,
}

enum State {
    Off,
    Unasked,
    Asked,
    Known(ProducerId),
    Refused(Error),
}

impl Identities {
    pub(super) fn new(config: &ProducerConfig, sender: Wakeup) -> Self {
        let state = if config.enable_idempotence { State::Unasked } else { State::Off };
        Self(Rc::new(Inner {
            state: RefCell::new(state),
            is_explicit: config.is_explicit("enable_idempotence"),
            one_by_one: Cell::new(false),
            last_error: RefCell::new(None),
            sender,
        }))
    }

    /// Whether order has to be kept by sending one batch of a partition at a time: the brokers refused the
    /// idempotence that was on by default.
    pub(super) fn is_one_by_one(&self) -> bool {
        self.0.one_by_one.get()
    }

    /// Why there is no identity yet, as far as the last attempt tells.
    pub(super) fn last_error(&self) -> Option<Error> {
        match &*self.0.state.borrow() {
            State::Asked => self.0.last_error.borrow().clone(),
            _ => None,
        }
    }

    /// The identity; asks for one when there is none yet.
    pub(super) fn get(&self, cluster: &Cluster) -> Identity {
        let mut state = self.0.state.borrow_mut();
        match &*state {
            State::Off => return Identity::None,
            State::Asked => return Identity::Pending,
            State::Known(id) => return Identity::Known(*id),
            State::Refused(error) => {
                let error = error.clone();
                if error.kind() == ErrorKind::Authorization {
                    // The right may have been granted by the time of the next record.
                    *state = State::Unasked;
                }
                return Identity::Refused(error);
            }
            State::Unasked => {}
        }
        *state = State::Asked;
        drop(state);
        cluster.net().spawn(self.clone().ask(cluster.clone()));
        Identity::Pending
    }

    /// Has a new id fetched: the epochs of the present one are used up.
    pub(super) fn renew(&self, used_up: ProducerId) {
        let mut state = self.0.state.borrow_mut();
        if matches!(&*state, State::Known(known) if *known == used_up) {
            *state = State::Unasked;
        }
    }

    async fn ask(self, cluster: Cluster) {
        let net = cluster.net().clone();
        let backoff = Backoff { initial: RETRY, max: RETRY_MAX };
        let mut failures = 0;
        let state = loop {
            match request(&cluster).await {
                Ok(id) => break State::Known(id),
                Err(error) if is_refusal(&error) => break self.refused(error),
                Err(error) => {
                    log::debug!("no producer id yet: {error}");
                    *self.0.last_error.borrow_mut() = Some(error);
                    failures += 1;
                    net.sleep(backoff.after(failures, net.random())).await;
                }
            }
        };
        *self.0.state.borrow_mut() = state;
        self.0.sender.notify();
    }

    fn refused(&self, error: Error) -> State {
        if self.0.is_explicit {
            return State::Refused(
                error
                    .context("enable.idempotence was asked for and the brokers refuse it")
                    .with_retriable(false),
            );
        }
        log::warn!(
            "the brokers refuse idempotence, which is on by default ({error}): going on without it, one batch of \
             a partition at a time; set enable.idempotence to choose"
        );
        self.0.one_by_one.set(true);
        State::Off
    }
}

async fn request(cluster: &Cluster) -> Result<ProducerId> {
    let manager = cluster.manager();
    let node = manager
        .least_loaded_node()
        .ok_or_else(|| Error::new(ErrorKind::Connection, "no broker is known to ask for a producer id"))?;
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        ..Default::default()
    };
    let response = manager.send(node, &request).await?;
    if response.error_code.is_ok() {
        return Ok(ProducerId { id: response.producer_id, epoch: response.producer_epoch });
    }
    Err(Error::from_code(response.error_code, "producer id"))
}

fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::UnsupportedVersion | ErrorKind::Authorization)
        || matches!(
            error.code(),
            Some(ErrorCode::CLUSTER_AUTHORIZATION_FAILED | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        )
}

const RETRY: std::time::Duration = std::time::Duration::from_millis(100);
const RETRY_MAX: std::time::Duration = std::time::Duration::from_secs(1);
