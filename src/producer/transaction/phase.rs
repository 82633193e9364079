//! What may follow what: the state machine of a transactional producer. No IO and no clock in here.
//!
//! An operation (initialization, commit, abort) runs on the IO thread and goes on when its caller has run out of time.
//! What came of it is kept until a call of the same kind asks for it, so a commit whose outcome is unknown can be
//! repeated, and nothing else done before (KIP-588).

use crate::error::{Error, ErrorKind, Result};

/// What runs on the IO thread on behalf of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::producer) enum Operation {
    Initialize,
    Commit,
    Abort,
}

impl Operation {
    /// The method's name.
    pub(in crate::producer) fn name(self) -> &'static str {
        match self {
            Self::Initialize => "init_transactions",
            Self::Commit => "commit_transaction",
            Self::Abort => "abort_transaction",
        }
    }
}

/// Where a transactional producer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::producer) enum Phase {
    /// Without a producer id.
    Uninitialized,
    /// Between transactions.
    Ready,
    /// In a transaction.
    Open,
    /// In a transaction that can only be aborted.
    AbortNeeded,
    /// An operation is under way.
    Busy(Operation),
    /// Another producer has taken over, or the like: of no further use.
    Fatal,
}

/// How a call goes on.
#[derive(Clone, Debug)]
pub(in crate::producer) enum Start {
    /// The operation has to be launched.
    New,
    /// It is under way already.
    Join,
    /// It has ended since an earlier call ran out of time.
    Done(Result<()>),
}

/// The state, shared by the callers and the IO thread.
#[derive(Debug)]
pub(in crate::producer) struct Machine {
    phase: Phase,
    /// Why the transaction has to be aborted, or the producer is of no further use.
    error: Option<Error>,
    /// How the last operation ended, and whether a caller has been told.
    outcome: Option<Outcome>,
}

#[derive(Debug)]
struct Outcome {
    operation: Operation,
    result: Result<()>,
    told: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Self { phase: Phase::Uninitialized, error: None, outcome: None }
    }
}

impl Machine {
    pub(in crate::producer) fn phase(&self) -> Phase {
        self.phase
    }

    /// Why nothing more can join the transaction.
    pub(in crate::producer) fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Whether what is queued is to be sent: not when the transaction is lost anyway.
    pub(in crate::producer) fn is_lost(&self) -> bool {
        self.error.is_some() || self.phase == Phase::Busy(Operation::Abort)
    }

    /// Whether there is a transaction that an abort would end.
    pub(in crate::producer) fn can_abort(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::AbortNeeded)
    }

    /// Whether records may be sent now.
    ///
    /// # Errors
    /// Why not, with the remedy.
    pub(in crate::producer) fn check_open(&self) -> Result<()> {
        match (self.phase, &self.error) {
            (Phase::Open, _) => Ok(()),
            (_, Some(error)) => Err(error.clone()),
            (Phase::Uninitialized | Phase::Busy(Operation::Initialize), _) => {
                Err(illegal("a transactional producer sends nothing before init_transactions()"))
            }
            (Phase::Busy(operation), _) => Err(illegal(&format!(
                "the transaction takes nothing more: {} is under way",
                operation.name()
            ))),
            _ => Err(illegal(
                "a transactional producer sends only within transactions: call begin_transaction() first",
            )),
        }
    }

    /// Begins a transaction. `Join` says that an abort has to end first.
    ///
    /// # Errors
    /// That this is not the time for it.
    pub(in crate::producer) fn begin(&mut self) -> Result<Start> {
        if let Some(error) = self.error.as_ref().filter(|_| self.phase == Phase::Fatal) {
            return Err(error.clone());
        }
        self.claim(None)?;
        match self.phase {
            Phase::Ready => {
                self.phase = Phase::Open;
                Ok(Start::New)
            }
            Phase::Busy(Operation::Abort) => Ok(Start::Join),
            Phase::Busy(operation) => Err(to_be_repeated(operation)),
            Phase::Uninitialized => {
                Err(illegal("init_transactions() has to come before begin_transaction()"))
            }
            _ => Err(illegal("a transaction is open already: commit or abort it first")),
        }
    }

    /// Begins an operation.
    ///
    /// # Errors
    /// That this is not the time for it, or why the transaction cannot be committed any more.
    pub(in crate::producer) fn start(&mut self, operation: Operation) -> Result<Start> {
        if let Some(error) = self.error.as_ref().filter(|_| self.phase == Phase::Fatal) {
            return Err(error.clone());
        }
        if let Some(result) = self.claim(Some(operation))? {
            return Ok(Start::Done(result));
        }
        match (operation, self.phase) {
            (wanted, Phase::Busy(running)) if wanted == running => return Ok(Start::Join),
            (_, Phase::Busy(running)) => return Err(to_be_repeated(running)),
            (Operation::Initialize, Phase::Uninitialized)
            | (Operation::Commit, Phase::Open)
            | (Operation::Abort, Phase::Open | Phase::AbortNeeded) => {}
            (Operation::Commit, Phase::AbortNeeded) => {
                return Err(self
                    .error
                    .clone()
                    .unwrap_or_else(|| illegal("the transaction has to be aborted")));
            }
            (Operation::Initialize, _) => return Err(illegal("init_transactions() is to be called once")),
            (_, Phase::Uninitialized) => {
                return Err(illegal("init_transactions() and begin_transaction() have to come first"));
            }
            _ => return Err(illegal(&format!("{}: no transaction is open", operation.name()))),
        }
        self.outcome = None;
        self.phase = Phase::Busy(operation);
        Ok(Start::New)
    }

    /// An outcome that nobody was told of yet, for the call of the same kind.
    fn claim(&mut self, by: Option<Operation>) -> Result<Option<Result<()>>> {
        let Some(outcome) = self.outcome.as_mut().filter(|outcome| !outcome.told) else { return Ok(None) };
        if by == Some(outcome.operation) {
            outcome.told = true;
            return Ok(Some(outcome.result.clone()));
        }
        // An abort that went well, and a failure that shows in the state, need not be asked for.
        if outcome.operation == Operation::Commit && outcome.result.is_ok() {
            return Err(to_be_repeated(outcome.operation));
        }
        Ok(None)
    }

    /// An operation has ended.
    pub(in crate::producer) fn conclude(&mut self, operation: Operation, result: Result<()>) {
        if self.phase == Phase::Fatal {
            // It failed on the way, and said so to the operation.
        } else {
            match &result {
                Ok(()) => {
                    self.phase = Phase::Ready;
                    self.error = None;
                }
                Err(error) if error.is_fatal() => {
                    self.phase = Phase::Fatal;
                    self.error = Some(error.clone());
                }
                Err(_) if operation == Operation::Initialize => self.phase = Phase::Uninitialized,
                Err(error) => {
                    self.phase = Phase::AbortNeeded;
                    self.error = Some(error.clone());
                }
            }
        }
        self.outcome = Some(Outcome { operation, result, told: false });
    }

    /// How an operation that the caller has waited for has ended.
    pub(in crate::producer) fn take(&mut self, operation: Operation) -> Option<Result<()>> {
        let outcome = self.outcome.as_mut().filter(|outcome| outcome.operation == operation)?;
        outcome.told = true;
        Some(outcome.result.clone())
    }

    /// Something of the transaction has failed. Returns whether that is news.
    pub(in crate::producer) fn fail(&mut self, error: Error) -> bool {
        if self.phase == Phase::Fatal {
            return false;
        }
        if error.is_fatal() {
            self.phase = Phase::Fatal;
            self.error = Some(error);
            return true;
        }
        match self.phase {
            Phase::Open => self.phase = Phase::AbortNeeded,
            // The commit is told, and leaves the phase behind itself.
            Phase::Busy(Operation::Commit) if self.error.is_none() => {}
            _ => return false,
        }
        self.error = Some(error);
        true
    }
}

fn illegal(text: &str) -> Error {
    Error::new(ErrorKind::IllegalState, text)
}

fn to_be_repeated(operation: Operation) -> Error {
    illegal(&format!(
        "{0} ran out of time or is under way, so its outcome is unknown: call {0} again to learn it",
        operation.name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Machine {
        let mut machine = Machine::default();
        assert!(matches!(machine.start(Operation::Initialize), Ok(Start::New)));
        machine.conclude(Operation::Initialize, Ok(()));
        assert!(matches!(machine.take(Operation::Initialize), Some(Ok(()))));
        machine
    }

    fn open() -> Machine {
        let mut machine = ready();
        assert!(matches!(machine.begin(), Ok(Start::New)));
        machine
    }

    fn kind(result: Result<Start>) -> ErrorKind {
        result.expect_err("refused").kind()
    }

    fn abortable() -> Error {
        Error::new(ErrorKind::Broker, "no").with_abort_required()
    }

    #[test]
    fn calls_in_the_wrong_order_are_refused() {
        let mut machine = Machine::default();
        assert_eq!(kind(machine.begin()), ErrorKind::IllegalState);
        assert_eq!(kind(machine.start(Operation::Commit)), ErrorKind::IllegalState);
        assert_eq!(kind(machine.start(Operation::Abort)), ErrorKind::IllegalState);
        assert!(machine.check_open().is_err());
        let mut machine = ready();
        assert_eq!(kind(machine.start(Operation::Initialize)), ErrorKind::IllegalState);
        assert_eq!(kind(machine.start(Operation::Commit)), ErrorKind::IllegalState);
        assert!(machine.check_open().is_err());
        let mut machine = open();
        assert_eq!(kind(machine.begin()), ErrorKind::IllegalState);
        assert!(machine.check_open().is_ok());
    }

    #[test]
    fn a_failed_initialization_may_be_tried_again() {
        let mut machine = Machine::default();
        machine.start(Operation::Initialize).unwrap();
        machine.conclude(Operation::Initialize, Err(Error::new(ErrorKind::Authorization, "no")));
        assert_eq!(
            machine.take(Operation::Initialize).unwrap().unwrap_err().kind(),
            ErrorKind::Authorization
        );
        assert!(matches!(machine.start(Operation::Initialize), Ok(Start::New)));
    }

    #[test]
    fn what_failed_can_only_be_aborted() {
        let mut machine = open();
        assert!(machine.fail(abortable()));
        assert!(machine.check_open().unwrap_err().requires_abort());
        assert!(machine.start(Operation::Commit).unwrap_err().requires_abort());
        assert_eq!(kind(machine.begin()), ErrorKind::IllegalState);
        assert!(matches!(machine.start(Operation::Abort), Ok(Start::New)));
        assert!(!machine.fail(abortable()), "no news while it is aborted");
        machine.conclude(Operation::Abort, Ok(()));
        machine.take(Operation::Abort);
        assert!(matches!(machine.begin(), Ok(Start::New)));

        let mut machine = open();
        machine.start(Operation::Commit).unwrap();
        assert!(machine.fail(abortable()) && machine.is_lost());
        assert_eq!(
            kind(machine.start(Operation::Abort)),
            ErrorKind::IllegalState,
            "the commit has yet to end"
        );
        machine.conclude(Operation::Commit, Err(abortable()));
        assert!(machine.take(Operation::Commit).unwrap().unwrap_err().requires_abort());
        assert!(matches!(machine.start(Operation::Abort), Ok(Start::New)));
    }

    #[test]
    fn an_unknown_outcome_is_kept_for_the_same_call() {
        let mut machine = open();
        machine.start(Operation::Commit).unwrap();
        assert!(matches!(machine.start(Operation::Commit), Ok(Start::Join)));
        assert_eq!(kind(machine.start(Operation::Abort)), ErrorKind::IllegalState);
        assert_eq!(kind(machine.begin()), ErrorKind::IllegalState);
        machine.conclude(Operation::Commit, Ok(()));
        assert_eq!(kind(machine.begin()), ErrorKind::IllegalState, "nobody knows yet that it went well");
        assert_eq!(kind(machine.start(Operation::Abort)), ErrorKind::IllegalState);
        assert!(matches!(machine.start(Operation::Commit), Ok(Start::Done(Ok(())))));
        assert!(matches!(machine.begin(), Ok(Start::New)));
        machine.start(Operation::Abort).unwrap();
        assert!(
            matches!(machine.begin(), Ok(Start::Join)),
            "an abort may be waited for by the next transaction"
        );
        machine.conclude(Operation::Abort, Ok(()));
        assert!(matches!(machine.begin(), Ok(Start::New)));
    }

    #[test]
    fn fatal_is_for_good() {
        let fenced = || Error::new(ErrorKind::ProducerFenced, "gone");
        let mut machine = open();
        assert!(machine.fail(fenced()));
        assert!(machine.start(Operation::Abort).unwrap_err().is_fatal());
        assert!(machine.begin().unwrap_err().is_fatal() && machine.check_open().unwrap_err().is_fatal());
        let mut machine = open();
        machine.start(Operation::Abort).unwrap();
        assert!(machine.fail(fenced()));
        machine.conclude(Operation::Abort, Ok(()));
        assert_eq!(machine.phase(), Phase::Fatal);
    }
}
