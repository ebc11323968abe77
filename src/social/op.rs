//! What tells a retry of an operation from another operation under the same id.

use super::text::check_op;
use crate::store::Op;
use communiconnect_protocol::{ErrorBody, Format, encode_body};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The operation of a command: its id, and a SHA-256 over the command's name and its decoded body with named fields, so
/// that both encodings, any order of keys and unknown keys make the same operation.
///
/// # Errors
/// `invalid` with `op` where the id is not 1 to 64 characters.
pub(crate) fn op_of<T: Serialize>(command: &str, id: &str, body: &T) -> Result<Op, ErrorBody> {
    check_op(id)?;
    let mut digest = Sha256::new();
    digest.update(command.as_bytes());
    digest.update([0]);
    digest.update(encode_body(Format::Msgpack, body));
    Ok(Op { id: id.to_owned(), digest: digest.finalize().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_body_make_the_digest() {
        let first = op_of("post.create", "a", &("x", 1)).expect("valid");
        assert_eq!(first, op_of("post.create", "a", &("x", 1)).expect("valid"));
        assert_ne!(first.digest, op_of("post.create", "a", &("x", 2)).expect("valid").digest);
        assert_ne!(first.digest, op_of("comment.add", "a", &("x", 1)).expect("valid").digest);
    }
}
