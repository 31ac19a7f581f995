"""The composition root: configuration in, a running node out. Only here do all floors meet."""

from inferd.node.home import CannotStart
from inferd.node.node import Node, open_node
from inferd.node.serve import serve

__all__ = ["CannotStart", "Node", "open_node", "serve"]
