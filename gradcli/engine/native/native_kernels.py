"""Steps of a pass whose kernels call native functions, where NumPy's would take longer."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from gradcli.engine.native import convolutions
from gradcli.engine.native.convolutions import WindowJob, back_job, forward_job
from gradcli.engine.plan.passes import Pass, Step, Sum, may_call_native
from gradcli.graph.dtypes import FLOAT32, FLOAT64
from gradcli.graph.native_forms import NativeKernel
from gradcli.graph.node import Node
from gradcli.ops.kernels.windows import Meeting

#: Planes that an array is laid out as, at most: each is copied for itself.
_PLANES = 16
#: Windows that are computed for one that is there, at most.
_WASTE = 2.0
#: Of sums of fewer products, and of gradients at fewer places, most of the time goes by until all is in the right place
#: again: NumPy has less to bring there, at least where images are large.
_FEW_PRODUCTS, _FEW_PLACES, _LARGE = 32, 48, 1 << 12


class _WindowKernel(NamedTuple):
    """The sums over windows that a node is, and the bytes that they take for so many images."""

    name: str
    job: WindowJob
    node: Node

    def memory(self, images: int) -> int:
        dtype = self.node.dtype
        if self.name != "kernel_gradient":
            # Numbers of the kernel are copied in another order for the way back.
            return sum(self.job.memory(images, dtype)) + self.job.table + self.node.inputs[1].nbytes
        # Beside those of the pass, the sums are there in pieces.
        shape = self.job.products(dtype)
        total = 8 * self.job.groups * shape.rows * shape.places
        return sum(self.job.product_memory(images, dtype)) + self.job.table + total


def with_kernels(one: Pass) -> Pass:
    """The same pass with the kernels that there are; the pass itself where there are none."""
    steps, own = [], 0
    images = {one.rows, one.length % one.rows or one.rows}
    for step in one.steps:
        kernel = _kernel(step) if may_call_native(step) else None
        if kernel is not None:
            own = max(own, *map(kernel.memory, images))
            step = _replaced(step)
        steps.append(step)
    return one._replace(steps=steps, fused=True, own=one.own + own) if own else one


def _replaced(step: Any) -> Any:
    if isinstance(step, Step):
        return step._replace(kernel=getattr(convolutions, step.node.op.native.name))
    return step._replace(accumulate=step.accumulate._replace(partial=_partial))


def _partial(arrays: list[Any], params: dict[str, Any], start: int) -> tuple[Any, ...]:
    x, g = arrays
    return (convolutions.kernel_gradient(x, g, params["kernel"], Meeting(*[params[name] for name in Meeting._fields])),)


def _kernel(step: Step | Sum) -> _WindowKernel | None:
    """What a step is, if there is something to compute that pays."""
    node, form = step.node, step.node.op.native
    if not all(map(_is_taken, (node, *node.inputs))):
        return None
    assert isinstance(form, NativeKernel)
    meeting = Meeting(*[node.params[name] for name in Meeting._fields])
    first, second = (child.shape for child in node.inputs[:2])
    if form.name == "kernel_gradient":
        job = forward_job(first, (second[1], first[1] // meeting.groups, *node.params["kernel"]), second, meeting)
    else:
        job = (forward_job if form.name == "convolved" else back_job)(first, second, node.shape, meeting)
    return _WindowKernel(form.name, job, node) if pays(job, form.name == "kernel_gradient") else None


def _is_taken(node: Node) -> bool:
    return node.size > 0 and node.dtype in (FLOAT32, FLOAT64)


def pays(job: WindowJob, gradient: bool) -> bool:
    """Whether sums over windows, or their adjoint with respect to the kernel, take less time natively."""
    planes = job.planes
    few = math.prod(map(len, planes.phases)) <= _PLANES and len(job.phases) <= _PLANES
    # Windows of one element are the array itself, of which BLAS needs no layout.
    single = not any(planes.reach) and len(job.phases) == 1 and len(job.phases[0].places) == 1
    count = job.channels * max(len(phase.places) for phase in job.phases)
    large = gradient or math.prod(job.lengths) >= _LARGE
    thin = job.groups == 1 and count < (_FEW_PLACES if gradient else _FEW_PRODUCTS) and large
    return few and not single and not thin and planes.waste(job.lengths) <= _WASTE
