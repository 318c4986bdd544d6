//! Elements as Python's scalars.

use std::ffi::CStr;

use super::safe::{Attached, Owned, PyResult};
use crate::array::{Civil, Duration, Scalar};

/// What `numpy.ndarray.tolist` gives for the element, in Python's own classes throughout: long doubles and the numbers of
/// ml_dtypes as float, int or complex, sub-arrays inside of records as lists.
pub(super) fn to_python(py: Attached<'_>, scalar: &Scalar) -> PyResult<Owned> {
    let all = |parts: &[Scalar]| parts.iter().map(|part| to_python(py, part)).collect::<PyResult<Vec<_>>>();
    match *scalar {
        Scalar::Bool(value) => Ok(Owned::bool(py, value)),
        Scalar::Int(value) => Owned::int(py, value),
        Scalar::UInt(value) => Owned::unsigned(py, value),
        Scalar::Float(value) => Owned::float(py, value),
        Scalar::Complex(real, imaginary) => Owned::complex(py, real, imaginary),
        Scalar::Bytes(ref bytes) | Scalar::Raw(ref bytes) => Owned::bytes(py, bytes),
        Scalar::Text(ref points) => Owned::code_points(py, points),
        // NumPy gives None for all moments without a unit.
        Scalar::DateTime(Some(ticks), unit) if unit.name != "generic" => match Civil::new(ticks, unit) {
            Some(moment) => civil(py, moment),
            None => Owned::int(py, ticks),
        },
        Scalar::TimeDelta(Some(ticks), unit) => match Duration::new(ticks, unit) {
            Some(Duration { days, seconds, microseconds }) => {
                datetime(py, c"timedelta", [days.into(), seconds.into(), microseconds.into()])
            }
            None => Owned::int(py, ticks),
        },
        Scalar::DateTime(..) | Scalar::TimeDelta(..) => Ok(Owned::none(py)),
        Scalar::Record(ref fields) => Owned::tuple(py, all(fields)?),
        Scalar::List(ref items) => Owned::list(py, all(items)?),
    }
}

fn civil(py: Attached<'_>, moment: Civil) -> PyResult<Owned> {
    match moment {
        Civil::Date { year, month, day } => datetime(py, c"date", [year.into(), month.into(), day.into()]),
        Civil::DateTime { year, month, day, hour, minute, second, microsecond } => {
            let numbers = [year.into(), month.into(), day.into(), hour.into(), minute.into(), second.into(), microsecond.into()];
            datetime(py, c"datetime", numbers)
        }
    }
}

/// An instance of a class of the module `datetime`.
fn datetime<const N: usize>(py: Attached<'_>, class: &CStr, numbers: [i64; N]) -> PyResult<Owned> {
    let class = Owned::import(py, c"datetime")?.get().attribute(py, class)?;
    let numbers = numbers.into_iter().map(|number| Owned::int(py, number)).collect::<PyResult<Vec<_>>>()?;
    class.get().call(py, std::array::from_fn::<_, N, _>(|at| numbers[at].get()))
}
