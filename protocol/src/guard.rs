//! Checks of raw bytes before anything is allocated for them.
//!
//! A decoder that trusts a declared length can be made to allocate gigabytes by a few bytes, and one that recurses can be
//! made to overflow its stack. So every message is walked once, without recursion or allocation, before it is decoded.

use rmp::Marker;

/// Deepest nesting of a message, the outermost array or map counted as the first level.
pub const MAX_DEPTH: usize = 16;

/// Why bytes are not worth decoding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A declared length, or a number of elements, is more than what is left of the message.
    #[error("a declared length goes beyond the end of the message")]
    Truncated,
    /// Bytes after the end of the message.
    #[error("bytes follow the end of the message: send one value per message")]
    Trailing,
    /// Text that is not UTF-8.
    #[error("text is not valid UTF-8")]
    NotUtf8,
    /// The byte 0xc1, which MessagePack never uses.
    #[error("0xc1 is no MessagePack")]
    Reserved,
    /// A MessagePack map with a key that is not text; JSON cannot have one either.
    #[error("a map has a key that is not text")]
    KeyNotText,
}

/// What a walk over a MessagePack message found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// It holds `bin` or `ext` somewhere, which no field of the protocol takes.
    pub binary: bool,
}

/// One MessagePack value, or the header of one that contains others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    /// `nil`.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// Any integer from 0 on.
    Unsigned(u64),
    /// Any integer below 0 (or a small one in a signed encoding).
    Signed(i64),
    /// A floating-point number.
    Float(f64),
    /// Text, not yet checked to be UTF-8.
    Text(&'a [u8]),
    /// `bin` or `ext`.
    Binary,
    /// So many elements follow.
    Array(u32),
    /// So many keys, each with a value, follow.
    Map(u32),
}

/// Reads MessagePack values one after another; containers are not followed.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next value; fails where the message ends inside of it.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, GuardError> {
        Ok(match Marker::from_u8(self.byte()?) {
            Marker::Null => Token::Nil,
            Marker::False => Token::Bool(false),
            Marker::True => Token::Bool(true),
            Marker::FixPos(n) => Token::Unsigned(n.into()),
            Marker::U8 => Token::Unsigned(self.byte()?.into()),
            Marker::U16 => Token::Unsigned(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Token::Unsigned(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            Marker::FixNeg(n) => Token::Signed(n.into()),
            Marker::I8 => Token::Signed(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Token::Signed(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Token::Signed(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Token::Signed(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Token::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Token::Float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(n) => Token::Text(self.take(n.into())?),
            Marker::Str8 => self.byte().and_then(|n| self.text(n.into()))?,
            Marker::Str16 => self.short().and_then(|n| self.text(n.into()))?,
            Marker::Str32 => self.long().and_then(|n| self.text(n))?,
            Marker::Bin8 => self.byte().and_then(|n| self.binary(n.into(), 0))?,
            Marker::Bin16 => self.short().and_then(|n| self.binary(n.into(), 0))?,
            Marker::Bin32 => self.long().and_then(|n| self.binary(n, 0))?,
            Marker::FixExt1 => self.binary(1, 1)?,
            Marker::FixExt2 => self.binary(2, 1)?,
            Marker::FixExt4 => self.binary(4, 1)?,
            Marker::FixExt8 => self.binary(8, 1)?,
            Marker::FixExt16 => self.binary(16, 1)?,
            Marker::Ext8 => self.byte().and_then(|n| self.binary(n.into(), 1))?,
            Marker::Ext16 => self.short().and_then(|n| self.binary(n.into(), 1))?,
            Marker::Ext32 => self.long().and_then(|n| self.binary(n, 1))?,
            Marker::FixArray(n) => Token::Array(n.into()),
            Marker::Array16 => Token::Array(self.short()?.into()),
            Marker::Array32 => Token::Array(self.long()?),
            Marker::FixMap(n) => Token::Map(n.into()),
            Marker::Map16 => Token::Map(self.short()?.into()),
            Marker::Map32 => Token::Map(self.long()?),
            Marker::Reserved => return Err(GuardError::Reserved),
        })
    }

    fn text(&mut self, len: u32) -> Result<Token<'a>, GuardError> {
        self.take(len).map(Token::Text)
    }

    fn binary(&mut self, len: u32, type_bytes: u32) -> Result<Token<'a>, GuardError> {
        self.take(type_bytes)?;
        self.take(len)?;
        Ok(Token::Binary)
    }

    fn take(&mut self, len: u32) -> Result<&'a [u8], GuardError> {
        let len = usize::try_from(len).map_err(|_| GuardError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(GuardError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], GuardError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(GuardError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, GuardError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn short(&mut self) -> Result<u16, GuardError> {
        self.array().map(u16::from_be_bytes)
    }

    fn long(&mut self) -> Result<u32, GuardError> {
        self.array().map(u32::from_be_bytes)
    }
}

/// Walks a MessagePack message: every declared length fits, keys are text, text is UTF-8, nesting is bounded, and nothing follows.
pub(crate) fn check_msgpack(bytes: &[u8]) -> Result<Findings, GuardError> {
    let mut tokens = Tokens::new(bytes);
    let findings = check_value(&mut tokens)?;
    if tokens.rest().is_empty() { Ok(findings) } else { Err(GuardError::Trailing) }
}

/// A container that is being walked.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Values still to come; in a map keys count as well.
    left: u64,
    map: bool,
}

/// Walks one MessagePack value with all that it contains.
pub(crate) fn check_value(tokens: &mut Tokens<'_>) -> Result<Findings, GuardError> {
    let mut findings = Findings::default();
    let mut levels = [Level::default(); MAX_DEPTH];
    let mut depth = 0;
    // Values still to come in all levels: each takes one byte at least, so more than what is left is a lie.
    let mut pending: u64 = 1;
    loop {
        let token = tokens.next()?;
        pending -= 1;
        if depth > 0 {
            let level = &mut levels[depth - 1];
            if level.map && level.left % 2 == 0 && !matches!(token, Token::Text(_)) {
                return Err(GuardError::KeyNotText);
            }
            level.left -= 1;
        }
        let opened = match token {
            Token::Array(n) => Some(Level { left: n.into(), map: false }),
            Token::Map(n) => Some(Level { left: u64::from(n) * 2, map: true }),
            Token::Text(text) => {
                std::str::from_utf8(text).map_err(|_| GuardError::NotUtf8)?;
                None
            }
            Token::Binary => {
                findings.binary = true;
                None
            }
            _ => None,
        };
        if let Some(level) = opened {
            pending += level.left;
            if pending > tokens.rest().len() as u64 {
                return Err(GuardError::Truncated);
            }
            *levels.get_mut(depth).ok_or(GuardError::TooDeep)? = level;
            depth += 1;
        }
        while depth > 0 && levels[depth - 1].left == 0 {
            depth -= 1;
        }
        if depth == 0 {
            return Ok(findings);
        }
    }
}

/// Looks over a JSON message: it is UTF-8 and its nesting is bounded. Whether it is JSON is left to the parser, which
/// allocates nothing for what has not arrived.
pub(crate) fn check_json(bytes: &[u8]) -> Result<&str, GuardError> {
    let text = std::str::from_utf8(bytes).map_err(|_| GuardError::NotUtf8)?;
    let mut depth = 0_usize;
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(GuardError::TooDeep);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = rest.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => {
                            rest.next();
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_levels_pass_and_seventeen_do_not() {
        let nested = |levels: usize| [vec![0x91; levels], vec![0xc0]].concat();
        assert_eq!(check_msgpack(&nested(16)), Ok(Findings::default()));
        assert_eq!(check_msgpack(&nested(17)), Err(GuardError::TooDeep));
        assert_eq!(check_msgpack(&nested(10_000)), Err(GuardError::TooDeep));

        let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(check_json(&nested(16)).is_ok());
        assert_eq!(check_json(&nested(17)), Err(GuardError::TooDeep));
    }

    #[test]
    fn closed_levels_do_not_add_up() {
        let mut wide = vec![0xdc, 0x03, 0xe8];
        wide.extend(std::iter::repeat_n([0x91, 0x90], 1000).flatten());
        assert_eq!(check_msgpack(&wide), Ok(Findings::default()));
        assert!(check_json("[[],[],{}]".repeat(3).as_bytes()).is_ok());
    }

    #[test]
    fn lying_lengths_are_found_before_their_end_is_looked_for() {
        for lie in [
            &[0xdd, 0xff, 0xff, 0xff, 0xff][..],
            &[0xdf, 0xff, 0xff, 0xff, 0xff],
            &[0xdb, 0xff, 0xff, 0xff, 0xff, b'a'],
            &[0xc6, 0xff, 0xff, 0xff, 0xff],
            &[0xc9, 0xff, 0xff, 0xff, 0xff, 1],
            &[0x92, 0x91],
            &[0x81, 0xa1, b'a'],
            &[0xcf, 1, 2],
            &[],
        ] {
            assert_eq!(check_msgpack(lie), Err(GuardError::Truncated), "{lie:02x?}");
        }
    }

    #[test]
    fn what_is_no_message_is_named() {
        assert_eq!(check_msgpack(&[0xc0, 0xc0]), Err(GuardError::Trailing));
        assert_eq!(check_msgpack(&[0xc1]), Err(GuardError::Reserved));
        assert_eq!(check_msgpack(&[0xa1, 0xff]), Err(GuardError::NotUtf8));
        assert_eq!(check_msgpack(&[0x81, 0x01, 0x02]), Err(GuardError::KeyNotText));
        assert_eq!(check_json(&[b'"', 0xff, b'"']), Err(GuardError::NotUtf8));
    }

    #[test]
    fn binary_is_seen() {
        for bytes in [&[0xc4, 0x00][..], &[0x91, 0xc4, 0x01, 0xff], &[0xd4, 0x01, 0x02], &[0xc7, 0x00, 0x01]]
        {
            assert_eq!(check_msgpack(bytes), Ok(Findings { binary: true }), "{bytes:02x?}");
        }
    }

    #[test]
    fn brackets_inside_of_text_do_not_count() {
        let text = format!(r#"["{}\"{}\\"]"#, "[".repeat(100), "{".repeat(100));
        assert!(check_json(text.as_bytes()).is_ok());
    }
}
