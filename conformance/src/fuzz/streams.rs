//! Streams of frames: bytes in, cut at any place, and bytes out, written in any pieces.

use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::frame::{
    Frame, FrameError, HeaderForm, Inbound, Kind, Limits, Opaque, OutFrame, Outbound, ReplyFields,
    Request, RequestCode, ResponseCode,
};

use super::supply::Supply;

/// Most bytes of a frame here: a fuzzer should not spend its time on large ones.
const FRAME_MAX: usize = 1 << 20;

/// A stream of frames reads the same whole and in pieces. The first eight bytes decide on the
/// pieces, the rest is the stream.
pub fn inbound_stream(data: &[u8]) {
    let mut supply = Supply::new(data);
    let mut splits = rocketry_core::rng::Rng::new(supply.long() as u64);
    let stream = supply.rest();
    let whole = frames(stream, |rest| rest);
    let most = 1 + splits.below(64);
    let pieces = frames(stream, |_| 1 + splits.below(most) as usize);
    assert_eq!(whole.0, pieces.0);
    match (&whole.1, &pieces.1) {
        // What a short beginning already proves wrong may be named better by a longer one.
        (Some(FrameError::Foreign(_)), Some(_)) | (Some(_), Some(FrameError::Foreign(_))) => {}
        (whole, pieces) => assert_eq!(whole, pieces),
    }
    let taken: usize = whole.0.iter().map(|frame| frame.size).sum();
    assert!(taken <= stream.len());
}

/// All frames of a stream that comes in pieces, and what ended it before its time.
fn frames(
    mut stream: &[u8],
    mut piece: impl FnMut(usize) -> usize,
) -> (Vec<Frame>, Option<FrameError>) {
    let limits = Limits { frame: FRAME_MAX, ..Limits::default() };
    let mut inbound = Inbound::new(limits);
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let count = piece(stream.len()).clamp(1, stream.len());
        let space = inbound.space();
        assert!(space.len() >= 16 << 10);
        let count = count.min(space.len());
        space[..count].copy_from_slice(&stream[..count]);
        inbound.filled(count);
        stream = &stream[count..];
        loop {
            match inbound.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(inbound.next_frame(), Err(error.clone()), "errors stay");
                    assert_eq!(inbound.buffered(), 0);
                    return (frames, Some(error));
                }
            }
        }
    }
    (frames, None)
}

/// Puts all of `bytes` in, as reads would.
pub(super) fn fill(inbound: &mut Inbound, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let space = inbound.space();
        let count = space.len().min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        inbound.filled(count);
        bytes = &bytes[count..];
    }
}

/// All that is to be written.
pub(super) fn written(outbound: &Outbound) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 64];
    let count = outbound.slices(&mut slices);
    join(&slices[..count])
}

fn join(slices: &[IoSlice<'_>]) -> Vec<u8> {
    slices.iter().map(|slice| &**slice).collect::<Vec<_>>().concat()
}

/// The fields of a reply by their names on the wire.
pub(super) fn pairs<const N: usize>(fields: [(&str, String); N]) -> ReplyFields {
    let pair = |(name, value): (&str, String)| (name.into(), value.into());
    ReplyFields::Pairs(fields.into_iter().map(pair).collect())
}

/// Frames written in pieces give the bytes of each frame alone, one after the other, and those not
/// yet written whole are named.
pub fn outbound_partial(data: &[u8]) {
    let mut supply = Supply::new(data);
    let form = if supply.byte() & 1 == 0 { HeaderForm::Json } else { HeaderForm::Binary };
    let mut outbound = Outbound::new().in_form(form);
    let (mut expected, mut given) = (Vec::new(), Vec::new());
    let mut ends = Vec::new();
    let mut sequence = 0;
    while !supply.is_empty() && sequence < 512 {
        if supply.byte() & 1 == 0 {
            sequence += 1;
            let frame = any_frame(Opaque::new(Kind::Send, sequence), &mut supply);
            let pushed = outbound.push(&frame);
            let mut alone = Outbound::new().in_form(form);
            assert_eq!(alone.push(&frame), pushed);
            expected.extend(written(&alone));
            assert_eq!(alone.len(), written(&alone).len());
            if pushed.is_ok() {
                ends.push((expected.len(), frame.opaque));
            }
        } else {
            write_some(&mut outbound, &mut supply, &mut given);
        }
        assert_eq!(outbound.len(), expected.len() - given.len());
        let unsent = ends.iter().filter(|(end, _)| *end > given.len()).map(|(_, opaque)| *opaque);
        assert!(outbound.unsent().eq(unsent));
    }
    while !outbound.is_empty() {
        write_some(&mut outbound, &mut Supply::new(&[4, 0xFF, 0xFF]), &mut given);
    }
    assert_eq!(given, expected);
    assert_eq!(outbound.unsent().count(), 0);
}

/// One write of as many slices and bytes as the input says.
fn write_some(outbound: &mut Outbound, supply: &mut Supply<'_>, given: &mut Vec<u8>) {
    let mut slices = [IoSlice::new(&[]); 4];
    let room = 1 + usize::from(supply.byte()) % 4;
    let used = outbound.slices(&mut slices[..room]);
    let all = join(&slices[..used]);
    assert!(slices[..used].iter().all(|slice| !slice.is_empty()));
    let count = usize::from(supply.short()).min(all.len());
    given.extend_from_slice(&all[..count]);
    outbound.advance(count);
}

fn any_frame(opaque: Opaque, supply: &mut Supply<'_>) -> OutFrame {
    // Long bodies are chained: they begin at 4 KiB.
    let body = |supply: &mut Supply<'_>| match supply.byte() % 4 {
        0 => Bytes::new(),
        1 => Bytes::copy_from_slice(supply.chunk()),
        2 => Bytes::from(vec![supply.byte(); 4095 + usize::from(supply.byte()) % 3]),
        _ => Bytes::from(vec![supply.byte(); usize::from(supply.short())]),
    };
    match supply.byte() % 4 {
        0 => {
            let fields = pairs([("offset", supply.long().to_string())]);
            OutFrame::reply(opaque, ResponseCode(supply.int()), fields, body(supply))
        }
        1 => OutFrame::refusal(opaque, ResponseCode(supply.int()), Arc::from(supply.text())),
        _ => {
            let fields = vec![(Box::from(&*supply.text()), Box::from(&*supply.text()))];
            let request = Request::Unknown { code: RequestCode(supply.int()), fields };
            OutFrame::request_with_body(opaque, request, body(supply))
        }
    }
}
