"""Every error and warning that reaches a kernel author, in the author's words.

A class's docstring is its message where the place that raises it has nothing better to say.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar, Self


@dataclass(frozen=True)
class Place:
    """A stretch of the author's source; lines and columns count from 1 and the end column is exclusive."""

    file: str
    line: int
    column: int
    end_column: int
    text: str

    def __str__(self) -> str:
        shown = self.text.expandtabs().strip()
        indent = len(self.text) - len(self.text.lstrip())
        start = max(0, self.column - 1 - indent)
        width = max(1, min(self.end_column - self.column, len(shown) - start))
        return f'While processing:\n  File "{self.file}", line {self.line}\n    {shown}\n    {" " * start}{"^" * width}'


class Base(RuntimeError):
    """Base of everything below: a message and, where known, the place in the author's source."""

    level: ClassVar[str] = "ERROR"

    def __init__(self, message: str = "", place: Place | None = None):
        super().__init__(message)
        self.message = message or " ".join((type(self).__doc__ or type(self).__name__).split())
        self.place = place

    def at(self, place: Place | None) -> Self:
        """The same error with its place, unless it has one already."""
        if self.place is None:
            self.place = place
        return self

    def __str__(self) -> str:
        return self.message if self.place is None else f"{self.message}\n{self.place}"

    def report(self) -> str:
        """`ERROR[Class]: message`."""
        return f"{self.level}[{type(self).__name__}]: {self}"


class BaseError(Base):
    """Base of the errors."""


class BaseWarning(Base):
    """Base of the warnings, which are printed and never raised."""

    level = "WARNING"


def warn(warning: BaseWarning, ignored: tuple[type[BaseWarning], ...] = ()) -> None:
    """Print a warning to stderr unless its class, or a base of it, is ignored."""
    if not isinstance(warning, ignored):
        print(warning.report(), file=sys.stderr)


# ---- definition and call --------------------------------------------------------------------------------------------


class NotInsideKernel(BaseError):
    """Functions of helion_ir.language can be called inside a kernel only."""


class NamingConflict(BaseError):
    """A variable has a name that generated code needs for itself; rename it."""


class ClosuresNotSupported(BaseError):
    """A kernel cannot use variables of an enclosing function; pass them as arguments."""


class DecoratorAfterHelionKernelDecorator(BaseError):
    """The kernel decorator must be the innermost one; move other decorators above it."""


class NoTensorArgs(BaseError):
    """A kernel needs a tensor or a torch.device among its arguments, to know where to run."""


class NestedKernelCallsNotSupported(BaseError):
    """A kernel cannot call another kernel; call a plain function instead."""


class GraphModuleUnsupportedOps(BaseError):
    """A GraphModule argument may hold function calls only, no modules and no attributes."""


class NoDeviceLoopsInKernel(BaseError):
    """The kernel has no loop over hl.tile or hl.grid at the top level of its body, so nothing would run on the device."""


class EmptyDeviceLoopAfterDCE(BaseError):
    """The device loops of the kernel store nothing, so they have no effect."""


class InputTensorNumelExceedsIndexType(BaseError):
    """A tensor has more elements than 32-bit indices can number; use index_dtype=torch.int64."""


class IndexOffsetOutOfRangeForInt32(BaseError):
    """An offset into a tensor exceeds 32 bits; use index_dtype=torch.int64."""


class RefEagerModeCodePrintError(BaseError):
    """There is no generated code to print in eager reference mode."""


class IncompatibleInterpretModes(BaseError):
    """HELION_INTERPRET and TRITON_INTERPRET cannot be set together."""


class DuplicateStoreIndicesError(BaseError):
    """A store writes one element twice, so the result would depend on the order."""


class InvalidAPIUsage(BaseError):
    """A function was called with arguments it does not accept."""


# ---- structure ------------------------------------------------------------------------------------------------------


class NestedGridLoop(BaseError):
    """A loop over hl.tile or hl.grid must stand at the top level of the kernel or inside another one, not in a host block."""


class TopLevelStatementBetweenLoops(BaseError):
    """Nothing but hl.barrier() may stand between two top-level device loops; move it before the first or after the last."""


class LoopDependencyError(BaseError):
    """Iterations of a top-level loop use what others write. A later loop may: loops run one after the other."""


class CrossLoopSchedulingError(BaseError):
    """A dependency between two top-level loops cannot be scheduled."""


class CrossRootDeviceValue(BaseError):
    """A value of one top-level device loop cannot be used in another; store it and load it again."""


class BarrierOnlyAllowedAtTopLevel(BaseError):
    """hl.barrier() may stand between two top-level device loops only."""


class BarrierRequiresPersistent(BaseError):
    """hl.barrier() needs pid_type="persistent_blocked"."""


class PdlPlacement(BaseError):
    """Programmatic launch statements may stand before the first or after the last device loop only."""


class PdlStateWithoutWait(BaseError):
    """State that an earlier kernel writes is read without hl.pdl_wait()."""


class LoopFunctionNotInFor(BaseError):
    """hl.tile, hl.grid and hl.static_range can be used as the iterable of a `for` only."""


class DeviceLoopElseBlock(BaseError):
    """A device loop cannot have an `else` block."""


class InvalidDeviceForLoop(BaseError):
    """A `for` in device code iterates over hl.tile, hl.grid, range, hl.static_range or a Python sequence."""


class NestedDeviceLoopsConflict(BaseError):
    """Two nested loops cannot share one registered block size; register another."""


class InvalidTileRange(BaseError):
    """The range begins after its end."""


class TileOfTile(BaseError):
    """A tile cannot be a bound; use hl.tile(t.begin, t.end) to loop inside of it."""


class FailedToUnpackTile(BaseError):
    """A loop over one dimension gives one tile, which cannot be unpacked."""


class OverpackedTile(BaseError):
    """A tuple of tiles stands inside a subscript; use the tuple itself as the subscript, or unpack it."""


class IncorrectTileUsage(BaseError):
    """A tile can be used in subscripts, shapes and hl functions only; use tile.index for its indices."""


class InvalidJaggedTileUsage(BaseError):
    """hl.jagged_tile needs a device tensor of lengths over the enclosing tiles."""


class DeviceAPIOnHost(BaseError):
    """This function works inside a device loop only."""


class SpecializeOnDevice(BaseError):
    """hl.specialize must be called before the device loops."""


class NotAllowedOnDevice(BaseError):
    """This statement is not allowed in device code."""


class AssignmentMultipleTargets(NotAllowedOnDevice):
    """Device code assigns to one target a statement; split `a = b = value` in two."""


class InvalidAssignment(NotAllowedOnDevice):
    """Device code can assign to a name, a flat tuple of names, or a subscript of a host tensor."""


class StatementNotSupported(BaseError):
    """This statement is not supported in a kernel."""


class UnsupportedPythonType(BaseError):
    """This kind of expression is not supported in a kernel."""


class StarredArgsNotSupportedOnDevice(BaseError):
    """Starred targets are not supported in device code; unpack to names."""


class UndefinedVariable(BaseError):
    """A name is not defined."""


class CannotReadDeviceVariableOnHost(BaseError):
    """A variable of a device loop cannot be read on the host; store it into a tensor."""


class CannotModifyHostVariableOnDevice(BaseError):
    """A host variable cannot be rebound in device code; use another name, or store into a tensor by subscript."""


class CantReadOnDevice(BaseError):
    """This host value cannot be used in device code."""


class GlobalMutation(BaseError):
    """Device code cannot assign to a global."""


class ClosureMutation(BaseError):
    """Device code cannot rebind a variable of an enclosing function."""


class NotAllowedInHelperFunction(BaseError):
    """A combine function works on scalars: it cannot use tiles, loads, stores or hl functions."""


class TracedArgNotSupported(BaseError):
    """This kind of argument cannot be traced."""


# ---- types and shapes -----------------------------------------------------------------------------------------------


class TypeInferenceError(BaseError):
    """The type of an expression cannot be determined."""


class CantCombineTypesInControlFlow(BaseError):
    """A variable has different types on two paths that meet."""


class ControlFlowTensorMismatch(BaseError):
    """A variable has different shapes or dtypes on two paths that meet."""


class RankMismatch(BaseError):
    """The number of dimensions does not match."""


class ShapeMismatch(BaseError):
    """Two shapes do not match."""


class InvalidIndexingType(BaseError):
    """This cannot be used as a subscript."""


class InvalidSliceStep(BaseError):
    """The step of a slice must be positive."""


class TensorSliceBound(BaseError):
    """A loaded value cannot bound a slice; loop over hl.tile(begin, end) instead."""


class InvalidSequenceSubscription(BaseError):
    """A Python sequence can be subscripted by compile-time integers only; use hl.static_range for the loop."""


class FailedToUnpackTupleAssign(BaseError):
    """The number of targets and values differ."""


class RequiresTensorInAssignment(BaseError):
    """A tensor or a number must be stored."""


class NonTensorSubscriptAssign(BaseError):
    """Only tensors of the host, and lists, can be assigned to by subscript."""


class DeviceTensorSubscriptAssignmentNotAllowed(BaseError):
    """A device tensor cannot be assigned to by subscript; use torch.where, or store into a tensor of the host."""


class HostTensorDirectUsage(BaseError):
    """A tensor of the host must be loaded by a subscript before it is used in device code."""


class ShapeSpecializingCall(BaseError):
    """The value of a size is needed at compile time; wrap it in hl.specialize."""


class ShapeSpecializingAllocation(BaseError):
    """The shape of a device tensor must be known at compile time; wrap the size in hl.specialize."""


class SpecializeArgType(BaseError):
    """hl.specialize takes sizes, integers, and lists or tuples of them."""


class DataDependentOutputShapeNotSupported(BaseError):
    """The shape of the result would depend on data; use torch.where or extra_mask."""


class UnsupportedSplitOperation(BaseError):
    """The last dimension must have extent 2 to be split."""


class UnsupportedSplitConfiguration(BaseError):
    """A tile of this block size cannot be split."""


class UnsupportedIndexRemapping(BaseError):
    """These indices cannot be remapped."""


class ReductionOnNonTile(BaseError):
    """This dimension cannot be reduced."""


class InvalidReductionDim(BaseError):
    """The dimension to reduce does not exist."""


class MultipleReductionDims(BaseError):
    """Only one dimension can be reduced at a time."""


class ReductionDimInvalidForShape(BaseError):
    """The dimension to reduce does not exist in this shape."""


class DotBatchDimensionMismatch(BaseError):
    """The batch dimensions of hl.dot must be equal, or one of them 1."""


class AtomicOnDeviceTensor(BaseError):
    """Atomics work on tensors of the host, not on device tensors."""


class StackTensorcOnHost(BaseError):
    """A stack tensor can be made in device code only."""


class StackTensorDevPtrOnHost(BaseError):
    """The pointers of a stack tensor must be loaded."""


class StackTensorDevPtrDtype(BaseError):
    """The pointers of a stack tensor must have dtype uint64."""


class StackTensorExampleOnDevice(BaseError):
    """The example of a stack tensor must be a tensor of the host."""


class BreakpointInDeviceLoopRequiresInterpret(BaseError):
    """breakpoint() in device code works in an interpret mode only."""


class InternalError(BaseError):
    """The compiler failed; this is a bug of it."""


class TorchOpTracingError(BaseError):
    """PyTorch refused an operation on tiles."""


class InductorLoweringError(BaseError):
    """An operation could not be lowered."""


class BackendUnsupported(InductorLoweringError):
    """The compiler does not support this."""


class BackendImplementationMissing(BackendUnsupported):
    """The compiler has no implementation of this."""


# ---- configurations and tuning --------------------------------------------------------------------------------------


class InvalidConfig(BaseError):
    """The configuration does not fit the kernel."""


class RegisterTunableArgTypes(BaseError):
    """hl.register_tunable takes a string literal and a fragment."""


class TunableTypeNotSupported(BaseError):
    """hl.register_tunable takes a fragment constructed in the call, such as PowerOfTwoFragment(1, 64)."""


class TunableNameConflict(BaseError):
    """The name of a tunable is taken."""


class ConfigSpecFragmentWithSymInt(BaseError):
    """The bounds of a fragment must be constants; wrap sizes in hl.specialize."""


class AutotuneError(BaseError):
    """Tuning failed."""


class NoConfigFound(BaseError):
    """No configuration works."""


class NotEnoughConfigs(BaseError):
    """Tuning needs two configurations or more."""


class AutotuningDisallowedInEnvironment(BaseError):
    """Tuning is disallowed here; give a config."""


class CacheAssertionError(BaseError):
    """The cache was asserted to hit, and missed."""


class TritonError(BaseError):
    """Triton failed to compile a kernel."""


class TritonUnrecoverableRuntimeError(BaseError):
    """A kernel failed in a way that leaves the device unusable."""


class ErrorCompilingKernel(BaseError):
    """Compilation of a kernel failed."""


class AutodiffKernelNotCalled(BaseError):
    """The kernel must be called before its backward pass is built."""


class AutodiffNotSupported(BaseError):
    """The backward pass of this kernel is not supported."""


# ---- warnings -------------------------------------------------------------------------------------------------------


class TensorOperationInWrapper(BaseWarning):
    """A tensor operation outside of the device loops is not fused."""


class TensorOperationsInHostCall(TensorOperationInWrapper):
    """A function called outside of the device loops runs tensor operations that are not fused."""


class WrongDevice(BaseWarning):
    """A host operation made a tensor on another device than the kernel's."""


class BlockSizeIgnoredInInterpretMode(BaseWarning):
    """Block sizes have no effect in interpret mode."""


class TiledKMatmulAccumulationWarning(BaseWarning):
    """`acc += a @ b` rounds at every step; use torch.addmm(acc, a, b) or hl.dot(a, b, acc=acc)."""


class SettingWithoutEffect(BaseWarning):
    """A setting is accepted and changes nothing."""


class NoAOTHeuristicWarning(BaseWarning):
    """An ahead-of-time kernel has no heuristic file."""


class BlockPtrIndexingUnavailable(BaseWarning):
    """This version of Triton has no block pointers."""
