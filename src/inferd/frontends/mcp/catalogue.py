"""Which tools a principal has."""

from collections.abc import Mapping

from inferd.core.errors import PermissionDenied
from inferd.core.request import Action, Principal
from inferd.core.tasks import TASKS
from inferd.frontends._http.context import Context
from inferd.frontends.mcp.general import TOOLS
from inferd.frontends.mcp.tasks import task_tool
from inferd.frontends.mcp.tools import Tool


class Catalogue:
    """One principal's tools: the general ones, and one for each task that somebody runs for it.

    Made anew when a backend offers something else.
    """

    def __init__(self, context: Context, principal: Principal) -> None:
        self._context = context
        self._principal = principal
        self._tools: Mapping[str, Tool] = {}
        self._made_at: int | None = None

    def tools(self) -> Mapping[str, Tool]:
        """Return them by name, in a constant order."""
        now = self._context.gateway.pool.changes.offers
        if self._made_at != now:
            tools = [*TOOLS, *(task_tool(name) for name in self._tasks())]
            self._tools = {tool.name: tool for tool in tools}
            self._made_at = now
        return self._tools

    def _tasks(self) -> list[str]:
        gateway = self._context.gateway
        try:
            gateway.authorize(self._principal, Action.INFER)
        except PermissionDenied:
            return []
        able = gateway.doable(self._principal, "")
        return [name for name in TASKS if name in able.listed or name in able.unlisted]
