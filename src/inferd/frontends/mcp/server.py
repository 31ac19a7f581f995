"""The protocol's methods, bound to one principal. The `mcp` package speaks both its generations."""

import logging
import os
from collections.abc import Mapping
from typing import Any

import mcp_types as types
import msgspec
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.streamable_http import REQUEST_CANCELLED
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from inferd.core.errors import NodeError
from inferd.core.request import Principal
from inferd.frontends._http.context import Context
from inferd.frontends._http.errors import Unexpected
from inferd.frontends.mcp.advice import hint_of
from inferd.frontends.mcp.catalogue import Catalogue
from inferd.frontends.mcp.changes import Changes
from inferd.frontends.mcp.post import POST, Post
from inferd.frontends.mcp.resources import RESOURCES, read
from inferd.frontends.mcp.running import in_base64
from inferd.frontends.mcp.tools import Question, Reply, Tool, refusal

logger = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Runs inference on this node's backends: its own models, other nodes, hosted APIs. A tool for"
    " each task that can be run here; route_inference_request runs any task on a backend that you"
    " name. Files are base64, never paths."
)
_JSON = "application/json"
_WORDS = {
    "dict_type": "must be an object",
    "missing": "is missing",
    "string_type": "must be text",
}
_Ctx = ServerRequestContext[Any, Any]


def make_server(context: Context, principal: Principal, changes: Changes) -> Server[Any]:
    """Return what answers `principal`, over whichever transport it comes."""
    methods = _Methods(context, principal, changes)
    server = _Telling(
        "inferd",
        version=context.version,
        title=context.name or "inferd",
        instructions=INSTRUCTIONS,
        on_list_tools=methods.list_tools,
        on_call_tool=methods.call_tool,
        on_list_resources=methods.list_resources,
        on_list_resource_templates=methods.list_templates,
        on_read_resource=methods.read_resource,
        on_subscriptions_listen=changes.subscriptions,
    )
    server.add_notification_handler(
        "notifications/initialized", types.NotificationParams, methods.tell_of_changes
    )
    # This node's own traces know every request already.
    server.middleware.clear()
    server.middleware.append(_tell_why)
    return server


class _Telling(Server[Any]):
    """A server that tells sessions, too, when its lists change."""

    def create_initialization_options(
        self, notification_options: NotificationOptions | None = None, *args: Any, **kwargs: Any
    ) -> InitializationOptions:
        told = notification_options or NotificationOptions(
            tools_changed=True, resources_changed=True
        )
        return super().create_initialization_options(told, *args, **kwargs)


class _Methods:
    def __init__(self, context: Context, principal: Principal, changes: Changes) -> None:
        self._context = context
        self._principal = principal
        self._changes = changes
        self._catalogue = Catalogue(context, principal)

    async def list_tools(
        self, ctx: _Ctx, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        tools = [_tool(tool) for tool in self._catalogue.tools().values()]
        return types.ListToolsResult(tools=tools, ttl_ms=0, cache_scope="private")

    async def call_tool(
        self, ctx: _Ctx, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        known = self._catalogue.tools()
        tool = known.get(params.name)
        if tool is None:
            raise MCPError(
                types.INVALID_PARAMS,
                f"there is no tool called {params.name[:100]!r}",
                {"tools": list(known)},
            )
        with _post_of(ctx).held():
            return _result(await self._run(ctx, tool, params.arguments or {}))
        raise MCPError(REQUEST_CANCELLED, "the caller has left")

    async def _run(self, ctx: _Ctx, tool: Tool, arguments: Mapping[str, object]) -> Reply:
        post = _post_of(ctx)
        try:
            question = Question(
                context=self._context,
                principal=self._principal,
                id=post.id,
                asked=post.directions(),
                say=_say(ctx),
            )
            return await tool.run(question, arguments)
        except NodeError as error:
            return refusal(error)
        except Exception:
            logger.exception("%s: unexpected failure", post.id)
            return refusal(Unexpected())

    async def list_resources(
        self, ctx: _Ctx, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        shown = [
            types.Resource(
                uri=each.uri,
                name=each.name,
                title=each.title,
                description=each.description,
                mime_type=_JSON,
            )
            for each in RESOURCES
            if not each.is_template
        ]
        return types.ListResourcesResult(resources=shown, ttl_ms=0, cache_scope="private")

    async def list_templates(
        self, ctx: _Ctx, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        shown = [
            types.ResourceTemplate(
                uri_template=each.uri,
                name=each.name,
                title=each.title,
                description=each.description,
                mime_type=_JSON,
            )
            for each in RESOURCES
            if each.is_template
        ]
        return types.ListResourceTemplatesResult(
            resource_templates=shown, ttl_ms=0, cache_scope="private"
        )

    async def read_resource(
        self, ctx: _Ctx, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        uri = str(params.uri)
        try:
            body = read(self._context, self._principal, uri)
        except NodeError as error:
            hint = hint_of(error)
            told = f"{error.message} ({hint})" if hint else error.message
            raise MCPError(types.INVALID_PARAMS, told, {"uri": uri[:500]}) from error
        if body is None:
            known = [each.uri for each in RESOURCES]
            raise MCPError(
                types.INVALID_PARAMS,
                "there is no such resource",
                {"uri": uri[:500], "resources": known},
            )
        text = types.TextResourceContents(uri=params.uri, mime_type=_JSON, text=body.decode())
        return types.ReadResourceResult(contents=[text], ttl_ms=0, cache_scope="private")

    async def tell_of_changes(self, ctx: _Ctx, params: types.NotificationParams) -> None:
        """Tell a session of the handshake's generation what changes, for as long as it lasts."""
        with self._changes.heard() as heard:
            while True:
                await heard.wait()
                heard.clear()
                await ctx.session.send_tool_list_changed()
                await ctx.session.send_resource_list_changed()


async def _tell_why(ctx: _Ctx, call_next: CallNext) -> HandlerResult:
    """Answer parameters that can't be read with what is wrong: the package says only that."""
    try:
        return await call_next(ctx)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        what = _WORDS.get(first["type"], first["msg"])
        raise MCPError(types.INVALID_PARAMS, f"{where[:200]} {what[:200]}") from error


def _post_of(ctx: _Ctx) -> Post:
    """Return what brought a message; on stdio nothing did, and it is the owner's own."""
    request = ctx.request
    return Post(id=os.urandom(8).hex()) if request is None else request.scope[POST]


def _say(ctx: _Ctx) -> Any:
    if ctx.meta is None or ctx.meta.get("progress_token") is None:
        return None

    async def say(seconds: float, words: str) -> None:
        await ctx.session.report_progress(seconds, None, words)

    return say


def _tool(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=dict(tool.schema),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.only_reads,
            destructive_hint=False,
            idempotent_hint=tool.only_reads,
            open_world_hint=not tool.only_reads,
        ),
    )


def _result(reply: Reply) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(text=reply.text)]
    media = reply.media
    if media is not None:
        data, kind = in_base64(media.data), media.content_type.partition(";")[0].strip()
        if kind.startswith("image/"):
            content.append(types.ImageContent(data=data, mime_type=kind))
        elif kind.startswith("audio/"):
            content.append(types.AudioContent(data=data, mime_type=kind))
        else:
            name = f"inferd://results/{media.name or 'file'}"
            blob = types.BlobResourceContents(uri=name, mime_type=kind, blob=data)
            content.append(types.EmbeddedResource(resource=blob))
    structured = msgspec.to_builtins(reply.structured) if reply.structured else None
    return types.CallToolResult(
        content=content, structured_content=structured, is_error=reply.is_error
    )
