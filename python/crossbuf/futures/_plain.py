"""Which values need no look by our pickler: no ndarray, Array or channel end can be in what pickle makes of them.

```text
is_plain((len, ["abc", 7], {"key": None}))     True     constants, functions and classes, which pickle writes by name, in builtin containers
is_plain((array.sum, [array], an_object))      False    what else may be in them, only pickling says
```
It is an answer within microseconds, so what has many parts is not plain either.
"""

from functools import partial
from types import BuiltinFunctionType, FunctionType, ModuleType

from .._core import _is_plain


def is_plain(value: object) -> bool:
    """Whether nothing would be taken out of it. False is always safe."""
    return _is_plain(value, _is_plain_call)


def _is_plain_call(one: object) -> bool:
    # Those in the arguments of others are not looked for, as that might have no end.
    return _has_a_name(one) or (type(one) is partial and _is_plain((one.func, one.args, one.keywords), _has_a_name))


def _has_a_name(one: object) -> bool:
    if type(one) is BuiltinFunctionType:
        # A builtin method brings what it is bound to.
        return one.__self__ is None or isinstance(one.__self__, ModuleType)
    return type(one) is FunctionType or type(one) is type
