//! https sources against a real TLS server on this machine, whose authority is given by
//! SSL_CERT_FILE.
//!
//! That variable is read from the process's environment, so each test runs once more in a child
//! process that was started with it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "../../dataset/tests/support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use besom_client::datasets::{LoadOptions, LoadProgress, load};
use besom_dataset::{DataError, Loaded};
use besom_sweep::DatasetSpec;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use support::{chain, npz, spec, ten_labels, ten_samples};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Folder of the authority's and the server's files, for the child.
const FOLDER: &str = "BESOM_TEST_TLS_FOLDER";

/// In the first process: makes an authority, runs the test of this name in a child that trusts it,
/// and gives none. In the child: a server with a certificate of that authority.
async fn server(test: &str) -> Option<Server> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return Some(Server::start(&PathBuf::from(folder)).await);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    std::fs::write(folder.path().join("authority.pem"), authority.pem()).unwrap();
    std::fs::write(folder.path().join("server.der"), certificate.der()).unwrap();
    std::fs::write(folder.path().join("key.der"), key.serialize_der()).unwrap();
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder.path())
        .env("SSL_CERT_FILE", folder.path().join("authority.pem"))
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{test}: {text}");
    None
}

struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    home: tempfile::TempDir,
}

impl Server {
    async fn start(folder: &Path) -> Self {
        let certificate = std::fs::read(folder.join("server.der")).unwrap().into();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(std::fs::read(folder.join("key.der")).unwrap()));
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, counter) = (acceptor.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => request.push(byte),
                            Err(_) => return,
                        }
                    }
                    counter.fetch_add(1, Ordering::SeqCst);
                    let request = String::from_utf8(request).unwrap();
                    let path = request.split(' ').nth(1).unwrap();
                    let _ = stream.write_all(&answer(path, address)).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { address, requests, home: tempfile::tempdir().unwrap() }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.address.port())
    }

    async fn load(&self, spec: &DatasetSpec, allow_private_hosts: bool) -> Result<Loaded, DataError> {
        let home = self.home.path().to_owned();
        load(spec, &LoadOptions { base_dir: home.clone(), home, allow_private_hosts }, &|_| ()).await
    }

    /// The error of loading `path`, and that it left nothing behind.
    async fn refused(&self, path: &str) -> String {
        let error = self.load(&spec(&self.url(path)), true).await.unwrap_err();
        assert_eq!(self.downloads(), 0, "{path} left a file");
        chain(&error)
    }

    fn downloads(&self) -> usize {
        std::fs::read_dir(self.home.path().join("cache/downloads")).map_or(0, Iterator::count)
    }
}

/// What the server says at `path`.
fn answer(path: &str, address: SocketAddr) -> Vec<u8> {
    let body = npz(&ten_samples(), &ten_labels());
    let with =
        |head: String, body: &[u8]| [format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes(), body].concat();
    let redirect = |target: String| with(format!("302 Found\r\nContent-Length: 0\r\nLocation: {target}"), b"");
    let port = address.port();
    match path.split('?').next().unwrap() {
        "/data.npz" => with(format!("200 OK\r\nContent-Length: {}", body.len()), &body),
        "/cut.npz" => with(format!("200 OK\r\nContent-Length: {}", body.len() + 100), &body),
        "/huge.npz" => with("200 OK\r\nContent-Length: 99999999999".to_owned(), &body),
        "/page.npz" => with("200 OK\r\nContent-Length: 6".to_owned(), b"<html>"),
        "/full/The%20Eiffel%20Tower.npy" | "/full/cat.npy" => {
            let body = ten_samples();
            with(format!("200 OK\r\nContent-Length: {}", body.len()), &body)
        }
        "/plain.npz" => redirect(format!("http://me:secret@localhost:{port}/data.npz?secret")),
        "/nowhere.npz" => with("302 Found\r\nContent-Length: 0".to_owned(), b""),
        "/busy.npz" => with("503 Service Unavailable\r\nContent-Length: 0".to_owned(), b""),
        _ => match path.strip_prefix("/redirect/").and_then(|left| left.parse::<u32>().ok()) {
            Some(0) => redirect("/data.npz".to_owned()),
            Some(left) => redirect(format!("https://127.0.0.1:{port}/redirect/{}", left - 1)),
            None => with("404 Not Found\r\nContent-Length: 0".to_owned(), b""),
        },
    }
}

#[tokio::test]
async fn a_list_of_addresses_and_paths_is_one_class_each() {
    let Some(server) = server("a_list_of_addresses_and_paths_is_one_class_each").await else { return };
    std::fs::write(server.home.path().join("dog.npy"), ten_samples()).unwrap();
    let of = |more: &str| DatasetSpec {
        more_sources: vec![server.url("full/cat.npy"), more.to_owned()],
        per_class: Some(4),
        ..spec(&server.url("full/The%20Eiffel%20Tower.npy?generation=secret"))
    };
    let loaded = server.load(&of("dog.npy"), true).await.unwrap();
    let header = loaded.dataset.header();
    assert_eq!(header.classes, ["The Eiffel Tower", "cat", "dog"]);
    assert_eq!((header.train + header.test, loaded.source_sha256), (12, None));
    let error = chain(&server.load(&of("mouse.npy"), true).await.unwrap_err());
    assert!(error.contains("mouse.npy: no such file") && !error.contains("secret"), "{error}");
    let page = server.url("page.npz");
    let error = chain(&server.load(&of(&page), true).await.unwrap_err());
    assert!(error.contains(&format!("{page}: is a web page")) && !error.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_download_is_pinned_kept_and_reused() {
    let Some(server) = server("a_download_is_pinned_kept_and_reused").await else { return };
    let seen = std::sync::Mutex::new(Vec::new());
    let options = LoadOptions {
        home: server.home.path().to_owned(),
        base_dir: server.home.path().to_owned(),
        allow_private_hosts: true,
    };
    let mut source = spec(&server.url("data.npz"));
    let first = load(&source, &options, &|step| seen.lock().unwrap().push(step)).await.unwrap();
    let sha256 = first.source_sha256.clone().unwrap();
    assert!(first.notes[0].contains(&sha256), "{:?}", first.notes);
    let seen = seen.into_inner().unwrap();
    let size = npz(&ten_samples(), &ten_labels()).len() as u64;
    assert!(seen.contains(&LoadProgress::Downloading { received: size, total: Some(size) }), "{seen:?}");
    assert_eq!(seen.last(), Some(&LoadProgress::Reading));

    source.sha256 = Some(sha256.clone());
    let again = server.load(&source, true).await.unwrap();
    assert_eq!(again.dataset.digest(), first.dataset.digest());
    assert_eq!(server.requests.load(Ordering::SeqCst), 1, "the pinned file was there already");

    // A damaged file is noticed and fetched again.
    std::fs::write(server.home.path().join("cache/downloads").join(&sha256), b"rubbish").unwrap();
    assert_eq!(server.load(&source, true).await.unwrap().dataset.digest(), first.dataset.digest());
    assert_eq!(server.requests.load(Ordering::SeqCst), 2);

    source.sha256 = Some("ab".repeat(32));
    let error = server.load(&source, true).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("not the expected ones"), "{error}");
    assert_eq!(server.downloads(), 1, "bytes with another digest are not kept");
}

#[tokio::test]
async fn clients_that_share_a_cache_may_download_the_same_at_once() {
    let Some(server) = server("clients_that_share_a_cache_may_download_the_same_at_once").await else { return };
    let source = spec(&server.url("data.npz"));
    for _ in 0..20 {
        let [a, b, c] = [(); 3].map(|()| server.load(&source, true));
        let (a, b, c) = tokio::join!(a, b, c);
        assert_eq!(a.unwrap().dataset.digest(), b.unwrap().dataset.digest());
        c.unwrap();
    }
    assert_eq!(server.downloads(), 1);
}

#[tokio::test]
async fn five_redirects_are_followed_and_six_are_not() {
    let Some(server) = server("five_redirects_are_followed_and_six_are_not").await else { return };
    let text = server.refused("redirect/5").await;
    assert!(text.contains("more than 5 redirects"), "{text}");
    server.load(&spec(&server.url("redirect/4")), true).await.unwrap();
    assert_eq!(server.requests.load(Ordering::SeqCst), 12);
}

#[tokio::test]
async fn answers_that_are_no_dataset_are_refused() {
    let Some(server) = server("answers_that_are_no_dataset_are_refused").await else { return };
    for (path, words) in [
        ("plain.npz", "redirects to http://***@localhost"),
        ("nowhere.npz", "without a usable Location"),
        ("missing.npz", "404 Not Found"),
        ("busy.npz", "503 Service Unavailable"),
        ("huge.npz", "is larger than 2048 MiB"),
        ("cut.npz", "download failed: the connection ended before the whole file had come"),
        ("missing.npz?token=secret", "404 Not Found"),
        ("plain.npz?token=secret", "redirects to http://***@localhost"),
    ] {
        let text = server.refused(path).await;
        let shown = path.split('?').next().unwrap();
        assert!(text.contains(words) && text.contains(shown) && !text.contains("secret"), "{path}: {text}");
    }
    let error = server.refused("page.npz").await;
    assert!(error.contains("page.npz: is a web page"), "{error}");
    assert!(server.load(&spec(&server.url("busy.npz")), true).await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn a_name_of_a_private_address_is_refused_before_anything_is_sent() {
    let Some(server) = server("a_name_of_a_private_address_is_refused_before_anything_is_sent").await else { return };
    let error = server.load(&spec(&server.url("data.npz")), false).await.unwrap_err();
    assert!(matches!(error, DataError::Refused { .. }), "{}", chain(&error));
    assert!(
        error.to_string().contains("localhost is 127.0.0.1") || error.to_string().contains("localhost is ::1"),
        "{error}"
    );
    assert_eq!(server.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused() {
    // No child here: this process does not trust the authority made for it.
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("server.der"), key.cert.der()).unwrap();
    std::fs::write(folder.path().join("key.der"), key.signing_key.serialize_der()).unwrap();
    let server = Server::start(folder.path()).await;
    let text = server.refused("data.npz").await;
    assert!(text.contains("the server's certificate is of an unknown authority"), "{text}");
    assert_eq!(server.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn addresses_of_private_hosts_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_owned();
    let options = LoadOptions { base_dir: home.clone(), home, allow_private_hosts: false };
    for (source, words) in [
        ("HTTPS://127.0.0.1/x.npz?token", "HTTPS://127.0.0.1/x.npz?***: 127.0.0.1 is an address of"),
        ("https://127.0.0.1/x.npz", "--allow-private-hosts"),
        ("https://[::1]/x.npz", "--allow-private-hosts"),
        ("https://169.254.169.254/latest/meta-data", "--allow-private-hosts"),
        ("https://0x7f.1/x.npz", "--allow-private-hosts"),
        ("https://", "is no URL"),
    ] {
        let text = load(&support::spec(source), &options, &|_| ()).await.unwrap_err().to_string();
        assert!(text.contains(words) && !text.contains("token"), "{source}: {text}");
    }
}
