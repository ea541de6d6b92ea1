//! Where a dataset comes from, as it may be shown: without the secrets that an address may hold.

use besom_sweep::DatasetSpec;

/// A dataset source as it may be shown: a URL without user, password, query and fragment, which may hold a token.
pub(crate) fn shown(source: &str) -> String {
    let Some((scheme, rest)) = source.split_once("://") else { return source.to_owned() };
    let (rest, query) = match rest.find(['?', '#']) {
        Some(start) => (&rest[..start], "?***"),
        None => (rest, ""),
    };
    // A password may hold a slash that should have been escaped: rather hide too much.
    let place = match rest.rsplit_once('@') {
        Some((_, place)) => format!("***@{place}"),
        None => rest.to_owned(),
    };
    format!("{scheme}://{place}{query}")
}

/// `text` without what [`shown`] hides of the sources of `spec`, wherever the text quotes them, whole or in part.
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
    fn a_source_is_shown_without_its_secrets() {
        let source = "https://user:secret@host/x.npz?token=abc";
        assert_eq!(shown(source), "https://***@host/x.npz?***");
        assert_eq!(shown("https://host/x.npz"), "https://host/x.npz");
        assert_eq!(shown("data/a@b?.npz"), "data/a@b?.npz");
        let text = without_secret(&format!("{source}: no answer from https://host/x.npz?token=abc"), source);
        assert_eq!(text, "https://***@host/x.npz?***: no answer from https://host/x.npz***");
    }
}
