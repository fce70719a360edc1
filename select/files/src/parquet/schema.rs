//! The columns of a Parquet file: the leaves of its schema, how they are decoded and what becomes
//! of them.
//!
//! Types are Parquet's own, its logical ones before the older converted ones; the Arrow schema that
//! some writers add is not looked at, so a file has the same columns whoever wrote it.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Int64Type, TimeUnit};
use parquet::arrow::array_reader::{
    ArrayReader, PrimitiveArrayReader, make_byte_array_dictionary_reader, make_byte_array_reader,
    make_fixed_len_byte_array_reader,
};
use parquet::basic::{
    ConvertedType, LogicalType, Repetition, TimeUnit as ParquetTimeUnit, Type as Physical,
};
use parquet::column::page::PageIterator;
use parquet::data_type as values;
use parquet::errors::Result as ParquetResult;
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor, SchemaDescriptor, Type};

use super::{int96, levels};
use crate::columnar::column::Path;
use crate::columnar::value::{convert, decimals, selected_type};
use crate::problem::column::{ColumnProblem, RowProblem};

/// Values that a decoder has room for at first.
const CAPACITY_RECORDS: usize = 1024;

/// A column of the file.
pub(super) type ParquetColumn = crate::columnar::column::FileColumn<Leaf>;

/// A column that is decoded.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// Among all leaves of the schema.
    pub(super) index: usize,
    descriptor: ColumnDescPtr,
    decoded: Decoded,
    /// The Arrow type that is nearest to what the file says.
    pub(super) stored: DataType,
    pub(super) to: DataType,
}

/// The form in which the parquet crate decodes a leaf.
#[derive(Clone, Debug, PartialEq)]
enum Decoded {
    As(DataType),
    /// 32 or 64 bits that hold the digits of a decimal.
    Digits,
    /// 32 bits that hold a shorter whole number.
    Within(Range<i32>),
    /// Bytes that are a text, which that crate does not check.
    Text,
    /// Bytes that are a timestamp.
    Int96,
}

/// The form in which texts are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextForm {
    Texts,
    /// Numbers in the dictionary of the column chunk.
    Dictionary,
}

/// The columns in the order of the file, one for each list or map.
pub(super) fn columns(schema: &SchemaDescriptor) -> Vec<ParquetColumn> {
    let mut walk = Walk { schema, leaf: 0, columns: Vec::new() };
    for field in schema.root_schema().get_fields() {
        walk.node(field, &Path::default());
    }
    walk.columns
}

/// Goes through a schema depth first. How deep it is was bounded before it was decoded.
struct Walk<'a> {
    schema: &'a SchemaDescriptor,
    /// Index of the next leaf.
    leaf: usize,
    columns: Vec<ParquetColumn>,
}

impl Walk<'_> {
    /// Adds the columns of a node.
    fn node(&mut self, node: &Type, parent: &Path) {
        let info = node.get_basic_info();
        let repetition = info.has_repetition().then(|| info.repetition());
        let path = parent.child(info.name(), repetition == Some(Repetition::OPTIONAL));
        let is_many = repetition == Some(Repetition::REPEATED)
            || matches!(
                info.converted_type(),
                ConvertedType::LIST | ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE
            );
        if is_many || matches!(info.logical_type_ref(), Some(LogicalType::Variant(_))) {
            let (word, data_type) = match info.converted_type() {
                ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE => ("map", of_many(true)),
                _ if !is_many => ("variant", DataType::Struct(Fields::empty())),
                _ => ("list", of_many(false)),
            };
            let field = path.field(data_type).with_nullable(true);
            self.columns.push(ParquetColumn { field, storage: word.to_owned(), leaf: None });
            self.leaf += leaves(node);
        } else if node.is_group() {
            for field in node.get_fields() {
                self.node(field, &path);
            }
        } else {
            let index = self.leaf;
            self.leaf += 1;
            if index < self.schema.num_columns() {
                self.columns.push(ParquetColumn::new(&path, self.schema.column(index), index));
            }
        }
    }
}

/// Returns the type that describes a list or a map, whatever its elements are.
fn of_many(is_map: bool) -> DataType {
    let item = Field::new("item", DataType::Null, true);
    match is_map {
        true => DataType::Map(item.into(), false),
        false => DataType::List(item.into()),
    }
}

fn leaves(node: &Type) -> usize {
    match node.is_group() {
        true => node.get_fields().iter().map(|field| leaves(field)).sum(),
        false => 1,
    }
}

impl ParquetColumn {
    fn new(path: &Path, descriptor: ColumnDescPtr, index: usize) -> Self {
        let storage = storage(&descriptor);
        let stored = stored_type(&descriptor);
        let Some(to) = selected_type(&stored) else {
            return Self { field: path.field(stored), storage, leaf: None };
        };
        let decoded = match (&stored, descriptor.physical_type()) {
            (_, Physical::INT96) => Decoded::Int96,
            (DataType::Int8, _) => Decoded::Within(-0x80..0x80),
            (DataType::Int16, _) => Decoded::Within(-0x8000..0x8000),
            (DataType::UInt8, _) => Decoded::Within(0..0x100),
            (DataType::UInt16, _) => Decoded::Within(0..0x1_0000),
            (DataType::Utf8, _) => Decoded::Text,
            (DataType::Decimal128(..), Physical::INT32 | Physical::INT64) => Decoded::Digits,
            _ => Decoded::As(stored.clone()),
        };
        let field = path.field(to.clone());
        Self { field, storage, leaf: Some(Leaf { index, descriptor, decoded, stored, to }) }
    }
}

/// `byte array, string`
fn storage(descriptor: &ColumnDescriptor) -> String {
    let physical = descriptor.physical_type().to_string().to_lowercase().replace('_', " ");
    match (descriptor.logical_type_ref(), descriptor.converted_type()) {
        (None, ConvertedType::NONE) => physical,
        (None, converted) => {
            format!("{physical}, {}", converted.to_string().to_lowercase().replace('_', " "))
        }
        (Some(logical), _) => format!("{physical}, {}", logical_word(logical)),
    }
}

fn logical_word(logical: &LogicalType) -> String {
    match logical {
        LogicalType::Decimal(decimal) => {
            format!("decimal({},{})", decimal.precision, decimal.scale)
        }
        LogicalType::Integer(integer) => {
            format!("{}int{}", if integer.is_signed { "" } else { "u" }, integer.bit_width)
        }
        LogicalType::Timestamp(timestamp) => {
            let unit = match timestamp.unit {
                ParquetTimeUnit::MILLIS => "milliseconds",
                ParquetTimeUnit::MICROS => "microseconds",
                ParquetTimeUnit::NANOS => "nanoseconds",
            };
            let zone = if timestamp.is_adjusted_to_u_t_c { " of UTC" } else { "" };
            format!("timestamp in {unit}{zone}")
        }
        other => {
            let word = format!("{other:?}").to_lowercase();
            word.split(['(', ' ']).next().unwrap_or_default().to_owned()
        }
    }
}

/// The Arrow type that is nearest to what the file says; one without a type in Selects where it is
/// nothing that they know.
fn stored_type(descriptor: &ColumnDescriptor) -> DataType {
    let (physical, converted) = (descriptor.physical_type(), descriptor.converted_type());
    let decimal = |precision: i32, scale: i32| {
        let stored_bytes = match physical {
            Physical::INT32 => 4,
            Physical::INT64 => 8,
            Physical::FIXED_LEN_BYTE_ARRAY => descriptor.type_length(),
            _ => 16,
        };
        match (u8::try_from(precision), i8::try_from(scale)) {
            (Ok(precision @ 1..=38), Ok(scale))
                if (0..=precision.cast_signed()).contains(&scale) && stored_bytes <= 16 =>
            {
                DataType::Decimal128(precision, scale)
            }
            _ => DataType::Decimal256(76, 0),
        }
    };
    let timestamp = |unit: &ParquetTimeUnit| {
        let unit = match unit {
            ParquetTimeUnit::MILLIS => TimeUnit::Millisecond,
            ParquetTimeUnit::MICROS => TimeUnit::Microsecond,
            ParquetTimeUnit::NANOS => TimeUnit::Nanosecond,
        };
        DataType::Timestamp(unit, None)
    };
    let integer = |bits: i8, signed: bool| match (bits, signed) {
        (8, true) => DataType::Int8,
        (16, true) => DataType::Int16,
        (8, false) => DataType::UInt8,
        (16, false) => DataType::UInt16,
        (32, false) => DataType::UInt32,
        (64, false) => DataType::UInt64,
        (32, true) => DataType::Int32,
        _ => DataType::Int64,
    };
    match (physical, descriptor.logical_type_ref()) {
        (_, Some(LogicalType::Decimal(type_))) => decimal(type_.precision, type_.scale),
        (Physical::INT32 | Physical::INT64, Some(LogicalType::Integer(type_))) => {
            integer(type_.bit_width, type_.is_signed)
        }
        (Physical::INT64, Some(LogicalType::Timestamp(type_))) => timestamp(&type_.unit),
        (Physical::INT32, Some(LogicalType::Date)) => DataType::Date32,
        (Physical::INT32, Some(LogicalType::Time(_))) => DataType::Time32(TimeUnit::Millisecond),
        (Physical::INT64, Some(LogicalType::Time(_))) => DataType::Time64(TimeUnit::Microsecond),
        (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16)) => DataType::Float16,
        (
            Physical::BYTE_ARRAY,
            Some(LogicalType::String | LogicalType::Enum | LogicalType::Json),
        ) => DataType::Utf8,
        _ => match (physical, converted) {
            (_, ConvertedType::DECIMAL) => {
                decimal(descriptor.type_precision(), descriptor.type_scale())
            }
            (Physical::INT32, ConvertedType::DATE) => DataType::Date32,
            (Physical::INT32, ConvertedType::TIME_MILLIS) => {
                DataType::Time32(TimeUnit::Millisecond)
            }
            (Physical::INT64, ConvertedType::TIME_MICROS) => {
                DataType::Time64(TimeUnit::Microsecond)
            }
            (Physical::INT64, ConvertedType::TIMESTAMP_MILLIS) => {
                timestamp(&ParquetTimeUnit::MILLIS)
            }
            (Physical::INT64, ConvertedType::TIMESTAMP_MICROS) => {
                timestamp(&ParquetTimeUnit::MICROS)
            }
            (_, ConvertedType::INT_8) => DataType::Int8,
            (_, ConvertedType::INT_16) => DataType::Int16,
            (_, ConvertedType::UINT_8) => DataType::UInt8,
            (_, ConvertedType::UINT_16) => DataType::UInt16,
            (_, ConvertedType::UINT_32) => DataType::UInt32,
            (_, ConvertedType::UINT_64) => DataType::UInt64,
            (
                Physical::BYTE_ARRAY,
                ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON,
            ) => DataType::Utf8,
            (_, ConvertedType::INTERVAL) => DataType::Duration(TimeUnit::Millisecond),
            (Physical::BOOLEAN, _) => DataType::Boolean,
            (Physical::INT32, _) => DataType::Int32,
            (Physical::INT64, _) => DataType::Int64,
            (Physical::INT96, _) => DataType::Timestamp(TimeUnit::Nanosecond, None),
            (Physical::FLOAT, _) => DataType::Float32,
            (Physical::DOUBLE, _) => DataType::Float64,
            (Physical::BYTE_ARRAY, _) => DataType::Binary,
            (Physical::FIXED_LEN_BYTE_ARRAY, _) => {
                DataType::FixedSizeBinary(descriptor.type_length())
            }
        },
    }
}

impl Leaf {
    /// Returns whether its values are texts, which may be decoded as numbers in a dictionary.
    pub(super) fn has_texts(&self) -> bool {
        self.decoded == Decoded::Text
    }

    /// A decoder of its pages, which gives texts in the `form`.
    pub(super) fn reader(
        &self,
        pages: Box<dyn PageIterator>,
        form: TextForm,
    ) -> ParquetResult<Box<dyn ArrayReader>> {
        let physical = self.descriptor.physical_type();
        let (described, length) = match physical {
            Physical::INT96 => (Physical::FIXED_LEN_BYTE_ARRAY, int96::BYTES),
            _ => (physical, self.descriptor.type_length()),
        };
        let descriptor = levels::for_decoder(&self.descriptor, described, length)?;
        let read_as = match &self.decoded {
            Decoded::As(data_type) => data_type.clone(),
            Decoded::Within(_) => DataType::Int32,
            Decoded::Digits if physical == Physical::INT32 => DataType::Int32,
            Decoded::Digits => DataType::Int64,
            Decoded::Text => DataType::Binary,
            Decoded::Int96 => DataType::FixedSizeBinary(int96::BYTES),
        };
        let capacity = CAPACITY_RECORDS;
        macro_rules! primitive {
            ($values:ident) => {
                Box::new(PrimitiveArrayReader::<values::$values>::new(
                    pages,
                    descriptor,
                    Some(read_as),
                    capacity,
                    None,
                )?)
            };
        }
        Ok(match physical {
            Physical::BOOLEAN => primitive!(BoolType),
            Physical::INT32 => primitive!(Int32Type),
            Physical::INT64 => primitive!(Int64Type),
            Physical::FLOAT => primitive!(FloatType),
            Physical::DOUBLE => primitive!(DoubleType),
            Physical::BYTE_ARRAY if form == TextForm::Dictionary => {
                let read_as = DataType::Dictionary(DataType::Int32.into(), read_as.into());
                make_byte_array_dictionary_reader(pages, descriptor, Some(read_as), capacity, None)?
            }
            Physical::BYTE_ARRAY => {
                make_byte_array_reader(pages, descriptor, Some(read_as), capacity, None)?
            }
            Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY => {
                make_fixed_len_byte_array_reader(pages, descriptor, Some(read_as), capacity, None)?
            }
        })
    }

    /// The highest definition level: that of a value.
    pub(super) fn levels(&self) -> u16 {
        self.descriptor.max_def_level().unsigned_abs()
    }

    /// Bytes of a value, where all have the same length as bytes.
    pub(super) fn value_bytes(&self) -> Option<usize> {
        let is_fixed = self.descriptor.physical_type() == Physical::FIXED_LEN_BYTE_ARRAY;
        usize::try_from(self.descriptor.type_length()).ok().filter(|_| is_fixed)
    }

    /// Returns whether all values of a page decode if its minimum and maximum do.
    pub(super) fn decodes_between_bounds(&self) -> bool {
        !matches!(self.stored, DataType::Timestamp(TimeUnit::Nanosecond, _))
    }

    /// Returns whether every value of an undamaged page decodes.
    pub(super) fn decodes_always(&self) -> bool {
        let is_timestamp = matches!(self.to, DataType::Timestamp(..));
        let is_micros = matches!(self.stored, DataType::Timestamp(TimeUnit::Microsecond, _));
        let is_decimal = matches!(self.stored, DataType::Decimal128(..));
        // a text that is none is damage where the file says that all are texts
        let is_text = self.descriptor.converted_type() == ConvertedType::UTF8;
        let is_sound = match &self.decoded {
            Decoded::As(_) => true,
            Decoded::Text => is_text,
            Decoded::Digits | Decoded::Within(_) | Decoded::Int96 => false,
        };
        (is_micros || !is_timestamp) && !is_decimal && is_sound
    }

    /// Converts decoded values to those that Selects see.
    ///
    /// # Errors
    /// The first row that has no value, and why.
    pub(super) fn convert(&self, array: &ArrayRef) -> Result<ArrayRef, RowProblem> {
        match &self.decoded {
            Decoded::As(_) => convert(array, &self.to),
            Decoded::Within(range) => {
                within(array.as_primitive::<Int32Type>(), range)?;
                convert(array, &self.to)
            }
            Decoded::Digits => match array.as_primitive_opt::<Int64Type>() {
                Some(digits) => decimals(digits, &self.to),
                None => decimals(array.as_primitive::<Int32Type>(), &self.to),
            },
            Decoded::Text => convert(array, &self.to),
            Decoded::Int96 => int96::timestamps(array.as_fixed_size_binary()),
        }
    }
}

fn within(array: &Int32Array, range: &Range<i32>) -> Result<(), RowProblem> {
    let outside = |row: &usize| array.is_valid(*row) && !range.contains(&array.value(*row));
    match (0..array.len()).find(outside) {
        None => Ok(()),
        Some(row) => {
            let (value, least, greatest) = (array.value(row), range.start, range.end - 1);
            Err((row, ColumnProblem::OutsideRange { value, least, greatest }))
        }
    }
}
