"""What stands in for a module that loads in the main interpreter but not in a sub-interpreter with its own GIL.

A main script that begins with `import numpy as np` must still lend its functions to workers. So when the script is run again,
each import at its top level becomes

```python
try:
    import numpy as np
except ImportError as error:
    np = __absent__(error, "numpy")
```

An `Absent` may be named, subscripted and joined with `|`, because annotations do so when a function is defined. Any other use
raises the ImportError that the import would have raised. Imports in functions and in the script's own `try` are left alone.
"""

import _ast as ast  # the nodes alone: the rest of `ast` takes ten times as long to import
import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import NoReturn

#: The name under which a rewritten script finds `absent`.
HOOK = "__absent__"


class Absent:
    """A module, or a name in one, that is not here."""

    def __init__(self, path: str, reason: str) -> None:
        self._path = path
        self._reason = reason

    def __getattr__(self, name: str) -> "Absent":
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._path}.{name}", self._reason)

    def __getitem__(self, item: object) -> "Absent":
        return self

    def __or__(self, other: object) -> "Absent":
        return self

    __ror__ = __or__

    def __repr__(self) -> str:
        return f"<absent {self._path}: {self._reason}>"

    def _refuse(self, *args: object, **kwargs: object) -> "NoReturn":
        raise ImportError(
            f"{self._path} is not available in this interpreter: {self._reason}; "
            "use the Array itself (indexing, tolist, memoryview) or do this part in the main interpreter"
        )

    __call__ = __iter__ = __len__ = __bool__ = _refuse


def absent(error: ImportError, path: str) -> Absent:
    """The stand-in for what `error` kept away. Its reason is the root of the error: NumPy buries it in a page of advice."""
    root: BaseException = error
    while (below := root.__cause__ or root.__context__) is not None:
        root = below
    return Absent(path, str(root))


def tolerant_code(path: str) -> "CodeType":
    """The script at `path` with its top-level imports rewritten as this module's text shows."""
    with io.open_code(path) as file:
        tree = compile(file.read(), path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return compile(tolerate_imports(tree), path, "exec", dont_inherit=True)


def tolerate_imports(tree: ast.Module) -> ast.Module:
    """Rewrites the top-level imports of `tree`."""
    tree.body = [piece for statement in tree.body for piece in _tolerant(statement)]
    return tree


def _tolerant(statement: ast.stmt) -> list[ast.stmt]:
    match statement:
        case ast.Import():
            return [_guarded(statement, ast.Import([name]), *_binding(name)) for name in statement.names]
        case ast.ImportFrom() if statement.module != "__future__" and statement.names[0].name != "*":
            start = "." * statement.level + (statement.module or "")
            return [
                _guarded(
                    statement, ast.ImportFrom(statement.module, [name], statement.level), name.asname or name.name, f"{start}.{name.name}"
                )
                for name in statement.names
            ]
        case _:
            return [statement]


def _binding(name: ast.alias) -> tuple[str, str]:
    """What `import name` binds, and the module it binds it to."""
    if name.asname is not None:
        return name.asname, name.name
    package = name.name.partition(".")[0]
    return package, package


def _guarded(original: ast.stmt, statement: ast.stmt, target: str, path: str) -> ast.stmt:
    """`statement` in a `try` whose handler binds `target` to the stand-in for `path`; tracebacks show the original's line."""
    at = {name: getattr(original, name) for name in ast.stmt._attributes}
    for name in at:
        setattr(statement, name, at[name])
    stand_in = ast.Call(ast.Name(HOOK, ast.Load(), **at), [ast.Name("error", ast.Load(), **at), ast.Constant(path, **at)], [], **at)
    binding = ast.Assign([ast.Name(target, ast.Store(), **at)], stand_in, **at)
    handler = ast.ExceptHandler(ast.Name("ImportError", ast.Load(), **at), "error", [binding], **at)
    return ast.Try([statement], [handler], [], [], **at)
