"""What in a sentence could answer a question: people for *who*, dates for *when*, and so on.

Patterns only, for English: no grammar is learnt. Whatever the kind of question, each candidate
says how typical an answer of that kind it is, from 0 to 1.
"""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from inferd.engine.embedded import lexical


class Kind(StrEnum):
    """What sort of thing a question asks for."""

    WHO = "who"
    WHEN = "when"
    WHERE = "where"
    QUANTITY = "quantity"
    WHY = "why"
    HOW = "how"
    WHAT = "what"


class Span(NamedTuple):
    """A candidate: where it stands in its sentence, and how typical it is."""

    start: int
    end: int
    weight: float


_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            Kind.QUANTITY,
            r"\bhow (many|much|old|long|far|tall|high|wide|deep|big|large|heavy|fast|often|hot)"
            r"|\bwhat (is|was|are) the (\w+ ){0,2}(price|cost|number|temperature|height|length|"
            r"weight|width|depth|distance|population|age|speed)\b"
            r"|\bwhat do(es)? .*\bcost\b|\bwhat (percentage|share|number)",
        ),
        (
            Kind.WHEN,
            r"\bwhen\b|\b(what|which) (time|day|date|year|month|century|decade|weekday)\b",
        ),
        (Kind.WHERE, r"\bwhere\b|\b(what|which) (city|country|place|town|street|room|state)\b"),
        (Kind.WHO, r"\bwho(m|se)?\b|\b(what|which) (person|man|woman|company|author)\b"),
        (Kind.WHY, r"\bwhy\b|\bwhat (\w+ )?reason\b|\bhow come\b"),
        (Kind.HOW, r"\bhow\b"),
    )
)

_NAME = re.compile(
    r"\b[A-Z][\w'’-]*(?:\.(?=\s[A-Z]))?"
    r"(?:\s+(?:(?:of|the|de|van|von|da|del|la)\s+){0,2}[A-Z][\w'’-]*(?:\.(?=\s[A-Z]))?)*"
)
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
)
_WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?"
_NUMBER_WORD = (
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen"
    r"|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
    r"|hundred|thousand|million|billion|dozen|half)"
)
_NUMBER = rf"(?:[$€£]\s?)?(?:\d[\d,.]*\d|\d)%?|\b{_NUMBER_WORD}(?:[\s-](?:and\s)?{_NUMBER_WORD})*\b"
_QUANTITY = re.compile(
    rf"(?:{_NUMBER})(?:\s(?:hundred|thousand|million|billion))?(?:\s[a-z]+(?:\sper\s\w+)?)?",
    re.IGNORECASE,
)
_WHEN = re.compile(
    rf"(?:(?:early|late|mid|spring|summer|autumn|winter)[\s-](?:of\s)?)?"
    rf"(?:(?:\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?)?\b{_MONTH}\b(?:\s\d{{1,2}}(?:st|nd|rd|th)?\b)?"
    rf"(?:,?\s\d{{4}})?|\b[12]\d{{3}}s?\b|\bthe\s\w+\scentury\b)"
    rf"|\b(?:every|last|next|this|on|each)?\s?{_WEEKDAY}(?:\s(?:morning|afternoon|evening|night))?"
    r"|\b(?:every|last|next|this|each)\s(?:day|week|month|year|morning|evening|night|summer|winter"
    r"|spring|autumn|weekend)\b"
    r"|\b\d{1,2}(?::\d{2})?\s?(?:am|pm|a\.m\.|p\.m\.|o'clock)|\b\d{1,2}:\d{2}\b"
    r"|\b(?:noon|midnight|yesterday|today|tomorrow|tonight|dawn|dusk)\b"
    rf"|(?:{_NUMBER})\s(?:second|minute|hour|day|week|month|year|decade|centurie)s?\s"
    r"(?:ago|later|earlier|before|after)\b"
    rf"|\b(?:at|before|after|until|by)\s(?:half\spast\s)?{_NUMBER_WORD}\b",
    re.IGNORECASE,
)
_WHEN_CLAUSE = re.compile(r"\b(?:after|before|during|when|while|once|until)\s[^,.;:!?]+")
_OFTEN = re.compile(r"\b(?:once|twice)\b(?:\s(?:a|an|per|every)\s\w+)?|\bevery\s[^,.;:!?]+")
_YEAR = re.compile(r"[12]\d{3}")
_WHERE = re.compile(
    r"\b(?:in|at|near|on|inside|behind|under|beside|next to|outside|between|into|beneath|above"
    r"|from|to|through|along|opposite)\s+(?=((?:[\w'’-]+\s?){1,7}))"
)
_WHY = re.compile(
    r"\b(?:because(?:\sof)?|since|due to|so that|in order to|thanks to|as a result of|owing to|to)"
    r"\s[^.;!?]+"
)
_HOW = re.compile(r"\b(?:by|through|using|via|with|from)\s[^.;!?,]+", re.IGNORECASE)
_DURATION = r"second|minute|hour|day|night|week|month|year|decade|centur"
_LENGTH = r"metre|meter|mile|feet|foot|inch|yard|\bkm\b|\bcm\b|\bmm\b|\bm\b"
_MONEY = r"[$€£]|euro|pound|dollar|cent\b|pence|franc|crown|rupee|yen|free"
_UNITS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(asked, re.IGNORECASE), re.compile(unit, re.IGNORECASE))
    for asked, unit in (
        (r"\bhow long\b", f"{_DURATION}|{_LENGTH}"),
        (r"\bhow old\b|\bage\b", r"year|month|day|^\d+$"),
        (r"\b(how far|distance|height|width|tall|high|wide|deep|depth)\b", _LENGTH),
        (r"\b(cost|price|pay|paid|charge|fee|salary|earn)s?\b", _MONEY),
    )
)
_RUN_END = re.compile(r"[,.;:!?()\[\]\"“”—–]|\s-\s")
_CLAUSE = re.compile(r"[;:]|\b(?:and|but|while|whereas|then|or)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:(?:the|a|an|in|on|at|of)\s+)+", re.IGNORECASE)


def kind_of(question: str) -> Kind:
    """Tell what the question asks for."""
    for kind, pattern in _KINDS:
        if pattern.search(question):
            return kind
    return Kind.WHAT


def candidates(kind: Kind, question: str, sentence: str) -> list[Span]:
    """Return what could answer the question, without what the question says itself."""
    known = lexical.content_stems(question)
    found: dict[tuple[int, int], float] = {}
    for span in (
        *_FINDERS[kind](question, sentence),
        *_phrases(sentence, 0.25),
        *_rest(sentence, known),
    ):
        start, end = _trim(sentence, span.start, span.end)
        said = lexical.content_stems(sentence[start:end])
        if start < end and not (said and said <= known):
            found[start, end] = max(span.weight, found.get((start, end), 0.0))
    return [Span(start, end, weight) for (start, end), weight in found.items()]


def share_clause(sentence: str, span: Span, place: int) -> bool:
    """Whether nothing that begins another clause stands between the span and the place."""
    begin, end = min(span.end, place), max(span.start, place)
    return not _CLAUSE.search(sentence, begin, end)


def _trim(sentence: str, start: int, end: int) -> tuple[int, int]:
    while end > start and sentence[end - 1] in " \t\n,.;:!?":
        end -= 1
    while start < end and sentence[start] in " \t\n,;:":
        start += 1
    return start, end


def _matches(pattern: re.Pattern[str], sentence: str, weight: float) -> Iterator[Span]:
    return (Span(match.start(), match.end(), weight) for match in pattern.finditer(sentence))


def _names(sentence: str, weight: float) -> Iterator[Span]:
    for match in _NAME.finditer(sentence):
        start = match.start()
        first = match[0].split()[0]
        # A sentence's first word has a capital anyway.
        if first.lower() in lexical.FUNCTION_WORDS:
            start += len(first) + 1
        if start < match.end():
            yield Span(start, match.end(), weight)


def _places(sentence: str) -> Iterator[Span]:
    for match in _WHERE.finditer(sentence):
        start = match.start(1)
        phrase = _RUN_END.split(match[1])[0]
        yield Span(start, start + _phrase_length(phrase), 0.9)
    yield from _names(sentence, 0.6)


def _times(sentence: str) -> Iterator[Span]:
    yield from _matches(_WHEN, sentence, 1.0)
    yield from _matches(_WHEN_CLAUSE, sentence, 0.6)


def _quantities(question: str, sentence: str) -> Iterator[Span]:
    wanted = next((unit for asked, unit in _UNITS if asked.search(question)), None)
    for match in _QUANTITY.finditer(sentence):
        if _YEAR.fullmatch(match[0]):
            weight = 0.4
        else:
            weight = 1.0 if wanted is None or wanted.search(match[0]) else 0.6
        yield Span(match.start(), match.end(), weight)
    yield from _matches(_OFTEN, sentence, 0.7)


def _phrase_length(text: str) -> int:
    """Return how much of the text is one noun phrase, an article included."""
    article = _ARTICLE.match(text)
    end = article.end() if article else 0
    for word in lexical.words(text[end:]):
        if not word.is_content:
            return end + word.start
    return len(text)


def _phrases(sentence: str, weight: float) -> Iterator[Span]:
    """Find runs of words that aren't function words."""
    start = end = -1
    for word in lexical.words(sentence):
        joined = start >= 0 and not _RUN_END.search(sentence, end, word.start)
        if start >= 0 and not (joined and word.is_content):
            yield Span(start, end, weight)
            start = -1
        if word.is_content:
            start = word.start if start < 0 else start
            end = word.end
    if start >= 0:
        yield Span(start, end, weight)


def _rest(sentence: str, known: frozenset[str]) -> Iterator[Span]:
    """Find what the sentence says after, and before, the words that it shares with the question."""
    shared = [word for word in lexical.words(sentence) if lexical.stem(word.text) in known]
    if not shared:
        return
    yield Span(shared[-1].end, len(sentence), 0.3)
    after = _RUN_END.search(sentence, shared[-1].end)
    yield Span(shared[-1].end, after.start() if after else len(sentence), 0.3)
    yield Span(0, shared[0].start, 0.1)


_FINDERS: dict[Kind, Callable[[str, str], Iterator[Span]]] = {
    Kind.WHO: lambda _, sentence: _names(sentence, 1.0),
    Kind.WHEN: lambda _, sentence: _times(sentence),
    Kind.WHERE: lambda _, sentence: _places(sentence),
    Kind.QUANTITY: _quantities,
    Kind.WHY: lambda _, sentence: _matches(_WHY, sentence, 1.0),
    Kind.HOW: lambda _, sentence: _matches(_HOW, sentence, 0.8),
    Kind.WHAT: lambda _, sentence: _names(sentence, 0.35),
}
