//! Identity as the hub asks for it: `auth` lies below and cannot name the hub's seam.

use super::{Authenticate, Denied};
use crate::auth::{AuthError, Authenticator, Identity};

#[async_trait::async_trait]
impl Authenticate for Authenticator {
    async fn authenticate(&self, token: Option<&str>, now: i64) -> Result<Identity, Denied> {
        Authenticator::authenticate(self, token, now).await.map_err(denied)
    }

    async fn confirm(&self, identity: &Identity, now: i64) -> Result<(), Denied> {
        Authenticator::confirm(self, identity, now).await.map_err(denied)
    }
}

fn denied(error: AuthError) -> Denied {
    Denied { close: error.close_code(), error: error.into() }
}
