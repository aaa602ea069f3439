"""Errors: the class, what is said, and the place in the author's source, for every rule of the walker."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch

import helion_ir.language as hl
from helion_ir import exc
from helion_ir.frontend import trace
from helion_ir.language.fragments import PowerOfTwoFragment

X = torch.ones(40, 30)


def unknown_name(x):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile, :] = x[tyle, :]  # here  # noqa: F821
    return out


def unknown_on_host(x):
    out = torch.empty_like(y)  # here  # noqa: F821
    for tile in hl.tile(x.size(0)):
        out[tile, :] = x[tile, :]
    return out


def shape_mismatch(x):
    out = torch.empty_like(x)
    for a, b in hl.tile(x.size()):
        row = x[a, b]
        out[a, b] = row * 2 + (row - row.sum(1))  # here
    return out


def store_rank(x):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile, :] = x[tile, :].sum(1)  # here
    return out


def store_shape(x):
    out = torch.empty_like(x)
    for a, b in hl.tile(x.size()):
        out[a, b] = x[a, :]  # here
    return out


def carried_dtype(x):
    out = torch.empty([x.size(0)], dtype=x.dtype)
    for tile in hl.tile(x.size(0)):
        acc = hl.zeros([tile])
        for j in hl.tile(x.size(1)):  # here
            acc = (acc + x[tile, j].sum(1)).to(torch.float16)
        out[tile] = acc
    return out


def carried_number(x):
    out = torch.empty([x.size(0)], dtype=x.dtype)
    for tile in hl.tile(x.size(0)):
        acc = 0
        for j in hl.tile(x.size(1)):
            acc = acc + x[tile, j].sum(1)
        out[tile] = acc  # here
    return out


def branch_dtype(x, flag):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        row = x[tile, :]
        if flag:
            value = row.to(torch.float16)
        else:
            value = row
        out[tile, :] = value  # here
    return out


def branch_one_side(x, flag):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        if flag:
            value = x[tile, :]
        out[tile, :] = value  # here
    return out


def helper_with_try(row):
    try:  # here
        return row + 1
    except ValueError:
        return row


def calls_helper(x):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile, :] = helper_with_try(x[tile, :])
    return out


def helper_returning_early(row):
    for _ in hl.tile(4):
        return row  # here


def calls_returning(x):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile, :] = helper_returning_early(x[tile, :])
    return out


def recursive(row):
    return recursive(row)  # here


def calls_recursive(x):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile, :] = recursive(x[tile, :])
    return out


def unsupported_operator(x):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile, :] = torch.linalg.det(x[tile, 0:30])  # here
    return out


def depends_on_data(x):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile, :] = torch.nonzero(x[tile, :])  # here
    return out


def nested_in_host_if(x):
    out = torch.empty_like(x)
    if x.size(0) > 3:
        for tile in hl.tile(x.size(0)):  # here
            out[tile, :] = x[tile, :]
    return out


def between_loops(x):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile, :] = x[tile, :]
    other = torch.empty_like(x)  # here
    for tile in hl.tile(x.size(0)):
        other[tile, :] = x[tile, :]
    return out, other


def device_name_on_host(x):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        row = x[tile, :]
        out[tile, :] = row
    return row  # here


def host_name_on_device(x):
    out = torch.empty_like(x)
    n = 4
    for tile in hl.tile(x.size(0)):
        n = x[tile, :]  # here
        out[tile, :] = n
    return out


def other_root(x):
    out, other = torch.empty_like(x), torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        row = x[tile, :]
        out[tile, :] = row
    for tile in hl.tile(x.size(0)):
        other[tile, :] = row  # here
    return other


def no_loop(x):  # here
    return x + 1


def no_effect(x):  # here
    for tile in hl.tile(x.size(0)):
        x[tile, :] + 1
    return x


def two_targets(x):
    for tile in hl.tile(x.size(0)):
        a = b = x[tile, :]  # here
        x[tile, :] = a + b


def breaks(x):
    for tile in hl.tile(x.size(0)):
        for _ in range(3):
            break  # here
        x[tile, :] = 1


def tile_of_tile(x):
    for tile in hl.tile(x.size(0)):
        for _ in hl.tile(tile):  # here
            x[tile, :] = 1


def backwards(x):
    for tile in hl.tile(5, 3):  # here
        x[tile, :] = 1


def unpacks(x):
    for a, b in hl.tile(x.size(0)):  # here
        x[a, b] = 1


def direct_use(x):
    for tile in hl.tile(x.size(0)):
        x[tile, :] = x[tile, :] + x  # here


def direct_in_function(x):
    for tile in hl.tile(x.size(0)):
        x[tile, :] = torch.sin(x)  # here


def too_many(x):
    for tile in hl.tile(x.size(0)):
        x[tile, :, 0] = 1  # here


def mask_subscript(x):
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile, :] = x[tile.index > 3, :]  # here
    return out


def tile_arithmetic(x):
    for tile in hl.tile(x.size(0)):
        x[tile, :] = tile * 2  # here


def assigns_device_tensor(x):
    for tile in hl.tile(x.size(0)):
        row = x[tile, :]
        row[:, 0] = 1  # here
        x[tile, :] = row


def specialize_on_device(x):
    for tile in hl.tile(x.size(0)):
        x[tile, :] = hl.specialize(3)  # here


def zeros_on_host(x):
    acc = hl.zeros([4])  # here
    for tile in hl.tile(x.size(0)):
        x[tile, :] = acc


def tile_outside_for(x):
    for tile in hl.tile(x.size(0)):
        t = hl.tile(4)  # here
        x[tile, :] = t


def registers_on_device(x):
    for tile in hl.tile(x.size(0)):
        x[tile, :] = hl.register_block_size(4)  # here


def not_a_fragment(x):
    split = hl.register_tunable("split", 4)  # here
    for tile in hl.tile(x.size(0)):
        x[tile, :] = split


def same_name(x):
    a = hl.register_tunable("a", PowerOfTwoFragment(1, 4))
    b = hl.register_tunable("a", PowerOfTwoFragment(1, 8))  # here
    for tile in hl.tile(x.size(0)):
        x[tile, :] = a + b


def shared_block(x):
    size = hl.register_block_size(64)
    for tile in hl.tile(x.size(0), block_size=size):
        for inner in hl.tile(x.size(1), block_size=size):  # here
            x[tile, inner] = 1


def atomic_on_device(x):
    for tile in hl.tile(x.size(0)):
        row = x[tile, :]
        hl.atomic_add(row, [tile], 1)  # here
        x[tile, :] = row


def list_subscript(x, i):
    for tile in hl.tile(x.size(0)):
        parts = [x[tile, :], x[tile, :] + 1]
        x[tile, :] = parts[i]  # here


def item_of_tile(x):
    for tile in hl.tile(x.size(0)):
        x[tile, :] = float(x[tile, :].sum())  # here


def dot_dims(x):
    out = torch.empty([40, 40])
    for a, b in hl.tile(out.size()):
        out[a, b] = hl.dot(x[a, :], x[a, :])  # here
    return out


def walrus(x):
    for tile in hl.tile(x.size(0)):
        x[tile, :] = (y := x[tile, :]) + y  # here


def else_block(x):
    for tile in hl.tile(x.size(0)):
        for _ in hl.tile(4):  # here
            x[tile, :] = 1
        else:
            x[tile, :] = 2


def barrier_first(x):
    hl.barrier()  # here
    for tile in hl.tile(x.size(0)):
        x[tile, :] = 1


def reserved(x):
    math = 3
    for tile in hl.tile(x.size(0)):
        x[tile, :] = math


def specialize_tensor(x):
    n = hl.specialize(x)  # here
    for tile in hl.tile(x.size(0)):
        x[tile, :] = n


def registers_again_and_again(x):
    sizes = [hl.register_block_size(8, 32) for _ in range(2)]  # here
    for m, n in hl.tile(x.size(), block_size=sizes):
        x[m, n] = 1


def multi_element_if(x):
    for tile in hl.tile(x.size(0)):
        if x[tile, 0] > 0:  # here
            x[tile, :] = 1


CASES: list[tuple[Callable[..., Any], type[exc.Base], str]] = [
    (unknown_name, exc.UndefinedVariable, "'tyle' is not defined; did you mean 'tile'?"),
    (unknown_on_host, exc.UndefinedVariable, "'y' is not defined"),
    (shape_mismatch, exc.ShapeMismatch, "@b.block_size"),
    (store_rank, exc.RankMismatch, "keepdim"),
    (store_shape, exc.ShapeMismatch, "selects"),
    (carried_dtype, exc.ControlFlowTensorMismatch, "'acc' is a float32 tensor"),
    (carried_number, exc.CantCombineTypesInControlFlow, "hl.zeros"),
    (branch_dtype, exc.ControlFlowTensorMismatch, "float16"),
    (branch_one_side, exc.UndefinedVariable, "one branch only"),
    (calls_helper, exc.NotAllowedOnDevice, "`try`"),
    (calls_returning, exc.NotAllowedOnDevice, "return"),
    (calls_recursive, exc.StatementNotSupported, "calls itself"),
    (unsupported_operator, exc.BackendUnsupported, "det"),
    (depends_on_data, exc.DataDependentOutputShapeNotSupported, "nonzero"),
    (nested_in_host_if, exc.NestedGridLoop, "top level"),
    (between_loops, exc.TopLevelStatementBetweenLoops, "between"),
    (device_name_on_host, exc.CannotReadDeviceVariableOnHost, "'row'"),
    (host_name_on_device, exc.CannotModifyHostVariableOnDevice, "'n'"),
    (other_root, exc.CrossRootDeviceValue, "'row'"),
    (no_loop, exc.NoDeviceLoopsInKernel, "hl.tile"),
    (no_effect, exc.EmptyDeviceLoopAfterDCE, "no effect"),
    (two_targets, exc.AssignmentMultipleTargets, "two"),
    (breaks, exc.UnsupportedPythonType, "`break`"),
    (tile_of_tile, exc.TileOfTile, "t.begin"),
    (backwards, exc.InvalidTileRange, "begins at 5"),
    (unpacks, exc.FailedToUnpackTile, "unpacked"),
    (direct_use, exc.HostTensorDirectUsage, "x[tile, :]"),
    (direct_in_function, exc.HostTensorDirectUsage, "x[tile, :]"),
    (too_many, exc.RankMismatch, "3 subscripts for 'x'"),
    (mask_subscript, exc.DataDependentOutputShapeNotSupported, "extra_mask"),
    (tile_arithmetic, exc.IncorrectTileUsage, "tile.index"),
    (assigns_device_tensor, exc.DeviceTensorSubscriptAssignmentNotAllowed, "torch.where"),
    (specialize_on_device, exc.SpecializeOnDevice, "before"),
    (zeros_on_host, exc.DeviceAPIOnHost, "hl.zeros"),
    (tile_outside_for, exc.LoopFunctionNotInFor, "for"),
    (registers_on_device, exc.NotAllowedOnDevice, "on the host"),
    (not_a_fragment, exc.TunableTypeNotSupported, "fragment"),
    (same_name, exc.TunableNameConflict, "'a'"),
    (shared_block, exc.NestedDeviceLoopsConflict, "register another"),
    (atomic_on_device, exc.AtomicOnDeviceTensor, "host"),
    (list_subscript, exc.InvalidSequenceSubscription, "hl.static_range"),
    (item_of_tile, exc.TorchOpTracingError, "float()"),
    (dot_dims, exc.ShapeMismatch, "cannot be multiplied"),
    (walrus, exc.UnsupportedPythonType, "NamedExpr"),
    (else_block, exc.DeviceLoopElseBlock, "else"),
    (barrier_first, exc.BarrierOnlyAllowedAtTopLevel, "between"),
    (reserved, exc.NamingConflict, "'math'"),
    (specialize_tensor, exc.SpecializeArgType, "integers"),
    (registers_again_and_again, exc.StatementNotSupported, "not in a loop"),
    (multi_element_if, exc.ShapeMismatch, "scalar"),
]


@pytest.mark.parametrize("kernel, kind, said", CASES, ids=[c[0].__name__ for c in CASES])
def test_error(kernel: Callable[..., Any], kind: type[exc.Base], said: str) -> None:
    extra = {"branch_dtype": (True,), "branch_one_side": (True,), "list_subscript": (1,)}.get(kernel.__name__, ())
    with pytest.raises(exc.Base) as caught:
        trace(kernel, (X, *extra))
    error = caught.value
    assert type(error) is kind, f"{type(error).__name__}: {error}"
    assert said in str(error)
    assert str(error).startswith(error.message) and error.report().startswith(f"ERROR[{kind.__name__}]: ")
    if kind is exc.NamingConflict:
        return
    assert error.place is not None and error.place.file == __file__
    assert "# here" in error.place.text
    lines = str(error).splitlines()
    assert "^" in lines[-1] and lines[-2].strip() == error.place.text.strip()


def test_caret_is_under_the_expression() -> None:
    with pytest.raises(exc.ShapeMismatch) as caught:
        trace(shape_mismatch, (X,))
    lines = str(caught.value).splitlines()
    marked = lines[-2][lines[-1].index("^") : lines[-1].rindex("^") + 1]
    assert marked == "row - row.sum(1)"


def host_assertion(x):
    assert x.size(0) == 7, "seven rows are needed"
    for tile in hl.tile(x.size(0)):
        x[tile, :] = 1


def host_raise(x):
    if x.ndim == 2:
        raise ValueError("no matrices")
    for tile in hl.tile(x.size(0)):
        x[tile] = 1


def test_exceptions_of_the_author_stay_as_they_are() -> None:
    with pytest.raises(AssertionError, match="seven rows are needed"):
        trace(host_assertion, (X,))
    with pytest.raises(ValueError, match="no matrices"):
        trace(host_raise, (X,))


def test_closures_are_refused() -> None:
    captured = 3

    def kernel(x):
        for tile in hl.tile(x.size(0)):
            x[tile, :] = captured

    with pytest.raises(exc.ClosuresNotSupported, match="captured"):
        trace(kernel, (X,))


def test_every_class_has_a_docstring_and_is_its_default_message() -> None:
    for name, kind in inspect.getmembers(exc, inspect.isclass):
        if issubclass(kind, exc.Base):
            assert kind.__doc__, name
            assert str(kind()) == " ".join(kind.__doc__.split())
