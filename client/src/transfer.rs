//! Bytes between this process and a coordinator: models and datasets go up, both come down,
//! verified by SHA-256.
//!
//! Slow is not dead: a transfer is judged by what it brings ([`besom_proto::transfer`]), and one
//! that breaks goes on where it stopped. It is given up, with words that name the cause, when
//! several tries in a row have brought next to nothing. Workers and people's commands share all of
//! this; what they do while the coordinator is away differs ([`Party`]).

use std::time::{Duration, Instant};

use besom_dataset::digest::hex;
use besom_proto::transfer::{MINUTE, PIECE, Pace, least_of, longest};
use besom_proto::v1;
use besom_proto::v1::artifact_service_client::ArtifactServiceClient;
use besom_proto::v1::put_request::Part;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::backoff::{delay, spread};
use crate::network::explain;

/// Tries in a row that brought next to nothing before a transfer is given up.
const TRIES: u32 = 6;

/// Transfers of one artifact whose bytes arrived wrong before it is given up.
const DAMAGED: u32 = 3;

/// Memory taken at once for a download, whatever its announced size.
const AT_ONCE: u64 = 64 << 20;

/// Who calls, as a coordinator knows it; people's commands are nobody.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The worker's number.
    pub worker: i64,
    /// The store's identity.
    pub store: String,
    /// What only the worker and the store know.
    pub secret: String,
}

/// What the owner of a transfer does between its tries.
pub trait Party: Send {
    /// Who calls, this time.
    fn caller(&mut self) -> impl Future<Output = Caller> + Send;

    /// The coordinator did not answer, or could not. Says whether to go on asking.
    fn away(&mut self, status: &Status) -> bool;

    /// The coordinator does not know the caller. Says whether to go on as whoever [`Party::caller`]
    /// is then.
    fn unknown(&mut self) -> impl Future<Output = bool> + Send;

    /// The coordinator refused it for good, or something on the way damaged the question. Says
    /// whether to ask again.
    fn refused(&mut self, status: &Status) -> bool;

    /// So many bytes are there, of so many.
    fn progress(&mut self, done: u64, of: u64);
}

/// Why a transfer was given up.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The coordinator refused it.
    #[error("{}", explain(.0))]
    Refused(Status),
    /// The coordinator is away, and this party waits no longer.
    #[error("{}", explain(.0))]
    Away(Status),
    /// It came to next to nothing, try after try.
    #[error("{tries} tries in a row brought next to nothing ({done} of {size} bytes are there); the last one: {cause}")]
    Stuck {
        /// How many.
        tries: u32,
        /// What is there all the same.
        done: u64,
        /// In bytes.
        size: u64,
        /// What ended the last try.
        cause: String,
    },
    /// This machine has no room in its memory for it.
    #[error("{size} bytes do not fit in the memory that is free")]
    Memory {
        /// In bytes.
        size: u64,
    },
    /// Other bytes than the digest's arrived, time after time.
    #[error("the bytes arrived damaged {times} times: {cause}")]
    Damaged {
        /// How often.
        times: u32,
        /// How they differ.
        cause: String,
    },
}

/// Why one try ended.
enum Failure {
    /// Nothing began: says nothing about the link.
    Away(Status),
    /// It was under way and broke off, or was too slow.
    Broken(Status),
    Damaged(Status),
    Unknown(Status),
    Refused(Status),
    /// No room in memory.
    Memory,
}

impl Failure {
    /// Of a call that begins or asks something.
    fn of_question(status: Status) -> Self {
        if std::error::Error::source(&status).is_some() {
            return Self::Away(status);
        }
        match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Cancelled | Code::Internal => {
                Self::Away(status)
            }
            Code::NotFound => Self::Unknown(status),
            _not_retried => Self::Refused(status),
        }
    }

    /// Of a stream of bytes.
    fn of_stream(status: Status) -> Self {
        // A status with a source was made on this side of the wire, of a broken connection.
        if std::error::Error::source(&status).is_some() {
            return Self::Broken(status);
        }
        match status.code() {
            Code::DeadlineExceeded | Code::Cancelled | Code::Aborted | Code::OutOfRange => Self::Broken(status),
            _as_asked => Self::of_question(status),
        }
    }
}

/// The artifacts of a coordinator.
#[derive(Clone)]
pub struct Artifacts {
    client: ArtifactServiceClient<Channel>,
    window: Duration,
}

impl Artifacts {
    /// Those of the coordinator at the other end of the channel.
    pub fn new(channel: Channel) -> Self {
        Self::judged_over(MINUTE, channel)
    }

    /// The same, for tests: the rate of a transfer is taken over `window` instead of a minute.
    pub fn judged_over(window: Duration, channel: Channel) -> Self {
        // Coordinators send pieces; there is room for what earlier ones sent.
        Self { client: ArtifactServiceClient::new(channel).max_decoding_message_size(2 << 20), window }
    }

    /// Stores bytes, unless they are stored already; answers their digest.
    ///
    /// # Errors
    /// [`TransferError`], once its [`Party`] goes on no longer or going on is of no use.
    pub async fn put(
        &self,
        party: &mut impl Party,
        kind: v1::ArtifactKind,
        bytes: &[u8],
    ) -> Result<String, TransferError> {
        let digest = hex(&Sha256::digest(bytes));
        let mut upload = Upload { digest, kind, bytes, name: Uuid::now_v7().simple().to_string(), received: 0 };
        persist(self, party, &mut upload).await?;
        Ok(upload.digest)
    }

    /// Fetches the artifact of this digest and verifies it.
    ///
    /// # Errors
    /// As [`Artifacts::put`].
    pub async fn get(&self, party: &mut impl Party, digest: &str) -> Result<Vec<u8>, TransferError> {
        let mut download = Download { digest: digest.to_owned(), bytes: Vec::new(), size: 0 };
        persist(self, party, &mut download).await?;
        Ok(download.bytes)
    }

    /// Whether the artifact of this digest is stored; `None` where nobody says.
    pub async fn has(&self, party: &mut impl Party, digest: &str) -> Option<bool> {
        let caller = party.caller().await;
        self.stat(caller, digest, "").await.ok().map(|stat| stat.present)
    }

    async fn stat(&self, caller: Caller, digest: &str, upload: &str) -> Result<v1::StatResponse, Failure> {
        let Caller { worker, store, secret } = caller;
        let (digest, upload) = (digest.to_owned(), upload.to_owned());
        let request = v1::StatRequest { digest, worker, store, secret, upload };
        let mut client = self.client.clone();
        match tokio::time::timeout(MINUTE, client.stat(request)).await {
            Ok(answer) => Ok(answer.map_err(Failure::of_question)?.into_inner()),
            Err(_elapsed) => Err(Failure::Away(Status::deadline_exceeded(format!("no answer within {MINUTE:?}")))),
        }
    }
}

/// A transfer that can be tried again.
trait Transfer: Send {
    /// One try, from where the last one stopped.
    fn attempt(
        &mut self,
        artifacts: &Artifacts,
        caller: Caller,
        party: &mut impl Party,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Bytes that are where they belong, and how many there will be.
    fn done(&self) -> (u64, u64);
}

/// Tries again until the transfer is done, is refused, or comes to nothing.
async fn persist(
    artifacts: &Artifacts,
    party: &mut impl Party,
    transfer: &mut impl Transfer,
) -> Result<(), TransferError> {
    let (mut failures, mut idle, mut damaged) = (0, 0, 0);
    loop {
        let caller = party.caller().await;
        let (before, _) = transfer.done();
        let Err(failure) = transfer.attempt(artifacts, caller, party).await else { return Ok(()) };
        let (done, size) = transfer.done();
        if done.saturating_sub(before) >= least_of(artifacts.window) {
            (failures, idle) = (0, 0);
        }
        match failure {
            Failure::Away(status) if !party.away(&status) => return Err(TransferError::Away(status)),
            Failure::Away(_) => {}
            Failure::Unknown(status) if !party.unknown().await => return Err(TransferError::Refused(status)),
            Failure::Unknown(_) => {}
            Failure::Broken(status) => {
                idle += 1;
                let cause = explain(&status);
                tracing::debug!(cause, done, size, "a transfer broke off");
                if idle == TRIES {
                    return Err(TransferError::Stuck { tries: TRIES, done, size, cause });
                }
            }
            Failure::Damaged(status) => {
                damaged += 1;
                let cause = explain(&status);
                tracing::warn!(cause, "bytes arrived damaged");
                if damaged == DAMAGED {
                    return Err(TransferError::Damaged { times: DAMAGED, cause });
                }
            }
            Failure::Refused(status) if !party.refused(&status) => return Err(TransferError::Refused(status)),
            Failure::Refused(_) => {}
            Failure::Memory => return Err(TransferError::Memory { size }),
        }
        failures += 1;
        tokio::time::sleep(delay(failures, spread())).await;
    }
}

struct Upload<'b> {
    digest: String,
    kind: v1::ArtifactKind,
    bytes: &'b [u8],
    /// Under which the coordinator keeps what has come.
    name: String,
    /// As the coordinator said last.
    received: u64,
}

impl Transfer for Upload<'_> {
    async fn attempt(&mut self, artifacts: &Artifacts, caller: Caller, party: &mut impl Party) -> Result<(), Failure> {
        let size = self.bytes.len() as u64;
        let stat = artifacts.stat(caller.clone(), &self.digest, &self.name).await?;
        if stat.present {
            return Ok(());
        }
        self.received = stat.received.min(size);
        let Caller { worker, store, secret } = caller;
        let (digest, upload) = (self.digest.clone(), self.name.clone());
        let (kind, offset) = (self.kind.into(), self.received);
        let head = v1::PutHead { digest, size, kind, offset, worker, store, secret, upload };

        let (line, parts) = mpsc::channel(1);
        let send = async move {
            let send = async |part| line.send(v1::PutRequest { part: Some(part) }).await.is_ok();
            let mut goes_on = send(Part::Head(head)).await;
            let mut sent = offset;
            for piece in self.bytes[usize::try_from(offset).expect("within memory")..].chunks(PIECE) {
                goes_on = goes_on && send(Part::Chunk(piece.to_vec())).await;
                if !goes_on {
                    break;
                }
                sent += piece.len() as u64;
                party.progress(sent, size);
            }
        };
        let mut client = artifacts.client.clone();
        // The coordinator judges the pace; this is for one that no longer does anything.
        let put = tokio::time::timeout(longest(size) + MINUTE, client.put(ReceiverStream::new(parts)));
        let (answer, ()) = tokio::join!(put, send);
        match answer {
            Ok(Ok(stored)) if stored.get_ref().size == size => Ok(()),
            Ok(Ok(stored)) => {
                let stored = stored.into_inner().size;
                Err(Failure::Damaged(Status::data_loss(format!("stored {stored} of {size} bytes"))))
            }
            Ok(Err(status)) if status.code() == Code::DataLoss => Err(Failure::Damaged(status)),
            Ok(Err(status)) => Err(Failure::of_stream(status)),
            Err(_elapsed) => Err(Failure::Broken(Status::deadline_exceeded("the coordinator does not answer"))),
        }
    }

    fn done(&self) -> (u64, u64) {
        (self.received, self.bytes.len() as u64)
    }
}

struct Download {
    digest: String,
    bytes: Vec<u8>,
    /// As announced; 0 before.
    size: u64,
}

impl Download {
    /// Whether all bytes are there and right. Wrong ones are dropped.
    fn verify(&mut self) -> Result<(), Failure> {
        let found = hex(&Sha256::digest(&self.bytes));
        if found == self.digest {
            return Ok(());
        }
        let problem = format!("expected artifact {}, got {} bytes of {found}", self.digest, self.bytes.len());
        self.bytes = Vec::new();
        Err(Failure::Damaged(Status::data_loss(problem)))
    }
}

impl Transfer for Download {
    async fn attempt(&mut self, artifacts: &Artifacts, caller: Caller, party: &mut impl Party) -> Result<(), Failure> {
        let stat = artifacts.stat(caller.clone(), &self.digest, "").await?;
        if !stat.present {
            return Err(Failure::Refused(Status::not_found(format!("no artifact {}", self.digest))));
        }
        self.size = stat.size;
        if self.bytes.len() as u64 > self.size {
            return self.verify();
        }
        let at_once = usize::try_from((self.size - self.bytes.len() as u64).min(AT_ONCE)).unwrap_or(0);
        self.bytes.try_reserve(at_once).map_err(|_| Failure::Memory)?;
        let Caller { worker, store, secret } = caller;
        let (digest, offset) = (self.digest.clone(), self.bytes.len() as u64);
        let request = v1::GetRequest { digest, offset, worker, store, secret };
        let mut client = artifacts.client.clone();
        let mut pace = Pace::new(artifacts.window, Instant::now());
        let too_slow =
            |pace: &Pace| Failure::Broken(Status::deadline_exceeded(pace.verdict(Instant::now()).to_string()));
        let mut pieces = match tokio::time::timeout_at(pace.deadline().into(), client.get(request)).await {
            Ok(answer) => answer.map_err(of_download)?.into_inner(),
            Err(_elapsed) => return Err(too_slow(&pace)),
        };
        loop {
            match tokio::time::timeout_at(pace.deadline().into(), pieces.message()).await {
                Ok(Ok(Some(part))) => {
                    pace.add(part.chunk.len(), Instant::now());
                    self.bytes.try_reserve(part.chunk.len()).map_err(|_| Failure::Memory)?;
                    self.bytes.extend_from_slice(&part.chunk);
                    if self.bytes.len() as u64 > self.size {
                        return self.verify();
                    }
                    party.progress(self.bytes.len() as u64, self.size);
                }
                Ok(Ok(None)) => return self.verify(),
                Ok(Err(status)) => return Err(of_download(status)),
                Err(_elapsed) => return Err(too_slow(&pace)),
            }
        }
    }

    fn done(&self) -> (u64, u64) {
        (self.bytes.len() as u64, self.size)
    }
}

/// What the coordinator does not have, or has only damaged, it will not have later.
fn of_download(status: Status) -> Failure {
    match status.code() {
        Code::NotFound | Code::DataLoss => Failure::Refused(status),
        _as_any => Failure::of_stream(status),
    }
}
