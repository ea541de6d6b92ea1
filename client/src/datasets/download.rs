//! Sources on the web: https only, checked hosts, bounded in size and time, hashed as they arrive.
//!
//! A download stands in `cache/downloads` under its SHA-256, complete and once parsed, or not at
//! all (temporary file, fsync, rename), so a source with a pinned digest is fetched once.
//! Authorities are the platform's; `SSL_CERT_FILE` is honoured. Proxies of the environment are not:
//! behind one, no address could be checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use besom_dataset::digest::{check_pin, hash_file, hex};
use besom_dataset::{DataError, MAX_SOURCE};
use besom_sweep::shown_source;
use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use sha2::{Digest, Sha256};

use super::LoadProgress;
use super::hosts::{PrivateHost, PublicOnly, check_literal};
use super::unfinished::Unfinished;
use crate::network::plain;

/// Redirects followed: hosting sites need two or three.
const MAX_REDIRECTS: usize = 5;
const CONNECT: Duration = Duration::from_secs(15);
/// Longest silence of a server in the middle of a body.
const IDLE: Duration = Duration::from_secs(60);
/// Longest download as a whole: 2 GiB at 5 Mbit/s.
const TOTAL: Duration = Duration::from_secs(60 * 60);

/// A downloaded file. One that has just come is gone when this is dropped, unless it is kept.
pub(super) struct Download {
    /// Where it stands once it is kept.
    kept: PathBuf,
    fresh: Option<Unfinished>,
    pub(super) sha256: String,
}

impl Download {
    /// Where the bytes are now.
    pub(super) fn path(&self) -> &Path {
        self.fresh.as_ref().map_or(&self.kept, Unfinished::path)
    }

    /// Keeps a file that proved to be a dataset, for the next time.
    ///
    /// # Errors
    /// [`DataError::Io`] where the folder cannot be written to.
    pub(super) fn keep(self) -> Result<(), DataError> {
        self.fresh.map_or(Ok(()), |file| file.finish(&self.kept))
    }
}

/// Fetches `url`, or finds it in `folder` where `pinned` names its digest.
///
/// # Errors
/// [`DataError::Refused`] for a URL, host, size or digest that is not acceptable;
/// [`DataError::Unavailable`] where the network or server failed.
pub(super) async fn download(
    url: &str,
    pinned: Option<&str>,
    folder: &Path,
    allow_private_hosts: bool,
    progress: &(dyn Fn(LoadProgress) + Send + Sync),
) -> Result<Download, DataError> {
    if let Some(pinned) = pinned
        && let Some(found) = find(folder, pinned)?
    {
        return Ok(found);
    }
    let source = &*shown_source(url);
    let work = async {
        let response = open(source, url, allow_private_hosts).await?;
        save(source, response, pinned, folder, progress).await
    };
    tokio::time::timeout(TOTAL, work).await.unwrap_or_else(|_| {
        Err(DataError::unavailable(source, format!("not complete after {} minutes", TOTAL.as_secs() / 60)))
    })
}

/// The file of an earlier download, if it still has its digest.
fn find(folder: &Path, sha256: &str) -> Result<Option<Download>, DataError> {
    let path = folder.join(sha256);
    match hash_file(&path) {
        Ok(found) if found == sha256 => Ok(Some(Download { kept: path, fresh: None, sha256: found })),
        Ok(_) => {
            tracing::warn!(path = %path.display(), "a cached download has changed and is fetched again");
            std::fs::remove_file(&path).map_err(|error| DataError::io(&path, "remove", error))?;
            Ok(None)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DataError::io(&path, "read", error)),
    }
}

/// Whether the file of an earlier download still has its digest.
pub(super) fn is_sound(path: &Path, sha256: &str) -> bool {
    hash_file(path).is_ok_and(|found| found == sha256)
}

/// Follows redirects, each checked like the first URL, to a response with a body.
async fn open(source: &str, url: &str, allow_private_hosts: bool) -> Result<Response, DataError> {
    let client = client(source, allow_private_hosts)?;
    let mut url = Url::parse(url).map_err(|error| DataError::refused(source, format!("is no URL: {error}")))?;
    for redirects in 0..=MAX_REDIRECTS {
        check_url(source, &url, redirects, allow_private_hosts)?;
        let response = client.get(url.clone()).send().await.map_err(|error| explain(source, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if !status.is_redirection() {
            return Err(refusal(source, status));
        }
        let target = response.headers().get(header::LOCATION).and_then(|target| target.to_str().ok());
        url = match target.map(|target| url.join(target)) {
            Some(Ok(target)) => target,
            _ => return Err(DataError::refused(source, format!("{status} without a usable Location"))),
        };
    }
    Err(DataError::refused(source, format!("more than {MAX_REDIRECTS} redirects")))
}

fn client(source: &str, allow_private_hosts: bool) -> Result<Client, DataError> {
    // The client takes the process's provider. Another part may have installed one first, which is
    // as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .https_only(true)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .read_timeout(IDLE)
        .user_agent(concat!("besom/", env!("CARGO_PKG_VERSION")));
    if !allow_private_hosts {
        builder = builder.dns_resolver(PublicOnly);
    }
    builder.build().map_err(|error| explain(source, &error))
}

fn check_url(source: &str, url: &Url, redirects: usize, allow_private_hosts: bool) -> Result<(), DataError> {
    if url.scheme() != "https" {
        let target =
            if redirects == 0 { String::new() } else { format!("redirects to {}: ", shown_source(url.as_str())) };
        return Err(DataError::refused(source, format!("{target}only https is fetched")));
    }
    match url.host_str() {
        Some(_) if allow_private_hosts => Ok(()),
        Some(host) => check_literal(host).map_err(|error| DataError::refused(source, error.to_string())),
        None => Err(DataError::refused(source, "has no host")),
    }
}

fn refusal(source: &str, status: StatusCode) -> DataError {
    let problem = format!("the server answered {status}");
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => DataError::unavailable(source, problem),
        status if status.is_server_error() => DataError::unavailable(source, problem),
        _ => DataError::refused(source, problem),
    }
}

/// A network error by its cause: the outermost error says nothing ("error sending request") and
/// shows the URL.
fn explain(source: &str, error: &reqwest::Error) -> DataError {
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(private) = cause.downcast_ref::<PrivateHost>() {
            return DataError::refused(source, private.to_string());
        }
        next = cause.source();
    }
    let problem = match std::error::Error::source(error) {
        _ if error.is_timeout() => "the server did not answer in time".to_owned(),
        Some(cause) => plain(cause),
        None => "the request could not be made".to_owned(),
    };
    DataError::unavailable(source, format!("download failed: {problem}"))
}

async fn save(
    source: &str,
    mut response: Response,
    pinned: Option<&str>,
    folder: &Path,
    progress: &(dyn Fn(LoadProgress) + Send + Sync),
) -> Result<Download, DataError> {
    let total = response.content_length();
    let too_large = || DataError::refused(source, format!("is larger than {} MiB", MAX_SOURCE >> 20));
    if total.is_some_and(|total| total > MAX_SOURCE) {
        return Err(too_large());
    }
    let mut file = Unfinished::new(folder)?;
    let mut hash = Sha256::new();
    let mut received = 0;
    progress(LoadProgress::Downloading { received, total });
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(source, &error))? {
        received += chunk.len() as u64;
        if received > MAX_SOURCE {
            return Err(too_large());
        }
        hash.update(&chunk);
        file.write(&chunk)?;
        progress(LoadProgress::Downloading { received, total });
    }
    let sha256 = hex(&hash.finalize());
    check_pin(source, &sha256, pinned)?;
    Ok(Download { kept: folder.join(&sha256), fresh: Some(file), sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hop_of_a_redirect_is_checked() {
        let check =
            |target: &str, private| check_url("https://example.org/a.npz", &target.parse().unwrap(), 1, private);
        check("https://example.net/b.npz", false).unwrap();
        check("https://127.0.0.1/b.npz", true).unwrap();
        for target in
            ["https://127.0.0.1/", "https://[::1]/", "https://0x7f.1/", "https://2130706433/", "https://10.0.0.1./"]
        {
            let error = check(target, false).unwrap_err().to_string();
            assert!(error.contains("--allow-private-hosts"), "{target}: {error}");
        }
        for target in ["http://example.net/b.npz", "file:///etc/passwd", "ftp://example.net/b.npz"] {
            let error = check(target, true).unwrap_err().to_string();
            assert!(error.contains("redirects to") && error.contains("only https"), "{target}: {error}");
        }
    }
}
