"""The page at /: what this node is, how to ask it, and what it can run. Plain HTML."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from string import Template

from inferd.frontends._http.context import Context, Frontend
from inferd.gateway.catalogue import Row

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>inferd · $name</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8888; border-radius: .4rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid #8884; }
</style>
</head>
<body>
<main>
<h1>inferd</h1>
<p>One daemon on every machine. Ask any of them; whoever has the compute answers.</p>
<p>This is $name, node <code>$node</code>, version $version, on $device.</p>
<h2>Ask it</h2>
<pre tabindex="0"><code>curl $base/inference \\
  -F 'spec={"task":"feature-extraction","payload":{"prompt":"Hello"}};type=application/json'

curl $base/v1/chat/completions -H 'Content-Type: application/json' \\
  -d '{"messages":[{"role":"user","content":"What is inferd?"}]}'</code></pre>
<p>If the node has a shared secret, add <code>-H "Authorization: Bearer …"</code>.
Every answer says in <code>X-Inference-Source</code> where it was made.</p>
<h2>Models</h2>
$models
<h2>Endpoints</h2>
<div class="table" tabindex="0" role="region" aria-label="Endpoints"><table>
<thead><tr><th scope="col">Method</th><th scope="col">Path</th><th scope="col">What it does</th>
</tr></thead>
<tbody>
$endpoints
</tbody>
</table></div>
<p><a href="/openapi.json">The same for tools (OpenAPI)</a></p>
</main>
</body>
</html>
""")

_MODELS = Template("""<div class="table" tabindex="0" role="region" aria-label="Models"><table>
<thead><tr><th scope="col">Model</th><th scope="col">Tasks</th><th scope="col">Runs</th>
</tr></thead>
<tbody>
$rows
</tbody>
</table></div>""")


def page(context: Context, host: str, frontends: Sequence[Frontend], models: Sequence[Row]) -> str:
    """Return the page; everything that isn't ours is escaped."""
    return _PAGE.substitute(
        name=escape(context.name or context.gateway.node),
        node=escape(context.gateway.node),
        version=escape(context.version),
        device=escape(context.device),
        base=escape(f"http://{host}"),
        models=_models(models),
        endpoints="\n".join(_endpoints(frontends)),
    )


def _models(models: Sequence[Row]) -> str:
    if not models:
        return "<p>None yet: no backend has said what it offers.</p>"
    return _MODELS.substitute(rows="\n".join(map(_model, models)))


def _model(row: Row) -> str:
    places = ", ".join(
        f"{place.source}: {place.backend}" + ("" if place.usable else f" (can't: {place.reason})")
        for place in row.places
    )
    return _row(f"<code>{escape(row.id)}</code>", escape(", ".join(row.tasks)), escape(places))


def _endpoints(frontends: Iterable[Frontend]) -> Iterable[str]:
    for frontend in frontends:
        for path, item in frontend.paths.items():
            if isinstance(item, Mapping):
                for method, operation in item.items():
                    summary = operation["summary"] if isinstance(operation, Mapping) else ""
                    yield _row(
                        method.upper(),
                        f"<code>{escape(path)}</code>",
                        escape(str(summary)),
                    )


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
