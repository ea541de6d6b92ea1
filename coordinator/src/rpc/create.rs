//! From the text of a sweep file to a sweep with its first jobs.

use std::sync::Arc;

use besom_proto::v1;
use besom_sweep::{
    Engine, Expansion, MAX_CLASSES, MLP, Meaning, SweepName, SweepSpec, TRAINER_VERSION, differences, shared_config,
};
use tokio::task::spawn_blocking;
use tonic::Status;
use tracing::info;

use super::{convert, status};
use crate::artifacts::{ArtifactKind, ArtifactStore, Stored};
use crate::dispatcher::Dispatcher;
use crate::domain::{Digest, NewSweep, StoredSpec, Sweep};
use crate::expander::{BATCH, add_batch};
use crate::expansions::Expansions;
use crate::patience::bounded;
use crate::store::{Store, StoreError};

/// A sweep file beyond this is no longer written by a person; its points would not fit in memory.
const MAX_FILE: usize = 1024 * 1024;

/// A checked request.
struct Draft {
    name: SweepName,
    text: String,
    spec: SweepSpec,
    /// The specification as it is stored; not of a request that is only validated.
    canonical: Option<String>,
    engine: Option<Engine>,
    expansion: Arc<Expansion>,
}

/// Plans the sweep and, unless it is only to be validated, makes it or finds it.
pub(super) async fn create(
    store: &dyn Store,
    dispatcher: &Dispatcher,
    artifacts: &dyn ArtifactStore,
    request: v1::CreateSweepRequest,
) -> Result<v1::CreateSweepResponse, Status> {
    convert::peer(request.peer.as_ref())?;
    convert::check_text("text", &request.text, MAX_FILE)?;
    let (dataset, validate_only) = (request.dataset.clone(), request.validate_only);
    let draft = in_turn(dispatcher.expansions(), request).await?;
    let plan = convert::plan(draft.name.title(), &draft.spec, &draft.expansion);
    if validate_only {
        return Ok(v1::CreateSweepResponse { plan: Some(plan), sweep: None, created: false });
    }
    let dataset = dataset.ok_or_else(|| status::invalid("dataset", "missing; store the dataset first"))?;
    let new = new_sweep(&draft, dataset)?;
    refuse_dataset(artifacts, &new.dataset).await?;
    let digest = new.dataset.clone();
    dispatcher.dataset_is_there(digest.clone()).await?;
    let (sweep, created) = match bounded(store.create_sweep(new, None)).await {
        Ok(made) => made,
        Err(StoreError::AlreadyExists { what }) => return Err(taken(store, draft, digest, what).await),
        Err(error) => return Err(error.into()),
    };
    if created {
        info!(sweep.id = %sweep.id, sweep.name = sweep.new.name, jobs = draft.expansion.jobs_total(), "sweep created");
    }
    first_jobs(dispatcher, &sweep, draft.expansion).await?;
    let sweep = bounded(store.find_sweep(&sweep.new.name)).await?;
    Ok(v1::CreateSweepResponse { plan: Some(plan), sweep: Some(convert::sweep_with_text(sweep)), created })
}

/// The answer where the name belongs to another sweep: what differs between the two, where that can
/// be told.
async fn taken(store: &dyn Store, draft: Draft, dataset: Digest, what: String) -> Status {
    let other = async {
        let sweep = bounded(store.find_sweep(draft.name.handle())).await?;
        let spec = bounded(store.sweep_spec(sweep.id)).await?;
        Ok::<_, StoreError>((sweep, spec))
    };
    let differs = match other.await {
        // A file may list many values, and other calls of this thread should not wait for it.
        Ok((other, spec)) => {
            spawn_blocking(move || what_differs(&other, &spec, &draft, &dataset)).await.unwrap_or_default()
        }
        // That the name is taken is what there is to say.
        Err(_) => Vec::new(),
    };
    let mut lines = vec![what];
    lines.extend(differs.into_iter().map(|difference| format!("  {difference}")));
    if lines.len() > 1 {
        lines[0] += "; what differs (before -> now):";
    }
    Status::already_exists(status::fitting(lines.iter().map(String::as_str)))
}

fn what_differs(other: &Sweep, stored: &StoredSpec, draft: &Draft, dataset: &Digest) -> Vec<String> {
    let Ok(spec) = stored.read() else { return Vec::new() };
    let engine = other.new.engine.as_deref().and_then(Engine::parse);
    let before = Meaning { text: &other.new.text, spec: &spec, engine, dataset: other.new.dataset.as_str() };
    let (text, spec, engine) = (draft.text.as_str(), &draft.spec, draft.engine);
    differences(&before, &Meaning { text, spec, engine, dataset: dataset.as_str() })
}

/// Refuses a digest under which no dataset is stored.
async fn refuse_dataset(artifacts: &dyn ArtifactStore, digest: &Digest) -> Result<(), Status> {
    let wanted = ArtifactKind::Dataset.as_str();
    let problem = match super::artifacts::claim(artifacts, digest).await? {
        Some(stored) if stored.kind == wanted => return Ok(()),
        Some(Stored { kind, .. }) => format!("expected {digest} to be a {wanted}, but it is a {kind}"),
        None => format!("no artifact {digest} is stored here; put it first"),
    };
    Err(Status::failed_precondition(format!("dataset: {problem}")))
}

/// Checks the file and works out its points, a million at most: not on a thread that renews leases,
/// and not beside all others who want the same.
async fn in_turn(expansions: &Expansions, request: v1::CreateSweepRequest) -> Result<Draft, Status> {
    let Ok(turn) = expansions.turn().await else {
        let problem = "the coordinator is working out the points of many other sweeps; try again in a moment";
        return Err(Status::resource_exhausted(problem));
    };
    let drafted = spawn_blocking(move || {
        // A client that hangs up ends the call, but not this work.
        let _turn = turn;
        draft(request)
    });
    drafted.await.expect("parsing and expanding do not panic")
}

fn draft(request: v1::CreateSweepRequest) -> Result<Draft, Status> {
    let spec = besom_sweep::parse(&request.text).map_err(|error| status::of_spec(&error))?;
    let engine = match request.engine.as_str() {
        "" => None,
        word => Some(Engine::parse(word).ok_or_else(|| status::invalid("engine", format!("unknown engine {word}")))?),
    };
    let (field, name) = match (&request.name_override, &spec.name) {
        (given, _) if !given.is_empty() => ("name_override", given.clone()),
        (_, Some(name)) => ("name", name.clone()),
        (_, None) => ("name", request.name),
    };
    let name = SweepName::new(&name).map_err(|problem| status::invalid(field, problem))?;
    let expansion = Expansion::of_file(&request.text, &spec, engine).map_err(|error| status::of_spec(&error))?;
    let expansion = Arc::new(expansion);
    let canonical = (!request.validate_only).then(|| spec.canonical_json());
    Ok(Draft { name, text: request.text, spec, canonical, engine, expansion })
}

fn new_sweep(draft: &Draft, dataset: v1::DatasetRef) -> Result<NewSweep, Status> {
    let digest = convert::digest("dataset.digest", &dataset.digest)?;
    convert::check_text("besom.dataset.source", &draft.spec.dataset.source, MAX_FILE)?;
    if !dataset.source_sha256.is_empty() {
        let given = convert::digest("dataset.source_sha256", &dataset.source_sha256)?;
        if let Some(wanted) = draft.spec.dataset.sha256.as_deref()
            && wanted != given.as_str()
        {
            return Err(status::invalid("dataset.source_sha256", format!("{given}; the file asks for {wanted}")));
        }
    }
    let classes = match dataset.classes {
        0 => None,
        classes if classes as usize > MAX_CLASSES => {
            let problem = format!("expected at most {MAX_CLASSES} classes, got {classes}");
            return Err(status::invalid("dataset.classes", problem));
        }
        classes => Some(classes),
    };
    Ok(stored(draft, digest, dataset.source_sha256, classes))
}

fn stored(draft: &Draft, dataset: Digest, dataset_sha256: String, classes: Option<u32>) -> NewSweep {
    let Draft { name, text, spec, canonical, engine, expansion } = draft;
    NewSweep {
        name: name.handle().to_owned(),
        title: name.title().to_owned(),
        digest: expansion.sweep_digest(dataset.as_str()),
        text: text.clone(),
        spec: canonical.clone(),
        method: spec.method.as_str().to_owned(),
        metric: spec.metric.clone(),
        scored_epoch: spec.scored_epoch,
        keep_models: spec.keep_models,
        engine: engine.map(|engine| engine.as_str().to_owned()),
        dataset_source: spec.dataset.source_text(str::to_owned),
        dataset_sha256,
        swept: expansion.plan().swept.clone(),
        jobs_total: Some(expansion.jobs_total()),
        trainer: MLP.name.to_owned(),
        trainer_version: MLP.version,
        shared_config: shared_config(dataset.as_str()),
        dataset,
        classes,
    }
}

/// Writes the first batch, if it is missing, and leaves the rest to the expander, with what is
/// worked out already. A client that hangs up here leaves a sweep that the expander finds by
/// itself.
async fn first_jobs(dispatcher: &Dispatcher, sweep: &Sweep, expansion: Arc<Expansion>) -> Result<(), StoreError> {
    // The sweep has the digest of this expansion, but another build may have accepted it.
    if sweep.new.trainer_version != TRAINER_VERSION || Some(expansion.jobs_total()) != sweep.new.jobs_total {
        dispatcher.expansions().wake();
        return Ok(());
    }
    let mut created = sweep.jobs_created;
    if created < expansion.jobs_total().min(BATCH) {
        created = add_batch(dispatcher, sweep, expansion.clone(), created).await?;
    }
    if created < expansion.jobs_total() {
        dispatcher.expansions().hand_on(sweep.id, expansion);
    }
    Ok(())
}
