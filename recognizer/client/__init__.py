"""The service from Python: its operations as methods, without the networks.

    from recognizer.client import Client

    with Client("https://faces.example.org", key="rk_...") as client:
        client.add_person("Ann", ["ann1.jpg", "ann2.jpg"])
        for face in client.search("party.jpg").photos[0].faces:
            print(face.name, face.similarity, face.box)

It needs ``requests`` alone, and imports nothing that detects, embeds or stores.
"""

from recognizer.client.client import Client
from recognizer.client.errors import BadAnswer, JobEnded, ServiceRefused, ServiceUnreachable, StillRunning

__all__ = ["BadAnswer", "Client", "JobEnded", "ServiceRefused", "ServiceUnreachable", "StillRunning"]
