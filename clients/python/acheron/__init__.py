"""Services as files: a client of Acheron, over a mount with nothing but the standard library, or over a control plane.

    import acheron

    with acheron.connect("/srv/acheron") as client:
        print(client.invoke("echo", {"text": "hi"}))
"""

from ._client import Client, connect
from ._errors import AcheronError, Lost
from ._job import Event, Job

__all__ = ["AcheronError", "Client", "Event", "Job", "Lost", "connect"]
__version__ = "0.1.0"
