//! Where the reader of a stream stands: the `id:` of its events, which comes back as `Last-Event-ID`.
//!
//! It names every channel's offset in the order in which channels were asked for, and no channel by name, so that an event
//! of a stream with a hundred channels does not grow by a hundred names. A checksum of the names ties it to them.

use communiconnect_protocol::{Channel, ErrorBody, Position};
use crc::{CRC_32_ISO_HDLC, Crc};
use std::{fmt, io::Write};

const NAMES: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Offsets by channel, in one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    epoch: String,
    names: u32,
    offsets: Vec<Option<u64>>,
}

impl Place {
    /// Nowhere yet in any of these.
    pub(super) fn new(channels: &[Channel]) -> Self {
        Self { epoch: String::new(), names: checksum(channels), offsets: vec![None; channels.len()] }
    }

    /// Reads what [`fmt::Display`] wrote for the same channels.
    ///
    /// # Errors
    /// `invalid` where it is no such text, or belongs to other channels.
    pub(super) fn read(text: &str, channels: &[Channel]) -> Result<Self, ErrorBody> {
        let wrong = |why: &str| ErrorBody::invalid("last_event_id", why);
        let no_id = || wrong("is no id of an event of this stream");
        let (head, offsets) = text.rsplit_once('.').ok_or_else(no_id)?;
        let (epoch, names) = head.rsplit_once('.').ok_or_else(no_id)?;
        if u32::from_str_radix(names, 16).ok() != Some(checksum(channels)) {
            return Err(wrong("belongs to other channels, to another order of them, or to another person"));
        }
        let offset = |text: &str| match text {
            "-" => Ok(None),
            number => number.parse().map(Some).map_err(|_| no_id()),
        };
        let offsets: Vec<_> = offsets.split(',').map(offset).collect::<Result<_, _>>()?;
        if offsets.len() != channels.len() {
            return Err(no_id());
        }
        Ok(Self { epoch: epoch.to_owned(), names: checksum(channels), offsets })
    }

    /// The position in one channel, where there is one.
    pub(super) fn position(&self, place: usize) -> Option<Position> {
        let offset = self.offsets.get(place).copied().flatten()?;
        Some(Position { epoch: self.epoch.clone(), offset })
    }

    /// Everything up to this offset was told. All channels of a store have one epoch: with another, no offset of the one before
    /// says anything any more.
    pub(super) fn begin(&mut self, place: usize, epoch: &str, offset: u64) {
        if self.epoch != epoch {
            epoch.clone_into(&mut self.epoch);
            self.offsets.fill(None);
        }
        self.offsets[place] = Some(offset);
    }

    /// Everything up to this offset was told.
    pub(super) fn move_to(&mut self, place: usize, offset: u64) {
        self.offsets[place] = Some(offset);
    }

    /// Writes it as text.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        write!(into, "{self}").expect("memory takes everything");
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08x}.", self.epoch, self.names)?;
        for (place, offset) in self.offsets.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            match offset {
                Some(offset) => write!(f, "{offset}")?,
                None => f.write_str("-")?,
            }
        }
        Ok(())
    }
}

fn checksum(channels: &[Channel]) -> u32 {
    let mut digest = NAMES.digest();
    for channel in channels {
        digest.update(channel.to_string().as_bytes());
        digest.update(b",");
    }
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels(names: &[&str]) -> Vec<Channel> {
        names.iter().map(|name| name.parse().expect("a channel")).collect()
    }

    #[test]
    fn a_place_reads_back_for_the_same_channels_alone() {
        let asked = channels(&["test:a", "test:b", "test:c"]);
        let mut place = Place::new(&asked);
        place.begin(0, "5f3c", 41);
        place.begin(2, "5f3c", 7);
        place.move_to(2, 8);
        let text = place.to_string();
        assert!(text.starts_with("5f3c.") && text.ends_with(".41,-,8"), "{text}");
        let read = Place::read(&text, &asked).expect("its own");
        assert_eq!(read, place);
        assert_eq!(read.position(0), Some(Position { epoch: "5f3c".into(), offset: 41 }));
        assert_eq!((read.position(1), read.position(9)), (None, None));
        let mut anew = read;
        anew.begin(1, "77aa", 3);
        assert!(anew.to_string().ends_with(".-,3,-"), "offsets of another epoch are none: {anew}");
        for others in [&["test:a", "test:b"][..], &["test:b", "test:a", "test:c"], &[]] {
            assert!(Place::read(&text, &channels(others)).is_err(), "{others:?}");
        }
        let names = format!("{:08x}", checksum(&asked));
        for wrong in ["", "41", "a.b", &format!("e.{names}.1,2"), &format!("e.{names}.1,2,x"), "e.zz.1,2,3"] {
            let refusal = Place::read(wrong, &asked).expect_err(wrong);
            assert_eq!(refusal.field.as_deref(), Some("last_event_id"));
        }
    }
}
