"""Signing in and out."""

import hmac
from collections.abc import Mapping, Sequence

from starlette.routing import Route

from inferd.core.errors import NodeError, PermissionDenied, RateLimited, Unauthenticated
from inferd.core.request import Principal
from inferd.frontends._http.auth import Caller, caller_of, drop, enter, keep
from inferd.frontends._http.context import Context
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.errors import headers_of, status_of
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.forms import own_path, read_form, redirect
from inferd.frontends._http.origins import Site, client_of
from inferd.frontends._http.sessions import FORM_SECONDS, Session, cookies_of, set_cookie
from inferd.frontends.web.shell import render, send, show_error
from inferd.gateway.admission.sign_in import SignIn

PATHS: Mapping[str, object] = {
    "/login": {
        "get": {
            "summary": "Show the form to sign in",
            "tags": ["Pages"],
            "security": [],
            "responses": {"200": {"description": "A page", "content": {"text/html": {}}}},
        },
        "post": {
            "summary": "Sign in with a name and a password, or with a key",
            "tags": ["Pages"],
            "security": [],
            "responses": {
                "303": {"description": "Signed in"},
                "401": {"description": "A wrong name, password or key"},
                "403": {"description": "The form isn't this browser's"},
                "429": {"description": "Too many tries"},
            },
        },
    },
    "/logout": {
        "post": {
            "summary": "Sign out",
            "tags": ["Pages"],
            "security": [],
            "responses": {"303": {"description": "Signed out"}},
        }
    },
}


def routes(context: Context) -> Sequence[Route]:
    """Return the routes of signing in and out, bound to the node."""
    door = _Door(SignIn(context.credentials, context.clock))
    return [
        resource(
            context,
            "/login",
            {"GET": door.show, "POST": door.sign_in},
            is_open=True,
            tell=show_error,
        ),
        resource(context, "/logout", {"POST": _sign_out}, is_open=True, tell=show_error),
    ]


class _Door:
    """The page that lets people in."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    async def show(self, exchange: Exchange) -> None:
        """Show the form, unless there is no need to."""
        where = _next(exchange.query.get("next", ""))
        if _caller(exchange) is not None:
            await redirect(exchange, where)
            return
        await self._form(exchange, {"next": where})

    async def sign_in(self, exchange: Exchange) -> None:
        """Let somebody in, or show the form again with what was wrong."""
        fields = await read_form(exchange)
        try:
            _check_form(exchange, fields.get("csrf", ""))
            principal = await self._principal(exchange, fields)
        except (PermissionDenied, Unauthenticated, RateLimited) as error:
            if "text/html" not in exchange.headers.get("accept", ""):
                raise
            await self._form(exchange, fields, error)
            return
        standing = exchange.context.credentials.standing(principal.id)
        assert standing is not None
        # Always a new session: one that was there before may be somebody else's.
        keep(exchange, exchange.context.sessions.start(principal.id, credential=standing[1]))
        _keep_form(exchange, "", seconds=0)
        await redirect(exchange, _next(fields.get("next", "")))

    async def _principal(self, exchange: Exchange, fields: Mapping[str, str]) -> Principal:
        client = client_of(exchange.scope, exchange.visit.settings)
        if "key" in fields:
            return self._sign_in.by_key(fields["key"], client=client)
        name, password = fields.get("name", ""), fields.get("password", "")
        return await self._sign_in.by_password(name, password, client=client)

    async def _form(
        self, exchange: Exchange, fields: Mapping[str, str], error: NodeError | None = None
    ) -> None:
        sessions, form = exchange.context.sessions, next(iter(_forms(exchange)), None)
        if form is None:
            form = sessions.start_form()
            _keep_form(exchange, sessions.form_text(form), seconds=FORM_SECONDS)
        exchange.csrf = sessions.csrf(form)
        html = await render(
            exchange,
            "login.html",
            page="login",
            title="Sign in",
            next=_next(fields.get("next", "")),
            name=fields.get("name", ""),
            by_key="key" in fields or not self._sign_in.has_login,
            has_login=self._sign_in.has_login,
            error="" if error is None else f"{_sentence(error.message)} {_sentence(error.hint)}",
            address=exchange.visit.authority,
            connection=_connection(exchange),
        )
        headers = [] if error is None else headers_of(error)
        await send(
            exchange, html, status=200 if error is None else status_of(error), headers=headers
        )


async def _sign_out(exchange: Exchange) -> None:
    """Take the session's cookie away. One that was copied before lives until it is too old."""
    fields = await read_form(exchange)
    caller = _caller(exchange)
    if caller is not None and caller.session is not None:
        enter(exchange, caller, is_page=False)
        exchange.check_csrf(fields.get("csrf", ""))
        drop(exchange)
    await redirect(exchange, "/login")


def _caller(exchange: Exchange) -> Caller | None:
    """Return who this browser is already, if anybody."""
    try:
        return caller_of(exchange.scope, exchange.context, is_page=True)
    except Unauthenticated:
        return None


def _check_form(exchange: Exchange, shown: str) -> None:
    """Refuse a form that another site sends, to have its victim use the attacker's account.

    Raises:
        PermissionDenied: It isn't the one that this browser was given.
    """
    sessions, shown_bytes = exchange.context.sessions, shown.encode(errors="replace")
    is_ours = any(
        hmac.compare_digest(shown_bytes, sessions.csrf(form).encode()) for form in _forms(exchange)
    )
    if exchange.visit.site is Site.FOREIGN or not is_ours:
        raise PermissionDenied("this form is too old, or another browser’s", hint="send it again")


def _forms(exchange: Exchange) -> list[Session]:
    """Return the forms that this browser was given; what others planted isn't signed."""
    texts = cookies_of(exchange.scope["headers"], _form_cookie(exchange))
    read = exchange.context.sessions.read_form
    return [form for text in texts if (form := read(text)) is not None]


def _keep_form(exchange: Exchange, text: str, *, seconds: int) -> None:
    name, secure = _form_cookie(exchange), exchange.visit.is_secure
    exchange.set_cookie(set_cookie(name, text, seconds=seconds, secure=secure, strict=True))


def _form_cookie(exchange: Exchange) -> str:
    return f"{exchange.visit.cookie}-form"


def _next(shown: str) -> str:
    """Return where to go afterwards; never back to the door."""
    path = own_path(shown)
    return "/" if path.partition("?")[0].rstrip("/") in ("/login", "/logout") else path


def _connection(exchange: Exchange) -> str:
    if exchange.visit.is_secure:
        return "encrypted"
    return "this machine only" if exchange.visit.is_local else "not encrypted"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}." if text else ""
