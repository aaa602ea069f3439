"""Random kernels as text, from a seed, and the same computation in eager PyTorch, tile by tile."""

from __future__ import annotations

import linecache
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

FLOATS = ("float32", "bfloat16", "float16")
INTS = ("int32", "int64", "int8", "uint8")


@dataclass(frozen=True)
class Value:
    """A name in the program: its dimensions ("m", "n", "k" or "1"), its dtype, and whether every step that led to it is
    exactly defined, so that comparing or rounding it is."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    exact: bool
    depth: int = 0


@dataclass
class Program:
    """A kernel of `loop` structure, with its arguments."""

    seed: int
    sizes: dict[str, int]
    source: str
    eager: str
    args: tuple[torch.Tensor, ...]
    tolerance: float
    outputs: list[Value] = field(default_factory=list)

    def function(self) -> Callable[..., Any]:
        """The kernel as a Python function whose source can be read."""
        import helion_ir.language as hl

        filename = f"<program {self.seed}>"
        linecache.cache[filename] = (len(self.source), None, self.source.splitlines(True), filename)
        scope: dict[str, Any] = {"torch": torch, "hl": hl}
        exec(compile(self.source, filename, "exec"), scope)
        return scope["program"]

    def expected(self, rows: int, columns: int) -> list[torch.Tensor]:
        """What PyTorch computes, in blocks of that many rows and columns."""
        scope: dict[str, Any] = {"torch": torch, "Tile": Tile, "BM": rows, "BN": columns}
        exec(compile(self.eager, f"<eager program {self.seed}>", "exec"), scope)
        return scope["program"](*[a.clone() for a in self.args])


class Tile:
    """A block of indices, as eager PyTorch needs it."""

    def __init__(self, begin: int, end: int, extent: int) -> None:
        self.s, self.n = slice(begin, min(begin + end, extent)), min(begin + end, extent) - begin
        self.index = torch.arange(self.s.start, self.s.stop, dtype=torch.int32)
        self.begin = begin

    @staticmethod
    def all(extent: int, block: int) -> list[Tile]:
        return [Tile(b, block, extent) for b in range(0, extent, block)]


_EXACT_UNARY = ("({0}).abs()", "-({0})", "torch.relu({0})", "({0}) + 0.5", "({0}) * 2", "({0}).clamp(-1, 2)")
_SMOOTH = (
    "torch.tanh({0})", "torch.sin({0})", "torch.sigmoid({0})", "torch.exp(-({0}).abs())", "torch.erf({0})",
    "torch.log1p(({0}).abs())", "torch.sqrt(({0}).abs() + 1)", "torch.nn.functional.gelu({0})", "({0}) / 3",
)  # fmt: skip
_STEPS = ("({0}).floor()", "({0}).round()", "({0}).sign()", "({0}).trunc()")
_BINARY = ("{0} + {1}", "{0} - {1}", "torch.maximum({0}, {1})", "torch.minimum({0}, {1})")
_INT_BINARY = (
    "{0} & {1}",
    "{0} | {1}",
    "{0} ^ {1}",
    "{0} // (({1} & 7) + 1)",
    "{0} % (({1} & 7) + 1)",
    "{0} * 3 + {1}",
)


class Writer:
    """Writes one program: statements that are valid on tiles and, with slices for tiles, on tensors."""

    def __init__(self, seed: int) -> None:
        self.random = r = random.Random(seed)
        self.seed = seed
        self.sizes = {
            "m": r.choice((0, 1, 7, 8, 9, 13)), "n": r.choice((1, 15, 16, 17, 31, 37)), "k": r.choice((1, 3, 5, 7, 8, 11)),
        }  # fmt: skip
        self.float = r.choice(FLOATS)
        self.statements: list[tuple[int, str, str]] = []
        self.depth = 1
        self.count = 0
        self.scope: list[list[Value]] = [[]]
        self.arguments = {
            "x": ("m", "n", self.float), "y": ("m", "k", self.float), "w": ("n", "k", r.choice(FLOATS)),
            "i": ("m", "n", r.choice(INTS)), "j": ("m", "k", "int32"), "v": ("n", None, "float32"),
        }  # fmt: skip
        self.used_smooth = False

    # ---- statements ----

    def line(self, kernel: str, eager: str | None = None) -> None:
        self.statements.append((self.depth, kernel, kernel if eager is None else eager))

    def define(self, text: str, dims: Sequence[str], dtype: str, exact: bool, depth: int = 0, eager: str | None = None):
        name = f"t{self.count}"
        self.count += 1
        self.line(f"{name} = {text}", None if eager is None else f"{name} = {eager}")
        value = Value(name, tuple(dims), dtype, exact, depth)
        self.scope[-1].append(value)
        return value

    def values(self) -> list[Value]:
        return [v for s in self.scope for v in s]

    def pick(self, wanted: Callable[[Value], bool]) -> Value | None:
        found = [v for v in self.values() if wanted(v)]
        return self.random.choice(found[-6:]) if found else None

    def load(self, name: str) -> Value:
        first, second, dtype = self.arguments[name]
        dims = [d for d in (first, second) if d]
        text = ", ".join(":" if d == "k" else f"tile_{d}" for d in dims)
        return self.define(f"{name}[{text}]", dims, dtype, True, eager=f"{name}[{text.replace('tile_m', 'tile_m.s').replace('tile_n', 'tile_n.s')}]")  # fmt: skip

    # ---- expressions ----

    def step(self) -> None:
        kinds = [
            self.unary, self.binary, self.binary, self.product, self.smooth, self.steps, self.choose, self.cast,
            self.reduce, self.reduce, self.unsqueeze, self.permute, self.integers, self.indices, self.rows, self.scan,
            self.dot, self.squeeze, self.softmax,
        ]  # fmt: skip
        self.random.choice(kinds)()

    def unary(self) -> None:
        if v := self.pick(_floating):
            self.define(self.random.choice(_EXACT_UNARY).format(v.name), v.dims, v.dtype, v.exact, v.depth + 1)

    def smooth(self) -> None:
        if v := self.pick(_floating):
            self.define(self.random.choice(_SMOOTH).format(v.name), v.dims, v.dtype, False, v.depth + 1)

    def steps(self) -> None:
        if v := self.pick(lambda v: _floating(v) and v.exact):
            self.define(self.random.choice(_STEPS).format(v.name), v.dims, v.dtype, True, v.depth + 1)

    def pair(self, wanted: Callable[[Value], bool]) -> tuple[Value, Value, tuple[str, ...]] | None:
        a = self.pick(wanted)
        if a is None:
            return None
        b = self.pick(lambda v: wanted(v) and _joined(a.dims, v.dims) is not None)
        dims = None if b is None else _joined(a.dims, b.dims)
        return None if b is None or dims is None else (a, b, dims)

    def binary(self) -> None:
        if p := self.pair(_floating):
            a, b, dims = p
            dtype = _promoted(a, b)
            text = self.random.choice(_BINARY).format(a.name, b.name)
            self.define(text, dims, dtype, a.exact and b.exact, max(a.depth, b.depth) + 1)

    def product(self) -> None:
        if p := self.pair(lambda v: _floating(v) and v.depth < 4):
            a, b, dims = p
            text = f"{a.name} * torch.tanh({b.name})" if self.random.random() < 0.5 else f"{a.name} * {b.name}"
            exact = a.exact and b.exact and "tanh" not in text
            self.define(text, dims, _promoted(a, b), exact, max(a.depth, b.depth) + 3)

    def choose(self) -> None:
        c = self.pick(lambda v: v.exact and v.dtype != "bool")
        if c is None:
            return
        a = self.pick(lambda v: _floating(v) and _joined(c.dims, v.dims) is not None)
        if a is None:
            return
        dims = _joined(c.dims, a.dims)
        assert dims is not None
        test = f"{c.name} {self.random.choice(('<', '>=', '==', '!='))} {self.random.choice((0, 1))}"
        self.define(
            f"torch.where({test}, {a.name}, {self.random.choice((0.0, -1.5))})", dims, a.dtype, a.exact, a.depth
        )

    def cast(self) -> None:
        v = self.pick(lambda v: v.exact and v.dtype != "bool")
        if v is None:
            return
        if _floating(v):
            to = self.random.choice((*FLOATS, "int32", "int64", "int8", "bool"))
            small = v.depth < 3
            if to.startswith("int") and not small:
                return
        else:
            to = self.random.choice((*INTS, "float32", "bool"))
        self.define(f"{v.name}.to(torch.{to})", v.dims, to, True, v.depth)

    def reduce(self) -> None:
        v = self.pick(lambda v: bool(v.dims))
        if v is None:
            return
        dim = self.random.randrange(len(v.dims))
        keep = self.random.random() < 0.5
        kinds = ["sum", "amax", "amin"]
        if v.dtype == "bool":
            kinds = ["any", "all", "sum"]
        elif v.exact:
            kinds += ["argmax", "argmin"]
        kind = self.random.choice(kinds)
        if v.dims[dim] == "n" and kind.startswith("arg") or (kind == "sum" and v.depth > 6):
            return
        dims = [("1" if keep else "") if i == dim else d for i, d in enumerate(v.dims)]
        dtype = v.dtype
        if kind.startswith("arg") or (kind == "sum" and not _floating(v)):
            dtype = "int64"
        elif kind in ("any", "all"):
            dtype = "bool"
        exact = v.exact and (kind != "sum" or not _floating(v) or v.depth < 2)
        text = f"{v.name}.{kind}({dim}, keepdim={keep})"
        self.define(text, [d for d in dims if d], dtype, exact, v.depth + (4 if kind == "sum" else 0))

    def unsqueeze(self) -> None:
        if v := self.pick(lambda v: 0 < len(v.dims) < 3):
            at = self.random.randrange(len(v.dims) + 1)
            self.define(f"{v.name}.unsqueeze({at})", [*v.dims[:at], "1", *v.dims[at:]], v.dtype, v.exact, v.depth)

    def squeeze(self) -> None:
        if v := self.pick(lambda v: "1" in v.dims and len(v.dims) > 1):
            at = v.dims.index("1")
            self.define(f"{v.name}.squeeze({at})", [*v.dims[:at], *v.dims[at + 1 :]], v.dtype, v.exact, v.depth)

    def permute(self) -> None:
        if v := self.pick(lambda v: len(v.dims) > 1):
            order = self.random.sample(range(len(v.dims)), len(v.dims))
            text = f"{v.name}.permute({', '.join(map(str, order))})"
            self.define(text, [v.dims[i] for i in order], v.dtype, v.exact, v.depth)

    def integers(self) -> None:
        if p := self.pair(lambda v: v.dtype in ("int32", "int64", "int8")):
            a, b, dims = p
            dtype = max(a.dtype, b.dtype, key=("int8", "int32", "int64").index)
            self.define(self.random.choice(_INT_BINARY).format(a.name, b.name), dims, dtype, True, 4)

    def indices(self) -> None:
        d = self.random.choice([d for d in self.tiles()])
        text = f"(tile_{d}.index * {self.random.choice((1, 3))} - {self.random.choice((0, 2))})"
        value = self.define(text, [d], "int32", True)
        if self.random.random() < 0.5:
            self.define(f"({value.name} % 5).to(torch.float32)", [d], "float32", True)

    def tiles(self) -> list[str]:
        return ["m", "n"] if self.depth > 2 or self.flat else ["m"]

    def rows(self) -> None:
        """What is done along a whole axis."""
        v = self.pick(lambda v: bool(v.dims) and v.dims[-1] == "k" and v.dtype != "bool")
        if v is None or self.sizes["k"] < 2:
            return
        k, last = self.sizes["k"], len(v.dims) - 1
        choices = [f"{v.name}.flip({last})", f"{v.name}.roll(1, {last})", f"torch.cat([{v.name}[..., 1:], {v.name}[..., :1]], {last})"]  # fmt: skip
        if v.exact and v.dtype not in ("int64",):
            choices += [f"torch.sort({v.name}, dim={last}, stable=True).values"]
        if v.exact and _floating(v):
            choices += [f"torch.topk({v.name}, {k}, dim={last}).values"]
        self.define(self.random.choice(choices), v.dims, v.dtype, v.exact, v.depth)

    def scan(self) -> None:
        v = self.pick(lambda v: bool(v.dims) and v.depth < 3 and v.dtype in ("float32", "int32", "int64"))
        if v is None:
            return
        dim = self.random.randrange(len(v.dims))
        dtype = v.dtype if _floating(v) else "int64"
        self.define(f"torch.cumsum({v.name}, {dim})", v.dims, dtype, v.exact and v.depth < 2, v.depth + 4)

    def softmax(self) -> None:
        v = self.pick(lambda v: _floating(v) and bool(v.dims))
        if v is not None:
            dim = self.random.randrange(len(v.dims))
            self.define(f"torch.softmax({v.name}, {dim})", v.dims, v.dtype, False, 1)

    def dot(self) -> None:
        a = self.pick(lambda v: _floating(v) and len(v.dims) == 2 and v.dims[1] in "nk" and v.depth < 4)
        if a is None or "1" in a.dims:
            return
        b = self.pick(lambda v: v.dtype == a.dtype and len(v.dims) == 2 and "1" not in v.dims and v.depth < 4 and a.dims[1] in v.dims)  # fmt: skip
        if b is None:
            return
        right = b.name if b.dims[0] == a.dims[1] else f"{b.name}.T"
        dims = (a.dims[0], b.dims[1] if b.dims[0] == a.dims[1] else b.dims[0])
        self.define(f"{a.name} @ {right}", dims, a.dtype, False, 5)

    # ---- the whole ----

    def write(self) -> Program:
        r = self.random
        self.flat = r.random() < 0.5
        outputs: list[Value] = []
        if self.flat:
            self.line("for tile_m, tile_n in hl.tile([m, n]):", "for tile_m, tile_n in [(a, b) for a in Tile.all(m, BM) for b in Tile.all(n, BN)]:")  # fmt: skip
            self.depth = 2
            for name in r.sample(("x", "y", "w", "i", "j", "v"), 4):
                self.load(name)
            for _ in range(r.randint(3, 10)):
                self.step()
            self.stores("mn", outputs)
        else:
            self.line("for tile_m in hl.tile(m):", "for tile_m in Tile.all(m, BM):")
            self.depth = 2
            for name in r.sample(("y", "j"), 2):
                self.load(name)
            for _ in range(r.randint(0, 4)):
                self.step()
            start = r.choice(("0.0", "-2.0"))
            acc = self.define(f"hl.full([tile_m], {start})", ["m"], "float32", False, eager=f"torch.full([tile_m.n], {start})")  # fmt: skip
            self.line("for tile_n in hl.tile(n):", "for tile_n in Tile.all(n, BN):")
            self.depth = 3
            self.scope.append([])
            for name in r.sample(("x", "w", "i", "v"), 2) + ["x"]:
                self.load(name)
            for _ in range(r.randint(2, 7)):
                self.step()
            inner = self.pick(lambda v: v.dims == ("m", "n") and _floating(v) and v.depth < 6)
            assert inner is not None
            part = self.define(
                f"{inner.name}.to(torch.float32).{r.choice(('sum', 'amax'))}(1)", ["m"], "float32", False
            )
            joined = r.choice((f"{acc.name} + {part.name}", f"torch.maximum({acc.name}, {part.name})"))
            self.line(f"{acc.name} = {joined}")
            self.stores("mn", outputs)
            self.scope.pop()
            self.depth = 2
            for _ in range(r.randint(0, 4)):
                self.step()
            self.stores("m", outputs)
        return self.program(outputs)

    def stores(self, needed: str, outputs: list[Value]) -> None:
        """Store the latest values that have the tiles' dimensions, and one into which the others are mixed."""
        dims = tuple(needed)
        rest: list[Value] = []
        for v in reversed(self.scope[-1]):
            fits = all(d in v.dims for d in needed) and "1" not in v.dims and len(set(v.dims)) == len(v.dims)
            if fits and len(outputs) < 5:
                self.store(v, outputs)
            else:
                rest.append(v)
        start = "hl.zeros([" + ", ".join(f"tile_{d}" for d in needed) + "])"
        mixed = self.define(start, dims, "float32", False, eager=start.replace("hl", "torch").replace("]", ".n]").replace(",", ".n,"))  # fmt: skip
        for v in rest[:8]:
            whole = f"{v.name}.to(torch.float32)"
            for _ in v.dims:
                whole += ".amax(0)"
            mixed = self.define(f"{mixed.name} + torch.tanh({whole})", dims, "float32", False)
        self.store(mixed, outputs)

    def store(self, v: Value, outputs: list[Value]) -> None:
        name = f"out{len(outputs)}"
        index = ", ".join(":" if d == "k" else f"tile_{d}" for d in v.dims)
        eager = index.replace("tile_m", "tile_m.s").replace("tile_n", "tile_n.s")
        self.line(f"{name}[{index}] = {v.name}", f"{name}[{eager}] = {v.name}")
        outputs.append(v)

    def program(self, outputs: list[Value]) -> Program:
        shapes = [", ".join(d for d in v.dims) for v in outputs]
        values = [f"torch.full([{s}], 77, dtype=torch.{v.dtype})" for s, v in zip(shapes, outputs)]
        makes = [f"{', '.join(f'out{i}' for i in range(len(outputs)))} = {', '.join(values)}"]
        head = [
            f"def program({', '.join(self.arguments)}):", "    m, n = x.size()", "    k = y.size(1)",
            *[f"    {line}" for line in makes],
        ]  # fmt: skip
        tail = [f"    return [{', '.join(f'out{i}' for i in range(len(outputs)))}]"]
        text = [
            "\n".join([*head, *["    " * d + s[which] for d, *s in self.statements], *tail]) + "\n" for which in (0, 1)
        ]
        generator = torch.Generator().manual_seed(self.seed)
        args: list[torch.Tensor] = []
        for first, second, dtype in self.arguments.values():
            shape = [self.sizes[d] for d in (first, second) if d]
            if dtype in INTS:
                low = 0 if dtype == "uint8" else -9
                args.append(torch.randint(low, 10, shape, generator=generator).to(getattr(torch, dtype)))
            else:
                eighths = torch.randint(-24, 25, shape, generator=generator)
                args.append((eighths / 8).to(getattr(torch, dtype)))
        tolerance = (
            1e-4 if all(d not in "".join(text) for d in ("bfloat16", "float16")) and self.float == "float32" else 4e-2
        )
        narrow = any(a.is_floating_point() and a.itemsize == 2 for a in args)
        return Program(self.seed, self.sizes, *text, tuple(args), 6e-2 if narrow else tolerance, outputs)


GROUP = 16
"""Programs of a group, each the expression of one output; they share loads and earlier steps, which makes them cheap."""


class GroupWriter(Writer):
    """Writes a kernel of GROUP expressions over the same tiles, each with an output."""

    def write(self) -> Program:
        r = self.random
        self.flat = r.random() < 0.5
        outputs: list[Value] = []
        if self.flat:
            self.line("for tile_m, tile_n in hl.tile([m, n]):", "for tile_m, tile_n in [(a, b) for a in Tile.all(m, BM) for b in Tile.all(n, BN)]:")  # fmt: skip
        else:
            self.line("for tile_m in hl.tile(m):", "for tile_m in Tile.all(m, BM):")
        self.depth = 2
        loads = [self.load(name) for name in (("x", "y", "w", "i", "v") if self.flat else ("y", "j"))]
        if not self.flat:
            loads.append(self.define("y[tile_m, :] * 2 - 1", ["m", "k"], self.float, True, 1, eager="y[tile_m.s, :] * 2 - 1"))  # fmt: skip
        made: list[Value] = []
        while len(outputs) < GROUP:
            made += [v for v in self.scope[-1] if v not in loads]
            self.scope = [[*loads, *r.sample(made, min(len(made), 3))], []]
            r.shuffle(self.scope[0])  # what is picked are the latest values
            wanted, before = r.randint(1, 2), self.count
            for _ in range(12):
                self.step()
                if self.count - before >= wanted:
                    break
            if self.scope[-1]:
                self.output(self.scope[-1][-1], outputs)
        return self.program(outputs)

    def output(self, v: Value, outputs: list[Value]) -> None:
        """Store a value as it is, or what it is reduced to where another program would store there too."""
        needed = ("m", "n") if self.flat else ("m",)
        dims = [d for d in v.dims if d != "1"]
        fits = all(d in dims for d in needed) and len(dims) == len(v.dims) and len(set(dims)) == len(dims)
        if not fits:
            text = f"{v.name}.to(torch.float32)" + ".amax(0)" * len(v.dims)
            spread = "hl.zeros([" + ", ".join(f"tile_{d}" for d in needed) + "])"
            eager = spread.replace("hl", "torch").replace("]", ".n]").replace(",", ".n,")
            v = self.define(f"{spread} + {text}", needed, "float32", v.exact, v.depth, eager=f"{eager} + {text}")
        self.store(v, outputs)


def group(seed: int) -> Program:
    """The group of programs of a seed."""
    return GroupWriter(10_000_000 + seed).write()


def _floating(v: Value) -> bool:
    return v.dtype in FLOATS


def _promoted(a: Value, b: Value) -> str:
    return str(torch.promote_types(getattr(torch, a.dtype), getattr(torch, b.dtype))).removeprefix("torch.")


def _joined(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...] | None:
    """The dimensions of a broadcast, or None."""
    if not a or not b:
        return a or b
    rank = max(len(a), len(b))
    left, right = ("1",) * (rank - len(a)) + a, ("1",) * (rank - len(b)) + b
    out: list[str] = []
    for p, q in zip(left, right):
        if p != q and "1" not in (p, q):
            return None
        out.append(q if p == "1" else p)
    return tuple(out) if len([d for d in out if d != "1"]) == len({d for d in out if d != "1"}) else None


def program(seed: int) -> Program:
    """The program of a seed, with at least one output."""
    for attempt in range(20):
        made = Writer(seed * 20 + attempt).write()
        if made.outputs:
            return made
    raise AssertionError(f"no program with an output from seed {seed}")
