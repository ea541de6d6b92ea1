//! Network errors in plain words: libraries nest each cause several times and print some of them
//! for programmers.

use std::error::Error;

use rustls::CertificateError;
use tonic::Status;

/// The cause of a failed connection or transfer, from the error that a library gave: a short text
/// for people.
#[must_use]
pub fn plain(error: &(dyn Error + 'static)) -> String {
    let mut told = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let io = cause.downcast_ref::<std::io::Error>();
        // The source of an I/O error is that of the error it wraps, which would be left out.
        let inner = io.and_then(std::io::Error::get_ref).map(|inner| inner as &(dyn Error + 'static));
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return of_tls(tls);
        }
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof)
            || cause.to_string().contains("end of file before message length reached")
        {
            return "the connection ended before the whole file had come".to_owned();
        }
        // "Connection refused (os error 111)": the number helps nobody.
        let text = cause.to_string();
        let text = text.find(" (os error ").map_or(text.as_str(), |number| &text[..number]);
        if !text.is_empty() {
            text.clone_into(&mut told);
        }
        next = inner.or_else(|| cause.source());
    }
    told
}

/// The status's message with the innermost cause, where that tells more ("connection refused"). The
/// status's own text is for debugging.
#[must_use]
pub fn explain(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(cause) => plain(cause),
        None => status.message().to_owned(),
    }
}

fn of_tls(error: &rustls::Error) -> String {
    let problem = match error {
        rustls::Error::InvalidCertificate(problem) => problem,
        rustls::Error::PeerIncompatible(_) | rustls::Error::InvalidMessage(_) => {
            return "the server does not speak a TLS that this program speaks".to_owned();
        }
        other => return format!("TLS: {other}"),
    };
    match problem {
        CertificateError::UnknownIssuer => {
            "the server's certificate is of an unknown authority (SSL_CERT_FILE names a file with others)".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: is the clock right?".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name".to_owned()
        }
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the server shows the certificate of an authority, not one of its own".to_owned()
        }
        _ => "the server's certificate is not valid".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("tcp connect error")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn the_innermost_cause_is_told_once_and_without_its_number() {
        let refused = Outer(std::io::Error::from_raw_os_error(111));
        assert_eq!(plain(&Outer(std::io::Error::other(refused))), "Connection refused");
    }

    #[test]
    fn a_tls_error_inside_an_io_error_is_found() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let text = plain(&Outer(std::io::Error::other(tls)));
        assert!(text.contains("unknown authority"), "{text}");
    }

    #[test]
    fn a_cut_transfer_is_told_in_plain_words() {
        let cut = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "see https://docs.rs/rustls");
        assert_eq!(plain(&Outer(cut)), "the connection ended before the whole file had come");
    }
}
