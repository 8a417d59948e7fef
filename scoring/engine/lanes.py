"""Eight numbers that are computed with at once: a vector register's worth, as a type of numba's.

numba 0.68 keeps LLVM from packing eight equal computations into one (its SLP pass is off), so kernels
that hold eight points of a curve say it themselves: ``read(array, i) * factor + read(array, j)``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending, types
from numba.extending import models, overload, register_model

# Its own type speaks of the definition, which has one argument more than the call.
intrinsic: Callable[[Any], Callable[..., Any]] = extending.intrinsic

LANES = 8
VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class Lanes(types.Type):
    """The type of eight float64 numbers side by side."""

    def __init__(self) -> None:
        super().__init__(name="lanes")


lanes = Lanes()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    """Kept as an LLVM vector."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)  # type: ignore[no-untyped-call]


def _row(context: Any, builder: Any, array_type: Any, array: Any, index_type: Any, index: Any) -> Any:
    """Return the address of a row of a C-order matrix that has eight columns."""
    index = context.cast(builder, index, index_type, types.uintp)
    data = context.make_array(array_type)(context, builder, array).data
    offset = builder.mul(index, ir.Constant(index.type, LANES))
    return builder.bitcast(builder.gep(data, [offset]), VECTOR.as_pointer())


@intrinsic
def read(typing_context: Any, array: Any, index: Any) -> Any:  # noqa: ARG001 - numba passes it
    """Return row ``index`` of a float64 matrix with eight columns."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = _row(context, builder, signature.args[0], values[0], signature.args[1], values[1])
        return builder.load(address, align=8)

    return lanes(array, index), generate


@intrinsic
def write(typing_context: Any, array: Any, index: Any, value: Any) -> Any:  # noqa: ARG001 - numba passes it
    """Set row ``index`` of a float64 matrix with eight columns."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = _row(context, builder, signature.args[0], values[0], signature.args[1], values[1])
        builder.store(values[2], address, align=8)
        return context.get_dummy_value()

    return types.void(array, index, value), generate


@intrinsic
def same(typing_context: Any, value: Any) -> Any:  # noqa: ARG001 - numba passes it
    """Return one number eight times."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        number = context.cast(builder, values[0], signature.args[0], types.float64)
        vector = ir.Constant(VECTOR, ir.Undefined)
        for i in range(LANES):
            vector = builder.insert_element(vector, number, ir.Constant(ir.IntType(32), i))
        return vector

    return lanes(value), generate


def _define(operation: Any, instruction: str) -> None:
    """Teach numba one arithmetic operation between lanes, and between lanes and a number."""

    @intrinsic
    def compute(typing_context: Any, left: Any, right: Any) -> Any:  # noqa: ARG001 - numba passes it
        def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return getattr(builder, instruction)(*values)

        return lanes(lanes, lanes), generate

    @overload(operation)
    def choose(left, right):  # type: ignore[no-untyped-def] # numba compares it with the lambdas
        if left is lanes and right is lanes:
            return lambda left, right: compute(left, right)
        if left is lanes and isinstance(right, types.Number):
            return lambda left, right: compute(left, same(right))
        if isinstance(left, types.Number) and right is lanes:
            return lambda left, right: compute(same(left), right)
        return None


for _operation, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define(_operation, _instruction)
