"""A Hub on loopback: a real server that speaks the Hub's shapes, and fails as it is told.

    with stand_in(many(1000)) as hub:
        run_node(home, {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"})
        hub.mode = "limited"

Field names and shapes are the real Hub's; the models are made up.
"""

import asyncio
import json
import socket
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Mode = Literal[
    "ok",
    "limited",  # 429 with Retry-After
    "down",  # 503
    "refusing",  # 401
    "html",  # 200, and a web page
    "shape",  # 200, and JSON of another shape
    "silent",  # takes the request, and says nothing
    "dribbling",  # a byte now and then, for ever
    "endless",  # every page has a next one
    "circling",  # the next page is this one
    "huge",  # an answer that doesn't end
    "redirecting",  # to another host
]
MODES_THAT_FAIL: tuple[Mode, ...] = (
    "limited", "down", "refusing", "html", "shape", "huge", "redirecting",
)  # fmt: skip
_SORTS = {"trendingScore": "trendingScore", "downloads": "downloads", "likes": "likes"}
Model = dict[str, object]


def model(
    name: str,
    task: str = "text-generation",
    *,
    parameters: int | None = 8_000_000_000,
    gguf: int | None = None,
    gated: bool | str = False,
    library: str | None = "transformers",
    providers: Mapping[str, str] | None = None,
    tags: Sequence[str] = (),
    likes: int = 10,
    downloads: int = 1000,
    trending: float = 1,
    **more: object,
) -> Model:
    """Return a model as `GET /api/models?full=true` tells of it; `providers` are name to task."""
    facts: Model = {
        "_id": f"{abs(hash(name)):024x}"[:24],
        "id": name,
        "modelId": name,
        "author": name.partition("/")[0],
        "sha": "0" * 40,
        "private": False,
        "disabled": False,
        "gated": gated,
        "likes": likes,
        "downloads": downloads,
        "trendingScore": trending,
        "tags": [task, *([library] if library else []), *tags],
        "pipeline_tag": task,
        "createdAt": "2025-03-12T10:30:05.000Z",
        "config": {"architectures": ["LlamaForCausalLM"], "model_type": "llama"},
        "inferenceProviderMapping": [
            {
                "provider": provider,
                "providerId": f"{name}@{provider}",
                "status": "live",
                "task": does,
                "type": "single-model",
            }
            for provider, does in (providers or {}).items()
        ],
    }
    if library:
        facts["library_name"] = library
    if gguf is not None:
        facts["gguf"] = {"total": gguf, "architecture": "llama", "context_length": 8192}
    elif parameters is not None:
        facts["safetensors"] = {"parameters": {"BF16": parameters}, "total": parameters}
    return facts | more


def many(count: int, task: str = "text-generation") -> list[Model]:
    """Return `count` models of a task, the most trending first."""
    return [
        model(
            f"org-{number % 17}/model-{number:04d}",
            task,
            parameters=(number % 40 + 1) * 500_000_000,
            gated=("manual", False, "auto", False)[number % 4],
            providers={"groq": "conversational"} if number % 5 == 0 else None,
            tags=("conversational",) if number % 2 == 0 else (),
            likes=number * 7 % 5000,
            downloads=number * 7919 % 1_000_003,
            trending=count - number,
        )
        for number in range(count)
    ]


class StandIn:
    """The Hub; `mode` and `models` may be changed while it runs."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = list(models)
        self.mode: Mode = "ok"
        self.retry_after = "7"
        self.url = ""
        self.requests: list[Request] = []
        self.left = threading.Event()
        """Set once a caller has left an answer that doesn't end."""
        self.link_host = ""
        """Where `Link` and redirects point, if elsewhere than here."""
        self._server: uvicorn.Server | None = None

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/models", self._list),
                Route("/api/models/{id:path}", self._one),
                Route("/{id:path}/resolve/{revision}/config.json", self._config),
            ]
        )

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for, with their queries."""
        return [f"{each.url.path}?{each.url.query}" for each in self.requests]

    async def _list(self, request: Request) -> Response:
        self.requests.append(request)
        if (failed := self._failure()) is not None:
            return failed
        said = request.query_params
        found = [each for each in self.models if _matches(each, said)]
        sort = said.get("sort", "trendingScore")
        found.sort(key=lambda each: _number(each[_SORTS[sort]]), reverse=True)
        limit = min(int(said.get("limit", "1000")), 1000)
        start = _read_cursor(said.get("cursor", ""))
        end = start + limit
        headers = {}
        if end < len(found) or self.mode in {"endless", "circling"}:
            following = 0 if self.mode == "circling" else end
            query = request.url.include_query_params(cursor=_cursor(following))
            url = str(query).replace(self.url, self.link_host or self.url)
            headers["Link"] = f'<{url}>; rel="next"'
        if self.mode == "endless":
            start %= max(1, len(found))
        wanted = {*said.getlist("expand[]"), *said.getlist("expand")}
        return JSONResponse([_expanded(each, wanted) for each in found[start:end]], headers=headers)

    async def _one(self, request: Request) -> Response:
        self.requests.append(request)
        if (failed := self._failure()) is not None:
            return failed
        for each in self.models:
            if each["id"] == request.path_params["id"]:
                return JSONResponse(_expanded(each, {*request.query_params.getlist("expand[]")}))
        return JSONResponse({"error": "Repository not found"}, 404)

    async def _config(self, request: Request) -> Response:
        self.requests.append(request)
        for each in self.models:
            if each["id"] == request.path_params["id"]:
                return JSONResponse(each["config"])
        return JSONResponse({"error": "Entry not found"}, 404)

    def _failure(self) -> Response | None:
        match self.mode:
            case "limited":
                error = {"error": "You have reached your rate limit"}
                return JSONResponse(error, 429, {"Retry-After": self.retry_after})
            case "down":
                return Response("Service Unavailable", 503)
            case "refusing":
                return JSONResponse({"error": "Invalid credentials in Authorization header"}, 401)
            case "html":
                return Response("<!doctype html><script>alert(1)</script>", media_type="text/html")
            case "shape":
                return JSONResponse({"models": []})
            case "redirecting":
                return Response(
                    status_code=302, headers={"Location": f"{self.link_host}/api/models"}
                )
            case "silent":
                return StreamingResponse(self._pieces(b"", 3600), media_type="application/json")
            case "dribbling":
                return StreamingResponse(self._pieces(b" ", 0.01), media_type="application/json")
            case "huge":
                return StreamingResponse(
                    self._pieces(b" " * 1_000_000, 0), media_type="application/json"
                )
            case _:
                return None

    async def _pieces(self, piece: bytes, seconds: float) -> AsyncIterator[bytes]:
        never = asyncio.get_running_loop().create_future()
        try:
            while True:
                yield piece
                await asyncio.wait([never], timeout=seconds)
        finally:
            self.left.set()

    @contextmanager
    def running(self, port: int = 0) -> Generator["StandIn"]:
        """Serve from a thread of its own, on `port` or a free one."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen()
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            config = uvicorn.Config(
                self.app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=0
            )
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
            thread.start()
            try:
                yield self
            finally:
                server.should_exit = server.force_exit = True
                thread.join(10)


@contextmanager
def stand_in(models: Iterable[Model] = (), *, port: int = 0) -> Generator[StandIn]:
    """Lend a Hub that has `models`."""
    with StandIn(models).running(port) as hub:
        yield hub


def _matches(each: Model, said: Mapping[str, str]) -> bool:
    name, tags = str(each["id"]).lower(), each["tags"]
    return (
        said.get("pipeline_tag", each["pipeline_tag"]) == each["pipeline_tag"]
        and all(word in name for word in said.get("search", "").lower().split())
        and (not said.get("filter") or (isinstance(tags, list) and said["filter"] in tags))
    )


def _expanded(each: Model, wanted: set[str]) -> Model:
    """Keep what was asked for: the Hub always tells the two ids."""
    if not wanted:
        return each
    return {name: value for name, value in each.items() if name in wanted | {"_id", "id"}}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _cursor(offset: int) -> str:
    return urlsafe_b64encode(json.dumps({"_after": offset}).encode()).decode()


def _read_cursor(text: str) -> int:
    return int(json.loads(urlsafe_b64decode(text))["_after"]) if text else 0
