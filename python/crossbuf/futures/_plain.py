"""Which values need no look by our pickler: no ndarray, Array or channel end can be in what pickle makes of them.

```text
is_plain((len, ["abc", 7], {"key": None}))     True     constants, functions and classes, which pickle writes by name, in builtin containers
is_plain((array.sum, [array], an_object))      False    what else may be in them, only pickling says
```
It is an answer within microseconds, so what has many parts is not plain either.
"""

from collections.abc import Sequence
from functools import partial
from types import BuiltinFunctionType, FunctionType, ModuleType, NoneType

_ATOMS = frozenset({NoneType, bool, int, float, complex, str, bytes, FunctionType, type})
#: Looking at so many takes less than pickling something twice.
_MOST = 64


def is_plain(value: object) -> bool:
    """Whether nothing would be taken out of it. False is always safe."""
    if type(value) in _ATOMS:
        return True
    left = _MOST
    groups: list[Sequence[object]] = [(value,)]
    # The loop is over what is appended meanwhile, too. What contains itself comes up again until nothing is left.
    for group in groups:
        left -= len(group)
        if left < 0:
            return False
        for one in group:
            if type(one) in _ATOMS:
                continue
            if type(one) is tuple or type(one) is list:
                groups.append(one)
            elif type(one) is dict:
                if len(one) > left:
                    return False
                if one:
                    # Copies, as other threads may change it.
                    groups += (list(one), list(one.values()))
            elif type(one) is partial:
                groups.append((one.func, one.args, one.keywords))
            elif type(one) is not BuiltinFunctionType or not (one.__self__ is None or isinstance(one.__self__, ModuleType)):
                # A builtin method brings what it is bound to.
                return False
    return True
