"""How large a pipeline file may be.

GitLab counts the bytes of memory that a parsed file takes (2 MiB) and its depth (100); see
"Maximum size and depth of CI/CD configuration YAML files" in its administration manual. Nodes
stand in for memory here: an alias or a reference counts as all that it stands for.
"""

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 100
MAX_FILE_NODES = 200_000
MAX_FILE_ERRORS = 100
MAX_MERGED_NODES = 1_000_000

MAX_INCLUDES = 150
MAX_EXTENDS_LEVELS = 11
MAX_REFERENCE_LEVELS = 10
