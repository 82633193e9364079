//! What may follow what: the state machine of a transactional producer. No IO and no clock in here.
//!
//! An operation (initialization, commit, abort) runs on the IO thread and goes on when its caller has run out of time.
//! What came of it is kept until a call of the same kind asks for it, so a commit whose outcome is unknown can be
//! repeated, and nothing else done before (KIP-588).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

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

/// One run of an operation, and how it ended. Clones are of the same run, so each caller learns of the one that it has
/// begun or joined, whatever others have begun since.
#[derive(Clone, Debug)]
pub(in crate::producer) struct Run(Arc<RunState>);

#[derive(Debug)]
struct RunState {
    operation: Operation,
    result: OnceLock<Result<()>>,
    /// Whether a caller knows how it ended.
    told: AtomicBool,
}

impl Run {
    fn new(operation: Operation) -> Self {
        Self(Arc::new(RunState { operation, result: OnceLock::new(), told: AtomicBool::new(false) }))
    }

    pub(in crate::producer) fn operation(&self) -> Operation {
        self.0.operation
    }

    /// How it ended; `None` while it is under way.
    pub(in crate::producer) fn result(&self) -> Option<Result<()>> {
        self.0.result.get().cloned()
    }

    /// Notes that a caller knows how it ended.
    pub(in crate::producer) fn told(&self) {
        self.0.told.store(true, Ordering::Release);
    }

    fn is_told(&self) -> bool {
        self.0.told.load(Ordering::Acquire)
    }
}

/// How a call goes on.
#[derive(Clone, Debug)]
pub(in crate::producer) enum Start {
    /// The operation has to be launched.
    New(Run),
    /// It is under way already.
    Join(Run),
    /// It has ended since an earlier call ran out of time.
    Done(Result<()>),
}

/// The state, shared by the callers and the IO thread.
#[derive(Debug)]
pub(in crate::producer) struct Machine {
    phase: Phase,
    /// Why the transaction has to be aborted, or the producer is of no further use.
    error: Option<Error>,
    /// The last run of an operation.
    last: Option<Run>,
}

impl Default for Machine {
    fn default() -> Self {
        Self { phase: Phase::Uninitialized, error: None, last: None }
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

    /// The run of the operation that is under way.
    pub(in crate::producer) fn running(&self) -> Option<Run> {
        self.last.clone().filter(|_| matches!(self.phase, Phase::Busy(_)))
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

    /// Begins a transaction, or returns the abort that has to end first.
    ///
    /// # Errors
    /// That this is not the time for it.
    pub(in crate::producer) fn begin(&mut self) -> Result<Option<Run>> {
        if let Some(error) = self.error.as_ref().filter(|_| self.phase == Phase::Fatal) {
            return Err(error.clone());
        }
        self.claim(None)?;
        match self.phase {
            Phase::Ready => {
                self.phase = Phase::Open;
                Ok(None)
            }
            Phase::Busy(Operation::Abort) => Ok(self.running()),
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
        if let Some(run) = self.running().filter(|run| run.operation() == operation) {
            return Ok(Start::Join(run));
        }
        match (operation, self.phase) {
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
        let run = Run::new(operation);
        self.last = Some(run.clone());
        self.phase = Phase::Busy(operation);
        Ok(Start::New(run))
    }

    /// An outcome that nobody was told of yet, for the call of the same kind.
    fn claim(&mut self, by: Option<Operation>) -> Result<Option<Result<()>>> {
        let Some(run) = self.last.as_ref().filter(|run| !run.is_told()) else { return Ok(None) };
        let Some(result) = run.result() else { return Ok(None) };
        if by == Some(run.operation()) {
            run.told();
            return Ok(Some(result));
        }
        // An abort that went well, and a failure that shows in the state, need not be asked for.
        if run.operation() == Operation::Commit && result.is_ok() {
            return Err(to_be_repeated(run.operation()));
        }
        Ok(None)
    }

    /// An operation has ended.
    pub(in crate::producer) fn conclude(&mut self, run: &Run, result: Result<()>) {
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
                Err(_) if run.operation() == Operation::Initialize => self.phase = Phase::Uninitialized,
                Err(error) => {
                    self.phase = Phase::AbortNeeded;
                    self.error = Some(error.clone());
                }
            }
        }
        // A run ends once.
        let _ = run.0.result.set(result);
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

    fn start(machine: &mut Machine, operation: Operation) -> Run {
        match machine.start(operation).expect("it may start") {
            Start::New(run) => run,
            other => panic!("{other:?}"),
        }
    }

    /// Ends a run, and its caller is told.
    fn end(machine: &mut Machine, run: &Run, result: Result<()>) -> Result<()> {
        machine.conclude(run, result);
        run.told();
        run.result().expect("it has ended")
    }

    fn ready() -> Machine {
        let mut machine = Machine::default();
        let run = start(&mut machine, Operation::Initialize);
        end(&mut machine, &run, Ok(())).unwrap();
        machine
    }

    fn open() -> Machine {
        let mut machine = ready();
        assert!(matches!(machine.begin(), Ok(None)));
        machine
    }

    fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
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
        let run = start(&mut machine, Operation::Initialize);
        let ended = end(&mut machine, &run, Err(Error::new(ErrorKind::Authorization, "no")));
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Authorization);
        start(&mut machine, Operation::Initialize);
    }

    #[test]
    fn what_failed_can_only_be_aborted() {
        let mut machine = open();
        assert!(machine.fail(abortable()));
        assert!(machine.check_open().unwrap_err().requires_abort());
        assert!(machine.start(Operation::Commit).unwrap_err().requires_abort());
        assert_eq!(kind(machine.begin()), ErrorKind::IllegalState);
        let run = start(&mut machine, Operation::Abort);
        assert!(!machine.fail(abortable()), "no news while it is aborted");
        end(&mut machine, &run, Ok(())).unwrap();
        assert!(matches!(machine.begin(), Ok(None)));

        let mut machine = open();
        let run = start(&mut machine, Operation::Commit);
        assert!(machine.fail(abortable()) && machine.is_lost());
        assert_eq!(
            kind(machine.start(Operation::Abort)),
            ErrorKind::IllegalState,
            "the commit has yet to end"
        );
        assert!(end(&mut machine, &run, Err(abortable())).unwrap_err().requires_abort());
        start(&mut machine, Operation::Abort);
    }

    #[test]
    fn an_unknown_outcome_is_kept_for_the_same_call() {
        let mut machine = open();
        let run = start(&mut machine, Operation::Commit);
        assert!(matches!(machine.start(Operation::Commit), Ok(Start::Join(_))));
        assert_eq!(kind(machine.start(Operation::Abort)), ErrorKind::IllegalState);
        assert_eq!(kind(machine.begin()), ErrorKind::IllegalState);
        machine.conclude(&run, Ok(()));
        assert_eq!(kind(machine.begin()), ErrorKind::IllegalState, "nobody knows yet that it went well");
        assert_eq!(kind(machine.start(Operation::Abort)), ErrorKind::IllegalState);
        assert!(matches!(machine.start(Operation::Commit), Ok(Start::Done(Ok(())))));
        assert!(matches!(machine.begin(), Ok(None)));
        let run = start(&mut machine, Operation::Abort);
        assert!(matches!(machine.begin(), Ok(Some(_))), "an abort may be waited for by the next transaction");
        machine.conclude(&run, Ok(()));
        assert!(matches!(machine.begin(), Ok(None)));
    }

    #[test]
    fn each_caller_learns_of_the_run_that_it_joined() {
        let mut machine = open();
        let commit = start(&mut machine, Operation::Commit);
        let Ok(Start::Join(joined)) = machine.start(Operation::Commit) else { panic!("under way") };
        assert!(end(&mut machine, &commit, Err(abortable())).is_err());
        // The other caller is told only after the first one has gone on.
        let abort = start(&mut machine, Operation::Abort);
        end(&mut machine, &abort, Ok(())).unwrap();
        machine.begin().unwrap();
        let commit = start(&mut machine, Operation::Commit);
        end(&mut machine, &commit, Ok(())).unwrap();
        assert!(joined.result().unwrap().unwrap_err().requires_abort());
    }

    #[test]
    fn fatal_is_for_good() {
        let fenced = || Error::new(ErrorKind::ProducerFenced, "gone");
        let mut machine = open();
        assert!(machine.fail(fenced()));
        assert!(machine.start(Operation::Abort).unwrap_err().is_fatal());
        assert!(machine.begin().unwrap_err().is_fatal() && machine.check_open().unwrap_err().is_fatal());
        let mut machine = open();
        let run = start(&mut machine, Operation::Abort);
        assert!(machine.fail(fenced()));
        machine.conclude(&run, Ok(()));
        assert_eq!(machine.phase(), Phase::Fatal);
    }
}
