"""inferd: one daemon on every machine. Ask any of them; whoever has the compute answers."""

__version__ = "0.1.0"
