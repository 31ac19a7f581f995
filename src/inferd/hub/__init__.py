"""The Hugging Face Hub: what it lists, asked sparingly and remembered.

`upstream` asks it over HTTP, `rows` reads what it says, `store` keeps it across restarts, `listing`
decides when to ask and what to tell.
"""

from inferd.hub.listing import Hub, Settings, open_hub

__all__ = ["Hub", "Settings", "open_hub"]
