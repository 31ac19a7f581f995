"""The OpenAPI document, from what each frontend says of itself."""

from collections.abc import Sequence

from inferd.frontends._http.context import Frontend


def document(frontends: Sequence[Frontend], version: str) -> dict[str, object]:
    """Return the description of every path of this node."""
    paths: dict[str, object] = {}
    schemas: dict[str, object] = {}
    for frontend in frontends:
        paths.update(frontend.paths)
        schemas.update(frontend.schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "inferd",
            "version": version,
            "summary": "Ask any node; whoever has the compute answers.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        # On an open loopback node the local owner needs none.
        "security": [{"bearer": []}, {}],
    }
