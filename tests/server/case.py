# SPDX-License-Identifier: BSD-2-Clause
"""A class of tests with one leatd for all of them."""
import unittest

from server import Refused, Server


class ServerCase(unittest.TestCase):
    times = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.times)

    def setUp(self):
        if self.server.process.poll() is not None:  # a test that failed has left it so
            self.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def refused(self, status, method, path, body=None, words="", token=None):
        """The request fails with that status and a sentence with those words."""
        with self.assertRaises(Refused) as caught:
            self.server.api(method, path, body, token)
        self.assertEqual(status, caught.exception.status, caught.exception.body)
        self.assertIn(words, caught.exception.body["error"])

    def leatctl(self, *words, status=0, **more):
        """What it prints; its sentence where it is to fail."""
        run = self.server.leatctl(*words, **more)
        self.assertEqual(status, run.returncode, f"{words}: {run.stdout}{run.stderr}")
        self.assertNotIn("Traceback", run.stderr)
        return run.stderr if status else run.stdout

    def events(self, kind, words):
        return [e for e in self.server.items("events?limit=1000") if e["kind"] == kind and words in e["message"]]
