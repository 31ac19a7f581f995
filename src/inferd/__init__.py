"""inferd: one daemon on every machine. Ask any of them; whoever has the compute answers.

`open_node` runs a node inside your own program; docs/python.md shows how.
"""

from importlib import import_module

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # A node's parts take a while to import: who only wants the version doesn't pay for them.
    if name == "open_node":
        return import_module("inferd.library").open_node
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
