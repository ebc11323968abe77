//! `analytics.*`

use super::{Answer, Ask};
use communiconnect_protocol::{AnalyticsPost, Reply};

pub(super) async fn post(ask: Ask<'_>, body: AnalyticsPost) -> Answer {
    let reader = ask.actor()?.into();
    let figures = ask.social.analytics.post(reader, body).await?;
    Ok(Reply::PostAnalytics(Box::new(figures)))
}
