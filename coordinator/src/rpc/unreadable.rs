//! Requests that cannot be read are the caller's fault, and are answered so.
//!
//! tonic answers INTERNAL to a body that is not the message which the call expects: damaged on its
//! way, cut off, of another program. A client that reads INTERNAL as trouble of the coordinator
//! would repeat such a request for ever.

use tonic::{
    Code, Status,
    body::Body,
    codegen::http::{HeaderMap, Response},
};

use super::status::DAMAGED;

/// Turns tonic's own INTERNAL into INVALID_ARGUMENT. The services answer INTERNAL for one reason
/// only, in words of their own.
pub(crate) fn refused(answer: Response<Body>) -> Response<Body> {
    match unreadable(answer.headers()) {
        Some(problem) => Status::invalid_argument(format!(
            "the request cannot be read ({problem}): it was damaged on its way, or its sender speaks something else"
        ))
        .into_http(),
        None => answer,
    }
}

/// What tonic says of a request that it could not read. Such an answer has no body: its status
/// stands among the headers.
fn unreadable(headers: &HeaderMap) -> Option<String> {
    let code = headers.get(Status::GRPC_STATUS)?;
    if Code::from_bytes(code.as_bytes()) != Code::Internal {
        return None;
    }
    let status = Status::from_header_map(headers)?;
    (status.message() != DAMAGED).then(|| status.message().trim_end_matches('.').to_owned())
}
