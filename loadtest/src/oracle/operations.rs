//! What was acknowledged against what is there: each acknowledged operation has one effect, each other one at most one.

use std::collections::HashMap;
use thiserror::Error;

/// What became of an operation.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    is_acknowledged: bool,
    effects: u32,
}

/// Operations by their `op`.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    fates: HashMap<String, Fate>,
}

/// An operation whose effect is not what its acknowledgement says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misfit {
    /// Acknowledged, and not there.
    #[error("{0} was acknowledged and is not there")]
    Lost(String),
    /// There more than once, acknowledged or not.
    #[error("{0} is there {1} times")]
    Repeated(String, u32),
    /// There, and nobody has sent it.
    #[error("{0} is there and was never sent")]
    Stranger(String),
}

impl Misfit {
    /// The word for it in figures.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Lost(_) => "lost",
            Self::Repeated(..) => "repeated",
            Self::Stranger(_) => "stranger",
        }
    }
}

impl Operations {
    /// It was sent, and what becomes of it is open.
    pub fn sent(&mut self, op: String) {
        self.fates.entry(op).or_default();
    }

    /// It was sent and acknowledged.
    pub fn acknowledged(&mut self, op: String) {
        self.fates.entry(op).or_default().is_acknowledged = true;
    }

    /// An effect of it is there.
    ///
    /// # Errors
    /// Where it was never sent.
    pub fn found(&mut self, op: &str) -> Result<(), Misfit> {
        let fate = self.fates.get_mut(op).ok_or_else(|| Misfit::Stranger(op.to_owned()))?;
        fate.effects += 1;
        Ok(())
    }

    /// Takes over those of somebody else.
    pub fn add(&mut self, other: Self) {
        for (op, fate) in other.fates {
            let own = self.fates.entry(op).or_default();
            own.is_acknowledged |= fate.is_acknowledged;
            own.effects += fate.effects;
        }
    }

    /// How many are acknowledged.
    pub fn count(&self) -> u64 {
        self.fates.values().filter(|fate| fate.is_acknowledged).count() as u64
    }

    /// Once everything that is there has been told by [`Self::found`]: what does not fit.
    pub fn misfits(&self) -> impl Iterator<Item = Misfit> {
        self.fates.iter().filter_map(|(op, fate)| match fate.effects {
            0 if fate.is_acknowledged => Some(Misfit::Lost(op.clone())),
            0 | 1 => None,
            effects => Some(Misfit::Repeated(op.clone(), effects)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_misfit_is_found() {
        let mut all = Operations::default();
        for op in ["once", "lost", "twice"] {
            all.acknowledged(op.into());
        }
        let mut others = Operations::default();
        for op in ["open and there", "open and not there", "open and twice"] {
            others.sent(op.into());
        }
        all.add(others);
        assert_eq!(all.count(), 3);
        for op in ["once", "twice", "twice", "open and there", "open and twice", "open and twice"] {
            assert_eq!(all.found(op), Ok(()));
        }
        assert_eq!(all.found("nobody's"), Err(Misfit::Stranger("nobody's".into())));
        let mut misfits: Vec<_> = all.misfits().collect();
        misfits.sort_by_key(ToString::to_string);
        assert_eq!(
            misfits,
            [
                Misfit::Lost("lost".into()),
                Misfit::Repeated("open and twice".into(), 2),
                Misfit::Repeated("twice".into(), 2),
            ]
        );
    }
}
