"""From a Python function and arguments to a module of the tile dialect."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import SymInt
from xdsl.dialects.builtin import ArrayAttr, FileLineColLoc, IntAttr, ModuleOp, StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.traits import Pure

from helion_ir import exc
from helion_ir.dialects.host import FuncOp, LaunchOp, PythonOp
from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import RequireOp
from helion_ir.dialects.tile.control import KernelOp
from helion_ir.dialects.tile.memory import AtomicOp, LoadOp, StoreOp
from helion_ir.dialects.tile.ranges import AxisOp, IndexOp
from helion_ir.dialects.types import i32, i64, tile_type
from helion_ir.frontend.alignment import Alignment, aligned
from helion_ir.frontend.arguments import Arguments
from helion_ir.frontend.capture import Capture
from helion_ir.frontend.device import DeviceLanguage
from helion_ir.frontend.diagnostics import explain
from helion_ir.frontend.expressions import Names, Scope, is_device_code
from helion_ir.frontend.host import AuthorsError, Host
from helion_ir.frontend.imports import imports_of
from helion_ir.frontend.iterations import check_iterations
from helion_ir.frontend.jagged import Jagged
from helion_ir.frontend.knobs import OWNER, Knobs
from helion_ir.frontend.loops import LoopCall
from helion_ir.frontend.random import Random
from helion_ir.frontend.regions import assigned
from helion_ir.frontend.reshaped_lanes import fill_reshaped
from helion_ir.frontend.root_order import RootOrder
from helion_ir.frontend.sizes import BlockSizes, Size
from helion_ir.frontend.source import place_of_node
from helion_ir.frontend.subscripts import HostTensor
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.frontend.values import HostBool, HostFloat
from helion_ir.frontend.walker import Walker
from helion_ir.index.expr import free_names, knobs_of, scalars_of
from helion_ir.language import active
from helion_ir.language.tunables import constexpr
from helion_ir.records import fields_of, is_record, with_fields

if TYPE_CHECKING:
    import ast

    from sympy import Expr

SPECIALIZED = "helion_ir.specialized"
"""The module attribute that lists host expressions on whose values the kernel depends, besides shapes and constants."""

_RESERVED = frozenset(
    "math operator torch helion hl triton tl triton_helpers tl_math libdevice _default_launcher _launcher".split()
)


def trace(
    function: Callable[..., Any],
    args: Sequence[Any],
    *,
    static_shapes: bool = True,
    dot_precision: str = "tf32",
    index_dtype: torch.dtype | None = None,
    warnings: list[exc.BaseWarning] | None = None,
) -> ModuleOp:
    """The tile module of a kernel function called with these arguments: level 1 of docs/seams.md.

    Args:
        function: A plain Python function whose body has device loops.
        args: Its positional arguments; tensors are asked for shape, strides, dtype and device only.
        static_shapes: Make sizes and strides constants; else they become arguments of the kernel, and
            `assert x.size(0) == y.size(0)` makes two sizes one. Where only equal sizes give a kernel, the module says
            which must be; where host code needs numbers, they are constants nevertheless and the module says so.
        dot_precision: Of products of float32 operands: "tf32", "tf32x3" or "ieee".
        index_dtype: torch.int32 or torch.int64; by default int64 if a tensor has more than 2**31 - 1 elements.
        warnings: Where what the author may want to know is appended, with its places.

    Returns:
        A verified module: knobs, the host function, and one kernel for all device loops. The attribute
        `helion_ir.specialized` lists host expressions, such as names of arguments, that decided something.

    Raises:
        helion_ir.exc.BaseError: with the place in the author's source; and whatever the author's host code raises
            on purpose.
    """
    options: dict[str, Any] = {"dot_precision": dot_precision, "index_dtype": index_dtype}
    if static_shapes:
        return _traced(Trace(function, args, **options), warnings)
    for shapes in ("symbolic", "alike"):
        try:
            return _traced(Trace(function, args, shapes=shapes, **options), warnings)
        except exc.Base:
            # Sizes that nobody says are equal, or of which one is 1 and broadcasts; then host code that PyTorch cannot
            # run on symbolic sizes.
            continue
    return _traced(Trace(function, args, shapes="guarded", **options), warnings)


def _traced(tracer: Trace, warnings: list[exc.BaseWarning] | None) -> ModuleOp:
    try:
        module = tracer.run()
        if warnings is not None:
            warnings.extend(tracer.warnings.values())
        return module
    except AuthorsError as carrier:
        raise carrier.error from None
    except exc.Base as error:
        raise explain(error, tracer.failed_at) from error.__cause__
    except Exception as error:
        raise explain(error, tracer.failed_at) from error


class Trace:
    """What is known while one kernel is traced; host code, device code and the language meet here."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        *,
        shapes: Literal["static", "symbolic", "alike", "guarded"] = "static",
        dot_precision: str,
        index_dtype: torch.dtype | None,
    ):
        assert isinstance(function, types.FunctionType), "a kernel is a plain Python function"
        self.function, self.shapes, self.wanted_index_dtype = function, shapes, index_dtype
        self.failed_at: exc.Place | None = None
        self.warnings: dict[tuple[type[exc.BaseWarning], exc.Place], exc.BaseWarning] = {}
        """By class and place, so that each place is named once."""
        self.sizes = BlockSizes()
        self.alignment = Alignment(self.sizes)
        self.device_text, self.torch_device = "", torch.device("cpu")
        self.args = args
        self.arguments = Arguments(self)
        self.order = RootOrder(self.arguments.block, self.arguments.specialized)
        self.knobs = Knobs(self.sizes)
        self.kernel_name = f"_{function.__name__}"
        self.launch: LaunchOp | None = None
        self.required: list[tuple[Expr, str]] = []
        self.moved_ranges: dict[SSAValue, SSAValue] = {}
        self.blocks_in_use: list[Size | None] = []
        self.programmatic: dict[str, None] = {}
        """What the kernel says about the launches before and after it."""
        self.has_effects = False
        """Whether device code does something besides stores, such as printing."""
        self.loops_in_use: list[tuple[Any, Any, Any]] = []
        """Variable, lower and upper bound of each dimension of the loops around the statement being traced."""
        self.root_scope: Scope | None = None
        self.host_names: dict[str, Any] = {}
        self.index_dtype, self.index_element, self.index_type = torch.int32, i32, tile_type((), i32)
        self._dot_precision = dot_precision
        self._axes: dict[tuple[Expr, Expr], SSAValue] = {}
        self._axis_ops: list[Operation] = []
        self._sites: dict[tuple[str, str], int] = {}
        self._root_body: Block | None = None
        self._globals: dict[Any, Callable[[str], Any]] = {}
        self._lifted: dict[str, Any] = {}
        self._metas: dict[int, torch.Tensor] = {}
        self._alike: dict[int, tuple[str, Size]] = {}

    # ---- the whole ----

    def run(self) -> ModuleOp:
        function = self.function
        self._check_signature()
        names = self._bind()
        self.cap = Capture(self.sizes, self.torch_device, is_device_code)
        self.cap.block, self.cap.dot_precision = self.arguments.block, self._dot_precision
        self.walker = Walker(self)
        self.evaluator = self.walker.evaluator
        self.device = DeviceLanguage(self)
        self.jagged = Jagged(self)
        self.random = self.cap.random = Random(self)
        self.cap.before_add = self.jagged.guard
        self.host = Host(self, function, names)
        parameters = list(names)
        self._check_names()
        self.host.run()
        self.random.close()
        body = Region(self.host.ops)
        imports = imports_of(_host_sources(body), function.__globals__)
        ops: list[Operation] = [FuncOp(function.__name__, parameters, body, imports)]
        ops[0].location = self._location(self.host.node)
        if self.launch is not None:
            kernel = self._kernel()
            ops.append(kernel)
            declared = list(self.knobs.declarations(kernel))
            domains = {d.sym_name.data: d.domain.data.values for d in declared}
            fill_reshaped(kernel, domains, self.index_element)
            required = (*self.knobs.requirements(), *self.required, *self.sizes.requirements)
            needs = [RequireOp(expr_attr(e), reason, owner=OWNER) for e, reason in required]
            ops = [*declared, *needs, *ops]
        module = ModuleOp(ops)
        if self.arguments.specialized:
            module.attributes[SPECIALIZED] = ArrayAttr([StringAttr(t) for t in self.arguments.specialized])
        module.verify()
        return module

    def _kernel(self) -> KernelOp:
        kernel = KernelOp(self.kernel_name, [], Region(self.arguments.block))
        kernel.location = self._location(self.host.node)
        _prune(self.arguments.block)
        if not self.has_effects and not any(isinstance(op, StoreOp | AtomicOp) for op in kernel.walk()):
            raise exc.EmptyDeviceLoopAfterDCE(place=place_of_node(self.host.file, self.host.node))
        self.arguments.close(kernel)
        kernel.properties["arg_names"] = ArrayAttr([StringAttr(n) for n in self.arguments.names])
        if self.programmatic:
            kernel.programmatic = ArrayAttr([StringAttr(word) for word in self.programmatic])
        assert self.launch is not None
        self.launch.properties["arguments"] = ArrayAttr([StringAttr(t) for t in self.arguments.texts])
        return kernel

    def _location(self, node: ast.AST) -> FileLineColLoc:
        return FileLineColLoc(
            StringAttr(self.host.file), IntAttr(getattr(node, "lineno", 0)), IntAttr(getattr(node, "col_offset", 0) + 1)
        )

    # ---- arguments of the call ----

    def _check_signature(self) -> None:
        for p in inspect.signature(self.function).parameters.values():
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.KEYWORD_ONLY):
                raise exc.TypeInferenceError(
                    f"a kernel cannot have the parameter '{p}'; name its parameters one by one"
                )
        if self.function.__closure__:
            raise exc.ClosuresNotSupported(
                f"{self.function.__name__} uses {', '.join(self.function.__code__.co_freevars)} of an enclosing function; "
                "pass them as arguments"
            )

    def _check_names(self) -> None:
        own = [
            *self.function.__code__.co_varnames[: self.function.__code__.co_argcount],
            *assigned(self.host.node.body, methods=False),
        ]
        for name in own:
            if name in _RESERVED:
                raise exc.NamingConflict(f"the name '{name}' is needed by generated code; rename the variable")

    def _bind(self) -> dict[str, Any]:
        """The arguments as host code sees them, by name."""
        bound = inspect.signature(self.function).bind(*self.args)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            self._find_device(value, name)
        annotations = self.function.__annotations__
        out: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            literal = "constexpr" in _annotation(annotations.get(name)).lower()
            out[name] = value if literal and not isinstance(value, constexpr) else self._argument(value, name, name)
        return out

    def _find_device(self, value: Any, text: str) -> None:
        if self.device_text:
            return
        if isinstance(value, torch.Tensor):
            self.torch_device, self.device_text = value.device, f"{text}.device"
        elif isinstance(value, torch.device):
            self.torch_device, self.device_text = value, text
        elif isinstance(value, list | tuple):
            for i, v in enumerate(value):
                self._find_device(v, f"{text}[{i}]")
        elif isinstance(value, dict):
            for k, v in value.items():
                self._find_device(v, f"{text}[{k!r}]")
        elif is_record(value):
            for k, v in fields_of(value).items():
                self._find_device(v, f"{text}.{k}")

    def _argument(self, value: Any, name: str, text: str) -> Any:
        """An argument as host code sees it: tensors without data, numbers that may change from call to call."""
        match value:
            case constexpr():
                return value.value
            case torch.Tensor():
                return self._without_data(value, name, text)
            case bool():
                return HostBool(value, frozenset([text]), self.arguments.decided)
            case int():
                return self.arguments.number(name, text, value)
            case float():
                return HostFloat.of(value, frozenset([text]), self.arguments.decided)
            case tuple() if hasattr(value, "_fields"):
                parts = [self._argument(v, f"{name}_{f}", f"{text}.{f}") for f, v in zip(value._fields, value)]  # pyright: ignore
                return type(value)(*parts)
            case tuple() | list():
                return type(value)(self._argument(v, f"{name}_{i}", f"{text}[{i}]") for i, v in enumerate(value))
            case dict():
                return {k: self._argument(v, f"{name}_{k}", f"{text}[{k!r}]") for k, v in value.items()}
            case _ if is_record(value):
                return with_fields(value, lambda f, v: self._argument(v, f"{name}_{f}", f"{text}.{f}"))
        return value

    def _without_data(self, tensor: torch.Tensor, name: str, text: str) -> torch.Tensor:
        if (known := self._metas.get(id(tensor))) is None:
            shape: list[Size] = list(tensor.shape)
            strides: list[Size] = list(tensor.stride())
            if self.shapes == "guarded":
                self.arguments.specialized |= {f"tuple({text}.shape)": None, f"{text}.stride()": None}
            elif self.shapes != "static":
                shape = [self._size(f"{name}_size_{i}", f"{text}.size({i})", s) for i, s in enumerate(tensor.shape)]
                # One stride of 1 is known, by the key of the call: where elements are next to each other in memory.
                unit = tensor.ndim - 1 - tensor.stride()[::-1].index(1) if 1 in tensor.stride() else None
                strides = [
                    1 if i == unit else self.arguments.integer(f"{name}_stride_{i}", f"{text}.stride({i})", s)
                    for i, s in enumerate(tensor.stride())
                ]
            known = torch.empty_strided(shape, strides, dtype=tensor.dtype, device="meta")  # pyright: ignore
            self.alignment.argument(known, aligned(tensor), text, tensor.is_contiguous())
            self.order.outside(known, tensor, text)
            self._metas[id(tensor)] = known
        return known

    def _size(self, name: str, text: str, value: int) -> Size:
        """A size that may differ from call to call; with shapes="alike" those equal in this call are equal in all."""
        if self.shapes == "symbolic":
            return self.arguments.integer(name, text, value)
        if value == 1:
            self.arguments.specialized[f"{text} == 1"] = None
            return 1
        if value in self._alike:
            first, size = self._alike[value]
            self.arguments.specialized[f"{text} == {first}"] = None
            return size
        size = self.arguments.integer(name, text, value)
        self._alike[value] = text, size
        return size

    def unify(self, a: SymInt, b: SymInt) -> bool:
        """Whether two different sizes of arguments are equal in this call, so that asserting it makes them one."""
        x, y = self.sizes.expr(a), self.sizes.expr(b)
        if x == y or not (x.is_Symbol and y.is_Symbol):
            return False
        known = self.arguments.value_of(a)
        return known is not None and known == self.arguments.value_of(b)

    def device_of(self, _: torch.Tensor | None) -> torch.device:
        """The device of a tensor of the host: there is one."""
        return self.torch_device

    # ---- names ----

    def globals_of(self, function: types.FunctionType) -> Callable[[str], Any]:
        """Where names come from in device code that are no variables of a function."""
        if function not in self._globals:
            # a function defined in the kernel itself sees the kernel's variables
            if function.__globals__ is self.host.names:
                own = self._host_name
            elif isinstance(function.__globals__, Names):
                own = function.__globals__.__getitem__
            else:
                own = self.arguments.globals(function, self.function.__globals__)
            self._globals[function] = own
        return self._globals[function]

    def host_global(self, name: str) -> Any:
        """A global as host code sees it."""
        import builtins

        module = self.function.__globals__
        if name not in module:
            if hasattr(builtins, name):
                return getattr(builtins, name)
            raise NameError(f"name '{name}' is not defined")
        value = module[name]
        if type(value) is float:
            return HostFloat.of(value, frozenset([name]), self.arguments.decided)
        if type(value) is int:
            return self.arguments.outside(value, name, name)
        return value

    def closure_of(self, function: types.FunctionType) -> dict[str, Any]:
        return self.arguments.closure(function)

    def _host_name(self, name: str) -> Any:
        """A name of device code that is a variable of the host, or a global of the kernel's module."""
        if name in self.host_names:
            if name not in self._lifted:
                self._lifted[name] = self.arguments.lift(self.host_names[name], name, name)
            return self._lifted[name]
        if self.root_scope is not None and name in self.host.device_names and name not in self.root_scope.names:
            raise exc.CrossRootDeviceValue(
                f"'{name}' belongs to another device loop; store it into a tensor and load it again"
            )
        try:
            return self.globals_of(self.function)(name)
        except NameError:
            if self.root_scope is not None:
                raise self.root_scope.undefined(name) from None
            raise

    # ---- device loops ----

    def root(self, node: ast.For) -> None:
        """Walk a device loop at the top level."""
        self._choose_index_dtype()
        self.host_names = dict(self.host.names)
        self.order.begin()
        self._axes, self._axis_ops = {}, []
        scope = self.root_scope = Scope(self.host.file, {}, self._host_name, self.evaluator.hooks)
        self.cap.statement = self._location(node)
        self._lifted = {}
        if node.orelse:
            raise exc.DeviceLoopElseBlock()
        with active.using(self.device), self.cap:
            with self.device.loop_allowed():
                call = self.walker.evaluate(node.iter, scope)
            assert isinstance(call, LoopCall)
            root = self.walker.loops.root(call, node, scope)
            self.cap.check_changed()
            check_iterations(root, self.knobs.given_size)
        self.root_scope = None

    def warn(self, kind: type[exc.BaseWarning], place: exc.Place, message: str = "") -> None:
        """Remember what the author may want to know."""
        self.warnings.setdefault((kind, place), kind(message, place))

    def barrier(self, node: ast.stmt) -> None:
        """Later top-level loops may use what earlier ones have stored."""
        self.order.barrier(self._location(node))

    def _choose_index_dtype(self) -> None:
        wanted = self.wanted_index_dtype
        if wanted is None:
            tensors = [v for v in self.host.names.values() if isinstance(v, torch.Tensor)]
            wanted = torch.int64 if any([self.arguments.large(t) for t in tensors]) else torch.int32
        self.index_dtype, self.index_element = wanted, i64 if wanted == torch.int64 else i32
        self.index_type = tile_type((), self.index_element)

    def entered(self, body: Block) -> None:
        """The body of a top-level loop, where axes are put."""
        self._root_body = body

    def axis_label(self, tensor: HostTensor, axis: int, extent: Size) -> str:
        """The name of a whole axis: a host variable that holds its extent, else after the tensor."""
        for name, value in self.host_names.items():
            if isinstance(value, int | SymInt) and not isinstance(value, bool) and self.sizes.equal(value, extent):
                return name
        return f"{tensor.name}_dim{axis}"

    def axis(self, label: str, low: Expr, high: Expr) -> SSAValue:
        """The range of a whole axis or of a slice with fixed bounds; one op for all uses in a top-level loop."""
        if (known := self._axes.get((low, high))) is None:
            op = AxisOp(self.knobs.label(label), low, high)
            if (location := self.cap.location()) is not None:
                op.location = location
            op.result.name_hint = label
            body = self._root_body
            assert body is not None
            if self._axis_ops:
                body.insert_op_after(op, self._axis_ops[-1])
            elif body.first_op is not None:
                body.insert_op_before(op, body.first_op)
            else:
                body.add_op(op)
            self._axis_ops.append(op)
            known = self._axes[low, high] = op.result
        return known

    def range_of(self, index: TileTensor) -> SSAValue | None:
        """The range that an index tensor is made of, unchanged: `tile.index` or `tile + k`."""
        value = index.value
        if value in self.moved_ranges:
            return self.moved_ranges[value]
        return value.owner.range if isinstance(value.owner, IndexOp) else None

    def site(self, kind: str, name: str) -> str:
        """The name of an access, for knobs."""
        count = self._sites.get((kind, name), 0)
        self._sites[kind, name] = count + 1
        return f"{name}.{count}" if count else name

    def require(self, condition: Expr, reason: str) -> None:
        """Rule out configurations for which `condition` is false; what a call decides rules none out."""
        if not scalars_of(condition) and (condition, reason) not in self.required and condition != 1:
            self.required.append((condition, reason))

    def check_extent(self, size: SymInt) -> None:
        """Raise ShapeSpecializingAllocation for an extent that only the run fixes."""
        expr = self.sizes.expr(size)
        if len(free_names(expr)) > len(knobs_of(expr)):
            raise exc.ShapeSpecializingAllocation(
                f"the extent {size} of a device tensor is not known at compile time; wrap the size in hl.specialize"
            )


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _prune(block: Block) -> None:
    """Take out ops without effect whose results nobody uses, and results of atomics that nobody uses."""
    for op in reversed(list(block.ops)):
        for region in op.regions:
            for inner in region.blocks:
                _prune(inner)
        unused = all(r.first_use is None for r in op.results)
        if not unused or not op.results:
            continue
        if op.has_trait(Pure) and not op.regions or isinstance(op, LoadOp):
            op.detach()
            op.erase()
        elif isinstance(op, AtomicOp):
            new = AtomicOp(
                op.site.data, op.kind.data, op.sem.data, list(op.arguments), op.ref, list(op.subscripts), op.mask
            )
            new.location = op.location
            block.insert_op_before(new, op)
            op.detach()
            op.erase()


def _host_sources(body: Region) -> list[str]:
    """The Python of a host function: its statements, and the arguments of its launches."""
    found: list[str] = []
    for op in body.block.ops:
        if isinstance(op, PythonOp):
            found.append(op.source.data)
        elif isinstance(op, LaunchOp):
            found += [a.data for a in op.arguments]
    return found
