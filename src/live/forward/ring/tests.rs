//! What a ring keeps and what it knows.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::live::forward::codec::{FrameInfo, H264};

fn packet(start: Instant, index: u64) -> Packet {
    Packet {
        index,
        timestamp: index * 3_000,
        arrived: start,
        marker: true,
        payload: Bytes::from_static(&[0; 100]),
        frame: FrameInfo::default(),
        audio_level: None,
        orientation: None,
    }
}

fn key_frame(start: Instant, index: u64) -> Packet {
    Packet { frame: FrameInfo { begins_key_frame: true, ..FrameInfo::default() }, ..packet(start, index) }
}

fn h264(start: Instant, (index, timestamp): (u64, u64), units: H264) -> Packet {
    let frame = FrameInfo { descriptor: Descriptor::H264(units), ..FrameInfo::default() };
    Packet { timestamp, frame, ..packet(start, index) }
}

const SPS: H264 = H264 { has_sps: true, has_idr: false, has_b_slice: false };
const IDR: H264 = H264 { has_sps: false, has_idr: true, has_b_slice: false };
const OTHER: H264 = H264 { has_sps: false, has_idr: false, has_b_slice: false };

fn indices(ring: &Ring) -> Vec<u64> {
    ring.packets(0..u64::MAX).map(|packet| packet.index).collect()
}

fn marks(ring: &Ring) -> Vec<u64> {
    ring.key_frames().map(|mark| mark.index).collect()
}

fn small(packets: usize) -> RingLimits {
    RingLimits { packets, ..RingLimits::VIDEO }
}

#[test]
fn packets_lie_in_order_whatever_the_order_they_came_in() {
    let start = Instant::now();
    let mut ring = Ring::new(small(100));
    for index in [70_000, 70_003, 69_999, 70_001] {
        assert_eq!(ring.push(packet(start, index)), Pushed::New);
    }
    assert_eq!(ring.push(packet(start, 70_001)), Pushed::Duplicate);
    assert_eq!(indices(&ring), [69_999, 70_000, 70_001, 70_003]);
    assert_eq!((ring.oldest(), ring.head(), ring.bytes()), (69_999, 70_004, 400));
    assert!(matches!(ring.slot(70_002), Slot::Missing));
    assert!(matches!(ring.slot(70_004), Slot::NotYet));
    assert!(matches!(ring.slot(69_998), Slot::Evicted));
    assert_eq!(ring.packets(70_001..70_004).count(), 2);
    assert_eq!(ring.packets(80_000..90_000).count(), 0);
}

#[test]
fn padding_is_no_hole() {
    let start = Instant::now();
    let mut ring = Ring::new(small(100));
    ring.push(packet(start, 10));
    assert_eq!(ring.push_padding(11), Pushed::New);
    ring.push(packet(start, 12));
    assert!(matches!(ring.slot(11), Slot::Padding));
    assert_eq!(ring.push(packet(start, 11)), Pushed::Duplicate);
    assert_eq!(indices(&ring), [10, 12]);
}

#[test]
fn each_bound_holds() {
    let start = Instant::now();
    let mut by_count = Ring::new(small(10));
    let mut by_bytes = Ring::new(RingLimits { bytes: 1_000, ..RingLimits::VIDEO });
    let mut by_age = Ring::new(RingLimits { age: Duration::from_millis(90), ..RingLimits::VIDEO });
    for index in 0..1_000 {
        let at = start + Duration::from_millis(10) * index as u32;
        for ring in [&mut by_count, &mut by_bytes, &mut by_age] {
            ring.push(packet(at, index));
            assert!(indices(ring).len() <= 10 && ring.bytes() <= 1_000);
        }
    }
    for ring in [&mut by_count, &mut by_bytes, &mut by_age] {
        assert_eq!(indices(ring), (990..1_000).collect::<Vec<_>>());
        assert_eq!(ring.push(packet(start, 989)), Pushed::TooOld);
    }
}

#[test]
fn what_lies_before_the_last_key_frame_goes_early() {
    let start = Instant::now();
    let mut ring = Ring::new(RingLimits::VIDEO);
    for index in 0..600u64 {
        // A key frame every five seconds, 30 packets a second.
        let at = start + Duration::from_millis(33) * index as u32;
        ring.push(if index % 150 == 0 { key_frame(at, index) } else { packet(at, index) });
    }
    assert_eq!(marks(&ring), [450]);
    assert!(
        (449..=450).contains(&ring.oldest()),
        "{}: the last key frame is five seconds old",
        ring.oldest()
    );
    for index in 600..630u64 {
        let at = start + Duration::from_millis(33) * index as u32;
        ring.push(if index == 600 { key_frame(at, index) } else { packet(at, index) });
    }
    assert_eq!(marks(&ring), [600], "its predecessor is of no use to late joiners");
    assert_eq!(ring.oldest(), 629 - 90, "but three seconds are kept for repeats");
}

#[test]
fn a_jump_past_everything_begins_anew() {
    let start = Instant::now();
    let mut ring = Ring::new(small(10));
    ring.push(key_frame(start, 5));
    ring.push(packet(start, 1 << 40));
    assert_eq!((indices(&ring), ring.bytes(), ring.newest_key_frame()), (vec![1 << 40], 100, None));
    assert_eq!(ring.push(packet(start, 6)), Pushed::TooOld);
}

#[test]
fn key_frames_are_known_in_order_and_forgotten_with_their_packets() {
    let start = Instant::now();
    let mut ring = Ring::new(small(10));
    for index in [1, 5, 3] {
        ring.push(key_frame(start, index));
    }
    assert_eq!(marks(&ring), [1, 3, 5]);
    assert_eq!(ring.newest_key_frame().unwrap().timestamp, 15_000);
    ring.push(packet(start, 14));
    assert_eq!(marks(&ring), [5]);
}

#[test]
fn an_h264_key_frame_begins_at_its_parameter_sets() {
    let start = Instant::now();
    let mut ring = Ring::new(small(100));
    ring.push(h264(start, (9, 100), OTHER));
    ring.push(h264(start, (10, 200), SPS));
    ring.push(h264(start, (11, 200), OTHER));
    assert!(marks(&ring).is_empty(), "parameter sets alone are no key frame");
    ring.push(h264(start, (12, 200), IDR));
    assert_eq!(marks(&ring), [10]);
    ring.push(h264(start, (13, 200), IDR));
    assert_eq!(marks(&ring), [10], "a second slice of the same picture changes nothing");
}

#[test]
fn an_h264_key_frame_is_known_once_its_lost_head_was_repaired() {
    let start = Instant::now();
    let mut ring = Ring::new(small(100));
    ring.push(h264(start, (7, 100), SPS));
    ring.push(h264(start, (9, 200), OTHER));
    ring.push(h264(start, (12, 300), IDR));
    assert!(marks(&ring).is_empty(), "a hole before the picture: its parameter sets may be in there");
    ring.push(h264(start, (11, 300), OTHER));
    assert!(marks(&ring).is_empty());
    ring.push(h264(start, (10, 300), SPS));
    assert_eq!(marks(&ring), [10]);
}

#[test]
fn an_idr_picture_without_parameter_sets_is_a_start_only_where_they_never_came() {
    let start = Instant::now();
    let mut out_of_band = Ring::new(small(100));
    out_of_band.push(h264(start, (1, 100), OTHER));
    out_of_band.push(h264(start, (2, 200), IDR));
    assert_eq!(marks(&out_of_band), [2]);

    let mut once = Ring::new(small(100));
    once.push(h264(start, (1, 100), SPS));
    once.push(h264(start, (2, 100), IDR));
    once.push(h264(start, (3, 200), OTHER));
    once.push(h264(start, (4, 300), IDR));
    assert_eq!(marks(&once), [1], "a late joiner could not decode the second");
}

#[test]
fn where_an_h264_picture_begins_is_told_by_the_packet_before() {
    let start = Instant::now();
    let mut ring = Ring::new(small(100));
    for (index, timestamp) in [(1, 100), (2, 100), (3, 200), (5, 200)] {
        ring.push(h264(start, (index, timestamp), OTHER));
    }
    let begins = ring.packets(0..10).map(|packet| packet.frame.begins_frame).collect::<Vec<_>>();
    assert_eq!(begins, [false, false, true, false]);
}

#[test]
fn bytes_since_a_packet_are_counted_without_walking() {
    let start = Instant::now();
    let mut ring = Ring::new(small(50));
    for index in 0..200 {
        ring.push(packet(start, index));
    }
    assert_eq!(ring.bytes_since(190), 1_000);
    assert_eq!(ring.bytes_since(0), ring.bytes());
    assert_eq!(ring.bytes_since(200), 0);
    ring.allow(500);
    assert_eq!((indices(&ring), ring.bytes()), ((195..200).collect(), 500));
    ring.allow(usize::MAX);
    ring.push(packet(start, 200));
    assert_eq!(indices(&ring), (195..=200).collect::<Vec<_>>(), "what went is gone, and it grows again");
}

proptest! {
    /// Against a map that keeps everything: what the ring has is right, and it has all that its limits allow.
    #[test]
    fn a_ring_is_a_window_on_what_came(
        limit in 1usize..40,
        steps in proptest::collection::vec((-30i64..40, 0u8..8), 1..300),
    ) {
        let start = Instant::now();
        let mut ring = Ring::new(RingLimits { packets: limit, ..RingLimits::VIDEO });
        let mut came = BTreeMap::new();
        let mut newest = 1_000u64;
        for (step, kind) in steps {
            let index = newest.saturating_add_signed(step);
            newest = newest.max(index);
            let pushed = match kind {
                0 => ring.push_padding(index),
                1 => ring.push(key_frame(start, index)),
                _ => ring.push(packet(start, index)),
            };
            if pushed == Pushed::New {
                prop_assert_eq!(came.insert(index, kind), None);
            }
            prop_assert!(ring.head() - ring.oldest() <= limit as u64);
            let window = came.range(ring.oldest()..).filter(|(_, kind)| **kind > 0);
            prop_assert_eq!(indices(&ring), window.clone().map(|(index, _)| *index).collect::<Vec<_>>());
            prop_assert_eq!(marks(&ring), window.clone().filter(|(_, kind)| **kind == 1).map(|(index, _)| *index).collect::<Vec<_>>());
            prop_assert_eq!(ring.bytes(), window.count() * 100);
        }
    }
}
