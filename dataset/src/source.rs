//! How a source may be shown: a URL can carry secrets, so messages give it without user information
//! and query.

use std::path::PathBuf;

use besom_sweep::shown_source;

use super::DataError;

/// Refuses a source that says nothing, and a URL with user information: the text of a sweep is
/// stored and shown.
///
/// # Errors
/// [`DataError::Refused`], without the secret.
pub(super) fn check(source: &str) -> Result<(), DataError> {
    if source.trim().is_empty() {
        return Err(DataError::refused("besom.dataset.source", "is empty: a path, an https URL or builtin:sketches"));
    }
    if let Some((_, rest)) = source.split_once("://")
        && rest[..rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len())].contains('@')
    {
        return Err(DataError::refused(
            shown_source(source),
            "the URL holds a user name or password, which would be stored with the sweep: download the file and give its path",
        ));
    }
    Ok(())
}

/// The last part of a path or URL, which names a file.
pub(super) fn file_name(source: &str) -> &str {
    let path = match source.split_once("://") {
        Some((_, rest)) => &rest[..rest.find(['?', '#']).unwrap_or(rest.len())],
        None => source,
    };
    path.rsplit('/').next().unwrap_or(path)
}

/// A path with the home folder for `~`, as a shell has it; without one, the path as it is.
#[must_use]
pub fn expand(source: &str) -> PathBuf {
    let rest = match source.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => return PathBuf::from(source),
    };
    match std::env::home_dir().filter(|home| !home.as_os_str().is_empty()) {
        Some(home) if rest.is_empty() => home,
        Some(home) => home.join(rest),
        None => PathBuf::from(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_folder_and_nothing_else() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(expand("~"), home);
        assert_eq!(expand("~/data/x.npz"), home.join("data/x.npz"));
        assert_eq!(expand("~//x.npz"), home.join("x.npz"));
        for other in ["data/~/x.npz", "/x.npz", "~x.npz", "x~"] {
            assert_eq!(expand(other), PathBuf::from(other));
        }
    }

    #[test]
    fn a_file_has_its_name_from_a_path_or_an_address() {
        for (source, name) in [
            ("data/The Eiffel Tower.npy", "The Eiffel Tower.npy"),
            ("cat.npy", "cat.npy"),
            ("https://host/full/The%20Eiffel%20Tower.npy?generation=1#x", "The%20Eiffel%20Tower.npy"),
        ] {
            assert_eq!(file_name(source), name);
        }
    }

    #[test]
    fn user_information_is_refused_without_being_shown() {
        for source in ["https://user:secret@host/x.npz", "https://secret@host"] {
            let text = check(source).unwrap_err().to_string();
            assert!(text.contains("user name or password") && !text.contains("secret"), "{text}");
        }
        assert!(check("https://host/a@b?c@d").is_ok());
        assert!(check("a@b.npz").is_ok());
        assert!(check(" ").is_err());
    }
}
