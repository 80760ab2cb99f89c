"""Run with ACHERON_MOUNT naming a mount that has the services of the project's own test."""

import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import acheron  # noqa: E402


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.client = acheron.connect()

    def fails(self, code, act):
        with self.assertRaises(acheron.AcheronError) as caught:
            act()
        self.assertEqual(caught.exception.code, code, str(caught.exception))
        return caught.exception

    def test_lists_and_describes(self):
        services = {one["service_id"]: one for one in self.client.services()}
        self.assertTrue(services["echo"]["has_invoke"])
        described = self.client.describe("local/echo")
        self.assertEqual(described["path"], "/nodes/local/services/echo")
        self.assertEqual(described["input"]["required"], ["text"])
        self.assertIn("echo", self.client.list("/nodes/local/services"))
        self.fails("ENOENT", lambda: self.client.describe("absent"))
        self.fails("ENOENT", lambda: self.client.read("/nope"))

    def test_invokes(self):
        self.assertEqual(self.client.invoke("echo", {"text": "hi"}), {"text": "hi"})
        large = {"text": "ä" * 200_000}
        self.assertEqual(self.client.invoke("echo", large), large)
        key = f"py-{os.getpid()}-{time.time_ns()}"
        self.assertEqual(self.client.invoke("echo", {"text": "1"}, key=key), {"text": "1"})
        self.fails("EEXIST", lambda: self.client.invoke("echo", {"text": "2"}, key=key))
        self.assertEqual(self.client.job(f"/nodes/local/services/echo/jobs/by-key/{key}").status()["state"], "ok")

    def test_says_why_a_call_failed(self):
        error = self.fails("EINVAL", lambda: self.client.invoke("echo", {"text": 1}))
        self.assertIn("text", error.message)
        self.assertIsInstance(error, OSError)
        self.assertIn("status 3", self.fails("EIO", lambda: self.client.invoke("fail", {})).message)
        self.fails("EINVAL", lambda: self.client.submit("echo", {}))
        self.fails("EINVAL", lambda: self.client.invoke("echo", []))

    def test_many_at_once(self):
        said = []
        threads = [
            threading.Thread(target=lambda n=n: said.append(self.client.invoke("echo", {"text": str(n)})["text"]))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(said), [str(n) for n in range(8)])

    def test_follows_a_job(self):
        job = self.client.submit("say", {})
        events = list(job.follow())
        self.assertEqual("".join(one.text for one in events if one.type == "stderr"), "first\nlast\n")
        self.assertIn({"done": 1, "total": 2}, [_numbers(one.progress) for one in events if one.type == "progress"])
        self.assertEqual(events[-1].type, "end")
        self.assertEqual(events[-1].status["state"], "ok")
        self.assertEqual(job.result(), {"done": True})
        self.assertEqual(self.client.job(job.id).path, job.path)

    def test_waits_and_cancels(self):
        job = self.client.submit("hang", {})
        self.fails("ETIMEDOUT", lambda: job.wait(0.01))
        job.cancel()
        self.assertEqual(job.wait()["state"], "cancelled")
        self.fails("ECANCELED", job.result)
        self.fails("ESRCH", job.cancel)

    def test_hears_of_events(self):
        events = self.client.events(timeout=30)
        ids = []

        def ring():
            for _ in range(200):
                if done.is_set():
                    return
                ids.append(self.client.submit("echo", {"text": "x"}).id)
                time.sleep(0.05)

        done = threading.Event()
        ringing = threading.Thread(target=ring)
        ringing.start()
        # What others have called may end meanwhile.
        heard = next(one for one in events if one["type"] == "invocation_finished" and one["invocation_id"] in ids)
        done.set()
        ringing.join()
        self.assertEqual(heard["service_id"], "echo")
        self.assertTrue(any(one["type"] == "invocation_finished" for one in self.client.events(since="kept", timeout=0)))

    def test_writes_files(self):
        self.client.write("/nodes/local/services/echo/control/reset", "1")
        self.fails("ENOENT", lambda: self.client.write("/nodes/local/services/echo/nothing", "x"))
        self.client.write("/nodes/local/fs/drop/a.bin", b"\x00\xff", create=True)
        self.assertEqual(self.client.read_bytes("/nodes/local/fs/drop/a.bin"), b"\x00\xff")
        self.client.remove("/nodes/local/fs/drop/a.bin")
        self.fails("ENOENT", lambda: self.client.stat("/nodes/local/fs/drop/a.bin"))

    def test_only_a_mount_is_one(self):
        self.fails("EINVAL", lambda: acheron.connect("/"))
        self.fails("ENOENT", lambda: acheron.connect("/nothing/there"))


def _numbers(progress):
    return {name: progress[name] for name in ("done", "total")}


if __name__ == "__main__":
    unittest.main()
