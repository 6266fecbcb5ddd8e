import unittest
from datetime import timedelta

from quiet.gaps import gaps, timestamp

MINUTE = timedelta(minutes=1)


class Gaps(unittest.TestCase):
    def test_names_the_last_line_before_a_silence(self):
        lines = ["2026-03-02T09:00:00 a\n", "2026-03-02T09:05:00 b\n", "2026-03-02T09:05:30 c\n"]
        self.assertEqual(list(gaps(lines, MINUTE)), [(5 * MINUTE, 1, "2026-03-02T09:00:00 a")])

    def test_passes_over_lines_without_a_time(self):
        lines = ["2026-03-02T09:00:00 a", "", "no time", "2026-03-02T09:00:59 b"]
        self.assertEqual(list(gaps(lines, MINUTE)), [])

    def test_compares_times_of_different_zones(self):
        lines = ["2026-03-02T09:00:00+00:00 a", "2026-03-02T10:00:30+01:00 b"]
        self.assertEqual(list(gaps(lines, MINUTE)), [])


class Timestamp(unittest.TestCase):
    def test_is_none_where_there_is_none(self):
        for line in ("", "\n", "hello", "2026-13-01 x"):
            with self.subTest(line=line):
                self.assertIsNone(timestamp(line))


if __name__ == "__main__":
    unittest.main()
