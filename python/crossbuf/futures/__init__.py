"""Executors whose workers take and return arrays.

```python
from crossbuf.futures import InterpreterPoolExecutor

with InterpreterPoolExecutor() as pool:
    norms = list(pool.map(np.linalg.norm, frames))
```
"""

from .interpreters import BrokenInterpreterPool as BrokenInterpreterPool
from .interpreters import InterpreterPoolExecutor as InterpreterPoolExecutor
