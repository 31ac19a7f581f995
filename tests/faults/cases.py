"""Every fault, by every way in: a node before two backends of a model, one of them faulty."""

import difflib
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from tests.faults.asking import WAYS, Heard, heard
from tests.faults.models import MODEL, SeededModel
from tests.faults.proxy import NO_FAULT, Fault, FaultProxy, Kind, fault_proxy
from tests.node.nodes import RunningNode, run_node

TOKENS = 60
"""How long an answer is; LiteLLM's issue 40404 cuts at token 40 of 60."""
AT = 40
HEAD_SECONDS = 2.0
"""How long a backend may take to begin: beyond it another is asked."""
STALL_SECONDS = 1.0
"""How long a stream may be silent."""
DELAY = Fault(Kind.DELAY, seconds=1.0)
FAULTS = (
    Fault(Kind.REFUSE),
    Fault(Kind.BLACK_HOLE),
    DELAY,
    Fault(Kind.CUT_BEFORE),
    Fault(Kind.CUT_IN_HEAD),
    Fault(Kind.CUT_AT_BYTE, at=AT),
    Fault(Kind.CUT_AT_TOKEN, at=AT),
    Fault(Kind.RESET, at=AT),
    Fault(Kind.STALL, at=AT),
    Fault(Kind.CORRUPT, at=AT),
    Fault(Kind.GARBAGE),
    Fault(Kind.KILL, at=AT),
)
_TOKEN = re.compile(r"\s*\S+")
_CONFIG = """
[discovery]
auto = false
[local]
enabled = false
[[backends]]
name = "faulty"
kind = "openai"
base_url = "http://127.0.0.1:{faulty}/v1"
models = ["{model}"]
timeout = {head}
stall = {stall}
priority = 0
options = {{ continues = "vllm" }}
[[backends]]
name = "sound"
kind = "openai"
base_url = "http://127.0.0.1:{sound}/v1"
models = ["{model}"]
priority = 1
options = {{ continues = "vllm" }}
"""


class Case(NamedTuple):
    """One question under one fault."""

    fault: Fault
    way: str
    stream: bool

    def __str__(self) -> str:
        return f"{self.fault.kind.value}, {self.way}, {'stream' if self.stream else 'whole'}"


class Outcome(NamedTuple):
    """What came of a case, beside the same question with nothing wrong."""

    case: Case
    heard: Heard
    lost: int
    doubled: int
    struck: int
    """How often the fault struck: never would be no case."""

    @property
    def is_hung(self) -> bool:
        return self.heard.end == "hung"

    @property
    def is_good(self) -> bool:
        return self.heard.end == "whole" and not self.lost and not self.doubled


def cases() -> Iterator[Case]:
    """Yield them all."""
    for fault in FAULTS:
        for way in WAYS:
            for stream in (True, False):
                yield Case(fault, way, stream)


class Stage:
    """Two model processes and the proxy before one of them; a node for each case."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._stack = AsyncExitStack()
        self._expected: dict[tuple[str, bool], str] = {}
        self.faulty = SeededModel()
        self.sound = SeededModel()
        self.proxy: FaultProxy

    async def __aenter__(self) -> Self:
        self._stack.callback(self.faulty.stop)
        self._stack.callback(self.sound.stop)
        self.faulty.start()
        self.sound.start()
        self.proxy = await self._stack.enter_async_context(
            fault_proxy(self.faulty.port, self.faulty.kill)
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def run(self, case: Case) -> Outcome:
        """Ask once through a fresh node."""
        expected = await self._whole(case.way, stream=case.stream)
        with self.node() as node:
            answer = await self._under(case.fault, node, case.way, stream=case.stream)
        lost, doubled = compare(expected, answer.text)
        return Outcome(case, answer, lost, doubled, self.proxy.struck)

    @contextmanager
    def node(self) -> Generator[RunningNode]:
        """Lend a node that has asked nobody yet."""
        self._count += 1
        text = _CONFIG.format(
            faulty=self.proxy.port,
            sound=self.sound.port,
            model=MODEL,
            head=HEAD_SECONDS,
            stall=STALL_SECONDS,
        )
        with run_node(self._folder / f"node-{self._count}", toml=text) as node:
            yield node

    async def _whole(self, way: str, *, stream: bool) -> str:
        """Return what is said where nothing goes wrong."""
        key = (way, stream)
        if key not in self._expected:
            with self.node() as node:
                answer = await self._under(NO_FAULT, node, way, stream=stream)
            if answer.end != "whole" or not answer.text:
                raise AssertionError(f"{way} fails with nothing wrong: {answer}")
            self._expected[key] = answer.text
        return self._expected[key]

    async def _under(self, fault: Fault, node: RunningNode, way: str, *, stream: bool) -> Heard:
        self.proxy.fault, self.proxy.struck = fault, 0
        if fault.kind is Kind.REFUSE:
            await self.proxy.refuse()
            self.proxy.struck = 1
        try:
            return await heard(way, node.url, MODEL, stream=stream, tokens=TOKENS)
        finally:
            self.proxy.fault = NO_FAULT
            if fault.kind is Kind.REFUSE:
                await self.proxy.listen()
            self.faulty.start()


def compare(expected: str, said: str) -> tuple[int, int]:
    """Return how many words of `expected` are missing, and how many are too many."""
    if expected == said:
        return 0, 0
    wanted, got = _TOKEN.findall(expected), _TOKEN.findall(said)
    lost = doubled = 0
    matcher = difflib.SequenceMatcher(None, wanted, got, autojunk=False)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        if kind != "equal":
            lost += end - start
            doubled += other_end - other_start
    return lost, doubled


def summed(outcomes: Mapping[Case, Outcome]) -> dict[str, object]:
    """Return the suite's figures."""
    every = list(outcomes.values())
    return {
        "cases": len(every),
        "good": sum(each.is_good for each in every),
        "lost_tokens": sum(each.lost for each in every),
        "duplicated_tokens": sum(each.doubled for each in every),
        "hung": sum(each.is_hung for each in every),
        "worst_gap_s": round(max((each.heard.gap for each in every), default=0.0), 2),
    }
