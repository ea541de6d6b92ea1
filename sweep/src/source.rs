//! Where data come from, as people may see it: a URL can carry a token.

/// A dataset source as it may be shown: a URL without user, password, query and fragment, which may
/// hold a token.
pub fn shown_source(source: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_shown_without_its_secrets() {
        for (source, text) in [
            ("https://user:secret@host/x.npz?token=abc", "https://***@host/x.npz?***"),
            ("https://user:sec/ret@host/x.npz#abc", "https://***@host/x.npz?***"),
            ("https://host/x.npz", "https://host/x.npz"),
            ("https://secret@host?secret", "https://***@host?***"),
            ("https://user:sec@ret@host/x.npz", "https://***@host/x.npz"),
            ("https://host#?secret/@", "https://host?***"),
            ("data/a@b?.npz", "data/a@b?.npz"),
        ] {
            assert_eq!(shown_source(source), text);
        }
    }
}
