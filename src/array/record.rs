//! Dtypes made of other dtypes: records and sub-arrays.

use std::collections::HashSet;
use std::sync::Arc;

use super::dtype::{ByteOrder, DType, Kind, MAX_NESTING, refused};
use super::shape::{Dims, MAX_DIMS};
use crate::error::Result;

/// The fields of a structured dtype.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// In order of definition; offsets may overlap.
    pub fields: Vec<Field>,
    /// Whether NumPy's `isalignedstruct` holds.
    pub aligned: bool,
}

/// One field of a structured dtype.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// NumPy's second name for it.
    pub title: Option<String>,
    /// Its place, in bytes from the start of the element.
    pub offset: usize,
    /// Its dtype.
    pub dtype: DType,
}

impl Record {
    /// NumPy's: 1 unless `aligned`, then the largest of the fields'.
    pub(super) fn alignment(&self) -> usize {
        let fields = if self.aligned { self.fields.as_slice() } else { &[] };
        fields.iter().map(|field| field.dtype.alignment()).max().unwrap_or(1)
    }
}

impl DType {
    /// A structured dtype. Fields may overlap, leave gaps and come in any order, as in NumPy.
    ///
    /// Errors with `BadDType` when a field ends beyond `itemsize`, a name is empty, a name or title occurs twice, the nesting is deeper than
    /// [`MAX_NESTING`], or `aligned` is not true of the offsets and the itemsize.
    pub fn record(fields: Vec<Field>, itemsize: usize, aligned: bool) -> Result<DType> {
        let text = format!("record of {} fields", fields.len());
        DType::checked_record(fields, itemsize, aligned).map_err(refused(text))
    }

    /// An array of `shape` inside an element; with no axes, `dtype` itself.
    ///
    /// Errors with `BadDType` when there are more than [`MAX_DIMS`] axes, the size overflows, or the nesting is deeper than [`MAX_NESTING`].
    pub fn sub_array(dtype: DType, shape: &[usize]) -> Result<DType> {
        let text = format!("{shape:?} of {dtype}");
        DType::checked_sub_array(dtype, shape).map_err(refused(text))
    }

    /// As [`DType::record`]; the error is the bare reason, for parsers that know the position.
    pub(super) fn checked_record(fields: Vec<Field>, itemsize: usize, aligned: bool) -> Result<DType, String> {
        if isize::try_from(itemsize).is_err() {
            return Err(format!("an itemsize of {itemsize} exceeds the address space"));
        }
        let mut seen = HashSet::with_capacity(fields.len());
        for Field { name, title, offset, dtype } in &fields {
            if name.is_empty() {
                return Err(format!("the field at offset {offset} has an empty name"));
            }
            if let Some(twice) = [Some(name), title.as_ref()].into_iter().flatten().find(|&name| !seen.insert(name)) {
                return Err(format!("{twice:?} is the name or title of more than one field"));
            }
            if offset.checked_add(dtype.itemsize()).is_none_or(|end| end > itemsize) {
                return Err(format!("field {name:?} has {} bytes at {offset}, beyond the itemsize {itemsize}", dtype.itemsize()));
            }
            if aligned && !offset.is_multiple_of(dtype.alignment()) {
                return Err(format!(
                    "field {name:?} at {offset} is not aligned to {}, yet the record is called aligned",
                    dtype.alignment()
                ));
            }
        }
        let depth = nested(fields.iter().map(|field| &field.dtype))?;
        let record = Record { fields, aligned };
        if !itemsize.is_multiple_of(record.alignment()) {
            return Err(format!("an aligned record of {itemsize} bytes is not a multiple of its alignment {}", record.alignment()));
        }
        Ok(DType::from_parts(Kind::Struct(Arc::new(record)), itemsize, ByteOrder::Little, depth))
    }

    /// As [`DType::sub_array`]; the error is the bare reason, for parsers that know the position.
    pub(super) fn checked_sub_array(dtype: DType, shape: &[usize]) -> Result<DType, String> {
        if shape.is_empty() {
            return Ok(dtype);
        }
        if shape.len() > MAX_DIMS {
            return Err(format!("a sub-array of {} axes has more than {MAX_DIMS}", shape.len()));
        }
        // Zeros are left out so that no order of axes can overflow on the way.
        let count = shape.iter().filter(|&&n| n != 0).try_fold(1usize, |count, &n| count.checked_mul(n));
        let bytes = count.and_then(|count| count.checked_mul(dtype.itemsize().max(1)));
        if bytes.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
            return Err(format!("{shape:?} elements of {} bytes exceed the address space", dtype.itemsize()));
        }
        let depth = nested([&dtype])?;
        let itemsize = shape.iter().product::<usize>() * dtype.itemsize();
        let sub = Kind::SubArray(Arc::new((dtype, Dims::from_slice(shape))));
        Ok(DType::from_parts(sub, itemsize, ByteOrder::Little, depth))
    }
}

/// The depth of a dtype around `parts`.
fn nested<'a>(parts: impl IntoIterator<Item = &'a DType>) -> Result<u8, String> {
    match parts.into_iter().map(DType::depth).max().unwrap_or(0) + 1 {
        depth if usize::from(depth) <= MAX_NESTING => Ok(depth),
        _ => Err(format!("records and sub-arrays nest deeper than {MAX_NESTING} levels")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, offset: usize, dtype: &str) -> Field {
        Field { name: name.into(), title: None, offset, dtype: dtype.parse().unwrap() }
    }

    #[test]
    fn a_record_is_refused_when_it_cannot_exist() {
        let reason = |fields, itemsize, aligned| DType::record(fields, itemsize, aligned).unwrap_err().to_string();
        assert!(reason(vec![field("a", 5, "i4")], 8, false).contains("beyond the itemsize 8"));
        assert!(reason(vec![field("a", usize::MAX, "i4")], 8, false).contains("beyond the itemsize 8"));
        assert!(reason(vec![field("", 0, "i4")], 8, false).contains("empty name"));
        assert!(reason(vec![field("a", 0, "i4"), field("a", 4, "i4")], 8, false).contains("more than one field"));
        assert!(reason(vec![field("a", 2, "i4")], 8, true).contains("not aligned to 4"));
        assert!(reason(vec![field("a", 0, "i4")], 6, true).contains("not a multiple of its alignment 4"));
        assert!(reason(vec![], usize::MAX, false).contains("address space"));
        let titled = Field { title: Some("a".into()), ..field("a", 0, "i4") };
        assert!(reason(vec![titled], 8, false).contains("more than one field"));
    }

    #[test]
    fn nesting_has_a_limit() {
        let mut dtype = DType::bool();
        for _ in 0..MAX_NESTING {
            dtype = DType::sub_array(dtype, &[1]).unwrap();
        }
        assert!(DType::sub_array(dtype, &[1]).unwrap_err().to_string().contains("deeper than 32"));
    }

    #[test]
    fn a_sub_array_cannot_overflow() {
        for shape in [vec![usize::MAX], vec![1 << 40, 1 << 40], vec![0, 1 << 40, 1 << 40], vec![1; MAX_DIMS + 1]] {
            assert!(DType::sub_array(DType::bool(), &shape).is_err(), "{shape:?}");
        }
        assert_eq!(DType::sub_array(DType::bool(), &[]).unwrap(), DType::bool());
    }

    #[test]
    fn alignment_is_numpys() {
        let fields = || vec![field("a", 0, "i4"), field("b", 4, "S3")];
        assert_eq!(DType::record(fields(), 8, false).unwrap().alignment(), 1);
        assert_eq!(DType::record(fields(), 8, true).unwrap().alignment(), 4);
        for (text, alignment) in [("c16", 8), ("f16", 16), ("U3", 4), ("S8", 1), ("V8", 1), ("M8[s]", 8), ("complex32", 2), ("(3)i2", 2)] {
            assert_eq!(text.parse::<DType>().unwrap().alignment(), alignment, "{text}");
        }
    }
}
