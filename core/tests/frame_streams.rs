//! Streams of frames: cut anywhere, spoilt anywhere, written piece by piece.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::frame::reply::SendReply;
use rocketry_core::frame::request::*;
use rocketry_core::frame::{
    Content, Foreign, Frame, FrameError, Inbound, Kind, Limits, Opaque, OutFrame, Outbound,
    ReplyFields, Request, ResponseCode,
};
use rocketry_core::message::{Message, MessageLimits, Publish, UniqueIds};
use rocketry_core::name::{Group, Topic};
use rocketry_core::rng::Rng;
use rocketry_core::time::UnixMillis;

/// Moves as much of `bytes` as there is space for, at most `most`, and tells how much that was.
fn feed(inbound: &mut Inbound, bytes: &[u8], most: usize) -> usize {
    let space = inbound.space();
    let taken = bytes.len().min(space.len()).min(most);
    space[..taken].copy_from_slice(&bytes[..taken]);
    inbound.filled(taken);
    taken
}

/// All frames of a stream that arrives `step` bytes at a time.
fn frames_of(bytes: &[u8], step: usize) -> Result<Vec<Frame>, FrameError> {
    let mut inbound = Inbound::new(Limits::default());
    let (mut frames, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        rest = &rest[feed(&mut inbound, rest, step)..];
        while let Some(frame) = inbound.next_frame()? {
            frames.push(frame);
        }
    }
    let taken: usize = frames.iter().map(|frame| frame.size).sum();
    assert_eq!(inbound.buffered(), bytes.len() - taken);
    Ok(frames)
}

fn encode(frames: &[OutFrame]) -> Vec<u8> {
    let mut outbound = Outbound::new();
    frames.iter().for_each(|frame| outbound.push(frame).unwrap());
    let mut bytes = Vec::new();
    while !outbound.is_empty() {
        write(&mut outbound, &mut bytes, usize::MAX, 64);
    }
    bytes
}

/// Writes at most `most` bytes of at most `slots` slices, as a socket would.
fn write(outbound: &mut Outbound, to: &mut Vec<u8>, most: usize, slots: usize) -> usize {
    let mut slices = vec![IoSlice::new(&[]); slots];
    let used = outbound.slices(&mut slices);
    let before = to.len();
    for slice in &slices[..used] {
        assert!(!slice.is_empty());
        to.extend_from_slice(&slice[..slice.len().min(before + most.min(1 << 30) - to.len())]);
    }
    let written = to.len() - before;
    outbound.advance(written);
    written
}

fn send_reply(sequence: u32) -> OutFrame {
    let fields = ReplyFields::Send(SendReply {
        msg_id: Arc::from("7F00000100002A9F0000000000003039"),
        queue_id: 3,
        queue_offset: i64::from(sequence),
        transaction_id: None,
        ..Default::default()
    });
    OutFrame::reply(Opaque::new(Kind::Send, sequence), ResponseCode::SUCCESS, fields, Bytes::new())
}

fn with_body(sequence: u32, length: usize) -> OutFrame {
    let body: Vec<u8> = (0..length).map(|at| (at as u32 + sequence) as u8).collect();
    let request = Request::Heartbeat(HeartbeatRequest::default());
    OutFrame::request_with_body(Opaque::new(Kind::Heartbeat, sequence), request, body.into())
}

fn publish(sequence: u32, length: usize) -> OutFrame {
    let id = UniqueIds::new([127, 0, 0, 1], 1, 1).next(UnixMillis(1_763_800_000_000));
    let message = Message::new(Topic::new("T").unwrap(), vec![sequence as u8; length]);
    let group = Group::new("g").unwrap();
    let limits = MessageLimits::default();
    let publish = Publish::new(message, &group, id, UnixMillis(1), &limits).unwrap();
    let opaque = Opaque::new(Kind::Send, sequence);
    OutFrame::publish(opaque, Arc::new(publish), 1, Arc::from("b-0"))
}

fn opaques(frames: &[Frame]) -> Vec<u32> {
    frames.iter().map(|frame| frame.opaque.sequence()).collect()
}

fn framed(words: [u32; 2], rest: &[u8]) -> Vec<u8> {
    let words = words.map(u32::to_be_bytes).concat();
    [&words, rest].concat()
}

#[test]
fn wire_04_wire_05_three_frames_split_at_every_point_and_byte_by_byte_are_the_same_frames() {
    let bytes = encode(&[send_reply(0), with_body(1, 300), send_reply(2)]);
    let whole = frames_of(&bytes, usize::MAX).unwrap();
    assert_eq!(opaques(&whole), [0, 1, 2]);
    assert_eq!(whole[1].body.len(), 300);
    assert_eq!(frames_of(&bytes, 1).unwrap(), whole);
    for cut in 0..=bytes.len() {
        let mut inbound = Inbound::new(Limits::default());
        let mut frames = Vec::new();
        for part in [&bytes[..cut], &bytes[cut..]] {
            feed(&mut inbound, part, usize::MAX);
            while let Some(frame) = inbound.next_frame().unwrap() {
                frames.push(frame);
            }
        }
        assert_eq!(frames, whole, "cut at {cut}");
        assert_eq!(inbound.buffered(), 0);
    }
}

#[test]
fn wire_06_thousands_of_frames_in_full_reads_come_out_in_order_and_soon_without_a_new_buffer() {
    let replies: Vec<OutFrame> = (0..4000).map(send_reply).collect();
    let bytes = encode(&replies);
    let mut inbound = Inbound::new(Limits::default());
    let mut homes = Vec::new();
    for _ in 0..10 {
        let (mut sequence, mut rest) = (0, &bytes[..]);
        while !rest.is_empty() {
            rest = &rest[feed(&mut inbound, rest, usize::MAX)..];
            while let Some(frame) = inbound.next_frame().unwrap() {
                assert_eq!(frame.opaque.sequence(), sequence);
                assert!(frame.body.is_empty());
                sequence += 1;
            }
        }
        assert_eq!((sequence, inbound.buffered()), (4000, 0));
        homes.push(inbound.space().as_ptr());
    }
    // It grows while reads fill it, up to 512 KiB.
    assert!(homes[5..].iter().all(|home| *home == homes[5]), "{homes:?}");
    assert_eq!(inbound.space().len(), 512 << 10);
}

#[test]
fn a_buffer_that_grew_with_full_reads_shrinks_when_little_comes() {
    let bytes = encode(&(0..4000).map(send_reply).collect::<Vec<_>>());
    let mut inbound = Inbound::new(Limits::default());
    let mut read = |bytes: &[u8]| {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = &rest[feed(&mut inbound, rest, usize::MAX)..];
            while inbound.next_frame().unwrap().is_some() {}
        }
        inbound.space().len()
    };
    assert_eq!((0..10).map(|_| read(&bytes)).last(), Some(512 << 10));
    let small = encode(&[send_reply(1)]);
    assert_eq!((0..65).map(|_| read(&small)).last(), Some(64 << 10));
}

#[test]
fn a_body_that_fills_its_buffer_is_a_slice_of_it_a_smaller_one_a_copy_and_both_outlive_it() {
    for (length, shared) in [(5000, false), (40_000, true)] {
        let bytes = encode(&[with_body(1, length), send_reply(2)]);
        let mut inbound = Inbound::new(Limits::default());
        let start = inbound.space().as_ptr() as usize;
        feed(&mut inbound, &bytes, usize::MAX);
        let first = inbound.next_frame().unwrap().unwrap();
        let slice = first.body.as_ptr() as usize == start + first.size - length;
        assert_eq!(slice, shared);
        assert!((length..2 * length).contains(&first.held), "{length}: {} held", first.held);
        // What came behind it moves on with the next buffer, or stays in this one.
        assert_eq!(inbound.next_frame().unwrap().unwrap().opaque.sequence(), 2);
        let kept = first.body.clone();
        for _ in 0..100 {
            feed(&mut inbound, &bytes, usize::MAX);
            while inbound.next_frame().unwrap().is_some() {}
        }
        drop(inbound);
        assert_eq!(kept, first.body);
        assert!(kept.iter().enumerate().all(|(at, &byte)| byte == (at + 1) as u8));
    }
}

#[test]
fn a_buffer_is_used_again_when_none_of_its_bodies_is_alive() {
    let bytes = encode(&[with_body(1, 30_000)]);
    let mut inbound = Inbound::new(Limits::default());
    let mut homes = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            homes.insert(inbound.space().as_ptr() as usize >> 17);
            rest = &rest[feed(&mut inbound, rest, usize::MAX)..];
        }
        assert_eq!(inbound.next_frame().unwrap().unwrap().body.len(), 30_000);
    }
    assert!(homes.len() <= 2, "{homes:?}");
}

#[test]
fn what_is_left_in_a_full_buffer_moves_to_its_front_and_a_larger_frame_to_a_larger_one() {
    for length in [0, 40_000, 300_000] {
        let mut inbound = Inbound::new(Limits::default());
        let home = inbound.space().as_ptr() as usize;
        let room = inbound.space().len();
        // Whole frames without a body up to near the end, and the beginning of one more.
        let small = encode(&[send_reply(0)]);
        let count = (room - 1_000) / small.len();
        let last = encode(&[with_body(7, length)]);
        let (begun, rest) = last.split_at(last.len().min(500));
        feed(&mut inbound, &[&small.repeat(count), begun].concat(), usize::MAX);
        for _ in 0..count {
            assert!(inbound.next_frame().unwrap().is_some());
        }
        if rest.is_empty() {
            assert_eq!(inbound.next_frame().unwrap().unwrap().opaque.sequence(), 7);
            continue;
        }
        assert_eq!(inbound.next_frame(), Ok(None));
        let space = inbound.space();
        assert!(space.len() >= 16 << 10, "{length}: {}", space.len());
        let moved = space.as_ptr() as usize == home + begun.len();
        assert_eq!(moved, length < room, "{length}");
        let mut rest = rest;
        while !rest.is_empty() {
            rest = &rest[feed(&mut inbound, rest, usize::MAX)..];
        }
        assert_eq!(inbound.next_frame().unwrap().unwrap().body.len(), length);
    }
}

#[test]
fn space_is_never_small_and_grows_only_with_what_has_arrived() {
    let bytes = encode(&[with_body(1, 3 << 20), send_reply(2)]);
    for step in [1000, 16 << 10, usize::MAX] {
        let mut inbound = Inbound::new(Limits::default());
        let (mut rest, mut frames) = (&bytes[..], 0);
        while !rest.is_empty() {
            let (arrived, space) = (inbound.buffered(), inbound.space().len());
            assert!(space >= 16 << 10, "{space}");
            assert!(arrived + space <= 2 * arrived + (64 << 10) + (16 << 10));
            rest = &rest[feed(&mut inbound, rest, step)..];
            while inbound.next_frame().unwrap().is_some() {
                frames += 1;
            }
        }
        assert_eq!(frames, 2);
        // The buffer that grew is not kept.
        assert!(inbound.space().len() <= 64 << 10);
    }
}

#[test]
fn bad_03_a_length_alone_allocates_little() {
    let mut inbound = Inbound::new(Limits { frame: i32::MAX as usize, ..Limits::default() });
    let header = framed([i32::MAX as u32, 10], b"");
    feed(&mut inbound, &header, usize::MAX);
    assert_eq!(inbound.next_frame(), Ok(None));
    assert!(inbound.space().len() <= 64 << 10);
    assert_eq!(inbound.buffered(), 8);
}

#[test]
fn bad_01_bad_02_bad_06_bad_07_broken_length_words_are_named_at_once_and_for_ever() {
    let header_limit = 2 << 20;
    let cases = [
        (framed([0, 0], b""), FrameError::TooSmall { length: 0 }),
        (framed([3, 0], b""), FrameError::TooSmall { length: 3 }),
        (framed([-1_i32 as u32, 0], b""), FrameError::TooSmall { length: -1 }),
        (framed([i32::MIN as u32, 0], b""), FrameError::TooSmall { length: i32::MIN }),
        (
            framed([i32::MAX as u32, 0], b""),
            FrameError::TooLarge { length: i32::MAX as usize, limit: 32 << 20 },
        ),
        (
            framed([(32 << 20) + 1, 0], b""),
            FrameError::TooLarge { length: (32 << 20) + 1, limit: 32 << 20 },
        ),
        (
            framed([32 << 20, header_limit + 1], b""),
            FrameError::HeaderTooLarge {
                length: header_limit as usize + 1,
                limit: header_limit as usize,
            },
        ),
        (framed([14, 11], b""), FrameError::HeaderPastFrame { header: 11, room: 10 }),
    ];
    for (bytes, expected) in cases {
        let mut inbound = Inbound::new(Limits::default());
        for _ in 0..3 {
            feed(&mut inbound, &bytes, usize::MAX);
            assert_eq!(inbound.next_frame(), Err(expected.clone()));
            assert_eq!(inbound.buffered(), 0);
            assert!(!inbound.space().is_empty());
        }
        assert_eq!(frames_of(&bytes, 1).unwrap_err(), expected);
    }
    for found in 2..=255 {
        let error = frames_of(&framed([20, u32::from(found) << 24 | 4], b""), 1).unwrap_err();
        assert_eq!(error, FrameError::SerializeType { found });
    }
    assert_eq!(frames_of(&framed([4, 0], b"")[..7], 1), Ok(vec![]));
    assert!(matches!(frames_of(&framed([5, 0], b"x"), 9), Err(FrameError::Header(_))));
}

#[test]
fn bad_04_peers_that_speak_another_protocol_are_named() {
    let cases: [(&[u8], Foreign); 14] = [
        (b"HTTP/1.1 400 Bad Request\r\n", Foreign::Http1),
        (b"GET / HTTP/1.1\r\n", Foreign::Http1),
        (b"POST /x HTTP/1.1\r\n", Foreign::Http1),
        (b"PUT /x", Foreign::Http1),
        (b"HEAD /", Foreign::Http1),
        (b"DELETE /", Foreign::Http1),
        (b"OPTIONS *", Foreign::Http1),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Foreign::Http2),
        (b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80", Foreign::Http2),
        (b"\0\0\0\x04\0\0\0\0\0", Foreign::Http2),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", Foreign::Tls),
        (b"\x15\x03\x03\0\x02\x02\x46", Foreign::Tls),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Foreign::Ssh),
        (b"CONNECT h:1 HTTP/1.1\r\n", Foreign::Http1),
    ];
    for (bytes, foreign) in cases {
        for step in [1, usize::MAX] {
            assert_eq!(frames_of(bytes, step), Err(FrameError::Foreign(foreign)), "{bytes:?}");
        }
    }
    let text = FrameError::Foreign(Foreign::Http1).to_string();
    assert_eq!(text, "the peer speaks HTTP, not RocketMQ's remoting protocol");
}

/// Valid frames of all kinds and both header forms.
fn samples() -> Vec<Vec<u8>> {
    let golden = include_str!("../../conformance/golden/frames.jsonl");
    let hex = |line: &str| -> Vec<u8> {
        let text = line.split("\"frame\":\"").nth(1).unwrap().trim_end_matches("\"}");
        let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    };
    let ours = [send_reply(1), with_body(2, 100), publish(3, 100)];
    golden.lines().map(hex).chain(ours.iter().map(|f| encode(std::slice::from_ref(f)))).collect()
}

#[test]
fn bad_05_mutated_frames_are_read_or_refused_but_never_panic() {
    let samples = samples();
    let mut rng = Rng::new(0x0F0A_11CE);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = samples[rng.below(samples.len() as u64) as usize].clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            if bytes.is_empty() {
                break;
            }
            match rng.below(5) {
                0 => bytes[at] ^= 1 << rng.below(8),
                1 => bytes[at] = b"\"\\{}[],:0-\0\xff\x01"[rng.below(13) as usize],
                2 => bytes.insert(at, rng.next_u64() as u8),
                3 => drop(bytes.splice(at..=at, [])),
                _ => bytes.truncate(at),
            }
        }
        // Lengths that fit again let the damage through to the header.
        if rng.below(2) == 0 && bytes.len() >= 8 {
            let length = bytes.len() as u32 - 4;
            bytes[..4].copy_from_slice(&length.to_be_bytes());
        }
        let mut inbound = Inbound::new(Limits::default());
        feed(&mut inbound, &bytes, usize::MAX);
        let whole = inbound.next(|head| {
            let _ = head.fields.to_pairs();
            Content::read(head)
        });
        match whole {
            Ok(Some(whole)) => {
                assert_eq!(whole.size + inbound.buffered(), bytes.len());
                read += 1;
            }
            Ok(None) => {}
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    assert!(read > 1000 && refused > 1000, "{read} {refused}");
}

#[test]
fn slices_with_partial_advances_give_the_bytes_of_one_write_and_unsent_is_exact() {
    let frames = [
        send_reply(0),
        with_body(1, 4096),
        publish(2, 1024),
        publish(3, 5000),
        with_body(4, 10_000),
        send_reply(5),
    ];
    let sizes: Vec<usize> = frames.iter().map(|f| encode(std::slice::from_ref(f)).len()).collect();
    let whole = encode(&frames);
    assert_eq!(whole.len(), sizes.iter().sum::<usize>());
    assert_eq!(opaques(&frames_of(&whole, usize::MAX).unwrap()), [0, 1, 2, 3, 4, 5]);
    let unsent_after = |written: usize| -> Vec<u32> {
        let ends = sizes.iter().scan(0, |end, size| {
            *end += size;
            Some(*end)
        });
        ends.zip(0..).filter(|&(end, _)| end > written).map(|(_, sequence)| sequence).collect()
    };
    for cut in 0..=whole.len() {
        let mut outbound = Outbound::new();
        frames.iter().for_each(|frame| outbound.push(frame).unwrap());
        outbound.advance(cut);
        let unsent: Vec<u32> = outbound.unsent().map(Opaque::sequence).collect();
        assert_eq!(unsent, unsent_after(cut), "after {cut}");
        assert_eq!((outbound.len(), outbound.is_empty()), (whole.len() - cut, cut == whole.len()));
        let mut rest = Vec::new();
        while write(&mut outbound, &mut rest, usize::MAX, 64) > 0 {}
        assert!(rest == whole[cut..], "cut at {cut}");
    }
    let mut rng = Rng::new(7);
    for _ in 0..300 {
        let mut outbound = Outbound::new();
        let (mut bytes, mut pushed) = (Vec::new(), 0);
        while pushed < frames.len() || !outbound.is_empty() {
            if pushed < frames.len() && rng.below(2) == 0 {
                outbound.push(&frames[pushed]).unwrap();
                pushed += 1;
            }
            let (most, slots) = (1 + rng.below(3000) as usize, 1 + rng.below(4) as usize);
            write(&mut outbound, &mut bytes, most, slots);
            let unsent: Vec<u32> = outbound.unsent().map(Opaque::sequence).collect();
            let expected: Vec<u32> =
                unsent_after(bytes.len()).into_iter().filter(|&s| (s as usize) < pushed).collect();
            assert_eq!(unsent, expected);
        }
        assert!(bytes == whole);
        assert_eq!(outbound.slices(&mut [IoSlice::new(&[])]), 0);
    }
}

#[test]
fn large_bodies_are_written_from_where_they_are() {
    let frame = with_body(1, 4096);
    let rocketry_core::frame::Payload::Request { body, .. } = &frame.payload else { panic!() };
    let mut outbound = Outbound::new();
    outbound.push(&frame).unwrap();
    outbound.push(&send_reply(2)).unwrap();
    let mut slices = [IoSlice::new(&[]); 8];
    assert_eq!(outbound.slices(&mut slices), 3);
    assert_eq!(slices[1].as_ptr(), body.as_ptr());
    assert_eq!(outbound.slices(&mut slices[..2]), 2);
    assert_eq!(outbound.slices(&mut []), 0);
}

#[test]
fn a_writer_that_is_never_done_writes_the_same_bytes() {
    let mut outbound = Outbound::new();
    let (mut bytes, mut expected) = (Vec::new(), Vec::new());
    outbound.push(&send_reply(0)).unwrap();
    expected.extend(encode(&[send_reply(0)]));
    for sequence in 1..3000 {
        let frame =
            if sequence % 5 == 0 { with_body(sequence, 4100) } else { send_reply(sequence) };
        outbound.push(&frame).unwrap();
        expected.extend(encode(std::slice::from_ref(&frame)));
        // Always one byte short of the end.
        let most = outbound.len() - 1;
        write(&mut outbound, &mut bytes, most, 8);
        assert_eq!(outbound.unsent().map(Opaque::sequence).last(), Some(sequence));
    }
    write(&mut outbound, &mut bytes, usize::MAX, 8);
    assert!(outbound.is_empty() && bytes == expected);
    outbound.advance(1);
    assert_eq!(outbound.len(), 0);
}
