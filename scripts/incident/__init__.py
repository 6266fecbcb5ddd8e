"""The incident, again and again, on real parts:  python -m scripts.incident --help"""
