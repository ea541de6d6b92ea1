//! Files of other tools, told by the keys of their top level: one sentence helps more than a list
//! of unknown keys.

use super::section::Section;
use crate::spec::SpecError;
use crate::yaml::{Entry, Kind};

/// A kind of file, and the keys that no sweep file has.
struct Tool {
    name: &'static str,
    /// All of these stand at the top,
    all: &'static [&'static str],
    /// and, where any are listed, one of these.
    any: &'static [&'static str],
}

const fn tool(name: &'static str, all: &'static [&'static str], any: &'static [&'static str]) -> Tool {
    Tool { name, all, any }
}

/// The first that fits is named, so the narrower ones come first.
const TOOLS: [Tool; 24] = [
    tool("a GitHub workflow", &["on", "jobs"], &[]),
    tool("a GitHub action", &["runs"], &["inputs", "outputs", "branding"]),
    tool("a pre-commit configuration", &["repos"], &[]),
    tool("a Hydra configuration", &["hydra"], &[]),
    tool("an NNI experiment", &[], &["searchSpace", "searchSpaceFile", "searchSpacePath", "trialCommand"]),
    tool("a Determined experiment", &["searcher"], &["hyperparameters", "entrypoint", "resources"]),
    tool("a Vertex AI HyperparameterTuningJob", &[], &["studySpec", "trialJobSpec", "study_spec", "trial_job_spec"]),
    tool(
        "a SageMaker hyperparameter tuning job",
        &[],
        &["HyperParameterTuningJobName", "HyperParameterTuningJobConfig", "TrainingJobDefinition", "ParameterRanges"],
    ),
    tool("a Ray cluster configuration", &["cluster_name"], &["provider", "available_node_types", "auth"]),
    tool("a Ray Tune configuration", &[], &["param_space", "tune_config"]),
    tool(
        "an Optuna study",
        &["study_name"],
        &["direction", "directions", "n_trials", "sampler", "pruner", "storage", "search_space"],
    ),
    tool("an Optuna configuration", &["optuna"], &[]),
    tool("a W&B launch agent configuration", &["queues"], &["max_jobs", "max_schedulers", "builder", "environment"]),
    tool("a W&B launch job", &["resource"], &["resource_args", "target_project", "uri", "queue", "overrides"]),
    tool("the configuration of a W&B run", &[], &["wandb_version", "_wandb"]),
    tool("an MLflow project", &["entry_points"], &[]),
    tool("an Azure ML sweep job", &["search_space"], &["sampling_algorithm", "trial"]),
    tool("a Polyaxon file", &["version", "kind"], &["matrix", "component", "run", "hubRef", "pathRef"]),
    tool("an Orion configuration", &["experiment"], &["evc", "worker", "storage", "database"]),
    tool("a ConfigSpace search space", &["hyperparameters", "conditions"], &["forbiddens"]),
    tool("a Conda environment", &["dependencies"], &["channels", "prefix"]),
    tool("a Jupyter notebook", &["cells", "nbformat"], &[]),
    tool("an OpenAPI description", &[], &["openapi", "swagger"]),
    tool("a Compose file", &["services"], &[]),
];

/// Refuses a file that is another tool's, by that tool's name.
pub(super) fn refuse(file: &Section<'_>) -> Result<(), SpecError> {
    let entry = |key: &str| file.entries.iter().find(|entry| entry.key == key);
    // Whatever else stands there, these make a sweep file.
    if entry("besom").is_some() || entry("parameters").is_some() && entry("method").is_some() {
        return Ok(());
    }
    let Some((name, at)) = kubernetes(entry).or_else(|| by_shape(file.entries)).or_else(|| by_keys(entry)) else {
        return Ok(());
    };
    let problem = format!(
        "this is {name}; besom reads W&B sweep files (`method`, `metric`, `parameters`) with a block `besom` for the \
         dataset: docs/sweep-file.md shows them"
    );
    Err(SpecError { line: Some(at.line), key: String::new(), problem })
}

fn by_keys<'a>(entry: impl Fn(&str) -> Option<&'a Entry>) -> Option<(String, &'a Entry)> {
    TOOLS.iter().find_map(|tool| {
        if !tool.all.iter().all(|key| entry(key).is_some()) {
            return None;
        }
        let one = tool.any.iter().find_map(|key| entry(key));
        let at = if tool.any.is_empty() { entry(tool.all.first()?)? } else { one? };
        Some((tool.name.to_owned(), at))
    })
}

/// An object of Kubernetes and of all that extend it says itself what it is.
fn kubernetes<'a>(entry: impl Fn(&str) -> Option<&'a Entry>) -> Option<(String, &'a Entry)> {
    let (version, kind) = (entry("apiVersion")?, entry("kind")?);
    entry("spec").or_else(|| entry("metadata"))?;
    let word = |entry: &'a Entry| match &entry.value.kind {
        Kind::Text(text) => Some(crate::words::shorten(text)),
        Kind::Null | Kind::Boolean(_) | Kind::Integer(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => None,
    };
    let (version, kind_word) = (word(version)?, word(kind)?);
    let name = match version.split_once('/').map_or("", |(group, _)| group) {
        "kubeflow.org" if matches!(kind_word.as_str(), "Experiment" | "Trial" | "Suggestion") => {
            format!("a Katib {kind_word}")
        }
        "argoproj.io" => format!("an Argo {kind_word}"),
        _ => format!("a Kubernetes object (kind {kind_word})"),
    };
    Some((name, kind))
}

/// Files whose keys alone say little.
fn by_shape(entries: &[Entry]) -> Option<(String, &Entry)> {
    let has = |entry: &Entry, wanted: &[&str]| match &entry.value.kind {
        Kind::Map(below) => wanted.iter().all(|key| below.iter().any(|entry| entry.key == *key)),
        _ => false,
    };
    entries.iter().find_map(|entry| {
        let name = match (entry.key.as_str(), &entry.value.kind) {
            ("stages", Kind::Map(_)) => "a DVC pipeline",
            ("stages", Kind::List(_)) => "a GitLab pipeline",
            ("defaults", Kind::List(_)) => "a Hydra configuration",
            ("$schema", Kind::Text(text)) if text.contains("azureml") => "an Azure ML job",
            // `- name: {type: choice}` of NNI, and an experiment of Ray's tuned examples under a
            // name of its own.
            _ if has(entry, &["_type", "_value"]) => "an NNI search space",
            _ if has(entry, &["run", "config"]) || has(entry, &["run", "stop"]) => "a Ray Tune experiment",
            _ => return None,
        };
        Some((name.to_owned(), entry))
    })
}

#[cfg(test)]
mod tests {
    use crate::parse;

    #[test]
    fn files_of_other_tools_are_named() {
        for (text, name) in [
            ("apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nspec: {}", "a Katib Experiment"),
            ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {}", "a Kubernetes object (kind Deployment)"),
            ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {}", "an Argo Workflow"),
            ("name: CI\non: [push]\njobs: {}", "a GitHub workflow"),
            ("services:\n  web: {image: x}", "a Compose file"),
            ("defaults:\n  - model: mlp\nlr: 0.1", "a Hydra configuration"),
            ("hydra: {sweeper: {n_trials: 20}}", "a Hydra configuration"),
            ("searchSpaceFile: s.json\ntrialCommand: python x.py", "an NNI experiment"),
            ("{\"lr\": {\"_type\": \"choice\", \"_value\": [0.1]}}", "an NNI search space"),
            ("name: x\nhyperparameters: {}\nsearcher: {name: grid}", "a Determined experiment"),
            ("stages:\n  train: {cmd: python x.py}", "a DVC pipeline"),
            ("schema: '2.0'\nstages: {}", "a DVC pipeline"),
            ("stages: [build, test]", "a GitLab pipeline"),
            ("displayName: x\nstudySpec: {}", "a Vertex AI HyperparameterTuningJob"),
            ("HyperParameterTuningJobName: x", "a SageMaker hyperparameter tuning job"),
            ("cartpole:\n  env: x\n  run: PPO\n  config: {lr: 0.1}", "a Ray Tune experiment"),
            ("study_name: x\ndirection: maximize", "an Optuna study"),
            ("queues: [default]\nmax_jobs: 1", "a W&B launch agent configuration"),
            ("resource: kubernetes\nresource_args: {}", "a W&B launch job"),
            ("wandb_version: 1\nlr: {value: 0.1}", "the configuration of a W&B run"),
            ("name: x\nentry_points: {}", "an MLflow project"),
            ("$schema: https://azuremlschemas.azureedge.net/latest/sweepJob.schema.json", "an Azure ML job"),
            ("name: x\nchannels: [a]\ndependencies: [b]", "a Conda environment"),
        ] {
            let errors = parse(text).expect_err(name);
            assert_eq!(errors.count(), 1, "{errors}");
            let error = errors.to_string();
            assert!(error.contains(&format!("this is {name}; besom reads W&B sweep files")), "{text}: {error}");
            assert!(error.starts_with("line "), "{error}");
        }
    }

    #[test]
    fn a_sweep_file_is_nobody_elses_however_many_keys_are_wrong() {
        for text in [
            "program: train.py\nmethod: bayes\nparameters: {lr: {min: 0, max: 1}}\nstages: []",
            "apiVersion: 1\nkind: sweep\nmethod: grid\nparameters: {}",
            "name: x\nbesom: {}\nservices: {}",
        ] {
            let errors = parse(text).expect_err(text).to_string();
            assert!(!errors.contains("this is"), "{text}: {errors}");
        }
    }
}
