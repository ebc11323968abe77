//! Every peer of the process: by id for the service, by user name fragment for the first datagram of it.
//!
//! Owns peers that were answered and have not come, and where those are that have. The only state that shards share
//! about peers; its lock is taken for signalling and for STUN from unknown addresses, never for media.

use super::{
    event::PeerId,
    relay::Relay,
    settings::{PlaneSettings, client_group},
};
use crate::live::rtc::{
    ice::{Ice, IceAction, IceCredentials, MAX_RESPONSE, Tuple},
    sdp::Negotiated,
    stun,
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Instant,
};

/// A peer that was answered, on its way to the shard where it will come.
pub(in crate::live) struct Waiting {
    pub(in crate::live) id: PeerId,
    pub(in crate::live) ice: Ice,
    pub(in crate::live) negotiated: Negotiated,
    pub(in crate::live) relay: Arc<Relay>,
}

/// What the service's side needs of a peer for as long as it lives.
pub(in crate::live) struct Signalling {
    pub(in crate::live) negotiated: Negotiated,
    pub(in crate::live) session_id: u64,
    pub(in crate::live) session_version: u64,
}

/// A peer as it is taken in.
pub(in crate::live) struct Newcomer {
    pub(in crate::live) waiting: Waiting,
    pub(in crate::live) signalling: Signalling,
    /// The local user name fragment that leads to it.
    pub(in crate::live) ufrag: String,
    /// Who asked for it.
    pub(in crate::live) client: IpAddr,
}

/// How a datagram came.
#[derive(Clone, Copy, Debug)]
pub(in crate::live) struct Arrival {
    pub(in crate::live) at: Instant,
    pub(in crate::live) tuple: Tuple,
    /// The shard that received it.
    pub(in crate::live) via: usize,
}

/// Where a peer is.
enum Place {
    Waiting(Box<Waiting>),
    On(usize),
}

struct Record {
    place: Place,
    signalling: Signalling,
    /// Local user name fragments that lead to it, the newest last.
    ufrags: Vec<String>,
    /// Whom it counts against while it is half open.
    half_open: Option<IpAddr>,
}

/// Why a peer is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Refused {
    HalfOpen,
    Full,
}

/// Whose a STUN datagram is.
pub(in crate::live) enum Claim {
    /// Nobody's, or not authentic; this much of the response is to be sent back.
    Nobody(Option<usize>),
    /// A peer's who is on another shard, or on this one at another address.
    On(PeerId, usize),
    /// A peer's who has just come: the asking shard owns it from now on.
    Mine(Box<Waiting>, IceAction),
}

/// Where a peer is, as far as the service's side has to know.
pub(in crate::live) enum Found<'a> {
    Waiting(&'a mut Ice),
    On(usize),
}

#[derive(Default)]
struct Inner {
    peers: HashMap<PeerId, Record>,
    ufrags: HashMap<String, PeerId>,
    half_open: HashMap<IpAddr, usize>,
    /// Those who wait, in the order in which they were answered.
    expiring: VecDeque<(Instant, PeerId)>,
}

pub(in crate::live) struct Peers {
    inner: Mutex<Inner>,
    most: usize,
    most_half_open: usize,
}

impl Peers {
    pub(in crate::live) fn new(settings: &PlaneSettings) -> Self {
        Self { inner: Mutex::default(), most: settings.peers, most_half_open: settings.half_open }
    }

    /// How many there are.
    pub(in crate::live) fn len(&self) -> usize {
        self.inner.lock().peers.len()
    }

    /// Takes a peer in that was answered. `expires` is when it is given up if it has not come.
    pub(in crate::live) fn add(&self, newcomer: Newcomer, expires: Instant) -> Result<(), Refused> {
        let Newcomer { waiting, signalling, ufrag, client } = newcomer;
        let mut inner = self.inner.lock();
        if inner.peers.len() >= self.most {
            return Err(Refused::Full);
        }
        let half_open = client_group(client);
        if let Some(group) = half_open {
            let count = inner.half_open.entry(group).or_default();
            if *count >= self.most_half_open {
                return Err(Refused::HalfOpen);
            }
            *count += 1;
        }
        let id = waiting.id;
        inner.ufrags.insert(ufrag.clone(), id);
        inner.expiring.push_back((expires, id));
        let place = Place::Waiting(Box::new(waiting));
        inner.peers.insert(id, Record { place, signalling, ufrags: vec![ufrag], half_open });
        Ok(())
    }

    /// Finds out whose a STUN datagram is, and makes a peer who comes for the first time the asking shard's.
    pub(in crate::live) fn claim(
        &self,
        arrival: Arrival,
        datagram: &[u8],
        response: &mut [u8; MAX_RESPONSE],
    ) -> Claim {
        let Some(ufrag) = stun::local_ufrag(datagram) else { return Claim::Nobody(None) };
        let mut inner = self.inner.lock();
        let Some(&id) = inner.ufrags.get(ufrag) else { return Claim::Nobody(None) };
        let record = inner.peers.get_mut(&id).expect("a user name fragment leads to a peer");
        let waiting = match &mut record.place {
            Place::On(shard) => return Claim::On(id, *shard),
            Place::Waiting(waiting) => waiting,
        };
        let action = waiting.ice.on_stun(arrival.at, arrival.tuple, datagram, response);
        if !action.authenticated {
            return Claim::Nobody(action.response);
        }
        match std::mem::replace(&mut record.place, Place::On(arrival.via)) {
            Place::Waiting(waiting) => Claim::Mine(waiting, action),
            Place::On(_) => unreachable!("it waited a moment ago, and the lock is held"),
        }
    }

    /// Notes that a peer's keys are agreed: it is half open no more.
    pub(in crate::live) fn on_connected(&self, id: PeerId) {
        let mut inner = self.inner.lock();
        let group = inner.peers.get_mut(&id).and_then(|record| record.half_open.take());
        inner.release(group);
    }

    /// Forgets a peer; `false` when it was forgotten before.
    pub(in crate::live) fn remove(&self, id: PeerId) -> bool {
        self.inner.lock().remove(id)
    }

    /// Forgets a peer if it has not come; otherwise says on which shard it is.
    pub(in crate::live) fn close(&self, id: PeerId) -> Option<Closing> {
        let mut inner = self.inner.lock();
        match inner.peers.get(&id)?.place {
            Place::On(shard) => Some(Closing::On(shard)),
            Place::Waiting(_) => {
                inner.remove(id);
                Some(Closing::Done)
            }
        }
    }

    /// Which shard a peer is on, if it has come.
    pub(in crate::live) fn shard_of(&self, id: PeerId) -> Option<usize> {
        match self.inner.lock().peers.get(&id)?.place {
            Place::On(shard) => Some(shard),
            Place::Waiting(_) => None,
        }
    }

    /// Whether there is such a peer.
    pub(in crate::live) fn contains(&self, id: PeerId) -> bool {
        self.inner.lock().peers.contains_key(&id)
    }

    /// Lets `restart` see what was agreed and where the peer is; where it succeeds, `local` leads to the peer as well.
    pub(in crate::live) fn restart<T, E>(
        &self,
        id: PeerId,
        local: &IceCredentials,
        restart: impl FnOnce(&mut Signalling, Found<'_>) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let mut inner = self.inner.lock();
        let record = inner.peers.get_mut(&id)?;
        let found = match &mut record.place {
            Place::Waiting(waiting) => Found::Waiting(&mut waiting.ice),
            Place::On(shard) => Found::On(*shard),
        };
        let result = restart(&mut record.signalling, found);
        if result.is_ok() {
            record.ufrags.push(local.ufrag.clone());
            inner.ufrags.insert(local.ufrag.clone(), id);
        }
        Some(result)
    }

    /// A restart that never completed was followed by another: its user name fragment leads nowhere any more.
    pub(in crate::live) fn void(&self, id: PeerId, ufrag: &str) {
        let mut inner = self.inner.lock();
        if let Some(record) = inner.peers.get_mut(&id) {
            record.ufrags.retain(|known| known != ufrag);
            inner.ufrags.remove(ufrag);
        }
    }

    /// A restart is complete: all but the newest user name fragment lead nowhere any more.
    pub(in crate::live) fn retire(&self, id: PeerId) {
        let mut inner = self.inner.lock();
        let Some(record) = inner.peers.get_mut(&id) else { return };
        let newest = record.ufrags.pop();
        let old = std::mem::replace(&mut record.ufrags, newest.into_iter().collect());
        for ufrag in old {
            inner.ufrags.remove(&ufrag);
        }
    }

    /// Forgets those who should have come by now, and names them.
    pub(in crate::live) fn expire(&self, now: Instant) -> Vec<PeerId> {
        let mut inner = self.inner.lock();
        let mut expired = Vec::new();
        while let Some(&(due, id)) = inner.expiring.front().filter(|(due, _)| *due <= now) {
            debug_assert!(due <= now);
            inner.expiring.pop_front();
            let waits = inner.peers.get(&id).is_some_and(|record| matches!(record.place, Place::Waiting(_)));
            if waits && inner.remove(id) {
                expired.push(id);
            }
        }
        expired
    }

    /// Forgets everybody who has not come, and names them.
    pub(in crate::live) fn drain_waiting(&self) -> Vec<PeerId> {
        let mut inner = self.inner.lock();
        let waiting = inner.peers.iter().filter(|(_, record)| matches!(record.place, Place::Waiting(_)));
        let ids: Vec<_> = waiting.map(|(&id, _)| id).collect();
        for &id in &ids {
            inner.remove(id);
        }
        ids
    }
}

/// What became of a wish to close.
pub(in crate::live) enum Closing {
    /// It had not come and is forgotten.
    Done,
    /// Its shard has to say goodbye to it.
    On(usize),
}

impl Inner {
    fn remove(&mut self, id: PeerId) -> bool {
        let Some(record) = self.peers.remove(&id) else { return false };
        for ufrag in &record.ufrags {
            self.ufrags.remove(ufrag);
        }
        self.release(record.half_open);
        true
    }

    fn release(&mut self, group: Option<IpAddr>) {
        let Some(group) = group else { return };
        if let Some(count) = self.half_open.get_mut(&group) {
            *count -= 1;
            if *count == 0 {
                self.half_open.remove(&group);
            }
        }
    }
}
