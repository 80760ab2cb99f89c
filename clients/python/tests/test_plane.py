"""Run with ACHERON_CONTROL_URL and ACHERON_TOKEN of a control plane that has the services of the project's own test."""

import os
import signal
import socket
import sys
import threading
import time
import unittest
from urllib.parse import urlparse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import acheron  # noqa: E402

URL = os.environ.get("ACHERON_CONTROL_URL", "")


class Address:
    """Another address of the control plane, which may die and come back."""

    def __init__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._server.getsockname()[1]}"
        self.is_dead = False
        self.pairs = []
        threading.Thread(target=self._serve, daemon=True).start()

    def die(self):
        self.is_dead = True
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for one in pair:
                _cut(one)

    def close(self):
        self.die()
        _cut(self._server)

    def _serve(self):
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            if self.is_dead:
                near.close()
                continue
            far = socket.create_connection((urlparse(URL).hostname, urlparse(URL).port))
            self.pairs.append((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    _cut(one)
    _cut(other)


def _cut(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()


class PlaneTest(unittest.TestCase):
    def fails(self, code, act):
        with self.assertRaises(acheron.AcheronError) as caught:
            act()
        self.assertEqual(caught.exception.code, code, str(caught.exception))
        self.assertIsNotNone(caught.exception.hint)

    def test_of_several_addresses_one_that_dies_is_left_for_another(self):
        addresses = [Address(), Address()]
        for address in addresses:
            self.addCleanup(address.close)
        with acheron.connect(url=[address.url for address in addresses]) as client:
            for _ in range(3):
                job = client.submit("hang", {})
                waited = []
                waiting = threading.Thread(target=lambda job=job: waited.append(job.wait()))
                waiting.start()
                used = next(address for address in addresses if address.pairs)
                used.die()
                self.assertIn("echo", client.list("/nodes/local/services"))
                self.assertEqual(client.invoke("echo", {"text": "still"}), {"text": "still"})
                self.assertEqual(used.pairs, [])
                job.cancel()
                waiting.join()
                self.assertEqual(waited[0]["state"], "cancelled")
                used.is_dead = False

    def test_a_connection_that_was_lost_comes_back_at_the_same_address(self):
        address = Address()
        self.addCleanup(address.close)
        with acheron.connect(url=address.url) as client:
            address.die()
            threading.Timer(0.3, lambda: setattr(address, "is_dead", False)).start()
            self.assertEqual(client.invoke("echo", {"text": "again"}), {"text": "again"})

    def test_says_why_it_cannot_connect(self):
        self.fails("EACCES", lambda: acheron.connect(url=URL, token="x" * 43))
        self.fails("EHOSTDOWN", lambda: acheron.connect(url="ws://127.0.0.1:9", token="x" * 43))
        self.fails("EINVAL", lambda: acheron.connect(url="ftp://127.0.0.1"))
        with self.assertRaises(acheron.AcheronError) as caught:
            acheron.connect(url=URL, project="absent")
        self.assertEqual(caught.exception.code, "ENOENT")

    def test_an_interrupt_ends_the_call_and_its_driver(self):
        with acheron.connect() as client:
            latest = "/nodes/local/services/hang/jobs/latest"
            before = client.job(latest).id if "latest" in client.list(os.path.dirname(latest)) else None

            def interrupt():
                while "latest" not in client.list(os.path.dirname(latest)) or client.job(latest).id == before:
                    time.sleep(0.02)
                os.kill(os.getpid(), signal.SIGINT)

            threading.Thread(target=interrupt).start()
            with self.assertRaises(KeyboardInterrupt):
                client.invoke("hang", {})
            self.assertEqual(client.job(latest).wait(30)["state"], "cancelled")

    def test_what_is_closed_says_so(self):
        client = acheron.connect()
        client.close()
        client.close()
        with self.assertRaises(acheron.AcheronError) as caught:
            client.list("/nodes")
        self.assertEqual(caught.exception.code, "EBADF")


if __name__ == "__main__":
    unittest.main()
