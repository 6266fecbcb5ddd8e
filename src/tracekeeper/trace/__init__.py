"""One trace: masking, UTF-8, timestamps, sections, the ledger, and reading it again. Pure.

output ─ masker ─ utf8 ─ timestamps ─ limit ─► trace bytes      (`chain`)
trace bytes ─► lines, text without headers                      (`lines`)
"""
