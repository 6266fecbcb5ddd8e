import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).parent


def quiet(*arguments):
    command = [sys.executable, "-m", "quiet", *arguments]
    return subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)


class Command(unittest.TestCase):
    def test_reports_the_longest_silence_first(self):
        lines = quiet("--seconds", "60", str(HERE / "build.log")).stdout.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertTrue(lines[0].startswith("0:11:41 of silence after line 5"))
        self.assertEqual(lines[-1], "2 silences of 60 s or more")

    def test_says_which_file_is_missing(self):
        result = quiet("nowhere.log")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("nowhere.log", result.stderr)


if __name__ == "__main__":
    unittest.main()
