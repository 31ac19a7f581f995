"""Who asks."""

import hmac

import msgspec
from starlette.types import Scope

from inferd.core.errors import AccessError, PermissionDenied, Unauthenticated
from inferd.core.request import Principal
from inferd.frontends._http.context import Context
from inferd.frontends._http.exchange import VISIT, Exchange, Visit
from inferd.frontends._http.origins import Site, client_of, is_navigation
from inferd.frontends._http.sessions import SESSION_SECONDS, Session, cookies_of, set_cookie

NOBODY = Principal(id="nobody", tiers=frozenset())
"""Stands for the caller where anybody may ask."""

_READS = frozenset({"GET", "HEAD"})


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what says so.

    `session` is None for a bearer token, which `has_bearer` tells, and for the ambient owner.
    """

    principal: Principal
    session: Session | None = None
    has_bearer: bool = False


def caller_of(scope: Scope, context: Context, *, is_page: bool = False) -> Caller:
    """Return who sent this request, from its headers alone: the body is still unread.

    A bearer token comes before a cookie, a cookie before where the connection comes from. Another
    page may have made the browser ask: then only a token counts, except for looking at a page.

    Raises:
        Unauthenticated: No credential where one is needed, one nobody knows, or several.
        PermissionDenied: It is a session's write without the session's token.
        RateLimited: Too many wrong credentials came from there.
    """
    visit: Visit = scope[VISIT]
    shown = _shown(scope)
    is_read = scope["method"] in _READS
    shows_page = is_page and is_read and (visit.site is Site.OWN or is_navigation(scope))
    if not shown and (shows_page or visit.site is not Site.FOREIGN):
        found = _of_session(scope, visit, context)
        if found is not None:
            if not (is_read or is_page):
                _check_token(scope, context, found)
            return found
    is_typed = visit.site is Site.TYPED and is_read
    ambient = visit.is_local and (shows_page or is_typed or visit.site is Site.PROGRAM)
    if not shown and not ambient and visit.site is Site.OWN:
        raise _session_is_over()
    principal = context.credentials.identify(
        shown[0] if shown else None,
        ambient=ambient,
        client=client_of(scope, visit.settings) if shown else "",
    )
    return Caller(principal=principal, has_bearer=bool(shown))


def caller_of_socket(scope: Scope, context: Context) -> Caller:
    """Return who opens this WebSocket, from its handshake's headers.

    A browser sends its cookies with another page's handshake too, and no token of a session: a
    session counts for a page of this node alone, and nothing else does for any page.

    Raises:
        Unauthenticated: No credential where one is needed, one nobody knows, or several.
        RateLimited: Too many wrong credentials came from there.
    """
    visit: Visit = scope[VISIT]
    shown = _shown(scope)
    if not shown and visit.site is Site.OWN:
        found = _of_session(scope, visit, context)
        if found is None:
            raise _session_is_over()
        return found
    principal = context.credentials.identify(
        shown[0] if shown else None,
        ambient=visit.is_local and visit.site is Site.PROGRAM,
        client=client_of(scope, visit.settings) if shown else "",
    )
    return Caller(principal=principal, has_bearer=bool(shown))


def is_known(exchange: Exchange) -> bool:
    """Whether whoever asks for what is open to anybody is somebody this node knows."""
    try:
        caller_of(exchange.scope, exchange.context)
    except AccessError:
        return False
    return True


def enter(exchange: Exchange, caller: Caller, *, is_page: bool) -> None:
    """Give a request the token of its session; a page makes the ambient owner one to have."""
    session, sessions = caller.session, exchange.context.sessions
    fresh: Session | None = None
    if is_page and exchange.method in _READS and not caller.has_bearer:
        if session is None:
            session = fresh = sessions.start(caller.principal.id, credential=None)
        elif session.is_ambient:
            fresh = sessions.renewed(session)
    if session is not None:
        exchange.csrf = sessions.csrf(session)
    exchange.is_signed_in = session is not None and not session.is_ambient
    exchange.is_forgeable = not caller.has_bearer
    if fresh is not None:
        keep(exchange, fresh)


def keep(exchange: Exchange, session: Session) -> None:
    """Have the browser keep `session`."""
    visit, text = exchange.visit, exchange.context.sessions.text(session)
    exchange.set_cookie(
        set_cookie(visit.cookie, text, seconds=SESSION_SECONDS, secure=visit.is_secure)
    )


def drop(exchange: Exchange) -> None:
    """Have the browser forget its session."""
    visit = exchange.visit
    exchange.set_cookie(set_cookie(visit.cookie, "", seconds=0, secure=visit.is_secure))


def _shown(scope: Scope) -> list[bytes]:
    """Return the bearer token's header, if there is one.

    Raises:
        Unauthenticated: There are several.
    """
    shown = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(shown) > 1:
        raise Unauthenticated(
            "there is more than one Authorization header", hint="send exactly one"
        )
    return shown


def _session_is_over() -> Unauthenticated:
    return Unauthenticated(
        "this page’s session is over", hint="reload the page, and sign in if it asks you to"
    )


def _of_session(scope: Scope, visit: Visit, context: Context) -> Caller | None:
    """Return whose cookie this is, if what it was given for still holds.

    What isn't signed counts for nothing. Two that hold, of different people, mean that somebody has
    planted a session of their own: then neither counts.
    """
    texts = cookies_of(scope["headers"], visit.cookie)
    found = [caller for text in texts if (caller := _holder(text, visit, context)) is not None]
    return found[0] if len({caller.principal.id for caller in found}) == 1 else None


def _holder(text: str, visit: Visit, context: Context) -> Caller | None:
    session = context.sessions.read(text) if text else None
    standing = session and context.credentials.standing(session.principal)
    if session is None or not standing:
        return None
    principal, credential = standing
    if session.is_ambient:
        holds = visit.is_local and context.credentials.is_open
    else:
        holds = context.sessions.stands_on(session, credential)
    return Caller(principal=principal, session=session) if holds else None


def _check_token(scope: Scope, context: Context, caller: Caller) -> None:
    shown = [value for name, value in scope["headers"] if name == b"x-csrf-token"]
    assert caller.session is not None
    token = context.sessions.csrf(caller.session).encode()
    if len(shown) != 1 or not hmac.compare_digest(shown[0], token):
        raise PermissionDenied(
            "a session's request needs the session's X-CSRF-Token",
            hint="reload the page; programs send `Authorization: Bearer …` and no cookie",
        )
