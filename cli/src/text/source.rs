//! Where a dataset comes from, as it may be shown: without the secrets that an address may hold.

use besom_sweep::DatasetSpec;
pub(crate) use besom_sweep::shown_source as shown;

/// `text` without what [`shown`] hides of the sources of `spec`, wherever the text quotes them,
/// whole or in part.
pub(crate) fn without_secrets(text: &str, spec: &DatasetSpec) -> String {
    spec.sources().fold(text.to_owned(), |text, source| without_secret(&text, source))
}

/// `text` without what [`shown`] hides of `source`.
pub(crate) fn without_secret(text: &str, source: &str) -> String {
    let Some((_, rest)) = source.split_once("://") else { return text.to_owned() };
    let mut clean = text.replace(source, &shown(source));
    let (place, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    let user = place.rsplit_once('@').map(|(user, _)| format!("{user}@"));
    for secret in [user.as_deref(), Some(query)].into_iter().flatten().filter(|secret| secret.len() > 1) {
        clean = clean.replace(secret, "***");
    }
    clean
}

/// Whether a dataset source, as a sweep file names it, is made up by besom itself.
pub(crate) fn is_synthetic(source: &str) -> bool {
    source.starts_with("builtin:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secrets_of_a_source_are_cut_out_of_a_message() {
        let source = "https://user:secret@host/x.npz?token=abc";
        let text = without_secret(&format!("{source}: no answer from https://host/x.npz?token=abc"), source);
        assert_eq!(text, "https://***@host/x.npz?***: no answer from https://host/x.npz***");
    }
}
