"""The workloads: each a module whose `measure(run)` appends series to the record, in the order of the report."""

from types import ModuleType

from . import copying, executors, job, latency, layouts, messages, receivers, sizes, startup, throughput

WORKLOADS: dict[str, ModuleType] = {
    module.NAME: module for module in (sizes, layouts, receivers, latency, throughput, executors, startup, job, copying, messages)
}
