"""Behind nginx and HAProxy nothing fails while models are reloaded. Skipped where they are not
installed; scripts/check-proxies is the long form, with restarts."""
import sys
import unittest

from daemon import SKIP, main
from proxies import RELOADS, check, missing


class Proxies(unittest.TestCase):
    def test_no_request_fails_while_models_are_reloaded(self):
        total, failures = check(2000, RELOADS)
        self.assertEqual(failures, [])
        self.assertEqual(total, 2000)


if __name__ == "__main__":
    if missing():
        print(f"skipped: {' and '.join(missing())} not installed")
        sys.exit(SKIP)
    main()
