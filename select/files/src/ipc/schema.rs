//! The columns of an Arrow file, and what is written for each field of its schema.

use arrow::datatypes::{DataType, Field};
use arrow::ipc;

use crate::columnar::column::Path;
use crate::columnar::value::selected_type;
use crate::types::type_name;

/// A column of the file.
pub(super) type ArrowColumn = crate::columnar::column::FileColumn<Leaf>;

/// A column that is decoded.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// Indices among the shapes of the structs that it is in, outermost first, and its own.
    pub(super) path: Vec<usize>,
    /// The type of the values or, if there is a dictionary, of the codes into it.
    pub(super) stored: DataType,
    /// The dictionary that the codes are of, and the type of its values.
    pub(super) dictionary: Option<(i64, DataType)>,
}

/// The buffers that a field has in every record batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) buffers: usize,
    /// True if the batch tells how many more there are.
    pub(super) is_variadic: bool,
}

/// The columns of a schema, and the shapes of its fields. `fields` are those of `schema`, decoded.
pub(super) fn columns(
    fields: &[std::sync::Arc<Field>],
    schema: ipc::Schema<'_>,
) -> Option<(Vec<ArrowColumn>, Vec<Shape>)> {
    let mut walk = Walk { columns: Vec::new(), shapes: Vec::new() };
    let described = schema.fields().unwrap_or_default();
    for (field, described) in fields.iter().zip(described.iter()) {
        walk.field(field, described, &Path::default(), &[])?;
    }
    Some((walk.columns, walk.shapes))
}

/// Goes through a schema depth first. How deep it is, the check of the footer bounds.
struct Walk {
    columns: Vec<ArrowColumn>,
    shapes: Vec<Shape>,
}

impl Walk {
    /// Adds the columns of a field.
    fn field(
        &mut self,
        field: &Field,
        described: ipc::Field<'_>,
        parent: &Path,
        parents: &[usize],
    ) -> Option<()> {
        let path = parent.child(field.name(), field.is_nullable());
        let place = [parents, &[self.shapes.len()]].concat();
        let children = described.children().unwrap_or_default();
        if let DataType::Struct(fields) = field.data_type() {
            self.shapes.push(Shape { buffers: 1, is_variadic: false });
            for (field, described) in fields.iter().zip(children.iter()) {
                self.field(field, described, &path, &place)?;
            }
            return (fields.len() == children.len()).then_some(());
        }
        self.skip(field.data_type())?;
        let (stored, dictionary) = match field.data_type() {
            DataType::Dictionary(codes, values) => {
                let id = described.dictionary()?.id();
                (codes.as_ref().clone(), Some((id, values.as_ref().clone())))
            }
            other => (other.clone(), None),
        };
        let storage = type_name(field.data_type());
        let values = dictionary.as_ref().map_or(&stored, |(_, values)| values);
        let column = match selected_type(values) {
            Some(to) => {
                let leaf = Some(Leaf { path: place, stored, dictionary });
                ArrowColumn { field: path.field(to), storage, leaf }
            }
            None => {
                ArrowColumn { field: path.field(field.data_type().clone()), storage, leaf: None }
            }
        };
        self.columns.push(column);
        Some(())
    }

    /// Adds the shapes of a type and of those within.
    fn skip(&mut self, data_type: &DataType) -> Option<()> {
        let buffers = match data_type {
            DataType::Null | DataType::RunEndEncoded(..) => 0,
            DataType::Struct(_) | DataType::FixedSizeList(..) => 1,
            DataType::Union(_, arrow::datatypes::UnionMode::Sparse) => 1,
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::ListView(_)
            | DataType::LargeListView(_) => 3,
            _ => 2,
        };
        let is_variadic = matches!(data_type, DataType::Utf8View | DataType::BinaryView);
        self.shapes.push(Shape { buffers, is_variadic });
        match data_type {
            DataType::List(field)
            | DataType::LargeList(field)
            | DataType::ListView(field)
            | DataType::LargeListView(field)
            | DataType::FixedSizeList(field, _)
            | DataType::Map(field, _) => self.skip(field.data_type()),
            DataType::Struct(fields) => {
                fields.iter().try_for_each(|field| self.skip(field.data_type()))
            }
            DataType::Union(fields, _) => {
                fields.iter().try_for_each(|(_, field)| self.skip(field.data_type()))
            }
            DataType::RunEndEncoded(ends, values) => {
                self.skip(ends.data_type())?;
                self.skip(values.data_type())
            }
            _ => Some(()),
        }
    }
}
