"""Services as files: a client of Acheron over a mount, with nothing but the standard library.

    import acheron

    with acheron.connect("/srv/acheron") as client:
        print(client.invoke("echo", {"text": "hi"}))
"""

from ._client import Client, connect
from ._errors import AcheronError
from ._job import Event, Job

__all__ = ["AcheronError", "Client", "Event", "Job", "connect"]
__version__ = "0.1.0"
