"""Words of a model in a real browser: whatever they hold, they are only read."""

import asyncio
import re

import pytest
from playwright.async_api import Browser, Page

from tests.node.nodes import RunningNode

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

HARM = "window.harmed = (window.harmed || 0) + 1"
ATTACKS = [
    f"<script>{HARM}</script>",
    f"<svg onload='{HARM}'>",
    f"<svg><script>{HARM}</script></svg>",
    f"<img src=x onerror='{HARM}'>",
    f"<img src=x onerror=\n'{HARM}'>",
    f"[a](javascript:{HARM})",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](java&#x0A;script:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](&#x6a&#x61;vascript:alert(1))",
    "[a](javascript&colon;alert(1))",
    "[a](\x01javascript:alert(1))",
    "[a]( javascript:alert(1) )",
    "[a](<javascript:alert(1)>)",
    "[a]: javascript:alert(1)\n\n[a]",
    "<javascript:alert(1)>",
    f"[a](data:text/html,<script>{HARM}</script>)",
    "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[a](vbscript:msgbox(1))",
    "[a](blob:http://127.0.0.1/x)",
    "[a](file:///etc/passwd)",
    "[a](/logout)",
    "[a](//far.example/x)",
    f'[a](http://x.example/"onmouseover="{HARM})',
    f"[a](http://x.example 'x\" onmouseover=\"{HARM}')",
    f'![a](http://x.example/p.png"onerror="{HARM})',
    "![a](http://127.0.0.1:1/track.png)",
    "![a](data:image/svg+xml,<svg onload=alert(1)>)",
    "![<b onclick=alert(1)>](http://x.example/p.png)",
    "<style>*{display:none}</style>",
    "<p style='position:fixed;inset:0'>x</p>",
    "<link rel=stylesheet href=http://x.example/x.css>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<iframe srcdoc='<script>parent.harmed=1</script>'></iframe>",
    "<object data='data:text/html,x'></object><embed src=x>",
    "<form action=/logout method=post><button>x</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<base href=http://x.example/>",
    "<meta http-equiv=refresh content='0;url=http://x.example'>",
    "<math><mtext><table><mglyph><style><!--</style>"
    "<img title='--&gt;&lt;img src onerror=alert(1)&gt;'>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<a id=page-data><a name=cookie>clobber",
    "<template><script>alert(1)</script></template>",
    "<details open ontoggle=alert(1)>x</details>",
    "```<img src=x onerror=alert(1)>\nx\n```",
    '```js" onmouseover="alert(1)\nx\n```',
    "`<img src=x onerror=alert(1)>`",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
    "> <script>alert(1)</script>",
    "- [ ] <input onfocus=alert(1)>",
    "<br onclick=alert(1)> <sub onclick=alert(1)>x</sub>",
    "http://x.example/<script>alert(1)</script>",
    '<http://x.example/" onclick=alert(1)>',
    "\x00<scr\x00ipt>alert(1)</script>",
    "&lt;img src=x onerror=alert(1)&gt;",
]
ENDLESS = {
    "quotes": "> " * 50_000,
    "quotes a line": "\n".join(">" * 11 + " x" for _ in range(4000)),
    "a list in a list": "\n".join("  " * depth + "- x" for depth in range(700)),
    "lists on one line": "- " * 50_000,
    "brackets": "[" * 60_000,
    "brackets a line": ("[" * 9000 + "\n") * 10,
    "links": "[a](" * 25_000,
    "stars": "*a " * 6000,
    "stars and words": "a**b" * 4900,
    "underscores": "_a" * 9000,
    "ticks": "`a" * 9000,
    "growing ticks": "".join("`" * n + " " for n in range(190)),
    "angles": "<" * 19_000,
    "autolinks": "http://a." * 2000,
    "a wide table": "|a" * 5000 + "|\n" + "|-" * 5000 + "|\n" + "|x" * 5000 + "|",
    "a long table": "|a|b|\n|-|-|\n" + "|x|y|\n" * 15_000,
    "entities": "&#x" * 6000,
    "definitions": "[a]: http://x.example\n" * 5000,
    "a megabyte": "Some **words** of `code`, and a [link](http://x.example).\n\n" * 18_000,
    "a megabyte on one line": "word " * 200_000,
}
MADE = (
    ("**a** *b* `c`", "<p><strong>a</strong> <em>b</em> <code>c</code></p>"),
    ("<div>a</div>", "<p>&lt;div&gt;a&lt;/div&gt;</p>"),
    ("a<br>b", "<p>a<br>b</p>"),
    ("# A", "<h3>A</h3>"),
    ("```py\nx < 1", '<pre tabindex="0"><code class="language-py">x &lt; 1\n</code></pre>'),
    ("- [x] a", "<ul>\n<li>☑ a</li>\n</ul>"),
    (
        "![a cat](https://x.example/c.png)",
        '<p><a href="https://x.example/c.png" rel="noopener noreferrer nofollow"'
        ' target="_blank">Picture: a cat</a></p>',
    ),
    ("![a cat](data:image/png;base64,AA==)", "<p>(picture: a cat)</p>"),
    ("[a](/logout)", "<p>a</p>"),
    ("see [below](#hub), or [*there*](docs/hub.md)", "<p>see below, or <em>there</em></p>"),
    ("a" + "\u0301" * 90_000 + "b", "<p>a" + "\u0301" * 8 + "b</p>"),
)
LOOK = """async ([url, name, texts]) => {
  const draw = (await import(url))[name];
  const KNOWN = new Set(("a b blockquote br code del div em h3 h4 h5 h6 hr i kbd li ol p pre s "
    + "strong sub sup table tbody td th thead tr ul").split(" "));
  const found = [];
  for (const text of texts) {
    const box = document.createElement("div");
    document.body.append(box);
    box.append(draw(text));
    for (const node of box.querySelectorAll("*")) {
      const name = node.tagName.toLowerCase();
      const odd = !KNOWN.has(name);
      const attributes = [...node.attributes].map((a) => a.name);
      const wrong = attributes.filter((a) => /^on|^style$|^id$|^name$|^src/.test(a));
      const href = node.getAttribute("href");
      const bad = href !== null && !/^(https?|mailto):/.test(href);
      const held = node.rel === "noopener noreferrer nofollow" && node.target === "_blank";
      const loose = href !== null && !held;
      if (odd || wrong.length || bad || loose) found.push([text, node.outerHTML]);
    }
    for (const node of box.querySelectorAll("a, p, b, sub")) {
      node.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
    }
    box.remove();
  }
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return { found, harmed: window.harmed ?? 0, attempts: texts.length };
}"""
DRAW = """async ([url, text]) => {
  const { renderMarkdown } = await import(url);
  const box = document.createElement("div");
  box.append(renderMarkdown(text));
  return box.innerHTML;
}"""
GROW = """async ([url, text]) => {
  const { paint, renderMarkdown } = await import(url);
  const box = document.createElement("div");
  const kept = new Set();
  for (let end = 0; end <= text.length; end += 1) {
    paint(box, text.slice(0, end));
    if (box.children.length > 1) kept.add(box.firstChild);
  }
  const whole = document.createElement("div");
  whole.append(renderMarkdown(text));
  const flat = [...box.children].map((block) => block.innerHTML).join("");
  return [flat === whole.innerHTML, kept.size];
}"""


async def script(page: Page, node: RunningNode) -> str:
    """Open a page, under its policy, and return the address of the module."""
    await page.goto(f"{node.url}/more")
    found = re.search(r'src="(/static/\w+/js/)shell\.js"', await page.content())
    assert found is not None
    return f"{found[1]}markdown.js"


async def test_nothing_in_a_models_words_acts(page: Page, node: RunningNode) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    url = await script(page, node)
    seen = await page.evaluate(LOOK, [url, "renderMarkdown", ATTACKS])
    assert seen == {"found": [], "harmed": 0, "attempts": len(ATTACKS)}
    assert not [each for each in asked if not each.startswith(node.url)]


async def test_the_sanitiser_would_hold_alone(browser: Browser, node: RunningNode) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    url = await script(page, node)
    seen = await page.evaluate(LOOK, [url, "sanitize", ATTACKS])
    await context.close()
    assert seen == {"found": [], "harmed": 0, "attempts": len(ATTACKS)}


async def test_no_text_holds_the_page_up(page: Page, node: RunningNode) -> None:
    url = await script(page, node)
    for kind, text in ENDLESS.items():
        async with asyncio.timeout(20):
            drawn = await page.evaluate(DRAW, [url, text])
        assert len(drawn) > 100, kind


async def test_what_markdown_makes(page: Page, node: RunningNode) -> None:
    url = await script(page, node)
    for text, shown in MADE:
        drawn = await page.evaluate(DRAW, [url, text])
        assert drawn.removesuffix("\n") == shown


async def test_a_growing_answer_draws_only_what_changes(page: Page, node: RunningNode) -> None:
    url = await script(page, node)
    text = (
        "First *words*.\n\n- one\n- two\n\n```py\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    assert await page.evaluate(GROW, [url, text]) == [True, 1]
