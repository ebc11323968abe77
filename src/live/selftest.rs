//! The live self-test: a stream is published and watched over a media plane of this process, from this machine.
//!
//! Owns the question whether live can work here, and what to do where it cannot. Its clients are those of the crate
//! `webrtc`, with sockets of their own: none of the transport under test is tested by itself. It uses no network and makes
//! no live; nobody but the readers of its verdict notices it.

mod client;
mod media;
mod publisher;
mod verdict;
mod viewer;

pub use verdict::{Fault, Passed, Role, Status, Step};

use super::plane::{MediaPlane, PeerId, PrepareError, Prepared, Relay};
use crate::tasks::Tasks;
use client::Client;
use publisher::Publisher;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use viewer::Viewer;

/// Time for each of connecting and media. Both take some 100 ms; a machine that starts everything at once is slow.
const PATIENCE: Duration = Duration::from_secs(15);

/// Tests a plane in the background and tells it in the log; `udp` is where the plane is bound.
pub fn begin(plane: MediaPlane, udp: SocketAddr, tasks: &Tasks) -> watch::Receiver<Status> {
    let (told, status) = watch::channel(Status::Running);
    let stop = tasks.clone();
    tasks.spawn(async move {
        let udp = SocketAddr::new(udp.ip(), plane.port());
        let result = tokio::select! {
            result = run(&plane, udp) => result,
            () = stop.stopping() => return,
        };
        match &result {
            Ok(passed) => tracing::info!(%udp, "live works: a test stream was {passed}"),
            Err(fault) => tracing::warn!(%udp, step = ?fault.step(), "live does not work here: {fault}"),
        }
        told.send_replace(Status::from(&result));
    });
    status
}

/// A status that stays [`Status::Off`].
pub fn off() -> watch::Receiver<Status> {
    watch::channel(Status::Off).1
}

/// Publishes a stream and watches it; `udp` is where the plane is bound, its port aside.
///
/// # Errors
/// The first step that failed or did not end in time.
pub async fn run(plane: &MediaPlane, udp: SocketAddr) -> Result<Passed, Fault> {
    run_within(PATIENCE, plane, udp).await
}

async fn run_within(patience: Duration, plane: &MediaPlane, udp: SocketAddr) -> Result<Passed, Fault> {
    let address = SocketAddr::new(own_address(udp.ip()), plane.port());
    let trial = Trial { plane, relay: plane.new_source(), address, patience, begun: Instant::now() };
    let mut publisher = Publisher::open(address).await?;
    let outcome = trial.publish(&mut publisher).await;
    publisher.client.close().await;
    outcome
}

/// One run of the test.
struct Trial<'a> {
    plane: &'a MediaPlane,
    relay: Arc<Relay>,
    /// Where clients reach the plane.
    address: SocketAddr,
    /// For each of connecting and media.
    patience: Duration,
    begun: Instant,
}

impl<'a> Trial<'a> {
    fn passed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn publish(&self, publisher: &mut Publisher) -> Result<Passed, Fault> {
        let offer = publisher.client.offer().await?;
        let answer = self.plane.publish(&self.relay, &offer, self.address.ip());
        let answered_ms = self.passed_ms();
        let _peer = self.accept(&publisher.client, answer).await?;
        publisher.client.connected(self.patience).await?;
        let connected_ms = self.passed_ms();
        let mut viewer = Viewer::open(self.address).await?;
        let watched = tokio::select! {
            outcome = self.watch(&mut viewer) => outcome,
            outcome = publisher.send() => outcome,
        };
        viewer.client.close().await;
        watched.map(|()| Passed { answered_ms, connected_ms, first_packet_ms: self.passed_ms() })
    }

    async fn watch(&self, viewer: &mut Viewer) -> Result<(), Fault> {
        let offer = viewer.client.offer().await?;
        let answer = self.plane.watch(&self.relay, &offer, self.address.ip());
        let _peer = self.accept(&viewer.client, answer).await?;
        viewer.client.connected(self.patience).await?;
        viewer.receive(self.patience).await
    }

    async fn accept(
        &self,
        client: &Client,
        answer: Result<Prepared, PrepareError>,
    ) -> Result<Peer<'a>, Fault> {
        let prepared = answer.map_err(|reason| Fault::Refused { role: client.role(), reason })?;
        let peer = Peer { plane: self.plane, id: prepared.peer };
        client.accept(&prepared.answer).await?;
        Ok(peer)
    }
}

/// A peer of the plane that goes with its test, however that ends.
struct Peer<'a> {
    plane: &'a MediaPlane,
    id: PeerId,
}

impl Drop for Peer<'_> {
    fn drop(&mut self) {
        self.plane.close(self.id);
    }
}

/// Where this machine reaches what is bound to an address.
const fn own_address(bound: IpAddr) -> IpAddr {
    match bound {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::plane::PlaneSettings;

    fn plane(address: &str) -> (MediaPlane, SocketAddr) {
        let udp: SocketAddr = address.parse().expect("an address");
        let settings = PlaneSettings { shards: 1, ..PlaneSettings::at(udp) };
        let (plane, events) = MediaPlane::open(settings).expect("a free port");
        // What nobody hears waits in the plane.
        drop(events);
        (plane, udp)
    }

    #[tokio::test]
    async fn a_stream_goes_through_a_plane_of_this_process_wherever_it_is_bound() {
        for address in ["127.0.0.1:0", "0.0.0.0:0"] {
            let (plane, udp) = plane(address);
            let passed = run(&plane, udp).await.unwrap_or_else(|fault| panic!("{address}: {fault}"));
            assert!(passed.answered_ms <= passed.connected_ms, "{passed:?}");
            assert!(passed.connected_ms <= passed.first_packet_ms, "{passed:?}");
            plane.stop();
        }
    }

    #[tokio::test]
    async fn a_stopped_plane_is_told_as_one_that_answers_nobody() {
        let (plane, udp) = plane("127.0.0.1:0");
        plane.stop();
        let fault = run(&plane, udp).await.expect_err("nobody there");
        assert_eq!(fault.step(), Step::Answer, "{fault}");
        assert!(fault.to_string().contains("stopped"), "{fault}");
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_is_named_with_the_setting() {
        let (plane, _) = plane("127.0.0.1:0");
        let elsewhere: SocketAddr = "127.0.0.2:0".parse().expect("an address");
        let fault =
            run_within(Duration::from_millis(300), &plane, elsewhere).await.expect_err("nobody there");
        assert_eq!(fault.step(), Step::Reach, "{fault}");
        let told = fault.to_string();
        assert!(told.contains(&format!("127.0.0.2:{}", plane.port())) && told.contains("live.udp"), "{told}");
        plane.stop();
    }

    #[tokio::test]
    async fn the_verdict_follows_the_test() {
        let (plane, udp) = plane("127.0.0.1:0");
        let tasks = Tasks::default();
        let mut status = begin(plane.clone(), udp, &tasks);
        let ended = status.wait_for(|status| !matches!(status, Status::Running)).await.expect("told");
        assert!(matches!(*ended, Status::Passed(_)), "{ended:?}");
        plane.stop();
    }
}
