"""What this machine has that runs models: looked for at start and every minute, never waited for.

`servers` asks the usual local ports, `hosted` the APIs whose keys are set, `programs` looks for
command-line tools, `hardware` for accelerators; `discoverer` puts it together and keeps looking.
"""

from inferd.discovery.discoverer import Discoverer
from inferd.discovery.hardware import Hardware
from inferd.discovery.hosted import HostedApis
from inferd.discovery.offer import Look, Offer, Taken, Taker
from inferd.discovery.programs import Programs
from inferd.discovery.servers import Servers

__all__ = [
    "Discoverer",
    "Hardware",
    "HostedApis",
    "Look",
    "Offer",
    "Programs",
    "Servers",
    "Taken",
    "Taker",
]
