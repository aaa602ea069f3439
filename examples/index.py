"""Write `examples/README.md`, the list of examples, from the registry: `python -m examples.index`."""

import inspect
import sys
from pathlib import Path

from examples import registry

PAGE = Path(__file__).with_name("README.md")

HEAD = """# Examples

Kernels to copy from. Each file has the mathematics at its top, a kernel, a reference in float64, small inputs at
edge sizes, inputs of real size, and a main that checks the kernel and, where there is a GPU, times it against PyTorch:

```console
$ python examples/softmax.py               # check, and time on a GPU
$ python examples/softmax.py --cpu         # check in the interpreter of the tile dialect, which needs no GPU
$ python -m examples --check-only          # all of them
```

Where an example has gradients, the kernel stands inside a `torch.autograd.Function`, and its gradients are checked too.

This page is made by `python -m examples.index`.
"""


def line(name: str) -> str:
    """One row of a table."""
    example, file = registry.load(name), registry.FILES[name]
    alone = sum(other == file for other in registry.FILES.values()) == 1
    text = sys.modules[f"examples.{file}"].__doc__ if alone else example.kernel.fn.__doc__
    first = inspect.cleandoc(text or "").split("\n\n")[0].replace("\n", " ")
    return f"| [{name}]({file}.py) | {first} | {'✓' if example.autograd else ''} |"


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for family, files in registry.FAMILIES.items():
        rows = "\n".join(line(name) for name in files)
        parts.append(f"## {family}\n\n| example | what it computes | gradients |\n|---|---|---|\n{rows}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
