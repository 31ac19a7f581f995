"""The Hugging Face Hub's inference providers, by task, with the Hub's own token."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import msgspec

from inferd.backends import Settings, read_options
from inferd.backends._http import open_upstream
from inferd.backends.huggingface.backend import HuggingFaceBackend
from inferd.backends.huggingface.choice import Chooser
from inferd.backends.huggingface.downloads import Downloads
from inferd.backends.huggingface.mappings import Mappings
from inferd.core.backend import Backend
from inferd.core.clock import Clock
from inferd.wire.hf_inference import failure

HUB = "https://huggingface.co"
ROUTER = "https://router.huggingface.co"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`provider` is `auto`, a provider's name, or for chat `fastest` and the like.

    `router` is the address of the Hub's router, empty for Hugging Face's own; `bill_to` an
    organisation that pays.
    """

    provider: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]{0,63}$")] = "auto"
    router: str = ""
    bill_to: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._-]{0,96}$")] = ""


@asynccontextmanager
async def open_backend(settings: Settings, *, node: str, clock: Clock) -> AsyncGenerator[Backend]:
    """Lend connection pools to the router and to the Hub; `base_url` is the Hub's address.

    Raises:
        ValueError: The Hub isn't Hugging Face's own, and nobody said where its router is.
    """
    options = read_options(settings, Options)
    hub_url = settings.base_url.rstrip("/") or HUB
    if not options.router and hub_url != HUB:
        # A mirror's token is none of Hugging Face's business.
        raise ValueError(
            f"backend {settings.name}: options: router is missing: base_url isn't {HUB}, "
            f"and its token goes to {ROUTER} only if you say so"
        )
    with (
        open_upstream(
            settings,
            options.router or ROUTER,
            clock=clock,
            what=f"{settings.name} isn't the Hub's router",
            explain=failure,
        ) as router,
        open_upstream(
            settings, hub_url, clock=clock, what=f"{settings.name} isn't the Hub", explain=failure
        ) as hub,
        Downloads(settings, router.url) as downloads,
    ):
        chooser = Chooser(settings.name, options.provider, Mappings(hub, clock))
        headers = [("x-hf-bill-to", options.bill_to)] if options.bill_to else []
        yield HuggingFaceBackend(settings, chooser, router, downloads, headers=headers)
