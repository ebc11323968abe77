//! The product's HTTP interface as a script uses it: an account, a community, a live, and offers answered.
//!
//! Knows routes and bodies; no media.

use anyhow::{Context, Result, bail};
use reqwest::{Response, StatusCode, Url, header};
use serde_json::{Value, json};
use std::time::Duration;

/// How long one request may take: a server under load still answers within it, or the run has failed.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// How often an offer is repeated while there is nothing to watch yet.
const OFFER_TRIES: usize = 20;

/// A server, and the person that this run made there.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

/// A running live, as its owner knows it.
#[derive(Clone, Debug)]
pub struct StartedLive {
    /// Which.
    pub id: String,
    /// The key that its broadcaster shows.
    pub stream_key: String,
}

/// An accepted offer.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The answer.
    pub answer: String,
    /// Where the session is ended.
    pub session: Url,
}

impl Api {
    /// Speaks to this server, as a guest.
    ///
    /// # Errors
    /// Where the address is none, or not of this machine: load goes to loopback alone.
    pub fn new(base: &str) -> Result<Self> {
        let base = loopback(base)?;
        let http = reqwest::Client::builder().timeout(REQUEST_LIMIT).build()?;
        Ok(Self { http, base, token: None })
    }

    /// Registers a person and goes on as them.
    pub async fn register(mut self, username: &str) -> Result<Self> {
        let body = json!({
            "username": username, "email": format!("{username}@example.org"),
            "password": format!("a long password of {username}"), "name": username,
        });
        let answer = self.post("/v1/auth/register", &body).await?;
        self.token = Some(text(&answer, "access_token")?);
        Ok(self)
    }

    /// Goes on as the person of this token.
    #[must_use]
    pub fn with_token(mut self, token: String) -> Self {
        self.token = Some(token);
        self
    }

    /// The access token of who speaks; none for a guest.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Runs any command of the protocol over HTTP.
    pub async fn command(&self, kind: &str, body: &Value) -> Result<Value> {
        self.post(&format!("/v1/commands/{kind}"), body).await
    }

    /// The same, answered as it came.
    pub(crate) async fn command_text(&self, kind: &str, body: &Value) -> Result<String> {
        self.post_text(&format!("/v1/commands/{kind}"), body).await
    }

    /// Reads what a path tells, in JSON.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let response = self.http.get(self.base.join(path)?).send().await?.error_for_status()?;
        Ok(response.json().await?)
    }

    /// Makes a community and starts a live in it.
    pub async fn start_live(&self, name: &str) -> Result<StartedLive> {
        let community = json!({"op": format!("{name}-community"), "name": name});
        let community = self.command("community.create", &community).await?;
        let community = text(&community["community"], "id")?;
        let live = json!({
            "op": format!("{name}-live"), "title": name, "community_id": community, "visibility": "public",
        });
        let started = self.command("live.start", &live).await?;
        Ok(StartedLive { id: text(&started["live"], "id")?, stream_key: text(&started, "stream_key")? })
    }

    /// Publishes by WHIP (RFC 9725).
    pub async fn whip(&self, live: &StartedLive, offer: &str) -> Result<Accepted> {
        self.offer(&format!("/v1/live/{}/whip", live.id), Some(&live.stream_key), offer).await
    }

    /// Watches by WHEP, as a guest.
    pub async fn whep(&self, live_id: &str, offer: &str) -> Result<Accepted> {
        self.offer(&format!("/v1/live/{live_id}/whep"), None, offer).await
    }

    /// Ends an accepted offer.
    pub async fn delete(&self, session: &Url) -> Result<()> {
        self.http.delete(session.clone()).send().await?.error_for_status()?;
        Ok(())
    }

    async fn offer(&self, path: &str, token: Option<&str>, offer: &str) -> Result<Accepted> {
        let url = self.base.join(path)?;
        for _ in 0..OFFER_TRIES {
            let mut request = self.http.post(url.clone()).header(header::CONTENT_TYPE, "application/sdp");
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let response = request.body(offer.to_owned()).send().await?;
            match response.status() {
                StatusCode::CREATED => {
                    let location =
                        response.headers().get(header::LOCATION).context("201 without Location")?;
                    let session = url.join(location.to_str()?)?;
                    return Ok(Accepted { answer: response.text().await?, session });
                }
                StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE
                    if response.headers().contains_key(header::RETRY_AFTER) =>
                {
                    tokio::time::sleep(retry_after(&response)).await;
                }
                status => bail!("{url} answered {status}: {}", response.text().await?),
            }
        }
        bail!("{url} was not ready after {OFFER_TRIES} tries")
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.post_text(path, body).await?;
        serde_json::from_str(&answer).with_context(|| format!("{path} answered {answer}"))
    }

    async fn post_text(&self, path: &str, body: &Value) -> Result<String> {
        let mut request = self.http.post(self.base.join(path)?).json(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?;
        let status = response.status();
        let answer = response.text().await?;
        if !status.is_success() {
            bail!("{path} answered {status}: {answer}");
        }
        Ok(answer)
    }
}

/// An address on this machine.
///
/// # Errors
/// Where it is none, or of another machine.
pub(crate) fn loopback(base: &str) -> Result<Url> {
    let base: Url = base.parse().with_context(|| format!("{base} is no address"))?;
    match base.host_str() {
        Some("127.0.0.1" | "localhost" | "[::1]") => Ok(base),
        host => bail!("{} is not this machine: load goes to loopback alone", host.unwrap_or("that")),
    }
}

/// What the server asks for, a second at most: a run waits for its publisher, not for politeness.
fn retry_after(response: &Response) -> Duration {
    let asked =
        response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(asked.unwrap_or(1)).min(Duration::from_secs(1))
}

fn text(value: &Value, key: &str) -> Result<String> {
    let found = value[key].as_str().with_context(|| format!("no {key} in {value}"))?;
    Ok(found.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_goes_to_this_machine_alone() {
        assert!(Api::new("http://127.0.0.1:8080").is_ok());
        let refused = Api::new("http://192.0.2.1/").expect_err("somebody else's machine");
        assert!(refused.to_string().contains("loopback"), "{refused}");
    }
}
