"""Programs that the node runs: in a group of their own, with bounds, and with a certain end."""

from inferd.process.child import GRACE_SECONDS, Child, printed, start
from inferd.process.environment import environment
from inferd.process.workspace import Workspace, sweep

__all__ = ["GRACE_SECONDS", "Child", "Workspace", "environment", "printed", "start", "sweep"]
