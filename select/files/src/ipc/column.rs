//! One column of a record batch: its buffers as an Arrow array, checked by Arrow.

use std::ops::Range;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, UInt64Array, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Int64Type};

use super::buffers::Message;
use super::schema::{Leaf, Shape};
use super::{ArrowLayout, Dictionary};
use crate::columnar::input::Input;
use crate::problem::column::ColumnProblem;

/// Bytes of what tells where a text or bytes are, in an array of views.
const VIEW_BYTES: usize = 16;

/// Reads a whole column of a record batch.
pub(super) fn read(
    layout: &ArrowLayout,
    column: usize,
    batch: &Message,
    input: &Input,
) -> Result<ArrayRef, ColumnProblem> {
    let column = layout.columns.get(column).ok_or(ColumnProblem::Unknown)?;
    let leaf: &Leaf = column.leaf.as_ref().ok_or(ColumnProblem::UnreadType)?;
    let (own, parents) = leaf.path.split_last().ok_or(ColumnProblem::Unknown)?;
    let shapes = &layout.shapes;
    let mut nulls = None;
    for parent in parents {
        let buffers = batch.buffers_of(shapes, *parent).ok_or(ColumnProblem::NoStructBuffer)?;
        let of_parent = validity(batch, *parent, buffers.first(), input)?;
        nulls = NullBuffer::union(nulls.as_ref(), of_parent.as_ref());
    }
    let array = match &leaf.dictionary {
        None => array(&leaf.stored, batch, shapes, *own, nulls, input)?,
        Some((id, values_type)) => {
            let dictionary = layout.dictionaries.iter().find(|dictionary| dictionary.id == *id);
            let dictionary = dictionary.ok_or(ColumnProblem::NoDictionary)?;
            let values = values(dictionary, values_type, input)?;
            let codes = array(&leaf.stored, batch, shapes, *own, nulls, input)?;
            decoded(&codes, &values)?
        }
    };
    Ok(array)
}

/// The values of codes; a code that there is no value for is damage.
fn decoded(codes: &ArrayRef, values: &ArrayRef) -> Result<ArrayRef, ColumnProblem> {
    let nulls = codes.null_count();
    let codes = cast(codes, &DataType::Int64).map_err(ColumnProblem::decoder)?;
    let codes = codes.as_primitive::<Int64Type>();
    let place = |code: i64| u64::try_from(code).ok().filter(|place| *place < values.len() as u64);
    // what stands in place of NULL is not a code
    let places: UInt64Array = codes.iter().map(|code| code.and_then(place)).collect();
    if places.null_count() != nulls {
        return Err(ColumnProblem::UnknownCode);
    }
    take(values, &places, None).map_err(ColumnProblem::decoder)
}

fn values(
    dictionary: &Dictionary,
    data_type: &DataType,
    input: &Input,
) -> Result<ArrayRef, ColumnProblem> {
    // what cannot be read today may be read tomorrow, so a complaint is not kept
    if let Some(values) = dictionary.values.get() {
        return Ok(ArrayRef::clone(values));
    }
    let shape = match data_type {
        DataType::Utf8View | DataType::BinaryView => Shape { buffers: 2, is_variadic: true },
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
            Shape { buffers: 3, is_variadic: false }
        }
        _ => Shape { buffers: 2, is_variadic: false },
    };
    let parts = dictionary.messages.iter();
    let parts = parts.map(|part| array(data_type, part, &[shape], 0, None, input));
    let mut parts: Vec<ArrayRef> = parts.collect::<Result<_, ColumnProblem>>()?;
    // some parts may have bytes that are not texts
    if parts.iter().any(|part| part.data_type() != parts[0].data_type()) {
        let bytes = parts.iter().map(|part| cast(part, &DataType::Binary));
        parts = bytes.collect::<Result<_, _>>().map_err(ColumnProblem::decoder)?;
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let values = concat(&parts).map_err(ColumnProblem::decoder)?;
    Ok(ArrayRef::clone(dictionary.values.get_or_init(|| values)))
}

/// The array of a field, with the NULLs of what it is in.
fn array(
    data_type: &DataType,
    batch: &Message,
    shapes: &[Shape],
    index: usize,
    nulls: Option<NullBuffer>,
    input: &Input,
) -> Result<ArrayRef, ColumnProblem> {
    let places = batch.buffers_of(shapes, index).ok_or(ColumnProblem::NoBuffers)?;
    let (first, rest) = places.split_first().ok_or(ColumnProblem::NoBuffers)?;
    let own = validity(batch, index, Some(first), input)?;
    let nulls = NullBuffer::union(nulls.as_ref(), own.as_ref());
    let mut buffers = Vec::with_capacity(rest.len());
    for place in rest {
        buffers.push(batch.read(place, input)?);
    }
    // an array without values may have no offsets
    let is_text = matches!(data_type, DataType::Utf8 | DataType::Binary);
    let is_large = matches!(data_type, DataType::LargeUtf8 | DataType::LargeBinary);
    if (is_text || is_large) && buffers.first().is_some_and(Buffer::is_empty) {
        buffers[0] = Buffer::from_slice_ref([0_u64]);
    }
    let is_view = matches!(data_type, DataType::Utf8View | DataType::BinaryView);
    if let (true, Some(nulls), Some(views)) = (is_view, &nulls, buffers.first_mut()) {
        *views = without_views_of(nulls, views);
    }
    let build = |data_type: &DataType| {
        let data = ArrayData::builder(data_type.clone())
            .len(batch.records)
            .nulls(nulls.clone())
            .buffers(buffers.clone())
            // the buffers of the file may lie anywhere
            .align_buffers(true)
            .build();
        data.map(make_array)
    };
    // which bytes are not texts is told row by row: those under a NULL fail nothing
    let array = build(data_type).or_else(|error| {
        let bytes = match data_type {
            DataType::Utf8 => DataType::Binary,
            DataType::LargeUtf8 => DataType::LargeBinary,
            DataType::Utf8View => DataType::BinaryView,
            _ => return Err(error),
        };
        cast(&build(&bytes)?, &DataType::Binary)
    });
    array.map_err(|error| ColumnProblem::DamagedBuffers { complaint: error.to_string().into() })
}

/// The views of texts or bytes, where there is NULL those of an empty one.
fn without_views_of(nulls: &NullBuffer, views: &[u8]) -> Buffer {
    let mut views = views.to_vec();
    for (view, is_valid) in views.chunks_exact_mut(VIEW_BYTES).zip(nulls) {
        if !is_valid {
            view.fill(0);
        }
    }
    views.into()
}

/// Returns which records have a value; `None` means all.
fn validity(
    batch: &Message,
    index: usize,
    place: Option<&Range<u64>>,
    input: &Input,
) -> Result<Option<NullBuffer>, ColumnProblem> {
    let nulls = batch.nulls.get(index).ok_or(ColumnProblem::NoNode)?;
    let Some(place) = place.filter(|_| *nulls > 0) else { return Ok(None) };
    let bits = batch.read(place, input)?;
    if bits.len().saturating_mul(8) < batch.records {
        return Err(ColumnProblem::ShortValidity);
    }
    Ok(Some(NullBuffer::new(BooleanBuffer::new(bits, 0, batch.records))))
}
