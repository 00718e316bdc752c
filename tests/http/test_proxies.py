"""Behind nginx and HAProxy nothing fails while the server reloads and restarts. Skipped where
they are not installed; scripts/check-proxies is the long form."""
import sys
import unittest

from daemon import SKIP, main
from proxies import RELOADS, RESTARTS, check, missing


class Proxies(unittest.TestCase):
    def test_no_request_fails_through_reload_restart_and_hand_over(self):
        total, failures = check(2000, RELOADS + RESTARTS)
        self.assertEqual(failures, [])
        self.assertEqual(total, 2000)


if __name__ == "__main__":
    if missing():
        print(f"skipped: {' and '.join(missing())} not installed")
        sys.exit(SKIP)
    main()
