//! event/class: what a thread waits for.

use profiler_common::class::BlockClass;

use super::error::DecodeError;

pub(super) fn class(record: &'static str, id: u32, raw: u32) -> Result<BlockClass, DecodeError> {
    u8::try_from(raw).ok().and_then(BlockClass::from_wire).ok_or(DecodeError { record, id, field: "class", value: raw })
}
