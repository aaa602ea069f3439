"""Check every example, and time it where there is a GPU: `python -m examples`."""

from examples import registry
from examples.harness import main

if __name__ == "__main__":
    main(*registry.load_all())
