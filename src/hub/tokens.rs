//! Identity as the hub asks for it: `auth` lies below and cannot name the hub's seam.

use super::{Authenticate, Denied};
use crate::auth::{Authenticator, Identity};

#[async_trait::async_trait]
impl Authenticate for Authenticator {
    async fn authenticate(&self, token: Option<&str>, now: i64) -> Result<Identity, Denied> {
        Authenticator::authenticate(self, token, now)
            .await
            .map_err(|error| Denied { close: error.close_code(), error: error.into() })
    }
}
