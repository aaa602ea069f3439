"""A kernel inside of torch.compile: one operation of the graph, which says what it writes and what it returns.

`torch.compile` traces `Kernel.__call__`, which comes here under `nonstrict_trace`: Python runs on tensors without data,
plans the operation once for each kind of arguments, and calls it. The operation calls the kernel.
"""

from __future__ import annotations

import ast
import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import _disable_current_modes

from helion_ir import exc
from helion_ir.dialects.host import FuncOp, LaunchOp, PythonOp
from helion_ir.dialects.tile.control import KernelOp
from helion_ir.dialects.tile.memory import AtomicOp, StoreOp
from helion_ir.passes.base import kernels

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from helion_ir.runtime.bound_kernel import BoundKernel
    from helion_ir.runtime.kernel import Kernel

KERNELS: weakref.WeakValueDictionary[int, Kernel] = weakref.WeakValueDictionary()
"""Every kernel, by the number that stands for it in a graph."""
in_graph: Callable[..., Any] | None = None
"""`capture`, as torch.compile takes it; there once something is compiled, since importing Dynamo takes a second."""
_LIBRARY = torch.library.Library("helion_ir", "FRAGMENT")  # noqa: TOR901
_NUMBERS, _KERNEL_NUMBERS = itertools.count(), itertools.count()
_PLANS: dict[Any, Plan] = {}


def enrolled(kernel: Kernel) -> int:
    """The number of a kernel, which stands for it as long as it lives."""
    number = next(_KERNEL_NUMBERS)
    KERNELS[number] = kernel
    return number


def prepare() -> bool:
    """Let torch.compile know `capture`; torch.compile itself calls this, while it traces."""
    global in_graph
    if in_graph is None:
        from torch._dynamo import nonstrict_trace

        in_graph = nonstrict_trace(capture)
    return True


prepare._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


@dataclass(frozen=True)
class Plan:
    """An operation: what it is called with, and how its results become those of the kernel."""

    operator: Any
    leaves: tuple[Any, ...]
    """Of the result: ("new", i), ("argument", i), or ("value", v)."""
    spec: Any


def capture(index: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a kernel as one operation of the graph that is being traced."""
    kernel = KERNELS[index]
    leaves, spec = pytree.tree_flatten(kernel.normalize_args(*args, **kwargs))
    tensors = [x for x in leaves if isinstance(x, torch.Tensor)]
    first = {id(t): i for i, t in reversed(list(enumerate(tensors)))}
    same = tuple(first[id(t)] for t in tensors)
    rest = tuple(_layout(x) if isinstance(x, torch.Tensor) else (type(x), x) for x in leaves)
    key = (index, spec, rest, same)
    if (plan := _PLANS.get(key)) is None:
        with _disable_current_modes():
            plan = _PLANS[key] = _planned(kernel, leaves, spec)
    made = plan.operator(*tensors)
    made = [] if made is None else [made] if isinstance(made, torch.Tensor) else list(made)
    where = {"new": lambda i: made[i], "argument": lambda i: tensors[i], "value": lambda v: v}
    return pytree.tree_unflatten([where[kind](x) for kind, x in plan.leaves], plan.spec)


def _layout(t: torch.Tensor) -> tuple[Any, ...]:
    """What the plan depends on; sizes that may change become those of this call."""
    return (tuple(int(n) for n in t.shape), tuple(int(s) for s in t.stride()), t.dtype, t.device)


def _planned(kernel: Kernel, leaves: Sequence[Any], spec: Any) -> Plan:
    """Define the operation for arguments of these layouts."""
    from torch._subclasses import FakeTensorMode

    layouts = [_layout(x) if isinstance(x, torch.Tensor) else None for x in leaves]

    def rebuilt(tensors: Sequence[torch.Tensor]) -> tuple[Any, ...]:
        left = iter(tensors)
        return pytree.tree_unflatten([x if n is None else next(left) for x, n in zip(leaves, layouts)], spec)

    with FakeTensorMode():
        tensors = [torch.empty_strided(n[0], n[1], dtype=n[2], device=n[3]) for n in layouts if n is not None]
        args = rebuilt(tensors)
        bound = kernel.bind(args)
        host = _without_launches(bound)
        results, result_spec = pytree.tree_flatten(host(*args))
    numbers = {id(t): i for i, t in enumerate(tensors)}
    storages = {t.untyped_storage()._cdata for t in tensors}
    described: list[tuple[str, Any]] = []
    new = itertools.count()
    for r in results:
        if not isinstance(r, torch.Tensor):
            described.append(("value", r))
        elif id(r) in numbers:
            described.append(("argument", numbers[id(r)]))
        elif r.untyped_storage()._cdata in storages:
            raise exc.BackendUnsupported(
                f"{kernel.name} returns a view of an argument, which torch.compile cannot take; return the argument"
            )
        else:
            described.append(("new", next(new)))
    fresh = [i for i, (kind, _) in enumerate(described) if kind == "new"]
    written = _written(bound, args, tensors)

    def outputs(result: Any) -> Any:
        found = pytree.tree_leaves(result)
        chosen = tuple(found[i] for i in fresh)
        return chosen[0] if len(chosen) == 1 else chosen or None

    name = f"{kernel.name}_{next(_NUMBERS)}"
    parameters = ", ".join(f"Tensor(a{i}!) t{i}" if i in written else f"Tensor t{i}" for i in range(len(tensors)))
    returned = "Tensor" if len(fresh) == 1 else f"({', '.join(['Tensor'] * len(fresh))})"
    _LIBRARY.define(f"{name}({parameters}) -> {returned}")
    _LIBRARY.impl(name, lambda *ts: outputs(kernel(*rebuilt(ts))), "CompositeExplicitAutograd")
    torch.library.register_fake(f"helion_ir::{name}", lambda *ts: outputs(host(*rebuilt(ts))), lib=_LIBRARY)
    return Plan(getattr(torch.ops.helion_ir, name).default, tuple(described), result_spec)


def _without_launches(bound: BoundKernel) -> Callable[..., Any]:
    """The host function, whose launches do nothing: what is returned has shapes and no contents."""
    from helion_ir.backend_triton.loader import load

    printed = bound.lowering.printed(bound.config_space.legal_default())
    run = load(printed, bound.kernel.fn.__globals__)
    return lambda *args: run(*args, _launcher=lambda *a, **k: None)


# ---- what is written ----


def _written(bound: BoundKernel, args: tuple[Any, ...], tensors: Sequence[torch.Tensor]) -> set[int]:
    """Which tensors the kernel may write to; a name that a view may stand for counts as what it is made of."""
    names: set[str] = set()
    for text in written_texts(bound.tile_module):
        names |= _roots(text, bound.tile_module)
    found: set[int] = set()
    for name, value in zip(bound.kernel.signature.parameters, args):
        if name in names:
            own = {id(t) for t in pytree.tree_leaves(value) if isinstance(t, torch.Tensor)}
            found |= {i for i, t in enumerate(tensors) if id(t) in own}
    return found


def written_texts(module: ModuleOp) -> Iterator[str]:
    """Host expressions of what device loops store to, and of what host statements change in place."""
    launches = [op for op in module.walk() if isinstance(op, LaunchOp)]
    for kernel in kernels(module, KernelOp):
        arguments = next((x.arguments for x in launches if x.kernel == kernel.sym_name), None)
        refs = {op.ref for op in kernel.walk() if isinstance(op, StoreOp | AtomicOp)}
        for value, text in zip(kernel.body.block.args, arguments or ()):
            if value in refs:
                yield text.data
    for statement in _host_statements(module):
        for node in ast.walk(statement):
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                yield ast.unparse(node.value)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_"):
                yield ast.unparse(node.func.value)


def _host_statements(module: ModuleOp) -> Iterator[ast.stmt]:
    for function in [op for op in module.walk() if isinstance(op, FuncOp)]:
        for op in function.walk():
            if isinstance(op, PythonOp):
                try:
                    yield from ast.parse(op.source.data).body
                except SyntaxError:  # a return is no statement of a module
                    continue


def _roots(text: str, module: ModuleOp) -> set[str]:
    """The names that an expression's tensor may share memory with."""
    names = _shared(ast.parse(text, mode="eval").body)
    done: set[str] = set()
    while names - done:
        name = (names - done).pop()
        done.add(name)
        for statement in _host_statements(module):
            for node in ast.walk(statement):
                targets = node.targets if isinstance(node, ast.Assign) else []
                if any(isinstance(t, ast.Name) and t.id == name for target in targets for t in ast.walk(target)):
                    names |= _shared(node.value)  # pyright: ignore
    return done


_FRESH = ("empty", "zeros", "ones", "full", "new_", "_like", "rand", "arange", "clone")


def _shared(value: ast.expr) -> set[str]:
    """Names of which a value may be a view: none where it is newly made."""
    if isinstance(value, ast.Call):
        function = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        if any(f in function for f in _FRESH):
            return set()
    if isinstance(value, ast.BinOp | ast.Constant | ast.Compare):
        return set()
    return {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
