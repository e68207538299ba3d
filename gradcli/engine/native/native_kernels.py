"""Steps of a pass whose kernels call native functions, where NumPy's would take longer."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.native import convolutions
from gradcli.engine.native.convolutions import WindowJob, back_job, forward_job
from gradcli.engine.plan.passes import Pass, Step, Sum, has_native_kernel, may_call_native
from gradcli.graph.dtypes import FLOAT32, FLOAT64
from gradcli.graph.native_forms import NativeKernel
from gradcli.graph.node import Node
from gradcli.ops.kernels.windows import Meeting

#: Planes that an array is laid out as, or phases of results, at most: each is copied for itself.
_PLANES = 16
#: Windows that are computed for one that is there, at most, and copies of an element for each that it has in windows.
_WASTE = _COPIES = 2.0
#: Numbers of a kernel, and products that make a result, at most: they are listed.
_NUMBERS, _PRODUCTS = 1 << 16, 1 << 18
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

    def code(self, images: int) -> list[str]:
        """The modules of the functions that add up windows of so many images."""
        dtype = self.node.dtype
        if self.name == "kernel_gradient":
            return [self.job.products(dtype).text]
        return self.job.code(images, dtype)


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


def window_code(one: Pass) -> list[str]:
    """The modules of the functions that such kernels of a pass add up windows with."""
    steps = [step for step in one.steps if isinstance(step, Step | Sum) and has_native_kernel(step)]
    kernels = [kernel for kernel in map(_kernel, steps) if kernel is not None]
    return list(dict.fromkeys(text for kernel in kernels for text in kernel.code(one.rows)))


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
    numbers = math.prod(node.params.get("kernel", second[2:]))
    # Asked first: a job lists them all.
    if numbers > _NUMBERS or (form.name == "convolved_back" and math.prod(meeting.stride) > _PLANES):
        return None
    if form.name == "kernel_gradient":
        job = forward_job(first, (second[1], first[1] // meeting.groups, *node.params["kernel"]), second, meeting)
    else:
        job = (forward_job if form.name == "convolved" else back_job)(first, second, node.shape, meeting)
    return _WindowKernel(form.name, job, node) if pays(job, node.dtype, form.name == "kernel_gradient") else None


def _is_taken(node: Node) -> bool:
    return node.size > 0 and node.dtype in (FLOAT32, FLOAT64)


def pays(job: WindowJob, dtype: np.dtype, gradient: bool) -> bool:
    """Whether sums over windows, or their adjoint with respect to the kernel, take less time natively."""
    planes, places = job.planes, max(len(phase.places) for phase in job.phases)
    # Windows of one element are the array itself, of which BLAS needs no layout.
    single = not any(planes.reach) and len(job.phases) == 1 and places == 1
    count = job.channels * places
    large = gradient or math.prod(job.lengths) >= _LARGE
    thin = job.groups == 1 and count < (_FEW_PLACES if gradient else _FEW_PRODUCTS) and large
    if math.prod(map(len, planes.phases)) > _PLANES or single or thin or count > _PRODUCTS:
        return False
    # Where windows reach far, pieces of an image have most of their elements in common.
    grid = job.first_grid(dtype)
    copies = grid.channel / math.prod(grid.lengths) / sum(len(phase.places) for phase in job.phases)
    return planes.waste(grid.lengths) <= _WASTE and copies <= _COPIES
